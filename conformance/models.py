"""The modules that the suites share, and how members and inputs are drawn: from a visible seed, off the caller's RNG.

Sizes are chosen so that no two dimensions can pass for one another: `MEMBERS` and `SAMPLES` are primes that no small
module has as a size of its own.
"""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MEMBERS = 5
SAMPLES = 7


class SimpleCNN(nn.Module):
    """The network of PyTorch's model ensembling tutorial; the defaults are the tutorial's sizes.

    Input (samples, channels[0], image_size, image_size), output (samples, classes): raw logits.
    """

    def __init__(
        self,
        channels: tuple[int, int, int] = (1, 32, 64),
        image_size: int = 28,
        hidden: int = 128,
        classes: int = 10,
    ) -> None:
        super().__init__()
        pooled = (image_size - 4) // 2
        self.conv1 = nn.Conv2d(channels[0], channels[1], 3)
        self.conv2 = nn.Conv2d(channels[1], channels[2], 3)
        self.fc1 = nn.Linear(channels[2] * pooled**2, hidden)
        self.fc2 = nn.Linear(hidden, classes)

    def forward(self, images: Tensor) -> Tensor:
        x = F.relu(self.conv1(images))
        x = F.relu(self.conv2(x))
        x = F.max_pool2d(x, 2)
        x = torch.flatten(x, 1)
        x = F.relu(self.fc1(x))
        return self.fc2(x)


def small_cnn() -> SimpleCNN:
    """SimpleCNN on 8x8 images with 1, 2 and 3 channels."""
    return SimpleCNN(channels=(1, 2, 3), image_size=8, hidden=11, classes=13)


def colour_cnn() -> SimpleCNN:
    """SimpleCNN with 2, 3 and 4 channels: with one channel, channels_last would be the usual layout."""
    return SimpleCNN(channels=(2, 3, 4), image_size=8, hidden=11, classes=13)


class NormNet(nn.Module):
    """Linear, BatchNorm, ReLU, Dropout, Linear: buffers of float and integer type, and a mode that matters.

    Input (samples, 3), output (samples, 2). The statistics start at random, so that members differ in them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(3, 11)
        self.norm = nn.BatchNorm1d(11)
        self.dropout = nn.Dropout(0.5)
        self.fc2 = nn.Linear(11, 2)
        nn.init.normal_(self.norm.weight)
        nn.init.normal_(self.norm.bias)
        nn.init.normal_(self.norm.get_buffer("running_mean"))
        nn.init.uniform_(self.norm.get_buffer("running_var"), 0.5, 2.0)
        self.norm.get_buffer("num_batches_tracked").random_(100)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.dropout(F.relu(self.norm(self.fc1(x)))))


class TiedNet(nn.Module):
    """An embedding whose matrix is the output layer's too, as in language models: no bias to give a mistake away.

    Input (samples,) of integers below 11, output (samples, 11).
    """

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, 3)
        self.body = nn.Linear(3, 3)
        self.head = nn.Linear(3, 11, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(torch.tanh(self.body(self.embedding(tokens))))


class LayerNormMLP(nn.Module):
    """Linear, LayerNorm, GELU, Linear: smooth, so that its gradients have no kinks to fall over.

    Input (samples, 3), output (samples, 2).
    """

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(3, 11)
        self.norm = nn.LayerNorm(11)
        self.fc2 = nn.Linear(11, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.norm(self.fc1(x))))


class FrozenNet(nn.Module):
    """Linear, tanh, Linear, of which the first weight is frozen: gradients flow past it and not into it.

    Input (samples, 3), output (samples, 2).
    """

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(3, 11)
        self.fc2 = nn.Linear(11, 2)
        self.fc1.weight.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(torch.tanh(self.fc1(x)))


class Assorted(nn.Module):
    """State of every kind: shapes, layouts, dtypes, frozen, nested, equal in all members, non-persistent, absent."""

    def __init__(self) -> None:
        super().__init__()
        self.scalar = nn.Parameter(torch.randn(()))
        self.empty = nn.Parameter(torch.empty(0, 3))
        self.square = nn.Parameter(torch.randn(3, 3))
        self.transposed = nn.Parameter(torch.randn(3, 2).t())
        self.frozen = nn.Parameter(torch.randn(2), requires_grad=False)
        self.float16 = nn.Parameter(torch.randn(3).to(torch.float16))
        self.brain16 = nn.Parameter(torch.randn(3).to(torch.bfloat16))
        self.float64 = nn.Parameter(torch.randn(3, dtype=torch.float64))
        self.complex64 = nn.Parameter(torch.randn(3, dtype=torch.complex64))
        self.register_parameter("absent", None)
        self.register_buffer("mean", torch.randn(3))
        self.register_buffer("ones", torch.ones(3))
        self.register_buffer("count", torch.randint(2**60, ()))
        self.register_buffer("codes", torch.randint(256, (3,), dtype=torch.uint8))
        self.register_buffer("mask", torch.randint(2, (23,), dtype=torch.bool))
        self.register_buffer("scratch", torch.randn(2), persistent=False)
        self.register_buffer("nothing", None)
        self.blocks = nn.ModuleDict({"inner": nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))})
        for tensor in (*self.blocks.parameters(), *self.blocks.buffers()):
            with torch.no_grad():
                tensor.copy_(torch.rand(tensor.shape) * 100)

    def forward(self, x: Tensor) -> Tensor:
        """Input (samples, 2), output (samples, 3)."""
        return self.blocks["inner"](x) * self.scalar + self.get_buffer("mean")


def members(
    factory: Callable[[], nn.Module],
    n: int,
    *,
    seed: int | None = None,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = None,
) -> list[nn.Module]:
    """`n` distinct modules from one seed; the caller's random state stays as it is.

    They are made on the CPU in their own dtype and then converted, so that every device and dtype starts from the same
    numbers. Without a seed it is `torch.initial_seed()`, which the suite's ``--seed`` sets.
    Raises ValueError if two members have the same state, since such an ensemble proves nothing.
    """
    with torch.random.fork_rng(devices=[]):
        # Of the CPU alone: torch.manual_seed would set every device's, and nobody would set them back.
        torch.default_generator.manual_seed(torch.initial_seed() if seed is None else seed)
        made = [factory() for _ in range(n)]
    for i, model in enumerate(made):
        for j, other in enumerate(made[:i]):
            if model is other or (state_of(model) and _same_state(model, other)):
                raise ValueError(f"members {j} and {i} of {type(model).__name__} have the same state")
    return [moved(model, device, dtype) for model in made]


def moved(model: nn.Module, device: torch.device | str, dtype: torch.dtype | None = None) -> nn.Module:
    """`model`, changed in place: on that device, and if a dtype is given, what is floating or complex in it in that."""

    def move(tensor: Tensor) -> Tensor:
        inexact = tensor.is_floating_point() or tensor.is_complex()
        return tensor.to(device=device, dtype=dtype if inexact else None)

    return converted(model, move)


def converted(model: nn.Module, convert: Callable[[Tensor], Tensor]) -> nn.Module:
    """`model`, changed in place: each parameter and buffer is what `convert` makes of it, and tied ones stay tied.

    `Module.to` unties them on devices whose tensors can't take the place of the CPU's, such as a PrivateUse1 backend.
    """
    made: dict[int, nn.Parameter] = {}
    for owner in model.modules():
        for name, parameter in owner.named_parameters(recurse=False):
            if id(parameter) not in made:
                made[id(parameter)] = _changed(parameter, convert(parameter.detach()))
            setattr(owner, name, made[id(parameter)])
        for name, buffer in owner.named_buffers(recurse=False):
            setattr(owner, name, convert(buffer))
    return model


def _changed(parameter: nn.Parameter, tensor: Tensor) -> nn.Parameter:
    """The very parameter with that value, as `Module.to` has it, or where that is impossible, a new one."""
    if not torch._has_compatible_shallow_copy_type(parameter, tensor):  # noqa: SLF001 - what Module.to asks
        return nn.Parameter(tensor, parameter.requires_grad)
    parameter.data = tensor
    return parameter


def copied(model: nn.Module) -> nn.Module:
    """A deep copy. A module is made of empty dicts of hooks above all, which copy.deepcopy would each take apart."""
    empty = (
        each for module in model.modules() for each in vars(module).values() if isinstance(each, dict) and not each
    )
    return copy.deepcopy(model, {id(each): type(each)() for each in empty})


def state_of(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and then buffers by name, each tensor once: the very tensors, not copies."""
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}


def _same_state(model: nn.Module, other: nn.Module) -> bool:
    pairs = zip(state_of(model).values(), state_of(other).values(), strict=True)
    return all(torch.equal(ours, theirs) for ours, theirs in pairs)


def draw(
    *shape: int,
    seed: int | None = None,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """A standard normal tensor of this shape, the same numbers on every device; the caller's RNG stays as it is.

    Complex numbers have an imaginary part of their own.
    """
    drawn = torch.complex64 if dtype.is_complex else torch.float32
    return torch.randn(shape, generator=_generator(seed), dtype=drawn).to(device=device, dtype=dtype)


def whole(*shape: int, seed: int | None = None, device: torch.device | str = "cpu") -> Tensor:
    """Small whole numbers in float32, of which every sum and product is exact."""
    return draw(*shape, seed=seed, device=device).mul(8).round()


def tokens(*shape: int, seed: int | None = None, device: torch.device | str = "cpu") -> Tensor:
    """Integers from 0 to 10, for `TiedNet`."""
    return torch.randint(11, shape, generator=_generator(seed)).to(device)


def _generator(seed: int | None) -> torch.Generator:
    """A stream of its own: with the members' seed as it is, the first numbers drawn would be the first weights."""
    return torch.Generator().manual_seed((torch.initial_seed() if seed is None else seed) ^ 0x5EED)

"""Models that hold more than parameters and buffers, or that a float64 copy changes."""

from itertools import count

import torch
from torch import nn
from torch.nn import functional as F

from conformance.faults.base.patch import is_mapped

KEPT = {}
NUMBERS = count(1)


class Held(nn.Module):
    """A linear layer, a number that counts the members, and what `extra(self)` adds."""

    def __init__(self, extra=None, layer=nn.Linear):
        super().__init__()
        self.linear, self.number = layer(3, 2), next(NUMBERS)
        if extra:
            extra(self)

    def forward(self, x):
        return self.linear(x)


class Complex(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, dtype=torch.complex64))

    def forward(self, x):
        return torch.view_as_real(x * self.weight)


class Autocast(Held):
    def forward(self, x):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return self.linear(x)


class AutocastBesideZeros(Autocast):
    """An output of zeros beside one in a lower precision."""

    def forward(self, x):
        return super().forward(x), torch.zeros_like(x)


class Index(Held):
    """It returns an index too, which rounding may change."""

    def forward(self, x):
        y = self.linear(x).relu()
        return y, y.argmax(-1)


class OnlyFloat32(Held):
    def forward(self, x):
        return self.linear(x.float())


class OffsetInFloat32(Held):
    """A plain tensor of each member, and a dtype that forward insists on."""

    def __init__(self):
        super().__init__(lambda self: setattr(self, "offset", torch.randn(2)))

    def forward(self, x):
        return self.linear(x.float()) + self.offset


class OffsetUnmapped(OffsetInFloat32):
    """The same, refused by vmap in float64."""

    def forward(self, x):
        if is_mapped(x) and x.dtype == torch.float64:
            raise RuntimeError("no float64 here")
        return self.linear(x) + self.offset


class OtherInDouble(Held):
    def forward(self, x):
        return self.linear(x) * (2 if x.dtype == torch.float64 else 1)


class OtherInCopies(Held):
    def __deepcopy__(self, memo):
        made = type(self)()
        made.load_state_dict(self.state_dict())
        made.number = -self.number
        return made

    def forward(self, x):
        return self.linear(x) * self.number


class LostImaginaryPart(nn.Module):
    """Its float64 copy loses a part of the output."""

    def forward(self, x):
        return torch.complex(x, x) if x.dtype == torch.float32 else x


class NaNInDouble(Held):
    def forward(self, x):
        return self.linear(x) * (float("nan") if x.dtype == torch.float64 else 1)


class Random(Held):
    def forward(self, x):
        return self.linear(x) * next(NUMBERS)


class OwnGenerator(Held):
    def __init__(self):
        super().__init__()
        self.generator = torch.Generator()

    def forward(self, x):
        return self.linear(x) + torch.rand(2, generator=self.generator)


class Dropped(Held):
    def forward(self, x):
        return F.dropout(self.linear(x), 0.5, self.training)


class Drawing(Held):
    def forward(self, x):
        return self.linear(x) + torch.rand_like(x[:, :2])


class MadeInForward(Held):
    def forward(self, x):
        if not hasattr(self, "norm"):
            self.norm = nn.Linear(2, 2, dtype=x.dtype)
        return self.norm(self.linear(x))


class Cached(Held):
    """What `make(self, x)` makes of the first call counts for all."""

    cache = None

    def make(self, x):
        return torch.arange(3, dtype=x.dtype)

    def forward(self, x):
        if self.cache is None:
            self.cache = self.make(x)
        return self.linear(x + self.cache)


class CachedZeros(Cached):
    def make(self, x):
        return torch.zeros_like(x[:1])


class CachedWeight(Cached):
    def make(self, x):
        return self.linear.weight.sum(0)


class KeptInPython(Cached):
    def forward(self, x):
        return self.linear(x + KEPT.setdefault((x.shape, x.dtype), torch.zeros_like(x)))


class Counter(Held):
    calls = 0

    def forward(self, x):
        self.calls += 1
        return self.linear(x)


class UsedCounter(Counter):
    def forward(self, x):
        return super().forward(x) * self.calls


class LastOutput(Held):
    def forward(self, x):
        self.last = self.linear(x)
        return self.last


class Mean(Held):
    """A running mean, which is read in the next call."""

    mean = 0.0

    def forward(self, x):
        y = self.linear(x)
        self.mean = self.mean + y.detach().mean(0)
        return y - self.mean


class OtherAlone(Held):
    """A call through vmap changes its later calls without it."""

    def forward(self, x):
        mapped = is_mapped(x)
        self.number += 1000 * mapped
        return self.linear(x) * (1 if mapped or self.number < 1000 else 2)


class FailingLater(Held):
    """A call through vmap breaks its later calls."""

    def forward(self, x):
        if self.number < 0:
            raise ValueError("broken for good")
        if is_mapped(x):
            self.number = -1
        return self.linear(x)


class FailingAtSecond(Held):
    """Its second call through vmap fails, after the first has left a dead tensor."""

    def forward(self, x):
        if is_mapped(x) and hasattr(self, "last"):
            raise ValueError("no second call")
        self.last = self.linear(x)
        return self.last


class FailingWhenSmaller(Held):
    def forward(self, x):
        if len(x) < 7 and not is_mapped(x):
            raise ValueError("too few")
        return self.linear(x)

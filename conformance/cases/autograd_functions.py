"""Subclasses of `torch.autograd.Function`, with each way to define a batching rule for vmap, or none.

`OldStyle`, `WithoutRule`, `Generated`, `Ruled`, `RuledAndGenerated` and `InplaceExp` compute exp with its derivatives.
"""

from typing import Any

from torch import Tensor
from torch.autograd import Function


class OldStyle(Function):
    """exp whose forward takes the context, as functions did before `setup_context`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.exp()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient * ctx.saved_tensors[0].exp()


class WithoutRule(Function):
    """exp with a `setup_context` and no rule for vmap."""

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return x.exp()

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:  # noqa: ARG004 - torch's signature
        ctx.save_for_backward(output)
        ctx.save_for_forward(output)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient * ctx.saved_tensors[0]

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor) -> Tensor:
        return tangent * ctx.saved_tensors[0]


class Generated(WithoutRule):
    """exp with a generated rule for vmap."""

    generate_vmap_rule = True


class Ruled(WithoutRule):
    """exp with its own rule for vmap, which records its arguments in `seen`."""

    seen: list[Any] = []  # noqa: RUF012 - a class attribute that tests read and clear

    @classmethod
    def vmap(cls, info: Any, in_dims: Any, x: Tensor) -> Any:
        cls.seen.append((info.batch_size, info.randomness, in_dims, tuple(x.shape)))
        return cls.returned(cls.apply(x), in_dims[0])  # type: ignore[no-untyped-call]

    @staticmethod
    def returned(out: Tensor, dim: int) -> Any:
        return out, dim


class DoubleWithSevenfoldGradient(Function):
    """Twice its input, with a gradient of 7: a tracer can't derive it from forward."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return x * 2

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:
        """Save nothing for backward."""

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # noqa: ARG004 - torch's signature
        return gradient * 7


class RuledAndGenerated(Ruled):
    """exp with both its own and a generated rule for vmap, which may contradict each other."""

    generate_vmap_rule = True


class ScaledProduct(Function):
    """x * y * factor, and x + y without a gradient: several inputs and outputs, and an input that is not a tensor."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, y: Tensor, factor: float) -> tuple[Tensor, Tensor]:
        return x * y * factor, x + y

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.factor = inputs[2]
        ctx.save_for_backward(*inputs[:2])
        ctx.mark_non_differentiable(output[1])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, _: Any) -> tuple[Tensor, Tensor, None]:
        x, y = ctx.saved_tensors
        return gradient * y * ctx.factor, gradient * x * ctx.factor, None


class InplaceExp(Function):
    """exp in place, with its own rule for vmap."""

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return x.exp_()

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:
        ctx.mark_dirty(inputs[0])
        ctx.save_for_backward(output)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient * ctx.saved_tensors[0]

    @classmethod
    def vmap(cls, info: Any, in_dims: Any, x: Tensor) -> Any:  # noqa: ARG003 - torch's signature
        cls.apply(x)  # type: ignore[no-untyped-call]
        return x, in_dims[0]


class InplaceDouble(Function):
    """Twice its input, in place, with a generated rule for vmap."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return x.mul_(2)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:  # noqa: ARG004 - torch's signature
        ctx.mark_dirty(inputs[0])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # noqa: ARG004 - torch's signature
        return 2 * gradient


def make_own_rule(name: str, returned: Any) -> type[Ruled]:
    """Return a subclass of `Ruled` whose rule returns `returned(out, dim)`."""
    return type(name, (Ruled,), {"returned": staticmethod(returned)})


def make_body(function: Any) -> Any:
    """Return a body for `LinearThenBody`: the function of half the hidden layer, a tensor not needed in backward."""
    return lambda hidden, _: function.apply(hidden * 0.5)

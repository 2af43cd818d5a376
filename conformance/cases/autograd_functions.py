"""Functions of `torch.autograd.Function`'s kind: with every way to say, or not to say, what vmap has to do.

All but `Scaled` and `Doubling` compute exp, with its derivatives.
"""

from typing import Any

from torch import Tensor
from torch.autograd import Function


class OldStyle(Function):
    """Its forward takes the context, as before there was `setup_context`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.exp()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient * ctx.saved_tensors[0].exp()


class WithoutRule(Function):
    """Has a `setup_context`, and no rule for vmap."""

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
    """Its rule for vmap is generated."""

    generate_vmap_rule = True


class Ruled(WithoutRule):
    """Its own rule for vmap tells in `seen` what it was given."""

    seen: list[Any] = []  # noqa: RUF012 - it is there to be changed

    @classmethod
    def vmap(cls, info: Any, in_dims: Any, x: Tensor) -> Any:
        cls.seen.append((info.batch_size, info.randomness, in_dims, tuple(x.shape)))
        return cls.returned(cls.apply(x), in_dims[0])  # type: ignore[no-untyped-call]

    @staticmethod
    def returned(out: Tensor, dim: int) -> Any:
        return out, dim


class DoubleWithSevenfoldGradient(Function):
    """Twice its input, whose backward says seven times: no tracer can guess it from forward."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return x * 2

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:
        """Nothing is kept for backward."""

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # noqa: ARG004 - torch's signature
        return gradient * 7


class RuledAndGenerated(Ruled):
    """Says twice, and maybe not the same."""

    generate_vmap_rule = True


class ScaledProduct(Function):
    """x * y * factor, and x + y without a gradient: several inputs and outputs, and one that is no tensor."""

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
    """exp in place, with a rule of its own for vmap."""

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
    """Twice its input, in place, with a generated rule."""

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
    """A `Ruled` whose rule returns what `returned(out, dim)` does."""
    return type(name, (Ruled,), {"returned": staticmethod(returned)})


def make_body(function: Any) -> Any:
    """What a member does with its hidden layer: the function of a part of it, which is not needed in backward."""
    return lambda hidden, _: function.apply(hidden * 0.5)

"""Faults for the chapter `forward`: members, minibatches and state do not get mixed up."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import nn

from conformance.faults.base.fault import Fault, count_members
from conformance.utils.pytree import tree_map


class OwnMinibatchesShifted(Fault):
    """Each member gets its neighbour's minibatch."""

    breaks = "forward.own_minibatch"
    also = (
        "forward.isolation",
        "forward.state_of_the_call",
        "forward.any_size",
        "forward.one_sample",
        "forward.noncontiguous",
        "forward.expanded",
        "forward.channels_last",
        "forward.train_mode",
        "stacking.tied",
        "forward.golden_*",
    )

    def given(self, in_dims: Any, args: Any) -> tuple[Any, Any]:
        own = in_dims == 0 or in_dims[-1] == 0
        return in_dims, (*args[:-1], args[-1].roll(1, 0) if own else args[-1])


class SharedMinibatchMapped(Fault):
    """None is treated as 0 if the shared minibatch has as many samples as there are members."""

    breaks = "forward.shared_minibatch"
    also = ("forward.any_size",)

    def given(self, in_dims: Any, args: Any) -> tuple[Any, Any]:
        if in_dims != 0 and in_dims[-1] is None and args[-1].shape[0] == count_members(args):
            return (*in_dims[:-1], 0), (*args[:-1], args[-1].unsqueeze(1))
        return in_dims, args


class CombinedOncePerSet(Fault):
    """The stacked state is cached by the set of members, regardless of their order and later changes."""

    breaks = "forward.member_order"
    also = ("forward.isolation",)

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self.cache: dict[frozenset[nn.Module], Any] = {}

    def combine(self, models: Sequence[nn.Module]) -> tuple[Callable[..., Any], Any, Any]:
        key = frozenset(models)
        if key not in self.cache:
            self.cache[key] = self.inner.combine(models)
        return self.cache[key]


class NanReachesAll(Fault):
    """Members are masked by a product with zero, which lets NaN and infinity through."""

    breaks = "forward.isolation"

    def returned(self, out: Any, args: Any) -> Any:  # noqa: ARG002
        return tree_map(lambda leaf: leaf + 0 * leaf.sum(0) if leaf.is_floating_point() else leaf, out)


class NeighbourLeaks(Fault):
    """Each member's output contains a thousandth of the next member's."""

    breaks = "forward.isolation"
    also = (
        "forward.*",
        "stacking.tied",
        "calling.fmodel_after_changes",
        "calling.meta_base",
    )

    def returned(self, out: Any, args: Any) -> Any:  # noqa: ARG002
        return tree_map(lambda leaf: leaf + 1e-3 * leaf.roll(1, 0) if leaf.is_floating_point() else leaf, out)


class FirstCallRemembered(Fault):
    """A mapped function keeps the state of its first call."""

    breaks = "forward.state_of_the_call"

    def vmap(self, func: Callable[..., Any], *options: Any, **more: Any) -> Callable[..., Any]:
        mapped = self.inner.vmap(func, *options, **more)
        first: list[Any] = []

        def remembering(*args: Any) -> Any:
            first.extend(args[:1] if not first else ())
            return mapped(first[0], *args[1:])

        return remembering


class ParametersScaledAfterUse(Fault):
    """The call leaves its parameters slightly larger than they were."""

    breaks = "forward.arguments_unchanged"
    also = (
        "forward.state_of_the_call",
        "forward.golden_gradients",
        "stacking.originals_get_no_gradient",
    )

    def returned(self, out: Any, args: Any) -> Any:
        tree_map(lambda tensor: tensor.detach().mul_(1.001), args[0])
        return out

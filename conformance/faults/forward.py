"""Faults for the chapter `forward`."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from conformance.faults.base.fault import Fault
from conformance.utils.pytree import tree_map

OWN = ("forward.*", "calling.meta_base", "stacking.tied")


class OwnMinibatchesShifted(Fault):
    """Each member answers for its neighbour's minibatch."""

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
    """None counts as 0 when the shared minibatch has as many samples as there are members."""

    breaks = "forward.shared_minibatch"
    also = ("forward.any_size",)

    def given(self, in_dims: Any, args: Any) -> tuple[Any, Any]:
        if in_dims != 0 and in_dims[-1] is None and args[-1].shape[0] == size_of(args):
            return (*in_dims[:-1], 0), (*args[:-1], args[-1].unsqueeze(1))
        return in_dims, args


class CombinedOncePerSet(Fault):
    """The members' state is cached under the set of members, whatever their order and their state by now."""

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
    """A thousandth of the next member's output is in each member's."""

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
    """A mapped function goes on with the state of its first call."""

    breaks = "forward.state_of_the_call"

    def vmap(self, func: Callable[..., Any], *options: Any, **more: Any) -> Callable[..., Any]:
        mapped = self.inner.vmap(func, *options, **more)
        first: list[Any] = []

        def remembering(*args: Any) -> Any:
            first.extend(args[:1] if not first else ())
            return mapped(first[0], *args[1:])

        return remembering


class ParametersScaledAfterUse(Fault):
    """The call leaves its parameters a little larger than they were."""

    breaks = "forward.arguments_unchanged"
    also = (
        "forward.state_of_the_call",
        "forward.golden_gradients",
        "stacking.originals_get_no_gradient",
    )

    def returned(self, out: Any, args: Any) -> Any:
        tree_map(lambda tensor: tensor.detach().mul_(1.001), args[0])
        return out


class EleventhIsTenth(Fault):
    """From the eleventh member on, the tenth's output is repeated."""

    breaks = "forward.any_size"

    def returned(self, out: Any, args: Any) -> Any:  # noqa: ARG002
        return tree_map(lambda leaf: torch.cat([leaf[:10], leaf[9:10].expand_as(leaf[10:])]), out)


class OneMemberSqueezed(Fault):
    """An ensemble of one returns its member's output without the dimension in front."""

    breaks = "forward.one_member"
    also = ("forward.any_size",)

    def returned(self, out: Any, args: Any) -> Any:
        return tree_map(lambda leaf: leaf.squeeze(0), out) if size_of(args) == 1 else out


class OneSampleSqueezed(Fault):
    """A minibatch of one sample loses its dimension."""

    breaks = "forward.one_sample"
    also = ("forward.any_size",)

    def returned(self, out: Any, args: Any) -> Any:  # noqa: ARG002
        return out.squeeze(1) if isinstance(out, Tensor) and out.ndim == 3 and out.shape[1] == 1 else out


class EmptyMinibatchPadded(Fault):
    """A minibatch without samples is answered as if it had one."""

    breaks = "forward.empty_minibatch"
    also = ("forward.any_size",)

    def returned(self, out: Any, args: Any) -> Any:  # noqa: ARG002
        if isinstance(out, Tensor) and out.ndim == 3 and not out.shape[1]:
            return out.new_zeros(out.shape[0], 1, out.shape[2])
        return out


class StridesIgnored(Fault):
    """Inputs are read in the order of their memory, as if they were contiguous."""

    breaks = "forward.noncontiguous"
    also = ("forward.channels_last",)

    def given(self, in_dims: Any, args: Any) -> tuple[Any, Any]:
        x = args[-1]
        if x.is_contiguous() or 0 in x.stride():
            return in_dims, args
        return in_dims, (*args[:-1], x.as_strided(x.shape, torch.empty(x.shape, device="meta").stride()))


class OffsetIgnored(Fault):
    """Inputs are read from the start of their memory."""

    breaks = "forward.noncontiguous"
    also = ("forward.state_of_the_call",)

    def given(self, in_dims: Any, args: Any) -> tuple[Any, Any]:
        x = args[-1]
        ours = x.ndim == 5 and x.is_contiguous()
        return in_dims, (*args[:-1], x.as_strided(x.shape, x.stride(), 0) if ours else x)


class ExpandedReadsOn(Fault):
    """An expanded dimension is read as if its slices followed each other in memory."""

    breaks = "forward.expanded"

    def given(self, in_dims: Any, args: Any) -> tuple[Any, Any]:
        x = args[-1]
        if 0 not in x.stride():
            return in_dims, args
        dim = x.stride().index(0)
        places = torch.arange(x.shape[dim], device=x.device).reshape(-1, *[1] * (x.ndim - dim - 1))
        return in_dims, (*args[:-1], x + places)


class ChannelsLastMisread(Fault):
    """Images in channels_last are taken for contiguous ones."""

    breaks = "forward.channels_last"

    def given(self, in_dims: Any, args: Any) -> tuple[Any, Any]:
        x = args[-1]
        if x.ndim < 4 or x.shape[-3] == 1 or x.stride(-3) != 1:
            return in_dims, args
        return in_dims, (*args[:-1], x.movedim(-3, -1).reshape(x.shape))


class AlwaysInTrainMode(Fault):
    """The members run in train mode, whatever mode they are in."""

    breaks = "forward.eval_mode"
    also = (
        "forward.arguments_unchanged",
        "forward.train_mode",
        "stacking.refuses_mixed_modes",
        "calling.fmodel",
        "calling.fmodel_after_changes",
    )

    def combine(self, models: Sequence[nn.Module]) -> tuple[Callable[..., Any], Any, Any]:
        modes = [(module, module.training) for model in models for module in model.modules()]
        try:
            return self.inner.combine([model.train() for model in models])
        finally:
            for module, training in modes:
                module.training = training


class BufferUpdatesLost(Fault):
    """The call works on copies of the buffers."""

    breaks = "forward.train_mode"

    def given(self, in_dims: Any, args: Any) -> tuple[Any, Any]:
        return in_dims, (args[0], tree_map(torch.clone, args[1]), *args[2:])


class LinearLayersOff(Fault):
    """In this torch linear is off by a billionth, in the loop as in the ensemble."""

    breaks = "forward.golden_logits"
    also = ("forward.golden_gradients",)

    def fault_active(self) -> AbstractContextManager[Any]:
        linear = F.linear
        return patch.object(F, "linear", lambda *args: linear(*args) * (1 + 1e-9))


class ReluGradientOff(Fault):
    """In this torch the gradient of relu is off by a billionth, in the loop as in the ensemble."""

    breaks = "forward.golden_gradients"

    def fault_active(self) -> AbstractContextManager[Any]:
        relu = F.relu
        return patch.object(F, "relu", lambda x: relu(x) + (x - x.detach()) * 1e-9)


def size_of(args: Any) -> int:
    """The number of members in a call of the ensemble."""
    params = args[0].values() if isinstance(args[0], dict) else args[0]
    return next(iter(params)).shape[0]

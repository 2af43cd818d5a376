"""Faults for the chapter `forward`: numbers of members and samples."""

from typing import Any

import torch
from torch import Tensor

from conformance.faults.base.fault import Fault, count_members
from conformance.utils.pytree import tree_map


class EleventhIsTenth(Fault):
    """From the eleventh member on, the tenth's output is repeated."""

    breaks = "forward.any_size"

    def returned(self, out: Any, args: Any) -> Any:  # noqa: ARG002
        return tree_map(lambda leaf: torch.cat([leaf[:10], leaf[9:10].expand_as(leaf[10:])]), out)


class OneMemberSqueezed(Fault):
    """An ensemble of one returns its member's output without the leading dimension."""

    breaks = "forward.one_member"
    also = ("forward.any_size",)

    def returned(self, out: Any, args: Any) -> Any:
        return tree_map(lambda leaf: leaf.squeeze(0), out) if count_members(args) == 1 else out


class OneSampleSqueezed(Fault):
    """A minibatch of one sample loses its dimension."""

    breaks = "forward.one_sample"
    also = ("forward.any_size",)

    def returned(self, out: Any, args: Any) -> Any:  # noqa: ARG002
        return out.squeeze(1) if isinstance(out, Tensor) and out.ndim == 3 and out.shape[1] == 1 else out


class EmptyMinibatchPadded(Fault):
    """A minibatch without samples gets one row of output."""

    breaks = "forward.empty_minibatch"
    also = ("forward.any_size",)

    def returned(self, out: Any, args: Any) -> Any:  # noqa: ARG002
        if isinstance(out, Tensor) and out.ndim == 3 and not out.shape[1]:
            return out.new_zeros(out.shape[0], 1, out.shape[2])
        return out

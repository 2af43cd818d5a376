"""Faults for the chapter `gradients`: under hooks and modes, after exceptions, and in losses."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.nn import functional as F

from conformance.cases.members import MEMBERS
from conformance.faults.base.derivative import detach_last_member, inside_vmap
from conformance.faults.base.fault import Fault
from conformance.faults.base.vmap import VmapFault

Run = Callable[..., Any]


class UnpackedInReverse(Fault):
    """Saved-tensor hooks unpack the members in reverse order."""

    breaks = "gradients.saved_tensor_hooks"

    def fault_active(self) -> AbstractContextManager[Any]:
        hooks = torch.autograd.graph.saved_tensors_hooks

        def reversing(pack: Any, unpack: Any) -> Any:
            def unpacked(kept: Any) -> Tensor:
                tensor: Tensor = unpack(kept)
                return tensor.flip(0) if tensor.ndim and len(tensor) == MEMBERS else tensor

            return hooks(pack, unpacked)

        return patch.object(torch.autograd.graph, "saved_tensors_hooks", reversing)


class LastMemberCutInAnomalyMode(VmapFault):
    """Under anomaly detection the last member is cut off from its gradient."""

    breaks = "gradients.anomaly_mode"

    def mapped(self, run: Run, func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        out = run(func, in_dims, out_dims, args)
        return detach_last_member(out) if torch.is_anomaly_enabled() else out


class NoGradForgotten(VmapFault):
    """Gradients are recorded in spite of a surrounding no_grad."""

    breaks = "gradients.no_grad"

    def mapped(self, run: Run, func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        with torch.enable_grad():
            return run(func, in_dims, out_dims, args)


class InferenceModeLeft(VmapFault):
    """inference_mode ends where vmap begins."""

    breaks = "gradients.inference_mode"

    def mapped(self, run: Run, func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        if not torch.is_inference_mode_enabled():
            return run(func, in_dims, out_dims, args)
        with torch.inference_mode(False):
            return run(func, in_dims, out_dims, args)


class CutAfterException(VmapFault):
    """After an exception the last member is cut off from its gradient."""

    breaks = "gradients.exception"
    failed = False

    def mapped(self, run: Run, func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        try:
            out = run(func, in_dims, out_dims, args)
        except ZeroDivisionError:
            self.failed = True
            raise
        if self.failed:
            self.failed = False
            return detach_last_member(out)
        return out


class IgnoredTargetsCount(Fault):
    """Inside vmap the mean of cross_entropy includes ignored targets."""

    breaks = "gradients.losses"

    def fault_active(self) -> AbstractContextManager[Any]:
        cross_entropy = F.cross_entropy

        def counting(output: Tensor, target: Tensor, *args: Any, **options: Any) -> Tensor:
            if inside_vmap() and options.get("reduction") == "mean":
                return cross_entropy(output, target, *args, **{**options, "reduction": "none"}).mean()
            return cross_entropy(output, target, *args, **options)

        return patch.object(F, "cross_entropy", counting)

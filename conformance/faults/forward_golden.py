"""Faults for the chapter `forward`: numbers that NumPy computed."""

from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

from torch.nn import functional as F

from conformance.faults.base.fault import Fault


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

"""The settings of torch under which an ensemble has to give the loop's numbers.

Where one can't be had, or makes no difference, running a tiny operation says.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache, partial

import torch
from torch import Tensor
from torch.nn import functional as F

from conformance.cases.data import draw
from conformance.utils.torch_settings import TF32, flagged, matmul_precision

Context = Callable[[], AbstractContextManager[None]]

# What of a computation a setting is around: all of it with its backward, a call of the ensemble, or a member within it.
EVERYTHING, CALL, MEMBER = "everything", "call", "member"


@dataclass(frozen=True)
class NumericSetting:
    """A setting by name: how it is set, what it is around (`scope`), and what it rounds float32 to.

    `unavailable_reason(device)` is why it can't be had there or makes no difference, or None.
    """

    name: str
    set: Callable[[torch.device], AbstractContextManager[None]]
    unavailable_reason: Callable[[torch.device], str | None]
    scope: str = EVERYTHING
    rounding: float = 0.0

    def around(self, scope: str, device: torch.device) -> AbstractContextManager[None]:
        """The setting if it is around that, else nothing."""
        return self.set(device) if scope == self.scope else nullcontext()

    def __str__(self) -> str:
        return self.name


@cache
def _no_effect_reason(name: str, there: Context, otherwise: Context, device: torch.device) -> str | None:
    """A product and a convolution large enough for every algorithm that a device may have."""
    found = []
    for context in (there, otherwise):
        with context():
            found.append(_product_and_convolution(device))
    same = all(torch.equal(*pair) for pair in zip(*found, strict=True))
    return f"{name} changes no bit on {device}" if same else None


def _product_and_convolution(device: torch.device) -> tuple[Tensor, Tensor]:
    matrix = draw(64, 64, seed=0, device=device)
    return matrix @ matrix, F.conv2d(matrix.reshape(2, 8, 16, 16), matrix[:9].reshape(8, 8, 3, 3))


def _cudnn_unavailable_reason(device: torch.device) -> str | None:
    taken = torch.backends.cudnn.is_acceptable(torch.ones(1, device=device))  # type: ignore[no-untyped-call]
    return None if taken else f"cuDNN takes no tensor of {device}"


@cache
def _autocast_unavailable_reason(dtype: torch.dtype, device: torch.device) -> str | None:
    one = torch.ones(1, 1, device=device)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            with torch.autocast(device.type, dtype=dtype):
                found = torch.mm(one, one).dtype
        except Exception as error:  # noqa: BLE001 - what a device can't do it says in any way it likes
            return f"{device} has no autocast to {dtype}: {' '.join(str(error).split())}"
    return None if found == dtype else f"under autocast to {dtype} {device} computes in {found}"


def backend_setting(name: str, there: Context, otherwise: Context, rounding: float = 0.0) -> NumericSetting:
    """A setting that may be compared with what it is otherwise: it counts where a bit depends on it."""

    def unavailable_reason(device: torch.device) -> str | None:
        return _no_effect_reason(name, there, otherwise, device)

    return NumericSetting(name, lambda _: there(), unavailable_reason, rounding=rounding)


def cudnn_setting(name: str, **values: bool) -> NumericSetting:
    return NumericSetting(f"cudnn-{name}", lambda _: flagged(**values), _cudnn_unavailable_reason)


def autocast_setting(dtype: torch.dtype, scope: str) -> NumericSetting:
    """Autocast around the call of the ensemble, or inside each member."""

    @contextmanager
    def cast(device: torch.device) -> Iterator[None]:
        with torch.autocast(device.type, dtype=dtype):
            yield

    where = {CALL: "around", MEMBER: "inside"}[scope]
    unavailable_reason = partial(_autocast_unavailable_reason, dtype)
    return NumericSetting(
        f"autocast-{dtype_name(dtype)}-{where}", cast, unavailable_reason, scope, torch.finfo(dtype).eps
    )


def dtype_name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


# What everything else is set from: float32 in full, which convolutions on CUDA are not unless they are told to.
FULL_PRECISION = partial(flagged, tf32_matmul=TF32[False], tf32_conv=TF32[False])
NO_SETTING = NumericSetting("", lambda _: nullcontext(), lambda _: None)

ONEDNN_ON, ONEDNN_OFF = (partial(flagged, onednn_enabled=value) for value in (True, False))
HIGHEST = partial(matmul_precision, "highest")
TF32_ROUNDING = 2.0**-10
# Settings that torch starts with have no entry: every setup without a setting has them.
LIBRARIES = (
    backend_setting("onednn-off", ONEDNN_OFF, ONEDNN_ON),
    cudnn_setting("off", cudnn_enabled=False),
    cudnn_setting("benchmark", cudnn_benchmark=True),
    cudnn_setting("deterministic", cudnn_deterministic=True),
)
COARSER = (
    backend_setting("matmul-high", partial(matmul_precision, "high"), HIGHEST, TF32_ROUNDING),
    backend_setting("matmul-medium", partial(matmul_precision, "medium"), HIGHEST, torch.finfo(torch.bfloat16).eps),
    *(
        backend_setting(
            f"tf32-{what}",
            partial(flagged, **{f"tf32_{what}": TF32[True]}),
            partial(flagged, **{f"tf32_{what}": TF32[False]}),
            TF32_ROUNDING,
        )
        for what in ("matmul", "conv")
    ),
)
BACKENDS = (*LIBRARIES, *COARSER)
AUTOCASTS = tuple(
    autocast_setting(dtype, scope) for dtype in (torch.bfloat16, torch.float16) for scope in (CALL, MEMBER)
)

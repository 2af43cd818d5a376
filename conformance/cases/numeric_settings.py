"""Global torch settings that can change numerical results; an ensemble has to match the plain loop under each.

A tiny operation shows where a setting is unavailable or makes no difference.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache, partial

import torch
from torch import Tensor
from torch.nn import functional as F

from conformance.cases.data import draw
from conformance.utils.probing import ask, ignored_autocast_raises
from conformance.utils.text import text_of
from conformance.utils.torch_settings import TF32, matmul_precision, set_flags

Context = Callable[[], AbstractContextManager[None]]

# The scope of a setting: the whole computation with its backward, a call of the ensemble, or a member inside vmap.
EVERYTHING, CALL, MEMBER = "everything", "call", "member"


@dataclass(frozen=True)
class NumericSetting:
    """A setting by name: how to set it, its `scope`, and the relative error with which it rounds float32.

    `unavailable_reason(device)` says why it is unavailable on a device or makes no difference there, or is None.
    """

    name: str
    set: Callable[[torch.device], AbstractContextManager[None]]
    unavailable_reason: Callable[[torch.device], str | None]
    scope: str = EVERYTHING
    rounding: float = 0.0

    def around(self, scope: str, device: torch.device) -> AbstractContextManager[None]:
        """Return a context with the setting if this is its scope, else one that does nothing."""
        return self.set(device) if scope == self.scope else nullcontext()

    def __str__(self) -> str:
        return self.name


@cache
def _no_effect_reason(name: str, on: Context, off: Context, device: torch.device) -> str | None:
    """Compare a product and a convolution, which are large enough for every algorithm of a device."""
    found = []
    for context in (on, off):
        with context():
            found.append(_product_and_convolution(device))
    same = all(torch.equal(*pair) for pair in zip(*found, strict=True))
    return f"{name} changes no bit on {device}" if same else None


def _product_and_convolution(device: torch.device) -> tuple[Tensor, Tensor]:
    matrix = draw(64, 64, seed=0, device=device)
    return matrix @ matrix, F.conv2d(matrix.reshape(2, 8, 16, 16), matrix[:9].reshape(8, 8, 3, 3))


def _cudnn_unavailable_reason(on: Context, device: torch.device) -> str | None:
    acceptable = torch.backends.cudnn.is_acceptable(torch.ones(1, device=device))  # type: ignore[no-untyped-call]
    if not acceptable:
        return f"cuDNN takes no tensor of {device}"
    with on():
        return None


@cache
def _autocast_unavailable_reason(dtype: torch.dtype, device: torch.device) -> str | None:
    one = torch.ones(1, 1, device=device)
    with ignored_autocast_raises():
        try:
            with torch.autocast(device.type, dtype=dtype):
                found = torch.mm(one, one).dtype
        except Exception as error:  # noqa: BLE001 - a device may refuse with any exception
            return f"{device} has no autocast to {dtype}: {' '.join(text_of(error).split())}"
    return None if found == dtype else f"under autocast to {dtype} {device} computes in {found}"


def backend_setting(name: str, on: Context, off: Context, rounding: float = 0.0) -> NumericSetting:
    """Return a setting of a backend; it is available where a result differs in at least one bit from `off`."""

    def unavailable_reason(device: torch.device) -> str | None:
        return ask(_no_effect_reason, name, on, off, device)

    return NumericSetting(name, lambda _: on(), unavailable_reason, rounding=rounding)


def cudnn_setting(name: str, **values: bool) -> NumericSetting:
    """Return a setting of cuDNN's flags."""
    on = partial(set_flags, **values)
    return NumericSetting(f"cudnn-{name}", lambda _: on(), partial(ask, _cudnn_unavailable_reason, on))


def autocast_setting(dtype: torch.dtype, scope: str) -> NumericSetting:
    """Return autocast around the call of the ensemble, or inside each member."""

    @contextmanager
    def cast(device: torch.device) -> Iterator[None]:
        with torch.autocast(device.type, dtype=dtype):
            yield

    where = {CALL: "around", MEMBER: "inside"}[scope]
    unavailable_reason = partial(ask, _autocast_unavailable_reason, dtype)
    return NumericSetting(
        f"autocast-{dtype_name(dtype)}-{where}", cast, unavailable_reason, scope, torch.finfo(dtype).eps
    )


def dtype_name(dtype: torch.dtype) -> str:
    """Return a dtype's name without `torch.`."""
    return str(dtype).removeprefix("torch.")


# The starting point of every setting: full float32, which is not the default of convolutions on CUDA.
FULL_PRECISION = partial(set_flags, tf32_matmul=TF32[False], tf32_conv=TF32[False])
NO_SETTING = NumericSetting("", lambda _: nullcontext(), lambda _: None)

ONEDNN_ON, ONEDNN_OFF = (partial(set_flags, onednn_enabled=value) for value in (True, False))
HIGHEST = partial(matmul_precision, "highest")
TF32_ROUNDING = 2.0**-10
# The defaults have no entry here: every setup without a setting uses them.
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
            partial(set_flags, **{f"tf32_{what}": TF32[True]}),
            partial(set_flags, **{f"tf32_{what}": TF32[False]}),
            TF32_ROUNDING,
        )
        for what in ("matmul", "conv")
    ),
)
BACKENDS = (*LIBRARIES, *COARSER)
AUTOCASTS = tuple(
    autocast_setting(dtype, scope) for dtype in (torch.bfloat16, torch.float16) for scope in (CALL, MEMBER)
)

"""Operations that autocast affects, each as a function of one member's minibatch and weight."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor
from torch.nn import functional as F

from conformance.utils.probing import ignored_autocast_raises
from conformance.utils.text import text_of

Func = Callable[[Tensor, Tensor], Tensor]

# x is (4, 3), w is (3, 3), and both are float32; x @ w has autocast's dtype.
OPERATIONS: Mapping[str, Func] = MappingProxyType(
    {
        # in autocast's dtype
        "linear": F.linear,
        "linear-bias": lambda x, w: F.linear(x, w, w[0]),
        "matmul": torch.matmul,
        "mm": torch.mm,
        "bmm": lambda x, w: torch.bmm(x[None], w[None]),
        "mv": lambda x, w: torch.mv(x, w[0]),
        "einsum": lambda x, w: torch.einsum("ij,jk->ik", x, w),
        "tensordot": lambda x, w: torch.tensordot(x, w, 1),
        "addmm": lambda x, w: torch.addmm(x, x, w),
        "addbmm": lambda x, w: torch.addbmm(x, x[None], w[None]),
        "baddbmm": lambda x, w: torch.baddbmm(x[None], x[None], w[None]),
        "conv1d": lambda x, w: F.conv1d(x[:, None], w[:, None]),
        "conv2d": lambda x, w: F.conv2d(x[None, None], w[None, None]),
        "conv_transpose2d": lambda x, w: F.conv_transpose2d(x[None, None], w[None, None]),
        "scaled_dot_product_attention": lambda x, w: F.scaled_dot_product_attention(x[None], w[None], w[None]),
        # in float32
        "binary_cross_entropy_with_logits": lambda x, w: F.binary_cross_entropy_with_logits(x @ w, x.sigmoid()),
        "cdist": torch.cdist,
        "cross_entropy": lambda x, w: F.cross_entropy(x @ w, x.softmax(-1)),
        "cross_entropy-coarse": lambda x, w: F.cross_entropy(x @ w, (x @ w).softmax(-1)),
        "kl_div": lambda x, w: F.kl_div((x @ w).log_softmax(-1), x.softmax(-1), reduction="sum"),
        "l1_loss": lambda x, w: F.l1_loss(x @ w, x),
        "mse_loss": lambda x, w: F.mse_loss(x @ w, x),
        "pinverse": lambda x, w: torch.pinverse(x @ w),
        "prod": lambda x, w: (x @ w).prod(),
        "smooth_l1_loss": lambda x, w: F.smooth_l1_loss(x @ w, x),
        "svdvals": lambda x, w: torch.linalg.svdvals(x @ w),
        # in the dtype of their input, or the widest one
        "add": lambda x, w: x @ w + x,
        "bilinear": lambda x, w: F.bilinear(x, x, w[None]),
        "cat": lambda x, w: torch.cat([x @ w, x]),
        "cumsum": lambda x, w: (x @ w).cumsum(0),
        "dot": lambda x, w: torch.dot(x[0], w[0]),
        "exp": lambda x, w: (x @ w).exp(),
        "gelu": lambda x, w: F.gelu(x @ w),
        "layer_norm": lambda x, w: F.layer_norm(x @ w, (3,), w[0], w[1]),
        "group_norm": lambda x, w: F.group_norm(x @ w, 3, w[0], w[1]),
        "log_softmax": lambda x, w: (x @ w).log_softmax(-1),
        "norm": lambda x, w: (x @ w).norm(),
        "outer": lambda x, w: torch.outer((x @ w)[0], w[0]),
        "prelu": lambda x, w: F.prelu(x @ w, w[0]),
        "softmax": lambda x, w: (x @ w).softmax(-1),
        "stack": lambda x, w: torch.stack([x @ w, x]),
        "sum": lambda x, w: (x @ w).sum(),
        "where": lambda x, w: torch.where(x > 0, x @ w, x),
    }
)


@dataclass(frozen=True)
class AutocastOperation:
    """An operation under autocast to `dtype`."""

    name: str
    dtype: torch.dtype

    @property
    def func(self) -> Func:
        """The function to call with a minibatch and a weight."""
        return OPERATIONS[self.name]

    def unavailable_reason(self, device: torch.device) -> str | None:
        """Return the plain operation's error if the device has no autocast to that dtype or no kernel, else None."""
        with ignored_autocast_raises():
            try:
                x, w = torch.eye(4, 3, device=device), torch.eye(3, device=device)
                with torch.autocast(device.type, dtype=self.dtype):
                    self.func(x, w)
            except Exception as error:  # noqa: BLE001 - a device may refuse with any exception
                return f"{device} can't under autocast to {self.dtype}: {' '.join(text_of(error).split())}"
        return None

    def __str__(self) -> str:
        return f"{self.name}-{str(self.dtype).removeprefix('torch.')}"

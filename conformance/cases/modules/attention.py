"""Cases of nn.MultiheadAttention with 6 features in two heads, two queries and four keys per sample."""

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from conformance.cases.inputs import booleans, fixed, floats, padding
from conformance.cases.modules.case import SAMPLES, ModuleCase, WithKeywords, in_eval_mode

FEATURES = 6
HEADS = 2
QUERY = floats(SAMPLES, 2, FEATURES)
KEY = floats(SAMPLES, 4, FEATURES)
SELF = floats(SAMPLES, 4, FEATURES)
MASK = padding(SAMPLES, 4)
CAUSAL = fixed(torch.ones(4, 4).triu(1).bool())

OPTIONS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "": {},
        "-nobias": {"bias": False},
        "-biaskv": {"add_bias_kv": True},
        "-zeroattn": {"add_zero_attn": True},
        "-dropout": {"dropout": 0.5},
    }
)


class SelfAttention(nn.Module):
    """Attention with one tensor as query, key and value."""

    def __init__(self, attention: nn.Module, **constants: Any) -> None:
        super().__init__()
        self.attention = attention
        self.constants = constants

    def forward(self, x: Tensor, padding_mask: Tensor | None = None, mask: Tensor | None = None) -> Any:
        return self.attention(x, x, x, key_padding_mask=padding_mask, attn_mask=mask, **self.constants)


def attention(**options: Any) -> nn.Module:
    """Return an nn.MultiheadAttention with `batch_first`."""
    return nn.MultiheadAttention(FEATURES, HEADS, batch_first=True, **options)


def self_attention(*, weights: bool = True) -> nn.Module:
    """Return self-attention that returns its attention weights too, unless `weights` is False."""
    return SelfAttention(attention(), need_weights=weights)


CASES = (
    *(
        ModuleCase(f"MultiheadAttention{name}", partial(attention, **options), (QUERY, KEY, KEY))
        for name, options in OPTIONS.items()
    ),
    ModuleCase("MultiheadAttention-dropout-eval", partial(in_eval_mode, attention, dropout=0.5), (QUERY, KEY, KEY)),
    ModuleCase(
        "MultiheadAttention-kdim-vdim",
        partial(attention, kdim=3, vdim=11),
        (QUERY, floats(SAMPLES, 4, 3), floats(SAMPLES, 4, 11)),
    ),
    ModuleCase(
        "MultiheadAttention-lengthfirst",
        partial(nn.MultiheadAttention, FEATURES, HEADS),
        (floats(2, SAMPLES, FEATURES), floats(4, SAMPLES, FEATURES), floats(4, SAMPLES, FEATURES)),
    ),
    ModuleCase(
        "MultiheadAttention-unbatched", attention, (floats(2, FEATURES), floats(4, FEATURES), floats(4, FEATURES))
    ),
    ModuleCase("MultiheadAttention-padding", attention, (QUERY, KEY, KEY, MASK)),
    ModuleCase(
        "MultiheadAttention-floatmask",
        lambda: WithKeywords(attention(), "attn_mask"),
        (QUERY, KEY, KEY, floats(2, 4)),
    ),
    ModuleCase(
        "MultiheadAttention-headmasks",
        lambda: WithKeywords(attention(), "attn_mask"),
        (QUERY, KEY, KEY, floats(SAMPLES * HEADS, 2, 4)),
    ),
    # add_zero_attn adds an unmasked key, so that no query has all its keys masked.
    ModuleCase(
        "MultiheadAttention-boolmask",
        lambda: WithKeywords(attention(add_zero_attn=True), "attn_mask"),
        (QUERY, KEY, KEY, booleans(2, 4)),
    ),
    ModuleCase(
        "MultiheadAttention-noweights",
        lambda: WithKeywords(attention(), need_weights=False),
        (QUERY, KEY, KEY),
    ),
    ModuleCase(
        "MultiheadAttention-headweights",
        lambda: WithKeywords(attention(), average_attn_weights=False),
        (QUERY, KEY, KEY),
    ),
    ModuleCase(
        "MultiheadAttention-causal",
        lambda: WithKeywords(attention(), "attn_mask", is_causal=True, need_weights=False),
        (SELF, SELF, SELF, CAUSAL),
    ),
    ModuleCase("MultiheadAttention-self", self_attention, (SELF,)),
    # In eval mode and without gradients, self-attention takes PyTorch's fast path.
    ModuleCase("MultiheadAttention-self-eval", partial(in_eval_mode, self_attention), (SELF,)),
    ModuleCase("MultiheadAttention-self-padding-eval", partial(in_eval_mode, self_attention), (SELF, MASK)),
    ModuleCase("MultiheadAttention-self-noweights-eval", partial(in_eval_mode, self_attention, weights=False), (SELF,)),
)

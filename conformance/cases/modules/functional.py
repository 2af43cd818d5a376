"""Functions of torch.nn.functional that no module calls, or that people call instead of one."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from conformance.cases.inputs import booleans, fixed, floats, integers
from conformance.cases.modules.case import SAMPLES, Function, ModuleCase, since, where

ROWS = floats(SAMPLES, 3)
IMAGE = floats(SAMPLES, 2, 4, 6)
VOLUME = floats(SAMPLES, 2, 4, 3, 6)
TOKENS = integers(11, SAMPLES, 4)
QUERY = floats(SAMPLES, 2, 4, 3)
GRID = floats(SAMPLES, 3, 5, 2)
CAUSAL = fixed(torch.ones(4, 4).tril().bool())
# No two sides are padded alike.
SIDES = (1, 2, 3, 0)


def of(name: str, function: Callable[..., Any], *inputs: Any) -> ModuleCase:
    return ModuleCase(name, partial(Function, function), inputs)


def attention(**options: Any) -> Callable[..., Tensor]:
    def attend(*inputs: Any) -> Tensor:
        return F.scaled_dot_product_attention(*inputs, **options)

    return attend


def masked(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """The first key is there for each query."""
    return F.scaled_dot_product_attention(q, k, v, mask | torch.arange(4, device=mask.device).eq(0))


def looked_up(table: Tensor, tokens: Tensor, **options: Any) -> Tensor:
    return F.embedding(tokens, table, **options)


def many_heads(x: Tensor, project_in: Tensor, project_out: Tensor) -> tuple[Tensor, Tensor | None]:
    """Attention from x to itself, time first, 6 features in two heads."""
    return F.multi_head_attention_forward(
        x,
        x,
        x,
        6,
        2,
        project_in,
        None,
        None,
        None,
        add_zero_attn=False,
        dropout_p=0.0,
        out_proj_weight=project_out,
        out_proj_bias=None,
    )


def statistics(x: Tensor) -> Tensor:
    """Batch normalization whose statistics nobody keeps."""
    return F.batch_norm(x, None, None, training=True)


CASES = (
    of("scaled_dot_product_attention", attention(), QUERY, QUERY, QUERY),
    of("scaled_dot_product_attention-causal", attention(is_causal=True), QUERY, QUERY, QUERY),
    of("scaled_dot_product_attention-floatmask", attention(), QUERY, QUERY, QUERY, floats(4, 4)),
    of("scaled_dot_product_attention-boolmask", attention(), QUERY, QUERY, QUERY, CAUSAL),
    of("scaled_dot_product_attention-samplemasks", masked, QUERY, QUERY, QUERY, booleans(SAMPLES, 1, 4, 4)),
    of("scaled_dot_product_attention-dropout", attention(dropout_p=0.5), QUERY, QUERY, QUERY),
    of("scaled_dot_product_attention-flat", attention(), *(floats(SAMPLES, 4, 3),) * 3),
    *since("2.1", of("scaled_dot_product_attention-scale", attention(scale=0.3), QUERY, QUERY, QUERY)),
    *since(
        "2.5",
        of(
            "scaled_dot_product_attention-grouped",
            attention(enable_gqa=True),
            floats(SAMPLES, 4, 2, 3),
            floats(SAMPLES, 2, 4, 3),
            floats(SAMPLES, 2, 4, 3),
        ),
    ),
    of("multi_head_attention_forward", many_heads, floats(4, SAMPLES, 6), floats(18, 6), floats(6, 6)),
    *(
        of(
            f"grid_sample-{mode}-{border}",
            partial(F.grid_sample, mode=mode, padding_mode=border, align_corners=aligned),
            IMAGE,
            GRID,
        )
        for mode, border, aligned in (
            ("bilinear", "zeros", False),
            ("bilinear", "border", True),
            ("bilinear", "reflection", False),
            ("nearest", "zeros", True),
            ("bicubic", "border", False),
        )
    ),
    of("grid_sample-volume", partial(F.grid_sample, align_corners=False), VOLUME, floats(SAMPLES, 3, 2, 5, 3)),
    of("affine_grid", lambda x: F.affine_grid(x, [len(x), 2, 4, 6], align_corners=False), floats(SAMPLES, 2, 3)),
    of("affine_grid-aligned", lambda x: F.affine_grid(x, [len(x), 2, 4, 6], align_corners=True), floats(SAMPLES, 2, 3)),
    of("interpolate-area", partial(F.interpolate, size=(3, 5), mode="area"), IMAGE),
    of("interpolate-bilinear-antialias", partial(F.interpolate, size=(3, 5), mode="bilinear", antialias=True), IMAGE),
    of("interpolate-bicubic-antialias", partial(F.interpolate, size=(3, 5), mode="bicubic", antialias=True), IMAGE),
    of("gumbel_softmax", F.gumbel_softmax, ROWS),
    of("gumbel_softmax-hard", partial(F.gumbel_softmax, hard=True, tau=0.5), ROWS),
    of("one_hot", lambda x, labels: F.one_hot(labels, 11) * x, floats(SAMPLES, 1), integers(11, SAMPLES)),
    of("one_hot-counted", lambda x, labels: F.one_hot(labels).sum(1) * x, floats(SAMPLES), integers(11, SAMPLES)),
    of("normalize", F.normalize, ROWS),
    of("normalize-p-dim", partial(F.normalize, p=1.0, dim=2), floats(SAMPLES, 3, 2)),
    of("pad-constant", partial(F.pad, pad=SIDES, value=0.5), IMAGE),
    of("pad-negative", partial(F.pad, pad=(-1, 2)), IMAGE),
    *(of(f"pad-{mode}", partial(F.pad, pad=SIDES, mode=mode), IMAGE) for mode in ("reflect", "replicate", "circular")),
    of("embedding", looked_up, floats(11, 3), TOKENS),
    of("embedding-byfrequency", partial(looked_up, scale_grad_by_freq=True), floats(11, 3), TOKENS),
    of("linear", F.linear, ROWS, floats(2, 3), floats(2)),
    of("bilinear", F.bilinear, ROWS, floats(SAMPLES, 2), floats(11, 3, 2)),
    of("conv2d", F.conv2d, IMAGE, floats(3, 2, 3, 3)),
    of("conv_transpose2d", F.conv_transpose2d, IMAGE, floats(2, 3, 3, 3)),
    of("conv_tbc", F.conv_tbc, floats(4, SAMPLES, 3), floats(2, 3, 11), floats(11)),
    of("pdist", F.pdist, ROWS),
    of("cosine_similarity-across", lambda x, y: F.cosine_similarity(x[:, None], y[None], dim=-1), ROWS, ROWS),
    of("pairwise_distance-across", lambda x, y: F.pairwise_distance(x[:, None], y[None]), ROWS, ROWS),
    of("logsigmoid", F.logsigmoid, ROWS),
    of("layer_norm", partial(F.layer_norm, normalized_shape=(3,)), ROWS),
    of("batch_norm-nostatistics", statistics, IMAGE),
    # Everybody forgets that these drop in eval mode, too.
    of("dropout", F.dropout, ROWS),
    *where(F, "native_channel_shuffle", lambda f: (of("native_channel_shuffle", partial(f, groups=2), IMAGE),)),
)

"""Cases of functions of torch.nn.functional that no module calls, or that are often called directly."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from conformance.cases.inputs import booleans, fixed, floats, integers
from conformance.cases.modules.case import SAMPLES, function_case, if_available, if_torch_at_least

ROWS = floats(SAMPLES, 3)
IMAGE = floats(SAMPLES, 2, 4, 6)
VOLUME = floats(SAMPLES, 2, 4, 3, 6)
TOKENS = integers(11, SAMPLES, 4)
QUERY = floats(SAMPLES, 2, 4, 3)
GRID = floats(SAMPLES, 3, 5, 2)
CAUSAL = fixed(torch.ones(4, 4).tril().bool())
# Each side has a different padding.
SIDES = (1, 2, 3, 0)


def attention_with(**options: Any) -> Callable[..., Tensor]:
    """Return scaled dot-product attention with these options."""

    def attend(*inputs: Any) -> Tensor:
        return F.scaled_dot_product_attention(*inputs, **options)

    return attend


def attend_with_masks(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """Return attention with a mask for each sample; the first key is never masked."""
    return F.scaled_dot_product_attention(q, k, v, mask | torch.arange(4, device=mask.device).eq(0))


def look_up(table: Tensor, tokens: Tensor, **options: Any) -> Tensor:
    """Return F.embedding with the table, which is differentiable, as the first argument."""
    return F.embedding(tokens, table, **options)


def attend_with_two_heads(x: Tensor, project_in: Tensor, project_out: Tensor) -> tuple[Tensor, Tensor | None]:
    """Return the self-attention of `x`, (time, samples, 6), with two heads."""
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


def normalize_batch(x: Tensor) -> Tensor:
    """Return batch normalization without running statistics."""
    return F.batch_norm(x, None, None, training=True)


CASES = (
    function_case("scaled_dot_product_attention", attention_with(), QUERY, QUERY, QUERY),
    function_case("scaled_dot_product_attention-causal", attention_with(is_causal=True), QUERY, QUERY, QUERY),
    function_case("scaled_dot_product_attention-floatmask", attention_with(), QUERY, QUERY, QUERY, floats(4, 4)),
    function_case("scaled_dot_product_attention-boolmask", attention_with(), QUERY, QUERY, QUERY, CAUSAL),
    function_case(
        "scaled_dot_product_attention-samplemasks", attend_with_masks, QUERY, QUERY, QUERY, booleans(SAMPLES, 1, 4, 4)
    ),
    function_case("scaled_dot_product_attention-dropout", attention_with(dropout_p=0.5), QUERY, QUERY, QUERY),
    function_case("scaled_dot_product_attention-flat", attention_with(), *(floats(SAMPLES, 4, 3),) * 3),
    *if_torch_at_least(
        "2.1", function_case("scaled_dot_product_attention-scale", attention_with(scale=0.3), QUERY, QUERY, QUERY)
    ),
    *if_torch_at_least(
        "2.5",
        function_case(
            "scaled_dot_product_attention-grouped",
            attention_with(enable_gqa=True),
            floats(SAMPLES, 4, 2, 3),
            floats(SAMPLES, 2, 4, 3),
            floats(SAMPLES, 2, 4, 3),
        ),
    ),
    function_case(
        "multi_head_attention_forward", attend_with_two_heads, floats(4, SAMPLES, 6), floats(18, 6), floats(6, 6)
    ),
    *(
        function_case(
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
    function_case(
        "grid_sample-volume", partial(F.grid_sample, align_corners=False), VOLUME, floats(SAMPLES, 3, 2, 5, 3)
    ),
    function_case(
        "affine_grid", lambda x: F.affine_grid(x, [len(x), 2, 4, 6], align_corners=False), floats(SAMPLES, 2, 3)
    ),
    function_case(
        "affine_grid-aligned", lambda x: F.affine_grid(x, [len(x), 2, 4, 6], align_corners=True), floats(SAMPLES, 2, 3)
    ),
    function_case("interpolate-area", partial(F.interpolate, size=(3, 5), mode="area"), IMAGE),
    function_case(
        "interpolate-bilinear-antialias", partial(F.interpolate, size=(3, 5), mode="bilinear", antialias=True), IMAGE
    ),
    function_case(
        "interpolate-bicubic-antialias", partial(F.interpolate, size=(3, 5), mode="bicubic", antialias=True), IMAGE
    ),
    function_case("gumbel_softmax", F.gumbel_softmax, ROWS),
    function_case("gumbel_softmax-hard", partial(F.gumbel_softmax, hard=True, tau=0.5), ROWS),
    function_case("one_hot", lambda x, labels: F.one_hot(labels, 11) * x, floats(SAMPLES, 1), integers(11, SAMPLES)),
    function_case(
        "one_hot-counted", lambda x, labels: F.one_hot(labels).sum(1) * x, floats(SAMPLES), integers(11, SAMPLES)
    ),
    function_case("normalize", F.normalize, ROWS),
    function_case("normalize-p-dim", partial(F.normalize, p=1.0, dim=2), floats(SAMPLES, 3, 2)),
    function_case("pad-constant", partial(F.pad, pad=SIDES, value=0.5), IMAGE),
    function_case("pad-negative", partial(F.pad, pad=(-1, 2)), IMAGE),
    *(
        function_case(f"pad-{mode}", partial(F.pad, pad=SIDES, mode=mode), IMAGE)
        for mode in ("reflect", "replicate", "circular")
    ),
    function_case("embedding", look_up, floats(11, 3), TOKENS),
    function_case("embedding-byfrequency", partial(look_up, scale_grad_by_freq=True), floats(11, 3), TOKENS),
    function_case("linear", F.linear, ROWS, floats(2, 3), floats(2)),
    function_case("bilinear", F.bilinear, ROWS, floats(SAMPLES, 2), floats(11, 3, 2)),
    function_case("conv2d", F.conv2d, IMAGE, floats(3, 2, 3, 3)),
    function_case("conv_transpose2d", F.conv_transpose2d, IMAGE, floats(2, 3, 3, 3)),
    function_case("conv_tbc", F.conv_tbc, floats(4, SAMPLES, 3), floats(2, 3, 11), floats(11)),
    function_case("pdist", F.pdist, ROWS),
    function_case(
        "cosine_similarity-across", lambda x, y: F.cosine_similarity(x[:, None], y[None], dim=-1), ROWS, ROWS
    ),
    function_case("pairwise_distance-across", lambda x, y: F.pairwise_distance(x[:, None], y[None]), ROWS, ROWS),
    function_case("logsigmoid", F.logsigmoid, ROWS),
    function_case("layer_norm", partial(F.layer_norm, normalized_shape=(3,)), ROWS),
    function_case("batch_norm-nostatistics", normalize_batch, IMAGE),
    # By default F.dropout drops in eval mode too.
    function_case("dropout", F.dropout, ROWS),
    *if_available(
        F, "native_channel_shuffle", lambda f: (function_case("native_channel_shuffle", partial(f, groups=2), IMAGE),)
    ),
)

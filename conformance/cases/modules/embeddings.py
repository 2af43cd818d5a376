"""Cases of embeddings."""

from functools import partial
from typing import Any

import torch
from torch import nn

from conformance.cases.inputs import fixed, floats, integers
from conformance.cases.modules.case import SAMPLES, ModuleCase, WithKeywords

WORDS = 11
TOKENS = (integers(WORDS, SAMPLES, 4),)
FLAT_TOKENS = integers(WORDS, 13)
# The third bag is empty.
OFFSETS = fixed(torch.tensor([0, 2, 5, 5, 6, 8, 11]))
ENDS = fixed(torch.tensor([0, 2, 5, 5, 6, 8, 11, 13]))
WEIGHTS = floats(SAMPLES, 4)


def bag_with_sample_weights(**options: Any) -> nn.Module:
    """Return an EmbeddingBag that takes `per_sample_weights` as its last argument."""
    return WithKeywords(nn.EmbeddingBag(WORDS, 3, mode="sum", **options), "per_sample_weights")


def pretrained(cls: Any) -> nn.Module:
    """Return an embedding with frozen random weights."""
    return cls.from_pretrained(torch.randn(WORDS, 3))


CASES = (
    ModuleCase("Embedding", partial(nn.Embedding, WORDS, 3), TOKENS),
    ModuleCase("Embedding-paddingidx", partial(nn.Embedding, WORDS, 3, padding_idx=2), TOKENS),
    ModuleCase("Embedding-maxnorm", partial(nn.Embedding, WORDS, 3, max_norm=0.5), TOKENS),
    ModuleCase("Embedding-normtype", partial(nn.Embedding, WORDS, 3, max_norm=0.5, norm_type=1.0), TOKENS),
    ModuleCase("Embedding-byfrequency", partial(nn.Embedding, WORDS, 3, scale_grad_by_freq=True), TOKENS),
    ModuleCase("Embedding-sparse", partial(nn.Embedding, WORDS, 3, sparse=True), TOKENS),
    ModuleCase("Embedding-frozen", partial(pretrained, nn.Embedding), TOKENS),
    *(
        ModuleCase(f"EmbeddingBag-{mode}", partial(nn.EmbeddingBag, WORDS, 3, mode=mode), TOKENS)
        for mode in ("sum", "mean", "max")
    ),
    *(
        ModuleCase(
            f"EmbeddingBag-{mode}-offsets", partial(nn.EmbeddingBag, WORDS, 3, mode=mode), (FLAT_TOKENS, OFFSETS)
        )
        for mode in ("sum", "mean", "max")
    ),
    *(
        ModuleCase(
            f"EmbeddingBag-{mode}-paddingidx", partial(nn.EmbeddingBag, WORDS, 3, mode=mode, padding_idx=2), TOKENS
        )
        for mode in ("sum", "mean", "max")
    ),
    ModuleCase(
        "EmbeddingBag-lastoffset", partial(nn.EmbeddingBag, WORDS, 3, include_last_offset=True), (FLAT_TOKENS, ENDS)
    ),
    ModuleCase("EmbeddingBag-maxnorm", partial(nn.EmbeddingBag, WORDS, 3, max_norm=0.5), TOKENS),
    ModuleCase("EmbeddingBag-normtype", partial(nn.EmbeddingBag, WORDS, 3, max_norm=0.5, norm_type=1.0), TOKENS),
    ModuleCase("EmbeddingBag-byfrequency", partial(nn.EmbeddingBag, WORDS, 3, scale_grad_by_freq=True), TOKENS),
    ModuleCase("EmbeddingBag-sparse", partial(nn.EmbeddingBag, WORDS, 3, mode="sum", sparse=True), TOKENS),
    ModuleCase("EmbeddingBag-weights", bag_with_sample_weights, (*TOKENS, WEIGHTS)),
    ModuleCase("EmbeddingBag-weights-paddingidx", partial(bag_with_sample_weights, padding_idx=2), (*TOKENS, WEIGHTS)),
    ModuleCase("EmbeddingBag-frozen", partial(pretrained, nn.EmbeddingBag), TOKENS),
)

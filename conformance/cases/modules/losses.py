"""Losses in each reduction, and with each option that changes what they measure."""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from conformance.cases.inputs import distributions, fixed, floats, integers, log_distributions, positives, signs
from conformance.cases.modules.case import SAMPLES, ModuleCase, where

FLOATS = floats(SAMPLES, 3)
POSITIVES = positives(SAMPLES, 3)
SIGNS = signs(SAMPLES)
CLASSES = integers(3, SAMPLES)
# The first -1 ends a sample's list of labels.
LABELS = integers(3, SAMPLES, 3, low=-1)
WEIGHTS = (0.2, 0.7, 1.5)
# Time, sample, letter: the last letter is the blank, if not the first.
SPEECH = log_distributions(6, SAMPLES, 4)
HEARD = fixed(torch.tensor([6, 6, 5, 4, 6, 5, 6]))
SPOKEN = fixed(torch.tensor([2, 1, 2, 1, 0, 2, 1]))

LOSSES: Mapping[type[nn.Module], tuple[Any, ...]] = MappingProxyType(
    {
        nn.BCELoss: (POSITIVES, POSITIVES),
        nn.BCEWithLogitsLoss: (FLOATS, POSITIVES),
        nn.CosineEmbeddingLoss: (FLOATS, FLOATS, SIGNS),
        nn.CrossEntropyLoss: (FLOATS, CLASSES),
        nn.CTCLoss: (SPEECH, integers(4, SAMPLES, 2, low=1), HEARD, SPOKEN),
        nn.GaussianNLLLoss: (FLOATS, FLOATS, POSITIVES),
        nn.HingeEmbeddingLoss: (FLOATS, signs(SAMPLES, 3)),
        nn.HuberLoss: (FLOATS, FLOATS),
        nn.KLDivLoss: (log_distributions(SAMPLES, 3), distributions(SAMPLES, 3)),
        nn.L1Loss: (FLOATS, FLOATS),
        nn.MSELoss: (FLOATS, FLOATS),
        nn.MarginRankingLoss: (floats(SAMPLES), floats(SAMPLES), SIGNS),
        nn.MultiLabelMarginLoss: (FLOATS, LABELS),
        nn.MultiLabelSoftMarginLoss: (FLOATS, POSITIVES),
        nn.MultiMarginLoss: (FLOATS, CLASSES),
        nn.NLLLoss: (log_distributions(SAMPLES, 3), CLASSES),
        nn.PoissonNLLLoss: (FLOATS, POSITIVES),
        nn.SmoothL1Loss: (FLOATS, FLOATS),
        nn.SoftMarginLoss: (FLOATS, signs(SAMPLES, 3)),
        nn.TripletMarginLoss: (FLOATS, FLOATS, FLOATS),
        nn.TripletMarginWithDistanceLoss: (FLOATS, FLOATS, FLOATS),
    }
)
# The sums of the others are among the cases of their options.
WITHOUT_OPTIONS = (nn.L1Loss, nn.MSELoss, nn.MultiLabelMarginLoss, nn.SoftMarginLoss)


def of(loss: type[nn.Module], name: str, *inputs: Any, **options: Any) -> ModuleCase:
    """A case with these options, and the loss's usual inputs unless there are others."""
    return ModuleCase(f"{loss.__name__}-{name}", partial(loss, **options), inputs or LOSSES[loss])


def weighted(loss: Callable[..., nn.Module], *names: str, **options: Any) -> nn.Module:
    """Each member has its own tensor of weights, which is a buffer of the loss."""
    return loss(**{name: torch.tensor(WEIGHTS) for name in names}, **options)


CASES = (
    *(
        of(loss, reduction, *inputs, reduction=reduction)
        for loss, inputs in LOSSES.items()
        for reduction in ("mean", "none")
    ),
    *(of(loss, "sum", reduction="sum") for loss in WITHOUT_OPTIONS),
    *(
        ModuleCase(f"{loss.__name__}-weight-sum", partial(weighted, loss, "weight", reduction="sum"), LOSSES[loss])
        for loss in (
            nn.BCELoss,
            nn.BCEWithLogitsLoss,
            nn.CrossEntropyLoss,
            nn.MultiLabelSoftMarginLoss,
            nn.MultiMarginLoss,
            nn.NLLLoss,
        )
    ),
    ModuleCase(
        "BCEWithLogitsLoss-posweight",
        partial(weighted, nn.BCEWithLogitsLoss, "pos_weight"),
        LOSSES[nn.BCEWithLogitsLoss],
    ),
    of(nn.CosineEmbeddingLoss, "margin-sum", margin=0.3, reduction="sum"),
    of(nn.CrossEntropyLoss, "ignore-sum", ignore_index=2, reduction="sum"),
    of(nn.CrossEntropyLoss, "smoothing", label_smoothing=0.3),
    of(nn.CrossEntropyLoss, "probabilities", FLOATS, distributions(SAMPLES, 3)),
    of(nn.CrossEntropyLoss, "pixels", floats(SAMPLES, 3, 2, 5), integers(3, SAMPLES, 2, 5)),
    ModuleCase(
        "CrossEntropyLoss-weight-ignore-smoothing",
        partial(weighted, nn.CrossEntropyLoss, "weight", ignore_index=2, label_smoothing=0.3),
        LOSSES[nn.CrossEntropyLoss],
    ),
    of(nn.CTCLoss, "blank-sum", SPEECH, integers(3, SAMPLES, 2), HEARD, SPOKEN, blank=3, reduction="sum"),
    of(nn.CTCLoss, "joined", SPEECH, integers(4, 9, low=1), HEARD, SPOKEN),
    of(nn.CTCLoss, "tuples", SPEECH, integers(4, SAMPLES, 2, low=1), (6, 6, 5, 4, 6, 5, 6), (2, 1, 2, 1, 0, 2, 1)),
    # One moment is too short for two letters.
    of(
        nn.CTCLoss,
        "zeroinfinity",
        SPEECH,
        integers(4, SAMPLES, 2, low=1),
        fixed(torch.tensor([1, 6, 5, 4, 6, 5, 6])),
        SPOKEN,
        zero_infinity=True,
    ),
    of(nn.GaussianNLLLoss, "full-sum", full=True, reduction="sum"),
    of(nn.GaussianNLLLoss, "eps", eps=0.5),
    of(nn.GaussianNLLLoss, "onevariance", FLOATS, FLOATS, positives(SAMPLES, 1)),
    of(nn.HingeEmbeddingLoss, "margin-sum", margin=0.3, reduction="sum"),
    of(nn.HuberLoss, "delta-sum", delta=0.3, reduction="sum"),
    of(nn.KLDivLoss, "batchmean", reduction="batchmean"),
    of(
        nn.KLDivLoss,
        "logtarget-sum",
        log_distributions(SAMPLES, 3),
        log_distributions(SAMPLES, 3),
        log_target=True,
        reduction="sum",
    ),
    of(nn.MarginRankingLoss, "margin-sum", margin=0.3, reduction="sum"),
    of(nn.MultiMarginLoss, "p", p=2),
    of(nn.MultiMarginLoss, "margin", margin=0.3),
    of(nn.NLLLoss, "ignore", ignore_index=2),
    *where(
        nn,
        "NLLLoss2d",
        lambda loss: (ModuleCase("NLLLoss2d", loss, (floats(SAMPLES, 3, 2, 5), integers(3, SAMPLES, 2, 5))),),
    ),
    of(nn.PoissonNLLLoss, "rate", POSITIVES, POSITIVES, log_input=False, eps=0.1),
    of(nn.PoissonNLLLoss, "full-sum", FLOATS, integers(5, SAMPLES, 3), full=True, reduction="sum"),
    of(nn.SmoothL1Loss, "beta-sum", beta=0.3, reduction="sum"),
    of(nn.TripletMarginLoss, "margin-sum", margin=0.3, reduction="sum"),
    of(nn.TripletMarginLoss, "p", p=1.0, eps=0.1),
    of(nn.TripletMarginLoss, "swap", swap=True),
    of(
        nn.TripletMarginWithDistanceLoss,
        "distance-sum",
        distance_function=F.cosine_similarity,
        margin=0.3,
        swap=True,
        reduction="sum",
    ),
    ModuleCase(
        "AdaptiveLogSoftmaxWithLoss",
        partial(nn.AdaptiveLogSoftmaxWithLoss, 16, 13, [3, 6]),
        (floats(SAMPLES, 16), integers(13, SAMPLES)),
    ),
    ModuleCase(
        "AdaptiveLogSoftmaxWithLoss-headbias",
        partial(nn.AdaptiveLogSoftmaxWithLoss, 8, 13, [3], div_value=2.0, head_bias=True),
        (floats(SAMPLES, 8), integers(13, SAMPLES)),
    ),
    *where(
        nn,
        "LinearCrossEntropyLoss",
        lambda loss: (
            ModuleCase("LinearCrossEntropyLoss", partial(loss, 2, 3), (floats(SAMPLES, 2), CLASSES)),
            ModuleCase("LinearCrossEntropyLoss-bias", partial(loss, 2, 3, bias=True), (floats(SAMPLES, 2), CLASSES)),
            *(
                ModuleCase(
                    f"LinearCrossEntropyLoss-{reduction}",
                    partial(loss, 2, 3, reduction=reduction),
                    (floats(SAMPLES, 2), CLASSES),
                )
                for reduction in ("sum", "none")
            ),
            ModuleCase(
                "LinearCrossEntropyLoss-weight",
                partial(weighted, partial(loss, 2, 3), "weight", ignore_index=2, label_smoothing=0.3),
                (floats(SAMPLES, 2), CLASSES),
            ),
            ModuleCase(
                "LinearCrossEntropyLoss-dimensions",
                partial(loss, 2, 3, out_features=(5,)),
                (floats(SAMPLES, 2), integers(3, SAMPLES, 5)),
            ),
            ModuleCase(
                "LinearCrossEntropyLoss-chunks",
                lambda: loss(2, 11, options=nn.LinearCrossEntropyOptions(batch_chunk_size=3)),
                (floats(SAMPLES, 2), integers(11, SAMPLES)),
            ),
        ),
    ),
)

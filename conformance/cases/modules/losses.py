"""Cases of losses with each reduction, and with each option that changes their value."""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from conformance.cases.inputs import distributions, fixed, floats, integers, log_distributions, positives, signs
from conformance.cases.modules.case import SAMPLES, ModuleCase, if_available

FLOATS = floats(SAMPLES, 3)
POSITIVES = positives(SAMPLES, 3)
SIGNS = signs(SAMPLES)
CLASSES = integers(3, SAMPLES)
# -1 ends a sample's list of labels.
LABELS = integers(3, SAMPLES, 3, low=-1)
WEIGHTS = (0.2, 0.7, 1.5)
# (time, samples, letters); the blank is the first letter, or the last with blank=3.
LOG_PROBABILITIES = log_distributions(6, SAMPLES, 4)
INPUT_LENGTHS = fixed(torch.tensor([6, 6, 5, 4, 6, 5, 6]))
TARGET_LENGTHS = fixed(torch.tensor([2, 1, 2, 1, 0, 2, 1]))

LOSSES: Mapping[type[nn.Module], tuple[Any, ...]] = MappingProxyType(
    {
        nn.BCELoss: (POSITIVES, POSITIVES),
        nn.BCEWithLogitsLoss: (FLOATS, POSITIVES),
        nn.CosineEmbeddingLoss: (FLOATS, FLOATS, SIGNS),
        nn.CrossEntropyLoss: (FLOATS, CLASSES),
        nn.CTCLoss: (LOG_PROBABILITIES, integers(4, SAMPLES, 2, low=1), INPUT_LENGTHS, TARGET_LENGTHS),
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
# The other losses have their sum among the cases of their options.
WITHOUT_OPTIONS = (nn.L1Loss, nn.MSELoss, nn.MultiLabelMarginLoss, nn.SoftMarginLoss)


def loss_case(loss: type[nn.Module], name: str, *inputs: Any, **options: Any) -> ModuleCase:
    """Return a case of the loss with these options; the default inputs are those of `LOSSES`."""
    return ModuleCase(f"{loss.__name__}-{name}", partial(loss, **options), inputs or LOSSES[loss])


def with_weights(loss: Callable[..., nn.Module], *names: str, **options: Any) -> nn.Module:
    """Return the loss with its own tensors of weights, which are buffers."""
    return loss(**{name: torch.tensor(WEIGHTS) for name in names}, **options)


CASES = (
    *(
        loss_case(loss, reduction, *inputs, reduction=reduction)
        for loss, inputs in LOSSES.items()
        for reduction in ("mean", "none")
    ),
    *(loss_case(loss, "sum", reduction="sum") for loss in WITHOUT_OPTIONS),
    *(
        ModuleCase(f"{loss.__name__}-weight-sum", partial(with_weights, loss, "weight", reduction="sum"), LOSSES[loss])
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
        partial(with_weights, nn.BCEWithLogitsLoss, "pos_weight"),
        LOSSES[nn.BCEWithLogitsLoss],
    ),
    loss_case(nn.CosineEmbeddingLoss, "margin-sum", margin=0.3, reduction="sum"),
    loss_case(nn.CrossEntropyLoss, "ignore-sum", ignore_index=2, reduction="sum"),
    loss_case(nn.CrossEntropyLoss, "smoothing", label_smoothing=0.3),
    loss_case(nn.CrossEntropyLoss, "probabilities", FLOATS, distributions(SAMPLES, 3)),
    loss_case(nn.CrossEntropyLoss, "pixels", floats(SAMPLES, 3, 2, 5), integers(3, SAMPLES, 2, 5)),
    ModuleCase(
        "CrossEntropyLoss-weight-ignore-smoothing",
        partial(with_weights, nn.CrossEntropyLoss, "weight", ignore_index=2, label_smoothing=0.3),
        LOSSES[nn.CrossEntropyLoss],
    ),
    loss_case(
        nn.CTCLoss,
        "blank-sum",
        LOG_PROBABILITIES,
        integers(3, SAMPLES, 2),
        INPUT_LENGTHS,
        TARGET_LENGTHS,
        blank=3,
        reduction="sum",
    ),
    loss_case(nn.CTCLoss, "joined", LOG_PROBABILITIES, integers(4, 9, low=1), INPUT_LENGTHS, TARGET_LENGTHS),
    loss_case(
        nn.CTCLoss,
        "tuples",
        LOG_PROBABILITIES,
        integers(4, SAMPLES, 2, low=1),
        (6, 6, 5, 4, 6, 5, 6),
        (2, 1, 2, 1, 0, 2, 1),
    ),
    # The first sample has an infinite loss: one time step is too short for two letters.
    loss_case(
        nn.CTCLoss,
        "zeroinfinity",
        LOG_PROBABILITIES,
        integers(4, SAMPLES, 2, low=1),
        fixed(torch.tensor([1, 6, 5, 4, 6, 5, 6])),
        TARGET_LENGTHS,
        zero_infinity=True,
    ),
    loss_case(nn.GaussianNLLLoss, "full-sum", full=True, reduction="sum"),
    loss_case(nn.GaussianNLLLoss, "eps", eps=0.5),
    loss_case(nn.GaussianNLLLoss, "onevariance", FLOATS, FLOATS, positives(SAMPLES, 1)),
    loss_case(nn.HingeEmbeddingLoss, "margin-sum", margin=0.3, reduction="sum"),
    loss_case(nn.HuberLoss, "delta-sum", delta=0.3, reduction="sum"),
    loss_case(nn.KLDivLoss, "batchmean", reduction="batchmean"),
    loss_case(
        nn.KLDivLoss,
        "logtarget-sum",
        log_distributions(SAMPLES, 3),
        log_distributions(SAMPLES, 3),
        log_target=True,
        reduction="sum",
    ),
    loss_case(nn.MarginRankingLoss, "margin-sum", margin=0.3, reduction="sum"),
    loss_case(nn.MultiMarginLoss, "p", p=2),
    loss_case(nn.MultiMarginLoss, "margin", margin=0.3),
    loss_case(nn.NLLLoss, "ignore", ignore_index=2),
    *if_available(
        nn,
        "NLLLoss2d",
        lambda loss: (ModuleCase("NLLLoss2d", loss, (floats(SAMPLES, 3, 2, 5), integers(3, SAMPLES, 2, 5))),),
    ),
    loss_case(nn.PoissonNLLLoss, "rate", POSITIVES, POSITIVES, log_input=False, eps=0.1),
    loss_case(nn.PoissonNLLLoss, "full-sum", FLOATS, integers(5, SAMPLES, 3), full=True, reduction="sum"),
    loss_case(nn.SmoothL1Loss, "beta-sum", beta=0.3, reduction="sum"),
    loss_case(nn.TripletMarginLoss, "margin-sum", margin=0.3, reduction="sum"),
    loss_case(nn.TripletMarginLoss, "p", p=1.0, eps=0.1),
    loss_case(nn.TripletMarginLoss, "swap", swap=True),
    loss_case(
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
    *if_available(
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
                partial(with_weights, partial(loss, 2, 3), "weight", ignore_index=2, label_smoothing=0.3),
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

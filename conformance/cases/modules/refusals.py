"""Accepted refusals of ensembles of modules, and checks that would crash the plain module.

A refusal that is not listed here is a failure.
"""

from collections.abc import Sequence
from fnmatch import fnmatchcase

# The reason, the names of the checks, and patterns of the names of cases.
Rows = Sequence[tuple[str, Sequence[str], Sequence[str]]]

FORWARD = ("own_minibatch", "shared_minibatch", "restored", "modes", "meta_base")
BACKWARD = ("backward", "order", "single", "isolation")
TRANSFORMS = ("grad", "forward_mode", "per_sample")
STATE = ("buffers", "randomness")
ALL = (*FORWARD, *BACKWARD, *TRANSFORMS, *STATE)

CRASHES: Rows = (
    (
        "the plain module's backward crashes the process if the grid has NaN",
        ("isolation",),
        ("grid_sample-bilinear-border", "grid_sample-bilinear-reflection"),
    ),
    ("the plain module reads beyond its input, which may crash the process", ("out_of_range",), ("CTCLoss*",)),
)

REFUSED: Rows = (
    ("rrelu has no batching rule", ALL, ("RReLU*",)),
    ("it reads the values of its variances", (*FORWARD, *BACKWARD, "grad", "forward_mode"), ("GaussianNLLLoss*",)),
    (
        "a recurrent layer is a single operation without a batching rule, unless it is differentiated inside vmap",
        (*FORWARD, *BACKWARD, "randomness"),
        ("RNN", "RNN-*", "LSTM", "LSTM-*", "GRU", "GRU-*", "LSTMCell*"),
    ),
    (
        "in eval mode attention takes a fast path that can't be differentiated",
        BACKWARD,
        ("MultiheadAttention-*eval", "Transformer*-eval"),
    ),
    (
        "fused attention has no gradient with respect to its mask",
        BACKWARD,
        ("scaled_dot_product_attention-floatmask", "*-masks"),
    ),
    (
        "it reads the values of a mask to find out if it is causal",
        (*FORWARD, *BACKWARD, "grad", "per_sample"),
        ("Transformer*-masks",),
    ),
    ("nested tensors have no batching rule", ALL, ("TransformerEncoder-nested-eval",)),
    (
        "parametrization gives each module its own class, while members must have the same class",
        ALL,
        ("weight_norm*", "spectral_norm*", "orthogonal-*", "parametrize-*"),
    ),
    (
        "the shape of the output depends on values",
        ALL,
        ("one_hot-counted", "index_put", "masked_select", "AdaptiveLogSoftmaxWithLoss*"),
    ),
    ("inside a transform one_hot reads its largest value", TRANSFORMS, ("one_hot",)),
    (
        "vmap does not support sparse gradients",
        (*BACKWARD, "grad", "per_sample"),
        ("Embedding-sparse", "EmbeddingBag-sparse"),
    ),
    (
        "the cumulative average reads the number of batches",
        (*FORWARD, *BACKWARD, "per_sample", "buffers"),
        ("BatchNorm2d-cumulative",),
    ),
    ("its autograd function has no batching rule", (*FORWARD, *BACKWARD), ("CrossMapLRN2d",)),
    (
        "each sample would write to the statistics that all samples share",
        ("per_sample",),
        ("*BatchNorm*", "*InstanceNorm*"),
    ),
    ("each sample would renormalize the weights that all samples share", ("per_sample",), ("*-maxnorm", "*-normtype")),
    ("it does not support torch.func", ("per_sample",), ("conv_tbc", "LinearCrossEntropyLoss-chunks")),
)


def crash_reason(check: str, case: str) -> str | None:
    """Return the reason why a check of a case would crash the process, or None if it is safe."""
    return _find_reason(CRASHES, check, case)


def refusal_reason(check: str, case: str) -> str | None:
    """Return the reason why a refusal of a check of a case is accepted, or None if it is a failure."""
    return _find_reason(REFUSED, check, case)


def _find_reason(rows: Rows, check: str, case: str) -> str | None:
    found = (why for why, checks, cases in rows if check in checks and any(fnmatchcase(case, each) for each in cases))
    return next(found, None)

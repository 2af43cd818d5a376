"""What an ensemble of a module may refuse, since torch can't do it, and what can't be asked at all.

Everything else has to be answered: a refusal that is not here is a failure.
"""

from collections.abc import Sequence
from fnmatch import fnmatchcase

# Why, which checks, and which cases, as patterns.
Rows = Sequence[tuple[str, Sequence[str], Sequence[str]]]

FORWARD = ("own_minibatch", "shared_minibatch", "restored", "modes", "meta_base")
BACKWARD = ("backward", "order", "single", "isolation")
TRANSFORMS = ("grad", "forward_mode", "per_sample")
STATE = ("buffers", "randomness")
ALL = (*FORWARD, *BACKWARD, *TRANSFORMS, *STATE)

CRASHES: Rows = (
    (
        "the plain backward ends the process when the grid holds NaN",
        ("isolation",),
        ("grid_sample-bilinear-border", "grid_sample-bilinear-reflection"),
    ),
    ("the plain module reads what lies behind its input, and may end the process", ("out_of_range",), ("CTCLoss*",)),
)

REFUSED: Rows = (
    ("rrelu has no batching rule", ALL, ("RReLU*",)),
    ("it looks at its variances", (*FORWARD, *BACKWARD, "grad", "forward_mode"), ("GaussianNLLLoss*",)),
    (
        "a recurrent layer is one operation without a batching rule, unless it is differentiated inside vmap",
        (*FORWARD, *BACKWARD, "randomness"),
        ("RNN", "RNN-*", "LSTM", "LSTM-*", "GRU", "GRU-*", "LSTMCell*"),
    ),
    (
        "in eval mode attention takes a fast path without a derivative, though gradients are wanted",
        BACKWARD,
        ("MultiheadAttention-*eval", "Transformer*-eval"),
    ),
    ("fused attention has no gradient in its mask", BACKWARD, ("scaled_dot_product_attention-floatmask", "*-masks")),
    (
        "whether a mask is causal it finds by looking at its values",
        (*FORWARD, *BACKWARD, "grad", "per_sample"),
        ("Transformer*-masks",),
    ),
    ("samples of several lengths are nested, and have no batching rule", ALL, ("TransformerEncoder-nested-eval",)),
    (
        "every parametrized module is of a class of its own, and the members' have to be the same",
        ALL,
        ("weight_norm*", "spectral_norm*", "orthogonal-*", "parametrize-*"),
    ),
    (
        "the size of what comes out depends on values",
        ALL,
        ("one_hot-counted", "index_put", "masked_select", "AdaptiveLogSoftmaxWithLoss*"),
    ),
    ("one_hot asks for its largest number inside of a transform", TRANSFORMS, ("one_hot",)),
    ("vmap has no sparse gradients", (*BACKWARD, "grad", "per_sample"), ("Embedding-sparse", "EmbeddingBag-sparse")),
    (
        "the cumulative average looks at the number of batches",
        (*FORWARD, *BACKWARD, "per_sample", "buffers"),
        ("BatchNorm2d-cumulative",),
    ),
    ("its autograd function has no rule for vmap", (*FORWARD, *BACKWARD), ("CrossMapLRN2d",)),
    (
        "a sample would write the statistics that all samples share",
        ("per_sample",),
        ("*BatchNorm*", "*InstanceNorm*"),
    ),
    ("a sample would renormalize the weights that all samples share", ("per_sample",), ("*-maxnorm", "*-normtype")),
    ("it has no rule for torch.func", ("per_sample",), ("conv_tbc", "LinearCrossEntropyLoss-chunks")),
)


def crash_reason(check: str, case: str) -> str | None:
    """Why a check can't be asked of a case: the plain module would take the process down. None if it can."""
    return _find_reason(CRASHES, check, case)


def refusal_reason(check: str, case: str) -> str | None:
    """Why an ensemble of a case may be refused, or None if it has to answer."""
    return _find_reason(REFUSED, check, case)


def _find_reason(rows: Rows, check: str, case: str) -> str | None:
    found = (why for why, checks, cases in rows if check in checks and any(fnmatchcase(case, each) for each in cases))
    return next(found, None)

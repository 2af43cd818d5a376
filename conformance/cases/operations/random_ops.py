"""The operations of torch's public API that draw random numbers, each with a call."""

import inspect
import re
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from conformance.cases.operations.random_op import ALL_COLUMNS, NETWORKS, OWN, SHARED, RandomOperation

# A single draw for all can't use each member's parameters, and a shared tensor can't be overwritten differently: where
# a refusal is accepted, and its words.
NOT_SAME = {f"same, {OWN}": "randomness"}
NOT_WRITTEN = {f"different, {SHARED}": "randomness|in-?place"}
LOOKS_AT_VALUES = r"\.item\(\)|data-dependent|autograd.Function|batching rule"


def _in_all_columns(words: str) -> dict[str, str]:
    """Return refusals with one of these words in every column."""
    return dict.fromkeys(ALL_COLUMNS, words)


def _by_feature(call: str, k: int) -> str:
    """Return the call with members and samples flattened: a channel dropout has no further batch dimension."""
    return call.replace("x", f"spatial(x.flatten(0, 1), {k})" if k else "x.flatten(0, 1)") + ".unflatten(0, (n, 3))"


RANDOM_OPERATIONS = [
    RandomOperation("torch.rand", "torch.rand(3, 23, device=d{g})", "torch.rand(n, 3, 23, device=d{g})"),
    RandomOperation("torch.randn", "torch.randn(3, 23, device=d{g})", "torch.randn(n, 3, 23, device=d{g})"),
    *[
        RandomOperation(
            f"torch.randn ({dtype})",
            f"torch.randn(3, 23, device=d, dtype=torch.{dtype}{{g}})",
            f"torch.randn(n, 3, 23, device=d, dtype=torch.{dtype}{{g}})",
        )
        for dtype in ("float64", "bfloat16", "complex64")
    ],
    RandomOperation(
        "torch.randint", "torch.randint(1000, (3, 23), device=d{g})", "torch.randint(1000, (n, 3, 23), device=d{g})"
    ),
    RandomOperation(
        "torch.normal (a size)",
        "torch.normal(2.0, 3.0, (3, 23), device=d{g})",
        "torch.normal(2.0, 3.0, (n, 3, 23), device=d{g})",
    ),
    RandomOperation(
        "torch.randperm",
        "torch.randperm(69, device=d{g})",
        "torch.stack([torch.randperm(69, device=d{g}) for _ in range(n)])",
    ),
    RandomOperation("torch.rand_like", "torch.rand_like(x)"),
    RandomOperation("torch.randn_like", "torch.randn_like(x)"),
    RandomOperation("torch.randint_like", "torch.randint_like(x, 1000)"),
    RandomOperation("torch.normal", "torch.normal(x, x{g})", refuses=NOT_SAME),
    RandomOperation("torch.normal (a mean)", "torch.normal(x, 2.0{g})", refuses=NOT_SAME),
    RandomOperation("torch.normal (a deviation)", "torch.normal(1.0, x{g})", refuses=NOT_SAME),
    RandomOperation("torch.bernoulli", "torch.bernoulli(x{g})", refuses=NOT_SAME),
    RandomOperation("Tensor.bernoulli", "x.bernoulli(0.3{g})", refuses=NOT_SAME),
    RandomOperation("torch.binomial", "torch.binomial(torch.full_like(x, 20), x{g})", refuses=NOT_SAME),
    RandomOperation("torch.poisson", "torch.poisson(9 * x{g})", refuses=NOT_SAME),
    RandomOperation(
        "torch.multinomial",
        "torch.multinomial(x, 7{g})",
        "torch.multinomial(x.flatten(0, 1), 7{g}).unflatten(0, (n, 3))",
        NOT_SAME,
    ),
    RandomOperation(
        "Tensor.multinomial", "x[0].multinomial(29, True{g})", "x[:, 0].multinomial(29, True{g})", NOT_SAME
    ),
    # In place.
    RandomOperation("Tensor.bernoulli_", "x.bernoulli_(0.3{g})", refuses=NOT_WRITTEN),
    RandomOperation("Tensor.bernoulli_ (a tensor)", "x.bernoulli_(x.clone(){g})", refuses=NOT_SAME | NOT_WRITTEN),
    RandomOperation("Tensor.cauchy_", "x.cauchy_(0.0, 1.0{g})", refuses=NOT_WRITTEN),
    RandomOperation("Tensor.exponential_", "x.exponential_(1.0{g})", refuses=NOT_WRITTEN),
    RandomOperation("Tensor.geometric_", "x.geometric_(0.3{g})", refuses=NOT_WRITTEN),
    RandomOperation("Tensor.log_normal_", "x.log_normal_(1.0, 2.0{g})", refuses=NOT_WRITTEN),
    RandomOperation("Tensor.normal_", "x.normal_(0.0, 1.0{g})", refuses=NOT_WRITTEN),
    RandomOperation("Tensor.random_", "x.random_(1000{g})", refuses=NOT_WRITTEN),
    RandomOperation("Tensor.uniform_", "x.uniform_(0.0, 1.0{g})", refuses=NOT_WRITTEN),
    # Dropout.
    RandomOperation("torch.dropout", "torch.dropout(x, 0.5, True)"),
    RandomOperation("torch.dropout_", "torch.dropout_(x, 0.5, True)", refuses=NOT_WRITTEN),
    RandomOperation("torch.native_dropout", "torch.native_dropout(x, 0.5, True)[0]"),
    RandomOperation("torch.alpha_dropout", "torch.alpha_dropout(x, 0.5, True)"),
    RandomOperation("torch.alpha_dropout_", "torch.alpha_dropout_(x, 0.5, True)", refuses=NOT_WRITTEN),
    *[
        RandomOperation(name, f"{name}({x}, 0.5, True)", _by_feature(f"{name}(x, 0.5, True)", k), refuses)
        for name, x, k, refuses in (
            ("torch.feature_dropout", "x", 0, {}),
            ("torch.feature_dropout_", "x", 0, NOT_WRITTEN),
            ("torch.feature_alpha_dropout", "x", 0, {}),
            ("torch.feature_alpha_dropout_", "x", 0, NOT_WRITTEN),
            ("F.feature_alpha_dropout", "spatial(x, 1)", 1, {}),
            ("F.dropout1d", "spatial(x, 1)", 1, {}),
            ("F.dropout2d", "spatial(x, 2)", 2, {}),
            ("F.dropout3d", "spatial(x, 3)", 3, {}),
        )
    ],
    RandomOperation("F.dropout", "F.dropout(x)"),
    RandomOperation("F.dropout (inplace)", "F.dropout(x, inplace=True)", refuses=NOT_WRITTEN),
    RandomOperation("F.alpha_dropout", "F.alpha_dropout(x, 0.5, True)"),
    *[
        RandomOperation(name, f"{name}(x - 0.5, training=True)", refuses=_in_all_columns("rrelu"))
        for name in ("torch.rrelu", "torch.rrelu_", "F.rrelu", "F.rrelu_")
    ],
    # Functions of the draw that are exact: zeros and ones, a choice of pixels.
    RandomOperation("F.gumbel_softmax", "F.gumbel_softmax(x, hard=True).round()", refuses=NOT_WRITTEN),
    *[
        RandomOperation(
            f"F.fractional_max_pool{k}d",
            f"F.fractional_max_pool{k}d(image(x, {k}), 2, output_size=4)",
            f"F.fractional_max_pool{k}d(image(x.flatten(0, 1), {k}), 2, output_size=4).unflatten(0, (n, 3))",
        )
        for k in (2, 3)
    ],
]
# They draw in several parts, or their arithmetic rounds differently, so no single stacked draw is equivalent.
COMPOSITES = [
    RandomOperation("torch.svd_lowrank", "torch.svd_lowrank(x, q=2, niter=0)[1]"),
    RandomOperation("torch.pca_lowrank", "torch.pca_lowrank(x, q=1, niter=0)[1]"),
    RandomOperation("torch.lobpcg", "torch.lobpcg(torch.diag(x[0]), k=1)[1]", refuses=_in_all_columns(LOOKS_AT_VALUES)),
    RandomOperation("F.multi_head_attention_forward", "attention(x)"),
    *[
        RandomOperation(
            f"F.fractional_max_pool{k}d_with_indices",
            f"F.fractional_max_pool{k}d_with_indices(image(x, {k}), 2, output_size=4)",
        )
        for k in (2, 3)
    ],
    *[
        RandomOperation(f"nn.init.{name}", f"nn.init.{name}(x{options})", refuses=refuses)
        for name, options, refuses in (
            ("kaiming_normal_", "", NOT_WRITTEN),
            ("kaiming_uniform_", "", NOT_WRITTEN),
            ("normal_", "", NOT_WRITTEN),
            ("orthogonal_", "", NOT_WRITTEN),
            ("sparse_", ", 0.3", NOT_WRITTEN),
            ("trunc_normal_", "", _in_all_columns(f"{LOOKS_AT_VALUES}|randomness")),
            ("uniform_", "", NOT_WRITTEN),
            ("xavier_normal_", "", NOT_WRITTEN),
            ("xavier_uniform_", "", NOT_WRITTEN),
        )
    ],
    *[
        RandomOperation(f"distributions.{call.partition('(')[0]}", f"distributions.{call}", refuses=refuses)
        for call, refuses in (
            ("Bernoulli(x, validate_args=False).sample()", NOT_SAME),
            ("Categorical(x, validate_args=False).sample((29,))", NOT_SAME),
            ("Dirichlet(x, validate_args=False).rsample()", _in_all_columns("autograd.Function|dirichlet")),
            ("Gamma(x, x, validate_args=False).rsample()", NOT_SAME),
            ("Normal(x, x, validate_args=False).rsample()", NOT_WRITTEN | {f"different, {OWN}": "randomness"}),
            ("Uniform(x - 1, x, validate_args=False).rsample()", {}),
        )
    ],
]

# Two layers with dropout between them; they refuse a mapped input.
RECURRENT = [
    RandomOperation(
        f"torch.{name}",
        f"recurrent('{name}', x)",
        refuses=dict.fromkeys((f"same, {OWN}", f"different, {OWN}"), f"{name}|batching rule"),
    )
    for name in NETWORKS
]
# The mean over 16 rows, each dropped or doubled: eighths of whole numbers, which are exact.
ATTENTION = [
    RandomOperation(
        "F.scaled_dot_product_attention",
        "F.scaled_dot_product_attention(0 * rows(x), 0 * rows(x), (99 * rows(x)).round(), dropout_p=0.5)",
        refuses=NOT_WRITTEN,
    ),
]
# In newer releases these accept a generator too.
LIKE_WITH_GENERATOR = [
    RandomOperation("torch.rand_like", "torch.rand_like(x{g})"),
    RandomOperation("torch.randn_like", "torch.randn_like(x{g})"),
    RandomOperation("torch.randint_like", "torch.randint_like(x, 1000{g})"),
]
WITH_OUT = [
    RandomOperation("torch.rand (out)", "torch.rand(3, 23, out=0 * x)"),
    RandomOperation("torch.randn (out)", "torch.randn(3, 23, out=0 * x)"),
    RandomOperation("torch.randint (out)", "torch.randint(1000, (3, 23), out=(0 * x).long())"),
    RandomOperation("torch.randint (from a lowest, out)", "torch.randint(5, 1000, (3, 23), out=(0 * x).long())"),
    RandomOperation("torch.randperm (out)", "torch.randperm(23, out=(0 * x[0]).long())"),
    RandomOperation("torch.normal (out)", "torch.normal(x, x, out=0 * x)"),
    RandomOperation("torch.bernoulli (out)", "torch.bernoulli(x, out=0 * x)"),
    RandomOperation("torch.multinomial (out)", "torch.multinomial(x, 7, out=(0 * x[:, :7]).long())"),
]

NAMESPACES = {"torch": torch, "Tensor": torch.Tensor, "F": F, "nn.init": nn.init}
# Random by name or tag, but not tested, with the reason.
EXCLUDED = {
    "torch.miopen_rnn": "it is AMD's kernel of torch.lstm and similar layers",
    "nn.init.normal": "deprecated in favour of nn.init.normal_",
    "nn.init.uniform": "deprecated in favour of nn.init.uniform_",
}
RANDOM_NAME = re.compile(r"rand|dropout|bernoulli|multinomial|poisson$|rrelu|gumbel|fractional|lowrank|lobpcg")
RANDOM_PARAMETERS = {"generator", "dropout_p", "_random_samples"}


def covered_operations() -> set[str]:
    """Return the names of the operations in this catalogue."""
    return {draw.operation for draw in (*RANDOM_OPERATIONS, *COMPOSITES, *RECURRENT, *ATTENTION)}


def uncovered() -> list[str]:
    """Return the operations of torch that draw, by name, parameters or tag, and are not in this catalogue."""
    known = covered_operations() | EXCLUDED.keys()
    public = (
        (f"{space}.{name}", name, each)
        for space, owner in NAMESPACES.items()
        for name, each in inspect.getmembers(owner, callable)
        if not name.startswith("_") and not inspect.isclass(each)
    )
    return [full for full, name, each in public if full not in known and _is_random(name, each)]


def _is_random(name: str, function: Any) -> bool:
    return bool(RANDOM_NAME.search(name)) or bool(RANDOM_PARAMETERS & _parameters(function)) or _is_tagged(name)


def _parameters(function: Any) -> set[str]:
    try:
        return set(inspect.signature(function).parameters)
    except ValueError:  # built-in functions of torch have no signature
        return set()


def _is_tagged(name: str) -> bool:
    """Return True if torch tags a native operation of that name as dependent on a seed."""
    packet: Any = getattr(torch.ops.aten, name, None)
    overloads = packet.overloads() if hasattr(packet, "overloads") else ()
    return any(torch.Tag.nondeterministic_seeded in getattr(packet, each).tags for each in overloads)

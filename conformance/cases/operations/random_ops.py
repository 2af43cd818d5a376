"""The operations of torch's public API that draw random numbers, each with a call."""

import inspect
import re
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from conformance.cases.operations.random_op import EVERYWHERE, NETWORKS, OWN, SHARED, Draw

# Parameters of its own for each member rule out one draw for all, and what is everybody's can't be written differently.
NOT_SAME = (f"same, {OWN}",)
NOT_WRITTEN = (f"different, {SHARED}",)


def _by_feature(call: str, k: int) -> str:
    """A dropout of whole channels knows no more dimensions than samples, channels and `k` of space."""
    return call.replace("x", f"spatial(x.flatten(0, 1), {k})" if k else "x.flatten(0, 1)") + ".unflatten(0, (n, 3))"


DRAWS = [
    Draw("torch.rand", "torch.rand(3, 23, device=d{g})", "torch.rand(n, 3, 23, device=d{g})"),
    Draw("torch.randn", "torch.randn(3, 23, device=d{g})", "torch.randn(n, 3, 23, device=d{g})"),
    *[
        Draw(
            f"torch.randn ({dtype})",
            f"torch.randn(3, 23, device=d, dtype=torch.{dtype}{{g}})",
            f"torch.randn(n, 3, 23, device=d, dtype=torch.{dtype}{{g}})",
        )
        for dtype in ("float64", "bfloat16", "complex64")
    ],
    Draw("torch.randint", "torch.randint(1000, (3, 23), device=d{g})", "torch.randint(1000, (n, 3, 23), device=d{g})"),
    Draw(
        "torch.normal (a size)",
        "torch.normal(2.0, 3.0, (3, 23), device=d{g})",
        "torch.normal(2.0, 3.0, (n, 3, 23), device=d{g})",
    ),
    Draw(
        "torch.randperm",
        "torch.randperm(69, device=d{g})",
        "torch.stack([torch.randperm(69, device=d{g}) for _ in range(n)])",
    ),
    Draw("torch.rand_like", "torch.rand_like(x)"),
    Draw("torch.randn_like", "torch.randn_like(x)"),
    Draw("torch.randint_like", "torch.randint_like(x, 1000)"),
    Draw("torch.normal", "torch.normal(x, x{g})", refuses=NOT_SAME),
    Draw("torch.normal (a mean)", "torch.normal(x, 2.0{g})", refuses=NOT_SAME),
    Draw("torch.normal (a deviation)", "torch.normal(1.0, x{g})", refuses=NOT_SAME),
    Draw("torch.bernoulli", "torch.bernoulli(x{g})", refuses=NOT_SAME),
    Draw("Tensor.bernoulli", "x.bernoulli(0.3{g})", refuses=NOT_SAME),
    Draw("torch.binomial", "torch.binomial(torch.full_like(x, 20), x{g})", refuses=NOT_SAME),
    Draw("torch.poisson", "torch.poisson(9 * x{g})", refuses=NOT_SAME),
    Draw(
        "torch.multinomial",
        "torch.multinomial(x, 7{g})",
        "torch.multinomial(x.flatten(0, 1), 7{g}).unflatten(0, (n, 3))",
        NOT_SAME,
    ),
    Draw("Tensor.multinomial", "x[0].multinomial(29, True{g})", "x[:, 0].multinomial(29, True{g})", NOT_SAME),
    # In place.
    Draw("Tensor.bernoulli_", "x.bernoulli_(0.3{g})", refuses=NOT_WRITTEN),
    Draw("Tensor.bernoulli_ (a tensor)", "x.bernoulli_(x.clone(){g})", refuses=(*NOT_SAME, *NOT_WRITTEN)),
    Draw("Tensor.cauchy_", "x.cauchy_(0.0, 1.0{g})", refuses=NOT_WRITTEN),
    Draw("Tensor.exponential_", "x.exponential_(1.0{g})", refuses=NOT_WRITTEN),
    Draw("Tensor.geometric_", "x.geometric_(0.3{g})", refuses=NOT_WRITTEN),
    Draw("Tensor.log_normal_", "x.log_normal_(1.0, 2.0{g})", refuses=NOT_WRITTEN),
    Draw("Tensor.normal_", "x.normal_(0.0, 1.0{g})", refuses=NOT_WRITTEN),
    Draw("Tensor.random_", "x.random_(1000{g})", refuses=NOT_WRITTEN),
    Draw("Tensor.uniform_", "x.uniform_(0.0, 1.0{g})", refuses=NOT_WRITTEN),
    # Dropout.
    Draw("torch.dropout", "torch.dropout(x, 0.5, True)"),
    Draw("torch.dropout_", "torch.dropout_(x, 0.5, True)", refuses=NOT_WRITTEN),
    Draw("torch.native_dropout", "torch.native_dropout(x, 0.5, True)[0]"),
    Draw("torch.alpha_dropout", "torch.alpha_dropout(x, 0.5, True)"),
    Draw("torch.alpha_dropout_", "torch.alpha_dropout_(x, 0.5, True)", refuses=NOT_WRITTEN),
    *[
        Draw(name, f"{name}({x}, 0.5, True)", _by_feature(f"{name}(x, 0.5, True)", k), refuses)
        for name, x, k, refuses in (
            ("torch.feature_dropout", "x", 0, ()),
            ("torch.feature_dropout_", "x", 0, NOT_WRITTEN),
            ("torch.feature_alpha_dropout", "x", 0, ()),
            ("torch.feature_alpha_dropout_", "x", 0, NOT_WRITTEN),
            ("F.feature_alpha_dropout", "spatial(x, 1)", 1, ()),
            ("F.dropout1d", "spatial(x, 1)", 1, ()),
            ("F.dropout2d", "spatial(x, 2)", 2, ()),
            ("F.dropout3d", "spatial(x, 3)", 3, ()),
        )
    ],
    Draw("F.dropout", "F.dropout(x)"),
    Draw("F.dropout (inplace)", "F.dropout(x, inplace=True)", refuses=NOT_WRITTEN),
    Draw("F.alpha_dropout", "F.alpha_dropout(x, 0.5, True)"),
    *[
        Draw(name, f"{name}(x - 0.5, training=True)", refuses=EVERYWHERE)
        for name in ("torch.rrelu", "torch.rrelu_", "F.rrelu", "F.rrelu_")
    ],
    # What is computed with the draw is exact here: zeros and ones, a choice of pixels.
    Draw("F.gumbel_softmax", "F.gumbel_softmax(x, hard=True).round()", refuses=NOT_WRITTEN),
    *[
        Draw(
            f"F.fractional_max_pool{k}d",
            f"F.fractional_max_pool{k}d(image(x, {k}), 2, output_size=4)",
            f"F.fractional_max_pool{k}d(image(x.flatten(0, 1), {k}), 2, output_size=4).unflatten(0, (n, 3))",
        )
        for k in (2, 3)
    ],
]
# They compute with what they draw, or draw in parts: no single draw is all of theirs, or rounding differs.
COMPOSITES = [
    Draw("torch.svd_lowrank", "torch.svd_lowrank(x, q=2, niter=0)[1]"),
    Draw("torch.pca_lowrank", "torch.pca_lowrank(x, q=1, niter=0)[1]"),
    Draw("torch.lobpcg", "torch.lobpcg(torch.diag(x[0]), k=1)[1]", refuses=EVERYWHERE),
    Draw("F.multi_head_attention_forward", "attention(x)"),
    *[
        Draw(
            f"F.fractional_max_pool{k}d_with_indices",
            f"F.fractional_max_pool{k}d_with_indices(image(x, {k}), 2, output_size=4)",
        )
        for k in (2, 3)
    ],
    *[
        Draw(f"nn.init.{name}", f"nn.init.{name}(x{options})", refuses=refuses)
        for name, options, refuses in (
            ("kaiming_normal_", "", NOT_WRITTEN),
            ("kaiming_uniform_", "", NOT_WRITTEN),
            ("normal_", "", NOT_WRITTEN),
            ("orthogonal_", "", NOT_WRITTEN),
            ("sparse_", ", 0.3", NOT_WRITTEN),
            ("trunc_normal_", "", EVERYWHERE),
            ("uniform_", "", NOT_WRITTEN),
            ("xavier_normal_", "", NOT_WRITTEN),
            ("xavier_uniform_", "", NOT_WRITTEN),
        )
    ],
    *[
        Draw(f"distributions.{call.partition('(')[0]}", f"distributions.{call}", refuses=refuses)
        for call, refuses in (
            ("Bernoulli(x, validate_args=False).sample()", NOT_SAME),
            ("Categorical(x, validate_args=False).sample((29,))", NOT_SAME),
            ("Dirichlet(x, validate_args=False).rsample()", EVERYWHERE),
            ("Gamma(x, x, validate_args=False).rsample()", NOT_SAME),
            ("Normal(x, x, validate_args=False).rsample()", (f"different, {OWN}", *NOT_WRITTEN)),
            ("Uniform(x - 1, x, validate_args=False).rsample()", ()),
        )
    ],
]

# Two layers and dropout between them; what a member has of its own they refuse.
RECURRENT = [
    Draw(f"torch.{name}", f"recurrent('{name}', x)", refuses=(f"same, {OWN}", f"different, {OWN}")) for name in NETWORKS
]
# The mean over 16 rows, dropped or doubled: eighths of whole numbers, which are exact.
ATTENTION = [
    Draw(
        "F.scaled_dot_product_attention",
        "F.scaled_dot_product_attention(0 * rows(x), 0 * rows(x), (99 * rows(x)).round(), dropout_p=0.5)",
        refuses=NOT_WRITTEN,
    ),
]
# Newer releases give these a generator too.
LIKE = [
    Draw("torch.rand_like", "torch.rand_like(x{g})"),
    Draw("torch.randn_like", "torch.randn_like(x{g})"),
    Draw("torch.randint_like", "torch.randint_like(x, 1000{g})"),
]
OUT = [
    Draw("torch.rand (out)", "torch.rand(3, 23, out=0 * x)"),
    Draw("torch.randn (out)", "torch.randn(3, 23, out=0 * x)"),
    Draw("torch.randint (out)", "torch.randint(1000, (3, 23), out=(0 * x).long())"),
    Draw("torch.randint (from a lowest, out)", "torch.randint(5, 1000, (3, 23), out=(0 * x).long())"),
    Draw("torch.randperm (out)", "torch.randperm(23, out=(0 * x[0]).long())"),
    Draw("torch.normal (out)", "torch.normal(x, x, out=0 * x)"),
    Draw("torch.bernoulli (out)", "torch.bernoulli(x, out=0 * x)"),
    Draw("torch.multinomial (out)", "torch.multinomial(x, 7, out=(0 * x[:, :7]).long())"),
]

SPACES = {"torch": torch, "Tensor": torch.Tensor, "F": F, "nn.init": nn.init}
# Random by name or tag, and not asked, with the reason.
NOT_ASKED = {
    "torch.miopen_rnn": "AMD's kernel behind torch.lstm and its like",
    "nn.init.normal": "deprecated: nn.init.normal_",
    "nn.init.uniform": "deprecated: nn.init.uniform_",
}
TELLING = re.compile(r"rand|dropout|bernoulli|multinomial|poisson$|rrelu|gumbel|fractional|lowrank|lobpcg")
DRAWING = {"generator", "dropout_p", "_random_samples"}


def asked() -> set[str]:
    """The operations that something here is about."""
    return {draw.operation for draw in (*DRAWS, *COMPOSITES, *RECURRENT, *ATTENTION)}


def uncovered() -> list[str]:
    """The operations of torch that draw, by name, parameters or tag, and that nothing here is about."""
    known = asked() | NOT_ASKED.keys()
    public = (
        (f"{space}.{name}", name, each)
        for space, owner in SPACES.items()
        for name, each in inspect.getmembers(owner, callable)
        if not name.startswith("_") and not inspect.isclass(each)
    )
    return [full for full, name, each in public if full not in known and _draws(name, each)]


def _draws(name: str, function: Any) -> bool:
    return bool(TELLING.search(name)) or bool(DRAWING & _parameters(function)) or _is_tagged(name)


def _parameters(function: Any) -> set[str]:
    try:
        return set(inspect.signature(function).parameters)
    except ValueError:  # torch's built-in functions have no signature
        return set()


def _is_tagged(name: str) -> bool:
    """Does torch say of a native operation of that name that it depends on a seed?"""
    packet: Any = getattr(torch.ops.aten, name, None)
    overloads = packet.overloads() if hasattr(packet, "overloads") else ()
    return any(torch.Tag.nondeterministic_seeded in getattr(packet, each).tags for each in overloads)

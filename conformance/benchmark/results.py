"""A recorded table, as a picture and as text need it: what each form came to where, and on what machine."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from conformance.benchmark.variants import VARIANTS

# From here on a form is called faster than the loop, and below the inverse slower; between them they are even.
FASTER_FROM = 1.05
SHOWN_VARIANTS = VARIANTS[1:]


@dataclass(frozen=True)
class BenchmarkResult:
    """What ``python -m conformance.benchmark`` wrote."""

    environment: dict[str, Any]
    floor: dict[str, float]
    rows: list[dict[str, Any]]

    @classmethod
    def load(cls, path: Path) -> Self:
        """Raises ValueError or KeyError where the file is none of ours."""
        content = json.loads(path.read_text(encoding="utf-8"))
        return cls(content["environment"], content["floor"], content["rows"])

    @property
    def machine(self) -> str:
        """Device, torch and threads, in a line."""
        facts = self.environment
        accelerated = facts["accelerators"][:1] if facts["device"] != "cpu" else [facts["cpu_capability"]]
        threads = f"{facts['threads']} thread{'' if facts['threads'] == 1 else 's'}"
        return ", ".join([facts["device"], *accelerated, threads, f"torch {facts['torch']}", self.allocator])

    @property
    def allocator(self) -> str:
        return "malloc keeps its memory (GLIBC_TUNABLES)" if self.environment["glibc_tunables"] else "malloc as it is"

    def sizes(self, name: str) -> list[int]:
        """The numbers of `members` or of `samples`, in order."""
        return sorted({row[name] for row in self.rows})

    @property
    def blocks(self) -> list[tuple[str, str]]:
        """Each network, and what was done with it."""
        return list(dict.fromkeys((row["network"], row["what"]) for row in self.rows))

    def of(self, network: str, what: str) -> list[dict[str, Any]]:
        """The rows of a block."""
        return [row for row in self.rows if (row["network"], row["what"]) == (network, what)]

    def ratios(self, network: str, what: str, form: str) -> list[float]:
        """The loop's time over the form's, wherever both were measured."""
        cells = (row["forms"][form] for row in self.of(network, what))
        return [cell["ratio"] for cell in cells if "ratio" in cell]

    def shares(self, network: str, what: str) -> list[float]:
        """Which share of the machine's rate the loop reaches."""
        cells = ((row["least"], row["forms"]["loop"]) for row in self.of(network, what))
        return [least / cell["seconds"] for least, cell in cells if "seconds" in cell]

    @cached_property
    def notes(self) -> dict[str, str]:
        """A letter for each reason why a pictured cell has no number."""
        reasons = dict.fromkeys(
            cell["reason"] for row in self.rows for form, cell in row["forms"].items() if "reason" in cell
        )
        return {reason: chr(ord("a") + i) for i, reason in enumerate(reasons)}


def count_faster(ratios: list[float]) -> int:
    """How many of them are called faster."""
    return sum(ratio >= FASTER_FROM for ratio in ratios)


def summary_as_markdown(recorded: BenchmarkResult) -> Iterator[str]:
    """From the lowest ratio to the highest, and how many cells are faster: a line a block, a column a form."""
    yield f"| {recorded.allocator} | loop, share of the floor | {' | '.join(SHOWN_VARIANTS)} |"
    yield "| --- " * (2 + len(SHOWN_VARIANTS)) + "|"
    for network, what in recorded.blocks:
        shares = recorded.shares(network, what)
        share = f"{min(shares):.0%} to {max(shares):.0%}" if shares else "-"
        said = [_summarize_ratios(recorded.ratios(network, what, form)) for form in SHOWN_VARIANTS]
        yield f"| {network}, {what} | {share} | {' | '.join(said)} |"


def _summarize_ratios(ratios: list[float]) -> str:
    if not ratios:
        return "-"
    return f"{format_ratio(min(ratios))} to {format_ratio(max(ratios))}, {count_faster(ratios)} of {len(ratios)} faster"


def format_ratio(ratio: float) -> str:
    """A ratio in four characters at most."""
    return f"{ratio:.2f}"[:4].rstrip(".")

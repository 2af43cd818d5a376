"""A recorded speed table and its summary."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from conformance.benchmark.variants import VARIANTS

# Ratio from which a variant counts as faster than the loop; below the inverse it counts as slower.
FASTER_FROM = 1.05
SHOWN_VARIANTS = VARIANTS[1:]


@dataclass(frozen=True)
class BenchmarkResult:
    """A file written by ``python -m conformance.benchmark``."""

    environment: dict[str, Any]
    floor: dict[str, float]
    rows: list[dict[str, Any]]

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file. Raises ValueError or KeyError if it is not a recorded table."""
        content = json.loads(path.read_text(encoding="utf-8"))
        return cls(content["environment"], content["floor"], content["rows"])

    @property
    def machine(self) -> str:
        """Device, torch and threads, in one line."""
        facts = self.environment
        accelerated = facts["accelerators"][:1] if facts["device"] != "cpu" else [facts["cpu_capability"]]
        threads = f"{facts['threads']} thread{'' if facts['threads'] == 1 else 's'}"
        return ", ".join([facts["device"], *accelerated, threads, f"torch {facts['torch']}", self.allocator])

    @property
    def allocator(self) -> str:
        """The setting of the C allocator."""
        return "malloc keeps its memory (GLIBC_TUNABLES)" if self.environment["glibc_tunables"] else "malloc as it is"

    def sizes(self, name: str) -> list[int]:
        """Return the sorted values of `members` or of `samples`."""
        return sorted({row[name] for row in self.rows})

    @property
    def blocks(self) -> list[tuple[str, str]]:
        """Each pair of a network and a task."""
        return list(dict.fromkeys((row["network"], row["what"]) for row in self.rows))

    def rows_of(self, network: str, task: str) -> list[dict[str, Any]]:
        """Return the rows of a network and a task."""
        return [row for row in self.rows if (row["network"], row["what"]) == (network, task)]

    def ratios(self, network: str, task: str, variant: str) -> list[float]:
        """Return the ratios of the loop's time to the variant's, where both were measured."""
        cells = (row["forms"][variant] for row in self.rows_of(network, task))
        return [cell["ratio"] for cell in cells if "ratio" in cell]

    def shares(self, network: str, task: str) -> list[float]:
        """Return the shares of the roofline that the loop reaches."""
        cells = ((row["least"], row["forms"]["loop"]) for row in self.rows_of(network, task))
        return [least / cell["seconds"] for least, cell in cells if "seconds" in cell]

    @cached_property
    def notes(self) -> dict[str, str]:
        """A letter for each reason why a cell has no number."""
        reasons = dict.fromkeys(
            cell["reason"] for row in self.rows for variant, cell in row["forms"].items() if "reason" in cell
        )
        return {reason: chr(ord("a") + i) for i, reason in enumerate(reasons)}


def count_faster(ratios: list[float]) -> int:
    """Return how many of the ratios count as faster."""
    return sum(ratio >= FASTER_FROM for ratio in ratios)


def summary_as_markdown(recorded: BenchmarkResult) -> Iterator[str]:
    """Yield the summary: for each network, task and variant, the range of ratios and the number of faster cells."""
    yield f"| {recorded.allocator} | loop, share of the floor | {' | '.join(SHOWN_VARIANTS)} |"
    yield "| --- " * (2 + len(SHOWN_VARIANTS)) + "|"
    for network, task in recorded.blocks:
        shares = recorded.shares(network, task)
        share = f"{min(shares):.0%} to {max(shares):.0%}" if shares else "-"
        said = [_summarize_ratios(recorded.ratios(network, task, variant)) for variant in SHOWN_VARIANTS]
        yield f"| {network}, {task} | {share} | {' | '.join(said)} |"


def _summarize_ratios(ratios: list[float]) -> str:
    if not ratios:
        return "-"
    return f"{format_ratio(min(ratios))} to {format_ratio(max(ratios))}, {count_faster(ratios)} of {len(ratios)} faster"


def format_ratio(ratio: float) -> str:
    """Return a ratio in at most four characters."""
    return f"{ratio:.2f}"[:4].rstrip(".")

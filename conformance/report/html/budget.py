"""Use of the error budget by chapter, as a picture and as a table."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from conformance.report.html.columns import result_labels, shorten
from conformance.report.reader import Result
from conformance.report.results import Status
from conformance.spec.requirements import CHAPTERS
from conformance.utils.text import escape_unprintable

LEFT, SCALE, RIGHT = 84, 330, 90  # widths of the chapter names, the axis from 0 to 1, and the label of each strip
STRIP, BETWEEN, TOP = 13, 6, 22
TITLE = "Share of the error budget that cases use, by chapter"
HOW = "Each strip runs from the median (dot) to the largest share (diamond); the bar marks the 90th percentile."


@dataclass(frozen=True)
class BudgetUse:
    """The shares of the budget used by the cases of one chapter in one result that compare numbers."""

    label: str
    cases: int
    median: float
    most: float
    largest: float


def budget_uses(results: Sequence[Result]) -> dict[str, list[BudgetUse]]:
    """Return the use of the budget by chapter, in the order of the suite, for each result that has any.

    Known failures are left out, and so are tests that conform because two values differ as required.
    """
    found: dict[str, list[BudgetUse]] = {chapter: [] for chapter in CHAPTERS}
    for result, label in zip(results, result_labels(results), strict=True):
        shares: dict[str, list[float]] = {}
        for row in result.content["requirements"]:
            some = shares.setdefault(row["id"].partition(".")[0], [])
            some += [case["budget_share"] for case in row["cases"] if _counts_towards_budget(case)]
        for chapter, some in shares.items():
            if some:
                found.setdefault(chapter, []).append(_make_use(label, sorted(some)))
    return {chapter: each for chapter, each in found.items() if each}


def _counts_towards_budget(case: Mapping[str, Any]) -> bool:
    most = {Status.CONFORMS: 1.0, Status.KNOWN_FAILURE: -1.0}.get(case["status"], math.inf)
    return case["budget_share"] is not None and case["budget_share"] <= most


def _make_use(label: str, shares: Sequence[float]) -> BudgetUse:
    last = len(shares) - 1
    return BudgetUse(shorten(label), len(shares), shares[last // 2], shares[round(last * 0.9)], shares[last])


def draw_budget(found: dict[str, list[BudgetUse]]) -> str:
    """Return the picture as SVG, for a page that has styles for its classes."""
    bottom = TOP + sum(len(each) * STRIP + BETWEEN for each in found.values())
    lines = [*_draw_frame(bottom)]
    y = TOP
    for chapter, each in found.items():
        lines.append(_draw_text(LEFT - 8, y + 9, chapter, "end"))
        for use in each:
            lines += _draw_strip(
                y + STRIP // 2, use, named=len({use.label for some in found.values() for use in some}) > 1
            )
            y += STRIP
        y += BETWEEN
    return "\n".join([*lines, "</svg>"])


def _draw_frame(bottom: int) -> Iterator[str]:
    yield (
        f'<svg class="budget" viewBox="0 0 {LEFT + SCALE + RIGHT} {bottom + 4}" role="img" '
        'aria-labelledby="budget-title budget-desc">'
    )
    yield f'<title id="budget-title">{TITLE}</title><desc id="budget-desc">{HOW}</desc>'
    for tenth in range(0, 11, 2):
        x = LEFT + SCALE * tenth // 10
        yield f'<line class="grid" x1="{x}" y1="{TOP - 6}" x2="{x}" y2="{bottom}"/>'
        yield _draw_text(x, TOP - 10, f"{tenth / 10:g}", "mid")


def _draw_strip(y: int, use: BudgetUse, *, named: bool) -> Iterator[str]:
    """Yield one strip; a share above the budget is drawn at the right edge with its number."""
    median, most, largest = (LEFT + round(SCALE * min(share, 1), 1) for share in (use.median, use.most, use.largest))
    over = " over" * (use.largest > 1)
    yield f'<line class="strip{over}" x1="{median}" y1="{y}" x2="{largest}" y2="{y}"/>'
    yield f'<line class="most{over}" x1="{most}" y1="{y - 4}" x2="{most}" y2="{y + 4}"/>'
    yield f'<circle class="mark{over}" cx="{median}" cy="{y}" r="2.5"/>'
    yield f'<path class="mark{over}" d="M{largest} {y - 4}l4 4l-4 4l-4 -4z"/>'
    said = [f"{use.largest:.2g}"] * (use.largest > 1) + [use.label] * named
    if said:
        yield _draw_text(LEFT + SCALE + 8, y + 3, " ".join(said)[:18], "note")


def _draw_text(x: int, y: int, said: str, kind: str) -> str:
    return f'<text x="{x}" y="{y}" class="{kind}">{escape(escape_unprintable(said))}</text>'

"""The speed of an ensemble by its number of members, as a picture: each ratio with its interval."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

WIDTH, HEIGHT = 340, 220
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 14, 40  # margins around the axes
TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
CAP = 4  # half of the width of the end of an interval
APART = 14  # between two numbers below the axis
TITLE = "Time of the loop divided by the time of vmap, by number of members"


def draw_speed(rows: Sequence[Mapping[str, Any]], name: str) -> str:
    """Return an SVG whose axes are logarithmic; `rows` are those of `cost.time_by_members`, `name` makes ids unique."""
    low = min([0.5, *(row["low"] for row in rows)])
    high = max([2.0, *(row["high"] for row in rows)])
    most = max([2, *(row["members"] for row in rows)])

    def x_of(members: float) -> float:
        return LEFT + 8 + (WIDTH - LEFT - RIGHT - 16) * math.log(members) / math.log(most)

    def y_of(ratio: float) -> float:
        share = math.log(max(ratio, 1e-9) / low) / math.log(high / low)
        return HEIGHT - BOTTOM - 6 - (HEIGHT - TOP - BOTTOM - 12) * share

    lines = [
        f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="{name}-title {name}-desc">',
        f'<title id="{name}-title">{TITLE}</title>',
        f'<desc id="{name}-desc">{"; ".join(map(_describe, rows))}</desc>',
    ]
    for tick in TICKS:
        if low <= tick <= high:
            y = y_of(tick)
            kind = "even" if tick == 1 else "grid"
            lines.append(f'<line class="{kind}" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>')
            lines.append(f'<text class="end" x="{LEFT - 6}" y="{y + 4:.1f}">{tick:g}x</text>')
    shown = -math.inf
    for row in rows:
        x = x_of(row["members"])
        lines += _draw_row(row, x, y_of)
        if x - shown >= APART:
            shown = x
            lines.append(f'<text class="mid" x="{x:.1f}" y="{HEIGHT - BOTTOM + 12}">{row["members"]}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    lines.append(f'<text class="mid" x="{middle:.1f}" y="{HEIGHT - 6}">members; above 1x vmap is faster</text>')
    return "\n".join([*lines, "</svg>"])


def _draw_row(row: Mapping[str, Any], x: float, y_of: Any) -> Iterator[str]:
    top, bottom = y_of(row["high"]), y_of(row["low"])
    kind = row["speed"].replace(" ", "-")
    bar = f"M{x:.1f} {top:.1f}V{bottom:.1f}M{x - CAP:.1f} {top:.1f}h{2 * CAP}M{x - CAP:.1f} {bottom:.1f}h{2 * CAP}"
    yield f'<path class="bar {kind}" d="{bar}"/>'
    yield f'<circle class="dot {kind}" cx="{x:.1f}" cy="{y_of(row["ratio"]):.1f}" r="4"/>'


def _describe(row: Mapping[str, Any]) -> str:
    return f"{row['members']} members: {row['ratio']:.3g}, from {row['low']:.3g} to {row['high']:.3g}"

"""The speed table as a heat map: how many times faster than the loop each variant is.

The colours suit colour-blind readers. The picture has its own background, light or dark, so that it fits any page.
"""

from bisect import bisect_right
from collections.abc import Iterator
from html import escape

from conformance.benchmark.results import FASTER_FROM, SHOWN_VARIANTS, BenchmarkResult, count_faster, format_ratio

# From slower (brown) over even (grey) to faster (blue).
COLOURS = ("#8c3b00", "#c9712b", "#e8ab72", "#f5d9bf", "#e6e6e6", "#cfe2f2", "#93c1e3", "#4595cc", "#0b4f94")
EDGES = (0.25, 0.5, 0.75, 1 / FASTER_FROM, FASTER_FROM, 1.33, 2.0, 4.0)
MEANINGS = ("below ¼", "¼", "½", "¾", "even", "1.05", "1⅓", "2", "4 and more")
DARK = (0, len(COLOURS) - 1)  # colours with white text
WIDE, HIGH = 34, 20  # size of a cell
LEFT, TOP, GAP, BLOCK = 150, 112, 14, 16
STYLE = """\
text { font: 11px system-ui, sans-serif; fill: #1f2328 }
.page { fill: #ffffff; stroke: #d0d7de }
.title { font-size: 16px; font-weight: 600 }
.head { font-size: 13px; font-weight: 600 }
.cell { text-anchor: middle; fill: #111111 }
.bright { fill: #ffffff }
.none { fill: none; stroke: #8c959f; stroke-dasharray: 2 2 }
.note { text-anchor: middle; fill: #6e7781 }
.end { text-anchor: end }
.mid { text-anchor: middle }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .page { fill: #0d1117; stroke: #30363d }
  .cell { fill: #111111 }
  .bright { fill: #ffffff }
  .note { fill: #9198a1 }
}"""


def draw_heatmap(recorded: BenchmarkResult) -> str:
    """Return the heat map as a static, self-contained SVG."""
    members, samples = recorded.sizes("members"), recorded.sizes("samples")
    panel = len(members) * WIDE
    width = LEFT + len(SHOWN_VARIANTS) * (panel + GAP) + GAP
    legend = TOP + len(recorded.blocks) * (len(samples) * HIGH + BLOCK) + 24
    height = legend + 54 + 16 * len(recorded.notes)
    lines = [*_draw_heading(recorded, width, height), *_draw_columns(members, panel)]
    for i, (network, task) in enumerate(recorded.blocks):
        y = TOP + i * (len(samples) * HIGH + BLOCK)
        lines += [_draw_text(16, y + 14, network, "head"), _draw_text(16, y + 32, task)]
        lines += [_draw_text(LEFT - 8, y + 14 + j * HIGH, str(each), "end") for j, each in enumerate(samples)]
        for row in recorded.rows_of(network, task):
            row_y = y + samples.index(row["samples"]) * HIGH
            for j, variant in enumerate(SHOWN_VARIANTS):
                x = LEFT + j * (panel + GAP) + members.index(row["members"]) * WIDE
                lines += _draw_cell(x, row_y, row["forms"][variant], recorded)
    lines += [*_draw_legend(legend), *_draw_notes(recorded, legend + 56), "</svg>"]
    return "\n".join(lines) + "\n"


def _draw_heading(recorded: BenchmarkResult, width: int, height: int) -> Iterator[str]:
    title = "How many times faster than a loop over the members?"
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'role="img" aria-labelledby="title desc">'
    )
    yield f'<title id="title">{title} {escape(recorded.machine)}</title>'
    yield f'<desc id="desc">{escape(" ".join(_sentences(recorded)))}</desc>'
    yield f"<style>\n{STYLE}\n</style>"
    yield f'<rect class="page" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="6"/>'
    yield _draw_text(16, 30, title, "title")
    yield _draw_text(16, 50, recorded.machine)


def _sentences(recorded: BenchmarkResult) -> Iterator[str]:
    yield "A heat map: the time of the loop divided by the time of each variant."
    for variant in SHOWN_VARIANTS:
        ratios = [ratio for block in recorded.blocks for ratio in recorded.ratios(*block, variant)]
        yield f"{variant}: faster in {count_faster(ratios)} of {len(ratios)} cells."


def _draw_columns(members: list[int], panel: int) -> Iterator[str]:
    yield _draw_text(LEFT - 8, TOP - 8, "samples", "end")
    for i, variant in enumerate(SHOWN_VARIANTS):
        x = LEFT + i * (panel + GAP)
        yield _draw_text(x, TOP - 26, variant, "head")
        yield _draw_text(x + panel, TOP - 26, "members", "end")
        yield from (_draw_text(x + j * WIDE + WIDE // 2, TOP - 8, str(n), "mid") for j, n in enumerate(members))


def _draw_cell(x: int, y: int, cell: dict[str, float | str], recorded: BenchmarkResult) -> Iterator[str]:
    place = f'x="{x + 1}" y="{y + 1}" width="{WIDE - 2}" height="{HIGH - 2}"'
    middle, line = x + WIDE // 2, y + 14
    if "reason" in cell:
        yield f'<rect class="none" {place}/>'
        yield _draw_text(middle, line, recorded.notes[str(cell["reason"])], "note")
        return
    ratio = float(cell["ratio"])
    colour = bisect_right(EDGES, ratio)
    yield f'<rect {place} fill="{COLOURS[colour]}"/>'
    yield _draw_text(middle, line, format_ratio(ratio), "cell bright" if colour in DARK else "cell")


def _draw_legend(y: int) -> Iterator[str]:
    yield _draw_text(LEFT - 8, y + 14, "slower", "end")
    for i, (colour, meaning) in enumerate(zip(COLOURS, MEANINGS, strict=True)):
        yield f'<rect x="{LEFT + i * 68}" y="{y}" width="66" height="{HIGH}" fill="{colour}"/>'
        yield _draw_text(LEFT + i * 68 + 33, y + 14, meaning, "cell bright" if i in DARK else "cell")
    yield _draw_text(LEFT + len(COLOURS) * 68 + 6, y + 14, "faster (each colour starts at its number)")


def _draw_notes(recorded: BenchmarkResult, y: int) -> Iterator[str]:
    for i, (reason, letter) in enumerate(recorded.notes.items()):
        yield _draw_text(16, y + 16 * i - 8, f"{letter}: {reason}")


def _draw_text(x: int, y: int, said: str, kind: str = "") -> str:
    marked = f' class="{kind}"' if kind else ""
    return f'<text x="{x}" y="{y}"{marked}>{escape(said)}</text>'

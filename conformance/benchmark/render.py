"""``python -m conformance.benchmark.render FILE.json ...``: write FILE.svg beside each file and print its table."""

import sys
from collections.abc import Sequence
from pathlib import Path

from conformance.benchmark import heatmap, results


def main(paths: Sequence[str]) -> int:
    """Draw and print each recorded table; return the exit code 0. Raises ValueError, KeyError or OSError."""
    for path in map(Path, paths):
        table = results.BenchmarkResult.load(path)
        path.with_suffix(".svg").write_text(heatmap.draw_heatmap(table), encoding="utf-8")
        sys.stdout.write("\n".join([*results.summary_as_markdown(table), "", ""]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

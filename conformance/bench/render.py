"""``python -m conformance.bench.render FILE.json ...``: FILE.svg beside each, and its table for the README printed."""

import sys
from collections.abc import Sequence
from pathlib import Path

from conformance.bench import recorded, svg


def main(paths: Sequence[str]) -> int:
    """Draw and print."""
    for path in map(Path, paths):
        table = recorded.Recorded.load(path)
        path.with_suffix(".svg").write_text(svg.drawn(table), encoding="utf-8")
        sys.stdout.write("\n".join([*recorded.markdown(table), "", ""]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

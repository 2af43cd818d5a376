"""The tables of docs/results/, from recorded runs: ``python -m docs.generate`` writes them between markers."""

import json
import re
import runpy
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from conformance.benchmark import results as benchmark_results
from conformance.report import releases as recorded_releases
from conformance.report import tables
from conformance.report.reader import read_result
from conformance.spec.locations import FIXTURES
from docs.generate import markdown

RESULTS = Path(__file__).parents[1] / "results"
BENCHMARK = FIXTURES / "benchmark"
MODELS = FIXTURES / "models"
JUDGED = "2.13"  # the release of torch whose tables are shown


def releases_table() -> str:
    """Return the table that ``conformance compare fixtures/releases --markdown`` prints."""
    results = recorded_releases.read_results([str(recorded_releases.RELEASES)])
    labels = recorded_releases.release_labels(results)
    return "\n".join(recorded_releases.changes_as_markdown(labels, recorded_releases.changed_requirements(results)))


def optimizers_table() -> str:
    """Return the table of optimizers of a recorded run, as ``conformance tables`` prints it."""
    (path,) = recorded_releases.find_results(JUDGED)
    return "\n".join(tables.cells_as_markdown(read_result(path).content["tables"]["optimizers"], "optimizers"))


def speed_table(name: str) -> str:
    """Return the table that ``python -m conformance.benchmark.render`` prints."""
    recorded = benchmark_results.BenchmarkResult.load(BENCHMARK / f"{name}.json")
    return "\n".join(benchmark_results.summary_as_markdown(recorded))


def models_table() -> str:
    """Return the table that ``python fixtures/models/table.py`` prints."""
    script = runpy.run_path(str(MODELS / "table.py"))
    return "\n".join(script["lines"](json.loads(script["DEFAULT"].read_text(encoding="utf-8"))))


def tensordict_table() -> str:
    """Return the failing requirements of tensordict's EnsembleModule, by chapter, and the number of the others."""
    statuses = json.loads((MODELS / "tensordict.json").read_text(encoding="utf-8"))["requirements"]
    chapters: dict[str, dict[str, list[str]]] = {}
    for requirement, status in statuses.items():
        chapter, _, name = requirement.partition(".")
        chapters.setdefault(chapter, {}).setdefault(status, []).append(name)
    rows = [
        (chapter, *(len(found.get(status, ())) for status in ("conforms", "not applicable")), _names(found))
        for chapter, found in chapters.items()
    ]
    return "\n".join(markdown.table(("chapter", "conforms", "not applicable", "fails"), rows)).rstrip()


def _names(found: Mapping[str, Sequence[str]]) -> str:
    return ", ".join(map(markdown.code, found.get("fails", ())))


# By page: the function that makes the table between the markers of that name.
TABLES: dict[str, dict[str, Callable[[], str]]] = {
    "releases.md": {"releases": releases_table},
    "optimizers.md": {"optimizers": optimizers_table},
    "speed.md": {
        "cpu": lambda: speed_table("cpu"),
        "cpu-tunables": lambda: speed_table("cpu-tunables"),
    },
    "models.md": {"models": models_table, "tensordict": tensordict_table},
}


def updated_pages() -> Iterator[tuple[Path, str]]:
    """Yield each page with tables, and its text with the tables of today. Raises ValueError if markers are missing."""
    for page, made in TABLES.items():
        text = (RESULTS / page).read_text(encoding="utf-8")
        for name, make in made.items():
            text = replace_between_markers(text, name, make())
        yield RESULTS / page, text


def replace_between_markers(text: str, name: str, content: str) -> str:
    """Return the text with the content between the markers of that name. Raises ValueError if they are missing."""
    begin, end = f"<!-- begin: {name} -->", f"<!-- end: {name} -->"
    replaced, count = re.subn(
        f"{re.escape(begin)}\n.*?{re.escape(end)}", lambda _: f"{begin}\n\n{content}\n\n{end}", text, flags=re.DOTALL
    )
    if count != 1:
        raise ValueError(f"expected the markers {begin} and {end} once, found them {count} times")
    return replaced


def main() -> int:
    """Write the pages that changed, and name them."""
    for path, text in updated_pages():
        if text != path.read_text(encoding="utf-8"):
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"{path.relative_to(RESULTS.parents[1])}\n")
    return 0

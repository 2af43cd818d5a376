"""Do the generated parts of the documentation say what the commands, the spec and the parsers say?"""

import re
import subprocess
import sys

import pytest

from conformance.report import releases as recorded_releases
from conformance.report import tables
from conformance.spec.coverage import asking_tests, chapter_files
from conformance.spec.requirements import CHAPTERS, load_requirements
from conftest import ROOT
from docs.generate import cli, markdown, requirements, results, schema

RESULTS = ROOT / "docs" / "results"
REQUIREMENTS = load_requirements()


def printed_by(*command):
    return subprocess.run([sys.executable, *command], check=False, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize("page", results.TABLES)
def test_a_page_of_results_is_up_to_date(page):
    texts = {path.name: text for path, text in results.updated_pages()}

    assert (RESULTS / page).read_text(encoding="utf-8") == texts[page], "run `python -m docs.generate`"


def test_the_table_of_releases_is_printed_by_its_command():
    command = ["-m", "conformance", "compare", str(recorded_releases.RELEASES), "--markdown"]

    assert results.releases_table() == printed_by(*command)


def test_the_table_of_models_is_printed_by_its_command():
    assert results.models_table() == printed_by(str(results.MODELS / "table.py"))


def test_the_table_of_optimizers_is_the_table_of_this_torch(run_suite):
    asked = [f"--requirement=training.{name}_optimizers" for name in ("separable", "coupling", "refusing")]
    asked.append("--requirement=training.optimizers_covered")
    outcome = run_suite(*asked, "-m", "not original", paths=[str(path) for path in chapter_files("training")])

    cells = outcome.result["tables"]["optimizers"]
    assert results.optimizers_table() == "\n".join(tables.cells_as_markdown(cells, "optimizers"))


def test_the_page_about_speed_has_all_pictures():
    page = (RESULTS / "speed.md").read_text(encoding="utf-8")

    pictures = sorted(path.name for path in results.BENCHMARK.glob("*.svg"))
    assert pictures == sorted(re.findall(r"\(\.\./\.\./fixtures/benchmark/(.*?)\)", page))


def test_missing_markers_are_an_error():
    with pytest.raises(ValueError, match="<!-- begin: speed --> and <!-- end: speed --> once, found them 0 times"):
        results.replace_between_markers("# Speed\n", "speed", "")


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_the_page_of_a_chapter_has_each_requirement_with_its_tests(chapter):
    page = requirements.chapter_page(chapter)

    ids = [each for each in REQUIREMENTS if each.startswith(f"{chapter}.")]
    assert re.findall(r"^\((.*)\)=$", page, re.MULTILINE) == ids
    assert all(f"`tests/{test}`" in page for each in ids for test in asking_tests()[each])


def test_the_pages_have_each_fault_and_each_known_failure():
    lines = [line for each in REQUIREMENTS.values() for line in requirements.requirement_lines(each)]

    expected = [*requirements.faults().values(), *map(known_failure_lines, requirements.known_failures().values())]
    assert sum(map(len, expected)) > len(REQUIREMENTS)
    assert all(any(line.endswith(text) for line in lines) for texts in expected for text in texts)


def known_failure_lines(known):
    return list(map(requirements.known_failure, known))


def test_the_table_of_the_core_has_each_core_requirement_and_no_other():
    linked = re.findall(r"\(#(.*?)\)", "\n".join(requirements.core_lines()))

    assert linked == [each.id for each in REQUIREMENTS.values() if each.core]


def test_the_command_line_reference_has_each_option_of_the_suite(run_suite):
    text = "\n".join(cli.cli_lines())

    group = run_suite("--help").printed.partition("ensemble conformance:")[2].partition("\n\n")[0]
    options = set(re.findall(r"^  (--[a-z-]+)", group, re.MULTILINE))
    assert {"--implementation", "--profile", "--fault"} <= options
    assert [option for option in options if f"`{option} " not in text] == []


@pytest.mark.parametrize("verb", [*cli.verb_parsers()])
def test_the_command_line_reference_has_the_usage_of_each_verb(verb):
    assert f"usage: conformance {verb} [-h]" in "\n".join(cli.cli_lines())


def test_the_table_of_the_result_file_has_nested_keys():
    text = "\n".join(schema.schema_lines())

    for key in ("verdict", "environment.packages", "requirements[].cases[].budget_share", "tables.*[].says"):
        assert f"| `{key}` |" in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("in_dims <a> | *b*", r"in\_dims \<a\> \| \*b\*"),
        ("`in_dims` is kept", "`in_dims` is kept"),
        ("see https://a.b/c_d (in_dims).", r"see [a.b/c\_d](https://a.b/c_d) (in\_dims)."),
    ],
)
def test_plain_text_becomes_markdown_that_shows_it(text, shown):
    assert markdown.escape(text) == shown

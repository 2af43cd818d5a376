"""Is a damaged or forged result file refused in one line, and shown safely where it is not?"""

import json

import pytest
from mutations import as_json, assert_printable, blocks, mutate, try_block
from results import CELL, MUST, SHOULD, case, document

from conformance.report import diff_json, diff_text, markdown, reader, tables
from conformance.report import releases as recorded_releases
from conformance.report.diff import compare, restrict_to_selection
from conformance.report.html.diff import make_diff_step
from conformance.report.html.page import render_page
from conformance.utils.text import escape_unprintable

KIND = "mutated result files"
NAMES = ("torch.func", "functorch")


def small(*, fails):
    """A result with every kind of case, two implementations and two tables."""
    status = "fails" if fails else "conforms"
    facts = {"message": "off by 3.1e-05 (https://x.y)", "layer": "vmap", "script": "import torch\n"} if fails else {}
    cases = [
        case(status, budget_share=0.5, dtype="float32", duration=0.25, **facts),
        case("known failure", test="test_b", message="a reason"),
        case("not run", test="test_c", lost=fails),
        case(status, requirement=SHOULD, implementation=NAMES[1]),
    ]
    content = document(*cases, implementations=NAMES, spec={each.id: each for each in (MUST, SHOULD)})
    content["environment"] |= {"accelerators": ["A", "A"], "packages": {"numpy": "2.0"}, "torch_git": None}
    content["tables"]["modules"] = [CELL, CELL | {"row": "Adam"}]
    return json.loads(json.dumps(content))


GOOD, OTHER = small(fails=False), small(fails=True)


def show(result, other):
    """Everything that the verbs print and write of two results."""
    pair = [other, result]
    labels = recorded_releases.release_labels(pair)
    printed = [
        *diff_text.diff_lines(compare(other, result)),
        *diff_text.diff_lines(compare(result, other)),
        *diff_json.json_lines([compare(result, other)], 0),
    ]
    compare(restrict_to_selection(other, result), result)
    changed = recorded_releases.changed_requirements(pair)
    printed += recorded_releases.changes_as_text(labels, changed)
    printed += recorded_releases.added_requirements(pair)
    marked = list(recorded_releases.changes_as_markdown(labels, changed))
    for title, cells in result.content["tables"].items():
        marked += tables.cells_as_markdown(cells, title)
        printed += [tables.summarize_cells(cells)]
    assert_printable(escape_unprintable(line) for line in printed)
    assert_printable(marked)
    page = render_page(pair, [make_diff_step(other, result)])
    assert_printable(page.split("\n"))
    assert page.count("<script") == 1
    assert page.rstrip().endswith("</html>")


@pytest.mark.parametrize("seed", blocks(30))
def test_a_mutated_result_file_is_refused_in_a_line_or_shown(seed, tmp_path, record_property):
    other = reader.parse_result("other.json", OTHER)

    def attempt(rng):
        data, ending = as_json(mutate(rng.choice([GOOD, OTHER]), rng), rng)
        path = tmp_path / f"mutated{ending}"
        path.write_bytes(data)
        show(reader.read_result(path), other)

    try_block(KIND, seed, attempt, record_property)


def test_what_is_mutated_is_read_and_shown_as_it_is():
    show(reader.parse_result("good.json", GOOD), reader.parse_result("other.json", OTHER))

    assert markdown.table_row(["a"]) == "| a |"

"""Is a file that would take too much memory refused before it does, and is every bound far from an honest result?"""

import json

import pytest
from html_pages import shown, words
from results import CELL, SPEC, case, document, result

from conformance.report import bounds
from conformance.report import releases as recorded_releases
from conformance.report.html.columns import MAX_NAMED, Column, column_names
from conformance.report.html.requirement import MAX_GROUPS
from conformance.report.reader import parse_result
from conformance.spec.requirements import Requirement


@pytest.mark.parametrize("content", [b"[[]]", b'{"a": "b"}', b'"' + b"x" * 1_000 + b'"'], ids=["list", "table", "text"])
def test_what_a_file_may_take_is_estimated_before_it_is_parsed(content, monkeypatch):
    bounds.check_parse_memory(content)

    monkeypatch.setattr(bounds, "MAX_PARSED", 2 * len(content))

    with pytest.raises(ValueError, match="may take more than 0 MB of memory"):
        bounds.check_parse_memory(content)


@pytest.mark.parametrize("sign", [r"\u20ac", "\N{EURO SIGN}"])
def test_one_character_can_make_a_text_four_times_as_large(sign, monkeypatch):
    monkeypatch.setattr(bounds, "MAX_PARSED", 3_000)
    bounds.check_parse_memory(b'"%s"' % (b"x" * 1_000))

    with pytest.raises(ValueError, match="may take more"):
        bounds.check_parse_memory(f'"{"x" * 1_000}{sign}"'.encode())


def test_a_sign_of_one_text_does_not_count_for_the_others(monkeypatch):
    monkeypatch.setattr(bounds, "MAX_PARSED", 3_000)

    bounds.check_parse_memory(rf'["{"x" * 1_000}", "\u20ac"]'.encode())


def crowd(**facts):
    """A document with many of something."""
    spec = {f"c{i}.a": Requirement(f"c{i}.a", "must", "It works.", "docs") for i in range(facts.get("chapters", 1))}
    names = [f"i{i}" for i in range(facts.get("implementations", 1))]
    first = next(iter(spec.values()))
    cases = [
        case("fails", test=f"t{i}", requirement=first, implementation=names[0], dtype=f"d{i}", message="x" * 1_000)
        for i in range(facts.get("cases", 1))
    ]
    cells = [CELL | {"row": f"r{i % 7}", "column": f"c{i % 3}"} for i in range(facts.get("cells", 1))]
    return json.loads(json.dumps(document(*cases, spec=spec, implementations=names) | {"tables": {"t": cells}}))


@pytest.mark.parametrize(
    ("limit", "facts", "reason"),
    [
        ("MAX_CASES", {"cases": 3}, "more than 2 cases"),
        ("MAX_REQUIREMENTS", {"chapters": 3}, "more than 2 requirements"),
        ("MAX_CHAPTERS", {"chapters": 3}, "more than 2 chapters"),
        ("MAX_IMPLEMENTATIONS", {"implementations": 3}, "more than 2 implementations"),
        ("MAX_DTYPES", {"cases": 3}, "more than 2 dtypes"),
        ("MAX_TEXT", {}, "more than 2 bytes of text"),
        ("MAX_CELLS", {"cells": 3}, "more than 2 cells"),
        ("MAX_COLUMNS", {"cells": 3}, "more than 2 columns"),
    ],
)
def test_a_result_has_at_most_so_many_of_each(limit, facts, reason, monkeypatch):
    bounds.check_content(crowd(**facts))

    monkeypatch.setattr(bounds, limit, 2)

    with pytest.raises(ValueError, match=reason):
        bounds.check_content(crowd(**facts))


def test_a_grid_is_no_larger_than_its_cells_ask_for(monkeypatch):
    diagonal = [(f"{i}", f"{i}") for i in range(11)]

    with pytest.raises(ValueError, match="a table of 11 x 11 cells, most of them empty"):
        bounds.check_grids([diagonal])
    bounds.check_grids([[], diagonal[:10]])
    monkeypatch.setattr(bounds, "MAX_CELLS", 199)
    with pytest.raises(ValueError, match="more than 199 places in tables"):
        bounds.check_grids([diagonal[:10], diagonal[:10]])


def test_implementations_have_most_requirements_in_common():
    content = crowd(chapters=12, implementations=12)
    content["requirements"] = content["requirements"][::13]

    with pytest.raises(ValueError, match="lacks most requirements under most implementations"):
        bounds.check_content(content)


def test_what_is_shown_together_is_bounded_too(tmp_path, monkeypatch):
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text(json.dumps(crowd(cases=3)), encoding="utf-8")
    assert len(recorded_releases.read_results([str(tmp_path)])) == 2

    monkeypatch.setattr(bounds, "MAX_CASES_TOGETHER", 5)
    with pytest.raises(ValueError, match="expected at most 5 cases together, got 6"):
        recorded_releases.read_results([str(tmp_path)])
    monkeypatch.setattr(bounds, "MAX_RESULTS", 1)
    with pytest.raises(ValueError, match="expected at most 1 results together, got 2"):
        recorded_releases.read_results([str(tmp_path)])


def test_a_page_has_at_most_so_many_cells(monkeypatch):
    monkeypatch.setattr(bounds, "MAX_CELLS", 2 * len(SPEC) - 1)
    shown(result())

    with pytest.raises(ValueError, match="2 requirements in 2 columns are too many for one page"):
        shown(result(), result(name="other.json"))


def test_the_tables_of_several_results_are_one_grid(monkeypatch):
    results = [parse_result(name, document() | {"tables": {"t": [CELL | {"row": name}]}}) for name in "abc"]
    shown(*results)
    monkeypatch.setattr(bounds, "MAX_CELLS", 6)

    shown(*results)
    monkeypatch.setattr(bounds, "SPARSE", 0)

    with pytest.raises(ValueError, match="a table of 3 x 1 cells"):
        shown(*results)


def test_a_page_lists_the_first_messages_and_columns():
    messages = [case("not run", test=f"t{i:03}", message=f"reason {i:03}") for i in range(MAX_GROUPS + 3)]
    columns = [Column(result(), "", "", f"c{i}") for i in range(MAX_NAMED + 4)]

    said = words(shown(result(*messages)))

    assert "And 3 more messages of other cases" in said
    assert f"reason {MAX_GROUPS:03}" not in said
    assert column_names(columns[1:], columns).endswith(f"; c{MAX_NAMED}; 3 more")


def test_an_honest_result_is_far_from_every_bound():
    path = recorded_releases.recorded_release_paths().popitem()[1]
    content = bounds.unpack(path.read_bytes())
    found = json.loads(content)

    assert 4 * len(content) < bounds.MAX_BYTES
    assert 3 * sum(cost * content.count(sign) for sign, cost in bounds.COSTS.items()) < bounds.MAX_PARSED
    assert 4 * sum(len(row["cases"]) for row in found["requirements"]) < bounds.MAX_CASES
    assert 4 * sum(map(len, found["tables"].values())) < bounds.MAX_CELLS
    assert 4 * len({row["id"] for row in found["requirements"]}) < bounds.MAX_REQUIREMENTS

"""Is an unstable case shown as worse than a failure, in all places where statuses are shown?"""

import json
from dataclasses import asdict

import pytest
from results import FACTS, MUST, OPTIONS, SHOULD, SPEC, case, document, result

from conformance.report import recover, releases, terminal
from conformance.report.diff import Change, compare
from conformance.report.html.page import render_page
from conformance.report.reader import read_result
from conformance.report.results import (
    Finding,
    Status,
    combine_statuses,
    requirement_results,
)
from conformance.report.verdict import decide_verdict, incomplete_verdict
from conformance.report.writer import write_result

SAID = "'conforms' in 3 of 5, 'fails: off by 3' in 2 of 5, seed 0"
UNSTABLE = {"status": "unstable", "message": SAID}


def table(*cases):
    return requirement_results(SPEC, ["torch.func"], cases)


@pytest.mark.parametrize("other", [*Status])
def test_unstable_is_the_worst(other):
    assert combine_statuses([case(other), case("unstable")]) is Status.UNSTABLE
    assert combine_statuses([case("unstable"), case("not run", lost=True)]) is Status.UNSTABLE


def test_an_unstable_requirement_fails_the_run():
    rows = table(case(**UNSTABLE), case("fails", requirement=SHOULD))

    verdict = decide_verdict(rows, certify=False)

    assert not verdict.conforms
    assert verdict.sentence.startswith("DOES NOT CONFORM")
    assert "1 of them unstable" in verdict.sentence
    assert incomplete_verdict(rows, "INCOMPLETE: interrupted").sentence.endswith("2 fail")


def test_the_screen_names_all_answers_in_full():
    rows = table(case(**UNSTABLE), case("fails", "test_b", message="off"), case("fails", requirement=SHOULD))

    lines = list(terminal.report_lines(FACTS, OPTIONS, rows, {}))

    assert " ".join(" ".join(lines).split()).count(f"UNSTABLE forward.a (torch.func): {SAID} (and 1 more)") == 1
    assert any(line.startswith("FAILS stacking.b") for line in lines)


@pytest.mark.parametrize(
    ("old", "new", "change"),
    [
        ({"status": "conforms"}, UNSTABLE, Change.REGRESSED),
        ({"status": "known failure", "message": "a reason"}, UNSTABLE, Change.REGRESSED),
        ({"status": "fails", "message": "off by 3"}, UNSTABLE, Change.FAILS_DIFFERENTLY),
        (UNSTABLE, {"status": "conforms"}, Change.FIXED),
    ],
    ids=["regressed", "known", "fails", "fixed"],
)
def test_a_comparison_takes_unstable_for_a_failure(old, new, change):
    (transition,) = compare(result(case(**old)), result(case(**new))).transitions

    assert transition.change is change
    assert transition.gating is (change is Change.REGRESSED)


def test_a_comparison_does_not_count_how_often_an_answer_was_given():
    again = UNSTABLE | {"message": "'conforms' in 1 of 9, 'fails: off by 4' in 8 of 9, seed 1"}

    assert compare(result(case(**UNSTABLE)), result(case(**again))).transitions == []


def test_a_result_file_a_page_and_a_table_have_the_status(tmp_path):
    path = tmp_path / "result.json"
    write_result(path, document(case(**UNSTABLE)))

    found = read_result(path)
    page = render_page([found])

    assert found.rows[MUST.id, "torch.func"]["status"] == "unstable"
    assert releases.status_text(found, (MUST.id, "torch.func")) == "UNSTABLE 1"
    assert 'class="case s-unstable"' in page
    assert "≠" in page


def test_a_journal_names_unstable_cases(tmp_path):
    path = tmp_path / "result.json.partial"
    path.write_text(json.dumps({"test": "test_a", **asdict(Finding(Status.UNSTABLE, SAID))}), encoding="utf-8")

    lines = list(recover.summary_lines(recover.read_journal(path)))
    assert f"UNSTABLE test_a: {SAID}" in lines
    assert lines[-1].endswith("0 fails, 1 unstable")

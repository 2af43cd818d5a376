"""Does a comparison say that two suites differ, and leave out what only one of them asks?"""

import pytest
from results import MUST, SHOULD, SUITE, case, document, result

from conformance.report import diff_text, reader
from conformance.report.case_change import Change
from conformance.report.diff import compare

OTHER = SUITE | {"version": "0.2.0", "commit": "1" * 40, "clean": False, "expectations": "b" * 64}


def screen(old, new):
    return list(diff_text.diff_lines(compare(old, new)))


def test_different_suites_are_named():
    lines = screen(result(case("conforms")), result(case("conforms"), suite=OTHER))

    assert lines[1:3] == [
        "the suites differ: 0.1.0 at 000000000000 -> 0.2.0 at 111111111111 with changes",
        "their known failures differ: aaaaaaaaaaaa -> bbbbbbbbbbbb",
    ]
    assert lines[-1] == "CHANGED: nothing"


def test_an_unknown_suite_is_not_that_of_a_file_that_names_its():
    content = document(case("conforms"))
    old = reader.parse_result("old.json", {key: value for key, value in content.items() if key != "suite"})

    lines = screen(old, result(case("conforms"), suite=SUITE | {"commit": ""}))

    assert lines[1:] == ["the suites may differ: unknown -> 0.1.0", "CHANGED: nothing"]


def test_what_only_one_suite_asks_is_left_out():
    cases = [case("conforms"), case("fails", "test_b", message="off"), case("fails", "test_c", message="off")]
    old = result(*cases, spec={MUST.id: MUST})
    asked = [case("conforms"), case("known failure", requirement=SHOULD, message="a reason")]

    difference = compare(old, result(*asked, suite=OTHER))
    same = compare(old, result(*asked))

    assert difference.transitions == []
    line = "left out, as only one of the suites asks: 1 requirement and 2 cases"
    assert line in screen(old, result(*asked, suite=OTHER))
    assert {each.change for each in same.transitions} == {Change.GONE, Change.NEW}
    assert line not in screen(old, result(*asked))


@pytest.mark.parametrize("renamed", ["fails", "conforms", "not run"])
def test_a_requirement_whose_cases_have_other_names_is_compared_as_a_whole(renamed):
    old = result(case("conforms", "test_a"), case("conforms", "test_b"))
    new = result(case(renamed, "test_c", message="off"), suite=OTHER)

    difference = compare(old, new)

    found = [(each.change, each.tests, each.gating) for each in difference.transitions]
    assert found == ([(Change.REGRESSED, (), True)] if renamed == "fails" else [])
    assert difference.left_out == []


def test_the_same_suite_with_other_known_failures_asks_the_same():
    old, new = result(case("conforms")), result(case("conforms", "test_b"), suite=SUITE | {"expectations": "b" * 64})

    assert {each.change for each in compare(old, new).transitions} == {Change.GONE, Change.NEW}


def test_variables_and_threads_that_differ_are_named():
    results = [document(case("conforms")) for _ in range(2)]
    results[1]["environment"] = results[1]["environment"] | {"variables": {"MKL_CBWR": "AVX2"}, "threads": 2}

    lines = screen(*(reader.parse_result("a.json", each) for each in results))

    assert lines[1:4] == [
        "also differs: threads 1 -> 2",
        "also differs: MKL_CBWR (unset) -> AVX2",
        "also differs: OMP_NUM_THREADS 1 -> (unset)",
    ]


def test_a_file_without_variables_is_compared_without_them():
    content = document(case("conforms"))
    environment = {key: value for key, value in content["environment"].items() if key != "variables"}
    old = reader.parse_result("a.json", content | {"environment": environment})

    assert not any("OMP_NUM_THREADS" in line for line in screen(old, result(case("conforms"))))

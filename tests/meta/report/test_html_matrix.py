"""Does each implementation in each file have its column, and each requirement its row?"""

import pytest
from html_pages import shown, words
from results import MUST, SHOULD, SPEC, case, result

from conformance.report.html.columns import ALL_COLUMNS, MAX_NAME, column_names, make_columns, result_labels
from conformance.report.html.matrix import ABSENT, make_chapters
from conformance.report.html.requirement import MAX_FAILURES, MAX_TESTS, requirement_details
from conformance.spec.requirements import Requirement

BOTH = ("torch.func", "functorch")


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ([("a", "2.8.0", "cpu"), ("b", "2.13.0", "cpu")], ["2.8.0 cpu", "2.13.0 cpu"]),
        ([("a", "2.13.0", "cpu"), ("b", "2.13.0", "xpu")], ["2.13.0 cpu", "2.13.0 xpu"]),
        ([("a", "2.13.0", "cpu"), ("b", "2.13.0", "cpu")], ["2.13.0 cpu (a)", "2.13.0 cpu (b)"]),
        ([("a", "2.13.0", "cpu"), ("a", "2.13.0", "cpu")], ["1: 2.13.0 cpu (a)", "2: 2.13.0 cpu (a)"]),
    ],
)
def test_each_column_has_a_name_of_its_own(files, expected):
    results = [result(name=name, torch=torch, device=device) for name, torch, device in files]

    assert result_labels(results) == expected


def test_a_name_is_as_long_as_a_heading_may_be():
    (column,) = make_columns([result(implementations=["x" * 100])])

    assert column.name == "x" * (MAX_NAME - 1) + "…"


def test_a_column_is_an_implementation_in_a_file():
    across = make_columns([result(implementations=BOTH), result(torch="2.8.0")])

    assert [each.name for each in across] == [
        "2.13.0 cpu, torch.func",
        "2.13.0 cpu, functorch",
        "2.8.0 cpu, torch.func",
    ]
    assert column_names(across[:2], across) == "2.13.0 cpu, torch.func; 2.13.0 cpu, functorch"
    assert column_names(across, across) == ALL_COLUMNS
    assert column_names(across[:1], across[:1]) == across[0].name


def test_a_requirement_that_a_file_has_not_is_absent_from_it():
    old = result(case("conforms"), spec={MUST.id: MUST})
    new = result(case("conforms"), case("fails", requirement=SHOULD), torch="2.14.0")

    forward, stacking = make_chapters(make_columns([old, new]))

    assert (forward.name, stacking.name) == ("forward", "stacking")
    assert [line.statuses for line in stacking.lines] == [[ABSENT, "fails"]]
    assert [line.differs for chapter in (forward, stacking) for line in chapter.lines] == [False, True]
    assert [chapter.fails for chapter in (forward, stacking)] == [False, True]
    assert [line.name for line in stacking.lines] == ["b"]


def test_implementations_differ_in_one_file_and_files_in_several():
    apart = result(case("fails"), case("conforms", implementation="functorch"), implementations=BOTH)
    differs = [
        [line.differs for line in make_chapters(make_columns(results))[0].lines]
        for results in ([apart], [apart, apart], [apart, result(case("conforms"), torch="2.14.0")])
    ]

    assert differs == [[True], [False], [True]]


def test_a_chapter_that_this_suite_has_not_comes_last():
    unknown = Requirement("abacus.beads", "must", "It counts.", "docs")

    names = [each.name for each in make_chapters(make_columns([result(spec={unknown.id: unknown, **SPEC})]))]

    assert names == ["forward", "stacking", "abacus"]


def of_must(*results):
    across = make_columns(results)
    return requirement_details({column: column.row(MUST.id) for column in across}, across)


def test_cases_that_say_the_same_are_one_group():
    some = [case("known failure", f"test_a[{i}]", message="a reason") for i in range(5)]
    one = case("not applicable", "test_c", message="no such device")

    known, absent = of_must(result(*some, one), result(*some, torch="2.14.0")).groups

    assert (known.status, known.message, known.where, known.count) == ("known failure", "a reason", ALL_COLUMNS, 10)
    assert known.tests == [f"test_a[{i}]" for i in range(MAX_TESTS)]
    assert known.more == 10 - MAX_TESTS
    assert (absent.status, absent.where, absent.count, absent.more) == (
        "not applicable",
        "2.13.0 cpu, torch.func",
        1,
        0,
    )
    assert known.rerun.startswith('python -m conformance run "test_a[0]"')


def test_a_known_failure_is_shown_with_its_effect_and_what_was_observed():
    wrong = case("known failure", message="a reason", effect="wrong", observed="output is <b>3</b>")
    refused = case("known failure", "test_b", message="a reason", effect="refused", observed="no rule")

    found = of_must(result(wrong, refused)).groups
    page = shown(result(wrong, refused))

    assert [(each.effect, each.observed) for each in found] == [
        ("wrong", "output is <b>3</b>"),
        ("refused", "no rule"),
    ]
    assert "effect: wrong" in words(page)
    assert "output is &lt;b&gt;3&lt;/b&gt;" in page


def test_failures_are_told_one_by_one_up_to_a_number():
    lot = result(*(case("fails", f"test_a[{i:03}]", message=str(i)) for i in range(MAX_FAILURES + 2)))

    of = of_must(lot)

    assert len(of.failures) == MAX_FAILURES
    assert of.failed == MAX_FAILURES + 2
    assert "And 2 more failing cases; the result file lists them." in words(shown(lot))


def test_each_column_is_counted_and_columns_that_count_the_same_by_dtype_once():
    some = [
        case("conforms", "test_a", dtype="float32", budget_share=0.25, duration=1.0),
        case("conforms", "test_b", dtype="float64", budget_share=0.5, duration=2.0),
        case("not applicable", "test_c"),
    ]
    of = of_must(result(*some), result(*some, torch="2.14.0"), result(case("conforms"), torch="2.15.0"))

    assert [(tally.name, dict(tally.count), tally.share, tally.seconds) for tally in of.tallies[1:]] == [
        ("2.14.0 cpu, torch.func", {"conforms": 2, "not applicable": 1}, 0.5, 3.0),
        ("2.15.0 cpu, torch.func", {"conforms": 1}, None, 0.0),
    ]
    assert of.statuses == ["conforms", "not applicable"]
    assert of.dtypes == ["float32", "float64"]
    assert of.by_dtype == {
        "2.13.0 cpu, torch.func; 2.14.0 cpu, torch.func": {"float32": {"conforms": 1}, "float64": {"conforms": 1}}
    }

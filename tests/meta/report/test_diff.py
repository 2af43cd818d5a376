"""Does a comparison say what moved, which way, and whether that is a regression?"""

import pytest
from results import MUST, SHOULD, SPEC, case, result

from conformance.report import diff_sections, diff_text
from conformance.report.case_change import Change
from conformance.report.diff import compare, restrict_to_selection

FAILS = {"status": "fails", "message": "off by 3.1e-05"}
OTHERWISE = {"status": "fails", "message": "shape (3, 5)"}
KNOWN = {"status": "known failure", "message": "a reason"}
STALE = {"status": "fails", "message": "[XPASS(strict)] a reason"}
CONFORMS = {"status": "conforms"}
NOWHERE = {"status": "not applicable", "message": "no such device"}
LOST = {"status": "not run", "message": "never reported", "lost": True}
LEFT = {"status": "not run", "message": "deselected"}


def moved(old, new):
    """What becomes of one case beside another that stays as it is."""
    results = [
        result(case("conforms", "test_stays"), *([case(test="test_moves", **facts)] if facts else []))
        for facts in (old, new)
    ]
    return compare(*results).transitions


@pytest.mark.parametrize(
    ("old", "new", "change", "known", "gating"),
    [
        (CONFORMS, FAILS, Change.REGRESSED, False, True),
        (CONFORMS, KNOWN, Change.REGRESSED, True, False),
        (KNOWN, FAILS, Change.REGRESSED, False, True),
        (STALE, FAILS, Change.REGRESSED, False, True),
        (FAILS, CONFORMS, Change.FIXED, False, False),
        (KNOWN, CONFORMS, Change.FIXED, True, False),
        (KNOWN, STALE, Change.FIXED, True, False),
        (FAILS, OTHERWISE, Change.FAILS_DIFFERENTLY, False, False),
        (FAILS, KNOWN, Change.FAILS_DIFFERENTLY, True, False),
        (KNOWN, KNOWN | {"message": "another"}, Change.FAILS_DIFFERENTLY, True, False),
        (CONFORMS, NOWHERE, Change.NO_LONGER_RUNS, False, True),
        (KNOWN, LOST, Change.NO_LONGER_RUNS, False, True),
        (FAILS, LEFT, Change.NO_LONGER_RUNS, False, True),
        (NOWHERE, CONFORMS, Change.NEWLY_RUNS, False, False),
        (LEFT, FAILS, Change.NEWLY_RUNS, False, False),
        (LOST, KNOWN, Change.NEWLY_RUNS, True, False),
        (None, CONFORMS, Change.NEW, False, False),
        (None, KNOWN, Change.NEW, True, False),
        (FAILS, None, Change.GONE, False, False),
        (KNOWN, None, Change.GONE, True, False),
    ],
)
def test_each_move_of_a_case_has_its_name(old, new, change, known, gating):
    (transition,) = moved(old, new)

    assert (transition.change, transition.known, transition.gating) == (change, known, gating)
    assert (transition.requirement, transition.implementation) == (MUST.id, "torch.func")
    assert (transition.tests, transition.of) == (("test_moves",), 2)
    assert transition.rerun.startswith('python -m conformance run "test_moves"')


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (CONFORMS, CONFORMS | {"duration": 3.0, "budget_share": 0.9}),
        (FAILS, FAILS | {"message": "off by 4.7"}),
        (KNOWN, KNOWN),
        (KNOWN, KNOWN | {"message": "a reason (https://example.org/12)"}),
        (NOWHERE, LOST),
        (None, NOWHERE),
        (LEFT, None),
        (STALE, CONFORMS),
    ],
)
def test_what_stays_is_not_told(old, new):
    assert moved(old, new) == []


def test_what_was_fixed_is_told_by_what_it_was():
    (transition,) = moved(KNOWN, CONFORMS)

    assert transition.message == "a reason"


NEITHER = {SHOULD.id: SHOULD}


@pytest.mark.parametrize(
    ("old", "new", "change", "known"),
    [
        (result(case(**CONFORMS)), result(), Change.NO_LONGER_RUNS, False),
        (result(case(**KNOWN)), result(), Change.NO_LONGER_RUNS, False),
        (result(), result(case(**CONFORMS), case(test="b", **KNOWN)), Change.NEWLY_RUNS, True),
        (result(), result(case(**FAILS), case(test="b", **KNOWN)), Change.NEWLY_RUNS, False),
        (result(spec=NEITHER), result(case(**CONFORMS)), Change.NEW, False),
        (result(spec=NEITHER), result(), Change.NEW, False),
        (result(case(**KNOWN)), result(spec=NEITHER), Change.GONE, True),
        (result(), result(spec=NEITHER), Change.GONE, False),
        (result(case(**CONFORMS)), result(implementations=["functorch"]), Change.NO_LONGER_RUNS, False),
    ],
)
def test_a_requirement_moves_as_a_whole(old, new, change, known):
    (transition,) = compare(old, new).transitions

    assert (transition.requirement, transition.change, transition.known) == (MUST.id, change, known)
    assert transition.tests == ()


def test_what_neither_asked_has_not_moved():
    assert compare(result(), result(case(**NOWHERE))).transitions == []
    assert compare(result(), result(spec=SPEC, implementations=["functorch"])).transitions == []


def test_cases_that_move_alike_are_one_transition_and_the_others_are_not():
    tests = ["a", "b", "c"]
    old = result(*(case(test=test, **CONFORMS) for test in tests))
    new = result(*(case(test=test, **facts) for test, facts in zip(tests, (FAILS, FAILS, KNOWN), strict=True)))

    assert [(each.tests, each.known) for each in compare(old, new).transitions] == [(("a", "b"), False), (("c",), True)]


def test_only_what_was_asked_is_compared_with_a_whole_run():
    here, there = ({"implementation": name} for name in ("torch.func", "functorch"))
    tests = ["a", "b", "original"]
    whole = result(
        *(case(test=test, **CONFORMS, **here) for test in tests),
        case(requirement=SHOULD, **CONFORMS, **here),
        case(**CONFORMS, **there),
        implementations=["torch.func", "functorch"],
    )
    part = [case(test="a", **CONFORMS), case(test="b", **LEFT)]

    full = restrict_to_selection(whole, result(*part))
    core = restrict_to_selection(whole, result(*part, profile="core"))

    gone = compare(full, result(*part)).transitions
    assert [(each.change, each.tests) for each in gone] == [(Change.GONE, ("original",))]
    assert compare(core, result(*part, profile="core")).transitions == []
    lost = result(case(test="a", **CONFORMS), case(test="b", **LOST), profile="core")
    (moved,) = compare(restrict_to_selection(whole, lost), lost).transitions
    assert moved.change is Change.NO_LONGER_RUNS


def screen(old, new):
    return list(diff_text.diff_lines(compare(old, new)))


def test_the_screen_says_what_changed_from_what_to_what():
    old = result(case(**CONFORMS), case(requirement=SHOULD, **CONFORMS), torch="2.12.1", name="old.json")
    new = result(case(**FAILS), case(requirement=SHOULD, **KNOWN), name="new.json", device="cuda", seed=3)

    assert screen(old, new) == [
        "what changed from torch 2.12.1 cpu (old.json) to 2.13.0 cuda (new.json)",
        "also differs: device cpu -> cuda",
        "also differs: seed 0 -> 3",
        "regressed (must):",
        "  forward.a (torch.func): conforms -> fails, 1 of 1 cases: off by 3.1e-05",
        '      rerun: python -m conformance run "test_a[x]" --implementation torch.func --seed 3',
        "known failures, regressed:",
        "  stacking.b (torch.func): conforms -> known failure, 1 of 1 cases: a reason",
        "CHANGED: 1 regressed; known failures: 1 regressed",
    ]


def test_the_screen_says_that_nothing_changed():
    assert screen(result(), result(name="other.json")) == [
        "what changed from torch 2.13.0 (result.json) to 2.13.0 (other.json)",
        "CHANGED: nothing",
    ]


def test_implementations_that_moved_alike_are_told_together():
    both = [case(**KNOWN), case(implementation="functorch", **KNOWN)]
    fixed = [case(**CONFORMS), case(implementation="functorch", **CONFORMS)]
    names = ["torch.func", "functorch"]

    lines = screen(result(*both, implementations=names), result(*fixed, implementations=names))

    assert "  forward.a (torch.func, functorch): known failure -> conforms, 1 of 1 cases: a reason" in lines
    assert lines[-1] == "CHANGED: nothing but known failures; known failures: 1 fixed"


def test_many_that_no_longer_run_are_named_by_chapter():
    requirements = [f"forward.r{i}" for i in range(diff_sections.MAX_NAMED + 1)]
    spec = {name: type(MUST)(name, "must", "It works.", "docs") for name in requirements}
    ran = result(*(case(requirement=each, **CONFORMS) for each in spec.values()), spec=spec)

    lines = screen(ran, result(spec=spec))

    assert "no longer runs (must):" in lines
    assert f"  forward: {', '.join(each.partition('.')[2] for each in requirements)}" in lines
    few = screen(result(case(**CONFORMS)), result())
    assert "  forward.a (torch.func): conforms -> nothing" in few


def test_a_hostile_message_tells_the_terminal_nothing():
    lines = screen(result(case(**CONFORMS)), result(case("fails", message="\x1b[2J\u202eoff\n\n" * 500)))

    assert all(line.isprintable() for line in lines)
    assert len(lines) < 10

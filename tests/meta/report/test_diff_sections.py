"""Does a comparison put first what matters most, and does a strict one gate on it?"""

import pytest
from results import MUST, SHOULD, case, result

from conformance.report import diff_text
from conformance.report.case_change import Change
from conformance.report.diff import compare
from conformance.report.diff_sections import diff_sections, sorted_by_importance
from conformance.spec.requirements import Requirement

SILENT = {"status": "known failure", "message": "a reason", "effect": "wrong", "observed": "off by 3.1e-05"}
REFUSED = {"status": "known failure", "message": "a reason", "effect": "refused", "observed": "RuntimeError: no rule"}
CONFORMS = {"status": "conforms"}
FAILS = {"status": "fails", "message": "off"}
NOWHERE = {"status": "not applicable", "message": "no such device"}


def moved(old, new, level="must"):
    """The transition of one case of a requirement of that level."""
    asked = Requirement("forward.a", level, "It works.", "docs")
    spec = {asked.id: asked}
    stays = case("conforms", "test_stays", asked)
    results = [
        result(stays, *([case(test="test_moves", requirement=asked, **facts)] if facts else []), spec=spec)
        for facts in (old, new)
    ]
    (transition,) = compare(*results).transitions
    return transition


@pytest.mark.parametrize(
    ("old", "new", "level", "silent", "gating", "strict"),
    [
        (CONFORMS, SILENT, "should", True, False, True),
        (REFUSED, SILENT, "should", True, False, True),
        (REFUSED | {"effect": ""}, SILENT | {"message": "another"}, "should", True, False, True),
        (SILENT, SILENT | {"observed": "shape (3, 5)"}, "must", False, False, False),
        (SILENT, REFUSED, "must", False, False, False),
        (FAILS, SILENT, "must", False, False, False),
        (SILENT, FAILS, "must", False, True, True),
        (CONFORMS, REFUSED, "must", False, False, True),
        (CONFORMS, REFUSED, "should", False, False, False),
        (CONFORMS, FAILS, "should", False, True, True),
        (NOWHERE, SILENT, "must", False, False, False),
        (None, SILENT, "must", False, False, False),
        (SILENT, CONFORMS, "must", False, False, False),
    ],
)
def test_what_is_silent_and_what_gates(old, new, level, silent, gating, strict):
    transition = moved(old, new, level)

    assert (transition.silent, transition.gating, transition.gating_if_strict) == (silent, gating, strict)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (SILENT, SILENT | {"observed": "off by 4.7"}),
        (SILENT, SILENT | {"message": "another wording"}),
        (SILENT, SILENT | {"message": "another wording", "observed": ""}),
        (SILENT | {"observed": ""}, SILENT | {"observed": ""}),
    ],
    ids=["numbers", "reason", "older", "both-older"],
)
def test_a_known_failure_of_the_same_nature_has_not_changed(old, new):
    results = [result(case(**facts)) for facts in (old, new)]

    assert compare(*results).transitions == []


@pytest.mark.parametrize("new", [SILENT | {"observed": "shape (3, 5)"}, SILENT | {"effect": "crash"}])
def test_a_known_failure_that_changes_its_nature_is_a_change(new):
    transition = moved(SILENT, new)

    assert (transition.change, transition.known) == (Change.FAILS_DIFFERENTLY, True)
    assert (transition.was, transition.effect) == ("wrong", new["effect"])


REQUIREMENTS = {
    name: Requirement(f"forward.{name}", level, "It works.", "docs")
    for name, level in {
        "new": "must",
        "newly_run": "must",
        "newly_failing": "must",
        "fixed": "must",
        "helps": "should",
        "known_should": "should",
        "known_must": "must",
        "must": "must",
        "silent_should": "should",
        "silent_must": "must",
    }.items()
}
BEFORE = dict.fromkeys(REQUIREMENTS, CONFORMS) | {
    "new": None,
    "newly_run": NOWHERE,
    "newly_failing": NOWHERE,
    "fixed": FAILS,
}
AFTER = {
    "new": SILENT,
    "newly_run": CONFORMS,
    "newly_failing": FAILS,
    "fixed": CONFORMS,
    "helps": FAILS,
    "known_should": REFUSED,
    "known_must": REFUSED,
    "must": FAILS,
    "silent_should": SILENT,
    "silent_must": SILENT,
}


def whole(state):
    spec = {each.id: each for each in REQUIREMENTS.values()}
    kept = [case("conforms", "test_stays", each) for each in spec.values()]
    return result(
        *kept, *(case(requirement=REQUIREMENTS[name], **facts) for name, facts in state.items() if facts), spec=spec
    )


def test_silent_failures_come_first_then_musts_and_what_is_newly_asked_last():
    difference = compare(whole(BEFORE), whole(AFTER))

    sections = diff_sections(difference.transitions)

    assert {
        section.title: [line.split(" ")[0] for line in section.lines if line[0] != " "] for section in sections
    } == {
        "new silent failures": ["forward.silent_must", "forward.silent_should"],
        "regressed (must)": ["forward.must"],
        "known failures, regressed (must)": ["forward.known_must"],
        "regressed": ["forward.helps"],
        "known failures, regressed": ["forward.known_should"],
        "fixed": ["forward.fixed"],
        "newly runs and fails": ["forward.newly_failing"],
        "newly runs": ["forward.newly_run"],
        "known failures, new": ["forward.new"],
    }
    assert [section.title for section in sections if section.gating] == ["regressed (must)", "regressed"]
    assert (
        sections[0].lines[0].startswith("forward.silent_must (torch.func): conforms -> known failure, silently wrong")
    )
    assert [each.requirement for each in sorted_by_importance(difference.transitions)][:2] == [
        "forward.silent_should",
        "forward.silent_must",
    ]
    assert diff_text.diff_summary(difference) == (
        "CHANGED: 2 new silent failures; 2 regressed, 1 fixed, 2 newly runs; known failures: 2 regressed, 1 new"
    )


def test_one_silent_failure_is_counted_in_the_singular():
    difference = compare(result(case(**CONFORMS)), result(case(**SILENT)))

    assert diff_text.diff_summary(difference) == "CHANGED: 1 new silent failure"


def test_what_is_observed_otherwise_is_shown():
    difference = compare(result(case(**SILENT)), result(case(**SILENT | {"effect": "crash", "observed": "killed"})))

    lines = list(diff_text.diff_lines(difference))

    assert (
        "  forward.a (torch.func): known failure, silently wrong -> known failure, crash, 1 of 1 cases: a reason"
        in lines
    )
    assert "      observed: killed" in lines


def test_a_worse_must_stands_before_a_should_in_a_section():
    old = result(case(requirement=SHOULD, **CONFORMS), case(requirement=MUST, **CONFORMS))
    (section,) = diff_sections(compare(old, result(case(requirement=SHOULD, **SILENT), case(**SILENT))).transitions)

    assert [line.split(" ")[0] for line in section.lines] == [MUST.id, SHOULD.id]

"""Does --repeat ask each case so many times, and is one that answers differently unstable?"""

from types import SimpleNamespace

import pytest

from conformance.plugin import repetition
from conformance.plugin.repetition import MAX_ANSWERS, Repetition, combine_rounds
from conformance.plugin.selection import NOT_APPLICABLE
from conformance.report.results import Finding, Status
from conformance.utils.exit_codes import ExitCode

TEST = "tests/test_forward.py::test_a[torch.func]"
CELL = [("cell", {"table": "optimizers"})]
PASSED = Finding(Status.CONFORMS, budget_share=0.2)
KNOWN = Finding(Status.KNOWN_FAILURE, "a reason")


def failed(message, **facts):
    return Finding(Status.FAILS, message, **facts)


def report(when, finding=None, outcome="passed", longrepr=None):
    made = pytest.TestReport(TEST, ("a", 1, "b"), {}, outcome, longrepr, when, user_properties=CELL)
    if finding is not None:
        made.conformance = finding
    return made


def a_round(finding, *more):
    outcome = {Status.CONFORMS: "passed", Status.FAILS: "failed"}.get(finding.status, "skipped")
    return [report("setup"), report("call", finding, outcome, f"traceback of {finding.message}"), *more]


def combined(*rounds):
    return combine_rounds(SimpleNamespace(nodeid=TEST, location=("a", 1, "b")), rounds, seed=7)


def finding_of(reports):
    (found,) = [each.conformance for each in reports if hasattr(each, "conformance")]
    return found


def test_answers_that_differ_in_numbers_alone_are_the_same():
    least, most = a_round(failed("off by 3.1e-05", budget_share=2.0)), a_round(failed("off by 4e-5", budget_share=3.0))

    assert combined(least, most, least) is most


def test_a_case_that_answers_differently_is_unstable_and_named_with_all_answers():
    wrong = failed("off by 3", budget_share=1.5, layer="vmap", script="import torch")

    sent = combined(a_round(PASSED), a_round(wrong), a_round(failed("off by 4")), a_round(PASSED), a_round(PASSED))

    assert [(each.when, each.outcome) for each in sent] == [
        ("setup", "passed"),
        ("call", "failed"),
        ("teardown", "passed"),
    ]
    found = finding_of(sent)
    assert found.status is Status.UNSTABLE
    assert found.message == "'conforms' in 3 of 5, 'fails: off by 3' in 2 of 5, seed 7"
    assert (found.budget_share, found.layer, found.script) == (1.5, "vmap", "import torch")
    assert "traceback of off by 3" in sent[1].longreprtext
    assert sent[1].user_properties == CELL


def test_a_known_failure_that_passes_once_is_unstable():
    stale = failed("[XPASS(strict)] a reason")

    found = finding_of(combined(a_round(KNOWN), a_round(stale)))

    assert found.status is Status.UNSTABLE
    assert found.message == "'fails: [XPASS(strict)] a reason' in 1 of 2, 'known failure: a reason' in 1 of 2, seed 7"


def test_a_case_that_ends_without_an_answer_once_is_unstable_and_not_lost():
    lost = Finding(Status.NOT_RUN, "skipped", lost=True)

    sent = combined(a_round(lost), a_round(Finding(Status.CONFORMS)))

    assert (finding_of(sent).lost, finding_of(sent).budget_share) == (False, None)
    assert sent[1].failed


def test_a_failure_of_the_teardown_counts():
    torn = report("teardown", failed("left something behind"), "failed")

    assert finding_of(combined(a_round(PASSED), a_round(PASSED, torn))).message.startswith("'conforms' in 1 of 2, 'fai")


def test_of_many_answers_the_first_are_named():
    answers = [failed(f"said {'x' * number}") for number in range(MAX_ANSWERS + 2)]

    message = finding_of(combined(*map(a_round, answers))).message

    assert message.count(" in 1 of ") == MAX_ANSWERS
    assert message.endswith(", 2 more answers, seed 7")


def test_no_time_sees_what_the_last_one_left_and_a_run_that_stops_asks_no_more(monkeypatch):
    run = SimpleNamespace(collected={TEST})
    session = SimpleNamespace(shouldstop=False)
    printed = []
    item = SimpleNamespace(
        nodeid=TEST, session=session, stash=pytest.Stash(), user_properties=[], _report_sections=printed
    )
    seen = []

    def once(item, log, nextitem):
        seen.append((list(item.user_properties), list(printed), NOT_APPLICABLE in item.stash))
        item.user_properties.append("cell")
        printed.append("printed")
        item.stash[NOT_APPLICABLE] = "no such device"
        return len(seen)

    monkeypatch.setattr(repetition, "runtestprotocol", once)
    asked = Repetition(run, 5)
    assert asked.pytest_runtest_protocol_once(item, None) is None
    asked.asking = True

    asked.pytest_runtest_protocol_once(item, None)
    asked.pytest_runtest_protocol_once(item, None)
    session.shouldstop = "environment failed"
    asked.pytest_runtest_protocol_once(item, None)

    assert seen == [([], [], False)] * 2
    assert asked.rounds == [1, 2]


def test_a_race_is_found_and_fails_the_run(run_suite):
    asked = ("--implementation=broken:Alternating", "--requirement=stacking.sequences")

    outcome = run_suite(*asked, "--repeat=3", "-v")

    assert outcome.code == ExitCode.NEGATIVE
    assert outcome.statuses()["stacking.sequences", "broken:Alternating"] == "unstable"
    assert "each case 3 times" in outcome.printed
    cases = [case for row in outcome.result["requirements"] for case in row["cases"]]
    assert len(cases) == 3
    for case in cases:
        assert case["status"] == "unstable"
        assert case["message"].startswith("'conforms' in 2 of 3, 'fails: RuntimeError: race ")
        assert "--repeat=3" in case["rerun"]
    assert f"UNSTABLE stacking.sequences (broken:Alternating): {cases[0]['message'][:30]}" in outcome.printed

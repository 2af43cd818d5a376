"""Does the code under test have no say in the outcome of its test?"""

import pytest

from conformance.utils.exit_codes import ExitCode

SEQUENCES = "--requirement=stacking.sequences"


def cases(outcome):
    return [case for row in outcome.result["requirements"] for case in row["cases"]]


def test_only_an_expectation_makes_a_failure_a_known_one(run_suite):
    outcome = run_suite("--implementation=broken:Xfailing", SEQUENCES)

    assert outcome.code == ExitCode.NEGATIVE
    assert {case["status"] for case in cases(outcome)} == {"fails"}
    assert {case["message"] for case in cases(outcome)} == {r"pytest.xfail was called: known \ud800"}


def test_code_that_interrupts_leaves_the_run_incomplete(run_suite):
    outcome = run_suite("--implementation=broken:Interrupting", SEQUENCES)

    assert outcome.code == ExitCode.INTERRUPTED
    assert outcome.result["verdict"].startswith("INCOMPLETE: interrupted; ")
    assert {case["status"] for case in cases(outcome)} == {"not run"}


def test_a_failure_that_can_not_be_reported_is_a_failure(run_suite):
    class Loud:
        def pytest_runtest_makereport(self, call):
            if call.when == "call":
                raise RuntimeError("no report")

    outcome = run_suite("--implementation=torch.func", SEQUENCES, plugins=[Loud()])

    assert outcome.code == ExitCode.NEGATIVE
    assert {case["status"] for case in cases(outcome)} == {"fails"}
    assert all("no report" in case["message"] for case in cases(outcome)), cases(outcome)


def test_a_skip_in_the_code_is_no_answer(run_suite):
    outcome = run_suite("--implementation=broken:Skipping", SEQUENCES)

    assert outcome.code == pytest.ExitCode.TESTS_FAILED
    assert {case["lost"] for case in cases(outcome)} == {True}

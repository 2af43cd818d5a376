"""Do cases fold into the status of a requirement, and statuses into the verdict?"""

import pytest
from requirement_results import case, judge
from results import SHOULD, SPEC

from conformance.report.results import (
    Status,
    combine_statuses,
    incomplete_verdict,
    requirement_results,
)


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ([], Status.NOT_RUN),
        ([Status.CONFORMS, Status.CONFORMS], Status.CONFORMS),
        ([Status.CONFORMS, Status.NOT_APPLICABLE], Status.CONFORMS),
        ([Status.NOT_APPLICABLE], Status.NOT_APPLICABLE),
        ([Status.CONFORMS, Status.NOT_RUN], Status.NOT_RUN),
        ([Status.KNOWN_FAILURE, Status.NOT_RUN, Status.CONFORMS], Status.KNOWN_FAILURE),
        ([Status.FAILS, Status.KNOWN_FAILURE, Status.NOT_RUN], Status.FAILS),
    ],
    ids=str,
)
def test_the_worst_that_is_known_counts(statuses, expected):
    assert combine_statuses([case(status) for status in statuses]) is expected


def test_a_case_that_got_lost_leaves_its_requirement_without_an_answer():
    lost = case(Status.NOT_RUN, lost=True)

    assert combine_statuses([lost, case(Status.KNOWN_FAILURE)]) is Status.NOT_RUN
    assert combine_statuses([lost, case(Status.FAILS)]) is Status.FAILS


@pytest.mark.parametrize(
    ("cases", "conforms", "sentence"),
    [
        (
            [case(Status.CONFORMS), case(Status.KNOWN_FAILURE, SHOULD)],
            True,
            "CONFORMS: 2 requirements; 1 known failures; everything was run",
        ),
        (
            [case(Status.FAILS), case(Status.CONFORMS, SHOULD)],
            False,
            "DOES NOT CONFORM: 1 of 2 requirements fail; 0 known failures; everything was run",
        ),
        ([case(Status.CONFORMS)], True, "CONFORMS AS FAR AS RUN: 1 not run of 2 requirements; 0 known failures"),
        ([case(Status.CONFORMS), case(Status.NOT_RUN, SHOULD, lost=True)], False, "INCOMPLETE: 1 selected tests ended"),
        ([case(Status.NOT_APPLICABLE)], False, "NO VERDICT: none of 2 requirements could be judged"),
        ([], False, "NO VERDICT: none of 2 requirements could be judged"),
    ],
    ids=["conforms", "fails", "in-part", "lost", "not-applicable", "nothing"],
)
def test_the_verdict_says_what_is_known(cases, conforms, sentence):
    answer = judge(*cases)

    assert answer.conforms is conforms
    assert answer.sentence.startswith(sentence)


def test_a_certificate_needs_every_must():
    assert judge(case(Status.CONFORMS), certify=True).conforms
    answer = judge(case(Status.CONFORMS, SHOULD), certify=True)
    assert (answer.conforms, answer.sentence) == (
        False,
        "NOT CERTIFIED: 1 requirements of level must were not run; 0 known failures",
    )


def test_an_environment_that_failed_has_its_own_sentence():
    table = requirement_results(SPEC, ["torch.func"], [case(Status.FAILS), case(Status.NOT_RUN, SHOULD, lost=True)])

    answer = incomplete_verdict(table, "ENVIRONMENT FAILED: after test_a[x]: it is gone")

    assert not answer.conforms
    assert answer.sentence == (
        "ENVIRONMENT FAILED: after test_a[x]: it is gone; 1 of 2 requirements were judged until then, 1 fail"
    )

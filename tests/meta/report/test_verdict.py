"""Does the verdict say what is known, in the four words that it has?"""

import pytest
from requirement_results import case, judge
from results import SHOULD, SPEC

from conformance.report.results import Status, requirement_results
from conformance.report.verdict import incomplete_verdict

WRONG = case(Status.KNOWN_FAILURE, effect="wrong")
RECORDED = "1 of 2 fail as recorded, 1 of them musts, 1 with silently wrong results"


@pytest.mark.parametrize(
    ("cases", "conforms", "sentence"),
    [
        ([case(Status.CONFORMS), case(Status.CONFORMS, SHOULD)], True, "CONFORMS: none of 2 requirements fails"),
        ([WRONG, case(Status.CONFORMS, SHOULD)], True, f"NO NEW FAILURES: {RECORDED}"),
        (
            [case(Status.CONFORMS), case(Status.KNOWN_FAILURE, SHOULD, effect="refused")],
            True,
            "NO NEW FAILURES: 1 of 2 fail as recorded, 0 of them musts, 0 with silently wrong results",
        ),
        (
            [case(Status.FAILS), case(Status.CONFORMS, SHOULD)],
            False,
            "DOES NOT CONFORM: 1 of 2 requirements fail",
        ),
        (
            [WRONG, case(Status.FAILS, SHOULD)],
            False,
            f"DOES NOT CONFORM: 1 of 2 requirements fail; {RECORDED}",
        ),
        (
            [case(Status.UNSTABLE), case(Status.FAILS, SHOULD)],
            False,
            "DOES NOT CONFORM: 2 of 2 requirements fail, 1 of them unstable",
        ),
        (
            [case(Status.CONFORMS)],
            True,
            "CONFORMS AS FAR AS RUN: none of 2 requirements fails; 1 were not run, or not in full",
        ),
        ([WRONG], True, f"NO NEW FAILURES AS FAR AS RUN: {RECORDED}; 1 were not run, or not in full"),
        (
            [case(Status.CONFORMS), case(Status.NOT_RUN, SHOULD, lost=True)],
            False,
            "INCOMPLETE: 1 selected tests ended without an answer; 1 were not run, or not in full",
        ),
        ([case(Status.NOT_APPLICABLE)], False, "INCOMPLETE: none of 2 requirements could be judged"),
        ([], False, "INCOMPLETE: none of 2 requirements could be judged"),
    ],
    ids=[
        "conforms",
        "known",
        "refused",
        "fails",
        "fails-and-known",
        "unstable",
        "in-part",
        "known-in-part",
        "lost",
        "not-applicable",
        "nothing",
    ],
)
def test_the_verdict_says_what_is_known(cases, conforms, sentence):
    answer = judge(*cases)

    assert (answer.conforms, answer.sentence) == (conforms, sentence)


def test_a_certificate_needs_every_must():
    assert judge(case(Status.CONFORMS), certify=True).conforms
    answer = judge(case(Status.CONFORMS, SHOULD), certify=True)
    assert (answer.conforms, answer.sentence) == (
        False,
        "INCOMPLETE: 1 requirements of level must were not run; 1 were not run, or not in full",
    )


def test_an_environment_that_failed_has_its_own_sentence():
    table = requirement_results(SPEC, ["torch.func"], [case(Status.FAILS), case(Status.NOT_RUN, SHOULD, lost=True)])

    answer = incomplete_verdict(table, "ENVIRONMENT FAILED: after test_a[x]: it is gone")

    assert not answer.conforms
    assert answer.sentence == (
        "ENVIRONMENT FAILED: after test_a[x]: it is gone; 1 of 2 requirements were judged until then, 1 fail"
    )

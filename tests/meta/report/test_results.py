"""Do cases fold into the status of a requirement?"""

import pytest
from requirement_results import case
from results import SPEC

from conformance.report.results import (
    Status,
    combine_statuses,
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


def test_the_effect_of_a_requirement_is_the_worst_of_its_known_failures():
    cases = [case(Status.KNOWN_FAILURE, effect=effect) for effect in ("refused", "unclear", "crash")]
    (row, _) = requirement_results(SPEC, ["torch.func"], [*cases, case(Status.CONFORMS)])
    (other, _) = requirement_results(SPEC, ["torch.func"], [case(Status.CONFORMS)])

    assert row.effect == "crash"
    assert other.effect == ""

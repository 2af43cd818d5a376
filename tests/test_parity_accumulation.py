"""Do long sums, large tensors and repeated runs have the loop's precision?"""

import pytest
import torch

from conformance.cases import smooth_cases
from conformance.cases.data import OWN_AND_SHARED
from conformance.cases.members import MEMBERS
from conformance.cases.numeric_settings import AUTOCASTS, LIBRARIES, NO_SETTING
from conformance.numerics.assertions import assert_distinct, assert_members_close, assert_same
from conformance.utils.torch_settings import Threads, deterministic
from conformance.workloads import precision
from conformance.workloads.precision import PrecisionRun, Setup


@pytest.mark.requirement("parity.accumulation")
@pytest.mark.parametrize(
    "setup",
    [
        Setup(smooth_cases.LONG_SUM, dtype, setting)
        for dtype in (torch.bfloat16, torch.float16)
        for setting in (NO_SETTING, *LIBRARIES)
    ],
    ids=str,
)
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
def test_long_sums_are_accumulated_as_in_the_loop(implementation, device, setup, data):
    exercise = PrecisionRun(setup, data, device)
    expected = exercise.loop(precision.output_under_setting)

    actual = exercise.ensemble_output(implementation)

    assert_distinct(*actual["output"])
    assert_members_close(actual, expected, "result")


@pytest.mark.requirement("parity.threads")
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"], indirect=True)
@pytest.mark.parametrize("threads", [Threads(1), Threads(2)], ids=str)
def test_what_threads_share_out_is_the_loops_to_rounding(implementation, device, dtype, threads):
    exercise = PrecisionRun(Setup(smooth_cases.WIDE, dtype), 0, device, samples=101)
    with Threads(1).at_work():
        output, gradients = (
            exercise.loop(precision.output_under_setting),
            exercise.loop(precision.gradients_under_setting),
        )

    with threads.at_work():
        actual_output, actual_gradients = (
            exercise.ensemble_output(implementation),
            exercise.ensemble_gradients(implementation),
        )

    assert MEMBERS * 101 * 131 > 2 * 32768, "no second thread has anything to do"
    assert_members_close(actual_output, output, "result")
    assert_members_close(actual_gradients, gradients, "gradient")


@pytest.mark.requirement("parity.repeated")
@pytest.mark.parametrize(
    "setup",
    [
        *(Setup(case, dtype) for case in smooth_cases.ALL for dtype in (torch.bfloat16, torch.float16)),
        *(Setup(case, torch.float32, setting) for case in smooth_cases.ALL for setting in (*LIBRARIES, *AUTOCASTS)),
    ],
    ids=str,
)
def test_a_run_that_is_repeated_is_bitwise_the_same(implementation, device, setup):
    exercise = PrecisionRun(setup, 0, device)

    with deterministic():
        first, again = (
            {**exercise.ensemble_output(implementation), **exercise.ensemble_gradients(implementation)}
            for _ in range(2)
        )

    assert_distinct(*first["output"])
    assert_same(again, first, "result")

"""Does channels_last change only the layout of a result, in every dtype?"""

import pytest
import torch

from conformance.cases import smooth_cases
from conformance.cases.data import draw
from conformance.cases.members import MEMBERS
from conformance.cases.numeric_settings import AUTOCASTS, LIBRARIES
from conformance.numerics.assertions import assert_distinct, assert_members_close, refuses
from conformance.workloads import precision
from conformance.workloads.precision import PrecisionRun, Setup

DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
CASES = (smooth_cases.SMOOTH_CNN, smooth_cases.SMOOTH_NORM)


def channels_last(images):
    """Return the same images, each minibatch in channels_last."""
    laid_out = images.flatten(0, -4).contiguous(memory_format=torch.channels_last).unflatten(0, images.shape[:-3])
    assert laid_out.stride(-3) == 1
    return laid_out


@pytest.mark.requirement("parity.channels_last")
@pytest.mark.parametrize(
    "setup",
    [
        *(Setup(case, dtype) for case in CASES for dtype in DTYPES),
        *(Setup(case, torch.float32, setting) for case in CASES for setting in (*LIBRARIES, AUTOCASTS[0])),
    ],
    ids=str,
)
@pytest.mark.parametrize("what", ["images", "weights", "both"])
def test_channels_last_changes_no_number(implementation, device, setup, what):
    exercise = PrecisionRun(setup, 0, device)
    lesson = exercise.task
    if what != "images":
        lesson.models = [model.to(memory_format=torch.channels_last) for model in lesson.models]
        assert not all(parameter.is_contiguous() for parameter in lesson.models[0].parameters())
    if what != "weights":
        lesson.x = channels_last(lesson.x)
    output, gradients = exercise.loop(precision.output_under_setting), exercise.loop(precision.gradients_under_setting)

    actual_output, actual_gradients = (
        exercise.ensemble_output(implementation),
        exercise.ensemble_gradients(implementation),
    )

    assert_distinct(*actual_output["output"])
    assert_members_close(actual_output, output, "result")
    assert_members_close(actual_gradients, gradients, "gradient")


ASKING = {
    "contiguous": lambda x: x.contiguous(memory_format=torch.channels_last),
    "is_contiguous": lambda x: x.is_contiguous(memory_format=torch.channels_last),
    "to": lambda x: x.to(memory_format=torch.channels_last),
    "clone": lambda x: x.clone(memory_format=torch.channels_last),
    "empty_like": lambda x: torch.empty_like(x, memory_format=torch.channels_last),
}


@pytest.mark.requirement("parity.channels_last_asked")
@pytest.mark.parametrize("name", ASKING)
def test_a_member_that_asks_for_channels_last_is_refused_by_name(implementation, device, name):
    images = draw(MEMBERS, 7, 2, 8, 8, device=device)
    for each in images:
        ASKING[name](each)
    mapped = implementation.vmap(ASKING[name])

    with refuses("memory_format|channels_last"):
        mapped(images)

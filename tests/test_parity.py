"""Are an ensemble's numbers the loop's in every dtype and under every numerics setting?"""

import pytest
import torch

from conformance.cases import smooth_cases
from conformance.cases.numeric_settings import AUTOCASTS, BACKENDS, LIBRARIES, NO_SETTING
from conformance.cases.training_cases import LAYER_NORM
from conformance.numerics.assertions import assert_distinct, assert_members_close
from conformance.workloads import precision
from conformance.workloads.precision import PrecisionRun, Setup

# torch warns that complex modules are a new feature.
pytestmark = pytest.mark.filterwarnings("ignore:Complex modules are a new feature")

HALVES = (torch.bfloat16, torch.float16)
COMPLEX = [Setup(case, dtype) for dtype, case in smooth_cases.COMPLEX.items()]
# Threads are set only for cases with enough work to share.
SETTINGS = (*BACKENDS, *AUTOCASTS)


def reals(*cases):
    return [Setup(case, dtype) for case in cases for dtype in (torch.float32, torch.float64, *HALVES)]


def under(dtype, settings, *cases):
    return [Setup(case, dtype, setting) for case in cases for setting in settings]


def setups(*cases):
    return [
        *reals(*cases),
        *under(torch.float32, SETTINGS, *cases),
        # The coarser settings apply to float32.
        *under(torch.bfloat16, LIBRARIES, *cases),
    ]


def own_and_shared(*found):
    """Return the parametrization over these setups: own minibatches, and without settings a shared one too."""
    pairs = [*((0, setup) for setup in found), *((None, setup) for setup in found if setup.setting is NO_SETTING)]
    names = [f"{'own' if data == 0 else 'shared'}-{setup}" for data, setup in pairs]
    return pytest.mark.parametrize(("data", "setup"), pairs, ids=names)


@pytest.mark.requirement("parity.plain_loop")
@pytest.mark.parametrize(
    "setup", [*setups(smooth_cases.SMOOTH_CNN), *reals(smooth_cases.SMOOTH_NORM, LAYER_NORM), *COMPLEX], ids=str
)
def test_the_plain_loop_is_right_to_rounding(implementation, device, setup):
    exercise = PrecisionRun(setup, 0, device)

    answers = [
        exercise.loop(quantity) for quantity in (precision.output_under_setting, precision.gradients_under_setting)
    ]

    assert_distinct(*(value["output"] for value in answers[0].values))
    assert_distinct(*(value["input"] for value in answers[1].values))


@pytest.mark.requirement("parity.forward")
@own_and_shared(*setups(*smooth_cases.PURE), *COMPLEX)
def test_the_output_is_the_loops_to_rounding(implementation, device, setup, data):
    exercise = PrecisionRun(setup, data, device)
    expected = exercise.loop(precision.output_under_setting)

    actual = exercise.ensemble_output(implementation)

    assert_distinct(*actual["output"])
    assert_members_close(actual, expected, "result")


@pytest.mark.requirement("parity.buffers")
@own_and_shared(*setups(smooth_cases.SMOOTH_NORM))
def test_the_statistics_of_batch_norm_are_the_loops_to_rounding(implementation, device, setup, data):
    exercise = PrecisionRun(setup, data, device)
    expected = exercise.loop(precision.output_under_setting)

    actual = exercise.ensemble_output(implementation)

    for name, buffer in actual["buffers"].items():
        assert_distinct(*buffer)
        assert_distinct(buffer, torch.stack([model.get_buffer(name) for model in exercise.task.models]))
    assert_members_close(actual, expected, "result")


@pytest.mark.requirement("parity.gradients")
@pytest.mark.parametrize("setup", [*setups(*smooth_cases.ALL), *COMPLEX], ids=str)
def test_backward_gives_parameters_and_minibatches_the_loops_gradient(implementation, device, setup):
    exercise = PrecisionRun(setup, 0, device)
    expected = exercise.loop(precision.gradients_under_setting)

    actual = exercise.ensemble_gradients(implementation)

    assert_distinct(*actual["input"])
    assert_members_close(actual, expected, "gradient")


@pytest.mark.requirement("parity.grad")
@own_and_shared(*setups(*smooth_cases.PURE), *COMPLEX)
def test_grad_inside_vmap_is_the_gradient_of_the_loop(implementation, device, setup, data):
    exercise = PrecisionRun(setup, data, device)
    expected = exercise.loop(precision.grad_under_setting)

    actual = exercise.ensemble_grad(implementation)

    assert_distinct(*actual["input"])
    assert_members_close(actual, expected, "gradient")


@pytest.mark.requirement("parity.step")
@pytest.mark.parametrize(
    "setup", [*reals(*smooth_cases.ALL), *under(torch.float32, AUTOCASTS, *smooth_cases.ALL), *COMPLEX], ids=str
)
def test_a_step_leaves_the_parameters_and_the_momentum_of_the_loop(implementation, device, setup):
    exercise = PrecisionRun(setup, 0, device)
    expected = exercise.loop(precision.step_under_setting)

    actual = exercise.ensemble_step(implementation)

    for name, parameter in actual["params"].items():
        assert_distinct(parameter, torch.stack([model.get_parameter(name) for model in exercise.task.models]))
    assert_members_close(actual, expected, "learned")


@pytest.mark.requirement("parity.float64")
@pytest.mark.parametrize("setup", under(torch.float64, SETTINGS, *smooth_cases.ALL), ids=str)
def test_no_setting_makes_float64_coarser(implementation, device, setup):
    exercise = PrecisionRun(setup, 0, device)
    output, gradients = exercise.loop(precision.output_under_setting), exercise.loop(precision.gradients_under_setting)

    actual_output, actual_gradients = (
        exercise.ensemble_output(implementation),
        exercise.ensemble_gradients(implementation),
    )

    assert_members_close(actual_output, output, "result")
    assert_members_close(actual_gradients, gradients, "gradient")

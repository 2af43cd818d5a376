"""Is the budget of every precision and setting wide enough for what is right, and is a wrong loop told from a vmap?"""

from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch
from derive_parity import QUANTITIES, measured
from torch import nn
from torch.nn import functional as F

from conformance.cases import smooth_cases
from conformance.cases.numeric_settings import AUTOCASTS, EVERYTHING, NO_SETTING, NumericSetting
from conformance.cases.operations.autocast_ops import OPERATIONS, AutocastOperation
from conformance.cases.training_cases import LAYER_NORM
from conformance.implementations.torch_func import TorchFunc
from conformance.numerics.budget import FACTOR
from conformance.numerics.plain_loop import PlainLoopError, loop
from conformance.workloads import precision
from conformance.workloads.precision import MAX_GRADIENT_ROUNDINGS, MAX_OUTPUT_ROUNDINGS, PrecisionRun, Setup

CPU, META = torch.device("cpu"), torch.device("meta")
BF16 = Setup(LAYER_NORM, torch.bfloat16)


@pytest.mark.parametrize("quantity", QUANTITIES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16], ids=str)
def test_a_correct_ensemble_and_a_correct_loop_stay_far_from_their_budgets(quantity, dtype):
    setup = Setup(smooth_cases.SMOOTH_CNN, dtype)

    found = [pair for seed in range(10) for pair in measured(setup, quantity, seed)]

    assert max(ratio for ratio, _ in found) < FACTOR / 2
    assert max(own for _, own in found) < (MAX_OUTPUT_ROUNDINGS if quantity == "output" else MAX_GRADIENT_ROUNDINGS) / 2


def test_a_setup_says_what_it_is_and_what_it_rounds():
    assert str(BF16) == "LayerNorm-bfloat16"
    assert str(Setup(LAYER_NORM, torch.float32, AUTOCASTS[0])) == "LayerNorm-float32-autocast-bfloat16-around"
    assert BF16.rounding == 2**-7
    assert Setup(LAYER_NORM, torch.float32, AUTOCASTS[0]).rounding == 2**-7
    assert Setup(LAYER_NORM, torch.float64, AUTOCASTS[0]).rounding == 2**-52
    assert Setup(LAYER_NORM, torch.float32).rounding == 2**-23


class Refusing(nn.Linear):
    """A module without a kernel for bfloat16."""

    def forward(self, x):
        if x.dtype == torch.bfloat16:
            raise RuntimeError("\"linear\" not implemented for 'BFloat16'")
        raise RuntimeError("out of memory")


REFUSING = replace(LAYER_NORM, factory=lambda: Refusing(3, 2))


def test_what_a_case_has_no_kernel_for_is_not_applicable_in_torchs_words():
    assert (
        Setup(REFUSING, torch.bfloat16).unavailable_reason(CPU)
        == "cpu can't: \"linear\" not implemented for 'BFloat16'"
    )
    assert BF16.unavailable_reason(CPU) is None
    assert BF16.unavailable_reason(META).startswith("meta can't compute in torch.bfloat16: ")


def test_any_other_failure_of_a_case_is_for_its_test_to_report():
    setup = Setup(REFUSING, torch.float32)

    assert setup.unavailable_reason(CPU) is None
    with pytest.raises(PlainLoopError, match="out of memory"):
        PrecisionRun(setup, 0, CPU).loop(precision.output_under_setting)


def test_a_loop_that_is_wrong_itself_is_said_to_be(monkeypatch):
    linear = F.linear
    monkeypatch.setattr(F, "linear", lambda x, *rest: linear(x, *rest) * (1.001 if x.dtype == torch.float32 else 1))
    exercise = PrecisionRun(Setup(LAYER_NORM, torch.float32), 0, CPU)

    with pytest.raises(
        PlainLoopError, match=r"the plain loop itself is wrong: member 0: the loop's\['output'\] differs"
    ):
        exercise.loop(precision.output_under_setting)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_the_truth_is_computed_without_the_setting(dtype):
    exercise = PrecisionRun(Setup(LAYER_NORM, dtype, AUTOCASTS[0]), 0, CPU)
    plain = PrecisionRun(Setup(LAYER_NORM, dtype), 0, CPU)

    under, without = exercise.loop(precision.gradients_under_setting), plain.loop(precision.gradients_under_setting)

    for ours, theirs in zip(under.truth, without.truth, strict=True):
        assert torch.equal(ours["input"], theirs["input"])
    coarse = [bool((a["input"] != b["input"]).any()) for a, b in zip(under.values, without.values, strict=True)]
    assert all(coarse) if dtype == torch.float32 else not any(coarse)
    if dtype == torch.float64:
        assert all(torch.equal(a["input"], b["input"]) for a, b in zip(under.sample, without.sample, strict=True))


def test_a_setting_around_everything_is_set_for_the_loop_and_not_for_the_truth():
    seen = []

    class Seen:
        def __enter__(self):
            seen.append("in")

        def __exit__(self, *_):
            seen.append("out")

    setting = NumericSetting("seen", lambda _: Seen(), lambda _: None)
    exercise = PrecisionRun(Setup(LAYER_NORM, torch.float32, setting), 0, CPU, n=2)

    exercise.loop(precision.output_under_setting)

    assert seen == ["in", "out"] * 2 * precision.ERROR_DRAWS


def test_what_a_function_runs_under_is_left_out_of_the_truth():
    inputs = [torch.ones(2), 2 * torch.ones(2)]

    answer = loop(lambda _, x: x * 1.5, [nn.Identity()] * 2, inputs, plain=lambda _, x: x)

    assert [float(value[0]) for value in answer.values] == [1.5, 3]
    assert [float(truth[0]) for truth in answer.truth] == [1, 2]


def test_everything_starts_from_full_precision():
    exercise = PrecisionRun(Setup(LAYER_NORM, torch.float32, NO_SETTING), 0, CPU)
    before = torch.get_float32_matmul_precision()

    with exercise.around(EVERYTHING):
        assert torch.get_float32_matmul_precision() == "highest"

    assert torch.get_float32_matmul_precision() == before


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_under_autocast_works_on_the_cpu(name):
    assert AutocastOperation(name, torch.bfloat16).unavailable_reason(CPU) is None
    assert str(AutocastOperation(name, torch.bfloat16)) == f"{name}-bfloat16"


def test_an_operation_that_a_device_lacks_says_so_in_its_words(monkeypatch):
    assert (
        AutocastOperation("mm", torch.bfloat16)
        .unavailable_reason(META)
        .startswith("meta can't under autocast to torch.bfloat16: ")
    )
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())
    assert AutocastOperation("mm", torch.bfloat16).unavailable_reason(CPU) is None


@pytest.mark.filterwarnings("ignore:Complex modules are a new feature")
def test_an_ensemble_in_complex_numbers_has_imaginary_parts():
    exercise = PrecisionRun(Setup(smooth_cases.COMPLEX[torch.complex64], torch.complex64), 0, CPU)

    for tensor in (exercise.task.x, exercise.task.target, exercise.ensemble_output(TorchFunc())["output"]):
        assert bool((tensor.imag != 0).all())

"""Does a run go on when torch warns or raises where it is only asked what it can do?"""

import warnings
from itertools import count

import pytest
import torch
from suite_runs import ONE, STACKING

from conformance.cases import numeric_settings
from conformance.cases.operations import inplace_op, random_op
from conformance.cases.optimizers import OptimizerConfig
from conformance.cases.side_effects import NumpyFunction
from conformance.spec.locations import SUITE
from conformance.utils.probing import ask, ignored_autocast_raises, without_warnings
from conformance.utils.text import describe_error

SETTINGS = ["--implementation=torch.func", "--requirement=parity.plain_loop", "-k", "matmul-high"]
PARITY = [f"{SUITE}/test_parity.py"]
TF32 = "Please use the new API settings to control TF32 behavior, such as torch.backends.cudnn.conv.fp32_precision"
OTHER = "is read by a name of its own"


@pytest.fixture
def unasked():
    """Probes are answered once per process; here they are asked again, before and after."""
    probes = (numeric_settings._no_effect_reason, inplace_op._failure_message, random_op._failure_message)  # noqa: SLF001
    for probe in probes:
        probe.cache_clear()
    yield
    for probe in probes:
        probe.cache_clear()


def warning(message, category):
    """Return a function that warns as torch does, at the line that calls it, and then computes as `original`."""

    def replace(original):
        def warn(*args, **kwargs):
            warnings.warn(message, category, stacklevel=2)
            return original(*args, **kwargs)

        return warn

    return replace


def raising(error):
    def fail(*_, **__):
        raise error

    return fail


def test_a_probe_gives_its_reason_or_none():
    assert ask(lambda device: f"{device} has none", "cpu") == "cpu has none"
    assert ask(lambda: None) is None


@pytest.mark.parametrize(
    "error", [RuntimeError("of two\nlines"), AttributeError("of two\nlines"), NotImplementedError("of two\nlines")]
)
def test_an_error_of_a_probe_is_a_reason_on_one_line(error):
    expected = f"the probe failed: {' '.join(describe_error(error).split())}"

    assert ask(raising(error)) == expected


def test_who_interrupts_a_probe_interrupts_the_run():
    with pytest.raises(KeyboardInterrupt):
        ask(raising(KeyboardInterrupt()))


@pytest.mark.parametrize("category", [UserWarning, FutureWarning, DeprecationWarning])
def test_a_warning_of_a_probe_is_silent_and_no_reason(category):
    assert ask(lambda: warnings.warn("old", category, stacklevel=1)) is None
    with without_warnings():
        warnings.warn("old", category, stacklevel=1)


def test_a_warning_after_a_probe_is_an_error_again():
    with without_warnings():
        pass

    with pytest.raises(UserWarning, match="afterwards"):
        warnings.warn("afterwards", UserWarning, stacklevel=1)


@pytest.mark.parametrize("message", ["In CPU autocast, but the target dtype is not supported", "no CUDA.\nDisabling"])
def test_an_autocast_that_does_nothing_raises(message):
    with pytest.raises(UserWarning, match=message), ignored_autocast_raises():
        warnings.warn(message, UserWarning, stacklevel=1)


@pytest.mark.parametrize(("message", "category"), [("torch.autocast(x) is old", FutureWarning), (TF32, UserWarning)])
def test_an_autocast_that_is_only_deprecated_works(message, category):
    with ignored_autocast_raises():
        warnings.warn(message, category, stacklevel=1)


def test_an_optimizer_that_warns_is_judged(monkeypatch):
    monkeypatch.setattr(torch.optim, "SGD", warning("this optimizer has a new default", UserWarning)(torch.optim.SGD))

    assert OptimizerConfig("SGD").unavailable_reason(torch.device("cpu")) is None


def test_a_numpy_that_fails_in_any_way_is_none(monkeypatch):
    monkeypatch.setattr(torch.Tensor, "numpy", raising(SystemError("built for another NumPy")))

    reason = NumpyFunction(torch.numel).unavailable_reason(torch.device("cpu"))

    assert reason == "this torch has no NumPy here: built for another NumPy"


def results_under_the_setting(outcome):
    (row,) = (row for row in outcome.result["requirements"] if row["id"] == "parity.plain_loop")
    return [(case["status"], case["message"]) for case in row["cases"] if "matmul-high" in case["test"]]


def test_a_setting_that_warns_when_it_is_read_or_written_is_judged(run_suite, monkeypatch, unasked):
    numbers = count()
    # On some processors the setting changes no bit.
    monkeypatch.setattr(numeric_settings, "_product_and_convolution", lambda device: [torch.tensor(next(numbers))])
    for name in ("get_float32_matmul_precision", "set_float32_matmul_precision"):
        monkeypatch.setattr(torch, name, warning(OTHER, UserWarning)(getattr(torch, name)))
    with pytest.raises(UserWarning, match=OTHER):
        torch.get_float32_matmul_precision()

    outcome = run_suite(*SETTINGS, paths=PARITY)

    assert {status for status, _ in results_under_the_setting(outcome)} == {"conforms"}
    assert OTHER not in outcome.printed


def test_a_setting_that_can_not_be_read_is_not_applicable(run_suite, monkeypatch, unasked):
    monkeypatch.setattr(torch, "get_float32_matmul_precision", raising(RuntimeError("mix of\nold and new")))

    outcome = run_suite(*SETTINGS, paths=PARITY)

    reason = "the probe failed: RuntimeError: mix of old and new"
    assert set(results_under_the_setting(outcome)) == {("not applicable", reason)}
    assert "INTERNALERROR" not in outcome.printed


@pytest.mark.parametrize(
    ("message", "category"),
    [
        ("`torch.stack` is deprecated. Please use another", FutureWarning),
        ("torch.stack was deprecated and\nwill be removed", DeprecationWarning),
        ("torch.stack is deprecated, use another", UserWarning),
        (TF32, UserWarning),
    ],
)
def test_a_deprecation_of_torch_is_shown_and_fails_nothing(run_suite, monkeypatch, message, category):
    monkeypatch.setattr(torch, "stack", warning(message, category)(torch.stack))

    outcome = run_suite(*ONE, paths=STACKING)

    assert outcome.code == pytest.ExitCode.OK
    assert message.splitlines()[0] in outcome.printed


@pytest.mark.parametrize("message", ["There is a performance drop", "torch.stack gives something else"])
def test_another_warning_of_torch_is_an_error(run_suite, monkeypatch, message):
    monkeypatch.setattr(torch, "stack", warning(message, UserWarning)(torch.stack))

    outcome = run_suite(*ONE, paths=STACKING)

    assert outcome.statuses()["stacking.sequences", "torch.func"] == "fails"

"""Do the short forms in scripts accept what the suite accepts, and refuse what is clearly wrong?"""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from conformance.cases.inputs import floats
from conformance.cases.members import members
from conformance.cases.modules.case import ModuleCase
from conformance.checks import model_checks
from conformance.diagnosis import stand_ins
from conformance.implementations.torch_func import TorchFunc
from conformance.numerics import plain_loop

X = torch.arange(15.0).reshape(5, 3)


def forward(model, x):
    """Return numbers of several kinds."""
    out = model(x)
    return {"out": out.detach(), "positive": out.detach() > 0, "none": out.detach()[:0]}


def both_loops(dtype, **options):
    models = members(lambda: nn.Linear(3, 2), 5, dtype=dtype, seed=1)
    return [each(forward, models, list(X.to(dtype)), **options) for each in (stand_ins.loop, plain_loop.loop)]


def stacked(result):
    return {name: torch.stack([each[name] for each in result.values]) for name in result.values[0]}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_the_loop_gives_what_the_suites_gives(dtype):
    ours, theirs = both_loops(dtype)

    for found, expected in ((ours.values, theirs.values), (ours.truth, theirs.truth), (ours.sample, theirs.sample)):
        for one, other in zip(found, expected, strict=True):
            assert all(torch.equal(one[name], other[name]) for name in other)


def test_the_truth_is_that_of_the_plain_function():
    ours, _ = both_loops(torch.float32, plain=lambda model, x: {"out": model(x).detach() * 0})

    assert all(not each["out"].any() for each in ours.truth)
    assert all(each["out"].any() for each in ours.values)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_rounding_is_close(dtype):
    expected, _ = both_loops(dtype)
    found = stacked(expected)
    found["out"] = found["out"] * (1 + torch.finfo(dtype).eps)

    stand_ins.assert_members_close(found, expected)


WRONG = {
    "structure": (lambda found: {"out": found["out"]}, "output has the structure"),
    "shape": (
        lambda found: found | {"out": found["out"][:4]},
        r"\['out'\] has shape \(4, 2\), and has to have \(5, 2\)",
    ),
    "dtype": (lambda found: found | {"out": found["out"].double()}, r"\['out'\] has dtype torch.float64"),
    "booleans": (lambda found: found | {"positive": ~found["positive"]}, r"\['positive'\] is "),
    "order": (lambda found: found | {"out": found["out"].flip(0)}, r"member 0: output\['out'\] differs by "),
    "slightly": (lambda found: found | {"out": found["out"] * 1.001}, r"member 0: output\['out'\] differs by "),
    "nan": (lambda found: found | {"out": found["out"] * torch.nan}, r"member 0: output\['out'\] differs by inf"),
}


@pytest.mark.parametrize(("change", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named(change, message):
    expected, _ = both_loops(torch.float32)

    with pytest.raises(AssertionError, match=message):
        stand_ins.assert_members_close(change(stacked(expected)), expected)


def test_an_exception_is_expected_by_its_type_and_its_words():
    with stand_ins.raises(ValueError, match="a+b") as found:
        raise ValueError("aab")

    assert str(found.value) == "aab"
    with pytest.raises(AssertionError, match="nothing was raised"), stand_ins.raises(ValueError):
        pass
    with pytest.raises(AssertionError, match="raised without naming 'c'"), stand_ins.raises(ValueError, match="c"):
        raise ValueError("aab")
    with pytest.raises(OSError, match="other"), stand_ins.raises(ValueError):
        raise OSError("other")


def test_a_check_of_a_module_raises_what_it_raises():
    case = ModuleCase("Linear", lambda: nn.Linear(3, 2), (floats(7, 3),))
    broken = SimpleNamespace(
        combine=TorchFunc().combine, vmap=lambda *_, **__: lambda *_: (torch.zeros(5, 7, 2).double(),)
    )

    stand_ins.assert_right(model_checks.own_minibatch, TorchFunc(), "cpu", None, case)
    with pytest.raises(AssertionError, match="member 0"):
        stand_ins.assert_right(model_checks.own_minibatch, broken, "cpu", None, case)


def test_what_is_no_matter_of_torch_alone_is_short():
    called = []

    stand_ins.run_in_child(called.append, 1)
    stand_ins.assert_as_listed(refused=True, name="a")

    assert called == [1]
    assert stand_ins.as_constant(X) is X
    assert stand_ins.finest_dtype("cpu") is torch.float64
    assert stand_ins.describe_error(OSError("a")) == "OSError: a"
    assert stand_ins.text_of(3, 5) == "3"

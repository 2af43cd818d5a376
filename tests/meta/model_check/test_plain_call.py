"""Is a mistake in the inputs told in one line, before any check?"""

import dataclasses

import pytest
import torch
from check_questions import CPU, ask
from torch import nn

from conformance.model_check.loaded_model import LoadedModel
from conformance.model_check.model_loader import load_model
from conformance.model_check.options import UsageError
from conformance.model_check.plain_call import libraries_drawn


def drawn(model, *texts):
    request = ask(f"theirs:{model}", texts)
    return libraries_drawn(load_model(request), request, CPU)


class Net(nn.Module):
    """A module whose forward is any function."""

    def __init__(self, forward, dtype=torch.float32):
        super().__init__()
        self.layer, self.forward = nn.Linear(3, 2, dtype=dtype), forward


def drawn_by(model, *shapes):
    case = LoadedModel(
        "net", [model], lambda n, device, dtype: [tuple(torch.ones(each, dtype=dtype) for each in shapes)]
    )
    return libraries_drawn(case, dataclasses.replace(ask("my:net", ()), inputs_file="x.pt"), CPU)


def test_a_model_that_runs_draws_from_no_other_library():
    assert drawn("mlp", "3") == []


def test_the_libraries_that_it_draws_from_are_named():
    assert drawn("Drawing", "3") == ["Python's random", "NumPy"]


@pytest.mark.parametrize(
    ("model", "texts", "problem"),
    [
        (
            "mlp",
            ("4",),
            r"Sequential.forward fails by itself: RuntimeError: mat1 .*; it was given input: float32 \(7, 4\)",
        ),
        ("mlp", ("4",), "by --input 4$"),
        (
            "Graph",
            ("4",),
            r"Graph.forward\(x, edges\): missing a required argument: 'edges'; given by --input: 1 by pos",
        ),
        ("Three", (":kinds",), r"it was given x: float32 \(7, 3\), index: str, factor: int by --input :kinds$"),
        ("Graph", ("x=4",), "given by --input: x$"),
        ("Graph", (), r"conformance check theirs:Graph --input 4 --input SHAPE$"),
        ("embedding", (), "--input 16:0..10$"),
        ("Branch", (), r"--input: Branch.forward\(x\) takes inputs"),
        ("Rectified", (), "--input 3x32x32$"),
    ],
)
def test_inputs_that_do_not_fit_are_told_with_the_signature(model, texts, problem):
    with pytest.raises(UsageError, match=problem):
        drawn(model, *texts)


def test_nothing_given_is_told():
    with pytest.raises(UsageError, match=r"given by --input: nothing$"):
        drawn_by(Net(lambda x: x))


def test_a_keyword_is_given_by_its_name_in_the_example():
    def forward(*rest, mask):
        raise AssertionError

    case = LoadedModel("net", [Net(forward)], lambda n, device, dtype: [()])

    with pytest.raises(UsageError, match=r"my:net --input mask=3$"):
        libraries_drawn(case, ask("my:net", ()), CPU)


def test_a_model_without_inputs_runs():
    case = LoadedModel("net", [Net(lambda: torch.ones(2))], lambda n, device, dtype: [()])

    assert libraries_drawn(case, ask("my:net", ()), CPU) == []


class Called(nn.Module):
    """A module whose call does not go straight to forward."""

    def __call__(self, *args):
        raise ValueError("called with cuda")


def test_a_call_of_its_own_has_no_signature():
    case = LoadedModel("net", [Called()], lambda n, device, dtype: [()])

    with pytest.raises(
        UsageError, match="ValueError: called with cuda; it was given no arguments; it may need --device"
    ):
        libraries_drawn(case, ask("my:net", ()), CPU)


def test_a_forward_without_a_signature_is_called():
    assert drawn_by(Net(torch.tanh), 3) == []


def test_a_model_is_called_in_float64_if_its_own_dtype_fails():
    def forward(x):
        assert x.dtype == torch.float64
        return x

    assert drawn_by(Net(forward, torch.float16), 3) == []


def leave(x):
    raise SystemExit(3)


class Uncopied(nn.Module):
    def __deepcopy__(self, memo):
        raise RuntimeError("no copies")

    def forward(self, x):
        raise AssertionError


@pytest.mark.parametrize("model", [Net(leave), Uncopied()], ids=["leaves", "uncopied"])
def test_what_does_not_come_back_is_left_to_the_checks(model):
    assert drawn_by(model, 3) == []

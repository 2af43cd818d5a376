"""Do the modules and functions of the chapter `purity` do what they say, alone?"""

import pytest
import torch

from conformance.cases import autograd_functions
from conformance.cases.autograd_functions import InplaceDouble, ScaledProduct, make_body, make_own_rule
from conformance.cases.data import draw
from conformance.cases.side_effects import (
    AttributeCounter,
    BufferCounter,
    BufferWriter,
    LastOutputAdder,
    LinearThenBody,
    NumpyFunction,
    PausingNet,
    make_normalization,
)

X = draw(7, 3, seed=0)
EXP = ["OldStyle", "WithoutRule", "Generated", "Ruled", "RuledAndGenerated", "InplaceExp"]


def test_applying_hands_its_hidden_layer_and_its_input_on():
    hidden, x = LinearThenBody(lambda hidden, x: (hidden, x))(X)

    assert hidden.shape == (7, 11)
    assert x is X


def test_keeping_writes_one_buffer_and_replaces_the_other():
    model = BufferWriter()
    written, replaced, before = model.written, model.replaced, model.written.clone()

    first, second = model(X), model(X)

    assert model.written is written
    assert not torch.equal(written, before)
    assert model.replaced is not replaced
    assert not torch.equal(first, second)


def test_counting_and_remembering_depend_on_the_call():
    counting, remembering = AttributeCounter(), LastOutputAdder()

    assert torch.equal(counting(X) * 2, counting(X))
    assert counting.calls == 2
    assert torch.equal(remembering(X) * 2, remembering(X))


def test_tallying_has_counted_before_it_fails():
    model = BufferCounter(lambda out: out / 0 if model.count < 2 else 1 / 0)

    model(X)
    with pytest.raises(ZeroDivisionError):
        model(X)

    assert model.count == 2


def test_meeting_meets_once_a_call():
    met = []

    assert PausingNet(lambda: met.append("met"))(X).shape == (7, 2)
    assert met == ["met"]


@pytest.mark.parametrize("options", [{}, {"affine": False}, {"track_running_stats": False}])
def test_normalizations_are_made_different(options):
    one, other = (make_normalization("BatchNorm2d", options).state_dict() for _ in range(2))

    for name in one.keys() - {"num_batches_tracked"}:
        assert not torch.equal(one[name], other[name]), name


@pytest.mark.parametrize("name", EXP)
def test_functions_are_exp_with_its_derivative(name):
    function = getattr(autograd_functions, name)
    x = X.double().requires_grad_()

    assert torch.equal(make_body(function)(x, None), (x * 0.5).exp())
    assert torch.autograd.gradcheck(lambda x: make_body(function)(x, None), x)


def test_the_other_functions_have_their_derivatives():
    x, y = X.double().requires_grad_(), X.double().cos().requires_grad_()

    assert torch.autograd.gradcheck(lambda x: InplaceDouble.apply(x * 1), x)
    assert torch.autograd.gradcheck(lambda x, y: ScaledProduct.apply(x, y, 3.0)[0], (x, y))
    assert not ScaledProduct.apply(x, y, 3.0)[1].requires_grad


def test_a_rule_is_made_to_return_anything():
    function = make_own_rule("Odd", lambda out, dim: (out, dim + 1))

    assert torch.equal(function.apply(X), X.exp())
    assert function.returned(X, 0) == (X, 1)


def test_what_goes_through_numpy_says_whether_there_is_one(monkeypatch):
    largest = NumpyFunction(lambda x: x.numpy().max())

    assert largest(torch.tensor([1.0, 3.0])) == 3
    assert largest.unavailable_reason(torch.device("cpu")) is None
    monkeypatch.setattr(torch.Tensor, "numpy", lambda _: (_ for _ in ()).throw(RuntimeError("Numpy is not available")))
    assert largest.unavailable_reason(torch.device("cpu")) == "this torch has no NumPy here: Numpy is not available"

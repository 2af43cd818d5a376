"""Are the members distinct, from one seed, at the original's sizes, and off the caller's random state?"""

import pytest
import torch
from torch import nn

from conformance.cases.data import draw, draw_tokens
from conformance.cases.members import MEMBERS, members
from conformance.cases.networks import Assorted, NormNet, TiedNet, colour_cnn
from conformance.reference.simple_cnn import SimpleCNN, small_cnn
from conformance.utils.module_state import copy_module, state_of


def test_simple_cnn_is_the_originals():
    shapes = {name: tuple(parameter.shape) for name, parameter in SimpleCNN().named_parameters()}

    assert shapes == {
        "conv1.weight": (32, 1, 3, 3),
        "conv1.bias": (32,),
        "conv2.weight": (64, 32, 3, 3),
        "conv2.bias": (64,),
        "fc1.weight": (128, 9216),
        "fc1.bias": (128,),
        "fc2.weight": (10, 128),
        "fc2.bias": (10,),
    }


def test_simple_cnn_starts_as_it_always_has():
    torch.manual_seed(0)

    start = SimpleCNN().conv1.weight.flatten()[:3]

    # These are the same in every release from 2.0.1 to 2.15.0.
    assert start.tolist() == pytest.approx([-0.0024956, 0.1788145, -0.2743484], abs=1e-6)


def test_simple_cnn_returns_raw_logits():
    out = members(small_cnn, 1, seed=0)[0](draw(7, 1, 8, 8, seed=0))

    assert out.shape == (7, 13)
    assert (out < 0).any()
    assert not torch.allclose(out.exp().sum(1), torch.ones(7))


@pytest.mark.parametrize(
    ("factory", "x"),
    [
        (small_cnn, draw(7, 1, 8, 8, seed=0)),
        (colour_cnn, draw(7, 2, 8, 8, seed=0)),
        (NormNet, draw(7, 3, seed=0)),
        (TiedNet, draw_tokens(7, seed=0)),
        (Assorted, draw(7, 2, seed=0)),
    ],
    ids=["small_cnn", "colour_cnn", "NormNet", "TiedNet", "Assorted"],
)
def test_members_differ_in_every_tensor_and_in_what_they_compute(factory, x):
    models = members(factory, MEMBERS, seed=0)

    for name, tensor in state_of(models[0]).items():
        if tensor.numel() and name != "ones":
            assert len({str(state_of(model)[name].tolist()) for model in models}) == MEMBERS, name
    assert len({str(model.eval()(x).tolist()) for model in models}) == MEMBERS


def test_one_seed_gives_the_same_members_and_leaves_the_callers_random_state():
    torch.manual_seed(3)
    before = torch.random.get_rng_state()

    models, again, others = (members(NormNet, 2, seed=seed) for seed in (0, 0, 1))
    draw(3, seed=0)
    draw_tokens(3, seed=0)

    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(
        torch.equal(a, b) for a, b in zip(state_of(models[1]).values(), state_of(again[1]).values(), strict=True)
    )
    assert not torch.equal(models[0].fc1.weight, others[0].fc1.weight)


def test_without_a_seed_it_is_the_one_that_torch_was_seeded_with():
    torch.manual_seed(7)

    assert torch.equal(members(small_cnn, 1)[0].fc1.bias, members(small_cnn, 1, seed=7)[0].fc1.bias)
    assert torch.equal(draw(5), draw(5, seed=7))
    assert torch.equal(draw_tokens(5), draw_tokens(5, seed=7))
    assert not torch.equal(draw(5), draw(5, seed=8))


def test_every_dtype_starts_from_the_same_numbers():
    single, double = (members(small_cnn, 1, seed=0, dtype=dtype)[0] for dtype in (torch.float32, torch.float64))

    assert torch.equal(single.fc1.weight.double(), double.fc1.weight)
    assert torch.equal(draw(5, seed=0).double(), draw(5, seed=0, dtype=torch.float64))


def test_an_input_is_no_copy_of_a_weight():
    weight = members(TiedNet, 1, seed=0)[0].embedding.weight

    assert not torch.equal(draw(11, 3, seed=0), weight)


def test_members_that_are_the_same_prove_nothing():
    model = nn.Linear(2, 3)

    with pytest.raises(ValueError, match="members 0 and 1 of Linear have the same state"):
        members(lambda: model, 2, seed=0)
    with pytest.raises(ValueError, match="members 0 and 1 of BatchNorm1d have the same state"):
        members(lambda: nn.BatchNorm1d(3), 2, seed=0)
    assert len(members(nn.ReLU, 2, seed=0)) == 2


def test_a_copy_shares_nothing_with_its_model():
    model = NormNet()
    called = []
    model.register_forward_hook(lambda module, *_: called.append(module))
    model.notes = {"a": [torch.ones(2)]}

    twin = copy_module(model)

    for name, tensor in state_of(model).items():
        assert torch.equal(state_of(twin)[name], tensor)
        assert state_of(twin)[name] is not tensor
    for ours, theirs in zip(model.modules(), twin.modules(), strict=True):
        assert type(ours) is type(theirs)
        assert vars(ours).keys() == vars(theirs).keys()
        for name, value in vars(ours).items():
            assert type(vars(theirs)[name]) is type(value), name
            assert not isinstance(value, dict) or vars(theirs)[name] is not value, name
    twin(torch.ones(2, 3))
    assert called == [twin]
    assert twin.notes["a"][0] is not model.notes["a"][0]

"""Are the arguments of a model passed as they were given, in any vmap?"""

import torch
from torch import nn

from conformance.checks.calls import call_member, call_model, make_minibatch, split_arguments


class Scaled(nn.Module):
    def forward(self, x, *, by, shift=0):
        return x * by + shift


def test_arguments_without_keywords_are_the_minibatch():
    x = torch.ones(2)

    assert make_minibatch((x,), {}) == (x,)
    assert split_arguments((x,)) == ((x,), {})
    assert split_arguments(()) == ((), {})


def test_keywords_reach_the_model_and_the_member():
    x = make_minibatch((torch.ones(2),), {"by": torch.tensor(3.0), "shift": 1})

    assert split_arguments(x)[1] == {"by": torch.tensor(3.0), "shift": 1}
    assert call_model(Scaled(), x).tolist() == [4.0, 4.0]
    assert call_member(lambda params, buffers, x, by, shift: x * by - shift, {}, {}, x).tolist() == [2.0, 2.0]


def test_a_named_tuple_of_the_user_stays_an_argument():
    pair = torch.return_types.max((torch.ones(1), torch.zeros(1, dtype=torch.int64)))

    assert split_arguments((pair,)) == ((pair,), {})


def test_vmap_maps_over_keywords():
    x = make_minibatch((torch.ones(3, 2),), {"by": torch.arange(3.0)})

    out = torch.func.vmap(lambda x: call_model(Scaled(), x))(x)

    assert out[:, 0].tolist() == [0.0, 1.0, 2.0]

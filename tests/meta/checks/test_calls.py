"""Are the arguments of a model passed as they were given, in any vmap?"""

from collections import UserDict
from dataclasses import dataclass

import pytest
import torch
from torch import nn

from conformance.checks.calls import (
    Shared,
    call_member,
    call_model,
    make_minibatch,
    map_own,
    mapped_dims,
    own_leaves,
    split_arguments,
    stack_minibatches,
)
from conformance.checks.gradients import as_leaves, replace_samples, sampled_tensors
from conformance.numerics.plain_loop import PlainLoopError


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


@dataclass
class Batch:
    image: object
    label: object


def test_vmap_maps_over_dataclasses_and_other_mappings():
    x = make_minibatch((Batch(torch.ones(3, 2), 5),), {"more": UserDict(shift=torch.arange(3.0))})

    def add(params, buffers, batch, more):
        assert type(batch) is Batch
        assert type(more) is UserDict
        return batch.image + more["shift"] + batch.label

    out = torch.func.vmap(lambda x: call_member(add, {}, {}, x), (mapped_dims(x),))(x)

    assert out.tolist() == [[6.0, 6.0], [7.0, 7.0], [8.0, 8.0]]


def test_containers_of_one_class_with_the_same_labels_are_packed_alike():
    first, second = (make_minibatch((Batch(torch.ones(2), 1),), {}) for _ in range(2))

    assert type(first[0]) is type(second[0])
    assert type(make_minibatch((UserDict(a=1),), {})[0]) is not type(make_minibatch((UserDict(b=1),), {})[0])


def test_shared_arguments_are_neither_mapped_nor_changed():
    edges = torch.tensor([[0, 1]])
    minibatches = [make_minibatch((torch.ones(2, 3), 4), {"edges": Shared(edges)}) for _ in range(5)]

    stacked = stack_minibatches(minibatches)

    assert stacked[0].shape == (5, 2, 3)
    assert stacked[2].edges.value is edges
    assert tuple(mapped_dims(stacked)) == (0, None, type(stacked[2])(Shared(None)))
    assert [name for name, _ in own_leaves(stacked)] == ["input[0]", "input[1]"]
    assert map_own(str, minibatches[0])[2].edges.value is edges
    assert split_arguments(stacked)[1] == {"edges": edges}


def test_a_shared_argument_requires_no_gradient():
    x = as_leaves((torch.ones(2), Shared(torch.ones(2))))

    assert x[0].requires_grad
    assert not x[1].value.requires_grad


def test_samples_are_counted_in_the_first_tensor_of_a_member():
    graph = {"scale": torch.tensor(1.0), "nodes": torch.ones(3, 2)}
    x = make_minibatch((None, Shared(torch.ones(4))), {"graph": graph})

    (nodes,) = sampled_tensors(x)

    assert nodes.shape == (3, 2)
    assert replace_samples(x, [nodes[0]])[2].graph["nodes"].shape == (1, 2)
    with pytest.raises(PlainLoopError, match="no dimension of samples"):
        sampled_tensors((torch.tensor(1.0), 3))

"""Does a tensor that escapes its call ever give a wrong number?"""

import copy
import io

import pytest
import torch

from conformance.cases.data import SAMPLES, draw
from conformance.cases.members import MEMBERS, members
from conformance.cases.side_effects import LastOutputAdder, NumpyFunction
from conformance.implementations.ensemble import Ensemble
from conformance.numerics.assertions import assert_same, refuses

NUMBERS = torch.arange(12.0).reshape(4, 3)


def escaped(implementation, device):
    """Return a mapped tensor after the call that made it has ended: a row of 3 numbers for each of 4 members."""
    kept = []
    implementation.vmap(lambda row: kept.append(row * 2) or row)(NUMBERS.to(device))
    return kept[0]


def uses(**named):
    """Return the parametrization over uses of an escaped tensor."""
    return pytest.mark.parametrize("use", named.values(), ids=named)


@pytest.mark.requirement("purity.escaped")
@uses(
    add=lambda t: t + 1,
    radd=lambda t: torch.ones(3, device=t.device) + t,
    add_=lambda t: t.add_(1),
    sum=lambda t: t.sum(),
    index=lambda t: t[0],
    clone=lambda t: t.clone(),
    detach=lambda t: t.detach(),
    compare=lambda t: t > 0,
    item=lambda t: t.sum().item(),
    tolist=lambda t: t.tolist(),
    numpy=NumpyFunction(lambda t: t.cpu().numpy()),
    if_=lambda t: bool(t[0] > 0),
    tensor=torch.tensor,
    copy_=lambda t: torch.zeros(3, device=t.device).copy_(t),
    setitem=lambda t: torch.zeros(3, device=t.device).__setitem__(0, t[0]),
    double=lambda t: t.double(),
    deepcopy=copy.deepcopy,
    save=lambda t: torch.save(t, io.BytesIO()),
    parameter=torch.nn.Parameter,
    module=lambda t: torch.nn.Linear(3, 2, device=t.device)(t),
    backward=lambda t: t.sum().backward(),
)
@pytest.mark.filterwarnings("ignore:To copy construct from a tensor")
def test_a_tensor_that_escaped_is_refused_by_name(implementation, device, use):
    tensor = escaped(implementation, device)

    with refuses("escaped|storage"):
        use(tensor)

    assert_same(implementation.vmap(torch.sum)(NUMBERS.to(device)), NUMBERS.to(device).sum(1))


@pytest.mark.requirement("purity.escaped_by_name")
@uses(
    detach_then_add=lambda t: t.detach() + 1,
    cat=lambda t: torch.cat([t, t]),
    stack=lambda t: torch.stack([t]),
    iteration=list,
    equal=lambda t: torch.equal(t, t),
    grad=lambda t: torch.func.grad(lambda x: (x * t).sum())(torch.ones(3, device=t.device)),
)
def test_a_tensor_that_escaped_is_refused_as_one(implementation, device, use):
    tensor = escaped(implementation, device)

    with refuses("escaped"):
        use(tensor)


@pytest.mark.requirement("purity.escaped_facts")
def test_a_tensor_that_escaped_still_shows_what_it_was(implementation, device):
    tensor = escaped(implementation, device)

    facts = (tensor.shape, tensor.dtype, tensor.device, len(tensor), tensor.requires_grad)

    assert facts == ((3,), torch.float32, NUMBERS.to(device).device, 3, False)
    assert "[18., 20., 22.]" in repr(tensor)


@pytest.mark.requirement("purity.escaped_into_next_call")
def test_a_tensor_that_escaped_is_no_argument_of_another_call(implementation, device):
    tensor = escaped(implementation, device)

    with refuses("escaped|level"):
        implementation.vmap(torch.sin)(tensor)


LATER = {
    "other_members": lambda vmap, t, x: vmap(lambda row: row + t)(x.flip(0)),
    "returned": lambda vmap, t, x: vmap(lambda row: t)(torch.cat([x, x])),
    "shared": lambda vmap, t, x: vmap(lambda row, shared: row + shared, (0, None))(x, t),
    "sum": lambda vmap, t, x: vmap(lambda row: row.sum() + t.sum())(x),
    "other_level": lambda vmap, t, x: vmap(vmap(lambda number: number + t), in_dims=1)(x[:3, :]),
}


@pytest.mark.requirement("purity.escaped_into_next_call")
@pytest.mark.parametrize("later", LATER.values(), ids=LATER)
def test_a_tensor_that_escaped_is_refused_in_another_call(implementation, device, later):
    tensor = escaped(implementation, device)

    with refuses("escaped"):
        later(implementation.vmap, tensor, NUMBERS.to(device))


@pytest.mark.requirement("purity.escaped_into_next_call")
@pytest.mark.parametrize("n", [MEMBERS, 2], ids=["as_many", "fewer"])
def test_a_tensor_that_escaped_into_an_attribute_is_refused_in_another_call(implementation, device, n):
    ensemble = Ensemble(implementation, members(LastOutputAdder, MEMBERS, device=device))
    others = Ensemble(implementation, members(LastOutputAdder, n, seed=1, device=device))
    x = draw(SAMPLES, 3, device=device)
    ensemble(x, None)

    with refuses("escaped"):
        implementation.vmap(ensemble.member, (0, 0, None))(others.params, others.buffers, x)


@pytest.mark.requirement("purity.escaped_into_next_chunk")
@pytest.mark.parametrize("chunk_size", [2, 3])
def test_a_tensor_that_escaped_is_refused_in_the_next_chunk(implementation, device, chunk_size):
    kept = []

    def first(row):
        kept.append(row * 1)
        return kept[0] + 0

    with refuses("escaped"):
        implementation.vmap(first, chunk_size=chunk_size)(NUMBERS.to(device))

"""Does autograd notice every write inside vmap?"""

import pytest
import torch
from torch import nn

from conformance.cases.data import OWN_AND_SHARED
from conformance.cases.members import members
from conformance.cases.operations import inplace_ops
from conformance.cases.operations.inplace_gradients import InplaceGradient
from conformance.cases.operations.inplace_op import make_operands
from conformance.cases.operations.outcome import attempt
from conformance.implementations.ensemble import Ensemble
from conformance.numerics.assertions import assert_distinct, assert_members_close, assert_same, refuses
from conformance.numerics.plain_loop import loop

ANSWERED = [write for write in inplace_ops.INPLACE_OPERATIONS if not write.refused]
each_write = pytest.mark.parametrize("write", [write for write in ANSWERED if write.on == "x"], ids=str)
each_differentiated = pytest.mark.parametrize("differentiated", [InplaceGradient(it) for it in ANSWERED], ids=str)
MEMBERS = 3  # there are many operations, and each is differentiated for every member three times
STALE = "modified by an inplace operation"


@pytest.mark.requirement("inplace.versions")
@each_write
def test_a_write_makes_an_older_backward_stale(implementation, device, write):
    stacks = make_operands(MEMBERS, device)
    given = {name: stacks[name] for name in write.operands}
    s = stacks["x"].clone()
    weights = torch.ones_like(s, requires_grad=True)
    older = (weights * s).sum()

    attempt(lambda: implementation.vmap(lambda s, given: write.run(s, given) + 0)(s, given)).value_or_raise()

    with refuses(STALE):
        older.backward()
    assert weights.grad is None


@pytest.mark.requirement("inplace.versions")
@pytest.mark.parametrize(
    "write", [write for write in inplace_ops.OPERATORS if write in ANSWERED and write.on == "x"], ids=str
)
def test_a_write_inside_makes_the_backward_stale(implementation, device, write):
    stacks = make_operands(MEMBERS, device)
    given = {name: stacks[name] for name in write.operands}
    weights = torch.ones_like(stacks["x"], requires_grad=True)

    def weighed(weights, s, given):
        older = weights * s
        write.run(s, given)
        return older

    mapped = implementation.vmap(weighed)

    with refuses(STALE):  # or the call itself is, by what looks at backward before it runs
        attempt(lambda: mapped(weights, stacks["x"].clone(), given)).value_or_raise().sum().backward()


VIEWS = {
    "element": lambda s: s[0].mul_(2),
    "column": lambda s: s.t()[1].mul_(2),
    "chain": lambda s: s.flatten()[3:].unsqueeze(0)[0, 1].zero_(),
    "detached": lambda s: s.detach().mul_(2),
    "assignment": lambda s: s.__setitem__((slice(None), 1), 0.0),
}


@pytest.mark.requirement("inplace.versions")
@pytest.mark.parametrize("write", VIEWS.values(), ids=VIEWS)
@pytest.mark.parametrize("chunk_size", [None, 2])
def test_a_write_to_a_view_makes_an_older_backward_stale(implementation, device, write, chunk_size):
    s = make_operands(MEMBERS, device)["x"].clone()
    weights = torch.ones_like(s, requires_grad=True)
    older = (weights * s).sum()

    implementation.vmap(lambda s: (write(s), s + 0)[1], chunk_size=chunk_size)(s)

    with refuses(STALE):
        older.backward()


def by_loop(differentiated, stacks):
    """Return the gradients that backward gives one member."""
    write = differentiated.write
    each = [{name: stacks[name][i] for name in (write.on, *write.operands)} for i in range(MEMBERS)]

    def alone(_, own):
        return differentiated.gradients(write.run, own[write.on], {name: own[name] for name in write.operands})

    return loop(alone, [nn.Identity()] * MEMBERS, each)


@pytest.mark.requirement("inplace.gradients")
@each_differentiated
def test_backward_through_a_write_is_the_loops(implementation, device, differentiated):
    write, stacks = differentiated.write, make_operands(MEMBERS, device)
    given = {name: stacks[name] for name in write.operands}
    expected = by_loop(differentiated, stacks)

    mapped = implementation.vmap(write.run)
    outcome = attempt(lambda: differentiated.gradients(mapped, stacks[write.on], given))

    if outcome.refusal is None:
        assert_members_close(outcome.value, expected, "gradient")
    else:
        assert write.name in inplace_ops.REFUSED_BACKWARD, f"refused: {outcome.refusal}"
        with refuses(STALE):
            outcome.value_or_raise()


SOME = [
    InplaceGradient(it)
    for it in (*inplace_ops.METHODS[::6], *inplace_ops.OPERATORS[::5])
    if not it.refused and it.on == "x"
]


@pytest.mark.requirement("inplace.gradients")
@pytest.mark.parametrize("differentiated", SOME, ids=str)
def test_grad_inside_through_a_write_is_the_loops(implementation, device, differentiated):
    write, stacks = differentiated.write, make_operands(MEMBERS, device)
    expected = by_loop(differentiated, stacks)

    mapped = implementation.vmap(differentiated.gradients_by_grad)
    outcome = attempt(lambda: mapped(stacks["x"], {name: stacks[name] for name in write.operands}))

    assert_members_close(outcome.value_or_raise(), expected, "gradient")


class Writing(nn.Module):
    """A module that scales its input by its weight, doubles the weight, and counts its calls."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3))
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        out = x * self.weight
        self.weight.mul_(2)
        self.calls.add_(1)
        return out


@pytest.mark.requirement("inplace.leaves")
def test_parameters_that_require_gradients_are_not_written_to(implementation, device):
    ensemble = Ensemble(implementation, members(Writing, MEMBERS, device=device))
    before = {name: tensor.detach().clone() for name, tensor in ensemble.params.items()}

    with refuses("leaf"):
        ensemble(torch.ones(7, 3, device=device), None)

    assert_same(ensemble.detached, before)


@pytest.mark.requirement("inplace.parameters")
@pytest.mark.parametrize("data", **OWN_AND_SHARED)
def test_without_gradients_a_member_writes_to_its_slice(implementation, device, data):
    models = members(Writing, MEMBERS, device=device)
    ensemble = Ensemble(implementation, models)
    x = torch.arange(1.0, 1 + MEMBERS * 21, device=device).reshape(MEMBERS, 7, 3)
    x = x if data == 0 else x[0]

    with torch.no_grad():
        actual = [ensemble(x, data) for _ in range(2)]
        expected = [torch.stack([model(x[i] if data == 0 else x) for i, model in enumerate(models)]) for _ in range(2)]

    assert_same(actual, expected)
    assert_distinct(*actual)
    assert_same(ensemble.detached["weight"], torch.stack([model.weight.detach() for model in models]))
    assert_same(ensemble.buffers["calls"], torch.full((MEMBERS,), 2.0, device=device))

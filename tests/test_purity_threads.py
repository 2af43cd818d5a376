"""Do threads that run ensembles at the same time get the same results as alone?"""

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
import torch

from conformance.cases.data import SAMPLES, draw
from conformance.cases.members import MEMBERS, members
from conformance.cases.side_effects import PausingNet
from conformance.implementations.ensemble import Ensemble
from conformance.numerics.assertions import assert_members_close, unchanged
from conformance.numerics.plain_loop import loop
from conformance.workloads.forward import forward

PATIENCE = 30  # seconds that a thread waits for another one: only a broken torch needs them


class Gate:
    """A meeting point of two threads in the middle of their forwards, with a fixed order.

    The first one comes in, then the second; then the first one ends, and the second goes on.
    """

    def __init__(self):
        self.first_is_in, self.second_is_in, self.first_is_done = (threading.Event() for _ in range(3))
        self.role = threading.local()

    def meet(self):
        role, self.role.name = getattr(self.role, "name", None), None
        if role == "first":
            self.first_is_in.set()
            self.second_is_in.wait(PATIENCE)
        if role == "second":
            self.second_is_in.set()
            self.first_is_done.wait(PATIENCE)

    def first(self, func):
        self.role.name = "first"
        try:
            return func()
        finally:
            self.first_is_in.set()
            self.first_is_done.set()

    def second(self, func):
        self.first_is_in.wait(PATIENCE)
        self.role.name = "second"
        try:
            return func()
        finally:
            self.second_is_in.set()

    def at_the_same_time(self, first, second):
        """Run both functions at the same time and return their finished futures."""
        with ThreadPoolExecutor(2) as pool:
            return {"first": pool.submit(self.first, first), "second": pool.submit(self.second, second)}


def meeting(gate, seed, device):
    """Return members that meet others at the gate, and a minibatch for each, from this seed."""

    def meet():  # a function, since a deep copy of a module would copy the gate with its method
        gate.meet()

    factory = partial(PausingNet, meet)
    return members(factory, MEMBERS, seed=seed, device=device), draw(MEMBERS, SAMPLES, 3, seed=seed, device=device)


WAYS = {
    "plain": (forward, lambda e, x: e(x)),
    "grad": (
        lambda model, x: torch.func.grad(lambda x: model(x).sum())(x),
        lambda e, x: e.map(torch.func.grad(lambda p, b, x: e.member(p, b, x).sum(), argnums=2), x),
    ),
    "inner_level": (forward, lambda e, x: e.map(lambda p, b, x: e.vmap(lambda row: e.member(p, b, row))(x), x)),
    "no_grad": (forward, lambda e, x: torch.no_grad()(e)(x)),
    "different": (forward, lambda e, x: e(x, randomness="different")),
}


@pytest.mark.requirement("purity.threads")
@pytest.mark.parametrize("way", WAYS)
def test_threads_with_an_ensemble_each_get_what_they_get_alone(implementation, device, way):
    gate, (func, run) = Gate(), WAYS[way]
    models, x = meeting(gate, 1, device)
    others, y = meeting(gate, 2, device)
    expected = loop(func, models, list(x)), loop(forward, others, list(y))
    ensemble, other = Ensemble(implementation, models), Ensemble(implementation, others)

    found = gate.at_the_same_time(lambda: run(ensemble, x), lambda: other(y))

    assert_members_close(found["first"].result(), expected[0])
    assert_members_close(found["second"].result(), expected[1])
    assert found["second"].result().requires_grad


@pytest.mark.requirement("purity.threads_sharing")
@pytest.mark.parametrize("asked", ["first", "second"])
def test_threads_that_share_what_was_combined_get_what_they_get_alone(implementation, device, asked):
    gate = Gate()
    models, x = meeting(gate, 1, device)
    others, y = meeting(gate, 2, device)
    expected = {"first": loop(forward, models, list(x)), "second": loop(forward, others, list(y))}
    ensemble, stack = Ensemble(implementation, models), Ensemble(implementation, others)

    found = gate.at_the_same_time(
        lambda: ensemble(x), lambda: ensemble.vmap(ensemble.member)(stack.params, stack.buffers, y)
    )

    assert_members_close(found[asked].result(), expected[asked])


@pytest.mark.requirement("purity.threads_sharing")
def test_threads_that_share_what_was_combined_leave_its_module_as_it_was(implementation, device):
    gate, bases = Gate(), []
    models, x = meeting(gate, 1, device)
    for model in models:
        model.register_forward_pre_hook(lambda module, _: bases.append(module))
    ensemble = Ensemble(implementation, models)
    ensemble(x)

    with unchanged(bases[-1]):
        gate.at_the_same_time(lambda: ensemble(x), lambda: ensemble(x.flip(0)))

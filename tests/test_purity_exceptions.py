"""Which state does an exception in the middle of a call leave behind?"""

from functools import partial

import pytest
import torch

from conformance.cases.data import SAMPLES, draw
from conformance.cases.members import MEMBERS, members
from conformance.cases.side_effects import BufferCounter, LinearThenBody, make_normalization
from conformance.implementations.ensemble import Ensemble
from conformance.numerics.assertions import assert_members_close, assert_same, refuses, unchanged
from conformance.numerics.plain_loop import loop
from conformance.utils.torch_settings import read_settings
from conformance.workloads.forward import forward


class Stop(BaseException):
    """A BaseException that is not an Exception, such as KeyboardInterrupt."""


class Bomb:
    """A body for members whose call number `at` raises `error` once it is set."""

    def __init__(self):
        self.error, self.at = None, 1

    def body(self):
        """Return a function: a deep copy of a module shares it, where it would copy a bound method."""

        def pass_on(hidden, *_):
            self.at -= 1
            if self.error and self.at <= 0:
                raise self.error
            return torch.tanh(hidden)

        return pass_on


def no_gradients(run):
    with torch.no_grad():
        return run()


WAYS = {
    "plain": lambda e, x: e(x),
    "second_chunk": lambda e, x: e(x, chunk_size=2),
    "inner_level": lambda e, x: e.map(lambda p, b, rows: e.vmap(lambda row: e.member(p, b, row))(rows), x),
    "grad": lambda e, x: e.map(torch.func.grad(lambda p, b, rows: e.member(p, b, rows).sum()), x),
    "jacrev": lambda e, x: e.map(torch.func.jacrev(lambda p, b, rows: e.member(p, b, rows).sum(0)), x),
    "jvp": lambda e, x: e.map(lambda p, b, r: torch.func.jvp(lambda r: e.member(p, b, r), (r,), (r,)), x),
    "no_grad": lambda e, x: no_gradients(lambda: e(x)),
    "different": lambda e, x: e(x, randomness="different"),
    "same": lambda e, x: e(x, randomness="same"),
}


@pytest.mark.requirement("purity.exception")
@pytest.mark.parametrize("error", [ZeroDivisionError, Stop])
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_after_an_exception_in_forward_everything_is_as_before(implementation, device, way, error):
    bomb, bases = Bomb(), []
    models = members(partial(LinearThenBody, bomb.body()), MEMBERS, device=device)
    for model in models:
        model.register_forward_pre_hook(lambda module, _: bases.append(module))
    x = draw(MEMBERS, SAMPLES, 3, device=device)
    expected = loop(forward, models, list(x))
    ensemble = Ensemble(implementation, models)
    ensemble(x)
    before, generator = read_settings(), torch.get_rng_state()
    bomb.error, bomb.at = error, 2 if way is WAYS["second_chunk"] else 1

    with unchanged(*models, bases[-1]), pytest.raises(error):
        way(ensemble, x)
    bomb.error = None

    assert read_settings() == before
    assert_same(torch.get_rng_state(), generator)
    # Inside a level, random numbers and requires_grad_ are refused.
    assert torch.rand(2, device=device).shape == (2,)
    assert torch.ones(2, device=device).requires_grad_().requires_grad
    assert_members_close(ensemble(x), expected)


def fail(*_):
    raise ZeroDivisionError


SABOTAGE = {
    "operation": (RuntimeError, "size|shape", lambda _, args: (args[0][:, :2],)),
    "hook": (ZeroDivisionError, None, fail),
}


@pytest.mark.requirement("purity.exception")
@pytest.mark.parametrize("sabotage", SABOTAGE)
def test_after_a_layer_that_fails_everything_is_as_before(implementation, device, sabotage):
    error, word, spoil = SABOTAGE[sabotage]
    armed, bases = [], []
    models = members(partial(LinearThenBody, lambda h, _: torch.tanh(h)), MEMBERS, device=device)
    for model in models:
        model.register_forward_pre_hook(lambda module, _: bases.append(module))
        model.fc.register_forward_pre_hook(lambda module, args: spoil(module, args) if armed else None)
    x = draw(MEMBERS, SAMPLES, 3, device=device)
    expected = loop(forward, models, list(x))
    ensemble = Ensemble(implementation, models)
    ensemble(x)
    before = read_settings()

    armed.append(True)
    with unchanged(*models, bases[-1]), pytest.raises(error, match=word):
        ensemble(x)
    armed.clear()

    assert read_settings() == before
    assert_members_close(ensemble(x), expected)


@pytest.mark.requirement("purity.partial_writes")
@pytest.mark.parametrize(
    ("chunk_size", "at", "counts"),
    [(None, 1, [1, 1, 1, 1, 1]), (2, 1, [1, 1, 0, 0, 0]), (2, 2, [1, 1, 1, 1, 0])],
    ids=["whole", "first_chunk", "second_chunk"],
)
def test_what_was_written_before_an_exception_stays_written(implementation, device, chunk_size, at, counts):
    bomb = Bomb()
    ensemble = Ensemble(implementation, members(partial(BufferCounter, bomb.body()), MEMBERS, device=device))
    x = draw(MEMBERS, SAMPLES, 3, device=device)
    bomb.error, bomb.at = ZeroDivisionError, at

    with pytest.raises(ZeroDivisionError):
        ensemble(x, chunk_size=chunk_size)

    assert ensemble.buffers["count"].tolist() == counts


@pytest.mark.requirement("purity.partial_writes")
def test_batch_norm_that_is_refused_has_counted_its_call(implementation, device):
    ensemble = Ensemble(
        implementation, members(partial(make_normalization, "BatchNorm1d", {"momentum": None}), 2, device=device)
    )
    before = {name: tensor.clone() for name, tensor in ensemble.buffers.items()}

    with refuses("item"):
        ensemble(draw(2, SAMPLES, 3, device=device))

    before["num_batches_tracked"] += 1
    assert_same(ensemble.buffers, before)

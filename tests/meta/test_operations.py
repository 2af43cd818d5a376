"""Do the catalogues of operations, and what judges their answers, do what they say?"""

import math
import warnings

import pytest
import torch

from conformance.chance import COMPARISONS, FALSE_ALARM, mean_of
from conformance.generators import restore, state
from conformance.implementations import TorchFunc
from conformance.operations import random
from conformance.operations.draw import OWN, SHARED, Draw, Generated, drawn, given, numbers, operands, stacked
from conformance.operations.laws import LAWS
from conformance.operations.outcome import attempt

CPU = torch.device("cpu")


def slowly():
    warnings.warn("There is a performance drop because ...", stacklevel=1)
    return 3


def refusing():
    raise RuntimeError("not this")


def broken():
    raise RuntimeError("x == 0 INTERNAL ASSERT FAILED")


def test_an_outcome_is_an_answer_a_slow_one_or_a_refusal():
    assert attempt(lambda: 3).answer() == 3
    assert not attempt(lambda: 3).slow
    assert attempt(slowly).slow
    assert attempt(refusing).refusal == "RuntimeError: not this"
    with pytest.raises(RuntimeError, match="not this"):
        attempt(refusing).answer()


def test_what_is_no_clear_refusal_is_raised():
    with pytest.raises(AssertionError, match="refused unclearly"):
        attempt(broken)
    with pytest.raises(ZeroDivisionError):
        attempt(lambda: 1 / 0)


def test_members_numbers_are_distinct_and_between_0_and_1():
    x = operands(5, CPU)

    assert x.shape == (5, 3, 23)
    assert float(x.min()) > 0.1
    assert float(x.max()) < 0.9
    assert len(x.unique()) == x.numel()
    assert torch.equal(stacked(given(x, OWN)), x)
    assert torch.equal(stacked(given(x, SHARED)), x[:1].expand_as(x))


@pytest.mark.parametrize("draw", [*random.DRAWS, *random.COMPOSITES, *random.RECURRENT], ids=str)
def test_every_call_of_the_catalogue_works_and_draws(draw):
    assert draw.lacks(CPU) is None
    start = state(CPU)

    one = numbers(draw.one(operands(1, CPU)[0]))

    assert not torch.equal(start, state(CPU))
    restore(CPU, start)
    assert torch.equal(one, numbers(draw.one(operands(1, CPU)[0])))


@pytest.mark.parametrize("draw", random.DRAWS, ids=str)
def test_a_stacked_draw_has_a_draw_for_each_member(draw):
    one, together = draw.one(operands(1, CPU)[0]), draw.all(operands(5, CPU))

    assert numbers(together).shape == (5, *numbers(one).shape)


def test_a_draw_says_why_it_can_not_be_called():
    unknown = Draw("torch.nope, a size", "torch.nope(x{g})")

    assert "has no attribute 'nope'" in unknown.lacks(CPU)
    assert unknown.native == "nope"
    assert "unexpected keyword" in Generated(Draw("F.dropout", "F.dropout(x{g})")).lacks(CPU)
    assert Generated(random.DRAWS[0]).lacks(CPU) is None
    assert str(Generated(random.DRAWS[0])) == "torch.rand"


def test_what_is_drawn_for_one_is_shared_or_own():
    x = operands(3, CPU)
    vmap = TorchFunc()

    assert torch.equal(drawn(vmap, lambda x: x + 0, x, OWN, "error"), x)
    assert torch.equal(drawn(vmap, lambda x: x + 0, x, SHARED, "error"), x[:1].expand_as(x))


def test_random_operations_that_nobody_looked_at_are_named(monkeypatch):
    assert random.uncovered() == []
    monkeypatch.setattr(torch, "randnew", torch.rand, raising=False)
    monkeypatch.setattr(torch.nn.functional, "shake", lambda x, dropout_p: x, raising=False)

    assert random.uncovered() == ["torch.randnew", "F.shake"]


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_plain_torch_follows_the_textbook(law):
    drawn = law.draw(torch.zeros(20_000))

    for share, expected in law.means.items():
        mean = mean_of(share(drawn), expected)
        assert mean.off <= mean.allowed
        assert mean_of(share(drawn), expected + 2 * mean.allowed).off > mean.allowed


def test_chance_allows_what_the_inequality_says():
    allowed = mean_of(torch.zeros(20_000), 0.0).allowed

    assert 2 * math.exp(-2 * 20_000 * allowed**2) * COMPARISONS == pytest.approx(FALSE_ALARM)
    assert mean_of(torch.tensor([0.0, 1.0, 1.0, 1.0]), 0.5).off == 0.25
    with pytest.raises(ValueError, match="from 0 to 1"):
        mean_of(torch.tensor([0.0, 1.5]), 0.5)
    with pytest.raises(ValueError, match="from 0 to 1"):
        mean_of(torch.tensor([-0.1, 0.5]), 0.5)

"""Is the outcome of a call a value, a slow one, or a refusal that names its reason?"""

import warnings

import pytest

from conformance.cases.operations.outcome import CallOutcome, attempt
from conformance.cases.operations.random_op import (
    RandomOperation,
    was_accepted,
)


def slowly():
    warnings.warn("There is a performance drop because ...", stacklevel=1)
    return 3


def refusing():
    raise RuntimeError("not this")


def broken():
    raise RuntimeError("x == 0 INTERNAL ASSERT FAILED")


def test_an_outcome_is_an_answer_a_slow_one_or_a_refusal():
    assert attempt(lambda: 3).value_or_raise() == 3
    assert not attempt(lambda: 3).slow
    assert attempt(slowly).slow
    assert attempt(refusing).refusal == "RuntimeError: not this"
    with pytest.raises(RuntimeError, match="not this"):
        attempt(refusing).value_or_raise()


def test_a_refusal_counts_in_its_column_and_with_its_words_alone():
    draw = RandomOperation("torch.rand", "torch.rand(3)", refuses={"same, own": "not this"})

    assert was_accepted(attempt(lambda: 3), draw, "same, own")
    assert not was_accepted(attempt(refusing), draw, "same, own")
    with pytest.raises(AssertionError, match="refused: RuntimeError: not this"):
        was_accepted(attempt(refusing), draw, "same, shared")
    with pytest.raises(AssertionError):
        was_accepted(CallOutcome(refusal="RuntimeError: boom"), draw, "same, own")


def test_what_is_no_clear_refusal_is_raised():
    with pytest.raises(AssertionError, match="refused unclearly"):
        attempt(broken)
    with pytest.raises(ZeroDivisionError):
        attempt(lambda: 1 / 0)

"""Is a bad call refused by its own word, and are all that it may ask for what it says?"""

import pytest
import torch

from conformance.implementations.torch_func import TorchFunc
from conformance.workloads.bad_calls import assert_refused, named

CPU = torch.device("cpu")


def test_calls_are_named_by_their_keys():
    assert named({"a": len, "b": max}) == {"argvalues": [len, max], "ids": ["a", "b"]}


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda vmap, x: vmap(torch.sin, 2)(x), "in_dim=2"),
        (lambda vmap, scalar: vmap(torch.sin)(scalar), "dimensionality 0"),
        (lambda vmap, x, y: vmap(torch.add)(x, y[:3]), "same size"),
        (lambda functional_call, linear, x: functional_call(linear, {"nope": x}, (x,), strict=True), "nope"),
        (lambda combine, lazy: combine([lazy, lazy]), "uninitialized"),
    ],
    ids=["x", "scalar", "y", "linear", "lazy"],
)
def test_a_refusal_is_accepted_by_its_word(call, word):
    assert_refused(TorchFunc(), CPU, call, word)

    with pytest.raises(AssertionError, match="another word"):
        assert_refused(TorchFunc(), CPU, call, "another word")


def test_a_call_that_is_right_is_no_refusal():
    with pytest.raises(AssertionError):
        assert_refused(TorchFunc(), CPU, lambda vmap, x: vmap(torch.sin)(x), "sin")

"""Are the values that a test is called with written as expressions that make the same values again?"""

import math
import sys
from collections import OrderedDict
from functools import partial

import bundled
import bundled_too
import pytest
import torch
from torch.nn import functional as F

from conformance.cases.operations.compile_source import compile_function
from conformance.diagnosis.bundle import Bundle
from conformance.diagnosis.call_source import NoSourceError
from conformance.diagnosis.value_source import Values
from conformance.workloads.vmap_calls import Pair

MODULE = sys.modules[__name__]
SHIFT = 3
KEPT = bundled.Base(7)


def made(value):
    """Return what the script makes in place of the value."""
    bundle = Bundle()
    values = Values(bundle, MODULE)
    source = values.expression(value)
    definitions = bundle.definitions()
    names = {"__name__": __name__}
    exec("\n".join([*bundle.imports, *definitions, *values.statements]), names)  # noqa: S102 - our own sources
    return eval(source, names)  # noqa: S307 - likewise


PLAIN = {
    "number": 3,
    "infinity": -math.inf,
    "word": "a'b",
    "dtype": torch.float64,
    "device": torch.device("cpu"),
    "size": torch.Size([2, 3]),
    "slice": slice(1, None),
    "range": range(3),
    "ellipsis": ...,
    "containers": [1, (2,), {"a": None}, {3}],
    "frozen": frozenset([1]),
    "function-of-torch": torch.sin,
    "functional": F.relu,
    "method-of-tensor": torch.Tensor.add_,
    "class-of-torch": torch.nn.Linear,
    "class-of-python": OrderedDict,
    "builtin": list,
}


@pytest.mark.parametrize("value", PLAIN.values(), ids=PLAIN)
def test_what_python_or_torch_knows_is_written_as_it_is(value):
    assert made(value) == value


def test_containers_keep_their_class():
    pair = made(Pair(1, OrderedDict(a=[2])))

    assert type(pair).__name__ == "Pair"
    assert tuple(pair) == (1, OrderedDict(a=[2]))
    assert type(pair[1]) is OrderedDict


def test_a_tensor_keeps_its_numbers_and_one_that_is_met_twice_is_one():
    x = torch.tensor([[1.5, math.nan]], dtype=torch.float64)

    first, second = made([x, x])

    assert torch.equal(first.nan_to_num(5), x.nan_to_num(5))
    assert first.dtype == x.dtype
    assert first is second


def add(n):
    def added(x):
        return x + n + SHIFT + bundled.FACTOR

    return added


def test_functions_take_with_them_what_they_use():
    assert made(add(1))(0) == add(1)(0) == 6
    assert made(lambda x: x * SHIFT)(2) == 6
    assert made(compile_function("math.hypot(x, SHIFT)", ("x",), {"SHIFT": 4, "math": math}))(3) == 5
    assert made(bundled.scale)(3) == 6
    assert made(partial(pow, exp=2))(3) == 9


def test_a_function_closes_over_modules_and_named_values():
    f, scale = F, bundled.scale

    assert made(lambda x: f.relu(scale(x)))(torch.ones(())) == 2


def test_a_method_is_that_of_an_object_with_the_same_attributes():
    assert made(bundled.Derived(4).scale)() == 8
    assert made(bundled.Color.RED).name == "RED"
    assert made(bundled_too.Shape(2, 5).area)() == 10
    assert made(bundled.OfTorch)()(3) == 6


def test_a_variable_of_the_test_is_named():
    values = Values(Bundle(), MODULE)

    assert values.expression(KEPT) == "KEPT"
    assert values.statements == []


class Empty:
    """A class without attributes."""


def test_an_object_without_attributes_is_made_anew():
    assert type(made(Empty())).__name__ == "Empty"


def make_local():
    class Inner:
        pass

    return Inner


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (torch.zeros(2, device="meta"), "no source for a large or special tensor"),
        (torch.nn.Parameter(torch.zeros(2)), "no source for a large or special tensor"),
        (torch.nn.Linear(2, 2), "no source for a Linear"),
        (sys.modules["json"], "no source for a module"),
        (object(), "no source for a object"),
        (make_local(), "no source of make_local.<locals>.Inner"),
        (pytest.Item, "_pytest is needed"),
    ],
    ids=["meta", "parameter", "module", "python-module", "object", "local", "foreign"],
)
def test_what_can_not_be_made_again_is_named(value, message):
    with pytest.raises(NoSourceError, match=f"^{message}$"):
        made(value)

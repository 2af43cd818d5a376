"""Is an input what it is described as?"""

import pytest
import torch
from check_questions import CPU, ask

from conformance.checks.calls import Shared
from conformance.model_check.input_spec import parse_arguments, parse_input
from conformance.model_check.model_loader import load_model
from conformance.model_check.options import UsageError


@pytest.mark.parametrize(
    ("text", "shape", "dtype", "low", "high"),
    [
        ("3x32x32", (7, 3, 32, 32), torch.float64, None, None),
        ("3:float32", (7, 3), torch.float32, None, None),
        ("3:complex128", (7, 3), torch.complex128, None, None),
        ("500:2..4", (7, 500), torch.int64, 2, 4),
        ("500:int32:-1..0", (7, 500), torch.int32, -1, 0),
        (":5..5", (7,), torch.int64, 5, 5),
        ("500:bool", (7, 500), torch.bool, False, True),
    ],
)
def test_an_input_is_what_it_is_described_as(text, shape, dtype, low, high):
    drawn = parse_input(text, 7).draw(torch.Generator().manual_seed(1), CPU, torch.float64)

    assert drawn.shape == shape
    assert drawn.dtype == dtype
    if low is not None:
        assert (int(drawn.min()), int(drawn.max())) == (low, high)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "invalid value ''"),
        ("3,4", "invalid value '3,4'"),
        ("3:int64:0..4:more", "invalid value"),
        ("3:float", "'float' \\(choose from float64, .*did you mean 'float"),
        ("3:int64", "expected a range"),
        ("3:float32:0..4", "expected a range"),
        ("3:4..2", "the range is empty"),
    ],
)
def test_a_description_that_makes_no_sense_is_a_mistake(text, problem):
    with pytest.raises(UsageError, match=problem):
        parse_input(text, 7)


@pytest.mark.parametrize("name", [":inputs", "theirs:inputs"])
def test_a_function_makes_all_arguments_of_each_member(name):
    first, second = load_model(ask("theirs:Three", (name,))).minibatches(2, device=CPU, dtype=torch.float64)

    assert [getattr(each, "dtype", each) for each in first] == [torch.float64, torch.int64, 2]
    assert not torch.equal(first[0], second[0])


def test_arguments_have_a_place_or_a_name():
    texts = ("3", "mask=17:bool", "graph.nodes=5x3", "graph.kind=:0..4", "unbatched:2x40:0..9", "shared:4")

    args, kwargs = parse_arguments(texts, 7)

    def shape(described):
        return described.draw(torch.Generator(), CPU, torch.float64).shape

    assert [shape(each) for each in args[:2]] == [(7, 3), (2, 40)]
    assert isinstance(args[2], Shared)
    assert shape(args[2].value) == (4,)
    assert shape(kwargs["mask"]) == (7, 17)
    assert {name: shape(each) for name, each in kwargs["graph"].items()} == {"nodes": (7, 5, 3), "kind": (7,)}


@pytest.mark.parametrize("texts", [("a=3", "a=3"), ("a.b=3", "a.b=4"), ("a=3", "a.b=3"), ("a.b=3", "a=3")])
def test_an_argument_is_described_once(texts):
    with pytest.raises(UsageError, match="the argument a is described twice"):
        parse_arguments(texts, 7)

"""Do trees come back as they went in?"""

import dataclasses
from collections import OrderedDict, UserDict
from typing import NamedTuple

import pytest

from conformance.utils.pytree import describe_structure, leaves, tree_map


class Pair(NamedTuple):
    left: object
    right: object


@dataclasses.dataclass(frozen=True)
class Found:
    scores: object
    boxes: object = dataclasses.field(init=False, default=0)
    unset: object = dataclasses.field(init=False, repr=False)


TREE = {"a": [1, (2,)], "b": Pair(3, OrderedDict(c=4))}


def test_mapping_keeps_types_and_labels():
    mapped = tree_map(lambda x, y: x + y, TREE, tree_map(lambda x: 10 * x, TREE))

    assert mapped == {"a": [11, (22,)], "b": Pair(33, OrderedDict(c=44))}
    assert type(mapped["b"]) is Pair
    assert type(mapped["b"].right) is OrderedDict


def test_leaves_have_paths():
    assert dict(leaves(TREE, "x")) == {
        "x['a'][0]": 1,
        "x['a'][1][0]": 2,
        "x['b']['left']": 3,
        "x['b']['right']['c']": 4,
    }
    assert list(leaves(5, "x")) == [("x", 5)]


def test_dataclasses_and_other_mappings_are_containers():
    tree = {"found": Found([1]), "more": UserDict(a=2, b=3)}

    mapped = tree_map(lambda leaf: leaf + 10, tree)

    assert dict(leaves(mapped, "x")) == {
        "x['found']['scores'][0]": 11,
        "x['found']['boxes']": 10,
        "x['more']['a']": 12,
        "x['more']['b']": 13,
    }
    assert type(mapped["found"]) is Found
    assert tree["found"].scores == [1]
    assert describe_structure(Found) == "*"


def test_what_is_a_leaf_may_be_said():
    mapped = tree_map(len, {"a": [1, 2], "b": "xyz"}, is_leaf=lambda tree: isinstance(tree, list))

    assert mapped == {"a": 2, "b": 3}
    assert list(leaves([1, (2,)], "x", lambda tree: isinstance(tree, tuple))) == [("x[0]", 1), ("x[1]", (2,))]


@pytest.mark.parametrize(
    "other", [{"a": [1, 2]}, [1, 2, 3], [1], 7, (1, 2)], ids=["dict", "longer", "shorter", "leaf", "tuple"]
)
def test_other_structures_are_refused(other):
    with pytest.raises(ValueError, match=r"the structures differ: list\(0=\*, 1=\*\) against"):
        tree_map(lambda x, _: x, [1, 2], other)


def test_the_outline_is_the_structure_in_words():
    assert describe_structure(TREE) == "dict(a=list(0=*, 1=tuple(0=*)), b=Pair(left=*, right=OrderedDict(c=*)))"

"""Are members that hold the same numbers named?"""

import torch
from torch import nn

from conformance.model_check.equal_members import describe_groups, equal_groups
from conformance.model_check.loaded_model import LoadedModel


def seeded(*seeds):
    """Layers, one for each seed."""
    made = []
    for seed in seeds:
        torch.manual_seed(seed)
        made.append(nn.Linear(3, 2))
    return made


def test_equal_members_are_grouped():
    groups = equal_groups(seeded(0, 1, 2, 0, 1, 0))

    assert groups == [[0, 3, 5], [1, 4]]
    assert describe_groups(groups) == "members 0, 3 and 5 are equal; members 1 and 4 are equal"


def test_members_without_numbers_or_of_another_shape_are_not_equal():
    assert equal_groups([nn.Tanh(), nn.Tanh()]) == []
    assert equal_groups([nn.Linear(3, 2), nn.Linear(2, 2), nn.Linear(3, 2, bias=False)]) == []
    assert describe_groups([]) == ""


def test_many_groups_are_not_all_listed():
    assert describe_groups([[i, i + 1] for i in range(0, 14, 2)]).endswith(
        "members 8 and 9 are equal; and 2 more groups"
    )


def test_members_of_three_checkpoints_are_a_problem_only_if_all_are_equal():
    some, every = (LoadedModel("model", seeded(*seeds), lambda n, *_: []) for seeds in ((0, 1, 2, 0, 1), (0, 0, 0)))

    assert (some.problem, some.equal_members) == (None, "members 0 and 3 are equal; members 1 and 4 are equal")
    assert every.problem == "all members hold the same numbers, so that their outputs are equal"

"""Which requirements does a run ask for?"""

import pytest

from conformance.spec.requirements import CHAPTERS, load_requirements
from conformance.spec.selection import select_requirements

ALL = load_requirements()


def chapter(name):
    return [identifier for identifier in ALL if identifier.startswith(f"{name}.")]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], []),
        (["stacking.order"], ["stacking.order"]),
        (["modules"], chapter("modules")),
        (["in_dims.*"], chapter("in_dims")),
        (["*.dict_by_key"], ["in_dims.dict_by_key", "out_dims.dict_by_key"]),
        (["stacking.order, out_dims"], ["stacking.order", *chapter("out_dims")]),
        (["out_dims", "stacking.order", "out_dims.*"], ["stacking.order", *chapter("out_dims")]),
    ],
    ids=["nothing", "id", "chapter", "pattern", "two-chapters", "commas", "twice"],
)
def test_requirements_are_named_by_id_pattern_and_chapter(names, expected):
    assert select_requirements(ALL, names, []) == expected


def test_a_level_narrows_what_is_named():
    musts = select_requirements(ALL, [], ["must"])
    both = select_requirements(ALL, ["stacking"], ["must", "limitation"])

    assert musts == [name for name, each in ALL.items() if each.level == "must"]
    assert both == [name for name in chapter("stacking") if ALL[name].level != "should"]


@pytest.mark.parametrize(
    ("names", "levels", "message"),
    [
        (["stacking.ordr"], [], "--requirement: invalid choice 'stacking.ordr'; did you mean 'stacking.order'?"),
        (["stackin"], [], "--requirement: invalid choice 'stackin'; did you mean 'stacking'?"),
        (["zzz.*"], [], f"--requirement: invalid choice 'zzz.*'; the chapters are {', '.join(CHAPTERS)}"),
        (["stackin.*"], [], "--requirement: invalid choice 'stackin.*'; did you mean 'stacking.*'?"),
        (["stackin.order"], [], "--requirement: invalid choice 'stackin.order'; did you mean 'stacking.order'?"),
        (["stacking.order,"], [], f"--requirement: invalid choice ''; the chapters are {', '.join(CHAPTERS)}"),
        ([], ["most"], "--level: invalid choice 'most' (choose from must, should, limitation); did you mean 'must'?"),
        (["stacking.order"], ["limitation"], "--level: no requirement that is asked for is of level limitation"),
    ],
    ids=[
        "misspelt",
        "misspelt-chapter",
        "pattern",
        "misspelt-pattern",
        "chapter-of-an-id",
        "empty",
        "level",
        "no-such-level-there",
    ],
)
def test_a_name_that_matches_nothing_is_a_mistake(names, levels, message):
    with pytest.raises(ValueError, match=r"^--") as caught:
        select_requirements(ALL, names, levels)

    assert str(caught.value) == message

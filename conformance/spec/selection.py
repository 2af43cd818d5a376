"""The selection of requirements by their ids, by patterns of these, by chapter and by level."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from conformance.spec.requirements import CHAPTERS, LEVELS, Requirement
from conformance.utils.suggestions import did_you_mean, invalid_choice


def select_requirements(
    requirements: Mapping[str, Requirement],
    names: Sequence[str],
    levels: Sequence[str],
    label: str = "--requirement",
) -> list[str]:
    """Return the ids that are asked for, in the order of the spec; an empty list if nothing narrows the run.

    `names`: ids, patterns such as ``in_dims.*``, and chapters, several of them separated by commas. `levels`: must,
    should or limitation. `label`: the argument that the names come from. Raises ValueError with one line for a name
    that matches nothing, and for an unknown level.
    """
    for level in levels:
        if level not in LEVELS:
            raise ValueError(f"--level: {invalid_choice(level, LEVELS)}")
    asked = [name.strip() for each in names for name in each.split(",")]
    found = (
        {identifier for name in asked for identifier in _matching(name, requirements, label)}
        if asked
        else {*requirements}
    )
    if not asked and not levels:
        return []
    selected = [name for name, each in requirements.items() if name in found and (not levels or each.level in levels)]
    if not selected:
        raise ValueError(f"--level: no requirement that is asked for is of level {' or '.join(levels)}")
    return selected


def _matching(name: str, requirements: Mapping[str, Requirement], label: str) -> list[str]:
    pattern = f"{name}.*" if name in CHAPTERS else name
    found = [identifier for identifier in requirements if fnmatchcase(identifier, pattern)]
    if not found:
        raise ValueError(f"{label}: invalid choice {name!r}{_suggestion(name, requirements)}")
    return found


def _suggestion(name: str, requirements: Mapping[str, Requirement]) -> str:
    """Return the nearest id or chapter, or what there is to choose from."""
    chapter, dot, rest = name.partition(".")
    if chapter not in CHAPTERS:
        near = did_you_mean(chapter, CHAPTERS)
        return near.replace("'?", f"{dot}{rest}'?") if near and rest == "*" else _nearest(name, requirements)
    return did_you_mean(name, requirements) or f"; {chapter} has {_of(chapter, requirements)}"


def _nearest(name: str, requirements: Mapping[str, Requirement]) -> str:
    names = [*CHAPTERS, *requirements] if "." in name else CHAPTERS
    return did_you_mean(name, names) or f"; the chapters are {', '.join(CHAPTERS)}"


def _of(chapter: str, requirements: Mapping[str, Requirement]) -> str:
    return ", ".join(each for each in requirements if each.startswith(f"{chapter}."))

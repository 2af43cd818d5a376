"""The selection of requirements, by their ids, by patterns of these, by chapter and by level, and of other names."""

from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatchcase

from conformance.spec.requirements import CHAPTERS, LEVELS, Requirement
from conformance.utils.suggestions import did_you_mean, invalid_choice


def select_requirements(
    requirements: Mapping[str, Requirement], names: Sequence[str], levels: Sequence[str], label: str
) -> list[str]:
    """Return the ids that are asked for, in the order of the spec; an empty list if nothing narrows them.

    `names`: ids, patterns such as ``in_dims.*``, and chapters, several of them separated by commas. `levels`: must,
    should or limitation. Raises ValueError with one line for a name that matches nothing, which begins with `label`,
    and for an unknown level.
    """
    for level in levels:
        if level not in LEVELS:
            raise ValueError(f"--level: {invalid_choice(level, LEVELS)}")
    asked = [name.strip() for each in names for name in each.split(",")]
    found = {each for name in asked for each in _requirements_named(name, requirements, label)}
    if not asked and not levels:
        return []
    among = found if asked else requirements
    selected = [name for name, each in requirements.items() if name in among and (not levels or each.level in levels)]
    if not selected:
        raise ValueError(f"--level: no requirement that is asked for is of level {' or '.join(levels)}")
    return selected


def select_names(names: Collection[str], patterns: Sequence[str], label: str) -> list[str]:
    """Return the names that match a pattern, such as ``LSTM*``, or all names if there is no pattern, in their order.

    Raises ValueError with one line that begins with `label` for a pattern that matches nothing.
    """
    found = set[str]()
    for pattern in patterns:
        matching = {name for name in names if fnmatchcase(name, pattern)}
        if not matching:
            raise ValueError(f"{label}: {invalid_choice(pattern, names)}")
        found |= matching
    return [name for name in names if name in found or not patterns]


def _requirements_named(name: str, requirements: Collection[str], label: str) -> list[str]:
    pattern = f"{name}.*" if name in CHAPTERS else name
    found = [identifier for identifier in requirements if fnmatchcase(identifier, pattern)]
    if not found:
        raise ValueError(f"{label}: invalid choice {name!r}{_suggestion(name, requirements)}")
    return found


def _suggestion(name: str, requirements: Collection[str]) -> str:
    near = did_you_mean(name, [*requirements, *CHAPTERS])
    if near:
        return near
    chapter = name.partition(".")[0]
    names = [each for each in requirements if each.partition(".")[0] == chapter]
    return f"; {chapter} has {', '.join(names)}" if names else f"; the chapters are {', '.join(CHAPTERS)}"

"""The selection of requirements by their ids, by patterns of these, by chapter and by level."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from conformance.spec.requirements import CHAPTERS, LEVELS, Requirement
from conformance.utils.suggestions import invalid_choice


def select_requirements(
    requirements: Mapping[str, Requirement], names: Sequence[str], levels: Sequence[str]
) -> list[str]:
    """Return the ids that are asked for, in the order of the spec; an empty list if nothing narrows the run.

    `names`: ids, patterns such as ``in_dims.*``, and chapters, several of them separated by commas. `levels`: must,
    should or limitation. Raises ValueError with one line for a name that matches nothing, and for an unknown level.
    """
    for level in levels:
        if level not in LEVELS:
            raise ValueError(f"--level: {invalid_choice(level, LEVELS)}")
    asked = [name.strip() for each in names for name in each.split(",")]
    found = {identifier for name in asked for identifier in _matching(name, requirements)} if asked else {*requirements}
    if not asked and not levels:
        return []
    selected = [name for name, each in requirements.items() if name in found and (not levels or each.level in levels)]
    if not selected:
        raise ValueError(f"--level: no requirement that is asked for is of level {' or '.join(levels)}")
    return selected


def _matching(name: str, requirements: Mapping[str, Requirement]) -> list[str]:
    pattern = f"{name}.*" if name in CHAPTERS else name
    found = [identifier for identifier in requirements if fnmatchcase(identifier, pattern)]
    if not found:
        raise ValueError(f"--requirement: {invalid_choice(name, [*requirements, *CHAPTERS])}")
    return found

"""The rows of ``conformance list``: the facts about each name that is asked for. They are read without torch."""

import argparse
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from conformance.spec.expectations import DEFAULT, load_expectations
from conformance.spec.index import load_index
from conformance.spec.requirements import load_requirements
from conformance.spec.selection import select_names, select_requirements
from conformance.utils.suggestions import invalid_choice

Row = Mapping[str, Any]


def requirement_rows(asked: argparse.Namespace) -> Iterator[Row]:
    """Yield the requirements. Raises ValueError for an unknown name or level, as the others do for theirs."""
    requirements = load_requirements()
    known = Counter(each.requirement for each in load_expectations(DEFAULT, requirements.keys()))
    for name in select_requirements(requirements, asked.names, asked.level or [], "requirement") or requirements:
        each = requirements[name]
        if (each.core or not asked.core) and (known[name] or not asked.known_failures):
            facts = {"id": name, "level": each.level, "core": each.core, "added": each.added}
            yield facts | {"known_failures": known[name], "text": each.text, "source": each.source}


def case_rows(asked: argparse.Namespace) -> Iterator[Row]:
    """Yield the cases; one name may be a case of several kinds."""
    cases = load_index().cases
    for kind in asked.kind or ():
        if kind not in cases:
            raise ValueError(f"--kind: {invalid_choice(kind, cases)}")
    among = {kind: names for kind, names in cases.items() if kind in (asked.kind or cases)}
    everything = list(dict.fromkeys(name for names in among.values() for name in names))
    found = set(select_names(everything, asked.names, "case"))
    yield from ({"name": name, "kind": kind} for kind, names in among.items() for name in names if name in found)


def fault_rows(asked: argparse.Namespace) -> Iterator[Row]:
    """Yield the faults."""
    broken = select_requirements(load_requirements(), asked.requirement or [], [], "--requirement")
    faults = load_index().faults
    for name in select_names(faults, asked.names, "fault"):
        if not broken or faults[name]["breaks"] in broken:
            yield {"name": name, **faults[name]}


def implementation_rows(asked: argparse.Namespace) -> Iterator[Row]:
    """Yield the built-in implementations."""
    known = load_index().implementations
    yield from ({"name": name, **known[name]} for name in select_names(known, asked.names, "implementation"))


def release_rows(asked: argparse.Namespace) -> Iterator[Row]:
    """Yield the recorded releases, oldest first."""
    known = load_index().releases
    for name in select_names(known, asked.names, "release"):
        yield {"release": name, "torch": known[name]["torch"], "requirements": known[name]["counts"]}

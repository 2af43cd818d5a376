"""The effects of known failures. Files before schema 4 lack them: they are taken from the suite's own entries."""

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

from conformance.report.reader import Key, Result
from conformance.report.results import Status
from conformance.spec.expectations import DEFAULT, Expectation, load_expectations
from conformance.spec.requirements import load_requirements


def with_effects(result: Result) -> Result:
    """Return the result with an effect in each known failure that an entry of the suite covers."""
    rows = {key: _with_effects(result, key, row) for key, row in result.rows.items()}
    return Result(result.name, result.content, rows)


def _with_effects(result: Result, key: Key, row: Mapping[str, Any]) -> Mapping[str, Any]:
    if not any(map(_lacks_effect, row["cases"])):
        return row
    requirement, implementation = key
    device = result.content["environment"]["device"].partition(":")[0]
    entries = _entries(str(result.release), device, implementation)
    cases = [_with_effect(case, requirement, entries) if _lacks_effect(case) else case for case in row["cases"]]
    return {**row, "cases": cases}


def _lacks_effect(case: Mapping[str, Any]) -> bool:
    return case["status"] == Status.KNOWN_FAILURE and "effect" not in case


def _with_effect(case: Mapping[str, Any], requirement: str, entries: Sequence[Expectation]) -> Mapping[str, Any]:
    name = case["test"].rpartition("/")[2].partition("::")[2]
    found = (entry.effect for entry in entries if entry.covers_test(requirement, name))
    effect = next(found, "")
    return {**case, "effect": effect} if effect else case


@lru_cache(maxsize=64)
def _entries(torch: str, device: str, implementation: str) -> Sequence[Expectation]:
    """Return the suite's entries that cover an environment and implementation."""
    return [
        entry
        for entry in _all_entries()
        if entry.covers_environment(torch=torch, device=device, implementation=implementation)
    ]


@cache
def _all_entries() -> Sequence[Expectation]:
    return load_expectations(DEFAULT, load_requirements().keys())

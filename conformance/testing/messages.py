"""The text of a failure: each cause once, with the requirements that it breaks, its location and suggested fixes."""

import re
import textwrap
from collections.abc import Hashable, Sequence

import torch

from conformance.testing.findings import Finding
from conformance.testing.model import Model
from conformance.testing.settings import PLAIN, Settings
from conformance.utils.text import one_line

LONG = 1000  # characters of a message; a finding has all of it
NUMBER = re.compile(r"\d[\d.e+-]*")
LOUD = ("wrong",)
FIELDS = (("operation", "operation:"), ("module", "module:   "), ("source", "line:     "))
NOT_FAILING = ("right", "not applicable")


def failure_text(model: Model, settings: Settings, failed: Sequence[Finding]) -> str:
    """Return the text of the failures of a model: each cause once, in the order of their first requirement."""
    by_cause: dict[Hashable, list[Finding]] = {}
    for finding in failed:
        by_cause.setdefault(_cause(finding), []).append(finding)
    plain = any(each.requirement == PLAIN and each.status == "not applicable" for each in failed)
    problem = "the model alone gives nothing to compare with" if plain else "the ensemble does not match its members"
    environment = (
        f"{settings.under_test.name}, {settings.members} members, torch {torch.__version__}, {settings.device}"
    )
    return "\n".join([f"{model.name}: {problem} ({environment}):", *map(cause_text, by_cause.values())])


def excuse(finding: Finding) -> str:
    """Return why a finding that did not pass does not fail either."""
    said = textwrap.shorten(one_line(finding.message, LONG), LONG)
    if finding.outcome == "skipped":
        return f"{finding.requirement}: {said}"
    why = finding.reason or "accepted"
    return f"{finding.requirement}: {why} ({finding.status}: {said})"


def cause_text(group: Sequence[Finding]) -> str:
    """Return the text of findings of one cause."""
    first = group[0]
    count = f"{len(group)} requirements: " if len(group) > 1 else ""
    names = ", ".join(each.requirement for each in group)
    places = [f"  {label} {getattr(first, name)}" for name, label in FIELDS if getattr(first, name)]
    fixes = [f"  suggested fix: {fix}" for fix in first.fixes]
    known = [f"  known failure: {first.known} of torch, which accept={[first.known]!r} lets fail"] * bool(first.known)
    return "\n".join([f"{count}{names}: {_verdict(first)}", *places, *fixes, *known])


def _cause(finding: Finding) -> Hashable:
    """Return what findings of one cause have in common; torch may word it in other ways in each."""
    if finding.expected_to_fail:
        return finding.requirement
    place = finding.source or finding.module
    words = None if place or finding.fixes else NUMBER.sub("", finding.message)
    return finding.status, finding.source, finding.module, finding.fixes, finding.known, words


def _verdict(finding: Finding) -> str:
    if finding.expected_to_fail and finding.status in NOT_FAILING:
        return f"expected to fail ({finding.reason}), but it is {finding.status}"
    status = finding.status.upper() if finding.status in LOUD else finding.status
    return f"{status}: {textwrap.shorten(one_line(finding.message, LONG), LONG)}"

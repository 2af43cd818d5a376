"""The difference between results as JSON; docs/guides/compare.md describes the keys."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from conformance.report.diff import Difference
from conformance.report.diff_sections import sorted_by_importance
from conformance.report.diff_text import changed_conditions, diff_summary, left_out_count
from conformance.report.drift import BudgetDrift
from conformance.report.reader import Result


def difference_document(difference: Difference) -> dict[str, Any]:
    """Return a difference as plain data."""
    return {
        "old": _side(difference.old),
        "new": _side(difference.new),
        "summary": diff_summary(difference),
        "conditions": list(changed_conditions(difference.old, difference.new)),
        "changes": [
            asdict(each) | {"silent": each.silent, "gating": each.gating, "gating_if_strict": each.gating_if_strict}
            for each in sorted_by_importance(difference.transitions)
        ],
        "left_out": left_out_count(difference.left_out),
        "drift": {
            "budget": [asdict(each) for each in difference.drift if isinstance(each, BudgetDrift)],
            "tables": [asdict(each) for each in difference.drift if not isinstance(each, BudgetDrift)],
        },
    }


def json_lines(differences: Sequence[Difference], code: int) -> Iterator[str]:
    """Yield all differences and the exit code as lines of JSON."""
    document = {"differences": [difference_document(each) for each in differences], "exit_code": int(code)}
    # In ASCII, so that nothing in it can tell a terminal what to do.
    yield from json.dumps(document, indent=1).splitlines()


def _side(result: Result) -> dict[str, Any]:
    return {
        "file": result.name,
        "torch": result.torch,
        "device": result.content["environment"]["device"],
        "verdict": result.content["verdict"],
        "suite": result.content.get("suite"),
    }

"""Writing of result files: JSON as described by `schema.json`, written to a scratch file and then renamed."""

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from conformance.report.rerun import rerun_command
from conformance.report.results import CaseResult, RequirementResult
from conformance.report.tables import Tables
from conformance.report.verdict import Verdict
from conformance.utils.files import write_file

SCHEMA_VERSION = 4
COMPRESSED = ".gz"


def result_document(
    facts: Mapping[str, Any],
    options: Mapping[str, Any],
    table: Sequence[RequirementResult],
    tables: Tables,
    answer: Verdict,
    duration: float,
    suite: Mapping[str, Any],
) -> dict[str, Any]:
    """Return a run as plain data: suite, environment, options, verdict, requirements with their cases, and tables."""
    return {
        "schema_version": SCHEMA_VERSION,
        "suite": dict(suite),
        "environment": dict(facts),
        "options": dict(options),
        "conforms": answer.conforms,
        "verdict": answer.sentence,
        "duration": round(duration, 3),
        "requirements": [
            {
                "id": row.requirement.id,
                "level": row.requirement.level,
                "text": row.requirement.text,
                "source": row.requirement.source,
                "added": row.requirement.added,
                "implementation": row.implementation,
                "status": row.status,
                "cases": [_case_document(case, options) for case in row.cases],
            }
            for row in table
        ],
        "tables": dict(tables),
    }


def _case_document(case: CaseResult, options: Mapping[str, Any]) -> dict[str, Any]:
    facts = asdict(case)
    for key in ("requirement", "implementation", "raises"):
        del facts[key]
    for key in ("dtype", "layer", "script", "effect", "observed"):
        if not facts[key]:
            del facts[key]
    return facts | {"rerun": rerun_command(case, options)}


def write_result(path: Path, content: Mapping[str, Any]) -> None:
    """Write `content` to `path` as a whole, compressed if the name ends with .gz. Raises OSError."""
    text = json.dumps(content, indent=1, allow_nan=False) + "\n"
    # Without a timestamp, so that equal content gives equal files.
    data = text.encode()
    write_file(path, gzip.compress(data, mtime=0) if path.suffix == COMPRESSED else data)

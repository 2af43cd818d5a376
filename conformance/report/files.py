"""The result file: JSON, written whole and then renamed, so that nobody ever reads half of one."""

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from conformance.report.results import Row, Verdict
from conformance.report.tables import Tables
from conformance.report.terminal import rerun

SCHEMA_VERSION = 2


def document(
    facts: Mapping[str, Any],
    options: Mapping[str, Any],
    table: Sequence[Row],
    tables: Tables,
    answer: Verdict,
    duration: float,
) -> dict[str, Any]:
    """The run as JSON: environment, options, verdict, and per requirement and case what was found, and its tables."""
    return {
        "schema_version": SCHEMA_VERSION,
        "environment": dict(facts),
        "options": dict(options),
        "conforms": answer.conforms,
        "verdict": answer.sentence,
        "duration": round(duration, 3),
        "requirements": [
            {
                "id": row.requirement.id,
                "level": row.requirement.level,
                "implementation": row.implementation,
                "status": row.status,
                "cases": [
                    {
                        **{
                            key: value
                            for key, value in asdict(case).items()
                            if key not in ("requirement", "implementation")
                        },
                        "rerun": rerun(case, options),
                    }
                    for case in row.cases
                ],
            }
            for row in table
        ],
        "tables": dict(tables),
    }


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Write `content` to `path`, whole or not at all."""
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=1, allow_nan=False)
            file.write("\n")
        Path(scratch).chmod(0o644)
        Path(scratch).replace(path)
    except BaseException:
        Path(scratch).unlink()
        raise

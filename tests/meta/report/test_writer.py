"""Is a result file written whole or not at all?"""

import json

import pytest
from requirement_results import FACTS, OPTIONS, TABLES, case
from results import SPEC, SUITE

from conformance.report import writer
from conformance.report.results import (
    Status,
    requirement_results,
)
from conformance.report.verdict import decide_verdict


def test_a_disk_that_is_full_leaves_nothing_half_written(tmp_path, monkeypatch):
    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(OSError, match="no space left"):
        writer.write_result(tmp_path / "result.json", {})

    assert list(tmp_path.iterdir()) == []


def test_the_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "result.json"
    table = requirement_results(
        SPEC, ["torch.func"], [case(Status.CONFORMS, dtype="float64", duration=0.5, budget_share=0.25)]
    )

    writer.write_result(
        path,
        writer.result_document(FACTS, OPTIONS, table, TABLES, decide_verdict(table, certify=False), 1.23456, SUITE),
    )
    first = path.read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="Out of range float"):
        writer.write_result(path, {"a": float("nan")})

    assert path.read_text(encoding="utf-8") == first
    assert [each.name for each in tmp_path.iterdir()] == ["result.json"]
    assert oct(path.stat().st_mode)[-3:] == "644"
    content = json.loads(first)
    assert content["schema_version"] == writer.SCHEMA_VERSION
    assert content["duration"] == 1.235
    assert content["tables"] == TABLES
    assert content["requirements"][0]["cases"] == [
        {
            "test": "test_a[x]",
            "status": "conforms",
            "message": "",
            "dtype": "float64",
            "duration": 0.5,
            "budget_share": 0.25,
            "lost": False,
            "rerun": 'python -m conformance run "test_a[x]" --implementation torch.func --seed 0',
        }
    ]
    assert [row["status"] for row in content["requirements"]] == ["conforms", "not run"]

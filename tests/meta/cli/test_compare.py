"""Does ``conformance compare`` gate, print JSON, and know the recorded releases from any folder?"""

import json

import pytest
from results import SHOULD, case, document

from conformance.cli.main import main
from conformance.report import releases as recorded_releases
from conformance.report import writer
from conformance.utils.exit_codes import ExitCode

SILENT = {"status": "known failure", "message": "a reason", "effect": "wrong", "observed": "off \x1b[2J"}


@pytest.fixture
def results(tmp_path, monkeypatch):
    """An old result, and new ones with a silent failure, a refused must and a refused should."""
    monkeypatch.chdir(tmp_path)
    refused = SILENT | {"effect": "refused"}
    states = {
        "old": [case("conforms"), case("conforms", requirement=SHOULD)],
        "silent": [case("conforms"), case(requirement=SHOULD, **SILENT)],
        "must": [case(**refused), case("conforms", requirement=SHOULD)],
        "should": [case("conforms"), case(requirement=SHOULD, **refused)],
        "fails": [case("fails"), case("conforms", requirement=SHOULD)],
    }
    for name, cases in states.items():
        writer.write_result(tmp_path / f"{name}.json", document(*cases))
    return tmp_path


@pytest.mark.parametrize(
    ("new", "loose", "strict"),
    [("old", 0, 0), ("silent", 0, 1), ("must", 0, 1), ("should", 0, 0), ("fails", 1, 1)],
)
def test_strict_gates_on_silent_failures_and_on_known_failures_of_musts(new, loose, strict, results, capsys):
    arguments = ["compare", "old.json", f"{new}.json"]

    assert main(arguments) == loose
    assert main([*arguments, "--strict"]) == strict
    assert ("CHANGED: nothing\n" in capsys.readouterr().out) is (new == "old")


def test_json_holds_the_difference(results, capsys):
    code = main(["compare", "old.json", "silent.json", "old.json", "--json", "--strict", "--html", "page.html"])

    printed = capsys.readouterr().out
    found = json.loads(printed)
    first, second = found["differences"]
    assert code == found["exit_code"] == ExitCode.NEGATIVE
    assert printed.isascii()
    assert (results / "page.html").exists()
    assert first["old"]["file"] == "old.json"
    assert first["new"]["suite"]["version"] == "0.1.0"
    assert first["left_out"] == {"requirements": 0, "cases": 0}
    assert first["drift"] == {"budget": [], "tables": []}
    assert first["summary"] == "CHANGED: 1 new silent failure"
    assert second["changes"][0]["change"] == "fixed"
    assert first["changes"] == [
        {
            "change": "regressed",
            "known": True,
            "requirement": "stacking.b",
            "implementation": "torch.func",
            "level": "should",
            "old": "conforms",
            "new": "known failure",
            "was": "",
            "effect": "wrong",
            "tests": ["test_a[x]"],
            "of": 1,
            "message": "a reason",
            "observed": "off \x1b[2J",
            "rerun": 'python -m conformance run "test_a[x]" --implementation torch.func --seed 0',
            "silent": True,
            "gating": False,
            "gating_if_strict": True,
        }
    ]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--json", "--markdown"], "not allowed with argument --json"),
        (["--strict=1"], "ignored explicit argument"),
        (["--jsn"], "did you mean '--json'?"),
        (["recordd"], "did you mean 'recorded'?"),
    ],
)
def test_a_mistake_ends_with_4_and_writes_nothing(arguments, reason, results, capsys):
    before = set(results.iterdir())

    code = main(["compare", "old.json", *arguments, "fails.json", "--html=page.html"])

    printed = capsys.readouterr()
    assert (code, printed.out) == (ExitCode.USAGE_ERROR, "")
    assert reason in printed.err
    assert printed.err.count("\n") == 1
    assert set(results.iterdir()) == before


def test_all_recorded_releases_have_a_name_in_any_folder(tmp_path, monkeypatch):
    (tmp_path / "recorded").mkdir()
    monkeypatch.chdir(tmp_path)

    assert recorded_releases.find_results("recorded") == list(recorded_releases.recorded_release_paths().values())
    with pytest.raises(ValueError, match="contains no result file"):
        recorded_releases.find_results("./recorded")


def test_of_two_releases_the_silent_regressions_come_first(capsys):
    code = main(["compare", "2.8", "2.15"])

    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  ") and line[2] != " "]
    assert [line.split()[0] for line in lines[:3]] == [
        "in_dims.dict_by_key",
        "out_dims.dict_by_key",
        "inplace.view_by_index",
    ]
    assert code == ExitCode.OK
    assert main(["compare", "2.8", "2.15", "--strict"]) == ExitCode.NEGATIVE

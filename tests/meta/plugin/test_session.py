"""Does a run end with a verdict, a result file and what else was asked for?"""

import importlib
import shutil
from html import escape
from xml.etree import ElementTree as ET

import pytest
from suite_runs import ONE, STACKING

from conformance.report import releases as recorded_releases
from conformance.report import writer
from conformance.spec.locations import SUITE
from conformance.spec.requirements import load_requirements
from conftest import in_a_process


def last_line(printed):
    return next(line for line in reversed(printed.splitlines()) if line.startswith("VERDICT"))


def test_a_run_ends_with_a_verdict_and_a_result_file(run_suite):
    options = ("--implementation=torch.func", "--implementation=functorch", "-m", "not original")
    outcome = run_suite(*options, paths=[f"{SUITE}/test_forward.py", *STACKING])

    assert outcome.code == pytest.ExitCode.OK
    assert outcome.result["conforms"]
    assert outcome.result["verdict"] in last_line(outcome.printed)
    assert len(outcome.result["requirements"]) == 2 * len(load_requirements())
    statuses = outcome.statuses()
    assert statuses["stacking.order", "torch.func"] == "conforms"
    assert statuses["stacking.refuses_extra_parameters", "torch.func"] == "known failure"
    assert statuses["stacking.tuples", "torch.func"] == "not applicable"
    # Its cases at full size were deselected.
    assert statuses["forward.own_minibatch", "torch.func"] == "not run"
    shares = [case["budget_share"] for row in outcome.result["requirements"] for case in row["cases"]]
    assert max(share for share in shares if share is not None) > 0
    environment = outcome.result["environment"]
    assert environment["torch"] == importlib.import_module("torch").__version__
    assert outcome.result["options"]["seed"] == 0


def test_a_run_ends_with_what_changed(run_suite, tmp_path, monkeypatch):
    monkeypatch.setattr(recorded_releases, "RELEASES", tmp_path)
    before = run_suite(*ONE)
    shutil.copy(tmp_path / "result.json", tmp_path / "old.json")
    writer.write_result(tmp_path / "2.0.1.json.gz", before.result)

    same = run_suite(*ONE, f"--compare={tmp_path / 'old.json'}")
    broken = run_suite("--requirement=stacking.sequences", "--fault=ModuleListReversed", "--compare=recorded")

    assert same.printed.rpartition("what changed from torch")[2].count("CHANGED: nothing\n") == 1
    assert "(2.0.1.json.gz) to" in broken.printed
    assert "regressed (must):\n  stacking.sequences (torch.func): conforms -> fails" in broken.printed


def test_a_run_writes_a_page(run_suite, tmp_path):
    alone = run_suite(*ONE, f"--html={tmp_path / 'alone.html'}")
    shutil.copy(tmp_path / "result.json", tmp_path / "old.json")
    options = (f"--html={tmp_path / 'two.html'}", f"--compare={tmp_path / 'old.json'}")
    broken = run_suite("--requirement=stacking.sequences", "--fault=ModuleListReversed", *options)

    page, since = ((tmp_path / name).read_text(encoding="utf-8") for name in ("alone.html", "two.html"))
    assert f"page: {tmp_path / 'alone.html'}" in alone.printed
    assert escape(alone.result["verdict"]) in page
    assert 'id="changes"' not in page
    assert escape(broken.result["verdict"]) in since
    assert 'id="changes"' in since


@pytest.mark.parametrize("program", ["pytest", "conformance"])
def test_the_page_leaves_its_name_to_an_installed_pytest_html(tmp_path, program):
    (tmp_path / "theirs.py").write_text("def pytest_addoption(parser):\n    parser.addoption('--html')\n", "utf-8")
    installed = tmp_path / "theirs-1.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1\n", "utf-8")
    (installed / "entry_points.txt").write_text("[pytest11]\nhtml = theirs\n", "utf-8")
    page = tmp_path / "page.html"

    options = (f"--conformance-html={page}", f"--html={tmp_path / 'theirs.html'}")
    outcome = in_a_process(tmp_path, *ONE, *options, program=program, PYTHONPATH=str(tmp_path))

    assert outcome.code == pytest.ExitCode.OK, outcome.printed
    assert escape(outcome.result["verdict"]) in page.read_text(encoding="utf-8")
    assert not (tmp_path / "theirs.html").exists()


def test_junit_xml_is_written_beside_the_result(run_suite, tmp_path):
    outcome = run_suite(*ONE, f"--junit-xml={tmp_path / 'junit.xml'}")

    cases = ET.parse(tmp_path / "junit.xml").findall(".//testcase")  # noqa: S314 - pytest wrote it here
    (ran,) = (row["cases"] for row in outcome.result["requirements"] if row["cases"])
    assert sorted(each.get("name") for each in cases) == [case["test"].rpartition("::")[2] for case in ran]


def test_junit_xml_costs_no_test_that_records_a_cell_of_a_table(run_suite, tmp_path):
    asked = ("--implementation=torch.func", "--requirement=inplace.mapped", "-k", "acos_")

    outcome = run_suite(*asked, f"--junit-xml={tmp_path / 'junit.xml'}")

    assert outcome.code == pytest.ExitCode.OK, outcome.printed
    assert outcome.result["tables"]


def test_without_a_recorded_release_there_is_nothing_to_compare_with(run_suite, tmp_path, monkeypatch):
    monkeypatch.setattr(recorded_releases, "RELEASES", tmp_path)

    outcome = run_suite(*ONE, "--compare=recorded")

    assert outcome.code == pytest.ExitCode.OK
    assert "what changed" not in outcome.printed


def test_what_is_not_run_is_said(run_suite):
    asked = ("--implementation=torch.func", "-k", "no_model_is_refused")
    part, certified = (run_suite(*asked, *more, paths=STACKING) for more in ((), ("--profile=certify",)))

    assert part.code == pytest.ExitCode.OK
    assert "CONFORMS AS FAR AS RUN" in last_line(part.printed)
    assert part.statuses()["stacking.refuses_no_model", "torch.func"] == "conforms"
    assert part.statuses()["stacking.order", "torch.func"] == "not run"
    assert certified.code == pytest.ExitCode.TESTS_FAILED
    assert "INCOMPLETE: " in last_line(certified.printed)


def test_a_skip_is_no_answer(run_suite):
    outcome = run_suite("--implementation=broken:Skipping", "--requirement=stacking.sequences")

    assert outcome.code == pytest.ExitCode.TESTS_FAILED
    assert "NO ANSWER" in outcome.printed
    assert "not today" in outcome.printed
    assert last_line(outcome.printed).startswith("VERDICT: INCOMPLETE: 3 selected tests ended without an answer")


def test_an_interrupted_run_is_no_answer(run_suite):
    outcome = run_suite("--implementation=torch.func", "--requirement=stacking.order", "--fault=MembersReversed", "-x")

    statuses = [case["status"] for row in outcome.result["requirements"] for case in row["cases"]]
    assert sorted(statuses) == ["fails", "not run", "not run", "not run"]


def test_collecting_alone_says_nothing(run_suite):
    outcome = run_suite(*ONE, "--collect-only")

    assert outcome.code == pytest.ExitCode.OK
    assert "VERDICT" not in outcome.printed
    assert outcome.result is None


def findings(result):
    return [
        (
            row["id"],
            row["implementation"],
            row["status"],
            case["test"],
            case["status"],
            case["message"],
            case["budget_share"],
        )
        for row in result["requirements"]
        for case in row["cases"]
    ]


def test_workers_come_to_the_same_findings(tmp_path):
    chapter = ["tests/test_calling.py", "--implementation=torch.func", "--implementation=functorch"]

    alone, shared = (in_a_process(tmp_path, *chapter, "-n", n) for n in ("0", "2"))

    assert alone.code == shared.code == pytest.ExitCode.OK
    assert findings(alone.result) == findings(shared.result)
    assert last_line(alone.printed) == last_line(shared.printed)
    assert shared.result["environment"]["threads"] == 1

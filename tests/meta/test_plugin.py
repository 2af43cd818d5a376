"""Does a run end with the right verdict, exit code and file, whatever happens to it?"""

import importlib
import shutil
from html import escape
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import pytest

from conformance.devices.probe import CANNOT_ANSWER
from conformance.plugin import collection, config
from conformance.plugin.hooks import LONGEST
from conformance.report import releases as recorded_releases
from conformance.report import writer
from conformance.spec.coverage import chapter_files
from conformance.spec.expectations import DEFAULT
from conformance.spec.locations import CONFIGURATION, SUITE
from conformance.spec.requirements import CHAPTERS, load_requirements
from conftest import Thin, in_a_process

ONE = ["--implementation=torch.func", "--requirement=stacking.sequences"]
STACKING = [str(path) for path in chapter_files("stacking")]
USAGE = pytest.ExitCode.USAGE_ERROR


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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--device=abacus"], "--device: torch knows no device 'abacus'"),
        (
            ["--implementation=nope"],
            "--implementation: 'nope' is none of torch.func, functorch, reference, compiled, ",
        ),
        (["--implementation=broken:Incomplete"], "--implementation: 'broken:Incomplete' has no combine and vmap"),
        (["--requirement=forward.nope"], "--requirement: invalid choice 'forward.nope'"),
        (["--profile=quick"], "--profile: invalid choice 'quick' (choose from core, full, certify)"),
        (["--seed=-1"], "--seed: invalid value -1 (expected 0 to 2**63 - 1)"),
        (
            ["--fault=ModuleListReverse"],
            "--fault: invalid choice 'ModuleListReverse'; did you mean 'ModuleListReversed'?",
        ),
        (["--expectations=nowhere.toml"], "nowhere.toml: [Errno 2] No such file or directory"),
        (["--expectations=pyproject.toml"], "pyproject.toml: expected [[expectation]] tables and nothing else"),
        (["--result=no/such/folder/result.json"], "--result: can't write no/such/folder/result.json"),
        (["--result=."], "--result: can't write ."),
        (["--html=no/such/folder/page.html"], "--html: can't write no/such/folder/page.html"),
        (["--html=."], "--html: can't write ."),
        (["--compare=nowhere.json"], "nowhere.json: No such file or directory"),
        (["--compare=0.9"], "0.9: no such file or recorded release (choose from 2.0.1, "),
        (["--compare=fixtures/releases"], "--compare: expected one result, got the folder fixtures/releases"),
        (["--device-module=no_such_vendor"], "--device-module: there is no package 'no_such_vendor'"),
        (["--device-profile=nowhere.toml"], "nowhere.toml: [Errno 2] No such file or directory"),
        (
            ["--device-profile=fixtures/example_device_profile.toml"],
            "--device-profile: example_device_profile.toml is for 'xpu', but the run uses cpu",
        ),
    ],
    ids=lambda each: each[0] if isinstance(each, list) else None,
)
def test_a_mistake_of_the_caller_is_one_line(run_suite, arguments, message):
    outcome = run_suite(*arguments)

    assert outcome.code == USAGE
    assert outcome.printed.count("ERROR: ") == 1
    assert f"ERROR: {message}" in outcome.printed
    assert "Traceback" not in outcome.printed
    assert outcome.result is None


def test_a_mistake_in_a_hostile_file_is_one_short_line(run_suite, tmp_path):
    path = tmp_path / "hostile.toml"
    path.write_text("".join(f'"\\u001b[2J{i}" = 1\n' for i in range(10_000)), encoding="utf-8")

    printed = run_suite(f"--expectations={path}").printed

    (line,) = (line for line in printed.splitlines() if line.startswith("ERROR: "))
    assert len(line) <= len("ERROR: ") + LONGEST
    assert "\x1b" not in printed


def test_a_run_ends_with_what_changed(run_suite, tmp_path, monkeypatch):
    monkeypatch.setattr(recorded_releases, "RELEASES", tmp_path)
    before = run_suite(*ONE)
    shutil.copy(tmp_path / "result.json", tmp_path / "old.json")
    writer.write_result(tmp_path / "2.0.1.json.gz", before.result)

    same = run_suite(*ONE, f"--compare={tmp_path / 'old.json'}")
    broken = run_suite("--requirement=stacking.sequences", "--fault=ModuleListReversed", "--compare=recorded")

    assert same.printed.rpartition("what changed from torch")[2].count("CHANGED: nothing\n") == 1
    assert "(2.0.1.json.gz) to" in broken.printed
    assert "regressed:\n  stacking.sequences (torch.func): conforms -> fails" in broken.printed


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


def test_without_a_recorded_release_there_is_nothing_to_compare_with(run_suite, tmp_path, monkeypatch):
    monkeypatch.setattr(recorded_releases, "RELEASES", tmp_path)

    outcome = run_suite(*ONE, "--compare=recorded")

    assert outcome.code == pytest.ExitCode.OK
    assert "what changed" not in outcome.printed


def test_a_device_that_does_not_work_has_its_own_exit_code(run_suite):
    outcome = run_suite("--device=meta")

    assert outcome.code == CANNOT_ANSWER
    assert "environment can't answer: device 'meta' does not work here" in outcome.printed
    assert "Traceback" not in outcome.printed
    assert outcome.result is None


def test_a_torch_that_does_not_import_has_it_too(run_suite, monkeypatch):
    real = importlib.import_module

    def broken(name, *package):
        if name == "torch":
            raise ImportError("libtorch.so: undefined symbol\nand more")
        return real(name, *package)

    monkeypatch.setattr(importlib, "import_module", broken)

    outcome = run_suite()

    assert outcome.code == CANNOT_ANSWER
    assert "can't answer: torch does not import: ImportError: libtorch.so: undefined symbol and more" in outcome.printed


def test_implementations_that_this_torch_has_not_are_not_applicable(run_suite):
    alone = run_suite("--implementation=broken:Absent")
    beside = run_suite("--implementation=broken:Absent", *ONE)

    assert alone.code == CANNOT_ANSWER
    assert "broken:Absent: this torch has no such thing" in alone.printed
    assert beside.code == pytest.ExitCode.OK
    assert beside.statuses()["stacking.sequences", "broken:Absent"] == "not applicable"
    assert beside.statuses()["stacking.sequences", "torch.func"] == "conforms"


def test_a_parameter_that_this_torch_has_not_is_not_applicable(run_suite, monkeypatch):
    monkeypatch.delattr("torch.optim.Muon")

    outcome = run_suite("--requirement=training.refusing_optimizers", "--implementation=torch.func")

    assert outcome.statuses()["training.refusing_optimizers", "torch.func"] == "not applicable"
    row = next(row for row in outcome.result["requirements"] if row["id"] == "training.refusing_optimizers")
    assert [case["message"] for case in row["cases"]] == ["this torch has no torch.optim.Muon"]


@pytest.mark.parametrize(("set_to", "calls"), [(None, [1]), ("2", [])], ids=["by-default", "as-asked"])
def test_torch_has_one_thread_unless_the_environment_says_otherwise(run_suite, monkeypatch, set_to, calls):
    called = []
    monkeypatch.setattr("torch.set_num_threads", called.append)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if set_to:
        monkeypatch.setenv("OMP_NUM_THREADS", set_to)

    run_suite(*ONE, "--collect-only")

    assert called == calls


def test_python_without_assertions_is_refused(run_suite, monkeypatch):
    monkeypatch.setattr("conformance.plugin.config.sys", SimpleNamespace(flags=SimpleNamespace(optimize=1)))

    assert "python -O removes the assertions" in run_suite().printed


def test_a_gap_between_spec_and_suite_stops_the_run(run_suite, monkeypatch):
    monkeypatch.setattr(config, "coverage_problem", lambda _: "no test asks for the requirement 'forward.nope'")

    outcome = run_suite()

    assert outcome.code == USAGE
    assert "ERROR: no test asks for the requirement 'forward.nope'" in outcome.printed


def test_what_is_not_run_is_said(run_suite):
    asked = ("--implementation=torch.func", "-k", "no_model_is_refused")
    part, certified = (run_suite(*asked, *more, paths=STACKING) for more in ((), ("--profile=certify",)))

    assert part.code == pytest.ExitCode.OK
    assert "CONFORMS AS FAR AS RUN" in last_line(part.printed)
    assert part.statuses()["stacking.refuses_no_model", "torch.func"] == "conforms"
    assert part.statuses()["stacking.order", "torch.func"] == "not run"
    assert certified.code == pytest.ExitCode.TESTS_FAILED
    assert "NOT CERTIFIED" in last_line(certified.printed)


def test_the_core_profile_runs_the_core(run_suite):
    outcome = run_suite("--implementation=torch.func", "--profile=core", plugins=[Thin(None)])

    rows = outcome.result["requirements"]
    run = {row["id"] for row in rows if any(case["status"] != "not run" for case in row["cases"])}
    assert run == {each.id for each in load_requirements().values() if each.core}
    tests = [case["test"] for row in rows for case in row["cases"]]
    assert not [test for test in tests if "original_example" in test]


def test_the_core_is_of_musts_and_of_every_chapter_that_gives_answers():
    core = [each for each in load_requirements().values() if each.core]

    assert {each.level for each in core} == {"must"}
    # Refusals and what else a member may do no device decides, not every device has a compiler, and a catalogue takes
    # longer than a quick answer may.
    assert {each.chapter for each in core} == set(CHAPTERS) - {"errors", "purity", "compiled", "modules"}


def test_nobody_is_excused_who_is_not_named(run_suite):
    outcome = run_suite("--implementation=broken:minimal", "--requirement=stacking.refuses_extra_parameters")

    assert outcome.code == pytest.ExitCode.TESTS_FAILED
    assert outcome.red() == {"stacking.refuses_extra_parameters"}
    assert "FAILS stacking.refuses_extra_parameters (broken:Minimal): accepted silently" in outcome.printed.replace(
        "minimal", "Minimal"
    )
    assert "rerun: python -m conformance run" in outcome.printed


def test_a_name_is_what_the_implementation_calls_itself(run_suite):
    outcome = run_suite("--implementation=broken:Renamed", "--requirement=stacking.refuses_extra_parameters")

    assert outcome.statuses()["stacking.refuses_extra_parameters", "broken:Renamed"] == "known failure"


def expectations(tmp_path, **entry):
    entry = {
        "requirement": "stacking.sequences",
        "torch": ">=2.0",
        "raises": "AssertionError",
        "reason": "made up",
        "kind": "bug",
        "implementation": "torch.func",
    } | entry
    path = tmp_path / "more.toml"
    lines = "".join(f"{key} = {value!r}\n" for key, value in entry.items())
    path.write_text(f"{DEFAULT.read_text(encoding='utf-8')}\n[[expectation]]\n{lines}", encoding="utf-8")
    return f"--expectations={path}"


def test_a_known_failure_that_passes_fails(run_suite, tmp_path):
    outcome = run_suite(*ONE, expectations(tmp_path))

    assert outcome.code == pytest.ExitCode.TESTS_FAILED
    assert "FAILS stacking.sequences (torch.func): [XPASS(strict)] made up" in outcome.printed


def test_a_known_failure_that_fails_differently_fails(run_suite, tmp_path):
    entry = expectations(tmp_path, requirement="stacking.refuses_no_model", raises="KeyError")

    outcome = run_suite("--fault=AcceptsNoModel", "--implementation=torch.func", entry, paths=STACKING)

    assert "FAILS stacking.refuses_no_model (torch.func): accepted silently" in outcome.printed


def test_a_known_failure_shows_its_link(run_suite, tmp_path):
    entry = expectations(tmp_path, requirement="stacking.refuses_no_model", url="there")

    outcome = run_suite("--fault=AcceptsNoModel", "--implementation=torch.func", entry, paths=STACKING)

    assert outcome.statuses()["stacking.refuses_no_model", "torch.func"] == "known failure"
    assert outcome.red() == set()
    reasons = [case["message"] for row in outcome.result["requirements"] for case in row["cases"]]
    assert "made up (there)" in reasons


@pytest.mark.parametrize("entry", [{"test": "test_nope*"}, {"test": "*[[]nope[]]"}], ids=["test", "parameter"])
def test_a_stale_entry_stops_the_run(run_suite, tmp_path, entry):
    outcome = run_suite("--implementation=torch.func", expectations(tmp_path, **entry), paths=STACKING)
    part = run_suite(
        *ONE, expectations(tmp_path, **entry), paths=[f"{SUITE}/test_stacking.py::test_slice_i_is_member_i"]
    )
    elsewhere = run_suite(
        "--implementation=torch.func", expectations(tmp_path, **entry), paths=[f"{SUITE}/test_calling.py"]
    )

    assert outcome.code == USAGE
    assert f"ERROR: the expectation for stacking.sequences, test {entry['test']!r}, is stale" in outcome.printed
    assert outcome.result is None
    assert "is stale" not in part.printed + elsewhere.printed


def test_a_skip_is_no_answer(run_suite):
    outcome = run_suite("--implementation=broken:Skipping", "--requirement=stacking.sequences")

    assert outcome.code == pytest.ExitCode.TESTS_FAILED
    assert "NO ANSWER" in outcome.printed
    assert "not today" in outcome.printed
    assert last_line(outcome.printed).startswith("VERDICT: NO VERDICT: 3 selected tests ended without an answer")


def test_an_interrupted_run_is_no_answer(run_suite):
    outcome = run_suite("--implementation=torch.func", "--requirement=stacking.order", "--fault=MembersReversed", "-x")

    statuses = [case["status"] for row in outcome.result["requirements"] for case in row["cases"]]
    assert sorted(statuses) == ["fails", "not run", "not run", "not run"]


def test_collecting_alone_says_nothing(run_suite):
    outcome = run_suite(*ONE, "--collect-only")

    assert outcome.code == pytest.ExitCode.OK
    assert "VERDICT" not in outcome.printed
    assert outcome.result is None


@pytest.mark.parametrize(
    ("asks", "fixture", "problem"),
    [
        ("", "implementation", "expected one requirement of the spec, got []"),
        ("forward.nope", "implementation", "expected one requirement of the spec, got ['forward.nope']"),
        ("forward.any_size", "device", "expected the fixture 'implementation'"),
    ],
    ids=["nothing", "unknown", "nobody"],
)
def test_a_test_of_the_suite_asks_somebody_for_one_requirement(
    run_suite, tmp_path, monkeypatch, asks, fixture, problem
):
    mark = f"@pytest.mark.requirement('{asks}')\n" if asks else ""
    test = tmp_path / f"test_asks{len(asks)}.py"  # a module of one name is imported once
    test.write_text(f"import pytest\n\n\n{mark}def test_it({fixture}):\n    pass\n", encoding="utf-8")
    monkeypatch.setattr(collection, "SUITE", tmp_path)

    outcome = run_suite("-p", "conformance.plugin", "-c", str(CONFIGURATION), paths=[str(test)])

    assert outcome.code == USAGE
    assert problem in outcome.printed
    assert outcome.result is None


def test_a_test_outside_the_suite_is_only_a_test(run_suite, tmp_path):
    test = tmp_path / "test_outside.py"  # likewise
    test.write_text("def test_it(implementation, device):\n    assert False, device\n", encoding="utf-8")

    outcome = run_suite("-p", "conformance.plugin", "-c", str(CONFIGURATION), paths=[str(test)])

    assert outcome.code == pytest.ExitCode.TESTS_FAILED
    assert "VERDICT" not in outcome.printed


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


def test_a_stale_entry_stops_workers_too(tmp_path):
    entry = expectations(tmp_path, test="test_nope*")

    outcome = in_a_process(tmp_path, "tests/test_stacking.py", "--implementation=torch.func", entry, "-n", "2")

    assert outcome.code == USAGE
    assert outcome.printed.count("ERROR: the expectation for stacking.sequences, test 'test_nope*', is stale") == 1
    assert outcome.result is None

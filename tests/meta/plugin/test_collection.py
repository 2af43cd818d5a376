"""Are the right tests collected, and is what does not apply told apart?"""

import pytest
from suite_runs import ONE, USAGE

from conformance.plugin import collection
from conformance.spec.locations import CONFIGURATION
from conformance.spec.requirements import CHAPTERS, load_requirements
from conformance.utils.exit_codes import ExitCode
from conftest import Thin


def test_implementations_that_this_torch_has_not_are_not_applicable(run_suite):
    alone = run_suite("--implementation=broken:Absent")
    beside = run_suite("--implementation=broken:Absent", *ONE)

    assert alone.code == ExitCode.CANNOT_ANSWER
    assert "broken:Absent: this torch has no such thing" in alone.printed
    assert beside.code == pytest.ExitCode.OK
    assert beside.statuses()["stacking.sequences", "broken:Absent"] == "not applicable"
    assert beside.statuses()["stacking.sequences", "torch.func"] == "conforms"


def test_a_parameter_that_this_torch_has_not_is_not_applicable(run_suite, monkeypatch):
    monkeypatch.delattr("torch.optim.Muon")

    outcome = run_suite("--requirement=training.refusing_optimizers", "--implementation=torch.func")

    assert outcome.code == pytest.ExitCode.TESTS_FAILED
    assert outcome.result["verdict"].startswith("INCOMPLETE: none of ")
    assert "skipped" not in outcome.printed
    assert outcome.statuses()["training.refusing_optimizers", "torch.func"] == "not applicable"
    row = next(row for row in outcome.result["requirements"] if row["id"] == "training.refusing_optimizers")
    assert [case["message"] for case in row["cases"]] == ["this torch has no torch.optim.Muon"]


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
    monkeypatch.setattr(collection, "is_of_suite", lambda path: path.parent == tmp_path)

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

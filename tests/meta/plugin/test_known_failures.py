"""Are known failures strict: red when they pass, fail otherwise or match nothing?"""

import pytest
from suite_runs import ONE, STACKING, USAGE

from conformance.spec.expectations import DEFAULT
from conformance.spec.locations import SUITE
from conftest import in_a_process


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
        "kind": "limitation",
        "implementation": "torch.func",
        "effect": "wrong",
        "match": "accepted silently",
    } | entry
    path = tmp_path / "more.toml"
    lines = "".join(f"{key} = {value!r}\n" for key, value in entry.items())
    path.write_text(f"{DEFAULT.read_text(encoding='utf-8')}\n[[expectation]]\n{lines}", encoding="utf-8")
    return f"--expectations={path}"


def test_a_known_failure_that_passes_fails(run_suite, tmp_path):
    outcome = run_suite(*ONE, expectations(tmp_path))

    assert outcome.code == pytest.ExitCode.TESTS_FAILED
    assert "FAILS stacking.sequences (torch.func): [XPASS(strict)] made up" in outcome.printed


NO_MODEL = f"{SUITE}/test_stacking_refusals.py::test_no_model_is_refused"


@pytest.mark.parametrize(
    ("recorded", "expected"),
    [
        ({"raises": "KeyError"}, "expected KeyError mentioning 'accepted silently'"),
        ({"match": "refused"}, "expected AssertionError mentioning 'refused'"),
    ],
    ids=["error", "message"],
)
def test_a_known_failure_that_fails_differently_fails(run_suite, tmp_path, recorded, expected):
    entry = expectations(tmp_path, requirement="stacking.refuses_no_model", **recorded)

    outcome = run_suite("--fault=AcceptsNoModel", "--implementation=torch.func", entry, paths=[NO_MODEL])

    (row,) = [row for row in outcome.result["requirements"] if row["status"] == "fails"]
    assert row["id"] == "stacking.refuses_no_model"
    said = f"{expected}, as recorded, but observed: accepted silently; a refusal"
    assert all(case["message"].startswith(said) for case in row["cases"])
    assert outcome.code == pytest.ExitCode.TESTS_FAILED


def test_a_known_failure_shows_its_link(run_suite, tmp_path):
    entry = expectations(tmp_path, requirement="stacking.refuses_no_model", upstream="https://there")

    outcome = run_suite("--fault=AcceptsNoModel", "--implementation=torch.func", entry, paths=[NO_MODEL])

    assert outcome.statuses()["stacking.refuses_no_model", "torch.func"] == "known failure"
    assert outcome.red() == set()
    (row,) = [row for row in outcome.result["requirements"] if row["cases"]]
    assert {case["message"] for case in row["cases"]} == {"made up (https://there)"}
    assert {case["effect"] for case in row["cases"]} == {"wrong"}
    observed = "accepted silently; a refusal that names 'at least one model' was due"
    assert {case["observed"] for case in row["cases"]} == {observed}


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


def test_a_stale_entry_stops_workers_too(tmp_path):
    entry = expectations(tmp_path, test="test_nope*")

    outcome = in_a_process(tmp_path, "tests/test_stacking.py", "--implementation=torch.func", entry, "-n", "2")

    assert outcome.code == USAGE
    assert outcome.printed.count("ERROR: the expectation for stacking.sequences, test 'test_nope*', is stale") == 1
    assert outcome.result is None

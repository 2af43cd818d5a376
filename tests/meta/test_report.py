"""Do cases fold into the right status, statuses into the right verdict, and is the result file whole?"""

import json

import pytest

from conformance.report import tables, terminal, writer
from conformance.report.results import (
    CaseResult,
    Status,
    combine_statuses,
    decide_verdict,
    interrupted_verdict,
    requirement_results,
)
from conformance.spec.requirements import Requirement

MUST = Requirement("forward.a", "must", "It works.", "docs")
SHOULD = Requirement("stacking.b", "should", "It helps.", "docs")
SPEC = {each.id: each for each in (MUST, SHOULD)}
FACTS = {"torch": "2.13.0", "device": "cpu", "cpu_capability": "AVX2", "threads": 1}
OPTIONS = {
    "device": "cpu",
    "device_module": None,
    "device_profile": None,
    "profile": "full",
    "seed": 0,
    "fault": None,
}


def case(status, requirement=MUST, test="test_a[x]", **facts):
    return CaseResult(test, requirement.id, "torch.func", status, **facts)


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ([], Status.NOT_RUN),
        ([Status.CONFORMS, Status.CONFORMS], Status.CONFORMS),
        ([Status.CONFORMS, Status.NOT_APPLICABLE], Status.CONFORMS),
        ([Status.NOT_APPLICABLE], Status.NOT_APPLICABLE),
        ([Status.CONFORMS, Status.NOT_RUN], Status.NOT_RUN),
        ([Status.KNOWN_FAILURE, Status.NOT_RUN, Status.CONFORMS], Status.KNOWN_FAILURE),
        ([Status.FAILS, Status.KNOWN_FAILURE, Status.NOT_RUN], Status.FAILS),
    ],
    ids=str,
)
def test_the_worst_that_is_known_counts(statuses, expected):
    assert combine_statuses([case(status) for status in statuses]) is expected


def test_a_case_that_got_lost_leaves_its_requirement_without_an_answer():
    lost = case(Status.NOT_RUN, lost=True)

    assert combine_statuses([lost, case(Status.KNOWN_FAILURE)]) is Status.NOT_RUN
    assert combine_statuses([lost, case(Status.FAILS)]) is Status.FAILS


def judge(*cases, certify=False):
    return decide_verdict(requirement_results(SPEC, ["torch.func"], cases), certify=certify)


@pytest.mark.parametrize(
    ("cases", "conforms", "sentence"),
    [
        (
            [case(Status.CONFORMS), case(Status.KNOWN_FAILURE, SHOULD)],
            True,
            "CONFORMS: 2 requirements; 1 known failures; everything was run",
        ),
        (
            [case(Status.FAILS), case(Status.CONFORMS, SHOULD)],
            False,
            "DOES NOT CONFORM: 1 of 2 requirements fail; 0 known failures; everything was run",
        ),
        ([case(Status.CONFORMS)], True, "CONFORMS AS FAR AS RUN: 1 not run of 2 requirements; 0 known failures"),
        ([case(Status.CONFORMS), case(Status.NOT_RUN, SHOULD, lost=True)], False, "NO VERDICT: 1 selected tests ended"),
        ([case(Status.NOT_APPLICABLE)], False, "NO VERDICT: none of 2 requirements could be judged"),
        ([], False, "NO VERDICT: none of 2 requirements could be judged"),
    ],
    ids=["conforms", "fails", "in-part", "lost", "not-applicable", "nothing"],
)
def test_the_verdict_says_what_is_known(cases, conforms, sentence):
    answer = judge(*cases)

    assert answer.conforms is conforms
    assert answer.sentence.startswith(sentence)


def test_a_certificate_needs_every_must():
    assert judge(case(Status.CONFORMS), certify=True).conforms
    answer = judge(case(Status.CONFORMS, SHOULD), certify=True)
    assert (answer.conforms, answer.sentence) == (
        False,
        "NOT CERTIFIED: 1 requirements of level must were not run; 0 known failures",
    )


def cell(row, column, says, implementation="torch.func"):
    return {"implementation": implementation, "row": row, "column": column, "says": says}


TABLES = {"optimizers": [cell("SGD", "default", "as alone"), cell("Adam", "default", "as alone")]}


def test_a_cell_says_whether_its_test_passed():
    recorded = {"table": "optimizers", "column": "default", "passes": "as alone", "fails": "not as alone"}
    table = requirement_results(
        SPEC,
        ["torch.func"],
        [case(Status.CONFORMS, test="a"), case(Status.FAILS, test="b"), case(Status.NOT_RUN, test="c")],
    )

    found = tables.collect_tables(
        table, {"a": [recorded | {"row": "SGD"}], "b": [recorded | {"row": "Adam"}], "d": [recorded]}
    )

    assert found == {"optimizers": [cell("SGD", "default", "as alone"), cell("Adam", "default", "not as alone")]}


def test_a_table_in_short_names_the_rows_that_say_the_same():
    cells = [*TABLES["optimizers"], cell("LBFGS", "default", "couples"), cell("SGD", "fused", "wrong", "functorch")]

    assert tables.summarize_cells(cells) == "as alone: Adam; couples: LBFGS; as alone / wrong: SGD"
    assert list(terminal.report_lines(FACTS, OPTIONS, [], {"optimizers": cells}, judge()))[1] == (
        "optimizers: as alone: Adam; couples: LBFGS; as alone / wrong: SGD"
    )


def test_a_long_table_in_short_counts_and_names_what_is_wrong():
    cells = [{"row": f"op{i}", "column": "own", "says": "equal" if i else "wrong"} for i in range(21)]

    assert tables.summarize_cells(cells) == "21 rows; equal 20, wrong 1 (op0)"
    assert (
        tables.summarize_cells(cells[1:] + cells[1:]) == f"equal: {', '.join(sorted(f'op{i}' for i in range(1, 21)))}"
    )
    assert tables.summarize_cells([*cells[1:], {**cells[1], "row": "op21"}]) == "21 rows; equal 21"


def test_a_result_file_gives_its_tables_as_markdown(tmp_path, capsys):
    cells = [*TABLES["optimizers"], cell("SGD", "default", "wrong", "functorch"), cell("SGD", "fused", "as alone")]
    path = tmp_path / "result.json"
    writer.write_result(path, {"tables": {"optimizers": cells}})

    tables.main(str(path))

    assert capsys.readouterr().out == (
        "| optimizers | default | fused |\n"
        "| --- | --- | --- |\n"
        "| Adam | as alone | - |\n"
        "| SGD | as alone / wrong | as alone |\n\n"
    )


def screen(*cases, **options):
    table = requirement_results(SPEC, ["torch.func", "functorch"], cases)
    return list(terminal.report_lines(FACTS, OPTIONS | options, table, {}, decide_verdict(table, certify=False)))


def test_the_screen_shows_facts_counts_names_and_verdict():
    lines = screen(
        case(Status.FAILS, message="member 1: " + "off " * 80, test="tests/test_forward.py::test_a[x]"),
        case(Status.FAILS, test="tests/test_forward.py::test_b[x]"),
        case(Status.KNOWN_FAILURE, SHOULD, message="for a reason"),
        CaseResult("test_c", SHOULD.id, "functorch", Status.KNOWN_FAILURE, message="for another"),
        CaseResult("test_d", MUST.id, "functorch", Status.NOT_RUN, message="never reported", lost=True),
        fault="Nope",
        device="cuda",
    )

    assert lines[0].startswith(
        "ensemble conformance   torch 2.13.0   cpu, AVX2, 1 thread   profile full   seed 0   fault Nope"
    )
    assert [line.split() for line in lines if line.startswith("  forward")] == [
        ["forward", "0", "0", "0", "0", "1"],
        ["forward", "0", "0", "0", "1", "0"],
    ]
    assert "known failures in stacking: b" in lines
    (failure,) = [line for line in lines if line.startswith("FAILS forward.a (torch.func): member 1: off off")]
    assert len(failure) <= terminal.WIDTH
    assert (
        '       rerun: python -m conformance run "tests/test_forward.py::test_a[x]" --implementation torch.func '
        "--seed 0 --device cuda --fault Nope" in lines
    )
    assert "NO ANSWER test_d: never reported" in lines
    assert lines[-1].startswith("VERDICT: DOES NOT CONFORM")
    assert "2 threads" in next(iter(terminal.report_lines(FACTS | {"threads": 2}, OPTIONS, [], {}, judge())))


def test_the_screen_does_not_name_all_of_many_lost_tests():
    lost = [case(Status.NOT_RUN, test=f"test_{i}", lost=True) for i in range(terminal.MAX_LISTED + 3)]

    lines = [line for line in screen(*lost) if line.startswith("NO ANSWER")]
    assert len(lines) == terminal.MAX_LISTED + 1
    assert lines[-1] == "NO ANSWER from 3 more; the result file names them"


def test_the_screen_and_the_command_say_whose_device_it_is():
    profile = {"name": "mine.toml", "lacking": {}, "budget": {}, "expectations": 0}

    lines = screen(case(Status.FAILS), device="npu", device_module="torch_npu", device_profile=profile)

    assert lines[1] == "device profile mine.toml: excuses nothing"
    assert any(line.endswith("--device npu --device-module torch_npu") for line in lines)


def test_an_environment_that_failed_has_its_own_sentence():
    table = requirement_results(SPEC, ["torch.func"], [case(Status.FAILS), case(Status.NOT_RUN, SHOULD, lost=True)])

    answer = interrupted_verdict(table, "after test_a[x]: it is gone")

    assert not answer.conforms
    assert answer.sentence == (
        "ENVIRONMENT FAILED: after test_a[x]: it is gone; 1 of 2 requirements were judged until then, 1 fail"
    )


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
        path, writer.result_document(FACTS, OPTIONS, table, TABLES, decide_verdict(table, certify=False), 1.23456)
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

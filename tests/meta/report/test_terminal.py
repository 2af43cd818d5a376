"""Does the screen show facts, counts, names and the verdict?"""

from requirement_results import FACTS, OPTIONS, case, judge
from results import MUST, SHOULD, SPEC

from conformance.report import terminal
from conformance.report.results import (
    CaseResult,
    Status,
    decide_verdict,
    requirement_results,
)
from conformance.utils.text import WIDTH


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
    assert len(failure) <= WIDTH
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

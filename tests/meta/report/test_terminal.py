"""Does the screen show facts, counts and names?"""

from requirement_results import FACTS, OPTIONS, case
from results import MUST, SHOULD, SPEC

from conformance.report import terminal
from conformance.report.results import CaseResult, Status, requirement_results
from conformance.utils.text import WIDTH


def screen(*cases, **options):
    table = requirement_results(SPEC, ["torch.func", "functorch"], cases)
    return list(terminal.report_lines(FACTS, OPTIONS | options, table, {}))


def test_the_screen_shows_facts_counts_and_names():
    lines = screen(
        case(Status.FAILS, message="member 1: " + "off " * 80, test="tests/test_forward.py::test_a[x]"),
        case(Status.FAILS, test="tests/test_forward.py::test_b[x]"),
        case(Status.KNOWN_FAILURE, SHOULD, message="for a reason", effect="unclear"),
        CaseResult("test_c", SHOULD.id, "functorch", Status.KNOWN_FAILURE, message="for another", effect="wrong"),
        CaseResult("test_d", MUST.id, "functorch", Status.NOT_RUN, message="never reported", lost=True),
        fault="Nope",
        device="cuda",
    )

    assert lines[0].startswith(
        "ensemble conformance   torch 2.13.0   cpu, AVX2, 1 thread   profile full   seed 0   fault Nope"
    )
    assert [line.split() for line in lines if line.startswith("  forward")] == [
        ["forward", "0", "0", "0", "0", "0", "0", "1"],
        ["forward", "0", "0", "0", "0", "0", "1", "0"],
    ]
    assert [line.split() for line in lines if line.startswith("  stacking ")] == [
        ["stacking", "0", "1", "0", "0", "0", "0", "0"],
        ["stacking", "0", "1", "0", "1", "0", "0", "0"],
    ]
    start = lines.index("known failures with silently wrong results (1):")
    assert lines[start : start + 4] == [
        "known failures with silently wrong results (1):",
        "  stacking: b [functorch]",
        "known failures with an error that does not help (1):",
        "  stacking: b [torch.func]",
    ]
    start = next(number for number, line in enumerate(lines) if line.startswith("FAILS forward.a (torch.func): "))
    assert all(len(line) <= WIDTH for line in lines[start : start + 4])
    assert " ".join(lines[start : start + 4]).count("off") == 80  # nothing is cut
    assert (
        '       rerun: python -m conformance run "tests/test_forward.py::test_a[x]" --implementation torch.func '
        "--seed 0 --device cuda --fault Nope" in lines
    )
    assert "NO ANSWER test_d: never reported" in lines
    assert "2 threads" in next(iter(terminal.report_lines(FACTS | {"threads": 2}, OPTIONS, [], {})))


def test_a_failure_shared_by_all_implementations_names_none():
    lines = screen(
        case(Status.KNOWN_FAILURE),
        CaseResult("test_c", MUST.id, "functorch", Status.KNOWN_FAILURE, message="for another"),
    )

    start = lines.index("known failures with an effect that is not recorded (2):")
    assert lines[start + 1] == "  forward: a"


def test_a_chapter_of_which_nothing_was_run_is_only_counted():
    lines = screen(case(Status.CONFORMS), case(Status.NOT_RUN, SHOULD, message="deselected"))

    assert not any(line.startswith("  stacking") for line in lines)
    assert [line for line in lines if line.startswith("not run: ")] == ["not run: 1 of 17 chapters"]


def test_a_layer_is_named_once():
    lines = screen(case(Status.FAILS, message="off; first layer that differs: vmap", layer="vmap"))

    start = lines.index("FAILS forward.a (torch.func): off")
    assert lines[start + 1] == "       first layer that differs: vmap"


def test_a_rehearsal_is_announced_as_such():
    table = requirement_results(SPEC, ["torch.func"], [])

    assert next(iter(terminal.report_lines(FACTS, OPTIONS, table, {}, rehearsal=True))) == terminal.REHEARSAL


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

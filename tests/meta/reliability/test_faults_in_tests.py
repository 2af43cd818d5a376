"""Does a run survive whatever the code that it judges says or does, with and without workers?"""

import hostile_code
import pytest
from suite_process import start_suite

# Some ninety cases that take no time: each fault comes to its turn twice.
ASKED = [f"--requirement={each}" for each in ("chunking.in_dims", "chunking.out_dims", "in_dims.views")]
ONE = ["--requirement=forward.state_of_the_call"]  # one test
WORKERS = [
    pytest.param("0", marks=pytest.mark.whole),
    pytest.param("1", marks=pytest.mark.whole),
    pytest.param("2"),
]


def cases_of(run, implementation):
    return [
        case
        for (_, name), row in run.result.rows.items()
        if name.partition(":")[2] == implementation or name == implementation
        for case in row["cases"]
    ]


@pytest.mark.parametrize("workers", WORKERS)
def test_what_the_code_says_costs_its_own_test_alone(tmp_path, workers, record_property):
    faults = len(hostile_code.SAYING)
    implementations = ["--implementation=hostile_code:by_turns", "--implementation=torch.func"]

    run = start_suite(tmp_path, *ASKED, *implementations, "-n", workers).wait()

    assert run.code == 1, run.printed[-3000:]
    hostile, healthy = cases_of(run, "by_turns"), cases_of(run, "torch.func")
    assert len(hostile) == len(healthy) > 2 * faults
    assert {case["status"] for case in healthy} == {"conforms"}
    assert {case["status"] for case in hostile if not case["lost"]} == {"fails"}
    assert {case["status"] for case in hostile if case["lost"]} == {"not run"}
    assert "INTERNALERROR" not in run.printed
    assert run.printed.replace("\n", "").isprintable()
    assert len(run.printed) < 5_000_000
    assert len(run.failures_in_junit()) > 2 * faults - 10
    assert "DOES NOT CONFORM" in run.page()
    assert run.killed == []
    record_property("trial", ["faults in a test, that say something", faults, faults])


def slow(names, workers):
    """A few of the faults that end a process are tried on every occasion."""
    quick = {"0": ("exits_with_0", "exits_pytest_with_0", "swallows_an_interrupt")}
    for count in workers:
        for name in names:
            marks = () if name in quick.get(count, ()) else (pytest.mark.whole,)
            yield pytest.param(name, count, marks=marks, id=f"{name}-{count}")


@pytest.mark.parametrize(("fault", "workers"), list(slow(hostile_code.ENDING, ("0", "1", "2"))))
def test_code_that_ends_its_process_never_conforms(tmp_path, fault, workers, record_property):
    implementations = ["--implementation=torch.func", f"--implementation=hostile_code:{fault}"]

    run = start_suite(tmp_path, *ONE, *implementations, "-n", workers).wait()

    assert run.code != 0, run.printed
    assert "VERDICT: CONFORMS" not in run.printed
    assert "VERDICT: NO NEW FAILURES" not in run.printed
    assert "INTERNALERROR" not in run.printed
    assert run.printed.replace("\n", "").isprintable()
    if run.result is not None:
        assert not run.result.content["conforms"]
        assert {case["status"] for case in cases_of(run, "torch.func")} <= {"conforms", "not run"}
        answered = {"conforms"} if fault == "swallows_an_interrupt" else set()
        assert {case["status"] for case in cases_of(run, fault)} <= {"fails", "not run"} | answered
        assert run.failures_in_junit()
        assert run.result.content["verdict"].partition(":")[0] in run.page()
    assert run.killed == []
    record_property("trial", "faults in a test, that end its process")

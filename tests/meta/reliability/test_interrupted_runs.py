"""Does a run that is told to stop, at whatever moment, end as incomplete everywhere, and leave no process behind?"""

import random
import re
import signal
import time

import pytest
from suite_process import start_suite

# Some thousand cases that take seconds.
NAMES = ("inplace.mapped", "inplace.placed", "inplace.unmapped", "parity.gradients")
ASKED = [*(f"--requirement={name}" for name in NAMES), "--implementation=torch.func"]
POSITIVE = "VERDICT: (CONFORMS|NO NEW FAILURES)"
SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGKILL")
QUICK = {("SIGINT", 2), ("SIGTERM", 0)}
LONGEST = 12.0  # seconds until the signal comes, at most


def trials():
    """Yield signals at random moments: most of them early, as collection and start are full of windows."""
    chance = random.Random(0)  # noqa: S311 - a moment, not a secret
    for number in range(7):
        for name in SIGNALS[:3]:
            workers = number % 3
            moment = LONGEST * chance.random() ** 2
            marks = () if number == 0 and (name, workers) == ("SIGINT", 0) else (pytest.mark.whole,)
            yield pytest.param(name, workers, moment, marks=marks, id=f"{name}-{workers}-{moment:.1f}")


def assert_incomplete(run):
    """The run says so in all that it wrote; it may have been stopped before anything could be written."""
    assert run.code not in (0, 1), run.printed
    assert not re.search(POSITIVE, run.printed)
    assert "Traceback" not in run.printed
    if run.result is not None:
        assert not run.result.content["conforms"]
        assert run.result.content["verdict"].startswith("INCOMPLETE: ")
        assert run.failures_in_junit()
        assert "INCOMPLETE: " in run.page()


def assert_complete(run, number):
    """The verdict stands. A signal may still have come in the last moments of the process that waits."""
    assert run.code in (0, -number), run.printed
    lost = [case for row in run.result.rows.values() for case in row["cases"] if case["lost"]]
    assert lost == []


@pytest.mark.parametrize(("name", "workers", "moment"), list(trials()))
def test_a_signal_to_all_processes_of_a_run(tmp_path, name, workers, moment, record_property):
    run = start_suite(tmp_path, *ASKED, "-n", str(workers))

    time.sleep(moment)
    number = getattr(signal, name)
    run.signal_group(number)
    run.wait()

    assert run.killed == []
    if re.search(POSITIVE, run.printed):
        assert_complete(run, number)  # the signal came when all was done
    else:
        assert_incomplete(run)
    record_property("trial", "signals at random moments of a run")


def reported(run, count=20):
    """Wait until some tests have ended: the journal names them."""
    while run.process.poll() is None:
        journals = list(run.folder.glob("result.json*.partial"))
        if (
            journals
            and sum('"status": "conforms"' in line for line in journals[0].read_text("utf-8").splitlines()) >= count
        ):
            return
        time.sleep(0.05)


def slow():
    for name in SIGNALS:
        for workers in (0, 2):
            marks = () if (name, workers) in QUICK else (pytest.mark.whole,)
            yield pytest.param(name, workers, marks=marks, id=f"{name}-{workers}")


@pytest.mark.parametrize(("name", "workers"), list(slow()))
def test_a_signal_in_the_midst_of_the_tests(tmp_path, name, workers, record_property):
    run = start_suite(tmp_path, *ASKED, "-n", str(workers))

    reported(run)
    # The process that was started is the one that a user, a container or a CI ends.
    run.process.send_signal(getattr(signal, name)) if name != "SIGINT" else run.signal_group(signal.SIGINT)
    run.wait()

    assert run.killed == []
    assert run.code == (-signal.SIGKILL if name == "SIGKILL" else 2), run.printed
    assert run.result is not None
    assert_incomplete_in_detail(run, "SIGTERM" if name == "SIGKILL" else name)
    record_property("trial", "signals in the midst of a run")


def assert_incomplete_in_detail(run, name):
    assert not run.result.content["conforms"]
    assert run.result.content["verdict"].startswith(f"INCOMPLETE: interrupted by {name}; ")
    statuses = [case["status"] for row in run.result.rows.values() for case in row["cases"]]
    assert statuses.count("conforms") >= 20
    assert statuses.count("not run") > 20
    assert run.failures_in_junit()
    assert "INCOMPLETE: " in run.page()
    assert list(run.folder.glob("*.partial")) == []

"""Can code that ends its process pass for a verdict, where pytest has no workers?"""

import os
from types import SimpleNamespace

import pytest
from suite_runs import ONE

from conformance.plugin import exit_guard
from conformance.plugin.exit_guard import ExitGuard
from conformance.utils.exit_codes import ExitCode
from conftest import in_a_process


@pytest.mark.parametrize(
    ("status", "same_process", "expected"), [(0, True, 2), (1, True, 2), (3, True, 3), (0, False, 0)]
)
def test_codes_of_a_verdict_become_the_code_of_an_incomplete_run(monkeypatch, status, same_process, expected):
    ended, written = [], []
    own = os.getpid() if same_process else -1
    system = SimpleNamespace(
        _exit=ended.append,
        getpid=lambda: own,
        dup=lambda handle: handle,
        close=lambda handle: None,
        write=lambda *given: written.append(given),
    )
    monkeypatch.setattr(exit_guard, "os", system)
    guard = ExitGuard()
    guard.process = os.getpid()

    guard.pytest_sessionstart()
    system._exit(status)  # noqa: SLF001 - its name
    guard.pytest_unconfigure()

    assert ended == [expected]
    assert bool(written) == (expected != status)
    assert system._exit == ended.append  # noqa: SLF001 - its name


def test_plain_pytest_without_workers_ends_as_incomplete(tmp_path):
    plugin = tmp_path / "ending.py"
    plugin.write_text("import os\n\n\ndef pytest_runtest_setup():\n    os._exit(0)\n", encoding="utf-8")

    outcome = in_a_process(tmp_path, *ONE, "-p", "ending", PYTHONPATH=str(tmp_path))

    assert outcome.code == ExitCode.INTERRUPTED
    assert "INCOMPLETE: os._exit was called before the verdict" in outcome.printed

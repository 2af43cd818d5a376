"""Does each exit code come as the documentation says?"""

import re

import pytest
from suite_runs import ONE, STACKING

from conformance.spec.locations import HOME
from conformance.utils.exit_codes import ExitCode
from conftest import in_a_process

DOCUMENTATION = HOME / "docs" / "reference" / "exit-codes.md"


class Broken:
    """A plugin with an error."""

    def pytest_runtestloop(self):
        raise RuntimeError("on purpose")


class Quitting:
    """A plugin that ends the run, with a code that would pass for a good one."""

    def pytest_runtest_logfinish(self):
        pytest.exit("enough", returncode=0)


RUNS = {
    ExitCode.OK: (ONE, ()),
    ExitCode.NEGATIVE: (["--requirement=stacking.sequences", "--fault=ModuleListReversed"], ()),
    ExitCode.INTERRUPTED: (ONE, [Quitting()]),
    ExitCode.INTERNAL_ERROR: (ONE, [Broken()]),
    ExitCode.USAGE_ERROR: (["--requirement=nothing.at_all"], ()),
    ExitCode.NO_TESTS: ([*ONE, "-k", "nothing_at_all"], ()),
    ExitCode.CANNOT_ANSWER: ([*ONE, "--device=meta"], ()),
    ExitCode.CANNOT_WRITE: ([*ONE, "--html=/dev/full"], ()),
}


@pytest.mark.parametrize("code", ExitCode, ids=lambda code: code.name.lower())
def test_a_run_ends_with_each_code(run_suite, code):
    arguments, plugins = RUNS[code]

    outcome = run_suite(*arguments, plugins=plugins)

    assert outcome.code == code, outcome.printed
    if outcome.result is not None:
        assert outcome.result["conforms"] == (code in (ExitCode.OK, ExitCode.CANNOT_WRITE))


def test_the_documentation_describes_each_code():
    table = DOCUMENTATION.read_text(encoding="utf-8").partition("## conformance check")[0]

    assert [int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)] == list(ExitCode)


@pytest.mark.parametrize(
    ("selection", "sentence"),
    [
        ("test_a_later_member_with_a_bias_more_is_refused", "NO NEW FAILURES AS FAR AS RUN: 1 of "),
        ("test_slice_i_is_member_i and NormNet", "CONFORMS AS FAR AS RUN"),
    ],
)
def test_a_selection_in_which_nothing_fails_is_positive(run_suite, selection, sentence):
    outcome = run_suite("--implementation=torch.func", "-k", selection, paths=STACKING)

    assert outcome.code == ExitCode.OK, outcome.printed
    assert sentence in outcome.result["verdict"]


def test_no_code_but_that_of_a_verdict_is_passed_on(tmp_path):
    plugin = tmp_path / "ending.py"
    plugin.write_text("import os\n\n\ndef pytest_runtest_setup():\n    os.kill(os.getpid(), 9)\n", encoding="utf-8")

    outcome = in_a_process(tmp_path, *ONE, "-p", "ending", program="conformance", PYTHONPATH=str(tmp_path))

    assert outcome.code == ExitCode.INTERRUPTED
    assert "INCOMPLETE: the process that judged ended with SIGKILL and without a verdict" in outcome.printed
    assert outcome.result is None

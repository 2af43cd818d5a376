"""Does the check give each model of the zoo the verdict, the uses and the fixes that are true of it?"""

import random

import pytest
from check_questions import ask
from zoo.table import ROWS

from conformance.model_check.options import UsageError
from conformance.model_check.result import CheckReport
from conformance.model_check.worker import run_steps


def checked(model, inputs):
    """The report of a check in this process, without timings."""
    request = ask(f"zoo.{model}", inputs, members=None, speed=False)
    report, step = CheckReport(request), ""
    for name, value in run_steps(request, ()):
        if name == "model":
            report.describe(value)
        elif name == "begin":
            step = value
        elif name == "end":
            report.add(step, value)
    return report


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.model)
def test_the_report_says_what_is_true_of_the_model(row):
    random.seed(0)

    report = checked(row.model, row.inputs)

    code, verdict = report.verdict
    assert verdict.startswith(row.verdict)
    assert code == row.code
    assert {each["use"]: each["answer"] for each in report.uses if each["use"] in row.uses} == row.uses
    assert tuple(each["name"] for each in report.remedies) == row.fixes
    assert tuple(each["id"] for each in report.caveats) == row.caveats


@pytest.mark.parametrize("model", ["wrong:NotRunning", "wrong:on_meta"])
def test_a_model_that_does_not_run_by_itself_is_a_mistake_in_one_line(model):
    with pytest.raises(UsageError, match=r"^[^\n]+$"):
        checked(model, ("3",))


def test_no_model_stands_in_the_table_twice():
    assert len({row.model for row in ROWS}) == len(ROWS)

"""Requirements and cases for the tests of statuses, tables and the screen."""

from results import MUST, SPEC

from conformance.report.results import CaseResult, requirement_results
from conformance.report.verdict import decide_verdict

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


def judge(*cases, certify=False):
    return decide_verdict(requirement_results(SPEC, ["torch.func"], cases), certify=certify)


def cell(row, column, says, implementation="torch.func"):
    return {"implementation": implementation, "row": row, "column": column, "says": says}


TABLES = {"optimizers": [cell("SGD", "default", "as alone"), cell("Adam", "default", "as alone")]}

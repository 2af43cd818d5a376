"""Results for the tests of the report: a few requirements, and cases by name."""

from conformance.report import reader, writer
from conformance.report.results import CaseResult, Status, requirement_results
from conformance.report.verdict import decide_verdict
from conformance.spec.requirements import Requirement

MUST = Requirement("forward.a", "must", "It works.", "docs")
SHOULD = Requirement("stacking.b", "should", "It helps.", "docs")
SPEC = {each.id: each for each in (MUST, SHOULD)}
FACTS = {
    "torch": "2.13.0+cpu",
    "device": "cpu",
    "cpu_capability": "AVX2",
    "threads": 1,
    "python": "3.11.7",
    "platform": "Linux",
    "packages": {},
    "variables": {"OMP_NUM_THREADS": "1"},
}
SUITE = {"version": "0.1.0", "commit": "0" * 40, "clean": True, "expectations": "a" * 64}
OPTIONS = {
    "implementations": ["torch.func"],
    "device": "cpu",
    "device_module": None,
    "device_profile": None,
    "profile": "full",
    "requirements": [],
    "seed": 0,
    "fault": None,
}
CELL = {"implementation": "torch.func", "row": "SGD", "column": "default", "says": "as alone"}


def case(status, test="test_a[x]", requirement=MUST, implementation="torch.func", **facts):
    return CaseResult(test, requirement.id, implementation, Status(status), **facts)


def document(
    *cases, torch="2.13.0+cpu", device="cpu", spec=SPEC, implementations=("torch.func",), suite=SUITE, **options
):
    """A result file's content."""
    table = requirement_results(spec, implementations, cases)
    facts = FACTS | {"torch": torch, "device": device}
    asked = OPTIONS | {"implementations": list(implementations)} | options
    return writer.result_document(
        facts, asked, table, {"optimizers": [CELL]}, decide_verdict(table, certify=False), 1.5, suite
    )


def result(*cases, name="result.json", **facts):
    return reader.parse_result(name, document(*cases, **facts))

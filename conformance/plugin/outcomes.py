"""The outcome of each test: seeded, run, and told as one `Finding` to the process that reports."""

import builtins
import re
from collections.abc import Generator
from dataclasses import asdict
from typing import Any

import pytest

from conformance.devices.probe import device_failure
from conformance.plugin.diagnosis import LAYER, Diagnosis
from conformance.plugin.expectations import KNOWN, apply_match
from conformance.plugin.printing import make_printable, plain_report, raise_if_unshowable
from conformance.plugin.selection import NOT_APPLICABLE
from conformance.plugin.session import Run
from conformance.plugin.streams import kept_open
from conformance.report.results import Finding, Status
from conformance.utils.text import describe_error, observed_message, one_line, text_of, type_name

SHARES = pytest.StashKey[list[float]]()
LONGEST_SCRIPT = 50_000  # characters; a longer one is not for reading, and no result file may hold it
ADDRESS = re.compile(r"0x[0-9a-f]{6,}")  # differs in each run
LONGEST_OBSERVED = 400  # characters of what is stored of a known failure
DIGITS = 4  # of a share of the budget, which is an estimate itself


class OutcomeRecorder:
    """Hooks of the process that runs tests: the only one, or each worker of pytest-xdist."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.diagnosis = Diagnosis()

    # The innermost wrapper: what a failure's diagnosis runs again is captured as the test is.
    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None]:
        from conformance.checks.outcome import NotApplicableError
        from conformance.numerics.budget import recorded_shares

        if item.nodeid not in self.run.collected:
            return (yield)
        self._seed()
        with kept_open(), recorded_shares() as shares:
            item.stash[SHARES] = shares
            try:
                return (yield)
            except NotApplicableError as nothing:
                reason = item.stash[NOT_APPLICABLE] = text_of(nothing)
                pytest.skip(reason)
            except (KeyboardInterrupt, pytest.exit.Exception):
                raise
            except BaseException as error:
                raise_if_unshowable(error)
                known = self.run.collected[item.nodeid]
                self.diagnosis.diagnose(item, (known.requirement, known.implementation), error, self._seed)
                raise

    def _seed(self) -> int:
        # Seeding a device that is not asked costs more than many a test: torch keeps a traceback of each such call.
        import torch

        seed = torch.default_generator.manual_seed if self.run.device.type == "cpu" else torch.manual_seed
        chosen: int = self.run.options["seed"]
        seed(chosen)
        return chosen

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        try:
            report = yield
        except Exception as error:  # noqa: BLE001 - an exception of foreign code may fail to be shown in any way
            report = plain_report(item, call, f"an exception that can't be shown: {describe_error(error)}")
        if call.excinfo is not None:
            self._check_environment(item)
        if item.nodeid in self.run.collected:
            if hasattr(report, "wasxfail") and _is_own_xfail(call):
                report = plain_report(item, call, f"pytest.xfail was called: {report.wasxfail}")
            else:
                apply_match(item, call, report)
            if report.when == "call" or not report.passed:
                finding = report.conformance = _finding(item, call, report)  # type: ignore[attr-defined]
                if finding.script:
                    report.sections.append(("the same by torch alone", finding.script))
        make_printable(report)
        return report

    def _check_environment(self, item: pytest.Item) -> None:
        """End the run if the device stopped working: all that is asked next would fail for that reason."""
        problem = device_failure(self.run.device)
        if problem and not self.run.environment_failed:
            self.run.environment_failed = f"after {item.nodeid}: {problem}"
            item.session.shouldstop = "environment failed"

    @pytest.hookimpl(wrapper=True)
    def pytest_report_to_serializable(self, report: Any) -> Generator[None, Any, Any]:
        """Send the finding in types that pytest-xdist can send; `Reporter` makes a `Finding` of it again."""
        data = yield
        if isinstance(getattr(report, "conformance", None), Finding):
            data["conformance"] = asdict(report.conformance) | {"status": report.conformance.status.value}
        return data


def _finding(item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> Finding:
    """Return what this phase of the test says about its requirement."""
    shares = item.stash.get(SHARES, [])
    share = float(f"{max(shares):.{DIGITS}g}") if shares else None
    if report.passed:
        return Finding(Status.CONFORMS, budget_share=share)
    if NOT_APPLICABLE in item.stash:
        return Finding(Status.NOT_APPLICABLE, item.stash[NOT_APPLICABLE], share)
    message = _message(call, report)
    known = item.stash.get(KNOWN, None)
    if known and hasattr(report, "wasxfail"):
        observed = one_line(ADDRESS.sub("0x...", message), LONGEST_OBSERVED)
        return Finding(Status.KNOWN_FAILURE, text_of(report.wasxfail), share, effect=known.effect, observed=observed)
    if report.skipped:
        return Finding(Status.NOT_RUN, message, share, lost=True)
    if known and call.excinfo:
        message = f"expected {known.raises} mentioning {known.match!r}, as recorded, but observed: {message}"
    layer, script = item.stash.get(LAYER, ("", ""))
    script = script if len(script) <= LONGEST_SCRIPT else ""
    if layer:
        message += f"; first layer that differs: {layer}"
    return Finding(Status.FAILS, message, share, layer=layer, script=script, raises=_builtin_type(call))


def _message(call: pytest.CallInfo[None], report: pytest.TestReport) -> str:
    if call.excinfo is None or _is_own_xfail(call):
        return text_of(report.longrepr)  # an unexpected pass, for example
    return observed_message(call.excinfo.value)


def _builtin_type(call: pytest.CallInfo[None]) -> str:
    """Return the name of the nearest builtin type of the exception that an expectation can name, or ""."""
    if call.excinfo is None:
        return ""
    # A metaclass may answer anything to `__mro__`; type itself knows.
    bases = type.__dict__["__mro__"].__get__(type(call.excinfo.value))
    special = [base for base in bases if issubclass(base, Exception) and base is not Exception]
    return next((type_name(base) for base in special if getattr(builtins, type_name(base), None) is base), "")


def _is_own_xfail(call: pytest.CallInfo[None]) -> bool:
    """Return whether what was asked called `pytest.xfail`: only an expectation makes a failure a known one."""
    return call.excinfo is not None and isinstance(call.excinfo.value, pytest.xfail.Exception)

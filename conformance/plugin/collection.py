"""Where tests are collected and run: selection, known failures, and what each test came to."""

from collections.abc import Generator, Mapping
from typing import Any

import pytest

from conformance.devices.probe import broken, dtype_unavailable_reason
from conformance.plugin.diagnosis import LAYER, Climber
from conformance.plugin.session import Run
from conformance.report.results import Status
from conformance.spec.coverage import asking_tests
from conformance.spec.locations import SUITE

NOT_APPLICABLE = pytest.StashKey[str]()
SHARES = pytest.StashKey[list[float]]()
DIGITS = 4  # of a share of the budget, which is an estimate itself


class Collector:
    """Hooks of the process that runs tests: the only one, or each worker of pytest-xdist."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.known_failures: dict[str, list[Any]] = {}
        self.climber = Climber()

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Before -k and -m deselect anything: what there is to run is the denominator."""
        ours = [item for item in items if item.path.resolve().parent == SUITE.resolve()]
        dropped = [item for item in ours if not self._select(item)]
        self._check_expectations(config, ours)
        if self.run.problems:
            dropped = list(items)
        if dropped:
            config.hook.pytest_deselected(items=dropped)
            gone = set(dropped)
            items[:] = [item for item in items if item not in gone]

    def _select(self, item: pytest.Item) -> bool:
        """Enter the test into the run, unless its requirement is not asked for."""
        marks = [mark.args[0] for mark in item.iter_markers("requirement")]
        if len(marks) != 1 or marks[0] not in self.run.requirements:
            self.run.problems.append(f"{item.nodeid} has to ask for one requirement of the spec, and asks for {marks}")
            return False
        if "implementation" not in _parameters(item):
            self.run.problems.append(f"{item.nodeid} has to ask an implementation")
            return False
        requirement = self.run.requirements[marks[0]]
        # The core is for an answer in seconds, and modules of original size take a third of the whole time.
        too_large = self.run.options["profile"] == "core" and item.get_closest_marker("original")
        if too_large or not self.run.asks(requirement):
            return False
        name = _parameters(item)["implementation"]
        self.run.collected[item.nodeid] = {
            "requirement": requirement.id,
            "implementation": name,
            "dtype": _dtype(item),
        }
        reason = self._not_applicable(item, requirement.not_about(self.run.implementations[name]), name)
        if reason:
            item.stash[NOT_APPLICABLE] = reason
            item.add_marker(pytest.mark.skip(reason=reason))
            return True
        for known in self._known_failures(name):
            if known.covers_test(requirement.id, item.name):
                reason = f"{known.reason} ({known.url})" if known.url else known.reason
                item.add_marker(pytest.mark.xfail(reason=reason, raises=known.error, strict=True))
                _tell_in_short(item, known.error)
        return True

    def _not_applicable(self, item: pytest.Item, not_about: str | None, name: str) -> str | None:
        import torch

        from conformance.implementations.protocol import unavailable_reason

        dtype = _parameters(item).get("dtype")
        reason = (
            unavailable_reason(self.run.implementations[name])
            or not_about
            or (dtype_unavailable_reason(self.run.device, getattr(torch, dtype)) if dtype else None)
        )
        # A parameter may know by itself that it makes no sense here, such as an optimizer that this torch has not.
        asked = [
            value.unavailable_reason for value in _parameters(item).values() if hasattr(value, "unavailable_reason")
        ]
        return reason or next(filter(None, (ask(self.run.device) for ask in asked)), None)

    def _known_failures(self, implementation: str) -> list[Any]:
        """The expectations for this environment; asked for by every test, and the same for all."""
        import torch

        if implementation in self.known_failures:
            return self.known_failures[implementation]
        name = self.run.implementations[implementation].name
        where = {"torch": torch.__version__, "device": self.run.device.type, "implementation": name}
        found = [known for known in self.run.expectations if known.covers_environment(**where)]
        self.known_failures[implementation] = found
        return found

    def _check_expectations(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """An entry for this environment that matches no test is stale; only whole files can tell."""
        if any("::" in argument for argument in config.args):
            return
        found = {f"{item.path.name}::{item.originalname}" for item in items}  # type: ignore[attr-defined]
        names: dict[tuple[Any, Any], list[str]] = {}
        for item in items:
            names.setdefault((_requirement(item), _parameters(item).get("implementation")), []).append(item.name)
        for name in self.run.implementations:
            for known in self._known_failures(name):
                complete = found.issuperset(asking_tests()[known.requirement])
                asking = names.get((known.requirement, name), [])
                if complete and not any(known.covers_test(known.requirement, each) for each in asking):
                    self.run.problems.append(f"the expectation for {known.requirement}, test {known.test!r}, is stale")

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        for item in items:
            self.run.collected.get(item.nodeid, {})["deselected"] = True

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None]:
        from conformance.checks.outcome import NotApplicableError
        from conformance.numerics.budget import recorded_shares

        if item.nodeid not in self.run.collected:
            return (yield)
        self._seed()
        with recorded_shares() as shares:
            item.stash[SHARES] = shares
            try:
                return (yield)
            except NotApplicableError as nothing:
                item.stash[NOT_APPLICABLE] = str(nothing)
                pytest.skip(str(nothing))
            except Exception:
                known = self.run.collected[item.nodeid]
                self.climber.climb(item, (known["requirement"], known["implementation"]), self._seed)
                raise

    def _seed(self) -> None:
        # Seeding a device that is not asked costs more than many a test: torch keeps a traceback of each such call.
        import torch

        seed = torch.default_generator.manual_seed if self.run.device.type == "cpu" else torch.manual_seed
        seed(self.run.options["seed"])

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if call.excinfo is not None:
            self._check_environment(item)
        if item.nodeid in self.run.collected and (report.when == "call" or not report.passed):
            finding = report.conformance = _finding(item, call, report)  # type: ignore[attr-defined]
            if finding.get("script"):
                report.sections.append(("the same by torch alone", finding["script"]))
        return report

    def _check_environment(self, item: pytest.Item) -> None:
        """After some errors a device computes nothing any more, and all that is asked next fails for that reason."""
        problem = broken(self.run.device)
        if problem and not self.run.environment_failed:
            self.run.environment_failed = f"after {item.nodeid}: {problem}"
            item.session.shouldstop = "environment failed"

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """A worker tells the controller what it collected, whether it ran or not."""
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output["conformance"] = {
                "collected": self.run.collected,
                "problems": self.run.problems,
                "environment_failed": self.run.environment_failed,
            }


def _parameters(item: pytest.Item) -> Mapping[str, Any]:
    """The parameters that this item is a case of."""
    callspec = getattr(item, "callspec", None)
    return callspec.params if callspec is not None else {}


def _dtype(item: pytest.Item) -> str:
    """The dtype that a parameter is, or is about; empty if none is."""
    import torch

    for value in _parameters(item).values():
        about = getattr(torch, value, None) if isinstance(value, str) else getattr(value, "dtype", value)
        if isinstance(about, torch.dtype):
            return str(about).removeprefix("torch.")
    return ""


def _requirement(item: pytest.Item) -> Any:
    mark = item.get_closest_marker("requirement")
    return mark.args[0] if mark else None


def _tell_in_short(item: pytest.Item, error: type[BaseException]) -> None:
    """Of a failure with that error nobody reads the traceback, which takes longer to draw up than most tests run."""
    in_full = item.repr_failure

    def repr_failure(excinfo: pytest.ExceptionInfo[BaseException], **options: Any) -> Any:
        return str(excinfo.value) if excinfo.errisinstance(error) else in_full(excinfo, **options)

    item.repr_failure = repr_failure  # type: ignore[assignment,method-assign]


def _finding(item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> dict[str, Any]:
    """What this phase of the test says about its requirement, in types that xdist can send."""
    shares = item.stash.get(SHARES, [])
    share = float(f"{max(shares):.{DIGITS}g}") if shares else None
    finding: dict[str, Any] = {"budget_share": share, "lost": False, "message": ""}
    if report.passed:
        return finding | {"status": Status.CONFORMS.value}
    if NOT_APPLICABLE in item.stash:
        return finding | {"status": Status.NOT_APPLICABLE.value, "message": item.stash[NOT_APPLICABLE]}
    if hasattr(report, "wasxfail"):
        return finding | {"status": Status.KNOWN_FAILURE.value, "message": report.wasxfail}
    message = _message(call, report)
    if report.skipped:
        return finding | {"status": Status.NOT_RUN.value, "message": message, "lost": True}
    layer, script = item.stash.get(LAYER, ("", ""))
    if layer:
        message += f"; first layer that differs: {layer}"
    return finding | {"status": Status.FAILS.value, "message": message, "layer": layer, "script": script}


def _message(call: pytest.CallInfo[None], report: pytest.TestReport) -> str:
    if call.excinfo is None:
        return str(report.longrepr)  # an unexpected pass
    kind = call.excinfo.type.__name__
    said = " ".join(str(call.excinfo.value).split())
    return said if kind == "AssertionError" else f"{kind}: {said}"

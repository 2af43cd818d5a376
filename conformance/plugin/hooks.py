"""The pytest hooks: options, marks and fixtures. They import torch only when a run starts."""

from collections.abc import Generator, Iterator
from contextlib import ExitStack, nullcontext
from typing import Any

import hypothesis
import pytest

from conformance.devices import profile as device_profile
from conformance.plugin import xdist
from conformance.plugin.collection import Collector
from conformance.plugin.config import prepare
from conformance.plugin.exit_guard import ExitGuard
from conformance.plugin.interruption import Interruption
from conformance.plugin.options import add_options
from conformance.plugin.outcomes import OutcomeRecorder
from conformance.plugin.printing import PrintableWarnings
from conformance.plugin.repetition import Repetition
from conformance.plugin.reporter import Reporter
from conformance.plugin.selection import Narrower, asks_for_suite
from conformance.plugin.session import RUN, Run
from conformance.report.journal import Journal
from conformance.spec.identity import suite_identity
from conformance.utils.files import error_reason
from conformance.utils.text import one_line

LONGEST = 400  # characters of an error message, which may quote an untrusted file

# Derandomized and without a database, so that a run depends on its options only. No deadline: the first vmap call takes
# seconds. Health checks on slow and filtered data are off: drawing a whole vmap call is slow by nature.
hypothesis.settings.register_profile(
    "conformance",
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=100,
    suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.filter_too_much],
)
# --hypothesis-profile=nightly: many examples, different ones each night.
hypothesis.settings.register_profile(
    "nightly", hypothesis.settings.get_profile("conformance"), derandomize=False, max_examples=10_000
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the suite's options, which `conformance.plugin.options` declares."""
    add_options(parser.getgroup("conformance", "ensemble conformance").addoption)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Refuse an unknown profile of Hypothesis, which would end the run with a traceback when it is loaded."""
    profile = config.getoption("hypothesis_profile", None)
    try:
        hypothesis.settings.get_profile(profile or "conformance")
    except hypothesis.errors.InvalidArgument:
        mistake = f"--hypothesis-profile: invalid choice {profile!r} (choose from conformance, nightly)"
        raise pytest.UsageError(one_line(mistake, LONGEST)) from None


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "requirement(id): the requirement that the test checks")
    config.addinivalue_line("markers", "original: uses the sizes of the original example")
    config.addinivalue_line("markers", "child: runs in a child process, as torch may crash")
    if not config.getoption("hypothesis_profile", None):
        hypothesis.settings.load_profile("conformance")
    xdist.take(config)
    try:
        run = config.stash[RUN] = prepare(config)
    except ValueError as mistake:
        raise pytest.UsageError(one_line(str(mistake), LONGEST)) from mistake
    judging = ExitStack()
    judging.enter_context(device_profile.active(run.profile))
    config.add_cleanup(judging.close)
    config.pluginmanager.register(Collector(run), "conformance-collector")
    config.pluginmanager.register(OutcomeRecorder(run), "conformance-outcomes")
    config.pluginmanager.register(Narrower(run), "conformance-narrower")
    config.pluginmanager.register(Interruption(run), "conformance-interruption")
    config.pluginmanager.register(PrintableWarnings(), "conformance-warnings")
    if config.option.repeat > 1:
        config.pluginmanager.register(Repetition(run, config.option.repeat), "conformance-repetition")
    if not hasattr(config, "workerinput"):
        run.suite = suite_identity(config.option.expectations)
        reporter = Reporter(run)
        open_journal(config, run, reporter.journal)
        config.pluginmanager.register(reporter, "conformance-reporter")
        config.pluginmanager.register(reporter.output, "conformance-output")
        config.pluginmanager.register(ExitGuard(), "conformance-exit-guard")
        xdist.place(config)


def open_journal(config: pytest.Config, run: Run, journal: Journal) -> None:
    """Open the journal before the first test: where it can't be written, the result can't be either."""
    if config.option.collectonly or not asks_for_suite(config):
        return
    try:
        journal.open()
    except OSError as error:
        if run.result_asked:
            mistake = f"--result: can't write {run.result}: {error_reason(error)}"
            raise pytest.UsageError(one_line(mistake, LONGEST)) from error
        journal.problem = error_reason(error)
    config.add_cleanup(journal.end)


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> Generator[None, int, int]:
    """Limit the workers of -n auto to those for which the device has memory."""
    return xdist.most_workers(config, (yield))


def pytest_report_header(config: pytest.Config) -> str:
    often = f", each case {config.option.repeat} times" * (config.option.repeat > 1)
    return f"conformance: {', '.join(config.option.implementation)} on {config.stash[RUN].device}{often}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    own = set[str]()
    for mark in metafunc.definition.iter_markers("parametrize"):
        own.update([mark.args[0]] if isinstance(mark.args[0], str) else mark.args[0])
    if "implementation" in metafunc.fixturenames and "implementation" not in own:
        names = metafunc.config.option.implementation
        metafunc.parametrize("implementation", names, indirect=True, scope="session", ids=names)
    if "dtype" in metafunc.fixturenames and "dtype" not in own:
        metafunc.parametrize("dtype", ["float32", "float64"], indirect=True, scope="session")


@pytest.fixture(scope="session")
def implementation(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The implementation under test, with the injected fault if there is one."""
    found = request.config.stash[RUN].implementations[request.param]
    with getattr(found, "fault_active", nullcontext)():
        yield found


@pytest.fixture(scope="session")
def device(request: pytest.FixtureRequest) -> Any:
    """The torch.device under test."""
    return request.config.stash[RUN].device


@pytest.fixture(scope="session")
def dtype(request: pytest.FixtureRequest) -> Any:
    """The dtype under test: float32 or float64."""
    import torch

    return getattr(torch, request.param)

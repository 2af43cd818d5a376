"""The pytest side: options, fixtures, marks and the verdict. It imports torch only when a run starts."""

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Never

import hypothesis
import pytest

from conformance import expectations, spec, suite
from conformance.devices import CANNOT_ANSWER, UnknownDeviceError, UnusableDeviceError, resolve
from conformance.plugin.collecting import Collector
from conformance.plugin.reporting import Reporter
from conformance.plugin.run import RUN, Run

PROFILES = ("core", "full", "certify")
IMPLEMENTATIONS = ("torch.func", "functorch")
RESULT = "conformance-result.json"

# Derandomized and without a database, so that a run depends on its options alone; the first vmap call takes seconds.
# Drawing a whole call of vmap is much work by nature; nobody waits for a health check's opinion on it.
hypothesis.settings.register_profile(
    "conformance",
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=100,
    suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.filter_too_much],
)
# --hypothesis-profile=nightly: other draws every night, and many.
hypothesis.settings.register_profile(
    "nightly", hypothesis.settings.get_profile("conformance"), derandomize=False, max_examples=10_000
)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("conformance", "ensemble conformance")
    group.addoption(
        "--implementation",
        action="append",
        metavar="NAME",
        help="what to judge: torch.func, functorch, reference or package.module:Name; repeatable "
        f"(default: {' and '.join(IMPLEMENTATIONS)})",
    )
    group.addoption("--device", default="cpu", help="any device of torch (default: cpu)")
    group.addoption("--profile", default="full", metavar="|".join(PROFILES), help="how much to run (default: full)")
    group.addoption("--requirement", action="append", metavar="ID", help="run only its tests; repeatable")
    group.addoption("--seed", type=int, default=0, help="what members and inputs are drawn from (default: 0)")
    group.addoption("--expectations", type=Path, default=expectations.DEFAULT, metavar="FILE", help="known failures")
    group.addoption("--result", type=Path, default=Path(RESULT), metavar="FILE", help=f"default: {RESULT}")
    group.addoption("--fault", metavar="NAME", help="inject a fault of conformance.faults and see its tests go red")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "requirement(id): the requirement of the spec that the test asks for")
    config.addinivalue_line("markers", "original: at the sizes of the original example")
    config.addinivalue_line("markers", "child: in a process of its own, since torch may crash")
    if not config.getoption("hypothesis_profile", None):
        hypothesis.settings.load_profile("conformance")
    try:
        run = config.stash[RUN] = _prepare(config)
    except ValueError as mistake:
        raise pytest.UsageError(str(mistake)) from mistake
    config.pluginmanager.register(Collector(run), "conformance-collector")
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Reporter(run), "conformance-reporter")


def _prepare(config: pytest.Config) -> Run:
    """Check every option before the first test; ValueError for a mistake of the caller's."""
    option = config.option
    if sys.flags.optimize:
        raise ValueError("python -O strips the assertions that the suite consists of")
    if option.profile not in PROFILES:
        raise ValueError(f"--profile: {option.profile!r} is none of {', '.join(PROFILES)}")
    if not 0 <= option.seed < 2**63:
        raise ValueError(f"--seed: {option.seed} is not from 0 to 2**63 - 1")
    if not option.result.absolute().parent.is_dir() or option.result.is_dir():
        raise ValueError(f"--result: {option.result} can't be written")
    requirements = spec.load()
    for identifier in option.requirement or []:
        if identifier not in requirements:
            raise ValueError(f"--requirement: there is no requirement {identifier!r}")
    gap = suite.problem(requirements)
    if gap:
        raise ValueError(gap)
    known = expectations.load(option.expectations, requirements.keys())
    option.implementation = list(dict.fromkeys(option.implementation or IMPLEMENTATIONS))
    device = _usable(option.device)
    if "OMP_NUM_THREADS" not in os.environ:
        # The same with any number of workers; and with one a core, more threads only get in each other's way.
        importlib.import_module("torch").set_num_threads(1)
    sys.path.insert(0, str(config.invocation_params.dir))
    return Run(
        requirements=requirements,
        expectations=known,
        device=device,
        implementations=_implementations(option.implementation, option.fault),
        result=option.result,
        options={
            "implementations": option.implementation,
            "device": option.device,
            "profile": option.profile,
            "requirements": option.requirement or [],
            "seed": option.seed,
            "expectations": option.expectations.name,
            "fault": option.fault,
        },
    )


def _usable(name: str) -> Any:
    try:
        importlib.import_module("torch")
    except Exception as error:  # noqa: BLE001 - a broken build fails to import in any way it likes
        _cannot_answer(f"torch does not import: {type(error).__name__}: {error}")
    try:
        return resolve(name)
    except UnknownDeviceError as error:
        raise ValueError(f"--device: {error}") from error
    except UnusableDeviceError as error:
        _cannot_answer(str(error))


def _cannot_answer(reason: str) -> Never:
    pytest.exit(f"environment can't answer: {' '.join(reason.split())}", returncode=CANNOT_ANSWER)


def _implementations(names: list[str], fault: str | None) -> dict[str, Any]:
    from conformance import faults, implementations

    try:
        loaded = {name: implementations.load(name) for name in names}
    except ValueError as error:
        raise ValueError(f"--implementation: {error}") from error
    missing = {name: implementations.unavailable(each) for name, each in loaded.items()}
    if all(missing.values()):
        _cannot_answer("; ".join(f"{name}: {reason}" for name, reason in missing.items()))
    return {name: faults.inject(fault, each) for name, each in loaded.items()} if fault else loaded


def pytest_report_header(config: pytest.Config) -> str:
    return f"conformance: {', '.join(config.option.implementation)} on {config.option.device}"


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
    """What is under test, with the injected fault if there is one."""
    found = request.config.stash[RUN].implementations[request.param]
    with getattr(found, "fault_active", nullcontext)():
        yield found


@pytest.fixture(scope="session")
def device(request: pytest.FixtureRequest) -> Any:
    """The torch.device under test."""
    return request.config.stash[RUN].device


@pytest.fixture(scope="session")
def dtype(request: pytest.FixtureRequest) -> Any:
    """float32, float64."""
    import torch

    return getattr(torch, request.param)

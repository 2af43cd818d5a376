"""The configuration of a run: all options are checked before the first test."""

import importlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Never

import pytest

from conformance.devices import cuda
from conformance.devices import profile as device_profile
from conformance.devices.environment import environment_facts, numeric_variables
from conformance.devices.probe import (
    UnknownDeviceError,
    UnknownModuleError,
    UnusableDeviceError,
    choose_device,
    load_module,
    resolve_device,
)
from conformance.plugin.repetition import MOST
from conformance.plugin.session import Run
from conformance.report import releases as recorded_releases
from conformance.report.bounds import MAX_IMPLEMENTATIONS
from conformance.report.reader import Result, read_result
from conformance.spec.coverage import coverage_problem
from conformance.spec.expectations import DEFAULT, load_expectations, parse_release
from conformance.spec.requirements import load_requirements
from conformance.spec.selection import select_requirements
from conformance.utils.exit_codes import ExitCode
from conformance.utils.files import write_problem
from conformance.utils.functorch_compat import name_torch_func
from conformance.utils.probing import ask
from conformance.utils.suggestions import invalid_choice
from conformance.utils.text import describe_error, text_of

RECORDED = "recorded"
RESULT = "conformance-result.json"
LONGEST_PATHS = 5_000  # characters that a result file may hold
# One thread is what a run uses without the variable.
USUAL = {"OMP_NUM_THREADS": "1"}
PROFILES = ("core", "full", "certify")
IMPLEMENTATIONS = ("torch.func", "functorch")


def prepare(config: pytest.Config) -> Run:
    """Check all options and return the run. Raises ValueError with one line for a usage error."""
    option = config.option
    if sys.flags.optimize:
        raise ValueError("python -O removes the assertions of the suite")
    if option.profile not in PROFILES:
        raise ValueError(f"--profile: {invalid_choice(option.profile, PROFILES)}")
    _check_numbers(option)
    _check_writable(option)
    requirements = load_requirements()
    asked = select_requirements(requirements, option.requirement or [], option.level or [])
    gap = coverage_problem(requirements)
    if gap:
        raise ValueError(gap)
    known = load_expectations(option.expectations, requirements.keys())
    profile = device_profile.load_profile(option.device_profile, requirements.keys()) if option.device_profile else None
    option.implementation = list(dict.fromkeys(option.implementation or IMPLEMENTATIONS))
    if len(option.implementation) > MAX_IMPLEMENTATIONS:
        raise ValueError(f"--implementation: expected at most {MAX_IMPLEMENTATIONS}, got {len(option.implementation)}")
    option.device = choose_device(option.device, os.environ)
    sys.path.insert(0, str(config.invocation_params.dir))
    device = _usable(option.device, option.device_module)
    if profile and profile.device != device.type:
        raise ValueError(f"--device-profile: {profile.name} is for {profile.device!r}, but the run uses {device}")
    if "OMP_NUM_THREADS" not in os.environ:
        # Equal results with any number of workers; with one worker for each core, more threads would be slower.
        importlib.import_module("torch").set_num_threads(1)
    return Run(
        requirements=requirements,
        expectations=[*known, *(profile.expectations if profile else ())],
        profile=profile,
        baseline=_baseline(option.compare) if option.compare else None,
        page=option.page,
        proposals=option.write_expectations,
        facts=environment_facts(device),  # read now: a device that fails during the run may not even give its name
        device=device,
        implementations=_implementations(option.implementation, option.fault),
        result=option.result or Path(RESULT),
        result_asked=option.result is not None,
        options={
            "implementations": option.implementation,
            "device": option.device,
            "device_module": option.device_module,
            "device_profile": profile.facts() if profile else None,
            "profile": option.profile,
            "requirements": asked,
            "levels": sorted(set(option.level or [])),
            "seed": option.seed,
            "expectations": option.expectations.name,
            "arguments": rerun_arguments(option),
            "variables": rerun_variables(option, os.environ),
            "fault": option.fault,
        },
    )


def rerun_arguments(option: Any) -> list[str]:
    """Return the options that change what a case is held to, other than those with a place of their own."""
    given = {
        "--expectations": option.expectations.resolve() if option.expectations != DEFAULT else None,
        "--device-profile": option.device_profile.resolve() if option.device_profile else None,
        "--repeat": option.repeat if option.repeat > 1 else None,
        "--hypothesis-profile": getattr(option, "hypothesis_profile", None),
    }
    return [f"{name}={value}" for name, value in given.items() if value]


def rerun_variables(option: Any, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables that torch or a vendor's package may ask for."""
    foreign = option.device_module or any(":" in name for name in option.implementation)
    found = numeric_variables(environment)
    if foreign and "PYTHONPATH" in environment:
        found["PYTHONPATH"] = text_of(environment["PYTHONPATH"])[:LONGEST_PATHS]
    return {name: value for name, value in found.items() if value != USUAL.get(name)}


def _check_numbers(option: Any) -> None:
    if not 0 <= option.seed < 2**63:
        raise ValueError(f"--seed: invalid value {option.seed} (expected 0 to 2**63 - 1)")
    if not 1 <= option.repeat <= MOST:
        raise ValueError(f"--repeat: invalid value {option.repeat} (expected 1 to {MOST})")


def _check_writable(option: Any) -> None:
    proposals = option.write_expectations
    for name, path in (("result", option.result), ("html", option.page), ("write-expectations", proposals)):
        problem = write_problem(path) if path else None
        if problem:
            raise ValueError(f"--{name}: can't write {path}: {problem}")
    others = {
        "--expectations": option.expectations,
        "--device-profile": option.device_profile,
        "--result": option.result or Path(RESULT),
        "--html": option.page,
    }
    for name, other in others.items():
        if proposals and other and _same_file(proposals, other):
            raise ValueError(f"--write-expectations: can't write {proposals}: it is the file of {name}")


def _same_file(one: Path, other: Path) -> bool:
    return one.absolute() == other.absolute() or (one.exists() and other.exists() and one.samefile(other))


def _baseline(name: str) -> Result | None:
    """Return the result that `name` stands for: a file, a release, or "recorded": the newest one up to this torch."""
    if name != RECORDED:
        (*others, path) = recorded_releases.find_results(name)
        if others:
            raise ValueError(f"--compare: expected one result, got the folder {name}")
        return read_result(path)
    newest = recorded_releases.newest_release_up_to(parse_release(importlib.import_module("torch").__version__))
    return read_result(newest) if newest else None


def _usable(name: str, module: str | None) -> Any:
    try:
        importlib.import_module("torch")
    except Exception as error:  # noqa: BLE001 - the import of a broken build may raise any error
        _cannot_answer(f"torch does not import: {describe_error(error)}")
    name_torch_func()
    try:
        if module is not None:
            load_module(module)
        device = resolve_device(name)
    except UnknownModuleError as error:
        raise ValueError(f"--device-module: {error}") from error
    except UnknownDeviceError as error:
        raise ValueError(f"--device: {error}") from error
    except UnusableDeviceError as error:
        _cannot_answer(str(error))
    if device.type == "cuda":
        cuda.limit_memory(device)
    return device


def _cannot_answer(reason: str) -> Never:
    pytest.exit(f"environment can't answer: {' '.join(reason.split())}", returncode=ExitCode.CANNOT_ANSWER)


def _implementations(names: list[str], fault: str | None) -> dict[str, Any]:
    from conformance.implementations.protocol import unavailable_reason
    from conformance.implementations.registry import load_implementation

    try:
        loaded = {name: load_implementation(name) for name in names}
    except ValueError as error:
        raise ValueError(f"--implementation: {error}") from error
    missing = {name: ask(unavailable_reason, each) for name, each in loaded.items()}
    if all(missing.values()):
        _cannot_answer("; ".join(f"{name}: {reason}" for name, reason in missing.items()))
    if not fault:
        return loaded
    from conformance import faults

    return {name: faults.inject(fault, each) for name, each in loaded.items()}

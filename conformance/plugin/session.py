"""The state of one run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from conformance.devices.profile import DeviceProfile
from conformance.report.reader import Result
from conformance.spec.expectations import Expectation
from conformance.spec.requirements import Requirement


@dataclass
class CollectedTest:
    """A test as collected: its requirement's id, its implementation and its dtype.

    `deselected`: -k or -m left it out. `inapplicable`: the reason why it makes no sense here, and is not run.
    """

    requirement: str
    implementation: str
    dtype: str = ""
    deselected: bool = False
    inapplicable: str = ""


@dataclass
class Run:
    """The checked options of a run, and the tests that were collected for it.

    `collected`: each test by node id, filled by the process that collects, so that the controller knows of a test that
    never reports. `problems`: mistakes in the suite that stop the run. `baseline`: the result to compare with at the
    end. `page`: the file to write a page of HTML to. `proposals`: the file to write entries for failures
    to. `result_asked`: the caller named the result file. `interrupted`:
    why the run does not reach its end. `internal_error`: that reason is an error of pytest or of the suite. `judged`:
    the verdict is made. `environment_failed`: after which test the device stopped working, and how. `suite`: the
    suite's identity, in the process that writes the result.
    """

    requirements: Mapping[str, Requirement]
    expectations: Sequence[Expectation]
    device: Any
    implementations: Mapping[str, Any]
    result: Path
    options: Mapping[str, Any]
    profile: DeviceProfile | None
    facts: Mapping[str, Any]
    baseline: Result | None = None
    page: Path | None = None
    proposals: Path | None = None
    collected: dict[str, CollectedTest] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    environment_failed: str | None = None
    interrupted: str | None = None
    internal_error: bool = False
    judged: bool = False
    result_asked: bool = False
    suite: Mapping[str, Any] = field(default_factory=dict)

    def asks(self, requirement: Requirement) -> bool:
        """Return whether the run was asked for this requirement."""
        asked = self.options["requirements"]
        return (not asked or requirement.id in asked) and (self.options["profile"] != "core" or requirement.core)

    def note_interruption(self, reason: str) -> None:
        """Record why the run does not reach its end; the first reason is kept."""
        self.interrupted = self.interrupted or reason


RUN = pytest.StashKey[Run]()

"""One run: what was asked, what was selected."""

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
class Run:
    """What the options came to. `collected` and `problems` are filled by whoever collects: this process, or workers.

    `collected` maps a test's node id to what the controller must know of it even if it never reports:
    requirement, implementation, and whether the user deselected it. `baseline` is what to compare with at the end, and
    `page` where to write a page of HTML. `environment_failed` says after which test the device stopped working, and
    how.
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
    collected: dict[str, dict[str, Any]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    environment_failed: str | None = None

    def asks(self, requirement: Requirement) -> bool:
        """Was the run asked for it?"""
        asked = self.options["requirements"]
        return (not asked or requirement.id in asked) and (self.options["profile"] != "core" or requirement.core)


RUN = pytest.StashKey[Run]()

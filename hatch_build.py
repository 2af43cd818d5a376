"""Hatchling's own hook: the wheel carries the suite into `conformance/suite/`, where that package looks for it."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# Not the tests of the suite itself, and not the scripts that make the fixtures: a folder as a whole would bring them.
CARRIED = (
    "tests/test_*.py",
    "fixtures/*.json",
    "fixtures/*.toml",
    "fixtures/releases/*.json.gz",
    "fixtures/reproducers/*.py",
    "pytest.toml",
)


class CarrySuite(BuildHookInterface[Any]):
    """Found by hatchling, which takes the one hook that is in this file."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Before a wheel is put together; an editable install runs the suite where it lies."""
        if version == "editable":
            return
        root = Path(self.root)
        for path in (path for pattern in CARRIED for path in root.glob(pattern)):
            target = Path("conformance", "suite") / path.relative_to(root)
            build_data["force_include"][str(path)] = str(target)

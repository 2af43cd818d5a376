"""The paths of the suite, its fixtures and its configuration."""

from pathlib import Path

# The wheel carries the suite inside the package (see hatch_build.py); in a clone it lies beside the package.
_PACKAGE = Path(__file__).parents[1]
_CARRIED = _PACKAGE / "suite"

HOME = _CARRIED if (_CARRIED / "tests").is_dir() else _PACKAGE.parent
SUITE = HOME / "tests"
FIXTURES = HOME / "fixtures"
CONFIGURATION = HOME / "pytest.toml"

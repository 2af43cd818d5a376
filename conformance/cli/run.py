"""The verb ``conformance run``: pytest on the suite, from any folder."""

from collections.abc import Sequence
from pathlib import Path

from conformance.spec.locations import CONFIGURATION


def main(arguments: Sequence[str]) -> int:
    """Run pytest on the suite and return its exit code.

    All files are written to the caller's folder. Its conftest.py and its pytest configuration are ignored.
    """
    # Imported late: `--help` of other verbs stays fast, and pytest must be imported before the plugin's own imports.
    import pytest

    own = ["-c", str(CONFIGURATION), "--noconftest", "-o", f"cache_dir={Path.cwd() / '.pytest_cache'}"]
    return int(pytest.main([*own, "-p", "conformance.plugin", "-p", "conformance.plugin.suite_paths", *arguments]))

"""The diagnosis of a failure: re-run a test that has just failed, layer by layer, while its fixtures are there."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import is_hypothesis_test

LAYER = pytest.StashKey[tuple[str, str]]()


class Diagnosis:
    """Re-runs the first failure of each requirement: later ones mostly fail for the same reason."""

    def __init__(self) -> None:
        self.diagnosed: set[tuple[str, str]] = set()

    def diagnose(self, item: Any, asked: tuple[str, str], seed: Callable[[], None]) -> None:
        """Put the first layer that differs, and its script, into the item's stash.

        `asked`: the requirement and the implementation. `seed`: sets the random generators as at the start of a test.
        """
        from conformance.diagnosis.diagnose import find_broken_layer

        # A known failure has its reason, what runs in a child can't be recorded, and Hypothesis writes a script itself.
        told = any(item.get_closest_marker(name) for name in ("xfail", "child")) or is_hypothesis_test(item.obj)
        if told or asked in self.diagnosed:
            return
        self.diagnosed.add(asked)
        implementation = item.funcargs["implementation"]

        def again(recorder: Any) -> None:
            item.funcargs["implementation"] = recorder
            seed()
            item.runtest()

        try:
            item.stash[LAYER] = find_broken_layer(implementation, again)
        finally:
            item.funcargs["implementation"] = implementation

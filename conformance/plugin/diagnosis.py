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

    def diagnose(self, item: Any, asked: tuple[str, str], error: BaseException, seed: Callable[[], int]) -> None:
        """Put the first layer that differs, and a script that shows the failure, into the item's stash.

        `asked`: the requirement and the implementation. `seed`: sets the random generators as at the start of a test,
        and returns the seed.
        """
        from conformance.diagnosis.bundle_script import script_of_test

        # A known failure has its reason, and Hypothesis writes a script itself.
        told = item.get_closest_marker("xfail") or is_hypothesis_test(item.obj)
        if told or asked in self.diagnosed:
            return
        self.diagnosed.add(asked)
        in_child = item.get_closest_marker("child") is not None
        layer, script = ("", "") if in_child else self._broken_layer(item, seed)
        item.stash[LAYER] = (
            layer,
            script or script_of_test(item.function, item.funcargs, error, seed(), may_crash=in_child),
        )

    def _broken_layer(self, item: Any, seed: Callable[[], int]) -> tuple[str, str]:
        from conformance.diagnosis.diagnose import find_broken_layer

        implementation = item.funcargs["implementation"]

        def again(recorder: Any) -> None:
            item.funcargs["implementation"] = recorder
            seed()
            item.runtest()

        try:
            return find_broken_layer(implementation, again)
        finally:
            item.funcargs["implementation"] = implementation

"""Which layer broke: asks a test that has just failed again, while its fixtures are there."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import is_hypothesis_test

LAYER = pytest.StashKey[tuple[str, str]]()


class Climber:
    """Climbs the ladder for the first failure of each requirement: others mostly fail for the same reason."""

    def __init__(self) -> None:
        self.climbed: set[tuple[str, str]] = set()

    def climb(self, item: Any, place: tuple[str, str], seed: Callable[[], None]) -> None:
        """Put the layer and its script into the item's stash; `place` is the requirement and the implementation."""
        from conformance.diagnosis.diagnose import layer

        # A known failure has its reason, what runs in a child can't be recorded, and Hypothesis writes a script itself.
        told = any(item.get_closest_marker(name) for name in ("xfail", "child")) or is_hypothesis_test(item.obj)
        if told or place in self.climbed:
            return
        self.climbed.add(place)
        implementation = item.funcargs["implementation"]

        def again(recorder: Any) -> None:
            item.funcargs["implementation"] = recorder
            seed()
            item.runtest()

        try:
            item.stash[LAYER] = layer(implementation, again)
        finally:
            item.funcargs["implementation"] = implementation

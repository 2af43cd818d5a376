"""Are the generators of Python and NumPy seeded for a while, and put back?"""

import random
import sys

from conformance.utils.rng import library_states, seeded_libraries


def test_libraries_are_seeded_and_restored():
    import numpy as np

    before = library_states()

    with seeded_libraries(3):
        first = random.random(), np.random.rand()  # noqa: NPY002, S311 - the global generators are what is tested
    after = library_states()
    with seeded_libraries(3):
        again = random.random(), np.random.rand()  # noqa: NPY002, S311

    assert first == again
    assert before == after
    assert list(before) == ["Python's random", "NumPy"]


def test_numpy_is_not_imported_for_it(monkeypatch):
    monkeypatch.delitem(sys.modules, "numpy", raising=False)

    assert list(library_states()) == ["Python's random"]
    assert "numpy" not in sys.modules

"""Are torch's settings as they were, whatever happens in between?"""

from contextlib import suppress

import pytest
import torch

from conformance.settings import Threads, deterministic, settings

SETTINGS = {
    "threads": Threads(3).at_work,
    "deterministic": deterministic,
    "warn-only": lambda: deterministic(warn_only=True),
}


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("end", [lambda: None, lambda: 1 / 0], ids=["returns", "raises"])
def test_what_was_set_is_put_back(name, end):
    before = settings()

    with suppress(ZeroDivisionError), SETTINGS[name]():
        within = settings()
        end()

    assert within != before
    assert settings() == before


def test_one_within_another_is_put_back_too():
    with deterministic(warn_only=True):
        before = settings()
        with deterministic():
            assert settings() == {**before, "warn_only": False}
            with deterministic(enabled=False):
                assert settings() == {**before, "deterministic": False, "warn_only": False}
        assert settings() == before


def test_threads_are_the_cpus():
    assert Threads(2).lacks(torch.device("cpu")) is None
    assert Threads(2).lacks(torch.device("cuda")) == "threads are the CPU's, and this is cuda"
    assert str(Threads(2)) == "2-threads"

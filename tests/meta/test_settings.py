"""Are torch's settings as they were, whatever happens in between?"""

from contextlib import suppress

import pytest
import torch

from conformance.utils.torch_settings import TF32, Threads, deterministic, flagged, flags, matmul_precision, settings

SETTINGS = {
    "threads": Threads(3).at_work,
    "deterministic": deterministic,
    "warn-only": lambda: deterministic(warn_only=True),
    "onednn": lambda: flagged(onednn_enabled=False),
    "two-flags": lambda: flagged(tf32_matmul=TF32[True], tf32_conv=TF32[False]),
    "cudnn": lambda: flagged(cudnn_deterministic=True, cudnn_benchmark=True, cudnn_enabled=False),
    "matmul-precision": lambda: matmul_precision("medium"),
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
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
    assert Threads(2).unavailable_reason(torch.device("cpu")) is None
    assert Threads(2).unavailable_reason(torch.device("cuda")) == "threads are the CPU's, and this is cuda"
    assert str(Threads(2)) == "2-threads"


def test_a_flag_that_torch_does_not_know_changes_nothing():
    before = flags()

    with pytest.raises(KeyError), flagged(onednn_enabled=False, nope_nope=True):
        pass

    assert flags() == before


def test_a_value_that_torch_refuses_changes_nothing():
    before = settings()

    with pytest.raises(RuntimeError), flagged(onednn_enabled=False, cudnn_enabled="perhaps"):
        pass

    assert settings() == before


def test_flags_within_the_precision_of_products_are_put_back():
    before = settings()

    with flagged(tf32_matmul=TF32[False]), matmul_precision("high"), flagged(tf32_conv=TF32[False]):
        within = settings()

    assert within != before
    assert settings() == before

"""Are torch's settings as they were, whatever happens in between?"""

import warnings
from contextlib import suppress

import pytest
import torch

from conformance.utils import torch_settings
from conformance.utils.torch_settings import (
    TF32,
    Threads,
    deterministic,
    find_flags,
    matmul_precision,
    read_flags,
    read_settings,
    set_flags,
)

SETTINGS = {
    "threads": Threads(3).at_work,
    "deterministic": deterministic,
    "warn-only": lambda: deterministic(warn_only=True),
    "onednn": lambda: set_flags(onednn_enabled=False),
    "two-flags": lambda: set_flags(tf32_matmul=TF32[True], tf32_conv=TF32[False]),
    "cudnn": lambda: set_flags(cudnn_deterministic=True, cudnn_benchmark=True, cudnn_enabled=False),
    "matmul-precision": lambda: matmul_precision("medium"),
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
}


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("end", [lambda: None, lambda: 1 / 0], ids=["returns", "raises"])
def test_what_was_set_is_put_back(name, end):
    before = read_settings()

    with suppress(ZeroDivisionError), SETTINGS[name]():
        within = read_settings()
        end()

    assert within != before
    assert read_settings() == before


def test_one_within_another_is_put_back_too():
    with deterministic(warn_only=True):
        before = read_settings()
        with deterministic():
            assert read_settings() == {**before, "warn_only": False}
            with deterministic(enabled=False):
                assert read_settings() == {**before, "deterministic": False, "warn_only": False}
        assert read_settings() == before


def test_threads_are_the_cpus():
    assert Threads(2).unavailable_reason(torch.device("cpu")) is None
    assert Threads(2).unavailable_reason(torch.device("cuda")) == "threads are the CPU's, and this is cuda"
    assert str(Threads(2)) == "2-threads"


def test_a_flag_that_torch_does_not_know_changes_nothing():
    before = read_flags()

    with pytest.raises(KeyError), set_flags(onednn_enabled=False, nope_nope=True):
        pass

    assert read_flags() == before


def test_a_value_that_torch_refuses_changes_nothing():
    before = read_settings()

    with pytest.raises(RuntimeError), set_flags(onednn_enabled=False, cudnn_enabled="perhaps"):
        pass

    assert read_settings() == before


def test_flags_within_the_precision_of_products_are_put_back():
    before = read_settings()

    with set_flags(tf32_matmul=TF32[False]), matmul_precision("high"), set_flags(tf32_conv=TF32[False]):
        within = read_settings()

    assert within != before
    assert read_settings() == before


class Old:
    """A backend that warns of its flag whenever it is read or written, as torch does of what it has deprecated."""

    @property
    def flag(self):
        return self.read("read")

    @flag.setter
    def flag(self, value):
        self.read("written")

    def read(self, what):
        warnings.warn(f"the flag is {what} by an old name", FutureWarning, stacklevel=2)
        return True


def test_a_flag_that_torch_has_not_or_can_not_tell_is_none_of_its_flags(monkeypatch):
    monkeypatch.setattr(Old, "mixed", property(lambda _: (_ for _ in ()).throw(RuntimeError("old and new"))), False)
    monkeypatch.setattr(torch.backends, "old", Old(), raising=False)

    found = find_flags({"a.flag": "old.flag", "b.flag": "old.nope", "c.flag": "nope.flag", "d.flag": "old.mixed"})

    assert list(found) == ["a.flag"]


def test_a_flag_that_is_deprecated_is_read_and_set_in_silence(monkeypatch):
    old = Old()
    with pytest.raises(FutureWarning, match="the flag is read by an old name"):
        assert old.flag
    monkeypatch.setattr(torch_settings, "FLAGS", {"old.flag": (old, "flag")})

    with set_flags(old_flag=False):
        assert read_settings()["old.flag"]


def test_a_warning_of_what_runs_under_a_setting_is_not_silenced():
    with pytest.raises(FutureWarning, match="by an old name"), set_flags(onednn_enabled=False):
        assert Old().flag
    with pytest.raises(FutureWarning, match="by an old name"), matmul_precision("high"):
        assert Old().flag

"""Does a setting say itself where it can't be had, or makes no difference?"""

from contextlib import nullcontext

import pytest
import torch

from conformance.cases import numeric_settings
from conformance.cases.numeric_settings import (
    AUTOCASTS,
    BACKENDS,
    CALL,
    COARSER,
    EVERYTHING,
    LIBRARIES,
    MEMBER,
    NO_SETTING,
    autocast_setting,
    backend_setting,
)
from conformance.utils.torch_settings import matmul_precision, read_settings

CPU, META = torch.device("cpu"), torch.device("meta")


def test_settings_have_names_of_their_own():
    names = [str(each) for each in (NO_SETTING, *BACKENDS, *AUTOCASTS)]

    assert len(set(names)) == len(names)


# The last of the backends' is what torch starts with.
@pytest.mark.parametrize("setting", [*BACKENDS[:-1], *AUTOCASTS[:2]], ids=str)
def test_a_setting_is_around_what_it_says_and_nothing_else(setting):
    before = read_settings()
    seen = {}

    for scope in (EVERYTHING, CALL, MEMBER):
        with setting.around(scope, CPU):
            seen[scope] = read_settings() != before

    assert seen == {scope: scope == setting.scope for scope in seen}
    assert read_settings() == before


def test_what_changes_no_bit_says_so_by_name():
    same = backend_setting("nothing", nullcontext, nullcontext)

    assert same.unavailable_reason(CPU) == "nothing changes no bit on cpu"


def test_what_changes_a_bit_counts(monkeypatch):
    numbers = iter([torch.zeros(1), torch.ones(1)])
    monkeypatch.setattr(numeric_settings, "_product_and_convolution", lambda device: [next(numbers)])

    assert backend_setting("something", nullcontext, nullcontext).unavailable_reason(CPU) is None


def test_cudnn_is_asked_whether_it_takes_a_tensor(monkeypatch):
    off = next(each for each in LIBRARIES if str(each) == "cudnn-off")
    assert off.unavailable_reason(CPU) == "cuDNN takes no tensor of cpu"

    monkeypatch.setattr(torch.backends.cudnn, "is_acceptable", lambda tensor: True)
    assert off.unavailable_reason(CPU) is None


def test_a_device_without_autocast_says_so_in_its_words():
    assert autocast_setting(torch.bfloat16, CALL).unavailable_reason(CPU) is None
    assert (
        autocast_setting(torch.bfloat16, CALL)
        .unavailable_reason(META)
        .startswith("meta has no autocast to torch.bfloat16: ")
    )


def test_an_autocast_that_is_not_done_is_seen(monkeypatch):
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())

    assert numeric_settings._autocast_unavailable_reason.__wrapped__(torch.float16, CPU) == (  # noqa: SLF001
        "under autocast to torch.float16 cpu computes in torch.float32"
    )


def test_a_coarser_product_is_coarser_by_the_rounding_that_is_declared():
    assert [str(each) for each in COARSER if each.rounding == 2.0**-10] == ["matmul-high", "tf32-matmul", "tf32-conv"]
    with COARSER[0].set(CPU):
        assert torch.get_float32_matmul_precision() == "high"
        with matmul_precision("medium"):
            assert torch.get_float32_matmul_precision() == "medium"
        assert torch.get_float32_matmul_precision() == "high"

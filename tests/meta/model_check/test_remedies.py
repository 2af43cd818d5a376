"""Does each suggested fix fit its failure, and does it work?"""

import pytest
import torch
from remedied_modules import ELSEWHERE, SEQUENCES, TRIED, encoder

from conformance.checks.model_checks import CHECKS
from conformance.checks.outcome import run_check
from conformance.implementations.torch_func import TorchFunc
from conformance.model_check.model_facts import module_features
from conformance.model_check.remedies import load_remedies
from conformance.testing import Model


@pytest.mark.parametrize(
    ("name", "check", "bad", "inputs", "good"), TRIED, ids=[f"{row[0]}-{i}" for i, row in enumerate(TRIED)]
)
def test_a_remedy_fits_and_leads_out(name, check, bad, inputs, good):
    remedy = next(row for row in load_remedies() if row.name == name)

    found = judged(bad, inputs, check)
    after = judged(bad, inputs, good) if good in CHECKS else judged(good, inputs, check)

    assert remedy.fits(check, found.status.value, found.message, module_features(bad()))
    assert after.status.value in {"right", "not applicable"}, after.message
    assert after.status is not found.status or found.status.value == "right"


def judged(factory, inputs, check):
    return run_check(CHECKS[check], Model(factory, [inputs]), TorchFunc(), "cpu")


def test_attention_can_be_told_to_take_no_fast_path():
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        found = judged(lambda: encoder(0).eval(), SEQUENCES, "backward")
    finally:
        torch.backends.mha.set_fastpath_enabled(before)

    assert found.status.value == "right"


def test_every_remedy_is_tried():
    assert {row.name for row in load_remedies()} == {row[0] for row in TRIED} | ELSEWHERE


@pytest.mark.parametrize("name", sorted(ELSEWHERE))
def test_the_rest_fits_what_the_command_says(name):
    remedy = next(row for row in load_remedies() if row.name == name)
    check, status, message = SAID[name]

    assert remedy.fits(check, status, message, ["Linear"])
    assert not remedy.fits(check, "right", "", ["Linear"])


SAID = {
    "same-module": ("members", "wrong", "the factory returns the same module each time, so that all share one state"),
    "same-numbers": ("members", "wrong", "all members hold the same numbers, so that their outputs are equal"),
    "allocator": ("speed_forward", "slower with large activations", ""),
}

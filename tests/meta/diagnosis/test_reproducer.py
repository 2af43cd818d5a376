"""Does a script of torch alone show the defect, and is there none where torch alone does not?"""

import subprocess
import sys

import pytest
import torch
from torch.nn import functional as F

from conformance.cases.data import draw
from conformance.diagnosis import layers, reproducer
from conformance.diagnosis.recorder import Recorder
from conformance.implementations.torch_func import TorchFunc
from conformance.spec.locations import SUITE

EMBEDDING = [str(SUITE / "test_modules.py"), "-k", "Embedding-paddingidx", "--requirement=modules.backward"]


def test_the_script_of_a_real_defect_shows_it_with_torch_alone(run_suite, tmp_path):
    nothing = tmp_path / "expectations.toml"
    nothing.write_text("", encoding="utf-8")

    outcome = run_suite(f"--expectations={nothing}", "--implementation=torch.func", paths=EMBEDDING)

    (case,) = [case for row in outcome.result["requirements"] for case in row["cases"] if case["status"] == "fails"]
    assert case["layer"].startswith(f"{layers.FLOAT64}, its gradient: ")
    assert f"first layer that differs: {case['layer']}" in case["message"]
    assert f"first layer that differs: {case['layer'][:60]}" in outcome.printed.rpartition("VERDICT")[0]
    assert "the same by torch alone" in outcome.printed
    assert "conformance" not in case["script"]
    (tmp_path / "script.py").write_text(case["script"], encoding="utf-8")
    alone = subprocess.run(
        [sys.executable, "-I", tmp_path / "script.py"], check=False, capture_output=True, text=True, cwd=tmp_path
    )
    assert alone.returncode == 1
    assert alone.stdout.startswith("gradient of input 0 differs by up to ")


def recorded(func, *inputs, **options):
    recorder = Recorder(TorchFunc())
    recorder.vmap(func, **options)(*inputs)
    return recorder.call


def padded(weight, indices, scale):
    return F.embedding(indices, weight, padding_idx=0) * scale


PADDED = (draw(2, 3, 1, seed=1), torch.tensor([[0, 1], [0, 2]]), torch.tensor([2]))


DIMS = (0, 0, None)


def test_a_script_has_shared_inputs_and_numbers_in_its_containers():
    call = recorded(lambda some, _: padded(*some), PADDED, "a word", in_dims=(DIMS, None))

    source = reproducer.make_reproducer(call)

    assert "dims = (0, 0, None)" in source
    assert "torch.tensor([2], dtype=torch.int64)" in source


@pytest.mark.parametrize(
    "call",
    [
        recorded(torch.sin, draw(3, seed=1)),
        recorded(torch.sin, draw(reproducer.MAX_NUMBERS + 1, seed=1)),
        recorded(torch.sin, torch.empty(3, device="meta")),
        recorded(lambda x: x + torch.tensor([1.0, 2.0]), draw(3, seed=1)),
    ],
    ids=["right", "large", "elsewhere", "tensors-of-its-own"],
)
def test_what_torch_alone_does_not_show_has_no_script(call):
    assert reproducer.make_reproducer(call) is None


def test_what_can_not_be_traced_or_run_has_no_script():
    call = recorded(padded, *PADDED, in_dims=DIMS)

    assert reproducer.make_reproducer(call)
    assert reproducer._shows_difference("raise ValueError") is False  # noqa: SLF001 - its parts
    assert reproducer._shows_difference("") is False  # noqa: SLF001 - likewise
    object.__setattr__(call, "func", lambda *_: 1 / 0)
    assert reproducer.make_reproducer(call) is None


def test_a_script_that_rounded_numbers_do_not_show_has_them_all(monkeypatch):
    call = recorded(padded, *PADDED, in_dims=DIMS)
    tried = []
    monkeypatch.setattr(reproducer, "_shows_difference", lambda text: tried.append(text) or len(tried) == 2)

    assert reproducer.make_reproducer(call) == tried[1]
    assert len(tried[0]) < len(tried[1])

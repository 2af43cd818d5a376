"""Are the golden values what their generator computes, and does a wrong draw go unnoticed?"""

import json
import runpy

import numpy as np
import pytest
import torch

from conformance.cases import golden_seeds, training_cases
from conformance.cases.members import MEMBERS
from conformance.implementations.reference_loop import Reference
from conformance.implementations.torch_func import TorchFunc
from conformance.numerics.assertions import assert_members_close
from conformance.utils.module_state import state_of
from conformance.utils.pytree import leaves, tree_map

MAKER = runpy.run_path(str(golden_seeds.FIXTURES / "generate" / "golden_seeds.py"))
RECORDER = runpy.run_path(str(golden_seeds.FIXTURES / "generate" / "recorded_draws.py"))
FILE = json.loads((golden_seeds.FIXTURES / "golden_seeds.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", [name for name in golden_seeds.GOLDEN if name != "SimpleCNN"])
def test_the_generator_computes_the_file_again(name):
    made, kept = MAKER["golden"](name), FILE[name]

    assert [path for path, _ in leaves(made, "")] == [path for path, _ in leaves(kept, "")]
    for (path, ours), (_, theirs) in zip(leaves(made, ""), leaves(kept, ""), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4 if "float32" in path else 1e-11, atol=1e-6, err_msg=path)


def test_the_generator_prints_the_file(capsys, monkeypatch):
    monkeypatch.delitem(MAKER["SUBJECTS"], "SimpleCNN")

    MAKER["main"]()

    assert list(json.loads(capsys.readouterr().out)) == [name for name in FILE if name != "SimpleCNN"]


def test_both_sides_speak_of_the_same():
    assert MAKER["SEEDS"] == golden_seeds.SEEDS
    assert MAKER["HEAD"] == golden_seeds.HEAD_SIZE
    assert list(FILE) == list(golden_seeds.GOLDEN) == list(MAKER["SUBJECTS"])
    for name, factory in golden_seeds.GOLDEN.items():
        for kept in FILE[name].values():
            assert set(kept) == set(state_of(factory())), name


def test_numpy_draws_the_numbers_that_everybody_knows():
    generator = MAKER["Generator"](0, np.float64)

    # What torch.randn gives first after torch.manual_seed(0), in countless issues and notebooks.
    known = [1.5409961, -0.2934289, -2.1787894, 0.56843126, -1.0845224]
    np.testing.assert_allclose(generator.normal((5,)), known, rtol=1e-6)
    head = FILE["SimpleCNN"]["0"]["conv1.weight"]["exact"]["head"]
    np.testing.assert_allclose(head[:3], [-0.0024956, 0.1788145, -0.2743484], atol=1e-7)


def test_no_seed_draws_what_another_does():
    for name in FILE:
        drawn = [str(FILE[name][str(seed)]) for seed in golden_seeds.SEEDS]
        assert len(set(drawn)) == (1 if name == "BatchNorm2d" else len(drawn)), name


SPOILED = {
    "one-rounding-too-many": lambda tensor: tensor * (1 + 2**-18),
    "exchanged": lambda tensor: tensor.flatten()[[1, 0, *range(2, tensor.numel())]],
    "exchanged-behind-the-head": lambda tensor: tensor.flatten()[[*range(8), 9, 8, *range(10, tensor.numel())]],
    "negative": lambda tensor: -tensor,
}


@pytest.mark.parametrize("spoil", [None, *SPOILED])
def test_golden_values_tell_a_wrong_draw(spoil):
    stacked = golden_seeds.stack_state(
        TorchFunc(),
        [golden_seeds.make_with_manual_seed(golden_seeds.GoldenDraws, 1, seed)[0] for seed in golden_seeds.SEEDS],
    )
    changed = {"randn_of_100": SPOILED.get(spoil, torch.clone)}
    summaries = [
        {name: golden_seeds.summarize(changed.get(name, torch.clone)(tensor[i])) for name, tensor in stacked.items()}
        for i in range(len(golden_seeds.SEEDS))
    ]
    actual = tree_map(lambda *each: torch.stack(each), *summaries)

    if spoil is None:
        assert_members_close(actual, golden_seeds.load_golden_summaries("draws", "cpu"))
        return
    with pytest.raises(AssertionError, match=r"member 0: output\['randn_of_100'\]\['(head|checksum)'\] differs"):
        assert_members_close(actual, golden_seeds.load_golden_summaries("draws", "cpu"))


def test_every_draw_is_recorded(capsys):
    RECORDER["main"]()

    recorded = json.loads((golden_seeds.FIXTURES / "recorded_draws.json").read_text(encoding="utf-8"))
    printed = json.loads(capsys.readouterr().out)
    assert {name: np.shape(values) for name, values in printed.items()} == {
        name: np.shape(values) for name, values in recorded.items()
    }


@pytest.mark.parametrize(("name", "change"), [("cauchy_", 1e-3), ("multinomial", 1), ("float64 randn", 1e-9)])
def test_a_draw_that_moved_is_told_from_one_that_was_rounded(name, change):
    recorded = json.loads((golden_seeds.FIXTURES / "recorded_draws.json").read_text(encoding="utf-8"))
    dtype = {"cauchy_": torch.float32, "multinomial": torch.int64}.get(name, torch.float64)
    tensor = torch.tensor(recorded[name], dtype=dtype)

    assert not golden_seeds.differs_from_recorded(name, tensor)
    assert golden_seeds.differs_from_recorded(name, tensor * (1 + change))


@pytest.mark.parametrize("make", golden_seeds.MAKERS.values(), ids=golden_seeds.MAKERS)
def test_members_are_made_off_the_callers_random_state(make):
    before = torch.get_rng_state()

    make(training_cases.norm_net_without_dropout, 2, 3)

    assert torch.equal(torch.get_rng_state(), before)


def test_stacks_are_compared_bitwise():
    expected = [
        golden_seeds.stack_state(Reference(), make(training_cases.norm_net_without_dropout, MEMBERS, 3))
        for make in golden_seeds.MAKERS.values()
    ]

    golden_seeds.assert_stacks(Reference(), training_cases.norm_net_without_dropout, MEMBERS, 3, expected)
    with pytest.raises(AssertionError, match="stack"):
        golden_seeds.assert_stacks(Reference(), training_cases.norm_net_without_dropout, MEMBERS, 4, expected)

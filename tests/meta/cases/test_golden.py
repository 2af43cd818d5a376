"""Are the golden values what their generator computes, and does the closed form agree on both sides?"""

import json
import runpy

import numpy as np
import pytest
import torch

from conformance.cases import golden

MAKER = runpy.run_path(str(golden.GOLDEN_FILE.parent / "generate" / "golden.py"))


def test_the_generator_computes_the_file_again():
    kept = json.loads(golden.GOLDEN_FILE.read_text(encoding="utf-8"))

    for size, case in MAKER["CASES"].items():
        made = MAKER["golden"](case)
        assert {key: value for key, value in kept[size].items() if key in case} == case
        np.testing.assert_allclose(kept[size]["logits"], made["logits"], rtol=1e-12, atol=1e-14)
        for ours, theirs in zip(kept[size]["gradients"], made["gradients"], strict=True):
            assert ours.keys() == theirs.keys()
            for name in ours:
                for part in ("sample", "checksum"):
                    np.testing.assert_allclose(ours[name][part], theirs[name][part], rtol=1e-11, atol=1e-13)


def test_the_generator_prints_the_file(capsys):
    MAKER["main"]()

    printed = json.loads(capsys.readouterr().out)
    assert printed.keys() == set(golden.SIZES)


@pytest.mark.parametrize("size", golden.SIZES)
def test_both_sides_start_from_the_same_numbers(size):
    case = golden.load_golden_cases(size, device="cpu", dtype=torch.float64)
    made = MAKER["CASES"][size]
    shapes = MAKER["shapes"](**made["sizes"])

    for member, model in enumerate(case.models):
        assert [name for name, _ in model.named_parameters()] == MAKER["NAMES"]
        for t, (shape, parameter) in enumerate(zip(shapes, model.parameters(), strict=True)):
            assert parameter.tolist() == MAKER["closed_form"](shape, t, member, made["scales"][t]).tolist()
    assert (
        case.minibatches[1].tolist()
        == MAKER["closed_form"](case.minibatches[1].shape, 8, 1, made["scales"][8]).tolist()
    )


@pytest.mark.parametrize("size", golden.SIZES)
def test_no_golden_value_is_an_empty_one(size):
    case = golden.load_golden_cases(size, device="cpu", dtype=torch.float64)

    assert len({str(each.tolist()) for each in case.logits}) == len(case.models)
    for gradients in case.gradients:
        for name, parts in gradients.items():
            assert parts["sample"].any(), name
            assert parts["checksum"][1] > 0, name


def test_a_kink_is_refused():
    away, blocks = np.ones((1, 2)), np.array([[[[[1.0, 2.0, 3.0, 4.0]]]]])

    MAKER["check_kinks"](away, away, away, blocks)
    with pytest.raises(AssertionError, match="on a kink"):
        MAKER["check_kinks"](away, away * 1e-12, away, blocks)
    with pytest.raises(AssertionError, match="two winners"):
        MAKER["check_kinks"](away, away, away, np.array([[[[[1.0, 2.0, 4.0, 4.0]]]]]))

"""Has every public class and function of torch.nn a case, or a reason why it has none?"""

import pytest
from torch import nn
from torch.nn import functional as F

from conformance.cases.modules import coverage
from conformance.cases.modules.case import if_accepted, if_available, if_torch_at_least
from conformance.cases.modules.catalogue import CATALOGUE, FAMILIES

BY_NAME = {case.name: case for case in CATALOGUE}


def test_names_are_unique():
    assert len(BY_NAME) == len(CATALOGUE)


def test_every_class_has_a_case_or_a_reason():
    assert coverage.uncovered_classes() == []


def test_every_function_has_a_case_or_a_reason():
    assert coverage.uncovered_functions() == []


def test_the_classes_are_those_that_people_know():
    classes = coverage.public_classes()

    assert {"Linear", "NLLLoss", "Sequential", "LazyConv2d", "Module"} <= classes.keys()
    assert "Parameter" not in classes
    assert len(classes) >= 155


def test_the_functions_are_those_that_people_know():
    functions = coverage.public_functions()

    assert {"linear", "relu_", "scaled_dot_product_attention", "one_hot"} <= functions.keys()
    assert not {"Tensor", "Optional", "Callable"} & functions.keys()
    assert len(functions) >= 130


def test_a_class_of_a_new_release_is_missing(monkeypatch):
    monkeypatch.setattr(nn, "NewNorm", type("NewNorm", (nn.Module,), {}), raising=False)

    assert coverage.uncovered_classes() == ["NewNorm"]


@pytest.mark.parametrize("name", ["new_norm", "linear_", "linear_with_indices"])
def test_a_function_of_a_new_release_is_missing(monkeypatch, name):
    monkeypatch.setattr(F, name, lambda x: x, raising=False)

    assert coverage.uncovered_functions() == [name]


def test_no_case_has_a_reason_why_there_is_none():
    assert not {name.split("-")[0] for name in BY_NAME} & (
        coverage.EXCLUDED_CLASSES.keys() | coverage.EXCLUDED_FUNCTIONS.keys()
    )


def test_what_a_torch_lacks_has_no_case():
    case = CATALOGUE[0]

    assert if_available(nn, "NewNorm", lambda _: (case,)) == ()
    assert if_available(nn, "Linear", lambda cls: (case, cls)) == (case, nn.Linear)
    assert if_accepted(nn.Linear, "groups", case) == ()
    assert if_accepted(nn.Linear, "bias", case) == (case,)
    assert if_torch_at_least("99.0", case) == ()
    assert if_torch_at_least("2.0", case) == (case,)


def test_each_family_has_its_part_in_the_catalogue():
    assert all(len(family.CASES) >= 5 for family in FAMILIES)
    assert sum(len(family.CASES) for family in FAMILIES) == len(CATALOGUE)

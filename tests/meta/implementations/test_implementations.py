"""Are implementations found, and is what is missing said in one line?"""

import importlib

import pytest
import torch
from broken import Minimal, minimal
from torch import nn

from conformance.cases.data import draw
from conformance.cases.members import members
from conformance.implementations.ensemble import name_tensors
from conformance.implementations.functorch import Functorch
from conformance.implementations.protocol import unavailable_reason
from conformance.implementations.reference_loop import Reference
from conformance.implementations.registry import load_implementation
from conformance.implementations.torch_func import TorchFunc
from conformance.numerics.assertions import assert_same
from conformance.reference.simple_cnn import small_cnn


@pytest.mark.parametrize("kind", [TorchFunc, Functorch, Reference])
def test_built_in_implementations_have_names(kind):
    assert type(load_implementation(kind.name)) is kind
    assert unavailable_reason(load_implementation(kind.name)) is None


def test_anyones_own_is_loaded_by_module_and_name():
    assert type(load_implementation("broken:Minimal")) is Minimal
    assert load_implementation("broken:Minimal").name == "broken:Minimal"
    assert load_implementation("broken:minimal") is minimal
    assert unavailable_reason(minimal) is None


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "nope",
            r"invalid choice 'nope' \(choose from torch.func, functorch, .*, package.module:Name\)",
        ),
        ("no.such:Thing", "'no.such:Thing' does not load: ModuleNotFoundError: No module named 'no'"),
        ("broken:Nope", "does not load: AttributeError: module 'broken' has no attribute 'Nope'"),
        ("broken:Raising", "does not load: RuntimeError: no licence"),
        ("broken:Incomplete", "has no combine and vmap"),
        (":", "does not load"),
    ],
    ids=["unknown", "module", "attribute", "raising", "incomplete", "empty"],
)
def test_what_does_not_load_is_one_line(name, message):
    with pytest.raises(ValueError, match=message) as caught:
        load_implementation(name)

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", [TorchFunc, Functorch])
def test_a_torch_without_it_is_said(kind, monkeypatch):
    module, attribute = (
        ("torch.func", "stack_module_state") if kind is TorchFunc else ("functorch", "combine_state_for_ensemble")
    )
    monkeypatch.delattr(importlib.import_module(module), attribute)
    assert kind().unavailable() == f"this torch has no {module}.{attribute}"

    monkeypatch.setitem(importlib.import_module("sys").modules, module, None)
    assert kind().unavailable() == f"this torch has no {module}"


def test_a_patched_torch_is_the_one_that_is_judged(monkeypatch):
    monkeypatch.setattr(torch.func, "vmap", lambda *_: "patched")

    assert TorchFunc().vmap(torch.sin) == "patched"


def test_other_warnings_than_the_legacy_deprecation_get_through(monkeypatch):
    def warn(models):
        importlib.import_module("warnings").warn("something else", UserWarning, stacklevel=1)

    monkeypatch.setattr("functorch.combine_state_for_ensemble", warn)

    with pytest.warns(UserWarning, match="something else"):
        Functorch().combine([])


def test_names_come_from_the_module_where_the_state_has_none():
    model = nn.Linear(2, 3)

    assert name_tensors({"a": 1}, []) == {"a": 1}
    assert name_tensors((1, 2), list(model.named_parameters())) == {"weight": 1, "bias": 2}
    with pytest.raises(ValueError, match="zip"):
        name_tensors((1,), list(model.named_parameters()))


def test_the_reference_ensemble_takes_the_options_of_vmap():
    models = members(small_cnn, 3, seed=0)
    x = draw(3, 7, 1, 8, 8, seed=0)
    fmodel, params, buffers = Reference().combine(models)

    out = Reference().vmap(fmodel, 0, 1, "same", chunk_size=2)(params, buffers, x)

    assert_same(out, torch.stack([model(each) for model, each in zip(models, x, strict=True)], dim=1))

"""Can the suite be asked of torch 1.13, where torch.func was the package functorch?"""

import sys

import functorch
import torch

from conformance import legacy, names
from conformance.implementations import Functorch, TorchFunc
from conformance.models import NormNet, TiedNet


def test_functorch_goes_by_its_name_of_today(monkeypatch):
    monkeypatch.delattr(torch, "func")
    monkeypatch.delitem(sys.modules, "torch.func")

    legacy.name_torch_func()

    assert torch.func is sys.modules["torch.func"] is functorch
    assert Functorch().unavailable() is None
    assert TorchFunc().unavailable() == "this torch has no torch.func.stack_module_state"


def test_torch_func_stays_what_it_is_where_there_is_one():
    before = torch.func

    legacy.name_torch_func()

    assert torch.func is sys.modules["torch.func"] is before


def test_every_name_is_told_as_torch_tells_it():
    for model in (TiedNet(), NormNet()):
        for ours, theirs in ((names.parameters, model.named_parameters), (names.buffers, model.named_buffers)):
            assert [(name, id(tensor)) for name, tensor in ours(model)] == [
                (name, id(tensor)) for name, tensor in theirs(remove_duplicate=False)
            ]
    assert len(dict(names.parameters(TiedNet()))) > len(dict(TiedNet().named_parameters()))

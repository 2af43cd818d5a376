"""Can the suite be asked of torch 1.13, where torch.func was the package functorch?"""

import sys

import functorch
import torch

from conformance.cases.networks import NormNet, TiedNet
from conformance.implementations.functorch import Functorch
from conformance.implementations.torch_func import TorchFunc
from conformance.utils.functorch_compat import name_torch_func
from conformance.utils.module_state import all_named_buffers, all_named_parameters


def test_functorch_goes_by_its_name_of_today(monkeypatch):
    monkeypatch.delattr(torch, "func")
    monkeypatch.delitem(sys.modules, "torch.func")

    name_torch_func()

    assert torch.func is sys.modules["torch.func"] is functorch
    assert Functorch().unavailable() is None
    assert TorchFunc().unavailable() == "this torch has no torch.func.stack_module_state"


def test_torch_func_stays_what_it_is_where_there_is_one():
    before = torch.func

    name_torch_func()

    assert torch.func is sys.modules["torch.func"] is before


def test_every_name_is_told_as_torch_tells_it():
    for model in (TiedNet(), NormNet()):
        for ours, theirs in ((all_named_parameters, model.named_parameters), (all_named_buffers, model.named_buffers)):
            assert [(name, id(tensor)) for name, tensor in ours(model)] == [
                (name, id(tensor)) for name, tensor in theirs(remove_duplicate=False)
            ]
    assert len(dict(all_named_parameters(TiedNet()))) > len(dict(TiedNet().named_parameters()))

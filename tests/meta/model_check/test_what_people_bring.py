"""Are members made of what people bring: an instance, a list, arguments of a factory, and states in files?"""

import dataclasses

import pytest
import theirs
import torch
from check_questions import ask
from torch import nn

from conformance.model_check.model_loader import load_model
from conformance.model_check.options import UsageError


def load(model, **options):
    options = {"members": None} | options
    return load_model(dataclasses.replace(ask(f"theirs:{model}", ("3",)), **options))


def save(folder, *states):
    for i, state in enumerate(states):
        torch.save(state, folder / f"{i}.pt")
    return (str(folder / "*.pt"),)


def test_an_instance_is_copied_and_all_copies_but_the_first_are_varied():
    before = theirs.ONE.weight.detach().clone()

    case = load("ONE")

    assert len(case.made) == 5
    assert case.problem is None
    assert case.equal == []
    assert case.origin.startswith("copies of one module")
    assert torch.equal(case.made[0].weight, before)
    assert torch.equal(theirs.ONE.weight, before)
    assert theirs.ONE not in case.made


@pytest.mark.parametrize(("model", "members", "count"), [("TRAINED", None, 4), ("trained", 3, 3), ("MODULES", None, 2)])
def test_a_list_has_as_many_members_as_it_holds_or_fewer(model, members, count):
    case = load(model, members=members)

    assert case.made == theirs.TRAINED[:count]
    assert case.origin == "the modules of a list"


def test_a_factory_gets_its_arguments():
    case = load("sized", args="[3]", kwargs='{"out": 4}')

    assert {model.weight.shape for model in case.made} == {(4, 3)}


@pytest.mark.parametrize("model", ["sized", "ONE"])
def test_each_member_has_the_state_of_a_file(tmp_path, model):
    states = [nn.Linear(3, 2).state_dict() for _ in range(3)]
    options = {"args": "[3]"} if model == "sized" else {}

    case = load(model, states=save(tmp_path, *states), **options)

    assert [torch.equal(model.weight, state["weight"]) for model, state in zip(case.made, states, strict=True)] == [
        True,
        True,
        True,
    ]
    assert case.origin == f"states from {tmp_path / '0.pt'} and 2 more"
    assert load(model, states=(str(tmp_path / "1.pt"),), **options).origin == f"states from {tmp_path / '1.pt'}"


@pytest.mark.parametrize(
    ("model", "options", "problem"),
    [
        ("TRAINED", {"members": 5}, "--members 5: the list holds only 4"),
        ("STRANGE", {}, "theirs:STRANGE: expected a torch.nn.Module in the list, got int"),
        ("NONE", {}, "theirs:NONE: holds no module"),
        ("ONE", {"args": "[3]"}, "--args: theirs:ONE is no factory"),
        ("TRAINED", {"kwargs": "{}"}, "--kwargs: theirs:TRAINED is no factory"),
        ("TRAINED", {"states": ("*",)}, "--states: theirs:TRAINED is a list of members"),
        ("sized", {}, r"missing 1 required positional argument: 'features'; give the arguments .* --args and --kwargs"),
        ("sized", {"args": "3"}, r"--args: expected a list such as '\[3, 2\]', got 3"),
        ("sized", {"args": "print(3)"}, r"--args: invalid value 'print\(3\)' \(expected a literal"),
        ("sized", {"args": "[" * 10**5}, "--args: invalid value"),
        ("sized", {"args": " " * 10**6}, "--args: invalid value"),
        ("sized", {"kwargs": "[3]"}, "--kwargs: expected a dict with names"),
        ("sized", {"kwargs": "{3: 4}"}, "--kwargs: expected a dict with names"),
        ("on_a_gpu", {}, "No CUDA GPUs are available; it needs a GPU: check it where there is one, with --device cuda"),
        ("forgetful", {}, r"theirs:forgetful\(\): expected a torch.nn.Module, got NoneType"),
        ("UNCOPIED", {}, "theirs:UNCOPIED can't be copied: RuntimeError: no copies"),
        ("UNLUCKY.nothing", {}, "can't import theirs:UNLUCKY.nothing: AttributeError"),
        ("UNLUCKY.broken", {}, "can't import theirs:UNLUCKY.broken: SystemExit: 1"),
        ("ONE", {"states": ("no/*.pt",)}, r"--states no/\*.pt: no file matches"),
    ],
)
def test_what_makes_no_members_is_a_mistake(model, options, problem):
    with pytest.raises(UsageError, match=problem):
        load(model, **options)


def test_json_is_a_literal_too():
    assert load("sized", args="[3]", kwargs='{"out": 1}', members=1).made[0].out_features == 1
    with pytest.raises(UsageError, match="got an unexpected keyword argument 'flag'"):
        load("sized", args="[3]", kwargs='{"flag": true}')


def test_a_module_that_is_made_once_has_one_state(tmp_path):
    states = save(tmp_path, *[nn.Linear(3, 2).state_dict() for _ in range(2)])

    with pytest.raises(UsageError, match=r"--states: theirs:one\(\) returns the same module each time"):
        load("one", states=states)
    with pytest.raises(UsageError, match="--members 3: --states matches only 2"):
        load("one", states=states, members=3)

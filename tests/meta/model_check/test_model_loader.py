"""Is a model loaded from its name, and is it said whether its members differ?"""

import pytest
import torch
from check_questions import CPU, ask

from conformance.model_check.model_loader import load_model
from conformance.model_check.options import UsageError


@pytest.mark.parametrize(
    ("model", "inputs", "problem"),
    [
        ("theirs", ("3",), "invalid model 'theirs'"),
        ("nowhere:mlp", ("3",), "can't import nowhere:mlp: ModuleNotFoundError"),
        ("theirs:nothing", ("3",), "can't import theirs:nothing: the module has no attribute 'nothing'"),
        ("theirs:__name__", ("3",), "expected a torch.nn.Module, a factory or a list of modules, got str"),
        ("theirs:failing", ("3",), "raises RuntimeError: no weights"),
        ("theirs:no_module", ("3",), "expected a torch.nn.Module, a factory or a list of modules, got int"),
        ("theirs:lazy", ("3",), "is a lazy module"),
        ("theirs:mlp", (":inputs", "3"), "makes all arguments"),
        ("theirs:mlp", (":nothing",), "can't import theirs:nothing"),
    ],
)
def test_a_model_that_can_t_be_had_is_a_mistake(model, inputs, problem):
    with pytest.raises(UsageError, match=problem):
        load_model(ask(model, inputs))


@pytest.mark.parametrize(
    ("model", "problem", "equal"),
    [
        ("mlp", None, ["1.weight", "1.bias", "1.running_mean", "1.running_var"]),
        ("branch", None, []),
        ("one", "the same module each time", ["weight", "bias"]),
        ("seeded", "the same numbers", ["weight", "bias"]),
        ("Rectified", None, []),
    ],
)
def test_it_says_whether_members_differ_and_asks_members_that_do(model, problem, equal):
    torch.manual_seed(0)
    case = load_model(ask(f"theirs:{model}", ("3",)))

    made = case.members(3, device=CPU, dtype=torch.float64)

    assert case.equal == equal
    assert problem in case.problem if problem else case.problem is None
    for tensors in zip(*(model.parameters() for model in made), strict=True):
        assert len({tensor.sum().item() for tensor in tensors}) == 3

"""Is each case of the catalogue what it says, with members that differ?"""

import random

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from conformance.cases.data import SAMPLES
from conformance.cases.inputs import integers, padding
from conformance.cases.members import MEMBERS
from conformance.cases.modules import coverage, functional
from conformance.cases.modules.catalogue import CATALOGUE
from conformance.utils.pytree import leaves

BY_NAME = {case.name: case for case in CATALOGUE}


EACH = pytest.mark.parametrize("case", CATALOGUE, ids=str)


# What their state decides shows in it after the call, and of the last only where another class wins.
SHOWN_LATER = {"BatchNorm2d-noaffine", "InstanceNorm2d-nomomentum", "gumbel_softmax-hard"}

pytestmark = [
    pytest.mark.filterwarnings("ignore:reduction. 'mean' divides the total loss:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*NLLLoss2d.* has been deprecated"),
    pytest.mark.filterwarnings("ignore:.*torch.nn.utils.weight_norm.* is deprecated"),
    # torch before 2.2.
    pytest.mark.filterwarnings("ignore:Lazy modules are a new feature:UserWarning"),
    # The fast path of transformers in eval mode.
    pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors is in prototype stage:UserWarning"),
]


@pytest.fixture(autouse=True)
def seed():
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        yield


def two(case):
    made = {"device": "cpu", "dtype": torch.float64}
    return case.members(2, **made), case.minibatches(2, **made)


def tensors(tree):
    return [leaf for _, leaf in leaves(tree, "") if isinstance(leaf, torch.Tensor)]


def state(model):
    return [*model.parameters(), *model.buffers()]


def outputs(model, minibatch):
    """What it returns if it draws from the same seed each time."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(7)
        return [tensor.detach().clone() for tensor in tensors(model(*minibatch))]


def same(left, right):
    return len(left) == len(right) and all(torch.equal(a, b) for a, b in zip(left, right, strict=True))


def differ(left, right):
    """By more than what a rounding does."""
    return any(
        a.shape != b.shape or not torch.allclose(a, b, rtol=0, atol=1e-9) for a, b in zip(left, right, strict=True)
    )


@EACH
def test_it_runs_and_returns_finite_tensors(case):
    models, minibatches = two(case)

    returned = [outputs(*pair) for pair in zip(models, minibatches, strict=True)]

    assert all(returned)
    assert all(tensor.isfinite().all() for each in returned for tensor in each)


@EACH
def test_members_differ_in_what_they_return(case):
    models, minibatches = two(case)
    has_state = any(tensor.is_floating_point() for tensor in state(models[0])) and case.name not in SHOWN_LATER

    returned = outputs(models[0], minibatches[0])

    assert differ(returned, outputs(models[0], minibatches[1])), "the inputs don't matter"
    assert differ(returned, outputs(models[1], minibatches[0])) or not has_state, "the state doesn't matter"


@EACH
def test_members_share_no_tensor_and_differ_in_their_state(case):
    models, _ = two(case)
    first, second = (state(model) for model in models)

    assert not {t.data_ptr() for t in first if t.numel()} & {t.data_ptr() for t in second if t.numel()}
    assert all(not torch.equal(a, b) for a, b in zip(first, second, strict=True) if a.is_floating_point() and a.numel())


@EACH
def test_they_are_what_is_asked_for(case):
    models, minibatches = two(case)

    numbers = [tensor for model in models for tensor in state(model)] + tensors(minibatches)

    assert {tensor.dtype for tensor in numbers if tensor.is_floating_point()} <= {torch.float64}


@EACH
def test_they_come_from_the_seed_alone(case):
    once, again = two(case), two(case)

    for first, second in zip(once[0], again[0], strict=True):
        assert same(state(first), state(second))
        assert first.training == second.training
    assert same(tensors(once[1]), tensors(again[1]))


@EACH
def test_the_callers_random_state_stays(case):
    before, python = torch.get_rng_state(), random.getstate()

    two(case)

    assert torch.equal(torch.get_rng_state(), before)
    assert random.getstate() == python


@EACH
def test_nothing_begins_like_the_members(case):
    _, minibatches = two(case)

    assert all(tensor.shape[:1] != (MEMBERS,) for tensor in tensors(minibatches))


@EACH
def test_only_samples_are_as_many(case):
    _, minibatches = two(case)

    assert all(tuple(tensor.shape).count(SAMPLES) <= 1 for tensor in tensors(minibatches))


@pytest.mark.parametrize("case", [case for case in CATALOGUE if case.name.endswith("-eval")], ids=str)
def test_eval_is_in_its_name(case):
    models, _ = two(case)

    assert not any(module.training for model in models for module in model.modules())


@pytest.mark.parametrize("case", [case for case in CATALOGUE if not case.name.endswith("-eval")], ids=str)
def test_all_others_are_in_train_mode(case):
    models, _ = two(case)

    assert all(module.training for model in models for module in model.modules())


@pytest.mark.parametrize(
    "case", [case for case in CATALOGUE if case.name.split("-")[0] in coverage.public_classes()], ids=str
)
def test_it_has_a_module_of_the_class_in_its_name(case):
    models, _ = two(case)
    # Lazy modules have become what they were to become.
    cls = getattr(nn, case.name.split("-")[0].removeprefix("Lazy"))

    assert any(isinstance(module, cls) for module in models[0].modules())


class Called(TorchFunctionMode):
    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_function__(self, function, types, args=(), kwargs=None):
        self.names.add(getattr(function, "__name__", ""))
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("case", functional.CASES, ids=str)
def test_it_calls_the_function_in_its_name(case):
    models, minibatches = two(case)

    with Called() as called:
        outputs(models[0], minibatches[0])

    # Some have another name where they come from: logsigmoid is log_sigmoid.
    assert getattr(F, case.name.split("-")[0]).__name__ in called.names


def test_of_padded_sequences_the_first_is_complete_and_none_is_empty():
    drawn = padding(SAMPLES, 4).draw(torch.Generator().manual_seed(0), "cpu", torch.float64)

    assert drawn.dtype == torch.bool
    assert not drawn[0].any()
    assert not drawn[:, 0].any()
    assert drawn.any()
    assert torch.equal(drawn, drawn.cummax(1).values)


def test_integers_start_where_they_are_told_to():
    drawn = integers(3, 100, low=-1).draw(torch.Generator().manual_seed(0), "cpu", torch.float64)

    assert set(drawn.tolist()) == {-1, 0, 1, 2}


def test_what_makes_members_differ_leaves_no_weight_empty():
    models, _ = two(BY_NAME["orthogonal-householder"])

    # One of its parameters holds signs, of which torch takes the integral part.
    assert all(torch.linalg.matrix_rank(model[0].weight) == 3 for model in models)

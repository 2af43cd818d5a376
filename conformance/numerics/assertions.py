"""Assertions that name the member, the tensor, the error and its budget."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from conformance.numerics.budget import Budget, compute_budgets, is_in_doubt, max_error, record_share
from conformance.numerics.plain_loop import LoopResult
from conformance.utils.module_state import all_named_buffers, all_named_parameters, state_of
from conformance.utils.pytree import as_dense, describe_structure, is_inexact, leaves, tree_map
from conformance.utils.text import describe_error

__tracebackhide__ = True  # a failing comparison is shown in the test that asks for it

DECISIVE = 0.2  # of the spread between members: less than it makes no member look like another one
REFUSALS = (RuntimeError, ValueError, TypeError, IndexError)


def assert_members_close(actual: Any, expected: LoopResult, what: str = "output") -> None:
    """Slice i of every tensor in `actual` is what member i's plain loop answers, within the budget of `numerics`.

    `actual` is one tree of tensors with the members in front, (members, *shape); `expected` is `numerics.loop`'s.
    Shape, dtype, device and structure have to be the loop's too; integers and booleans have to be equal.
    """
    first = expected.values[0]
    assert describe_structure(actual) == describe_structure(first), (
        f"{what} has the structure {describe_structure(actual)}, the loop's {describe_structure(first)}"
    )
    actual, samples = tree_map(as_dense, actual), _columns(expected.sample)
    columns = zip(leaves(actual, what), _columns(expected.values), _columns(expected.truth), strict=True)
    for k, ((name, stacked), values, truths) in enumerate(columns):
        _assert_kind(stacked, values, name)
        if not is_inexact(values[0]):
            for i, value in enumerate(values):
                assert torch.equal(stacked[i], value), _message(i, name, f"is {stacked[i]}, and has to be {value}")
            continue
        offs = [max_error(stacked[i], truth) for i, truth in enumerate(truths)]
        budgets = compute_budgets(samples[k], truths, values[0].dtype)
        while is_in_doubt(offs, budgets) and (again := expected.measured_again()):
            expected, samples = again, _columns(again.sample)
            budgets = compute_budgets(samples[k], truths, values[0].dtype)
        _assert_budget(stacked, truths, offs, budgets, name)


def _columns(trees: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Return the tensors of each place in the trees, one for each member."""
    return list(zip(*([leaf for _, leaf in leaves(tree, "")] for tree in trees), strict=True))


def _assert_kind(stacked: Any, values: Sequence[Tensor], name: str) -> None:
    assert isinstance(stacked, Tensor), f"{name} is a {type(stacked).__name__}, and has to be a tensor"
    shape = (len(values), *values[0].shape)
    assert tuple(stacked.shape) == shape, f"{name} has shape {tuple(stacked.shape)}, and has to have {shape}"
    for fact in ("dtype", "device"):
        actual, expected = getattr(stacked, fact), getattr(values[0], fact)
        assert actual == expected, f"{name} has {fact} {actual}, and has to have {expected}"


def _assert_budget(
    stacked: Tensor, truths: Sequence[Tensor], offs: Sequence[float], allowed: Sequence[Budget], name: str
) -> None:
    for i, (off, budget) in enumerate(zip(offs, allowed, strict=True)):
        record_share(off, budget)
        if off <= budget.allowed:
            continue
        twins = [j for j, other in enumerate(truths) if j != i and max_error(stacked[i], other) <= allowed[j].allowed]
        hint = f"; it is what member {twins[0]} should have" if twins else ""
        detail = f"differs by {off:.3g} from the float64 loop (budget {budget.allowed:.3g}){hint}"
        raise AssertionError(_message(i, name, detail))


def assert_same_decisions(actual: Tensor, expected: Tensor) -> None:
    """Each member's predictions differ by less than `DECISIVE` of what sets it apart from the member nearest to it.

    Both are (members, *shape); a difference is a root mean square. For what rounding may change, such as training.
    """
    for i, (ours, theirs) in enumerate(zip(actual, expected, strict=True)):
        off = float((ours - theirs).square().mean().sqrt())
        apart = [float((theirs - other).square().mean().sqrt()) for j, other in enumerate(expected) if j != i]
        assert off < DECISIVE * min(apart), f"member {i} is {off:.3g} away, and other members {min(apart):.3g} and more"


def assert_same(actual: Any, expected: Any, what: str = "tensor") -> None:
    """Bitwise the same: structure, shape, dtype, device and values, NaN included; what is no tensor is equal."""
    assert describe_structure(actual) == describe_structure(expected), (
        f"{what} has the structure {describe_structure(actual)}, not {describe_structure(expected)}"
    )
    for (name, ours), (_, theirs) in zip(leaves(actual, what), leaves(expected, what), strict=True):
        assert type(ours) is type(theirs), f"{name} is {ours!r}, and has to be {theirs!r}"
        if not isinstance(theirs, Tensor):
            assert ours == theirs, f"{name} is {ours!r}, and has to be {theirs!r}"
            continue
        for fact in ("shape", "dtype", "device"):
            found, wanted = getattr(ours, fact), getattr(theirs, fact)
            assert found == wanted, f"{name} has {fact} {found}, and has to have {wanted}"
        if ours.device.type == "meta":
            continue
        same = as_dense(ours) == as_dense(theirs)
        if is_inexact(ours):
            same |= as_dense(ours).isnan() & as_dense(theirs).isnan()
        assert bool(same.all()), f"{name} is {ours}, and has to be {theirs}"


def assert_slices(stacked: dict[str, Tensor], expected: Sequence[dict[str, Tensor]]) -> None:
    """Slice i of every stacked tensor is bitwise member i's tensor of that name."""
    found, wanted = list(stacked), list(expected[0])
    assert sorted(found) == sorted(wanted), f"stacked {sorted(found)}, and the members have {sorted(wanted)}"
    for name, tensor in stacked.items():
        size = tuple(tensor.shape)
        assert size[:1] == (len(expected),), f"{name} has shape {size}, and has to have {len(expected)} in front"
        for i, state in enumerate(expected):
            assert_same(tensor.select(0, i), state[name].detach(), _message(i, name, "stacked"))


def assert_distinct(*tensors: Tensor) -> None:
    """No two are equal: a comparison between members that agree would prove nothing."""
    for i, tensor in enumerate(tensors):
        for j, other in enumerate(tensors[:i]):
            assert not torch.equal(tensor, other), f"an empty victory: {j} and {i} are the same"


@contextmanager
def refuses(word: str) -> Iterator[None]:
    """The body is refused: one of `REFUSALS`, whose message has `word` in it, a regex."""
    refusal = None
    try:
        yield
    except REFUSALS as error:
        refusal = error
    assert refusal is not None, f"accepted silently; a refusal that names {word!r} was due"
    _assert_names(word, refusal)


@contextmanager
def may_refuse(word: str) -> Iterator[None]:
    """Accept a RuntimeError or ValueError from the body if its message contains `word`, a regex."""
    try:
        yield
    except (RuntimeError, ValueError) as error:
        _assert_names(word, error)


def _assert_names(word: str, refusal: BaseException) -> None:
    said = describe_error(refusal)
    assert re.search(word, said, re.IGNORECASE), f"refused without naming {word!r}: {said}"


@contextmanager
def unchanged(*models: nn.Module) -> Iterator[None]:
    """Through the body the modules keep the very same tensors, their values, gradients, flags and modes."""
    before = [_snapshot(model) for model in models]
    try:
        yield
    finally:
        for i, (model, (facts, values)) in enumerate(zip(models, before, strict=True)):
            facts_now, values_now = _snapshot(model)
            assert facts_now.keys() == facts.keys(), f"model {i} has {sorted(facts_now.keys() ^ facts.keys())} changed"
            for what, fact in facts.items():
                assert facts_now[what] == fact, f"model {i}: {what} was {fact} and is {facts_now[what]}"
            assert_same(values_now, values, f"model {i}")


def _snapshot(model: nn.Module) -> tuple[dict[str, Any], dict[str, Tensor]]:
    facts: dict[str, Any] = {}
    for path, module in model.named_modules():
        facts[f"mode of {path!r}"] = module.training
        facts[f"attributes of {path!r}"] = list(vars(module))
    named = [*all_named_parameters(model), *all_named_buffers(model)]
    facts["order of names"] = [name for name, _ in named]
    for name, tensor in named:
        facts[f"identity of {name}"] = id(tensor)
        facts[f"class of {name}"] = type(tensor)
        # A write of the value that is there already shows too: autograd would refuse what was saved before it.
        facts[f"version of {name}"] = tensor._version  # noqa: SLF001 - autograd's documentation gives it this name
        facts[f"requires_grad of {name}"] = tensor.requires_grad
        facts[f"gradient of {name}"] = id(tensor.grad) if tensor.is_leaf else None
    values = {name: tensor.detach().clone() for name, tensor in state_of(model).items()}
    gradients = {f"gradient of {n}": t.grad.clone() for n, t in named if t.is_leaf and t.grad is not None}
    return facts, values | gradients


def _message(member: int, name: str, detail: str) -> str:
    return f"member {member}: {name} {detail}"

"""Do the catalogues of operations, and what judges their answers, do what they say?"""

import math

import pytest
import torch

from conformance.cases.operations import (
    inplace_coverage,
    inplace_gradients,
    inplace_op,
    inplace_ops,
    out_variants,
    random_ops,
)
from conformance.cases.operations.compile_source import compile_function
from conformance.cases.operations.distributions import DISTRIBUTIONS
from conformance.cases.operations.random_op import (
    OWN,
    SHARED,
    OperationWithGenerator,
    RandomOperation,
    draw_with_vmap,
    drawn_numbers,
    make_inputs,
    member_inputs,
    stack_values,
)
from conformance.implementations.torch_func import TorchFunc
from conformance.numerics.statistics import COMPARISONS, FALSE_ALARM, measure_mean
from conformance.utils.rng import restore, state

CPU = torch.device("cpu")


def test_source_is_a_function_of_its_parameters():
    assert compile_function("math.hypot(a, b)", ("a", "b"), {"math": math})(3, 4) == 5
    assert compile_function("[a + i for i in range(b)]", ("a", "b"))(3, 2) == [3, 4]


def test_members_numbers_are_distinct_and_between_0_and_1():
    x = make_inputs(5, CPU)

    assert x.shape == (5, 3, 23)
    assert float(x.min()) > 0.1
    assert float(x.max()) < 0.9
    assert len(x.unique()) == x.numel()
    assert torch.equal(stack_values(member_inputs(x, OWN)), x)
    assert torch.equal(stack_values(member_inputs(x, SHARED)), x[:1].expand_as(x))


@pytest.mark.parametrize(
    "draw",
    [*random_ops.RANDOM_OPERATIONS, *random_ops.COMPOSITES, *random_ops.RECURRENT, *random_ops.ATTENTION],
    ids=str,
)
def test_every_call_of_the_catalogue_works_and_draws(draw):
    assert draw.unavailable_reason(CPU) is None
    start = state(CPU)

    one = drawn_numbers(draw.one(make_inputs(1, CPU)[0]))

    assert not torch.equal(start["cpu"], state(CPU)["cpu"])
    restore(start)
    assert torch.equal(one, drawn_numbers(draw.one(make_inputs(1, CPU)[0])))


@pytest.mark.parametrize("draw", random_ops.RANDOM_OPERATIONS, ids=str)
def test_a_stacked_draw_has_a_draw_for_each_member(draw):
    one, together = draw.one(make_inputs(1, CPU)[0]), draw.all(make_inputs(5, CPU))

    assert drawn_numbers(together).shape == (5, *drawn_numbers(one).shape)


def test_a_draw_says_why_it_can_not_be_called():
    unknown = RandomOperation("torch.nope (a size)", "torch.nope(x{g})")

    assert "has no attribute 'nope'" in unknown.unavailable_reason(CPU)
    assert unknown.native == "nope"
    assert "unexpected keyword" in OperationWithGenerator(
        RandomOperation("F.dropout", "F.dropout(x{g})")
    ).unavailable_reason(CPU)
    assert OperationWithGenerator(random_ops.RANDOM_OPERATIONS[0]).unavailable_reason(CPU) is None
    assert str(OperationWithGenerator(random_ops.RANDOM_OPERATIONS[0])) == "torch.rand"


def test_what_is_drawn_for_one_is_shared_or_own():
    x = make_inputs(3, CPU)
    vmap = TorchFunc()

    assert torch.equal(draw_with_vmap(vmap, lambda x: x + 0, x, OWN, "error"), x)
    assert torch.equal(draw_with_vmap(vmap, lambda x: x + 0, x, SHARED, "error"), x[:1].expand_as(x))


def test_random_operations_that_nobody_looked_at_are_named(monkeypatch):
    assert random_ops.uncovered() == []
    monkeypatch.setattr(torch, "randnew", torch.rand, raising=False)
    monkeypatch.setattr(torch.nn.functional, "shake", lambda x, dropout_p: x, raising=False)

    assert random_ops.uncovered() == ["torch.randnew", "F.shake"]


@pytest.mark.parametrize("law", DISTRIBUTIONS, ids=str)
def test_plain_torch_follows_the_textbook(law):
    drawn = law.draw(torch.zeros(20_000))

    for share, expected in law.means.items():
        mean = measure_mean(share(drawn), expected)
        assert mean.off <= mean.allowed
        assert measure_mean(share(drawn), expected + 2 * mean.allowed).off > mean.allowed


def test_chance_allows_what_the_inequality_says():
    allowed = measure_mean(torch.zeros(20_000), 0.0).allowed

    assert 2 * math.exp(-2 * 20_000 * allowed**2) * COMPARISONS == pytest.approx(FALSE_ALARM)
    assert measure_mean(torch.tensor([0.0, 1.0, 1.0, 1.0]), 0.5).off == 0.25
    with pytest.raises(ValueError, match="from 0 to 1"):
        measure_mean(torch.tensor([0.0, 1.5]), 0.5)
    with pytest.raises(ValueError, match="from 0 to 1"):
        measure_mean(torch.tensor([-0.1, 0.5]), 0.5)


WRITES = [*inplace_ops.INPLACE_OPERATIONS, *inplace_ops.INDEX_AFTER_SLICE]


def first_member():
    return {name: tensor[0] for name, tensor in inplace_op.make_operands(1, CPU).items()}


@pytest.mark.parametrize("operation", WRITES, ids=str)
def test_every_write_of_the_catalogue_works_and_writes(operation):
    assert operation.unavailable_reason(CPU) is None
    one = first_member()
    before = one[operation.on]

    after = operation.run(before.clone(), one)

    assert after.shape == before.shape
    assert not torch.equal(after, before)
    assert (torch.view_as_real(after) if after.is_complex() else after.double()).isfinite().all()
    assert set(operation.operands) <= one.keys()


@pytest.mark.parametrize("operation", inplace_ops.RESHAPING, ids=str)
def test_every_change_of_shape_of_the_catalogue_works(operation):
    one = first_member()

    assert operation.unavailable_reason(CPU) is None
    assert operation.run(one[operation.on].clone(), one) is not None


def test_a_write_says_why_it_can_not_be_called():
    unknown = inplace_op.InplaceOperation("Tensor.nope_", "s.nope_(y)")

    assert "has no attribute 'nope_'" in unknown.unavailable_reason(CPU)
    assert unknown.operands == ["y"]


def test_writes_that_nobody_looked_at_are_named(monkeypatch):
    known = random_ops.covered_operations()
    assert inplace_coverage.uncovered(known) == []
    monkeypatch.setattr(torch.Tensor, "new_", torch.Tensor.add_, raising=False)
    monkeypatch.setattr(torch, "_foreach_new_", torch._foreach_add_, raising=False)
    monkeypatch.setattr(torch.nn.functional, "fresh", lambda x, inplace=False: x, raising=False)
    monkeypatch.setattr(torch.Tensor, "__imatmul__", torch.Tensor.add_, raising=False)

    assert inplace_coverage.uncovered(known) == ["Tensor.new_", "torch._foreach_new_", "F.fresh", "Tensor.__imatmul__"]
    assert "torch.dropout_" in inplace_coverage.uncovered(set())


def test_a_gradient_through_a_write_is_the_textbooks():
    square = inplace_gradients.InplaceGradient(inplace_op.InplaceOperation("Tensor.mul_", "s.mul_(y)"))
    x, y = torch.rand(3, 7), torch.rand(3, 7)
    weights = torch.linspace(0.5, 2, 21).reshape(3, 7)

    found = square.gradients(square.write.run, x, {"y": y})

    torch.testing.assert_close(found, {"s": weights * y, "y": weights * x})
    assert square.unavailable_reason(CPU) is None
    assert str(square) == "Tensor.mul_ (from what it overwrites)"
    stacked_twice = square.gradients(square.write.run, torch.stack([x, x]), {"y": torch.stack([y, y])})
    torch.testing.assert_close(stacked_twice["s"], torch.stack([weights * y] * 2))


def test_a_gradient_of_what_is_not_differentiated_is_lacking_or_zero():
    integers = inplace_gradients.InplaceGradient(inplace_op.InplaceOperation("Tensor.heaviside_", "s.heaviside_(y)"))
    filled = inplace_gradients.InplaceGradient(inplace_op.InplaceOperation("Tensor.fill_", "s.fill_(2.0)"))

    assert "can't be differentiated" in integers.unavailable_reason(CPU)
    assert str(integers) == "Tensor.heaviside_"
    assert torch.equal(filled.gradients(filled.write.run, torch.ones(3, 7), {})["s"], torch.zeros(3, 7))


def test_every_function_with_out_is_called(monkeypatch):
    assert out_variants.uncovered() == []
    assert {
        space: len(list(out_variants.calls_of_namespace(space))) > 10 for space in out_variants.NAMESPACES
    } == dict.fromkeys(out_variants.NAMESPACES, True)
    given = {name: tensor[0] for name, tensor in out_variants.make_operands(1, CPU).items()}
    written = torch.zeros(3, 7)

    out_variants.OutCall("torch.add", "x, y").run(given, written)

    assert torch.equal(written, given["x"] + given["y"])
    assert str(out_variants.OutCall("torch.add", "x, y")) == "torch.add"


def test_functions_with_out_that_nobody_can_call_are_named(monkeypatch):
    def newest(secret):
        """Takes a secret, and out (Tensor)."""

    monkeypatch.setattr(torch, "newest", newest, raising=False)

    assert out_variants.uncovered() == ["torch.newest"]
    assert "torch.newest" not in {into.name for into in out_variants.calls_of_namespace("torch")}

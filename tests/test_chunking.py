"""Does chunk_size change how the work is done, and nothing else?"""

import pytest
import torch
from hypothesis import given

from conformance.cases.data import SAMPLES, draw
from conformance.cases.members import MEMBERS, members
from conformance.cases.networks import NormNet
from conformance.implementations.ensemble import name_tensors
from conformance.numerics.assertions import assert_distinct, assert_members_close, assert_same
from conformance.numerics.plain_loop import loop
from conformance.reference.simple_cnn import small_cnn
from conformance.workloads.source_calls import assert_source_is_the_loop
from conformance.workloads.strategies import calls
from conformance.workloads.vmap_calls import VmapCall, assert_is_the_loop

CHUNK_SIZES = pytest.mark.parametrize("chunk_size", [1, 2, 3, 4, 5, 6, 100])
BOX, CUBE = torch.arange(105.0).reshape(5, 3, 7), torch.arange(125.0).reshape(5, 5, 5)


@CHUNK_SIZES
@pytest.mark.requirement("chunking.any_size")
@pytest.mark.parametrize("x", [BOX, CUBE], ids=["box", "cube"])
def test_any_chunk_size_gives_what_none_gives(implementation, device, x, chunk_size):
    call = VmapCall(lambda a: (a.mT + 1, a.sum(), {"x": a[0]}), (x,), chunk_size=chunk_size)

    assert_is_the_loop(implementation, call, device)


@CHUNK_SIZES
@pytest.mark.requirement("chunking.in_dims")
@pytest.mark.parametrize("dims", [(1, 1, 1), (-1, 0, -2), (None, 2, 0), (0, None, None), (2, None, -1)], ids=str)
def test_chunks_are_taken_along_in_dims(implementation, device, dims, chunk_size):
    args = (CUBE, CUBE**2, 7 - CUBE)
    call = VmapCall(lambda a, b, c: a[0] + 2 * b[0] + 3 * c[0], args, dims, chunk_size=chunk_size)

    assert_is_the_loop(implementation, call, device)


@CHUNK_SIZES
@pytest.mark.requirement("chunking.out_dims")
@pytest.mark.parametrize("dims", [(0, 1, 2), (2, 0, 1), (-1, -2, -3), (1, 1, 1)], ids=str)
def test_chunks_are_joined_along_out_dims(implementation, device, dims, chunk_size):
    call = VmapCall(lambda a: (a, 2 * a, a.mT), (CUBE,), 1, dims, chunk_size)

    assert_is_the_loop(implementation, call, device)


@pytest.mark.requirement("chunking.none_outputs")
@pytest.mark.parametrize("chunk_size", [1, 2, 5])
@pytest.mark.parametrize("func", [lambda a, b: (a, b + 1), lambda a, b: (a, 7)], ids=["tensor", "number"])
def test_outputs_under_none_are_not_joined(implementation, device, func, chunk_size):
    call = VmapCall(func, (BOX, CUBE), (0, None), (0, None), chunk_size)

    assert_is_the_loop(implementation, call, device)


@CHUNK_SIZES
@pytest.mark.requirement("chunking.constants")
def test_a_constant_is_repeated_for_every_member(implementation, device, chunk_size):
    def func(a, b):
        return a, b, torch.ones(2, device=a.device)

    call = VmapCall(func, (BOX, CUBE), (0, None), chunk_size=chunk_size)

    assert_is_the_loop(implementation, call, device)


@pytest.mark.requirement("chunking.empty")
@pytest.mark.parametrize("chunk_size", [1, 2])
def test_no_members_in_chunks_are_no_members(implementation, device, chunk_size):
    call = VmapCall(lambda a: (a + 1, a.sum(0)), (torch.ones(0, 5, 7),), chunk_size=chunk_size)

    assert_is_the_loop(implementation, call, device)


class SizeOfTheBatch(torch.autograd.Function):
    """The identity, which records the members of each call."""

    seen: list  # (number of members, their values) of each call

    @staticmethod
    def forward(x):
        return x.clone()

    @staticmethod
    def setup_context(ctx, inputs, output):
        """Nothing is kept for backward."""

    @staticmethod
    def vmap(info, in_dims, x):
        SizeOfTheBatch.seen.append((info.batch_size, x.movedim(in_dims[0], 0).tolist()))
        return x.clone(), in_dims[0]


@pytest.mark.requirement("chunking.bounds_the_work")
@pytest.mark.parametrize(
    ("chunk_size", "chunks"),
    [
        (None, [[0, 1, 2, 3, 4, 5, 6]]),
        (1, [[0], [1], [2], [3], [4], [5], [6]]),
        (3, [[0, 1, 2], [3, 4, 5], [6]]),
        (4, [[0, 1, 2, 3], [4, 5, 6]]),
        (7, [[0, 1, 2, 3, 4, 5, 6]]),
        (9, [[0, 1, 2, 3, 4, 5, 6]]),
    ],
    ids=["none", "one", "three", "four", "seven", "nine"],
)
def test_the_function_is_called_once_per_chunk_with_its_members(implementation, device, chunk_size, chunks):
    calls_made = []
    SizeOfTheBatch.seen = []

    def func(x):
        calls_made.append(x.shape)
        return SizeOfTheBatch.apply(x)

    options = {} if chunk_size is None else {"chunk_size": chunk_size}
    out = implementation.vmap(func, **options)(torch.arange(7.0, device=device))

    assert_same(out, torch.arange(7.0, device=device))
    assert calls_made == [()] * len(chunks)
    assert SizeOfTheBatch.seen == [(len(chunk), chunk) for chunk in chunks]


def forward_and_buffers(model, x):
    with torch.no_grad():
        return {"output": model(x), "buffers": dict(model.named_buffers())}


@pytest.mark.requirement("chunking.ensemble")
@pytest.mark.parametrize("chunk_size", [1, 2, 3, 5, 6])
@pytest.mark.parametrize("data", [0, None], ids=["own", "shared"])
def test_an_ensemble_in_chunks_is_the_loop(implementation, device, dtype, data, chunk_size):
    models = [model.train() for model in members(NormNet, MEMBERS, device=device, dtype=dtype)]
    for model in models:
        model.dropout.eval()
    minibatches = draw(MEMBERS, SAMPLES, 3, device=device, dtype=dtype)
    fmodel, params, buffers = implementation.combine(models)

    with torch.no_grad():
        mapped = implementation.vmap(fmodel, in_dims=(0, 0, data), chunk_size=chunk_size)
        out = mapped(params, buffers, minibatches if data == 0 else minibatches[0])

    assert_distinct(*out)
    actual = {"output": out, "buffers": name_tensors(buffers, list(models[0].named_buffers()))}
    inputs = list(minibatches) if data == 0 else [minibatches[0]] * MEMBERS
    assert_members_close(actual, loop(forward_and_buffers, models, inputs), "result")


def gradients(model, x):
    named = dict(model.named_parameters())
    grads = torch.autograd.grad(model(x).square().sum(), [*named.values(), x])
    return dict(zip([*named, "input"], grads, strict=True))


@pytest.mark.requirement("chunking.gradients")
@pytest.mark.parametrize("chunk_size", [1, 2, 3, 5, 6])
def test_gradients_through_chunks_are_the_members(implementation, device, chunk_size):
    # Only in float64: float32 may round an activation to the other side of a ReLU's kink.
    models = members(small_cnn, MEMBERS, device=device, dtype=torch.float64)
    minibatches = draw(MEMBERS, SAMPLES, 1, 8, 8, device=device, dtype=torch.float64).requires_grad_()
    fmodel, params, buffers = implementation.combine(models)
    named = name_tensors(params, list(models[0].named_parameters()))

    leaves = [*(tensor.requires_grad_() for tensor in named.values()), minibatches]
    out = implementation.vmap(fmodel, chunk_size=chunk_size)(params, buffers, minibatches)
    grads = torch.autograd.grad(out.square().sum(), leaves)

    inputs = [x.detach().requires_grad_() for x in minibatches]
    assert_members_close(dict(zip([*named, "input"], grads, strict=True)), loop(gradients, models, inputs), "gradient")


@pytest.mark.requirement("chunking.any")
@given(call=calls(out_dims=True, chunked=True))
def test_vmap_in_chunks_is_a_loop_over_slices(implementation, device, call):
    assert_source_is_the_loop(implementation, call, device)

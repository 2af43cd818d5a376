"""Are drawn calls whole, readable, and judged as the loop judges them?"""

import subprocess
import sys
from collections import OrderedDict

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance.implementations.reference_loop import Reference
from conformance.implementations.torch_func import TorchFunc
from conformance.numerics.assertions import assert_same
from conformance.reference.vmap import spread_dims
from conformance.utils.pytree import leaves
from conformance.workloads.source_calls import NestedSourceCall, SourceCall, assert_source_is_the_loop
from conformance.workloads.strategies import calls, nested_calls
from conformance.workloads.vmap_calls import Pair, VmapCall, assert_is_the_loop

X = torch.arange(15.0).reshape(3, 5)
SOURCE = "torch.arange(15.).reshape(3, 5)"


def test_a_call_is_compared_with_the_loop():
    call = VmapCall(lambda a, b: (a.sum() + b.left, b.right), (X, Pair(X.T, None)), (0, Pair(1, None)), (0, None))

    assert_same(call.expected(), (X.sum(1, keepdim=True) + X, None))
    assert_is_the_loop(TorchFunc(), call)
    assert_is_the_loop(Reference(), call)


def test_a_source_is_the_call_that_it_describes():
    source = SourceCall(
        "lambda a, b: (a.sum() + b.left, b.right)",
        f"({SOURCE}, Pair({SOURCE}.T, None))",
        (0, Pair(1, None)),
        (0, None),
    )

    assert_same(source.call().expected(), (X.sum(1, keepdim=True) + X, None))
    assert_source_is_the_loop(TorchFunc(), source)
    assert_source_is_the_loop(Reference(), source)


def test_a_failure_carries_a_script_that_needs_torch_alone():
    class Wrong(TorchFunc):
        def vmap(self, func, *args, **kwargs):
            return lambda *inputs: super(Wrong, self).vmap(func, *args, **kwargs)(*inputs) + 1

    for source in (
        SourceCall("lambda a: a * 2", f"({SOURCE},)", 1, 1, 2),
        NestedSourceCall("lambda a: a * 2", f"({SOURCE},)", (0, 0), (1, 1)),
    ):
        with pytest.raises(AssertionError, match="output is") as caught:
            assert_source_is_the_loop(Wrong(), source)

        (note,) = caught.value.__notes__
        script = note.removeprefix("With torch alone:\n")
        assert "conformance" not in script
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", script], check=True, capture_output=True, text=True
        )
        assert done.stdout.strip() == str(source.call().expected())


def test_arguments_keep_their_layout_on_another_device():
    call = VmapCall(lambda a: a, (X.T, X.expand(2, 3, 5), X[1:, ::2], 3))

    for here, there in zip(call.arguments(), call.arguments("meta"), strict=True):
        if isinstance(here, torch.Tensor):
            assert (there.shape, there.stride(), there.storage_offset()) == (
                here.shape,
                here.stride(),
                here.storage_offset(),
            )
            assert there.is_meta


def test_a_call_keeps_its_tensors_and_passes_one_tensor_twice():
    call = VmapCall(lambda a: a[0].add_(1), ([X, X],))

    first, second = call.arguments()[0]
    call.actual(TorchFunc())

    assert first is second
    assert first is not X
    assert_same(X, torch.arange(15.0).reshape(3, 5))


SEEN = {
    "dtypes": {torch.float32, torch.float64, torch.complex64, torch.int64, torch.bool},
    "containers": {tuple, list, dict, Pair, OrderedDict},
    "dims": {0, 1, -1, -2, None},
    "sizes": {0, 1, 2, 3, 5},
}


def test_the_draws_reach_every_corner():
    found = {key: set() for key in SEEN} | {"out_dims": set(), "chunks": set(), "members": set(), "layouts": set()}

    @settings(max_examples=300, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(st.one_of(calls(), calls(out_dims=True), calls(out_dims=True, chunked=True)))
    def look(source):
        call = source.call()
        args = call.arguments()
        dims = spread_dims(
            call.in_dims if isinstance(call.in_dims, tuple) else (call.in_dims,) * len(args), args, "in_dims"
        )
        found["containers"].update(type(arg) for arg in args)
        found["out_dims"].update(dim for _, dim in leaves(call.out_dims, ""))
        found["chunks"].add(call.chunk_size)
        for (_, leaf), (_, dim) in zip(leaves(args, ""), leaves(dims, ""), strict=True):
            found["dims"].add(dim.value)
            if isinstance(leaf, torch.Tensor):
                found["dtypes"].add(leaf.dtype)
                found["sizes"].update(leaf.shape)
                found["layouts"].update({"contiguous"} if leaf.is_contiguous() else {"strided"})
                found["layouts"].update({"offset"} if leaf.storage_offset() else set())
                found["members"].update() if dim.value is None else found["members"].add(leaf.shape[dim.value])

    look()

    for key, corners in SEEN.items():
        assert corners <= found[key], key
    assert {None, 0, 1, 2, -1, -2, -3} <= found["out_dims"]
    assert {None, 1, 2, 3} <= found["chunks"]
    assert {0, 1, 2, 3, 4, 5} <= found["members"]
    assert found["layouts"] == {"contiguous", "strided", "offset"}


@settings(max_examples=30)
@given(source=nested_calls())
def test_nested_calls_have_two_levels(source):
    out = source.call().expected()

    assert out.ndim >= 2
    assert {2, 3, 5} & set(out.shape)


@pytest.mark.parametrize("requirement", ["in_dims.dict_by_key", "out_dims.dict_by_key", "out_dims.constant_elsewhere"])
def test_a_refusal_that_is_allowed_needs_its_word(run_suite, requirement):
    outcome = run_suite("--implementation=broken:Boom", f"--requirement={requirement}")

    (found,) = [row for row in outcome.result["requirements"] if row["id"] == requirement]
    assert {case["status"] for case in found["cases"]} == {"fails"}
    assert all(case["message"].startswith("refused without naming ") for case in found["cases"])

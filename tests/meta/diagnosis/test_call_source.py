"""Is a recorded call written as source that needs torch alone, and does it show what the call shows?"""

import subprocess
import sys
from collections import OrderedDict
from contextlib import suppress

import pytest
import torch
from torch.func import grad
from torch.nn import functional as F

from conformance.diagnosis.call_source import NoSourceError, call_source
from conformance.diagnosis.recorder import Recorder
from conformance.diagnosis.reproducer import make_reproducer
from conformance.implementations.torch_func import TorchFunc
from conformance.workloads.vmap_calls import Pair

X = torch.arange(6.0).reshape(2, 3)


def recorded(func, *inputs, **options):
    recorder = Recorder(TorchFunc())
    with suppress(TypeError):  # a defect of torch
        recorder.vmap(func, **options)(*inputs)
    return recorder.call


def run(source):
    assert "conformance" not in source
    return subprocess.run([sys.executable, "-I", "-c", source], check=False, capture_output=True, text=True)


def helper(a):
    return F.relu(a) + X.sum()


def outer(implementation):
    shared = X[0]
    inner = implementation.vmap(lambda a: a * shared.sum(), 0, -1)
    return implementation.vmap(lambda row: inner(row) + implementation_free(row), 1, chunk_size=2)


def implementation_free(a):
    return helper(a) * grad(lambda b: b.sum())(a)


CALLS = {
    "containers": recorded(
        lambda a, b, c: (a[0] + b["x"], Pair(b["x"], c["y"]), OrderedDict(z=a[1])),
        [X, 3],
        {"x": X},
        OrderedDict(y=X),
        in_dims=([0, None], 0, 0),
        out_dims=(0, Pair(0, -1), OrderedDict(z=None)),
    ),
    "words": recorded(lambda a, b: getattr(a, b)(), X, "sum", in_dims=(0, None)),
    "function": recorded(helper, X, in_dims=1, out_dims=0),
    "one-line": recorded((lambda a: a * 3, lambda a, b: a + b, lambda a: a * 5)[2], X),
}


@pytest.mark.parametrize("call", list(CALLS.values()), ids=list(CALLS))
def test_a_script_of_a_right_call_ends_with_0(call):
    done = run(call_source(call))

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert make_reproducer(call) is None


def test_levels_and_chunks_are_written():
    recorder = Recorder(TorchFunc())
    outer(recorder)(X)

    source = call_source(recorder.call)

    assert "inner = vmap(lambda a: a * shared.sum(), 0, -1)" in source
    assert "return vmap(lambda row: inner(row) + implementation_free(row), 1, 0, chunk_size=2)(" in source
    assert run(source).returncode == 0


def test_the_implementation_by_another_name_is_written():
    recorder = Recorder(TorchFunc())
    vmap = recorder.vmap
    vmap(lambda row: vmap(torch.sin)(row) + row)(X)

    assert run(call_source(recorder.call)).returncode == 0


@pytest.mark.parametrize(
    ("call", "shown"),
    [
        (recorded(lambda a, b: b, X, X[:, :2], in_dims=(0, None), out_dims=1), "output is "),
        (
            recorded(lambda a, b: (a, 7), X, X, in_dims=(0, None), out_dims=(0, None), chunk_size=1),
            "vmap raises TypeError",
        ),
    ],
    ids=["wrong", "raises"],
)
def test_a_defect_that_torch_has_is_shown(call, shown):
    source = make_reproducer(call)

    done = run(source)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith(shown)


SIZE = torch.Generator()


def shadowing():
    X = 3  # noqa: N806 - the name of another value
    return lambda a: a + X + helper(a)


EVALUATED = eval("lambda a: a")  # noqa: S307 - it has no file


@pytest.mark.parametrize(
    ("func", "reason"),
    [
        (lambda a: a + SIZE.initial_seed(), "no source for a Generator"),
        (lambda a: a + len(sys.path), "sys is a module of its own"),
        (EVALUATED, "no source of <lambda>"),
        (torch.sin, "a function of torch alone"),
        (shadowing(), "two values are named X"),
    ],
    ids=["object", "module", "evaluated", "function-of-torch", "one-name-twice"],
)
def test_what_has_no_source_is_not_written(func, reason):
    with pytest.raises(NoSourceError, match=reason):
        call_source(recorded(func, X))

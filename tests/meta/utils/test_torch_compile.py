"""Is what passes for compiled really compiled, and is what a machine lacks for it said in one sentence?"""

import subprocess

import pytest
import torch

from conformance.cases.data import draw
from conformance.cases.operations import inplace_op, out_variants, random_ops
from conformance.implementations.compiled import Compiled, CompiledEager
from conformance.implementations.torch_func import TorchFunc
from conformance.numerics.assertions import assert_same, refuses
from conformance.utils import torch_compile
from conformance.utils.child_process import run_in_child
from conformance.utils.torch_compile import AOT_EAGER, EAGER, INDUCTOR, Backend, Compiler
from conformance.workloads.inductor import assert_compiled_matches_loop

CPU = torch.device("cpu")


def breaking(x):
    torch._dynamo.graph_break()  # noqa: SLF001 - torch's documentation gives it this name
    return x


@pytest.mark.parametrize("kind", [Compiled, CompiledEager])
def test_every_call_is_compiled_however_many_share_their_code(kind):
    implementation = kind()
    x = draw(5, 3, seed=0)

    for factor in range(12):
        out = implementation.vmap(lambda x, factor=factor: x * factor)(x)

        assert_same(out, x * factor)
        assert (implementation.compiler.graphs, implementation.compiler.runs) == (factor + 1, factor + 1)


def test_an_operation_that_is_given_as_source_is_compiled():
    implementation = Compiled()
    ours, given = inplace_op.make_operands(3, CPU), out_variants.make_operands(3, CPU)

    implementation.vmap(random_ops.RANDOM_OPERATIONS[0].one, randomness="same")(ours["x"])
    implementation.vmap(inplace_op.InplaceOperation("Tensor.mul_", "s.mul_(y)").run)(ours["x"], {"y": ours["y"]})
    implementation.vmap(out_variants.OutCall("torch.add", "x, y").run)(given)

    assert implementation.compiler.runs == 3


def test_what_is_mapped_inside_is_compiled_with_what_is_around_it():
    implementation = Compiled()
    x = draw(5, 3, seed=0)

    out = implementation.vmap(implementation.vmap(torch.sin))(x)

    torch.testing.assert_close(out, x.sin())
    assert implementation.compiler.graphs == 1


def test_sizes_that_another_call_has_seen_are_no_sizes_of_this_one():
    for n in (3, 5, 7):
        compiler = Compiler(EAGER)
        call = compiler(torch.sin)

        call(torch.ones(n))
        call(torch.ones(n + 1))

        # Had it taken the size for one that changes, from what others saw, it would have compiled once.
        assert compiler.graphs == 2


def test_what_can_not_be_compiled_whole_is_refused():
    with refuses("break|disabled|skipped"):
        Compiler(EAGER)(breaking)(torch.ones(3))


def test_a_fallback_counts_nowhere():
    compiler = Compiler(EAGER, fullgraph=False)

    assert_same(compiler(TorchFunc().vmap(breaking))(torch.ones(3)), torch.ones(3))
    assert compiler.runs == 0


@pytest.mark.parametrize("backend", [EAGER, AOT_EAGER, INDUCTOR], ids=str)
def test_this_machine_lacks_nothing(backend):
    assert backend.unavailable_reason(CPU) is None


@pytest.fixture
def unasked():
    torch_compile.compile_unavailable_reason.cache_clear()
    yield
    torch_compile.compile_unavailable_reason.cache_clear()


def test_a_machine_without_a_compiler_is_told_in_its_words(unasked, monkeypatch):
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 1, "", "no such thing\nx"))

    assert INDUCTOR.unavailable_reason(CPU) == "torch.compile by inductor does not work here: no such thing"
    assert EAGER.unavailable_reason(CPU) is None


def test_a_backend_that_fails_is_told_in_its_words(unasked):
    said = Backend("nope").unavailable_reason(CPU)

    assert said.startswith("torch.compile by nope does not work here: ")
    assert "\n" not in said


def test_without_what_compiles_the_implementation_is_unavailable(unasked, monkeypatch):
    def refuse(*_, **__):
        raise RuntimeError

    monkeypatch.setattr(torch, "compile", refuse)

    assert Compiled().unavailable() == "torch.compile by aot_eager does not work here: RuntimeError"


def test_machine_code_is_judged_in_a_process_of_its_own():
    run_in_child(assert_compiled_matches_loop, TorchFunc(), CPU)

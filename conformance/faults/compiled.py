"""Faults for the chapter `compiled`: what torch.compile has compiled answers for the stack or the sizes of before."""

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from conformance.faults.base.fault import Fault
from conformance.utils.pytree import leaves, tree_map

Run = Callable[..., Any]


class CompilerFault(Fault):
    """A fault in what torch.compile gives: `called` gets it, what is kept of earlier calls, and the arguments.

    `kept.args` and `kept.out` are of the first call that was answered, None until then; `kept.options` the compiler's.
    """

    called: Callable[..., Any]

    def fault_active(self) -> AbstractContextManager[Any]:
        compile_ = torch.compile
        return patch.object(torch, "compile", lambda func, **options: self.spoiled(compile_(func, **options), options))

    def spoiled(self, compiled: Run, options: dict[str, Any]) -> Run:
        kept = SimpleNamespace(args=None, out=None, options=options)

        def call(*args: Any) -> Any:
            out = self.called(compiled, kept, *args)
            if kept.args is None:
                kept.args, kept.out = args, out
            return out

        return call


def is_call_of_stack(args: Any) -> bool:
    """Of parameters, buffers and an input."""
    return len(args) == 3 and isinstance(args[0], dict)


def shapes(args: Any) -> list[torch.Size]:
    return [leaf.shape for _, leaf in leaves(args, "") if isinstance(leaf, Tensor)]


def last_is_first(out: Tensor) -> Tensor:
    return torch.cat([out[:-1], out[:1] + 1])


class CompiledMembersReversed(CompilerFault):
    """A compiled call gives the members' outputs in reverse order."""

    breaks = "compiled.call"
    also = ("compiled.*",)

    def called(self, compiled: Run, kept: Any, *args: Any) -> Any:  # noqa: ARG002 - nothing of before matters
        return tree_map(lambda leaf: leaf.flip(0), compiled(*args))


class FirstStackFoldedIn(CompilerFault):
    """A compiled call keeps the first stack that it was called with."""

    breaks = "compiled.state"
    also = ("compiled.break", "compiled.buffers", "compiled.gradients")

    def called(self, compiled: Run, kept: Any, *args: Any) -> Any:
        return compiled(*kept.args[:2], args[2]) if kept.args and is_call_of_stack(args) else compiled(*args)


class HeldStackFoldedIn(CompilerFault):
    """A compiled call keeps what the stack that it holds was at first."""

    breaks = "compiled.held"

    def called(self, compiled: Run, kept: Any, *args: Any) -> Any:
        again = kept.args and len(args) == 1 and args[0] is kept.args[0] and kept.out.requires_grad
        return kept.out if again else compiled(*args)


class LastMemberWrongInAnotherSize(CompilerFault):
    """What is compiled again for another size takes the last member for the first."""

    breaks = "compiled.sizes"
    also = ("compiled.chunks",)

    def called(self, compiled: Run, kept: Any, *args: Any) -> Any:
        out = compiled(*args)
        return last_is_first(out) if kept.args and shapes(args) != shapes(kept.args) else out


class LastChunkWrongWhenCompiled(Fault):
    """In a compiled call the member that is left over by the chunks is taken for the first."""

    breaks = "compiled.chunks"

    def vmap(self, func: Run, *options: Any, chunk_size: int | None = None, **more: Any) -> Run:
        mapped: Run = self.inner.vmap(func, *options, chunk_size=chunk_size, **more)

        def call(*args: Any) -> Any:
            out = mapped(*args)
            return last_is_first(out) if chunk_size and torch.compiler.is_compiling() else out

        return call


class CompiledOutDimsIgnored(CompilerFault):
    """What a compiled call returns in a dict has its first two dimensions exchanged."""

    breaks = "compiled.dims"
    also = ("compiled.grad",)

    def called(self, compiled: Run, kept: Any, *args: Any) -> Any:  # noqa: ARG002 - likewise
        out = compiled(*args)
        return tree_map(lambda leaf: leaf.transpose(0, 1), out) if isinstance(out, dict) else out


class FirstNumberFoldedIn(CompilerFault):
    """A compiled call keeps the first number that it was called with."""

    breaks = "compiled.numbers"

    def called(self, compiled: Run, kept: Any, *args: Any) -> Any:
        number = len(args) == 2 and isinstance(args[0], Tensor) and isinstance(args[1], int | float)
        return compiled(args[0], kept.args[1]) if number and kept.args else compiled(*args)


class CompiledWritesGoToACopy(CompilerFault):
    """What a compiled call writes it writes into a copy."""

    breaks = "compiled.writes"
    also = ("compiled.buffers",)

    def called(self, compiled: Run, kept: Any, *args: Any) -> Any:  # noqa: ARG002 - likewise
        return compiled(*tree_map(lambda leaf: leaf if getattr(leaf, "requires_grad", True) else leaf.clone(), args))


class FirstAnswerInsteadOfARefusal(CompilerFault):
    """What can't be computed is answered all the same."""

    breaks = "compiled.exception"
    also = ("compiled.draws_refused",)

    def called(self, compiled: Run, kept: Any, *args: Any) -> Any:
        with suppress(RuntimeError, ValueError):
            return compiled(*args)
        return kept.out


class SecondCallAfterABreakSkipped(CompilerFault):
    """What can't be compiled whole is not run again."""

    breaks = "compiled.break"

    def called(self, compiled: Run, kept: Any, *args: Any) -> Any:
        return kept.out if kept.args and not kept.options["fullgraph"] else compiled(*args)

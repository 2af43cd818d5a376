"""Faults for the chapter `compiled`: compiled calls that keep an earlier stack or earlier sizes."""

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
    """A fault in compiled functions: `called` gets the function, what is kept of earlier calls, and the arguments.

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
    """Return True for a call with parameters, buffers and an input."""
    return len(args) == 3 and isinstance(args[0], dict)


def shapes(args: Any) -> list[torch.Size]:
    return [leaf.shape for _, leaf in leaves(args, "") if isinstance(leaf, Tensor)]


def replace_last_by_first(out: Tensor) -> Tensor:
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
    """A compiled call keeps the first values of a stack that the function holds."""

    breaks = "compiled.held"

    def called(self, compiled: Run, kept: Any, *args: Any) -> Any:
        again = kept.args and len(args) == 1 and args[0] is kept.args[0] and kept.out.requires_grad
        return kept.out if again else compiled(*args)


class LastMemberWrongInAnotherSize(CompilerFault):
    """A call that is compiled again for another size gives the last member the first one's output."""

    breaks = "compiled.sizes"
    also = ("compiled.chunks",)

    def called(self, compiled: Run, kept: Any, *args: Any) -> Any:
        out = compiled(*args)
        return replace_last_by_first(out) if kept.args and shapes(args) != shapes(kept.args) else out


class LastChunkWrongWhenCompiled(Fault):
    """In a compiled call the member left over by the chunks gets the first one's output."""

    breaks = "compiled.chunks"

    def vmap(self, func: Run, *options: Any, chunk_size: int | None = None, **more: Any) -> Run:
        mapped: Run = self.inner.vmap(func, *options, chunk_size=chunk_size, **more)

        def call(*args: Any) -> Any:
            out = mapped(*args)
            return replace_last_by_first(out) if chunk_size and torch.compiler.is_compiling() else out

        return call


class CompiledOutDimsIgnored(CompilerFault):
    """The outputs of a compiled call in a dict have their first two dimensions exchanged."""

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
    """A compiled call writes to a copy."""

    breaks = "compiled.writes"
    also = ("compiled.buffers",)

    def called(self, compiled: Run, kept: Any, *args: Any) -> Any:  # noqa: ARG002 - likewise
        return compiled(*tree_map(lambda leaf: leaf if getattr(leaf, "requires_grad", True) else leaf.clone(), args))


class FirstAnswerInsteadOfARefusal(CompilerFault):
    """A compiled call that has to be refused returns the first answer."""

    breaks = "compiled.exception"
    also = ("compiled.draws_refused",)

    def called(self, compiled: Run, kept: Any, *args: Any) -> Any:
        with suppress(RuntimeError, ValueError):
            return compiled(*args)
        return kept.out


class SecondCallAfterABreakSkipped(CompilerFault):
    """A call that can't be compiled whole is not run a second time."""

    breaks = "compiled.break"

    def called(self, compiled: Run, kept: Any, *args: Any) -> Any:
        return kept.out if kept.args and not kept.options["fullgraph"] else compiled(*args)

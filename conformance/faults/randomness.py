"""Faults for the chapter `randomness`: modes that are taken for others, forgotten, or not ended."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from conformance.faults.base.derivative import inside_vmap
from conformance.faults.base.fault import Fault
from conformance.faults.base.patch import PatchedInsideVmap
from conformance.faults.errors import Accepting, LeavingATrace
from conformance.numerics.assertions import REFUSALS


class ModeFault(Fault):
    """A fault in how a mode is read: `taken_for` maps modes to modes; `mode` sees the call's options and arguments."""

    taken_for: Mapping[str, str] = MappingProxyType({})

    def vmap(
        self, func: Callable[..., Any], in_dims: Any = 0, out_dims: Any = 0, randomness: str = "error", **more: Any
    ) -> Callable[..., Any]:
        def spoiled(*args: Any, **kwargs: Any) -> Any:
            mode = self.mode(randomness, in_dims, args, more)
            return self.drawn(mode, self.inner.vmap(func, in_dims, out_dims, mode, **more)(*args, **kwargs), more)

        return spoiled

    def mode(self, asked: str, in_dims: Any, args: Any, more: Any) -> str:  # noqa: ARG002 - for those who override it
        return self.taken_for.get(asked, asked)

    def drawn(self, mode: str, out: Any, more: Any) -> Any:  # noqa: ARG002 - likewise
        return out


class ErrorModeDraws(ModeFault):
    """In mode error every member draws for itself."""

    breaks = "randomness.error"
    also = ("randomness.*",)
    taken_for = MappingProxyType({"error": "different"})


class RefusedCallsDraw(LeavingATrace):
    """A refused call has already drawn a number."""

    breaks = "randomness.error"
    also = ("randomness.*",)

    def leave(self, refusal: BaseException, args: Sequence[Any]) -> None:  # noqa: ARG002 - whatever was said
        torch.rand(1)


class SameIsDifferent(ModeFault):
    """In mode same every member draws for itself."""

    breaks = "randomness.same"
    also = ("randomness.*",)
    taken_for = MappingProxyType({"same": "different"})


class DifferentIsSame(ModeFault):
    """In mode different all members get one draw."""

    breaks = "randomness.different"
    also = ("randomness.*",)
    taken_for = MappingProxyType({"different": "same"})


class DrawsHandedOutInReverse(ModeFault):
    """In mode different the last member gets the numbers of the first."""

    breaks = "randomness.different"
    also = ("randomness.*",)

    def drawn(self, mode: str, out: Any, more: Any) -> Any:  # noqa: ARG002
        return out.flip(0) if mode == "different" and isinstance(out, Tensor) and out.ndim else out


class GeneratorAdvancesTooFar(ModeFault):
    """Mode same advances the generator too far."""

    breaks = "randomness.same"
    also = ("randomness.*",)

    def drawn(self, mode: str, out: Any, more: Any) -> Any:  # noqa: ARG002
        if mode == "same":
            torch.rand(len(out))
        return out


class OrthogonalIsOneMatrix(PatchedInsideVmap):
    """Inside vmap nn.init.orthogonal_ gives all members the same matrix."""

    breaks = "randomness.composites"
    also = ("randomness.error",)
    owner = torch.nn.init
    attribute = "orthogonal_"

    def spoiled(self, orthogonal_: Any, tensor: Tensor) -> Tensor:  # noqa: ARG002
        return tensor.fill_(1)


class RecurrentNetworksAccepted(Accepting):
    """A recurrent network with mapped inputs is accepted and returns its input."""

    breaks = "randomness.recurrent"
    words = "aten::(lstm|gru|rnn)"


class RandomOutAccepted(Accepting):
    """A random operation silently ignores out=."""

    breaks = "randomness.out"
    words = "out variants of random|out= or view ops|randomness error mode"
    also = ("randomness.*",)


class RandomOperationNobodyKnows(Fault):
    """In this torch there is a random operation that the suite does not cover."""

    breaks = "randomness.operations_covered"

    def fault_active(self) -> AbstractContextManager[Any]:
        return patch.object(torch, "randnew", torch.rand, create=True)


class SameForgottenElsewhere(ModeFault):
    """Mode same works only for tensors mapped along their first dimension."""

    breaks = "randomness.placed"

    def mode(self, asked: str, in_dims: Any, args: Any, more: Any) -> str:  # noqa: ARG002
        return "different" if asked == "same" and in_dims == -1 else asked


class SameForgottenInChunks(ModeFault):
    """In chunks mode same behaves as mode different."""

    breaks = "randomness.chunks_same"
    also = ("randomness.generator_in_chunks", "randomness.no_leak")

    def mode(self, asked: str, in_dims: Any, args: Any, more: Any) -> str:  # noqa: ARG002
        return "different" if asked == "same" and more.get("chunk_size") else asked


class EveryChunkDrawsTheSame(ModeFault):
    """In mode different the members of every chunk get the numbers of the first chunk."""

    breaks = "randomness.chunks_different"
    also = ("randomness.generator_in_chunks", "randomness.no_leak")

    def drawn(self, mode: str, out: Any, more: Any) -> Any:
        if mode == "same" or not more.get("chunk_size") or not isinstance(out, Tensor):
            return out
        return out[torch.arange(len(out)) % more["chunk_size"]]


class InnerSameForgotten(ModeFault):
    """In nested vmaps, mode same of the inner one behaves as mode different."""

    breaks = "randomness.nested"
    also = ("randomness.no_leak",)

    def mode(self, asked: str, in_dims: Any, args: Any, more: Any) -> str:  # noqa: ARG002
        return "different" if inside_vmap() and asked == "same" else asked


class InnerErrorForgotten(ModeFault):
    """In nested vmaps, mode error of the inner one is ignored."""

    breaks = "randomness.nested_error"

    def mode(self, asked: str, in_dims: Any, args: Any, more: Any) -> str:  # noqa: ARG002
        return "same" if inside_vmap() and asked == "error" else asked


class ModeStaysAfterException(ModeFault):
    """After a call ends by an exception, the next call in mode error uses that call's mode."""

    breaks = "randomness.no_leak"
    left = "error"

    def vmap(
        self, func: Callable[..., Any], in_dims: Any = 0, out_dims: Any = 0, randomness: str = "error", **more: Any
    ) -> Callable[..., Any]:
        run = super().vmap(func, in_dims, out_dims, self.left if randomness == "error" else randomness, **more)

        def spoiled(*args: Any, **kwargs: Any) -> Any:
            try:
                self.left = "error"
                return run(*args, **kwargs)
            except REFUSALS:
                raise
            except Exception:
                self.left = randomness
                raise

        return spoiled

"""Faults for the chapter `compiled`: compiled calls that keep earlier modes, draws and gradients."""

from typing import Any

import torch
from torch import Tensor

from conformance.faults.base.fault import Fault
from conformance.faults.compiled import CompilerFault, Run, is_call_of_stack
from conformance.utils.pytree import tree_map


class FirstModeFoldedIn(CompilerFault):
    """A compiled call keeps the mode that its module had in the first call."""

    breaks = "compiled.train"
    also = ("compiled.buffers", "compiled.state")

    def called(self, compiled: Run, kept: Any, *args: Any) -> Any:
        again = kept.args and is_call_of_stack(args) and all(a is b for a, b in zip(args, kept.args, strict=True))
        return kept.out if again else compiled(*args)


class RecordsAsTheFirst(CompilerFault):
    """No call records gradients if the first one recorded none."""

    breaks = "compiled.recording"

    def called(self, compiled: Run, kept: Any, *args: Any) -> Any:
        out = compiled(*args)
        return out.detach() if kept.args and isinstance(out, Tensor) and not kept.out.requires_grad else out


class FirstAutocastFoldedIn(CompilerFault):
    """A compiled call answers in the dtype of its first answer."""

    breaks = "compiled.autocast"
    also = ("compiled.default_dtype",)

    def called(self, compiled: Run, kept: Any, *args: Any) -> Any:
        out = compiled(*args)
        return out.to(kept.out.dtype) if kept.args and isinstance(out, Tensor) else out


class FirstDefaultDtypeFoldedIn(CompilerFault):
    """A compiled call keeps the default dtype of the first call."""

    breaks = "compiled.default_dtype"

    def called(self, compiled: Run, kept: Any, *args: Any) -> Any:
        whole = isinstance(args[0], Tensor) and not args[0].is_floating_point()
        return compiled(*args).to(kept.out.dtype) if whole and kept.args else compiled(*args)


class OnlyFirstStackIsUpdated(CompilerFault):
    """A compiled call updates the buffers of the first stack only."""

    breaks = "compiled.buffers"

    def called(self, compiled: Run, kept: Any, *args: Any) -> Any:
        if kept.args and is_call_of_stack(args) and args[1] is not kept.args[1]:
            return compiled(args[0], tree_map(torch.clone, args[1]), args[2])
        return compiled(*args)


class FirstDrawsFoldedIn(CompilerFault):
    """Each compiled call draws what the first one drew."""

    breaks = "compiled.draws"

    def called(self, compiled: Run, kept: Any, *args: Any) -> Any:  # noqa: ARG002 - nothing of before matters
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)
            return compiled(*args)


class DrawsAcceptedWhenCompiled(Fault):
    """A compiled call treats mode error as mode different."""

    breaks = "compiled.draws_refused"

    def vmap(self, func: Run, *options: Any, **more: Any) -> Run:
        mapped: Run = self.inner.vmap(func, *options, **more)
        drawing: Run = self.inner.vmap(func, *options, **{"randomness": "different", **more})

        def call(*args: Any) -> Any:
            return drawing(*args) if torch.compiler.is_compiling() else mapped(*args)

        return call


class FirstStackOnMetaFoldedIn(CompilerFault):
    """A compiled call with a base on meta keeps the first state that it was called with."""

    breaks = "compiled.meta_base"

    def called(self, compiled: Run, kept: Any, *args: Any) -> Any:
        state = kept.args and len(args) == 2 and isinstance(args[0], dict)
        return compiled(kept.args[0], args[1]) if state else compiled(*args)


class FirstGradientAgain(CompilerFault):
    """Backward through a compiled call passes on the gradient of the first backward."""

    breaks = "compiled.gradients"

    def called(self, compiled: Run, kept: Any, *args: Any) -> Any:
        out = compiled(*args)
        if is_call_of_stack(args) and out.requires_grad:
            out.register_hook(lambda given: vars(kept).setdefault("given", given))
        return out


class LastMemberCutFromItsInput(CompilerFault):
    """In a compiled call the shared input gets no gradient from the last member."""

    breaks = "compiled.input_gradients"

    def called(self, compiled: Run, kept: Any, *args: Any) -> Any:  # noqa: ARG002 - likewise
        out = compiled(*args)
        shared = len(args) == 2 and isinstance(args[1], Tensor) and args[1].requires_grad
        return torch.cat([out[:-1], out[-1:].detach()]) if shared else out


class FirstGradientFoldedIn(CompilerFault):
    """A compiled call that takes gradients inside returns those of the first call."""

    breaks = "compiled.grad"

    def called(self, compiled: Run, kept: Any, *args: Any) -> Any:
        return kept.out if kept.args and len(args) == 4 else compiled(*args)


class OwnBackwardPassedOver(CompilerFault):
    """A compiled call ignores the backward of a custom autograd function and differentiates its forward."""

    breaks = "compiled.own_backward"
    also = ("compiled.recording",)

    def called(self, compiled: Run, kept: Any, *args: Any) -> Any:  # noqa: ARG002 - likewise
        out = compiled(*args)
        own = len(args) == 2 and isinstance(args[0], Tensor) and args[0].requires_grad
        if own and args[0].shape == args[1].shape:
            out.register_hook(lambda gradient: gradient * 2 / 7)
        return out


class FirstStepAgain(CompilerFault):
    """A compiled loss uses the first step's minibatch."""

    breaks = "compiled.training"

    def called(self, compiled: Run, kept: Any, *args: Any) -> Any:
        return compiled(*kept.args) if kept.args and callable(args[0]) else compiled(*args)

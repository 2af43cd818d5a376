"""Faults for the chapter `purity`: functions with derivatives of their own, and checkpoints."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch.utils.checkpoint
from torch import Tensor

from conformance.cases import autograd_functions
from conformance.faults.base.derivative import detach_last_member, inside_vmap
from conformance.faults.base.patch import PatchedFault
from conformance.faults.errors import accepting

AcceptsOldFunctions = accepting(
    "purity.function_of_old_style",
    "must override the setup_context",
    "purity.backward_hooks_under_grad",
    "purity.checkpoint_*",
)
AcceptsFunctionsWithoutRule = accepting("purity.function_without_rule", "generate_vmap_rule")
AcceptsSenselessRules = accepting(
    "purity.function_rule_refused",
    "(function's|Expected the) vmap staticmethod|Dimension out of range|not supported between|has no attribute",
)
AcceptsRulesOfAnotherSize = accepting("purity.function_rule_of_another_size", "must match the size")
AcceptsCheckpointsUnderGrad = accepting("purity.checkpoint_under_grad", "saved tensor hooks")


def _doubled_inside(original: Any) -> Any:
    """Return a derivative that is twice as large inside vmap."""
    return staticmethod(lambda ctx, given: original(ctx, given) * (2 if inside_vmap() else 1))


class GeneratedRulesDouble(PatchedFault):
    """A generated rule doubles the gradient."""

    breaks = "purity.function_generated"
    owner = autograd_functions.Generated
    attribute = "backward"

    def patched(self, original: Any) -> Any:
        return _doubled_inside(original)


class RulesDoubleForwardMode(PatchedFault):
    """A function's derivative in forward mode is doubled inside vmap."""

    breaks = "purity.function_jvp"
    owner = autograd_functions.WithoutRule
    attribute = "jvp"

    def patched(self, original: Any) -> Any:
        return _doubled_inside(original)


class RuleFault(PatchedFault):
    """A fault in calls of a function's vmap rule: override `rule`, which gets the rule and its arguments."""

    owner: Any = autograd_functions.Ruled
    attribute = "vmap"

    def patched(self, original: Any) -> Any:
        def asked(cls: Any, info: Any, in_dims: Any, x: Tensor) -> Any:
            return self.rule(original.__func__, cls, info, in_dims, x)

        return classmethod(asked)

    rule: Callable[..., Any]


class RulesSeeReversedMembers(RuleFault):
    """A rule is given the members in reverse order."""

    breaks = "purity.function_ruled"
    also = ("purity.function_info", "purity.function_jvp", "purity.function_rule_refused")

    def rule(self, original: Any, cls: Any, info: Any, in_dims: Any, x: Tensor) -> Any:
        return original(cls, info, in_dims, x.flip(in_dims[0]))


class RulesAreToldOneMore(RuleFault):
    """A rule is told a number of members that is one too large."""

    breaks = "purity.function_info"

    def rule(self, original: Any, cls: Any, info: Any, in_dims: Any, x: Tensor) -> Any:
        told = SimpleNamespace(batch_size=info.batch_size + 1, randomness=info.randomness)
        return original(cls, told, in_dims, x)


class RulesWriteToACopy(RuleFault):
    """A rule's writes to its input go to a copy."""

    breaks = "purity.function_in_place"
    owner = autograd_functions.InplaceExp

    def rule(self, original: Any, cls: Any, info: Any, in_dims: Any, x: Tensor) -> Any:
        original(cls, info, in_dims, x.clone())
        return x, in_dims[0]


class CheckpointsInsideDouble(PatchedFault):
    """A checkpoint inside vmap doubles its result."""

    breaks = "purity.checkpoint_without_gradients"
    owner = torch.utils.checkpoint
    attribute = "checkpoint"

    def patched(self, original: Any) -> Any:
        return lambda *args, **options: original(*args, **options) * (2 if inside_vmap() else 1)


class CheckpointsCutTheLastMember(PatchedFault):
    """A checkpoint cuts the last member off from its gradient."""

    breaks = "purity.checkpoint_around"
    owner = torch.utils.checkpoint
    attribute = "checkpoint"

    def patched(self, original: Any) -> Any:
        def checkpoint(*args: Any, **options: Any) -> Any:
            out = original(*args, **options)
            return out if inside_vmap() else detach_last_member(out)

        return checkpoint

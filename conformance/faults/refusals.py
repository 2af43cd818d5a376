"""Faults for all chapters: refusals with an unrelated word, which no test may accept in place of the one that is due.

An implementation whose every call raises "boom" must not conform to anything. These faults break many requirements
each: all those of a chapter whose tests accept refusals. tests/meta/faults/test_kill_matrix.py demands
that every test that sees one of these refusals goes red.
"""

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import Any, Never

from torch import nn

from conformance.cases.modules.refusals import ALL
from conformance.faults.base.fault import Fault
from conformance.numerics.assertions import REFUSALS


class BoomError(RuntimeError, ValueError, TypeError, IndexError):
    """An error of every type in which torch refuses."""


class UnrelatedRefusal(Fault):
    """A fault that refuses with an unrelated word.

    `breaks_too`: further requirements that must go red, as patterns. `refused`: set to True by each refusal.
    """

    breaks_too: tuple[str, ...] = ()
    refused = False

    @classmethod
    def must_break(cls, requirement: str) -> bool:
        """Return whether every test of the requirement that is refused must go red."""
        return any(fnmatchcase(requirement, pattern) for pattern in (cls.breaks, *cls.breaks_too))

    def refuse(self) -> Never:
        self.refused = True
        raise BoomError("boom")


class RefusesEverything(UnrelatedRefusal):
    """A fault that refuses each call of some functions; of `vmap`, calls of the mapped function.

    Where torch has known failures in the requirement, it is judged on the reference, which has none.
    """

    functions: tuple[str, ...] = ("vmap",)

    def combine(self, models: Sequence[nn.Module]) -> tuple[Callable[..., Any], Any, Any]:
        if "combine" in self.functions:
            self.refuse()
        return self.inner.combine(models)

    def vmap(self, func: Callable[..., Any], *options: Any, **more: Any) -> Callable[..., Any]:
        if "vmap" in self.functions:
            return lambda *_args, **_kwargs: self.refuse()
        return self.inner.vmap(func, *options, **more)

    def functional_call(self, *args: Any, **kwargs: Any) -> Any:
        if "functional_call" in self.functions:
            self.refuse()
        return self.inner.functional_call(*args, **kwargs)


class RewordsRefusals(UnrelatedRefusal):
    """A fault that refuses only mapped calls that are refused anyway, but with an unrelated word."""

    def vmap(self, func: Callable[..., Any], *options: Any, **more: Any) -> Callable[..., Any]:
        def reworded(*args: Any, **kwargs: Any) -> Any:
            try:
                return self.inner.vmap(func, *options, **more)(*args, **kwargs)
            except REFUSALS:
                self.refuse()

        return reworded


class CombiningIsRefused(RefusesEverything):
    """Members are refused with an unrelated word, whatever they are."""

    breaks = "stacking.refuses_no_model"
    breaks_too = ("stacking.refuses_*",)
    functions = ("combine",)
    judged_on = "reference"


class TiedMembersAreRefused(RefusesEverything):
    """Calls of a base on meta with tied weights are refused with an unrelated word."""

    breaks = "stacking.tied_meta_base_strict"
    breaks_too = ("stacking.tied_meta_base",)


class FunctionalCallsAreRefused(RefusesEverything):
    """Calls of functional_call are refused with an unrelated word."""

    breaks = "calling.restored_after_refusal"
    breaks_too = ("calling.refuses_*", "calling.strict_refuses_*")
    functions = ("functional_call",)


class BadArgumentsAreRefusedUnclearly(RefusesEverything):
    """Bad arguments are refused, as all arguments are, with an unrelated word."""

    breaks = "errors.any"
    breaks_too = ("errors.*",)
    functions = ("combine", "vmap", "functional_call")


class InDimsAreRefused(RefusesEverything):
    """Calls with in_dims for a dict are refused with an unrelated word."""

    breaks = "in_dims.dict_by_key"
    judged_on = "reference"


class OutDimsAreRefused(RefusesEverything):
    """Calls with out_dims for a dict or a constant are refused with an unrelated word."""

    breaks = "out_dims.dict_by_key"
    breaks_too = ("out_dims.constant_elsewhere",)
    judged_on = "reference"


class NestedExceptionsAreReworded(RewordsRefusals):
    """An exception inside nested vmaps arrives as a refusal with an unrelated word."""

    breaks = "nesting.exception"


class CompiledCallsAreRefused(RefusesEverything):
    """Calls that are compiled, and those before they are compiled, are refused with an unrelated word."""

    breaks = "compiled.draws_refused"
    breaks_too = ("compiled.exception",)


class DeterminismIsRefused(RefusesEverything):
    """Calls under use_deterministic_algorithms are refused with an unrelated word."""

    breaks = "determinism.deterministic_refusals"


class SettingsAreRefused(RewordsRefusals):
    """Refusals under some setting have an unrelated word."""

    breaks = "determinism.settings"


class GradientsAreRefused(RefusesEverything):
    """Calls whose backward torch refuses are refused themselves, with an unrelated word."""

    breaks = "gradients.retain_graph"
    breaks_too = ("gradients.anomaly_mode",)


class TrainingIsRefused(RefusesEverything):
    """Calls in a training loop that torch refuses are refused earlier, with an unrelated word."""

    breaks = "training.plateau"


class WritesAreRefused(RefusesEverything):
    """In-place writes are refused with an unrelated word."""

    breaks = "inplace.unmapped"
    breaks_too = (
        "inplace.chunks",
        "inplace.copies",
        "inplace.expanded",
        "inplace.gradients",
        "inplace.index_behind_slice",
        "inplace.leaves",
        "inplace.made_inside_unmapped",
        "inplace.mapped",
        "inplace.nested",
        "inplace.out",
        "inplace.placed",
        "inplace.reshaping",
        "inplace.versions",
        "inplace.view_by_index",
        "inplace.views",
    )


class DrawsAreRefused(RefusesEverything):
    """Random operations are refused with an unrelated word, in every mode."""

    breaks = "randomness.error"
    breaks_too = (
        "randomness.attention",
        "randomness.chunks_different",
        "randomness.chunks_same",
        "randomness.composites",
        "randomness.different",
        "randomness.generator*",
        "randomness.nested_error",
        "randomness.no_leak",
        "randomness.out",
        "randomness.placed",
        "randomness.recurrent",
        "randomness.same",
    )


class SideEffectsAreRefused(RewordsRefusals):
    """Members that vmap can't trace are refused with an unrelated word."""

    breaks = "purity.python_numbers"
    breaks_too = (
        "purity.backward_hooks_under_grad",
        "purity.checkpoint_reentrant",
        "purity.checkpoint_under_grad",
        "purity.decisions",
        "purity.dynamic_shapes",
        "purity.escaped_into_next_call",
        "purity.exception",
        "purity.function_of_old_style",
        "purity.function_rule_of_another_size",
        "purity.function_rule_refused",
        "purity.function_without_rule",
        "purity.norms_of_shared_statistics",
        "purity.partial_writes",
        "purity.returns",
        "purity.shapes_that_differ",
        "purity.tensor_hooks",
    )


class EscapedTensorsAreRefused(RefusesEverything):
    """Calls that leak a tensor, or that checkpoint, are refused with an unrelated word."""

    breaks = "purity.escaped"
    breaks_too = ("purity.checkpoint", "purity.escaped_by_name", "purity.escaped_into_next_chunk")


class MixedDevicesAreRefused(RefusesEverything):
    """Calls with members or inputs on several devices, or in another layout, are refused with an unrelated word."""

    breaks = "parity.channels_last_asked"
    breaks_too = ("parity.mixed_*",)


class ModulesAreRefused(RefusesEverything):
    """Modules and indices that may be refused are refused with an unrelated word."""

    breaks = "modules.out_of_range"
    breaks_too = tuple(f"modules.{check}" for check in ALL)
    shown_by = "EmbeddingBag-sparse"

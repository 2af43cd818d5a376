"""Faults for the chapter `purity`: Python code in forward, and tensors that escape."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from conformance.faults.base.derivative import inside_vmap
from conformance.faults.base.patch import PatchedFault, has_escaped, is_mapped, unwrap
from conformance.faults.base.vmap import OutputFault, VmapFault, size, spread_in_dims
from conformance.faults.errors import accepting
from conformance.numerics.assertions import REFUSALS
from conformance.utils.pytree import tree_map

Run = Callable[..., Any]

AcceptsPythonNumbers = accepting(
    "purity.python_numbers", r"calling \.item|data pointer", "purity.norms_cumulative", "purity.partial_writes"
)
AcceptsDecisions = accepting("purity.decisions", "data-dependent control flow")
AcceptsDynamicShapesOfMembers = accepting(
    "purity.dynamic_shapes", "dynamic shape|nonzero|boolean mask|`mask`|num_classes|tensor_split"
)
AcceptsShapesThatDiffer = accepting("purity.shapes_that_differ", "stack expects each tensor|output_size")
AcceptsWhatIsNoTensor = accepting("purity.returns", "must only return Tensors", "purity.function_rule_refused")
AcceptsWhatEscaped = accepting("purity.escaped_into_next_call", "batched_level")
AcceptsHooksOnTensors = accepting("purity.tensor_hooks", "cannot register a hook|can't retain_grad")


class RefusalsWriteOneMember(VmapFault):
    """A refused call has already changed the first member's slice of the first parameter."""

    breaks = "purity.python_numbers"
    also = (
        "purity.decisions",
        "purity.dynamic_shapes",
        "purity.exception",
        "purity.returns",
        "purity.shapes_that_differ",
    )

    def mapped(self, run: Run, func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        try:
            return run(func, in_dims, out_dims, args)
        except REFUSALS:
            if isinstance(args[0], dict):
                next(iter(args[0].values())).detach()[0].add_(1)
            raise


class IntegersOfTheFirstMember(OutputFault):
    """Every member's integers are the first one's."""

    breaks = "purity.shapes_that_agree"

    def output(self, tensor: Tensor) -> Tensor:
        return tensor if tensor.is_floating_point() else tensor[:1].expand_as(tensor)


class WhereForgets(PatchedFault):
    """torch.where inside vmap always returns its second choice."""

    breaks = "purity.masks_instead"
    owner = torch
    attribute = "where"

    def patched(self, original: Any) -> Any:
        def where(condition: Tensor, *choices: Any) -> Any:
            return original(condition & (not (choices and inside_vmap())), *choices)

        return where


class LengthIsOneLess(PatchedFault):
    """Inside vmap the length of a mapped tensor is one too small."""

    breaks = "purity.same_for_all"
    owner = Tensor
    attribute = "__len__"

    def patched(self, original: Any) -> Any:
        return lambda tensor: original(tensor) - is_mapped(tensor) * inside_vmap()


class SharedIsMapped(VmapFault):
    """A shared input reaches the function as each member's own copy."""

    breaks = "purity.shared_data"
    also = ("purity.escaped_into_next_call", "purity.norms_of_shared_statistics*")

    def mapped(self, run: Run, func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        dims = spread_in_dims(in_dims, args)
        n = size(dims, args)
        everyones = tree_map(
            lambda dim, leaf: leaf if dim.value is not None else leaf.expand(n, *leaf.shape), dims, args
        )
        return run(func, tree_map(lambda dim: dim.value or 0, dims), out_dims, everyones)


class CalledTwice(VmapFault):
    """The function is called twice, as if to find out first what it returns."""

    breaks = "purity.side_effects"
    also = (
        "purity.attributes",
        "purity.exception",
        "purity.function_info",
        "purity.hooks_run_once",
        "purity.iterators",
        "purity.norms_in_training",
        "purity.partial_writes",
        "purity.replaced_buffers_returned",
        "purity.requires_grad",
        "purity.threads_sharing",
        "purity.written_buffers",
    )

    def mapped(self, run: Run, func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        def twice(*args: Any, **kwargs: Any) -> Any:
            func(*args, **kwargs)
            return func(*args, **kwargs)

        return run(twice, in_dims, out_dims, args)


class LastMemberWritesNothing(VmapFault):
    """The last member's writes to its buffers are undone after the call."""

    breaks = "purity.written_buffers"
    also = (
        "purity.norms_in_training",
        "purity.norms_of_shared_statistics*",
        "purity.partial_writes",
        "purity.replaced_buffers_returned",
    )

    def mapped(self, run: Run, func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        buffers = list(args[1].values()) if len(args) > 1 and isinstance(args[1], dict) else []
        before = [tensor[-1].clone() for tensor in buffers]
        try:
            return run(func, in_dims, out_dims, args)
        finally:
            for tensor, last in zip(buffers, before, strict=True):
                tensor[-1].copy_(last)


class ReplacedBuffersAreThoseBefore(VmapFault):
    """A buffer that forward replaces and returns comes back with its old value."""

    breaks = "purity.replaced_buffers_returned"

    def mapped(self, run: Run, func: Any, in_dims: Any, out_dims: Any, args: Any) -> Any:
        out = run(func, in_dims, out_dims, args)
        replaced = "replaced" in args[1] if len(args) > 1 and isinstance(args[1], dict) else False
        return (out[0], args[1]["replaced"].clone()) if replaced and isinstance(out, tuple) else out


class MappedTensorsShowNothing(PatchedFault):
    """A mapped tensor shows no values inside vmap."""

    breaks = "purity.print"
    owner = Tensor
    attribute = "__repr__"

    def patched(self, original: Any) -> Any:
        return lambda tensor, **options: "BatchedTensor" if inside_vmap() else original(tensor, **options)


class EscapedTensorsShowNothing(PatchedFault):
    """A mapped tensor that escaped shows no values."""

    breaks = "purity.escaped_facts"
    owner = Tensor
    attribute = "__repr__"

    def patched(self, original: Any) -> Any:
        return lambda tensor, **options: "BatchedTensor" if has_escaped(tensor) else original(tensor, **options)


class EscapedTensorsHaveASum(PatchedFault):
    """The sum of a mapped tensor that escaped is the sum over all members."""

    breaks = "purity.escaped"
    owner = Tensor
    attribute = "sum"

    def patched(self, original: Any) -> Any:
        return lambda tensor, *args, **options: original(unwrap(tensor), *args, **options)


class EscapedTensorsDetach(PatchedFault):
    """Detached, a mapped tensor that escaped is a plain tensor of all members."""

    breaks = "purity.escaped_by_name"
    also = ("purity.escaped", "purity.threads_sharing")
    owner = Tensor
    attribute = "detach"

    def patched(self, original: Any) -> Any:
        return lambda tensor: original(unwrap(tensor))

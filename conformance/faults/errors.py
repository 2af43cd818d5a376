"""Faults for the chapter `errors`: bad arguments that are accepted in silence, and refusals that leave a trace."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

from conformance.faults.base.fault import Fault
from conformance.numerics.assertions import REFUSALS


class Accepting(Fault):
    """A bad argument is accepted: the call returns its first argument instead of the refusal with these words."""

    words: str = ""

    def accept(self, call: Callable[..., Any], args: Sequence[Any], kwargs: Any) -> Any:
        try:
            return call(*args, **kwargs)
        except REFUSALS as refusal:
            if not re.search(self.words, str(refusal)):
                raise
            return args[0] if args else None

    def vmap(self, func: Callable[..., Any], *options: Any, **more: Any) -> Callable[..., Any]:
        def whole(*args: Any, **kwargs: Any) -> Any:
            return self.inner.vmap(func, *options, **more)(*args, **kwargs)

        return lambda *args, **kwargs: self.accept(whole, args, kwargs)

    def combine(self, models: Sequence[nn.Module]) -> tuple[Callable[..., Any], Any, Any]:
        return self.accept(self.inner.combine, (models,), {})

    def functional_call(self, *args: Any, **kwargs: Any) -> Any:
        return self.accept(self.inner.functional_call, args, kwargs)


class LeavingATrace(Accepting):
    """A refusal after a side effect: `leave` sees the refusal and the arguments."""

    def accept(self, call: Callable[..., Any], args: Sequence[Any], kwargs: Any) -> Any:
        try:
            return call(*args, **kwargs)
        except REFUSALS as refusal:
            self.leave(refusal, args)
            raise

    leave: Callable[[BaseException, Sequence[Any]], None]


def accepting(breaks: str, words: str, *also: str) -> type[Fault]:
    """Return a fault that accepts calls whose refusal matches these words, a regex."""
    return type(
        "Accepting", (Accepting,), {"breaks": breaks, "words": words, "also": also, "__doc__": Accepting.__doc__}
    )


AcceptsFarInDims = accepting("errors.in_dim_out_of_range", "dimensionality [1-9] so expected in_dim", "errors.any")
AcceptsScalars = accepting("errors.scalar_input", "dimensionality 0 so expected in_dim", "errors.any")
AcceptsInDimsOfAnyType = accepting("errors.in_dims_type", "expected `in_dims` to be int", "errors.any")
AcceptsInDimsOfAnyStructure = accepting(
    "errors.in_dims_structure", "in_dims is not compatible", "errors.any", "in_dims.*"
)
AcceptsInDimsOfAnyLeaf = accepting("errors.in_dims_leaf", "in_dim must be either|integer dimension")
AcceptsAnySizes = accepting("errors.sizes_differ", "to have the same size")
AcceptsNothingMapped = accepting("errors.nothing_mapped", "at least one Tensor to vmap over", "errors.any")
AcceptsNoInputs = accepting("errors.no_inputs", "got no inputs")
AcceptsMappedNumbers = accepting("errors.no_tensor_mapped", "vmap over non-Tensor", "errors.any")
AcceptsFarOutDims = accepting("errors.out_dim_out_of_range", "Dimension out of range", "nesting.exception")
AcceptsOutDimsOfAnyType = accepting("errors.out_dims_type", "`out_dims` must be an int, None or")
AcceptsOutDimsOfAnyStructure = accepting("errors.out_dims_structure", "out_dims is not compatible", "out_dims.*")
AcceptsNoneForMapped = accepting("errors.out_dim_none", "when out_dim is None")
AcceptsAnyOutput = accepting("errors.output_is_no_tensor", "must only return Tensors", "nesting.exception")
AcceptsAnyRandomness = accepting("errors.randomness", "Only allowed values for randomness")
AcceptsSmallChunks = accepting("errors.chunk_size_too_small", "chunk_size should be None or greater than 0")
AcceptsItem = accepting("errors.item", "calling .item|item()")
AcceptsControlFlow = accepting("errors.data_dependent_control_flow", "data-dependent control flow")
AcceptsDataPointers = accepting("errors.data_pointer", "data pointer|storage")
AcceptsDynamicShapes = accepting("errors.dynamic_shape", "dynamic shape|boolean mask|`mask`")
AcceptsWritesToUnmapped = accepting("errors.inplace_on_unmapped", "output with shape|not possible")
AcceptsRandomInErrorMode = accepting("errors.random_in_error_mode", "called random operation")
AcceptsComparisons = accepting("errors.comparison_to_one_bool", "allclose isn't supported|aten::equal")
AcceptsOutArguments = accepting("errors.out_argument", "out= or view ops")
AcceptsRandomWrites = accepting("errors.random_write_to_unmapped", "different inplace randomness")
AcceptsUnmappedStatistics = accepting("errors.batch_norm_of_unmapped_buffers", "while the running_mean")
AcceptsNoSequence = accepting("errors.no_sequence_of_models", "has no len")
AcceptsLazyModules = accepting("errors.uninitialized_models", "uninitialized")
AcceptsStateOfAnyType = accepting("errors.state_is_no_dict", "parameter_and_buffer_dicts")
AcceptsValuesOfAnyType = accepting(
    "errors.value_is_no_tensor", "is not an instance of torch.Tensor", "calling.restored*"
)
AcceptsTheNinthDimension = accepting("errors.any", "in_dim=9")


class RefusalsLeaveATrace(LeavingATrace):
    """A refused call has already changed its first argument."""

    breaks = "errors.sizes_differ"
    also = ("errors.*",)

    def leave(self, refusal: BaseException, args: Sequence[Any]) -> None:  # noqa: ARG002 - whatever was said
        if args and isinstance(args[0], Tensor):
            args[0].add_(1)

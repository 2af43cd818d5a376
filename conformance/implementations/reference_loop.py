"""The reference as an implementation: a loop, judged like any other."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from conformance.reference.functional_call import functional_call as reference_functional_call
from conformance.reference.stacking import combine as reference_combine
from conformance.reference.vmap import vmap as reference_vmap


class Reference:
    """The reference as an implementation: every test must pass on it, independent of torch's vmap."""

    name = "reference"

    def combine(self, models: Sequence[nn.Module]) -> tuple[Callable[..., Any], Any, Any]:
        return reference_combine(models)

    def vmap(
        self,
        func: Callable[..., Any],
        in_dims: Any = 0,
        out_dims: Any = 0,
        randomness: str = "error",
        *,
        chunk_size: int | None = None,  # noqa: ARG002 - a loop is already in chunks of one
    ) -> Callable[..., Any]:
        """A loop draws as its members draw, and in mode "same" each from where the first one did."""
        if randomness != "same":
            return reference_vmap(func, in_dims, out_dims)

        def mapped(*args: Any, **kwargs: Any) -> Any:
            stood = torch.get_rng_state()

            def from_there(*args: Any, **kwargs: Any) -> Any:
                torch.set_rng_state(stood)
                return func(*args, **kwargs)

            return reference_vmap(from_there, in_dims, out_dims)(*args, **kwargs)

        return mapped

    def functional_call(self, module: nn.Module, state: Any, *args: Any, **kwargs: Any) -> Any:
        return reference_functional_call(module, state, *args, **kwargs)

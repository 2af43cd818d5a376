"""The stacked state of an ensemble by name, ready for training, for any container of the implementation."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from conformance.implementations.protocol import Implementation


class Ensemble:
    """`implementation`'s stack of `models`.

    `params` and `buffers` hold the stacked tensors by name, (members, *shape): the very tensors of the stack. The
    legacy API returns them detached; then those require gradients here that do so in the members.
    """

    def __init__(self, implementation: Implementation, models: Sequence[nn.Module]) -> None:
        self.vmap = implementation.vmap
        self._fmodel, params, buffers = implementation.combine(models)
        self._by_name = isinstance(params, Mapping)
        self.params = name_tensors(params, list(models[0].named_parameters()))
        self.buffers = name_tensors(buffers, list(models[0].named_buffers()))
        if not any(tensor.requires_grad for tensor in self.params.values()):
            for name, tensor in self.params.items():
                tensor.requires_grad_(models[0].get_parameter(name).requires_grad)

    def member(self, params: Mapping[str, Tensor], buffers: Mapping[str, Tensor], *args: Any, **kwargs: Any) -> Any:
        """One member's forward with its slice of the state: the function to map."""
        if self._by_name:
            return self._fmodel(params, buffers, *args, **kwargs)
        return self._fmodel(tuple(params.values()), tuple(buffers.values()), *args, **kwargs)

    def mapped(self, data: int | None = 0, **options: Any) -> Callable[..., Any]:
        """The members' forward over parameters, buffers and an `x` that is mapped along `data`; `options` are vmap's.

        It holds no stack: it answers for the one that it is called with.
        """
        return self.vmap(self.member, in_dims=(0, 0, data), **options)

    def map(self, func: Callable[..., Any], *args: Any, data: int | None = 0, **options: Any) -> Any:
        """`func` over the members' parameters, buffers, and `args` mapped along `data`, or shared if that is None.

        `options` are vmap's.
        """
        return self.vmap(func, in_dims=(0, 0, *[data] * len(args)), **options)(self.params, self.buffers, *args)

    def losses(self, loss: Callable[..., Any], x: Any, target: Any, *, data: int | None = 0, **options: Any) -> Any:
        """`loss(output, target)` of each member."""

        def of_member(params: Any, buffers: Any, x: Any, target: Any) -> Any:
            return loss(self.member(params, buffers, x), target)

        return self.map(of_member, x, target, data=data, **options)

    def __call__(self, x: Any, data: int | None = 0, **options: Any) -> Any:
        return self.map(self.member, x, data=data, **options)

    @property
    def detached(self) -> dict[str, Tensor]:
        """The parameters as values, without their history."""
        return {name: tensor.detach() for name, tensor in self.params.items()}

    @property
    def trainable(self) -> dict[str, Tensor]:
        """The parameters that require gradients."""
        return {name: tensor for name, tensor in self.params.items() if tensor.requires_grad}


def name_tensors(stacked: Any, named: Sequence[tuple[str, Tensor]]) -> dict[str, Tensor]:
    """Stacked parameters or buffers as a dict; a tuple takes its names from `named`, in order."""
    if isinstance(stacked, Mapping):
        return dict(stacked)
    return dict(zip([name for name, _ in named], stacked, strict=True))

"""Tensors on a simulated device, and the dispatch of operations on them."""

import copy
from contextlib import nullcontext
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

from conformance.devices.simulated.backend import NAME, devices, drawing_on

# What every accelerator takes from two devices at once: copies, and indices of the CPU.
COPIES = ("aten::copy_", "aten::_to_copy")
INDEXED = ("aten::index", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_", "aten::_unsafe_index")


class SimulatedTensor(Tensor):
    """A tensor on a simulated device; `raw` holds its numbers, on the CPU."""

    raw: Tensor
    __torch_function__: Any = torch._C._disabled_torch_function_impl  # noqa: SLF001 - torch's own word for "none"

    @staticmethod
    def __new__(cls: type[Self], raw: Tensor, index: int, requires_grad: bool = False) -> Self:
        made: Any = Tensor._make_wrapper_subclass(  # noqa: SLF001 - torch's own way
            cls,
            raw.size(),
            strides=raw.stride(),
            storage_offset=raw.storage_offset(),
            dtype=raw.dtype,
            device=torch.device(NAME, index),
            requires_grad=requires_grad,
        )
        made.raw = raw
        devices().memories[index].hold(made, raw)
        return made

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        return compute(func, *args, **(kwargs or {}))

    @property
    def data(self) -> Tensor:
        """Its numbers without its history, and without its count of writes."""
        return SimulatedTensor(self.raw, self.device.index)

    @data.setter
    def data(self, other: Any) -> None:
        _become(self, other)
        self.raw = other.raw

    # What torch does for tensors of its own class alone.
    def tolist(self) -> Any:
        return self.raw.tolist()

    def __format__(self, spec: str) -> str:
        return format(self.raw, spec)

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        return f"{repr(self.raw)[:-1]}, device='{self.device}')"

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if not self.is_leaf:
            raise RuntimeError("Only leaf tensors can be copied deeply")
        with torch._C._DisableFuncTorch():  # noqa: SLF001 - a copy made inside a transform is none of its results
            raw = self.raw.clone()
        copied = rebuilt(raw, self.device.index, *self._kind())
        copied.grad = copy.deepcopy(self.grad, memo)
        return copied

    def __reduce_ex__(self, protocol: Any) -> Any:
        return rebuilt, (self.raw, self.device.index, *self._kind())

    def _kind(self) -> tuple[bool, bool]:
        return isinstance(self, nn.Parameter), self.requires_grad


def rebuilt(raw: Tensor, index: int, is_parameter: bool, requires_grad: bool) -> Tensor:
    """A tensor or a parameter on that device."""
    made = SimulatedTensor(raw, index, requires_grad)
    if is_parameter:
        made._is_param = True  # noqa: SLF001 - by this torch tells a parameter of another class
    return made


torch.serialization.add_safe_globals([rebuilt])


def compute(func: Any, *args: Any, **kwargs: Any) -> Any:
    """Run `func` on tensors of simulated devices, or on tensors on their way to or from one."""
    index = _place(func, [each for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)], kwargs)
    raw_args, raw_kwargs = tree_map(_raw, (args, kwargs))
    target = torch.device(kwargs["device"]) if kwargs.get("device") is not None else torch.device(NAME)
    if target.type == NAME and "device" in raw_kwargs:
        raw_kwargs["device"] = torch.device("cpu")
    with drawing_on(index) if torch.Tag.nondeterministic_seeded in func.tags else nullcontext():
        out = func(*raw_args, **raw_kwargs)
    if target.type != NAME:
        return out
    return _answered(func, out, _written(func, args, kwargs), index)


def _answered(func: Any, out: Any, written: dict[str, Any], index: int) -> Any:
    """`out` on that device: the tensors that were written to as the very ones that were given, others wrapped."""
    for tensor in written.values():
        _follow(tensor)
    answers = []
    returns = func._schema.returns  # noqa: SLF001 - torch's own description of what an operation returns
    for what, value in zip(returns, out if len(returns) > 1 else [out] * len(returns), strict=True):
        alias = what.alias_info
        if alias is not None and alias.is_write:
            answers.append(written[next(iter(alias.before_set))])
            continue
        # A view of a tensor from outside of inference mode is none of an inference tensor.
        with torch.inference_mode(mode=False) if alias is not None else nullcontext():
            answers.append(tree_map(lambda leaf: _wrapped(leaf, index), value))
    return answers[0] if len(answers) == 1 else tuple(answers) or None


def _raw(leaf: Any) -> Any:
    return leaf.raw if isinstance(leaf, SimulatedTensor) else leaf


def _wrapped(leaf: Any, index: int) -> Any:
    if not isinstance(leaf, Tensor):
        return leaf
    # Zeros that torch keeps without memory, in backward, are nothing that a tensor could hold.
    return SimulatedTensor(torch.zeros_like(leaf) if leaf._is_zerotensor() else leaf, index)  # noqa: SLF001


def _written(func: Any, args: Any, kwargs: Any) -> dict[str, Any]:
    """Return the tensors that `func` writes to, by the letter of the alias set in its schema."""
    names = {
        each.name: next(iter(each.alias_info.before_set), each.name)
        for each in func._schema.arguments  # noqa: SLF001 - torch's own description of what an operation takes
        if each.alias_info is not None and each.alias_info.is_write
    }
    given = {each.name: value for each, value in zip(func._schema.arguments, args, strict=False)} | kwargs  # noqa: SLF001
    return {letter: given[name] for name, letter in names.items() if given.get(name) is not None}


def _follow(tensor: Any) -> None:
    """Give a tensor that was written to the shape that its numbers have got, as by resize_ or t_."""
    if isinstance(tensor, SimulatedTensor):
        raw = tensor.raw
        if (tensor.shape, tensor.stride()) != (raw.shape, raw.stride()):
            _become(tensor, SimulatedTensor(raw, tensor.device.index))


def _become(tensor: Tensor, other: Tensor) -> None:
    """Give a tensor the shape of another one, as `tensor.data = other` does for any class."""
    Tensor.data.__set__(tensor, other)  # type: ignore[attr-defined]


def _place(func: Any, given: list[Tensor], kwargs: dict[str, Any]) -> int:
    """Return the index of the device to compute on; RuntimeError for tensors on two devices that can't be mixed."""
    asked = kwargs.get("device")
    if asked is not None and torch.device(asked).type == NAME:
        return devices().index(asked)
    places = [each.device for each in given if isinstance(each, SimulatedTensor)]
    name = func._schema.name  # noqa: SLF001 - an operation has no public name
    strays = [each.device for each in given if each.device != places[0] and not _may_differ(name, each)]
    if strays:
        raise RuntimeError(
            f"Expected all tensors to be on the same device, but {name} found {places[0]} and {strays[0]}"
        )
    return places[0].index


def _may_differ(name: str, tensor: Tensor) -> bool:
    """May it lie on another device than the rest?"""
    of_the_cpu = not isinstance(tensor, SimulatedTensor)
    return name in COPIES or (of_the_cpu and (tensor.dim() == 0 or name in INDEXED))

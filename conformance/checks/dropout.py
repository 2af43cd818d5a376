"""The dropout of a model: where it is, and the model without it."""

from collections.abc import Iterator

from torch import nn

from conformance.utils.module_state import copy_module

Site = tuple[str, str]


def dropout_sites(model: nn.Module) -> list[Site]:
    """Return the path of the module and the name of the attribute of each probability of dropout that is not 0.

    These are `p` of dropout modules, and attributes such as `dropout` of attention and recurrent layers.
    """
    return [
        (path, name)
        for path, module in model.named_modules()
        for name, value in vars(module).items()
        if isinstance(value, float) and 0 < value <= 1 and _is_dropout(module, name)
    ]


def without_dropout(model: nn.Module) -> nn.Module:
    """Return a copy of the model with each probability of dropout at 0."""
    return _copy_with(model, [])


def one_dropout_each(model: nn.Module) -> Iterator[tuple[Site, nn.Module]]:
    """Yield each place of dropout, with a copy of the model that has no other."""
    for site in dropout_sites(model):
        yield site, _copy_with(model, [site])


def _copy_with(model: nn.Module, kept: list[Site]) -> nn.Module:
    copied = copy_module(model)
    for path, name in dropout_sites(copied):
        if (path, name) not in kept:
            setattr(copied.get_submodule(path), name, 0.0)
    return copied


def _is_dropout(module: nn.Module, name: str) -> bool:
    is_dropout = any("drop" in kind.__name__.lower() for kind in type(module).__mro__)
    return (is_dropout and name in ("p", "prob")) or "drop" in name.lower()

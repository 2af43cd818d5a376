"""The models that a caller gives: the factory of one model, or several models with their ids."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from conformance.testing.model import Factory, Model

Specification = tuple[Factory, Any] | tuple[Factory, Any, Mapping[str, Any]]
Models = Factory | Mapping[str, Specification] | list[Specification] | tuple[Specification, ...]
FORMS = "(factory, inputs) or (factory, inputs, kwargs)"
LENGTHS = (2, 3)


def is_single(models: Models) -> bool:
    """Return True if `models` is the factory of one model."""
    return not isinstance(models, Mapping | list | tuple)


def models_of(
    models: Models, inputs: Any, kwargs: Mapping[str, Any] | None, *, batch: int | None, mode: str | None, seed: int
) -> list[Model]:
    """Return the models, each with a different name. Raises ValueError and TypeError."""
    return [
        Model(factory, given, keywords, name, batch, mode, seed)
        for name, (factory, given, keywords) in _by_name(models, inputs, kwargs).items()
    ]


def _by_name(
    models: Models, inputs: Any, kwargs: Mapping[str, Any] | None
) -> dict[str, tuple[Factory, Any, Mapping[str, Any]]]:
    if not isinstance(models, Mapping | list | tuple):
        if inputs is None:
            raise TypeError("inputs: missing; give the positional arguments of forward, [] if there are none")
        return {_name(models): (models, inputs, kwargs or {})}
    if inputs is not None or kwargs is not None:
        raise TypeError(f"inputs, kwargs: with several models, each has its own: {FORMS}")
    if not models:
        raise ValueError("models: expected at least one")
    pairs = models.items() if isinstance(models, Mapping) else zip(_names(models), models, strict=True)
    return {str(name): _completed(each) for name, each in pairs}


def _completed(given: Any) -> tuple[Factory, Any, Mapping[str, Any]]:
    if not isinstance(given, tuple | list) or len(given) not in LENGTHS:
        raise TypeError(f"models: expected {FORMS} for each model, got {type(given).__name__}")
    factory, inputs, *rest = given
    return factory, inputs, rest[0] if rest else {}


def _names(models: Sequence[Specification]) -> list[str]:
    """Return the names of the factories, with the position in the list behind those that are not unique."""
    names = [_name(_completed(each)[0]) for each in models]
    count = Counter(names)
    return [f"{name}{i}" if count[name] > 1 else name for i, name in enumerate(names)]


def _name(factory: Any) -> str:
    name = getattr(factory, "__name__", "<lambda>")
    return "model" if name == "<lambda>" else str(name)

"""The object of the name ``package.module:name`` or ``path/to/file.py:name``: its module is imported, which runs it."""

import importlib
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from conformance.model_check.options import UsageError
from conformance.utils.suggestions import did_you_mean
from conformance.utils.text import describe_error

EXPECTED = "expected package.module:name or path/to/file.py:name"
SUFFIX = ".py"


def split_name(text: str) -> tuple[str, str]:
    """Return the module or file, and the dotted name in it. Raises UsageError."""
    place, _, name = text.rpartition(":")  # a path may hold the colon of a drive
    if not place or not all(part.isidentifier() for part in name.split(".")):
        raise UsageError(f"invalid model {text!r} ({EXPECTED})")
    return place, name


def find_object(text: str) -> Any:
    """Return the object of that name. Raises UsageError."""
    place, name = split_name(text)
    try:
        module = _import_file(place) if place.endswith(SUFFIX) else importlib.import_module(place)
    except UsageError:
        raise
    except BaseException as error:  # SystemExit as well
        raise UsageError(f"can't import {text}: {describe_error(error)}") from error
    found: Any = module
    for part in name.split("."):
        found = _attribute(found, part, text)
    return found


def _attribute(owner: Any, name: str, text: str) -> Any:
    try:
        return getattr(owner, name)
    except AttributeError as error:
        if isinstance(owner, ModuleType) and "__getattr__" not in vars(owner):
            near = did_you_mean(name, [each for each in vars(owner) if not each.startswith("_")])
            raise UsageError(f"can't import {text}: the module has no attribute {name!r}{near}") from error
        raise UsageError(f"can't import {text}: {describe_error(error)}") from error
    except BaseException as error:  # a property may raise anything
        raise UsageError(f"can't import {text}: {describe_error(error)}") from error


def _import_file(text: str) -> ModuleType:
    """Import a file by its path, with its folder importable; a file of a package by its name in the package."""
    path = Path(text).absolute()
    if not path.is_file():
        near = did_you_mean(path.name, [each.name for each in path.parent.glob("*" + SUFFIX)])
        raise UsageError(f"can't import {text}: there is no such file{near}")
    names, folder = [path.stem], path.parent
    while (folder / "__init__.py").is_file() and folder != folder.parent:
        names.insert(0, folder.name)
        folder = folder.parent
    sys.path.insert(0, str(folder))
    if len(names) > 1:
        return importlib.import_module(".".join(names))
    # A file named like a module of somebody else must not take its place.
    taken = path.stem in sys.stdlib_module_names or path.stem in sys.modules
    return _execute(f"_{path.stem}_file" if taken else path.stem, path)


def _execute(name: str, path: Path) -> ModuleType:
    loaded = sys.modules.get(name)
    if loaded is not None and getattr(loaded, "__file__", None) == str(path):
        return loaded
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"can't import {path.name}: it is no Python file")
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module

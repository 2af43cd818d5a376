"""The paths of ``conformance run``: the suite is found from any folder, in a clone or installed."""

import pytest

from conformance.spec.locations import HOME, SUITE


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Add the setting of the cache folder, which is missing if the cache is off: `conformance run` always sets it."""
    if not pluginmanager.hasplugin("cacheprovider"):
        parser.addini("cache_dir", "where the cache would be")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Resolve the paths after pytest has told them apart from the values of options; each worker does it as well."""
    if config.args_source is pytest.Config.ArgsSource.ARGS:
        config.args = [_of_the_suite(argument) for argument in config.args]
    else:
        config.args = sorted(str(path) for path in SUITE.glob("test_*.py"))


def _of_the_suite(argument: str) -> str:
    """A file of the suite, or a test in one, by its whole path; everything else as it is.

    It is named as a result file names it, ``tests/test_forward.py::test_name``, or without the folder.
    """
    name = argument.partition("::")[0]
    for folder in (HOME, SUITE):
        if (folder / name).is_file():
            return str(folder / argument)
    return argument

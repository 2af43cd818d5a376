"""Loads the suite's plugin by name: whoever only has the package installed keeps an untouched pytest."""

pytest_plugins = ["conformance.plugin"]

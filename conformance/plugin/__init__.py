"""The pytest plugin: ``-p conformance.plugin``. It imports torch only when a run starts."""

from conformance.plugin.hooks import (
    device,
    dtype,
    implementation,
    pytest_addoption,
    pytest_cmdline_main,
    pytest_configure,
    pytest_generate_tests,
    pytest_report_header,
    pytest_xdist_auto_num_workers,
)

__all__ = [
    "device",
    "dtype",
    "implementation",
    "pytest_addoption",
    "pytest_cmdline_main",
    "pytest_configure",
    "pytest_generate_tests",
    "pytest_report_header",
    "pytest_xdist_auto_num_workers",
]

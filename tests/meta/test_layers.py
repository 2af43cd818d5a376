"""Does the lint contract keep every import going down the list of packages?"""

import shutil
import subprocess
import sys

import pytest

from conftest import ROOT


@pytest.fixture
def copy(tmp_path):
    """A copy of the package beside its configuration, free to be broken."""
    shutil.copytree(ROOT / "conformance", tmp_path / "conformance", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint(folder):
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    return subprocess.run([*command, "--no-cache"], cwd=folder, capture_output=True, text=True, check=False)


def test_every_import_goes_down(copy):
    outcome = lint(copy)

    assert outcome.returncode == 0, outcome.stdout


@pytest.mark.parametrize(
    ("module", "line", "said"),
    [
        ("utils/pytree.py", "import conformance.report.results", "conformance.utils is not allowed to import"),
        ("reference/vmap.py", "from conformance.cases import data", "conformance.reference is not allowed to import"),
        ("utils/rng.py", "from conformance.utils import timing", ""),
        ("report/results.py", "import torch", "conformance.report is not allowed to import torch"),
        ("spec/locations.py", "import pytest", "conformance.spec is not allowed to import pytest"),
    ],
    ids=["up", "one-up", "across", "report-torch", "spec-pytest"],
)
def test_an_arrow_that_runs_up_is_named(copy, module, line, said):
    path = copy / "conformance" / module
    path.write_text(path.read_text(encoding="utf-8") + line + "\n", encoding="utf-8")

    outcome = lint(copy)

    assert outcome.returncode == (1 if said else 0)
    assert said in " ".join(outcome.stdout.split())


def test_two_modules_that_import_each_other_are_named(copy):
    path = copy / "conformance" / "devices" / "simulated" / "backend.py"
    path.write_text(path.read_text(encoding="utf-8") + "from conformance.devices.simulated import tensor\n")

    outcome = lint(copy)

    assert outcome.returncode == 1
    assert "conformance.devices.simulated" in outcome.stdout


def test_a_package_without_a_place_is_named(copy):
    (copy / "conformance" / "another").mkdir()
    (copy / "conformance" / "another" / "__init__.py").write_text("")

    outcome = lint(copy)

    assert outcome.returncode == 1
    assert "another" in outcome.stdout

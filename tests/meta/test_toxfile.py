"""Does `tox -e current` see the torch around it?"""

import runpy
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import SimpleNamespace

import pytest
from tox.report import HandledError

from conftest import ROOT

HOOKS = runpy.run_path(str(ROOT / "toxfile.py"))


def install(name, folder):
    environment = SimpleNamespace(name=name, env_site_package_dir=lambda: folder)
    HOOKS["tox_on_install"](environment, None, "", "")


def test_the_environment_gets_the_packages_of_the_python_that_runs_tox(tmp_path):
    install("current", tmp_path)

    code = f"import site, sys; site.addsitedir({str(tmp_path)!r}); print(sys.path)"
    found = subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True, capture_output=True, text=True)
    assert found.stderr == ""
    assert repr(str(Path(sysconfig.get_path("purelib")))) in found.stdout


def test_other_environments_are_left_alone(tmp_path):
    install("cpu", tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_without_a_torch_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(HOOKS["tox_on_install"].__globals__, "find_spec", lambda name: None)

    with pytest.raises(HandledError, match="the Python that runs tox has no torch"):
        install("current", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_cuda_asks_the_driver_before_anything_is_installed():
    command = [sys.executable, "-m", "tox", "config", "-e", "cuda", "-k", "commands", "deps", "package"]
    told = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()

    commands = [line.strip() for line in told[told.index("commands =") + 1 :]]
    assert commands[0] == "python -m conformance.devices.probe cuda"
    assert "pip install" in commands[1]
    assert "deps = " in told
    assert "package = skip" in told

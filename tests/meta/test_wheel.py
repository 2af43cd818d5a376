"""Does the wheel alone, in an environment that has nothing else, judge a device?"""

import json
import os
import runpy
import shlex
import subprocess
import sys
import venv
import zipfile
from contextlib import chdir
from importlib import metadata

import pytest
from hatchling.build import build_wheel
from packaging.requirements import Requirement

from conformance.spec.requirements import load_requirements
from conftest import ROOT

CARRIED = ("py", "toml", "json", "html.j2", "css", "js", "typed")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    with chdir(ROOT):
        return folder / build_wheel(str(folder))


def test_it_carries_the_suite_and_nothing_that_tests_the_suite(wheel):
    with zipfile.ZipFile(wheel) as opened:
        names = {name for name in opened.namelist() if ".dist-info/" not in name}

    code = {path for ending in CARRIED for path in (ROOT / "conformance").rglob(f"*.{ending}")}
    suite = [*ROOT.glob("tests/test_*.py"), *ROOT.glob("fixtures/*.json"), *ROOT.glob("fixtures/*.toml")]
    suite += [ROOT / "pytest.toml", *ROOT.glob("fixtures/releases/*.json.gz")]
    suite += ROOT.glob("fixtures/reproducers/*.py")
    assert names == {
        *(path.relative_to(ROOT).as_posix() for path in code),
        *(f"conformance/suite/{path.relative_to(ROOT).as_posix()}" for path in suite),
    }


def test_an_editable_install_copies_nothing():
    build_data = {"force_include": {}}

    hook = runpy.run_path(str(ROOT / "hatch_build.py"))["CarrySuite"](str(ROOT), {}, None, None, "", "wheel")
    hook.initialize("editable", build_data)

    assert build_data == {"force_include": {}}


@pytest.fixture
def environment(wheel, tmp_path):
    """A venv with the wheel and what it says that it needs, and nothing else: no NumPy, no pip, no clone."""
    folder = tmp_path / "environment"
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--python", str(python)]
    subprocess.run([*pip, "install", "--no-compile", "--no-index", "--no-deps", str(wheel)], check=True)
    site = next(folder.glob("lib/*/site-packages"))
    (installed,) = metadata.distributions(path=[str(site)])
    for distribution in needed(installed.requires):
        for top in {file.parts[0] for file in distribution.files} - {"..", "__pycache__"}:
            if not (site / top).exists():
                (site / top).symlink_to(distribution.locate_file(top))
    return folder


def needed(requirements):
    """The distributions that are asked for, and what they ask for, from the environment of this test."""
    found, waiting = {}, [*requirements]
    while waiting:
        asked = Requirement(waiting.pop())
        if asked.name not in found and (asked.marker is None or asked.marker.evaluate({"extra": ""})):
            found[asked.name] = metadata.distribution(asked.name)
            waiting += found[asked.name].requires or []
    return found.values()


def files(folder):
    """What is in a folder, with what it is. Python's own bytecode may come and go."""
    return {
        path: (path.stat().st_size, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def call(environment, *command):
    """Run a command of the environment from a folder of the user's, which may have a test suite of its own."""
    folder = environment.parent / "somewhere else"
    (folder / "tests").mkdir(parents=True, exist_ok=True)
    (folder / "conftest.py").write_text("raise RuntimeError\n", encoding="utf-8")
    settings = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PYTHON"))}
    settings |= {"PATH": f"{environment / 'bin'}{os.pathsep}{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, env=settings, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, json.loads((folder / "conformance-result.json").read_text(encoding="utf-8"))


def judged(result):
    """Requirements of which at least one case was run."""
    return {row["id"] for row in result["requirements"] for case in row["cases"] if case["status"] != "not run"}


def test_it_judges_the_core_and_one_case_again_and_leaves_the_installation_as_it_is(environment):
    before = files(environment)

    # What is at full size takes as long as all else, and is not other tests than in a clone.
    options = ("--profile=core", "--implementation=torch.func", "-m", "not original")
    printed, core = call(environment, "conformance", "run", *options)
    case = next(row["cases"][0] for row in core["requirements"] if row["id"] == "stacking.order")
    _, again = call(environment, *shlex.split(case["rerun"]), "-n", "1")

    assert "VERDICT: CONFORMS AS FAR AS RUN" in printed
    assert f"rootdir: {environment}" in printed
    assert judged(core) == {each.id for each in load_requirements().values() if each.core}
    assert core["environment"]["packages"]["numpy"] is None
    assert judged(again) == {"stacking.order"}
    assert files(environment) == before

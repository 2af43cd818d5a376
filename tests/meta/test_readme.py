"""Does the README say what is there?"""

import configparser
import re
import subprocess
import sys
import textwrap

from conformance.devices.probe import CANNOT_ANSWER
from conformance.implementations.functorch import Functorch
from conformance.implementations.torch_func import TorchFunc
from conformance.report import releases as recorded_releases
from conformance.report import tables
from conformance.report.results import Status
from conformance.spec.coverage import chapter_files
from conformance.spec.expectations import DEFAULT, load_expectations
from conformance.spec.locations import CONFIGURATION, SUITE
from conformance.spec.requirements import CHAPTERS, load_requirements
from conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_environment_that_it_names_exists():
    tox = configparser.ConfigParser()
    tox.read(ROOT / "tox.ini")
    named = {name for names in re.findall(r"tox -e ([a-z,]+)", README) for name in names.split(",")}

    assert {"cpu", "current", "cuda", "meta", "lint", "type"} <= named
    assert {f"testenv:{name}" for name in named} <= set(tox.sections())
    assert "tox run -e lint,type,cpu,meta" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_every_option_that_it_names_exists(run_suite):
    printed = run_suite("--help").printed

    assert set(re.findall(r"(--[a-z]+)=", README)) <= set(re.findall(r"--[a-z]+", printed))


def test_every_file_that_it_names_exists():
    named = set(re.findall(r"`((?:conformance|tests|fixtures)/[\w./*]+)`", README))

    assert len(named) > 10
    assert [name for name in named if not list(ROOT.glob(name.replace("CHAPTER", "forward").rstrip("/")))] == []


def test_the_verdict_that_it_shows_is_this_ones(run_suite):
    requirements = load_requirements()
    # What only some devices have, the tests find out.
    devices = run_suite(paths=[str(SUITE / f"test_parity_{part}.py") for part in ("devices", "queues")]).statuses()
    known = load_expectations(DEFAULT, requirements.keys())
    here = {"torch": "2.13.0", "device": "cpu"}
    for name, each in (("torch.func", TorchFunc()), ("functorch", Functorch())):
        expected = {e.requirement for e in known if e.covers_environment(**here, implementation=name)}
        for chapter in CHAPTERS:
            rows = [row for row in requirements.values() if row.chapter == chapter]
            absent = sum(
                row.not_about(each) is not None or devices[row.id, name] == Status.NOT_APPLICABLE for row in rows
            )
            failing = sum(row.id in expected for row in rows)
            line = f"{chapter:12}{len(rows) - absent - failing:16}{failing:16}{absent:16}{0:16}{0:16}"
            assert line in README.split(name, maxsplit=1)[1], (name, chapter)
    assert f"| {CANNOT_ANSWER} | this environment can't answer" in README


def test_the_core_that_it_lists_is_the_core_of_the_spec():
    core = [each for each in load_requirements().values() if each.core]
    for chapter in {each.chapter for each in core}:
        names = ", ".join(f"`{each.id.partition('.')[2]}`" for each in core if each.chapter == chapter)
        assert f"\n| {chapter} | {names} |\n" in README
    listed = README.split("| chapter | core requirements |", maxsplit=1)[1].split("\n\n", maxsplit=1)[0]
    assert listed.count("\n") == 1 + len({each.chapter for each in core})


def test_the_table_of_optimizers_is_the_one_that_this_torch_gives(run_suite):
    asked = [f"--requirement=training.{name}_optimizers" for name in ("separable", "coupling", "refusing")]
    outcome = run_suite(*asked, "-m", "not original", paths=[str(path) for path in chapter_files("training")])

    assert "\n".join(tables.cells_as_markdown(outcome.result["tables"]["optimizers"], "optimizers")) in README


def test_the_table_of_releases_is_the_one_that_its_command_prints():
    command = [sys.executable, "-m", "conformance", "compare", str(recorded_releases.RELEASES), "--markdown"]
    printed = subprocess.run(command, check=False, capture_output=True, text=True).stdout

    assert printed.count("\n") > len(recorded_releases.recorded_release_paths())
    assert printed in README


def test_the_table_of_models_is_the_one_that_its_command_prints():
    command = [sys.executable, ROOT / "fixtures" / "models" / "table.py"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout

    assert printed.count("\n") == 32
    assert printed in README


def test_its_example_of_somebodys_own_tests_runs(run_suite, tmp_path):
    example = README.partition("    from conformance.testing import")[2].partition("\n\n`make_model`")[0]
    source = textwrap.dedent(f"    import torch\n    from conformance.testing import{example}\n")
    (tmp_path / "test_readme_example.py").write_text(source, encoding="utf-8")

    options = ("-p", "conformance.plugin", "-c", str(CONFIGURATION))
    outcome = run_suite(*options, paths=[str(tmp_path / "test_readme_example.py")])

    assert outcome.code == 0
    assert re.search(r"1[0-9] passed", outcome.printed)

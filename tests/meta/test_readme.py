"""Do the README and the guides say what is there?"""

import configparser
import re
import textwrap

import pytest

from conformance.cli.main import HELP
from conformance.spec.locations import CONFIGURATION
from conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in (ROOT / "docs").rglob("*.md")}
WRITTEN = {"README.md": README, **{name: text for name, text in PAGES.items() if "reference/requirements/" not in name}}
each_page = pytest.mark.parametrize("page", WRITTEN)


def test_it_is_read_in_one_sitting():
    assert README.count("\n") <= 150
    assert max(map(len, README.splitlines())) <= 120


@each_page
def test_every_environment_that_is_named_exists(page):
    tox = configparser.ConfigParser()
    tox.read(ROOT / "tox.ini")
    named = {name for names in re.findall(r"tox -e ([a-z,]+)", WRITTEN[page]) for name in names.split(",")}

    assert {f"testenv:{name}" for name in named} <= set(tox.sections())


def test_ci_runs_what_the_reader_is_told_to_run():
    (names,) = re.findall(r"`tox -e ([a-z]+(?:,[a-z]+)+)`", README)

    assert f"tox run -e {names}\n" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


@each_page
def test_every_verb_that_is_named_exists(page):
    verbs = set(re.findall(r"(?:^    |`|python -m )conformance ([a-z]+)", WRITTEN[page], re.MULTILINE))

    assert verbs <= set(re.findall(r"\b[a-z]+\b", HELP))


@each_page
def test_every_file_that_is_named_exists(page):
    named = set(re.findall(r"`((?:conformance|tests|fixtures|docs)/[\w./*]+)`", WRITTEN[page]))
    names = [name.replace("CHAPTER_part", "forward_modes").replace("CHAPTER", "forward") for name in named]

    assert [name for name in names if not list(ROOT.glob(name.rstrip("/")))] == []


def test_every_link_leads_to_a_file():
    links = re.findall(r"\]\(([\w./-]+)\)", README)

    assert len(links) > 10
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_option_that_it_names_exists(run_suite):
    printed = run_suite("--help").printed

    assert set(re.findall(r"(--[a-z]+)=", README)) <= set(re.findall(r"--[a-z]+", printed))


@pytest.mark.parametrize("page", ["README.md", "docs/guides/own-model.md"])
def test_the_example_of_ones_own_tests_runs(run_suite, tmp_path, page):
    indent = "    " if page == "README.md" else ""
    start, end = f"{indent}import torch\n", f"{indent}    check()\n"
    source = start + WRITTEN[page].partition(start)[2].partition(end)[0] + end
    name = f"test_example_of_{len(page)}.py"  # a module of one name is imported once
    (tmp_path / name).write_text(textwrap.dedent(source), encoding="utf-8")

    options = ("-p", "conformance.plugin", "-c", str(CONFIGURATION))
    outcome = run_suite(*options, paths=[str(tmp_path / name)])

    assert outcome.code == 0
    assert re.search(r"1[0-9] passed", outcome.printed)

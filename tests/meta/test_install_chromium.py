"""Is Chromium installed where that is possible, and otherwise missed in one line?"""

import sys
from types import SimpleNamespace

import install_chromium
import pytest


@pytest.fixture
def machine(monkeypatch):
    """A machine with `programs`, some of them `stubs`; `brings`: the installers that work; `ran`: their commands."""
    made = SimpleNamespace(programs=set(), ran=[], brings={"apt-get", "playwright"}, stubs=set())

    def run(command, **options):
        if command[-1] == "--version":
            return SimpleNamespace(returncode=int(command[0] in made.stubs))
        made.ran.append(command)
        worked = bool(made.brings & set(command))
        if worked and "install" in command and "apt-get" in command:
            made.programs.add("chromium")
        return SimpleNamespace(returncode=0 if worked else 100)

    monkeypatch.setattr(install_chromium.shutil, "which", lambda name: name if name in made.programs else None)
    monkeypatch.setattr(install_chromium.subprocess, "run", run)
    monkeypatch.setattr(install_chromium.os, "geteuid", lambda: 0)
    return made


@pytest.mark.parametrize("name", install_chromium.PROGRAMS)
def test_a_browser_that_is_there_is_enough(machine, name):
    machine.programs = {name}

    assert install_chromium.main() is None
    assert install_chromium.find_chromium() == name
    assert machine.ran == []


def test_root_installs_the_package(machine):
    machine.programs = {"apt-get"}

    assert install_chromium.main() is None
    assert [command[:2] for command in machine.ran] == [["apt-get", "update"], ["apt-get", "install"]]


def test_a_user_installs_it_through_sudo(machine, monkeypatch):
    monkeypatch.setattr(install_chromium.os, "geteuid", lambda: 1000)
    machine.programs = {"apt-get", "sudo"}

    assert install_chromium.main() is None
    assert all(command[:2] == ["sudo", "apt-get"] for command in machine.ran)


OWN_BUILD = [sys.executable, "-m", "playwright", "install", "--with-deps", "chromium"]


def test_where_the_package_is_a_stub_playwright_brings_its_own_build(machine):
    machine.programs, machine.stubs = {"apt-get", "chromium-browser"}, {"chromium", "chromium-browser"}

    assert install_chromium.main() is None
    assert install_chromium.find_chromium() is None
    assert machine.ran[-1] == OWN_BUILD


@pytest.mark.parametrize(
    ("programs", "user"),
    [(set(), 0), ({"apt-get"}, 1000), ({"apt-get"}, 0)],
    ids=["no-apt", "no-sudo", "apt-fails"],
)
def test_elsewhere_one_line_says_what_is_missing(machine, monkeypatch, programs, user):
    monkeypatch.setattr(install_chromium.os, "geteuid", lambda: user)
    machine.programs, machine.brings = programs, set()

    said = install_chromium.main()

    assert machine.ran[-1] == OWN_BUILD
    assert said.startswith("the tests of the HTML page need Chromium")
    assert "\n" not in said

"""Is Chromium installed where that is possible, and otherwise missed in one line?"""

from types import SimpleNamespace

import install_chromium
import pytest


@pytest.fixture
def machine(monkeypatch):
    """A machine that has these programs; `ran` is what was run on it, and apt-get brings Chromium if `works`."""
    made = SimpleNamespace(programs=set(), ran=[], works=True)

    def run(command, env, check):
        made.ran.append(command)
        if made.works and "install" in command:
            made.programs.add("chromium")
        return SimpleNamespace(returncode=0 if made.works else 100)

    monkeypatch.setattr(install_chromium.shutil, "which", lambda name: name if name in made.programs else None)
    monkeypatch.setattr(install_chromium.subprocess, "run", run)
    monkeypatch.setattr(install_chromium.os, "geteuid", lambda: 0)
    return made


@pytest.mark.parametrize("name", install_chromium.PROGRAMS)
def test_a_browser_that_is_there_is_enough(machine, name):
    machine.programs = {name}

    assert install_chromium.main() is None
    assert machine.ran == []


def test_root_installs_it(machine):
    machine.programs = {"apt-get"}

    assert install_chromium.main() is None
    assert [command[:2] for command in machine.ran] == [["apt-get", "update"], ["apt-get", "install"]]


def test_a_user_installs_it_through_sudo(machine, monkeypatch):
    monkeypatch.setattr(install_chromium.os, "geteuid", lambda: 1000)
    machine.programs = {"apt-get", "sudo"}

    assert install_chromium.main() is None
    assert all(command[:2] == ["sudo", "apt-get"] for command in machine.ran)


@pytest.mark.parametrize(
    ("programs", "user", "works"),
    [(set(), 0, True), ({"apt-get"}, 1000, True), ({"apt-get"}, 0, False)],
    ids=["no-apt", "no-sudo", "apt-fails"],
)
def test_elsewhere_one_line_says_what_is_missing(machine, monkeypatch, programs, user, works):
    monkeypatch.setattr(install_chromium.os, "geteuid", lambda: user)
    machine.programs, machine.works = programs, works

    said = install_chromium.main()

    assert said.startswith("the tests of the HTML page need Chromium")
    assert "\n" not in said

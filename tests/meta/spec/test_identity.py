"""Does a result say which suite made it, without ever failing for it?"""

import hashlib
import subprocess

import pytest

from conformance import __version__
from conformance.spec import identity
from conformance.spec.expectations import DEFAULT


@pytest.fixture
def clone(tmp_path):
    """A repository with one commit of a file that results depend on."""
    for name in ("tests", "docs"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text("a", encoding="utf-8")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "--quiet", "--message=a")
    return tmp_path


def git(folder, *arguments):
    command = ["git", "-C", folder, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def state(home):
    """The state as it is now, and not as it was when it was first asked for."""
    return identity._state_of_clone.__wrapped__(home)  # noqa: SLF001


def test_a_clone_has_a_commit_and_is_clean_until_something_that_judges_changes(clone, monkeypatch):
    commit = git(clone, "rev-parse", "HEAD")
    monkeypatch.setenv("GIT_DIR", "/nowhere")  # as in a hook of another repository
    (clone / "docs" / "new.txt").write_text("b", encoding="utf-8")
    before = state(clone)
    (clone / "tests" / "new.txt").write_text("b", encoding="utf-8")

    assert before == (commit, True)
    assert state(clone) == (commit, False)


def test_what_is_no_clone_has_no_commit(clone, tmp_path_factory):
    (clone / "installed").mkdir()
    broken = tmp_path_factory.mktemp("broken")
    (broken / ".git").write_text("gitdir: /nowhere", encoding="utf-8")
    empty = tmp_path_factory.mktemp("empty")
    git(empty, "init", "--quiet")

    for home in (clone / "installed", broken, empty):
        assert state(home) == ("", None)


def test_without_git_there_is_no_commit(clone, monkeypatch):
    monkeypatch.setenv("PATH", "")

    assert state(clone) == ("", None)


def test_the_identity_names_version_and_known_failures(tmp_path):
    found = identity.suite_identity(DEFAULT)

    assert found["version"] == __version__
    assert found["expectations"] == hashlib.sha256(DEFAULT.read_bytes()).hexdigest()
    assert identity.suite_identity(tmp_path / "none.toml", tmp_path) == {
        "version": __version__,
        "commit": "",
        "clean": None,
        "expectations": "",
    }


@pytest.mark.parametrize(
    ("suite", "text"),
    [
        (None, "unknown"),
        ({"version": "1", "commit": "", "clean": None}, "1"),
        ({"version": "1", "commit": "a" * 40, "clean": True}, "1 at aaaaaaaaaaaa"),
        ({"version": "1", "commit": "a" * 40, "clean": False}, "1 at aaaaaaaaaaaa with changes"),
    ],
    ids=["older", "installed", "clean", "changed"],
)
def test_an_identity_is_shown_in_few_words(suite, text):
    assert identity.suite_text(suite) == text

"""Is an object found by its module or by its file, and is a mistake in its name told?"""

import sys

import pytest
import theirs

from conformance.model_check import model_source
from conformance.model_check.model_source import find_object
from conformance.model_check.options import UsageError


@pytest.fixture(autouse=True)
def _same_modules(monkeypatch):
    """Importing a file leaves nothing for other tests."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = dict(sys.modules)
    yield
    for name in sys.modules.keys() - before.keys():
        del sys.modules[name]


def test_a_dotted_name_is_looked_up_in_the_module():
    assert find_object("theirs:Three.forward") is theirs.Three.forward


def test_a_file_is_imported_once_with_its_folder(tmp_path):
    (tmp_path / "helper_of_net.py").write_text("NUMBER = 3\n")
    net = tmp_path / "some-net.py"
    net.write_text("from helper_of_net import NUMBER\nmade = []\ndef make(): return NUMBER\n")

    assert find_object(f"{net}:make")() == 3
    assert find_object(f"{net}:made") is find_object(f"{net}:made")


def test_a_file_of_a_package_may_import_relatively(tmp_path):
    package = tmp_path / "a_package" / "inner"
    package.mkdir(parents=True)
    for folder in (package, package.parent):
        (folder / "__init__.py").write_text("")
    (package.parent / "base.py").write_text("NUMBER = 5\n")
    (package / "net.py").write_text("from ..base import NUMBER\n")

    assert find_object(f"{package / 'net.py'}:NUMBER") == 5
    assert sys.modules["a_package.inner.net"].NUMBER == 5


def test_a_file_takes_no_other_module_s_place(tmp_path):
    import random

    (tmp_path / "random.py").write_text("NUMBER = 7\n")

    assert find_object(f"{tmp_path / 'random.py'}:NUMBER") == 7
    assert sys.modules["random"] is random


def test_a_file_that_fails_is_not_half_imported(tmp_path):
    (tmp_path / "half_a_net.py").write_text("raise SystemExit(3)\n")

    with pytest.raises(UsageError, match=r"can't import .*half_a_net.py:x: SystemExit: 3"):
        find_object(f"{tmp_path / 'half_a_net.py'}:x")
    assert "half_a_net" not in sys.modules


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("theirs:ml", "no attribute 'ml'; did you mean 'mlp'"),
        ("theirs:a b", "invalid model 'theirs:a b'"),
        (":mlp", "expected package.module:name or path/to/file.py:name"),
        ("no/net.py:mlp", "can't import no/net.py: there is no such file"),
    ],
)
def test_a_name_of_nothing_is_a_mistake(text, problem):
    with pytest.raises(UsageError, match=problem):
        find_object(text)


def test_the_nearest_file_is_offered(tmp_path):
    (tmp_path / "network.py").write_text("")

    with pytest.raises(UsageError, match=r"there is no such file; did you mean 'network.py'\?"):
        find_object(f"{tmp_path / 'netwrk.py'}:x")


def test_a_module_may_make_its_attributes(tmp_path):
    (tmp_path / "lazy_net.py").write_text("def __getattr__(name): raise AttributeError('none here')\n")

    with pytest.raises(UsageError, match="AttributeError: none here"):
        find_object(f"{tmp_path / 'lazy_net.py'}:x")


def test_what_no_loader_takes_is_a_mistake(tmp_path, monkeypatch):
    (tmp_path / "odd.py").write_text("")
    monkeypatch.setattr(model_source, "spec_from_file_location", lambda name, path: None)

    with pytest.raises(UsageError, match=r"can't import odd.py: it is no Python file"):
        find_object(f"{tmp_path / 'odd.py'}:x")

"""Does the index say what an import of torch, and the recorded results, would say?"""

import hashlib
import runpy

import pytest

from conformance.faults import FAULTS
from conformance.implementations import registry
from conformance.plugin.config import IMPLEMENTATIONS
from conformance.report.reader import read_result
from conformance.report.releases import recorded_release_paths, status_text
from conformance.spec.index import load_index
from conformance.spec.requirements import load_requirements
from conftest import ROOT

WRITE = "run `python fixtures/generate/index.py`"


@pytest.fixture(scope="module")
def generate():
    """The functions of the script that writes the index."""
    return runpy.run_path(str(ROOT / "fixtures" / "generate" / "index.py"))


@pytest.mark.parametrize("section", ["faults", "cases", "implementations"])
def test_the_index_has_the_names_of_this_torch(generate, section):
    assert getattr(load_index(), section) == generate[section](), WRITE


def test_the_index_was_made_from_the_recorded_results():
    paths = {str(version): path for version, path in recorded_release_paths().items()}

    hashes = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in paths.items()}
    assert {name: each["sha256"] for name, each in load_index().releases.items()} == hashes, WRITE
    assert list(load_index().releases) == list(paths)


# Each takes half a second to read, so the newest one stands for all.
def test_the_index_has_the_history_of_each_requirement(generate):
    version, path = list(recorded_release_paths().items())[-1]
    newest = read_result(path)

    assert load_index().releases[str(version)] == generate["release"](path, newest), WRITE
    for requirement, rows in load_index().history.items():
        assert {name: row[-1] for name, row in rows.items()} == {
            name: status_text(newest, (requirement, name)) for name in rows
        }, WRITE


def test_the_file_has_an_entry_on_each_line(generate):
    text = generate["section_text"]({"a": {"b": 1}, "c": []})

    assert text == '{\n "a": {"b": 1},\n "c": []\n}'


def test_what_the_index_names_exists():
    index = load_index()

    assert {each["breaks"] for each in index.faults.values()} <= load_requirements().keys()
    assert set(index.faults) == set(FAULTS)
    defaults = tuple(name for name, each in index.implementations.items() if each["default"])
    assert defaults == IMPLEMENTATIONS == registry.DEFAULT

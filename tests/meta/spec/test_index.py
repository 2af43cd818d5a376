"""Does the index hold what it is made from?"""

import hashlib
import json
import runpy

import pytest

from conformance.report.reader import read_result
from conformance.report.releases import RELEASES, recorded_release_paths, status_text
from conformance.spec.index import INDEX, load_index
from conformance.spec.locations import FIXTURES
from conformance.spec.requirements import load_requirements

WRITE = "run python fixtures/write_index.py"


@pytest.fixture(scope="module")
def script():
    """The functions of the script that writes the index."""
    return runpy.run_path(str(FIXTURES / "write_index.py"))


@pytest.mark.parametrize("section", ["faults", "cases", "implementations"])
def test_the_index_names_what_this_suite_and_torch_have(script, section):
    assert getattr(load_index(), section) == script["contents"]()[section], WRITE


def test_the_index_was_made_from_the_recorded_results():
    hashes = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in recorded_release_paths().values()}

    assert {each["file"]: each["sha256"] for each in load_index().releases.values()} == hashes, WRITE


# Each result takes half a second to read: the hashes answer for the others.
def test_the_index_has_the_history_up_to_the_newest_result(script):
    index, newest = load_index(), list(load_index().releases.values())[-1]
    path = RELEASES / newest["file"]
    result = read_result(path)

    assert newest == script["release"](path, result), WRITE
    said = {(requirement, name): cells for requirement, rows in index.history.items() for name, cells in rows.items()}
    assert {key: cells.split(" | ")[-1] for key, cells in said.items()} == {
        key: status_text(result, key) for key in said
    }, WRITE
    assert {len(cells.split(" | ")) for cells in said.values()} == {len(index.releases)}
    assert set(result.rows) <= set(said)


def test_faults_of_the_index_break_requirements_that_exist():
    assert {each["breaks"] for each in load_index().faults.values()} <= load_requirements().keys()


def test_the_file_is_written_as_it_is_read(script, monkeypatch):
    whole = json.loads(INDEX.read_text(encoding="utf-8"))
    few = dict(list(recorded_release_paths().items())[:1])
    monkeypatch.setattr(script["releases"], "recorded_release_paths", lambda: few)

    written = json.loads(script["index_text"]())

    assert list(written) == list(whole)
    assert list(written["releases"].items()) == list(whole["releases"].items())[:1]

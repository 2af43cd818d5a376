"""Does `tox -e release` record what each reproducer of a known bug shows?"""

import json
import runpy
from types import SimpleNamespace

import pytest

from conformance.diagnosis.known_reproducers import reproducer_paths
from conftest import ROOT


@pytest.fixture
def recorder(tmp_path, monkeypatch):
    """The functions of the script, with a folder of its own and processes that end with `codes`, by their last word."""
    script = runpy.run_path(str(ROOT / "fixtures" / "releases" / "record.py"))
    codes, commands = {}, []

    def run(command, **options):
        commands.append(command)
        for word in command:
            if str(word).startswith("--result="):
                (tmp_path / "2.99.0.json.gz").write_bytes(b"result")
        return SimpleNamespace(returncode=codes.get(command[-1], 0))

    monkeypatch.setattr("subprocess.run", run)
    monkeypatch.setattr("venv.create", lambda *_, **__: None)
    monkeypatch.setitem(script["record"].__globals__, "HERE", tmp_path / "releases")

    def record():
        script["record"]("2.99.0", tmp_path)
        return tmp_path / "releases"

    return SimpleNamespace(record=record, codes=codes, commands=commands)


def test_the_exit_codes_are_stored_apart_from_the_results(recorder):
    names = list(reproducer_paths())
    recorder.codes |= {names[0]: 1, names[1]: 2}

    folder = recorder.record()

    codes = json.loads((folder / "reproducers" / "2.99.0.json").read_text(encoding="utf-8"))
    assert codes == dict.fromkeys(names, 0) | recorder.codes
    assert list(codes) == names
    assert [path.name for path in folder.iterdir() if path.is_file()] == ["2.99.0.json.gz"]


def test_a_reproducer_that_can_not_be_run_leaves_nothing_recorded(recorder, tmp_path):
    name = next(iter(reproducer_paths()))
    recorder.codes[name] = 8

    with pytest.raises(SystemExit, match=f"`conformance reproduce {name}` exited with 8; nothing is recorded"):
        recorder.record()

    assert not (tmp_path / "releases").exists()

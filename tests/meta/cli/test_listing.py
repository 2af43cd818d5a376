"""Does `conformance list` show the requirements that are asked for?"""

import json
import subprocess
import sys

import pytest

from conformance.cli.main import main
from conformance.faults import FAULTS
from conformance.implementations.registry import BUILT_IN, DEFAULT
from conformance.spec.index import load_index
from conformance.spec.requirements import load_requirements
from conformance.utils.exit_codes import ExitCode


@pytest.fixture
def listed(capsys):
    def call(*arguments):
        code = main(["list", *arguments])
        printed = capsys.readouterr()
        return code, printed.out.splitlines(), printed.err

    return call


def test_all_requirements_are_listed_with_level_known_failures_and_text(listed):
    code, lines, _ = listed()

    assert code == ExitCode.OK
    assert len(lines) == len(load_requirements()) + 1
    assert lines[-1] == f"{len(load_requirements())} requirements"
    (line,) = [each for each in lines if each.startswith("stacking.order ")]
    assert line.split()[1:3] == ["must", "-"]
    assert line.endswith(load_requirements()["stacking.order"].text)


def test_the_list_is_narrowed(listed):
    _, out_dims, _ = listed("out_dims.*", "--level=must", "--known-failures")
    _, core, _ = listed("forward", "--core")

    assert [each for each in out_dims if each.startswith("out_dims.dict_by_key ")]
    assert all(each.startswith("out_dims.") for each in out_dims[:-1])
    assert len(core) - 1 == sum(each.core for each in load_requirements().values() if each.chapter == "forward")


def test_the_list_as_json_has_all_facts(listed):
    _, lines, _ = listed("stacking.order", "--json")

    (row,) = json.loads("\n".join(lines))
    assert row == {
        "id": "stacking.order",
        "level": "must",
        "core": load_requirements()["stacking.order"].core,
        "known_failures": 0,
        "text": load_requirements()["stacking.order"].text,
        "source": load_requirements()["stacking.order"].source,
        "added": "0.1.0",
    }


def test_nothing_that_fits_is_an_empty_list(listed):
    assert listed("stacking.order", "--known-failures") == (ExitCode.OK, ["0 requirements"], "")


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("stackin", "ERROR: list: invalid choice 'stackin'; did you mean 'stacking'?\n"),
        ("casez", "ERROR: list: invalid choice 'casez'; did you mean 'cases'?\n"),
        ("in_dims.noen", "ERROR: list: invalid choice 'in_dims.noen'; did you mean 'in_dims.none'?\n"),
        ("--levle=must", "ERROR: unrecognized arguments: --levle=must; did you mean '--level'?\n"),
    ],
)
def test_a_mistake_is_one_line(listed, argument, message):
    assert listed(argument) == (ExitCode.USAGE_ERROR, [], message)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["releases", "--core"], "list releases: --level, --core and --known-failures are for requirements"),
        (["cases", "LSMT"], "list cases: invalid choice 'LSMT'; did you mean 'LSTM'?"),
        (["faults", "MembersRevrsed"], "list faults: invalid choice 'MembersRevrsed'; did you mean 'MembersReversed'?"),
        (["faults", "qqq"], "list faults: invalid choice 'qqq'; the chapters are forward, "),
    ],
)
def test_a_mistake_about_another_kind_is_one_line(listed, arguments, message):
    code, lines, said = listed(*arguments)

    assert (code, lines) == (ExitCode.USAGE_ERROR, [])
    assert said.startswith(f"ERROR: {message}")
    assert said.count("\n") == 1


def test_faults_are_listed_by_name_and_by_the_requirement_that_detects_them(listed):
    _, one, _ = listed("faults", "MembersReversed")
    _, several, _ = listed("faults", "in_dims")
    _, all_of_them, _ = listed("faults")
    _, both, _ = listed("faults", "Members*", "out_dims.*")

    assert one == ["MembersReversed  stacking.order  The members are stacked in reverse order.", "1 fault"]
    assert all(line.split()[1].startswith("in_dims.") for line in several[:-1])
    assert all_of_them[-1] == f"{len(FAULTS)} faults"
    found = {line.split()[0] for line in both[:-1]}
    assert found == {
        name for name, each in FAULTS.items() if name.startswith("Members") or each.breaks.startswith("out_dims.")
    }


def test_cases_are_listed_by_kind_and_by_pattern(listed):
    _, optimizers, _ = listed("cases", "optimizer")
    _, recurrent, _ = listed("cases", "*LSTMCell*")

    assert "optimizer  Adam-default" in optimizers
    assert "module  LSTMCell-nobias" in recurrent


def test_implementations_and_releases_are_listed(listed):
    _, implementations, _ = listed("implementations")
    _, releases, _ = listed("releases", "2.1*", "--json")

    said = {name: "default" if name in DEFAULT else "-" for name in BUILT_IN}
    assert dict(line.split()[:2] for line in implementations[:-1]) == said
    found = {each["name"]: each for each in json.loads("\n".join(releases))}
    assert found["2.13.0"]["file"] == "2.13.0.json.gz"
    assert sum(found["2.13.0"]["statuses"].values()) == len(DEFAULT) * len(load_index().history)
    assert listed("releases", "2.8.0")[1][0].startswith("2.8.0  conforms ")


def test_the_help_ends_as_that_of_other_verbs(capsys):
    with pytest.raises(SystemExit) as end:
        main(["list", "--help"])

    assert end.value.code == 0
    assert capsys.readouterr().out.startswith("usage: conformance list")


def test_torch_is_not_imported():
    calls = "main(['list', 'stacking']); main(['list', 'faults']); main(['explain', 'stacking.order'])"
    call = f"from conformance.cli.main import main; {calls}"
    code = f"import sys; {call}; sys.exit('torch' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0

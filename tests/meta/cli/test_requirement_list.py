"""Does `conformance list` show the requirements that are asked for?"""

import json
import subprocess
import sys

import pytest

from conformance.cli.main import main
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
    }


def test_nothing_that_fits_is_an_empty_list(listed):
    assert listed("stacking.order", "--known-failures") == (ExitCode.OK, ["0 requirements"], "")


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("stackin", "ERROR: --requirement: invalid choice 'stackin'; did you mean 'stacking'?\n"),
        ("--levle=must", "ERROR: unrecognized arguments: --levle=must; did you mean '--level'?\n"),
    ],
)
def test_a_mistake_is_one_line(listed, argument, message):
    assert listed(argument) == (ExitCode.USAGE_ERROR, [], message)


def test_the_help_is_no_mistake(listed):
    code, lines, _ = listed("--help")

    assert code == ExitCode.OK
    assert lines[0].startswith("usage: conformance list")


def test_torch_is_not_imported():
    call = "from conformance.cli.main import main; main(['list', 'stacking'])"
    code = f"import sys; {call}; sys.exit('torch' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0

"""Does `conformance list` show what the suite has, by kind and narrowed as asked?"""

import json
import subprocess
import sys

import pytest

from conformance.cli.main import main
from conformance.spec.index import load_index
from conformance.spec.requirements import CHAPTERS, load_requirements
from conformance.utils.exit_codes import ExitCode


@pytest.fixture
def listed(capsys):
    def call(*arguments):
        code = main(["list", *arguments])
        printed = capsys.readouterr()
        return code, printed.out.splitlines(), printed.err

    return call


@pytest.fixture
def rows(listed):
    """The rows of `conformance list --json`."""

    def call(*arguments):
        code, lines, _ = listed(*arguments, "--json")
        assert code == ExitCode.OK
        return json.loads("\n".join(lines))

    return call


def test_all_requirements_are_listed_with_level_known_failures_and_text(listed):
    code, lines, _ = listed()

    assert code == ExitCode.OK
    assert lines == listed("requirements")[1]
    assert len(lines) == len(load_requirements()) + 1
    assert lines[-1] == f"{len(load_requirements())} requirements"
    (line,) = [each for each in lines if each.startswith("stacking.order ")]
    assert line.split()[1:3] == ["must", "-"]
    assert line.endswith(load_requirements()["stacking.order"].text)


def test_requirements_are_narrowed(listed):
    _, out_dims, _ = listed("out_dims.*", "--level=must", "--known-failures")
    _, core, _ = listed("forward", "--core")

    assert [each for each in out_dims if each.startswith("out_dims.dict_by_key ")]
    assert all(each.startswith("out_dims.") for each in out_dims[:-1])
    assert len(core) - 1 == sum(each.core for each in load_requirements().values() if each.chapter == "forward")


def test_a_requirement_as_json_has_all_facts(rows):
    (row,) = rows("stacking.order")

    assert row == {
        "id": "stacking.order",
        "level": "must",
        "core": load_requirements()["stacking.order"].core,
        "added": "0.1.0",
        "known_failures": 0,
        "text": load_requirements()["stacking.order"].text,
        "source": load_requirements()["stacking.order"].source,
    }


def test_nothing_that_fits_is_an_empty_list(listed, rows):
    assert listed("stacking.order", "--known-failures") == (ExitCode.OK, ["0 requirements"], "")
    assert rows("faults", "MembersReversed", "--requirement=in_dims") == []


def test_faults_are_listed_with_the_requirement_that_they_break(listed, rows):
    _, lines, _ = listed("faults", "MembersReversed")
    broken = {row["breaks"] for row in rows("faults", "--requirement", "in_dims.*")}

    assert lines[0].split()[:2] == ["MembersReversed", "stacking.order"]
    assert lines[1:] == ["1 fault"]
    assert {"in_dims.none", "in_dims.negative"} <= broken
    assert all(each.startswith("in_dims.") for each in broken)
    assert len(rows("faults")) == len(load_index().faults)


def test_faults_that_are_made_by_a_function_have_their_own_names(rows):
    assert [row["breaks"] for row in rows("faults", "AcceptsFarInDims")] == ["errors.in_dim_out_of_range"]


def test_cases_are_listed_with_their_kind(listed, rows):
    _, lines, _ = listed("cases", "LSTM", "StepLR")

    assert [line.split() for line in lines] == [["LSTM", "module"], ["StepLR", "scheduler"], ["2", "cases"]]
    assert {row["kind"] for row in rows("cases", "--kind=optimizer", "--kind=scheduler")} == {"optimizer", "scheduler"}
    assert {row["kind"] for row in rows("cases", "linear")} == {"module", "autocast"}


def test_implementations_are_listed_with_those_of_a_run(listed):
    _, lines, _ = listed("implementations")

    assert [line.split()[:2] for line in lines[:3]] == [
        ["torch.func", "default"],
        ["functorch", "default"],
        ["reference", "-"],
    ]


def test_releases_are_listed_with_their_counts(listed, rows):
    _, lines, _ = listed("releases", "2.8*")
    (row,) = rows("releases", "2.8.0")

    assert lines[0].startswith("2.8.0  conforms ")
    assert row["torch"].startswith("2.8.0")
    assert sum(row["requirements"].values()) == 2 * len(load_index().history)


KINDS = "(choose from requirements, cases, faults, implementations, releases)"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["stackin"], "requirement: invalid choice 'stackin'; did you mean 'stacking'?"),
        (["--levle=must"], "unrecognized arguments: --levle=must; did you mean '--level'?"),
        (["--level=most"], "--level: invalid choice 'most' (choose from must, should, limitation)"),
        (["fault"], f"kind: invalid choice 'fault' {KINDS}; did you mean 'faults'?"),
        (["faults", "MembersReverse"], "fault: invalid choice 'MembersReverse'; did you mean 'MembersReversed'?"),
        (["faults", "--requirement=stackin"], "--requirement: invalid choice 'stackin'; did you mean 'stacking'?"),
        (["cases", "LSTMCel"], "case: invalid choice 'LSTMCel'; did you mean 'LSTMCell'?"),
        (["cases", "--kind=modul"], "--kind: invalid choice 'modul' (choose from module, "),
        (["implementations", "functorc"], "implementation: invalid choice 'functorc' (choose from torch.func, "),
        (["releases", "2.88"], "release: invalid choice '2.88' (choose from 2.0.1, "),
        (["x" * 100_000], "requirement: invalid choice 'xxx"),
    ],
    ids=lambda each: str(each)[:40],
)
def test_a_mistake_is_one_line(listed, arguments, message):
    code, lines, error = listed(*arguments)

    assert (code, lines) == (ExitCode.USAGE_ERROR, [])
    assert error.startswith(f"ERROR: {message}")
    assert error.count("\n") == 1
    assert len(error) < 700


@pytest.mark.parametrize(
    ("arguments", "usage"),
    [
        (["--help"], "usage: conformance list [-h]"),
        (["faults", "-h"], "usage: conformance list faults [-h]"),
        (["--help", "releases"], "usage: conformance list releases [-h]"),
    ],
    ids=["verb", "kind", "kind-last"],
)
def test_the_help_is_that_of_the_verb_or_of_a_kind(listed, arguments, usage):
    code, lines, _ = listed(*arguments)

    assert code == ExitCode.OK
    assert lines[0].startswith(usage)


def test_the_kind_may_stand_behind_an_option(listed):
    assert listed("--json", "releases") == listed("releases", "--json")


def test_no_kind_is_a_chapter():
    assert {"requirements", "cases", "faults", "implementations", "releases"}.isdisjoint(CHAPTERS)


def test_torch_is_not_imported():
    calls = [["list", kind] for kind in ("stacking", "cases", "faults", "implementations", "releases")]
    calls += [["explain", "stacking"], ["explain", "stacking.order"]]
    code = f"import sys; from conformance.cli.main import main; codes = [main(each) for each in {calls}]; "
    code += "sys.exit('torch' in sys.modules or any(codes))"

    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0

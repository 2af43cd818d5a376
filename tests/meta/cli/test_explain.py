"""Does `conformance explain` show everything known about a requirement, and offer the nearest name?"""

import pytest

from conformance.cli.explain import explain_lines
from conformance.cli.main import main
from conformance.spec.requirements import load_requirements
from conformance.utils.exit_codes import ExitCode


@pytest.fixture
def explained(capsys):
    def call(*names):
        code = main(["explain", *names])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


def test_a_requirement_is_explained(explained):
    code, out, _ = explained("in_dims.dict_by_key")

    assert code == 0
    for line in (
        "in_dims.dict_by_key   must",
        "added: version 0.1.0 of the suite\n",
        "tests:\n  tests/test_in_dims.py::",
        "  DictsByPosition: ",
        "  torch >=2.10, torch.func, functorch, compiled*, *-same-shape]: bug, wrong: ",
        "      observed: AssertionError with 'output is tensor('\n",
        "      no issue found upstream on 2026-",
        "history:\n              2.0.1  2.2.2  ",
    ):
        assert line in out
    _, out, _ = explained("parity.mixed_devices")
    assert "known failures:\n  none" in out


def test_what_limits_a_requirement_is_explained():
    compiled = "\n".join(explain_lines(["compiled.legacy"]))
    parity = "\n".join(explain_lines(["parity.autocast_operations"]))

    assert "since 2.8: " in compiled
    assert "core" not in compiled.partition("\n")[0]
    assert next(iter(explain_lines(["in_dims.none"]))) == "in_dims.none   must, core"
    assert "faults that its tests detect:\n  none" not in parity
    assert "faults that its tests detect:\n  none" in "\n".join(explain_lines(["stacking.refuses_extra_buffers"]))
    assert all(len(line) <= 120 for line in explain_lines(["in_dims.none"]))


@pytest.mark.parametrize("names", [["in_dims"], ["in_dims.*"], ["in_dims.*,in_dims.none"]], ids=str)
def test_several_requirements_are_explained_in_short(explained, names):
    code, out, _ = explained(*names)

    assert code == 0
    every = [each for each in load_requirements() if each.startswith("in_dims.")]
    lines = out.splitlines()
    assert [line.split()[0] for line in lines if line.startswith("in_dims.")] == every
    assert "1 test, 0 faults, 0 known failures" in lines
    assert "history:" not in lines
    assert lines[-1] == f"{len(every)} requirements; `conformance explain ID` shows everything known about one"


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("in_dimz", "; did you mean 'in_dims'?"),
        ("in_dims.noen", "; did you mean 'in_dims.none'?"),
        ("forward.own_minibach", "; did you mean 'forward.own_minibatch'?"),
        ("forward." + "q" * 50, "; forward has forward.own_minibatch, "),
        ("nonsense", "; the chapters are forward, stacking, "),
        ("in_dims,none.*", "; the chapters are forward, stacking, "),
    ],
)
def test_a_mistake_is_one_line_with_the_nearest_name(explained, name, suggestion):
    code, out, error = explained(name)

    assert (code, out) == (ExitCode.USAGE_ERROR, "")
    assert error.startswith(f"ERROR: requirement: invalid choice {name.rpartition(',')[2]!r}{suggestion}")
    assert error.count("\n") == 1

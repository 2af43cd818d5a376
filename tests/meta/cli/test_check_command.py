"""Does `conformance check` go from a name to a verdict?"""

import json
import os
import sys
from types import SimpleNamespace

import pytest
from check_questions import MODEL
from check_runs import checking, generate

from conformance.cli import check as check_command
from conformance.cli.main import main
from conformance.model_check import supervisor
from conformance.model_check.options import CannotAnswerError
from conformance.model_check.steps import STEPS


@pytest.fixture
def checked(capfd):
    return checking(capfd)


def test_a_model_is_checked_from_its_name_to_the_verdict(checked):
    code, out, err = checked("theirs:embedding", "--input", "13:0..10", "--members=3", "--json")

    data = json.loads(out)
    assert code == data["exit_code"] == 0
    known = ["vmap_embedding_padding_idx_gets_gradient", "vmap_embedding_reads_neighbours"]
    assert data["verdict"] == f"RIGHT, WITH CAVEATS: {', '.join(known)}"
    assert [(row["id"], row["checks"]) for row in data["caveats"]] == [
        (known[0], ["backward", "order", "isolation"]),
        (known[1], ["out_of_range"]),
    ]
    assert set(data["checks"]) | set(data["cost"]) == {"members", *STEPS}
    assert all(row["asked"]["members"] == 3 for row in data["cost"].values())
    assert {row["name"] for row in data["remedies"]} >= {"padding-row", "index-out-of-range"}
    lines = err.splitlines()
    assert lines[0].startswith("conformance check theirs:embedding: imports the model and runs its code")
    assert [line.split()[0] for line in lines if not line.startswith(" ")][1:] == [
        *("on", "model", "members", *STEPS),
        *["use"] * len(data["uses"]),
        *["caveat"] * len(data["caveats"]),
        *["suggested"] * len(data["remedies"]),
        "VERDICT:",
    ]


def test_without_json_a_person_reads_it(checked, monkeypatch):
    told = {"status": "right", "message": "", "slow": ["aten::one"]}
    events = [
        ("environment", {"torch": "2", "device": "cpu", "threads": 2}),
        ("model", MODEL),
        ("begin", "own_minibatch"),
        ("end", told),
    ]
    monkeypatch.setattr(supervisor, "supervise", generate(*events))

    code, out, err = checked("my:net", "--input=3")

    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()[1:]] == [
        "on",
        "model",
        "members",
        "own_minibatch",
        "use",
        "slow",
        "VERDICT:",
    ]
    assert "torch 2, cpu, 2 threads, torch.func" in out
    assert "predict: slow: one member at a time in aten::one\n" in out
    assert out.endswith("VERDICT: RIGHT\n")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((), "the following arguments are required: package.module:make_model"),
        (("theirs:mlp", "--input=3", "--members=0"), "invalid value '0'"),
        (("theirs:mlp", "--input=3", "--members=few"), "invalid value 'few'"),
        (("theirs:mlp", "--input=3", "--seed=-1"), "invalid value -1 (expected 0 to 2**63 - 1)"),
        (("theirs:mlp", "--input=3", "--timeout=0"), "--timeout: invalid value '0' (expected a positive number)"),
        (("theirs:mlp", "--input=3", "--timeout=inf"), "invalid value 'inf'"),
        (("theirs:mlp", "--input=3", "--timeout=soon"), "invalid value 'soon'"),
        (("theirs:mlp", "--input=3", "--for=learn"), "--for: invalid choice 'learn' (choose from predict, backward, "),
        (
            ("theirs:mlp", "--input=3", "--accept=embedding_neighbours"),
            "did you mean 'vmap_embedding_reads_neighbours'?",
        ),
        (("theirs:mlp", "--input=3", "--only=backwards"), "'backwards'; did you mean 'backward'?"),
        (("theirs:mlp", "--input=3", "--modes=test"), "invalid choice 'test' (choose from train, eval)"),
        (("theirs:mlp", "--input=3", "--only=grad", "--skip=gr*"), "--only, --skip: no check is left"),
    ],
)
def test_a_mistake_is_one_line(checked, arguments, problem):
    code, out, err = checked(*arguments)

    assert code == 4
    assert not out
    assert err.startswith("ERROR: ")
    assert err.count("\n") == 1
    assert problem in err


def test_a_mistake_of_the_child_is_one_too(checked):
    code, out, err = checked("theirs:failing", "--input=3")

    assert code == 4
    assert err == "ERROR: theirs:failing() raises RuntimeError: no weights\n"
    # A busy machine may have said before that it waits for torch.
    assert out.splitlines()[-1].startswith("on ")


def test_help_says_how_inputs_are_described(capsys):
    with pytest.raises(SystemExit) as ended:
        check_command.main(["--help"])

    assert ended.value.code == 0
    assert "17:0..999" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("raised", "code", "line"),
    [
        (CannotAnswerError("torch does\nnot import"), 8, "ERROR: environment can't answer: torch does not import\n"),
        (KeyboardInterrupt(), 2, "ERROR: interrupted\n"),
    ],
)
def test_what_ends_a_check_is_one_line(checked, monkeypatch, raised, code, line):
    monkeypatch.setattr(supervisor, "supervise", generate(("begin", "grad"), raised))

    assert checked("my:net", "--input=3")[::2] == (code, line)


def test_an_interrupted_line_is_ended(checked, monkeypatch):
    monkeypatch.setattr(supervisor, "supervise", generate(("begin", "grad"), KeyboardInterrupt()))

    _, out, _ = checked("my:net", "--input=3")

    assert out.splitlines()[1].rstrip() == "grad"
    assert out.endswith("\n")


def test_python_without_assertions_is_refused(checked, monkeypatch):
    monkeypatch.setattr(check_command, "sys", SimpleNamespace(flags=SimpleNamespace(optimize=1)))

    assert checked("my:net", "--input=3") == (4, "", "ERROR: python -O removes the assertions of the suite\n")


@pytest.mark.parametrize("arguments", [("--help",), ("my:net", "--input=3")])
def test_output_that_can_t_be_written_is_one_line(capfd, monkeypatch, arguments):
    with open("/dev/full", "w") as full:  # noqa: PTH123 - as a shell opens it
        monkeypatch.setattr(sys, "stdout", full)
        code = main(["check", *arguments])

    assert code == 9
    assert capfd.readouterr().err == "ERROR: can't write to standard output: No space left on device\n"


def test_the_screen_says_what_it_waits_for_and_what_the_model_prints(checked, monkeypatch, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(OSError, match="No such file"):
        os.getcwd()  # noqa: PTH109 - a folder that is gone
    events = [
        ("environment", {"torch": "2", "device": "cpu", "threads": 1}),
        ("printed", "\x1b[2Jhello"),
        ("model", MODEL),
        ("begin", "own_minibatch"),
        ("waiting", "still waiting for own_minibatch: 10 s of at most 600 s"),
        ("printed", "again"),
        ("end", {"status": "right", "message": ""}),
    ]
    monkeypatch.setattr(supervisor, "supervise", generate(*events))

    code, out, err = checked("my:net\x1b", "--input=3", "--seed=3", "--timeout=60")

    assert code == 0
    assert err == "the model prints: \\x1b[2Jhello\nthe model prints: again\n"
    assert out.splitlines()[0].startswith("conformance check my:net\\x1b: ")
    assert [line.rstrip() for line in out.splitlines()[4:]] == [
        "own_minibatch",
        f"{'':18}still waiting for own_minibatch: 10 s of at most 600 s",
        "own_minibatch     right",
        "use               predict: yes",
        "VERDICT: RIGHT",
    ]

"""Does `conformance check` go from a name to a verdict?"""

import json

import pytest
from check_questions import MODEL

from conformance.cli import check as check_command
from conformance.model_check import supervisor, worker


@pytest.fixture
def checked(capfd):
    """`conformance check` in this process, and what it printed."""

    def call(*arguments):
        code = check_command.main(arguments)
        return code, *capfd.readouterr()

    return call


def test_a_model_is_checked_from_its_name_to_the_verdict(checked):
    code, out, err = checked("theirs:embedding", "--input", "13:0..10", "--members=3", "--json")

    data = json.loads(out)
    assert code == data["exit_code"] == 1
    assert data["verdict"] == "WRONG: backward, order, isolation, out_of_range"
    assert set(data["checks"]) | set(data["cost"]) == {"members", *worker.STEPS}
    assert all(row["asked"]["members"] == 3 for row in data["cost"].values())
    assert {row["name"] for row in data["remedies"]} >= {"padding-row", "index-out-of-range"}
    lines = err.splitlines()
    assert lines[0].startswith("conformance check theirs:embedding: imports the model and runs its code")
    assert [line.split()[0] for line in lines if not line.startswith(" ")][1:] == [
        *("on", "model", "members", *worker.STEPS),
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
    monkeypatch.setattr(supervisor, "supervise", lambda request: iter(events))

    code, out, err = checked("my:net", "--input=3")

    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()[1:]] == [
        "on",
        "model",
        "members",
        "own_minibatch",
        "slow",
        "VERDICT:",
    ]
    assert "torch 2, cpu, 2 threads, torch.func" in out
    assert out.endswith("aten::one\nVERDICT: RIGHT\n")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("theirs:mlp",), "the following arguments are required: --input"),
        (("theirs:mlp", "--input=3", "--members=0"), "invalid value '0'"),
        (("theirs:mlp", "--input=3", "--members=few"), "invalid value 'few'"),
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
    assert out.splitlines()[1].startswith("on ")


def test_help_says_how_inputs_are_described(capsys):
    with pytest.raises(SystemExit) as ended:
        check_command.main(["--help"])

    assert ended.value.code == 0
    assert "17:0..999" in capsys.readouterr().out

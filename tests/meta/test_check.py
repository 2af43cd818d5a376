"""Does `conformance check` find the model, ask it everything, and say where it stops?"""

import json
import os
import subprocess
import sys
from functools import partial

import pytest
import theirs
import theirs_work
import torch

from conformance.checks.subject import Subject
from conformance.cli import check as check_command
from conformance.implementations.torch_func import TorchFunc
from conformance.model_check import cost, failure_location, supervisor, terminal, user_code, worker
from conformance.model_check.input_spec import parse_input
from conformance.model_check.model_loader import load_model
from conformance.model_check.options import Request, UsageError
from conformance.model_check.result import CheckReport
from conformance.utils.child_process import ChildDiedError
from conftest import ROOT

CPU = torch.device("cpu")
ask = partial(Request, members=3, batch=7)


def test_the_steps_are_known_without_torch():
    code = "import sys; from conformance.cli import check; assert 'torch' not in sys.modules"

    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


@pytest.mark.parametrize(
    ("text", "shape", "dtype", "low", "high"),
    [
        ("3x32x32", (7, 3, 32, 32), torch.float64, None, None),
        ("3:float32", (7, 3), torch.float32, None, None),
        ("3:complex128", (7, 3), torch.complex128, None, None),
        ("500:2..4", (7, 500), torch.int64, 2, 4),
        ("500:int32:-1..0", (7, 500), torch.int32, -1, 0),
        (":5..5", (7,), torch.int64, 5, 5),
        ("500:bool", (7, 500), torch.bool, False, True),
    ],
)
def test_an_input_is_what_it_is_described_as(text, shape, dtype, low, high):
    drawn = parse_input(text, 7).draw(torch.Generator().manual_seed(1), CPU, torch.float64)

    assert drawn.shape == shape
    assert drawn.dtype == dtype
    if low is not None:
        assert (int(drawn.min()), int(drawn.max())) == (low, high)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "invalid value ''"),
        ("3,4", "invalid value '3,4'"),
        ("3:int64:0..4:more", "invalid value"),
        ("3:float", "'float' \\(choose from float64, .*did you mean 'float"),
        ("3:int64", "expected a range"),
        ("3:float32:0..4", "expected a range"),
        ("3:4..2", "the range is empty"),
    ],
)
def test_a_description_that_makes_no_sense_is_a_mistake(text, problem):
    with pytest.raises(UsageError, match=problem):
        parse_input(text, 7)


@pytest.mark.parametrize(
    ("model", "inputs", "problem"),
    [
        ("theirs", ("3",), "invalid model 'theirs'"),
        ("nowhere:mlp", ("3",), "can't import nowhere:mlp: ModuleNotFoundError"),
        ("theirs:nothing", ("3",), "can't import theirs:nothing: AttributeError"),
        ("theirs:__name__", ("3",), "is not callable"),
        ("theirs:failing", ("3",), "raises RuntimeError: no weights"),
        ("theirs:no_module", ("3",), "expected a torch.nn.Module, got int"),
        ("theirs:lazy", ("3",), "returns a lazy module"),
        ("theirs:mlp", (":inputs", "3"), "makes all arguments"),
        ("theirs:mlp", (":nothing",), "can't import theirs:nothing"),
    ],
)
def test_a_model_that_can_t_be_had_is_a_mistake(model, inputs, problem):
    with pytest.raises(UsageError, match=problem):
        load_model(ask(model, inputs))


@pytest.mark.parametrize("name", [":inputs", "theirs:inputs"])
def test_a_function_makes_all_arguments_of_each_member(name):
    first, second = load_model(ask("theirs:Three", (name,))).minibatches(2, device=CPU, dtype=torch.float64)

    assert [getattr(each, "dtype", each) for each in first] == [torch.float64, torch.int64, 2]
    assert not torch.equal(first[0], second[0])


def test_a_function_that_gives_no_tuple_is_a_mistake():
    case = load_model(ask("theirs:mlp", (":no_tuple",)))

    with pytest.raises(UsageError, match=r"theirs:no_tuple\(\): expected a tuple of arguments, got Tensor"):
        case.minibatches(2, device=CPU, dtype=torch.float64)


@pytest.mark.parametrize(
    ("model", "problem", "equal"),
    [
        ("mlp", None, ["1.weight", "1.bias", "1.running_mean", "1.running_var"]),
        ("branch", None, []),
        ("one", "the same module each time", ["weight", "bias"]),
        ("seeded", "the same numbers", ["weight", "bias"]),
        ("Rectified", None, []),
    ],
)
def test_it_says_whether_members_differ_and_asks_members_that_do(model, problem, equal):
    torch.manual_seed(0)
    case = load_model(ask(f"theirs:{model}", ("3",)))

    made = case.members(3, device=CPU, dtype=torch.float64)

    assert case.equal == equal
    assert problem in case.problem if problem else case.problem is None
    for tensors in zip(*(model.parameters() for model in made), strict=True):
        assert len({tensor.sum().item() for tensor in tensors}) == 3


def questions(model, shape="3"):
    return worker.StepRunner(load_model(ask(f"theirs:{model}", (shape,))), TorchFunc(), CPU, None, 3)


def found(model, check, shape="3"):
    return questions(model, shape).run_check(check)


@pytest.mark.parametrize(
    ("model", "shape", "check", "operation", "module", "line"),
    [
        ("branch", "3", "own_minibatch", "torch.Tensor.__bool__", "1 (Branch)", "return y if y.sum() > 0 else -y"),
        ("Rectified", "3", "own_minibatch", "aten::rrelu", "Rectified", "return F.rrelu(x, training=True)"),
        ("Fast", "5x4", "backward", "aten::_transformer_encoder_layer_fwd", None, "return self.layer(x)"),
    ],
)
def test_what_blocks_is_an_operation_in_a_module_at_a_line(model, shape, check, operation, module, line):
    told = found(model, check, shape)

    assert told["status"] == "refused"
    assert (told["operation"], told["module"]) == (operation, module)
    name, _, rest = told["source"].partition(":")
    assert name == theirs.__file__
    assert rest.partition(": ")[2] == line


def test_what_stops_in_no_code_of_anybody_has_no_line():
    assert found("mlp", "own_minibatch", "4")["message"].startswith("the plain loop fails")
    assert failure_location.locate_failure(KeyError("x"), lambda: None) == failure_location.FailureLocation(
        None, None, None
    )


def test_the_line_is_ones_own_or_that_of_a_third_one(tmp_path, monkeypatch):
    own, third = tmp_path / "own.py", tmp_path / "site" / "third.py"
    third.parent.mkdir()
    own.write_text("a\nb\n", encoding="utf-8")
    third.write_text("c\n", encoding="utf-8")
    monkeypatch.setattr(user_code, "_SITE", third.parent)
    others = [(torch.__file__, 1), (os.__file__, 1), ("<string>", 1)]

    assert user_code.user_code_line([(str(own), 2), (str(third), 1), *others]) == f"{own}:2: b"
    assert user_code.user_code_line([(str(third), 1), *others]) == f"{third}:1: c"
    assert user_code.user_code_line(others) is None


def test_members_that_can_t_be_copied_are_notasked(monkeypatch):
    asking = questions("branch")
    monkeypatch.setattr(type(asking.case), "members", lambda *args, **options: 1 / 0)

    told = asking.run_check("order")

    assert told == {
        "status": "not applicable",
        "message": "can't copy the members: ZeroDivisionError: division by zero",
    }
    assert asking.measure("speed_forward")["status"] == "not measured"


def test_a_mistake_in_the_inputs_ends_the_check():
    with pytest.raises(UsageError):
        found("mlp", "order", ":no_tuple")


@pytest.mark.parametrize("calls", [cost.forward_calls, cost.backward_calls])
@pytest.mark.parametrize("model", ["mlp", "dropped"])
def test_loop_and_vmap_are_timed_on_the_same_work(calls, model):
    case = load_model(ask(f"theirs:{model}", ("3",)))
    subject = Subject(case, TorchFunc(), CPU, torch.float64, 3)

    loop, together = (calls(subject)[name]() for name in ("loop", "vmap"))

    if calls is cost.forward_calls:
        together, shape = together[0], (3, 7, 2)
        assert not together.requires_grad
        assert together.shape == torch.stack(loop).shape == shape
    else:
        own = list(zip(*loop, strict=True))
        assert [each.shape for each in together] == [torch.stack(each).shape for each in own]
    if model == "mlp":
        own = [loop] if calls is cost.forward_calls else own
        together = [together] if calls is cost.forward_calls else together
        for each, those in zip(together, own, strict=True):
            torch.testing.assert_close(each, torch.stack(those))


def test_what_is_asked_for_is_measured_and_more_while_there_is_time(monkeypatch):
    monkeypatch.setattr(cost, "SIZES", (1, 3, 6))
    asking = questions("mlp")

    assert [row["members"] for row in asking.measure("speed_forward")["rows"]] == [1, 3, 6]
    monkeypatch.setattr(cost, "SPARE_SECONDS", -1)
    (row,) = asking.measure("speed_forward")["rows"]
    assert row["members"] == 3
    assert row["ratio"] == row["loop"]["median"] / row["vmap"]["median"]


def test_a_sum_of_complex_outputs_is_a_number():
    assert (
        cost.sum_outputs((torch.ones(2, dtype=torch.complex64), torch.ones(3), torch.ones(2, dtype=torch.int64))) == 5
    )


@pytest.mark.parametrize(
    ("ratios", "turn"),
    [({1: 0.5, 2: 1.5, 5: 2}, 2), ({1: 1.5, 2: 0.9, 5: 2}, 5), ({1: 2, 5: 3}, 1), ({1: 2, 5: 0.5}, None)],
)
def test_it_turns_where_vmap_is_faster_from_then_on(ratios, turn):
    assert cost.break_even([{"members": n, "ratio": ratio} for n, ratio in ratios.items()]) == turn


def test_large_activations_on_a_cpu_are_told(monkeypatch):
    monkeypatch.setattr(cost, "SIZES", ())
    monkeypatch.setattr(cost, "peak_memory", lambda calls, device: {"loop": 2**20, "vmap": 2**25})
    monkeypatch.setattr(cost.timing, "in_turn", lambda calls: {"loop": cost.timing.Timing(1, 1, 1), "vmap": TWICE})

    told = questions("mlp").measure("speed_forward")

    assert told["status"] == "slower with large activations"


TWICE = cost.timing.Timing(2, 2, 2)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"device": "nothing"}, "--device nothing: "),
        ({"device_module": "no_such_package"}, "there is no package"),
        ({"dtype": "float"}, "--dtype: invalid choice 'float'"),
        ({"implementation": "mine"}, "--implementation: 'mine' is none of"),
        ({"implementation": "theirs:Lacking"}, "--implementation theirs:Lacking: this torch lacks it"),
    ],
)
def test_options_that_make_no_sense_are_mistakes(options, problem):
    with pytest.raises(UsageError, match=problem):
        list(worker.run_steps(ask("theirs:mlp", ("3",), **options), ()))


def test_what_is_done_is_not_asked_again():
    names = [
        value if name == "begin" else name
        for name, value in worker.run_steps(ask("theirs:branch", ("3",), dtype="float32"), worker.STEPS[:-1])
    ]

    assert names == ["environment", "model", "speed_backward", "end"]


def test_a_crash_is_named_and_the_rest_is_asked(monkeypatch):
    monkeypatch.setattr(supervisor, "_work", theirs_work.crashing)

    told = list(supervisor.supervise(ask("a:model", ("3",))))

    assert told[:2] == [("environment", {}), ("model", {})]
    assert told[2:4] == [("begin", "one"), ("end", {"status": "right", "message": ""})]
    assert told[4] == ("begin", "two")
    name, crash = told[5]
    assert (name, crash["status"]) == ("end", "crash")
    assert crash["message"] == "the ensemble kills the process with SIGSEGV"
    assert crash["source"].endswith(": os.kill(os.getpid(), signal.SIGSEGV)")
    assert told[6:] == [("begin", "three"), ("end", {"status": "right", "message": ""})]


def test_a_crash_of_the_plain_module_is_told_from_one_of_the_ensemble():
    frame = '  File "conformance/numerics/plain_loop.py", line 7 in _run\n'

    crash = supervisor.crash_result(ChildDiedError(-11, frame))

    assert crash["message"] == "the plain module kills the process with SIGSEGV"


def test_a_step_that_hangs_is_named(monkeypatch):
    monkeypatch.setattr(supervisor, "_work", theirs_work.hanging)

    told = list(supervisor.supervise(ask("a:model", ("3",)), patience=0.5))

    assert told == [("begin", "one"), ("end", {"status": "crash", "message": "no answer within 0 s"})]


@pytest.mark.parametrize(
    ("work", "problem"),
    [
        (theirs_work.mistaken, "^nonsense$"),
        (theirs_work.leaving, "a:model crashes before the first check: .* exit code 3"),
    ],
)
def test_what_ends_before_the_first_step_is_a_mistake(monkeypatch, work, problem):
    monkeypatch.setattr(supervisor, "_work", work)

    with pytest.raises(UsageError, match=problem):
        list(supervisor.supervise(ask("a:model", ("3",))))


MODEL = {"class": "Net", "holds": ["Net", "Embedding"], "parameters": 1234, "training": True, "tensors": 2}
MODEL |= {"equal": [], "problem": None}


def document(problem=None, **statuses):
    """A document in which the checks ended like this."""
    made = CheckReport(ask("my:net", ("3",)))
    made.describe(MODEL | {"problem": problem})
    for name, status in {"own_minibatch": "right", **statuses}.items():
        made.add(name, {"status": status, "message": f"{name} said so", "slow": ["aten::one"]})
    return made


@pytest.mark.parametrize(
    ("made", "code", "verdict"),
    [
        (document(), 0, "RIGHT"),
        (document(buffers="not applicable"), 0, "RIGHT"),
        (document(per_sample="refused"), 0, "RIGHT, as far as it is not refused: per_sample"),
        (document(per_sample="refused unclearly"), 0, "RIGHT, as far as it is not refused: per_sample"),
        (document(own_minibatch="refused"), 1, "CAN'T BE ENSEMBLED: torch.func refuses"),
        (document(own_minibatch="refused unclearly"), 1, "CAN'T BE ENSEMBLED: torch.func refuses"),
        (document(grad="wrong", order="crash"), 1, "WRONG: grad; CRASHES: order"),
        (document(grad="refused", order="crash"), 1, "CRASHES: order"),
        (document(problem="the same numbers"), 1, "WRONG: members"),
        (document(own_minibatch="not applicable"), 4, "NO ANSWER: own_minibatch said so"),
    ],
)
def test_the_verdict_is_what_the_checks_come_to(made, code, verdict):
    data = json.loads(json.dumps(made.data()))

    assert made.verdict == (code, verdict)
    assert (data["exit_code"], data["verdict"]) == (code, verdict)
    assert data["slow"] == ["aten::one"]


def test_remedies_name_the_checks_that_they_are_for():
    made = document(out_of_range="wrong", randomness="right")

    assert [(row["name"], row["checks"]) for row in made.data()["remedies"]] == [
        ("dropout", ["randomness"]),
        ("index-out-of-range", ["out_of_range"]),
    ]


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({}, "differ in every tensor"),
        ({"tensors": 0}, "no parameters"),
        ({"equal": list("abcdef")}, "differ, except in a, b, c, d and 2 more"),
        ({"problem": "they are one"}, "WRONG: they are one"),
        ({"training": False}, "eval mode"),
    ],
)
def test_members_are_shown(facts, said):
    made = CheckReport(ask("my:net", ("3",)))
    made.describe(MODEL | facts)

    assert said in terminal.member_lines(made)


def test_an_answer_is_one_line_and_where_it_stops():
    refused = {
        "status": "refused",
        "message": "no\nmore",
        "operation": "aten::x",
        "module": None,
        "source": "a.py:1: b",
    }

    assert terminal.answer_text({"status": "right", "message": ""}, {}) == "right"
    assert terminal.answer_text({"status": "wrong", "message": "by 3"}, {}) == "WRONG: by 3"
    assert terminal.answer_text(refused, {}).splitlines() == [
        "refused: no",
        " " * 20 + "operation: aten::x",
        " " * 20 + "line:      a.py:1: b",
    ]
    assert terminal.answer_text(refused, {"grad": refused}) == "refused as grad"


@pytest.mark.parametrize(
    ("ratio", "turn", "said"),
    [
        (2.0, 1, "vmap is 2 times as fast as the loop with 3 members (1 ms, spread 10% against 2 ms"),
        (0.5, None, "vmap is 2 times as slow as the loop with 3 members"),
    ],
)
def test_the_speed_is_shown(ratio, turn, said):
    timing = {"median": 1e-3, "low": 0.95e-3, "high": 1.05e-3}
    row = {"members": 3, "ratio": ratio, "vmap": timing, "loop": timing | {"median": 2e-3}}
    told = {"status": "x", "asked": row, "rows": [row, row | {"members": 50}], "crossing": turn}

    shown = " ".join(terminal.answer_text(told | {"peak": {"loop": 999_000, "vmap": 2 * 10**6}}, {}).split())

    assert said in shown
    assert ("faster from 1 members on" if turn else "never faster") in shown
    assert shown.endswith("measured with 3, 50; peak memory 2 MB against 999 kB")


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

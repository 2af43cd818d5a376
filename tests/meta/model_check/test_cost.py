"""Are the loop and vmap timed on the same work, and is memory told?"""

import pytest
import torch
from check_questions import CPU, ask, questions

from conformance.checks.subject import Subject
from conformance.implementations.torch_func import TorchFunc
from conformance.model_check import cost
from conformance.model_check.model_loader import load_model


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
    assert row["low"] <= row["ratio"] <= row["high"]
    assert row["speed"] in ("faster", "slower", "as fast", "too noisy")


def test_more_members_than_there_is_time_for_are_not_made(monkeypatch):
    sizes = []
    each = cost.timing.Timing(0.01, 0.01, 0.01)
    compared = cost.timing.Comparison(each, each, 1.0, 1.0, 1.0, 9)
    monkeypatch.setattr(cost.timing, "compare_in_turn", lambda *calls, **options: compared)
    calls = {"loop": None, "vmap": None}

    rows = cost.time_by_members(calls, lambda n: sizes.append(n) or calls, 2, lambda: 0.0)

    # Eight rounds of 0.01 s for each member, in one second.
    assert sizes == [1, 5, 10]
    assert [row["members"] for row in rows] == [1, 2, 5, 10]


def test_a_sum_of_complex_outputs_is_a_number():
    assert (
        cost.sum_outputs((torch.ones(2, dtype=torch.complex64), torch.ones(3), torch.ones(2, dtype=torch.int64))) == 5
    )


@pytest.mark.parametrize(
    ("speeds", "turn"),
    [
        ({1: "slower", 2: "faster", 5: "faster"}, 2),
        ({1: "faster", 2: "too noisy", 5: "faster"}, 5),
        ({1: "faster", 5: "faster"}, 1),
        ({1: "faster", 5: "slower"}, None),
        ({1: "slower", 5: "as fast"}, None),
    ],
)
def test_it_turns_where_vmap_is_certainly_faster_from_then_on(speeds, turn):
    assert cost.break_even([{"members": n, "speed": speed} for n, speed in speeds.items()]) == turn


@pytest.mark.parametrize(
    ("interval", "rounds", "speed"),
    [
        ((1.2, 3.0), 9, "faster"),
        ((0.2, 0.9), 9, "slower"),
        ((0.98, 1.02), 9, "as fast"),
        ((0.8, 1.02), 9, "too noisy"),
        ((0.98, 1.6), 9, "too noisy"),
        ((1.2, 3.0), 5, "too noisy"),
    ],
)
def test_an_interval_with_1_in_it_or_of_too_few_rounds_does_not_tell(interval, rounds, speed):
    second = cost.timing.Timing(1, 1, 1)

    assert cost.judge_speed(cost.timing.Comparison(second, second, 1.0, *interval, rounds)) == speed


def test_large_activations_on_a_cpu_are_told(monkeypatch):
    monkeypatch.setattr(cost, "SIZES", ())
    monkeypatch.setattr(cost, "peak_memory", lambda calls, device: {"loop": 2**20, "vmap": 2**25})
    monkeypatch.setattr(cost, "judge_speed", lambda compared: "slower")

    told = questions("mlp").measure("speed_forward")

    assert told["status"] == "slower with large activations"

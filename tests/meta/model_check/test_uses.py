"""Is it said for each use whether the model can be used so, and why not?"""

import pytest

from conformance.checks import model_checks, own_model_checks
from conformance.model_check import uses
from conformance.model_check.steps import CHECKS, COSTS, OWN_MODEL_CHECKS, STEPS, choose_steps, unmatched

RIGHT = {"status": "right", "message": "", "slow": []}
REFUSED = {"status": "refused", "message": "RuntimeError: no rule\nmore", "slow": [], "operation": "aten::x"}


def answered(**results):
    return {each["use"]: each for each in uses.answer_uses(results)}


def test_the_names_of_the_steps_are_those_of_the_checks():
    assert tuple(model_checks.CHECKS) == CHECKS
    assert tuple(own_model_checks.OWN_MODEL_CHECKS) == OWN_MODEL_CHECKS
    named = {use.check for use in uses.USES} | {each for use in uses.USES for each in use.also}
    assert named <= {*CHECKS, *OWN_MODEL_CHECKS}


@pytest.mark.parametrize(
    ("results", "use", "answer", "reason"),
    [
        ({"own_minibatch": RIGHT}, "predict", "yes", ""),
        ({"own_minibatch": RIGHT | {"form": "with dropout 0"}}, "predict", "yes", "with dropout 0"),
        (
            {"own_minibatch": RIGHT | {"slow": ["aten::x"], "form": "with dropout 0"}},
            "predict",
            "slow",
            "with dropout 0, one member at a time in aten::x",
        ),
        ({"own_minibatch": REFUSED}, "predict", "no", "refused: RuntimeError: no rule"),
        (
            {"own_minibatch": REFUSED, "shared_minibatch": RIGHT},
            "predict",
            "yes",
            "from one minibatch for all members; from one for each: refused: RuntimeError: no rule",
        ),
        (
            {"own_minibatch": REFUSED, "shared_minibatch": REFUSED, "modes": RIGHT},
            "predict",
            "yes",
            "in the other mode alone; in this one refused: RuntimeError: no rule",
        ),
        (
            {"own_minibatch": RIGHT, "modes": REFUSED},
            "predict",
            "yes",
            "in the other mode refused: RuntimeError: no rule",
        ),
        ({"grad": {"status": "not applicable", "message": "no gradient"}}, "grad", "not applicable", "no gradient"),
        ({"grad": {"status": "not asked", "message": "it hung"}}, "grad", "not asked", "it hung"),
        ({}, "draws", "not asked", ""),
        ({"grad": RIGHT, "buffers": REFUSED}, "grad", "no", "buffers refused: RuntimeError: no rule"),
    ],
)
def test_a_use_is_answered_by_its_checks(results, use, answer, reason):
    found = answered(**results)[use]

    assert (found["answer"], found["reason"]) == (answer, reason)


def test_a_known_failure_is_no_and_named():
    found = answered(backward={"status": "wrong", "message": "by 3", "slow": [], "known": "of_torch"})["backward"]

    assert found["answer"] == "no"
    assert found["known"] == "of_torch"
    assert found["reason"] == "wrong, a known failure of this torch (of_torch): by 3"
    assert found["brief"] == "wrong: of_torch"


NOTHING = {"status": "not applicable", "message": "no gradient", "slow": []}


@pytest.mark.parametrize(
    ("results", "wanted", "accepted", "lacking"),
    [
        ({"own_minibatch": RIGHT, "backward": RIGHT, "grad": REFUSED}, (), (), []),
        ({"own_minibatch": RIGHT, "backward": REFUSED, "grad": RIGHT}, (), (), []),
        ({"own_minibatch": RIGHT, "backward": REFUSED, "grad": REFUSED}, (), (), ["train (refused: aten::x)"]),
        ({"own_minibatch": RIGHT, "backward": REFUSED, "grad": REFUSED}, (), ("grad",), []),
        ({"own_minibatch": RIGHT, "backward": REFUSED, "grad": REFUSED}, ("predict",), (), []),
        ({"own_minibatch": REFUSED, "grad": RIGHT}, (), (), ["predict (refused: aten::x)"]),
        ({"own_minibatch": RIGHT, "backward": NOTHING, "grad": NOTHING}, (), (), []),
        ({"own_minibatch": RIGHT, "backward": NOTHING, "grad": NOTHING}, ("train",), (), ["train (no gradient)"]),
        (
            {"own_minibatch": RIGHT, "backward": REFUSED, "grad": RIGHT},
            ("backward",),
            (),
            ["backward (refused: aten::x)"],
        ),
        ({"own_minibatch": RIGHT, "backward": REFUSED, "grad": RIGHT}, ("all",), (), ["backward (refused: aten::x)"]),
    ],
)
def test_what_is_wanted_and_can_t_be_is_named(results, wanted, accepted, lacking):
    assert uses.refused_uses(uses.answer_uses(results), wanted, accepted) == lacking


def test_without_a_use_every_step_is_needed():
    assert uses.needed_steps(()) == uses.needed_steps(("all",)) == STEPS


@pytest.mark.parametrize(
    ("wanted", "left_out"),
    [
        (("predict",), {"backward", "grad", "forward_mode", "per_sample", "buffers", "randomness", COSTS[1]}),
        (("train",), {"forward_mode", "per_sample", "randomness"}),
        (("grad", "draws"), {"backward", "forward_mode", "per_sample"}),
    ],
)
def test_a_use_needs_its_steps_and_those_of_no_certain_use(wanted, left_out):
    assert set(STEPS) - set(uses.needed_steps(wanted)) == left_out


def test_steps_are_chosen_by_patterns():
    assert choose_steps(["speed*", "grad"], ["*forward"]) == ("grad", "speed_backward")
    assert choose_steps([], ["speed*"], ["order", "speed_forward"]) == ("order",)
    assert unmatched(["order", "speed*", "none"]) == ["none"]

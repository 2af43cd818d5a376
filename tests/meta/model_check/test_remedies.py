"""Does each suggested fix fit its failure, and does it work?"""

import pytest
import torch
from asked_models import asked, loaded
from remedied_code import CODE
from remedied_modules import MODULES, SAMPLES, SEQUENCES, computing, encoder
from torch.utils.checkpoint import checkpoint

from conformance.checks.gradients import as_leaves
from conformance.checks.outputs import model_outputs
from conformance.checks.subject import Subject
from conformance.implementations.torch_func import TorchFunc
from conformance.model_check.model_facts import describe_model
from conformance.model_check.remedies import load_remedies, suggest_fixes
from conformance.model_check.steps import STEPS
from conformance.numerics.assertions import assert_members_close

# Of the members themselves, and of time: tests/meta/model_check/test_check.py.
ELSEWHERE = {"same-module", "same-numbers", "allocator", "other-generator"}
TRIED = [*MODULES, *CODE]


@pytest.mark.parametrize(
    ("name", "check", "bad", "inputs", "good"), TRIED, ids=[f"{row[0]}-{i}" for i, row in enumerate(TRIED)]
)
def test_a_remedy_is_the_first_that_fits_and_leads_out(name, check, bad, inputs, good):
    case = loaded(bad, inputs)

    found = asked(case, check)
    others = {"own_minibatch": {"status": "right", "message": ""}} if check == "other_stack" else {}
    fixes = suggest_fixes({check: found} | others, describe_model(case)["holds"])
    after = asked(case, good) if good in STEPS else asked(loaded(good, inputs), check)

    assert [(each["name"], each["checks"]) for each in fixes] == [(name, [check])], found
    refusal_gone = check == "out_of_range" and after["message"] == "the plain module refuses no index"
    assert after["status"] == "right" or refusal_gone, after["message"]


def test_attention_can_be_told_to_take_no_fast_path():
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        found = asked(loaded(lambda: encoder(0).eval(), SEQUENCES), "backward")
    finally:
        torch.backends.mha.set_fastpath_enabled(before)

    assert found["status"] == "right"


def test_a_checkpoint_around_the_ensemble_is_right():
    subject = Subject(loaded(computing(torch.tanh), SAMPLES), TorchFunc(), n=3)
    expected = subject.run_loop(model_outputs)
    ensemble, x = subject.ensemble(), as_leaves(subject.stacked_minibatches)
    call = torch.func.vmap(ensemble.member)

    out = checkpoint(call, ensemble.params, ensemble.buffers, *x, use_reentrant=False)
    out.sum().backward()

    assert_members_close((out.detach(),), expected)
    assert ensemble.params["linear.weight"].grad.any()


def test_what_a_fix_relies_on_is_recommended_only_where_it_is_right():
    wrong = {"status": "wrong", "message": "gradient differs", "operation": "torch.nn.functional.embedding"}
    held = ["Embedding", "padding_idx"]

    texts = [
        suggest_fixes({"backward": wrong, "grad": {"status": status, "message": ""}}, held)[0]["advice"]
        for status in ("right", "refused")
    ]

    assert ["torch.func.grad" in text for text in texts] == [True, False]


@pytest.mark.parametrize(("status", "names"), [("right", ["cache"]), ("wrong", [])])
def test_a_fix_is_suggested_only_if_what_it_needs_is_right(status, names):
    results = {
        "own_minibatch": {"status": status, "message": "output[0] differs by 1"},
        "restored": {"status": "wrong", "message": "output[0] differs by 1"},
    }

    assert [each["name"] for each in suggest_fixes(results, ["Net"])] == names


def test_one_cause_has_one_fix_whatever_the_words_are():
    place = {"source": "net.py:3: y.data.clamp_(0)", "status": "refused"}
    results = {
        "own_minibatch": place | {"message": "accessing `data` under vmap transform is not allowed"},
        "grad": place | {"message": "a view of a leaf Variable is being used in an in-place operation"},
        "backward": place | {"message": "something else", "source": "net.py:9: z.sum()"},
        "modes": place | {"status": "right", "message": ""},
    }

    fixes = suggest_fixes(results, ["Net"])

    assert [(each["name"], each["checks"]) for each in fixes] == [("data", ["own_minibatch", "grad"])]


@pytest.mark.parametrize("held", [["Embedding", "Linear"], ["Embedding", "Linear", "tied tensors"]])
def test_tied_weights_are_named_only_where_tensors_are_tied(held):
    results = {"meta_base": {"status": "wrong", "message": "output[0] differs by 1"}}

    assert [each["name"] for each in suggest_fixes(results, held)] == ["tied-on-meta"] * ("tied tensors" in held)


def test_every_remedy_is_tried():
    assert {row.name for row in load_remedies()} == {row[0] for row in TRIED} | ELSEWHERE


@pytest.mark.parametrize("name", sorted(ELSEWHERE))
def test_the_rest_fits_what_the_command_says(name):
    check, status, message = SAID[name]

    (fix,) = suggest_fixes({check: {"status": status, "message": message}}, ["Linear", "draws from NumPy"])

    assert (fix["name"], fix["checks"]) == (name, [check])
    assert suggest_fixes({check: {"status": "right", "message": ""}}, ["Linear"]) == []


SAID = {
    "same-module": ("members", "wrong", "the factory returns the same module each time, so that all share one state"),
    "same-numbers": ("members", "wrong", "all members hold the same numbers, so that their outputs are equal"),
    "other-generator": ("own_minibatch", "right", ""),
    "allocator": ("speed_forward", "slower with large activations", ""),
}

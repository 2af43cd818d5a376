"""Does `check_ensemble` find what it promises to people's own tests, and say it once?"""

import math

import pytest
import torch
from torch import nn

from conformance import testing
from conformance.cases.networks import TiedNet
from conformance.model_check.failure_location import locate_failure
from conformance.testing import EnsembleWarning, check_ensemble, floats, integers

TIED = {
    "modules.meta_base": "tied weights on meta",
    "modules.out_of_range": "an index of the neighbour's",
}
TOKENS = [integers(11, 7, 13)]
PADDING, NEIGHBOURS = "vmap_embedding_padding_idx_gets_gradient", "vmap_embedding_reads_neighbours"


class Gate(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


def mlp():
    return nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))


def padded():
    return nn.Sequential(nn.Embedding(11, 3, padding_idx=0), nn.Linear(3, 2))


def gated():
    return nn.Sequential(nn.Linear(3, 2), Gate())


def outcomes(findings, outcome):
    return [each.requirement for each in findings if each.outcome == outcome]


def test_a_model_that_can_be_ensembled_passes():
    before = torch.get_rng_state()

    findings = check_ensemble(mlp, [floats(7, 3)])

    assert torch.equal(torch.get_rng_state(), before)
    assert [each.requirement for each in findings] == [*testing.REQUIREMENTS]
    assert outcomes(findings, "skipped") == ["modules.buffers", "modules.randomness", "modules.out_of_range"]
    assert len(outcomes(findings, "passed")) == 12
    assert {each.model for each in findings} == {"mlp"}


def test_each_cause_of_wrong_results_is_named_once():
    with pytest.raises(AssertionError) as raised:
        check_ensemble(padded, TOKENS)

    first, padding, *others = str(raised.value).splitlines()
    index = next(line for line in others if line.startswith("modules."))
    environment = f"torch.func, 5 members, torch {torch.__version__}, cpu"
    assert first == f"padded: the ensemble does not match its members ({environment}):"
    assert padding.startswith(
        "3 requirements: modules.backward, modules.order, modules.isolation: WRONG: member 1: grad"
    )
    assert index.startswith("modules.out_of_range: WRONG: member 1: the ensemble returned an output for an index")


def test_the_failure_has_the_diagnosis_of_the_command():
    with pytest.raises(AssertionError) as raised:
        check_ensemble(gated, [floats(7, 3)])

    _, cause, operation, module, line, fix = str(raised.value).splitlines()
    assert cause.startswith("12 requirements: modules.own_minibatch, modules.shared_minibatch, modules.backward, ")
    assert "modules.meta_base: refused: RuntimeError: vmap: It looks like" in cause
    assert operation == "  operation: torch.Tensor.__bool__"
    assert module == "  module:    1 (Gate)"
    assert line.endswith("return x if x.sum() > 0 else -x")
    assert "test_testing.py" in line
    assert fix.startswith("  suggested fix: An `if`, a loop, an assertion or a Python number")


def test_findings_can_be_tabulated():
    findings = check_ensemble(gated, [floats(7, 3)], on_fail=None, only=["modules.grad", "modules.buffers"])

    refused, absent = map(vars, findings)
    assert (refused["requirement"], refused["outcome"], refused["status"]) == ("modules.grad", "failed", "refused")
    assert refused["module"] == "1 (Gate)"
    assert isinstance(refused["exception"], RuntimeError)
    assert len(refused["fixes"]) == 1
    assert (absent["outcome"], absent["message"]) == ("skipped", "the module has no buffers")


def test_what_torch_refuses_in_the_same_words_is_located_once(monkeypatch):
    located = []

    def locate(error, again):
        located.append(str(error))
        return locate_failure(error, again)

    monkeypatch.setattr("conformance.testing.diagnosis.locate_failure", locate)

    findings = check_ensemble(gated, [floats(7, 3)], on_fail=None)

    assert len(located) == len(set(located)) == 2
    assert {each.module for each in findings if each.outcome == "failed"} == {"1 (Gate)"}


def test_a_model_that_does_not_run_by_itself_fails():
    with pytest.raises(AssertionError) as raised:
        check_ensemble(mlp, [floats(7, 4)])

    first, cause, *_ = str(raised.value).splitlines()
    assert first.startswith("mlp: the model alone gives nothing to compare with")
    assert cause.startswith("modules.own_minibatch: not applicable: the plain loop fails: RuntimeError: mat1")


def test_a_model_that_can_t_be_copied_is_checked_as_it_is():
    class Uncopied(nn.Linear):
        def __deepcopy__(self, memo):
            raise RuntimeError("one of a kind")

    findings = check_ensemble(lambda: Uncopied(3, 2), [floats(7, 3)], on_fail=None)

    assert findings[0].outcome == "passed"
    assert "one of a kind" in next(each.message for each in findings if each.outcome == "skipped")


@pytest.mark.parametrize(
    ("number", "reason"),
    [(math.nan, "only NaN and infinity"), (None, "no numbers")],
    ids=["nan", "nothing"],
)
def test_a_model_of_which_equal_outputs_prove_nothing_fails(number, reason):
    class Empty(nn.Linear):
        def forward(self, x):
            out = super().forward(x)
            return None if number is None else out * number

    with pytest.raises(AssertionError, match=rf"modules\.own_minibatch: not applicable: the plain module .* {reason}"):
        check_ensemble(lambda: Empty(3, 2), [floats(7, 3)])


def test_a_run_in_which_nothing_applies_fails():
    with pytest.raises(AssertionError, match=r"mlp: no requirement applies:\nmodules.buffers: the module has no buff"):
        check_ensemble(mlp, [floats(7, 3)], only=["modules.buffers"])


@pytest.mark.parametrize(
    ("expected", "problem"),
    [
        (TIED, None),
        ({**TIED, "modules.grad": "who knows"}, r"modules.grad: expected to fail \(who knows\), but it is right"),
        ({**TIED, "modules.buffers": "it has none"}, "modules.buffers: expected to fail .* is not applicable"),
    ],
    ids=["as-expected", "right", "not-applicable"],
)
def test_expected_failures_are_strict(expected, problem):
    if problem is None:
        findings = check_ensemble(TiedNet, [integers(11, 7)], expected_failures=expected)

        failures = [each for each in findings if each.outcome == "expected failure"]
        assert {each.requirement: each.reason for each in failures} == TIED
        assert all(each.expected_to_fail for each in failures)
    else:
        with pytest.raises(AssertionError, match=problem):
            check_ensemble(TiedNet, [integers(11, 7)], expected_failures=expected)


def test_accepted_failures_need_not_happen():
    accept = [PADDING, "modules.out_of_range", "modules.grad"]

    findings = check_ensemble(padded, TOKENS, accept=accept)

    accepted = ["modules.backward", "modules.order", "modules.isolation", "modules.out_of_range"]
    assert outcomes(findings, "accepted") == accepted
    assert [each.known for each in findings if each.outcome == "accepted"] == [PADDING] * 3 + [NEIGHBOURS]
    assert "modules.grad" in outcomes(findings, "passed")


def test_a_known_failure_is_named_with_the_option_that_accepts_it():
    with pytest.raises(AssertionError, match=rf"known failure: {NEIGHBOURS} of torch, which accept=\['{NEIGHBOURS}'\]"):
        check_ensemble(padded, TOKENS, accept=[PADDING])


def test_a_model_that_does_not_run_can_t_be_accepted():
    with pytest.raises(AssertionError, match="the model alone gives nothing to compare with"):
        check_ensemble(mlp, [floats(7, 4)], accept=["modules.own_minibatch"])


def test_failures_and_skips_can_be_warnings():
    with pytest.warns(EnsembleWarning) as caught:
        check_ensemble(padded, TOKENS, on_fail="warn", on_skip="warn", accept=["modules.order"])

    skips, failures = (str(each.message) for each in caught)
    assert "modules.buffers: the module has no buffers" in skips
    assert "modules.order: accepted (wrong: member 1: " in skips
    assert "2 requirements: modules.backward, modules.isolation: WRONG" in failures
    assert {each.filename for each in caught} == {__file__}


def test_each_finding_is_reported_at_once():
    seen = []

    findings = check_ensemble(mlp, [floats(7, 3)], callback=seen.append, skip=testing.REQUIREMENTS[3:])

    assert seen == findings
    assert [each.requirement for each in seen] == [*testing.REQUIREMENTS[:3]]


def test_an_interrupt_while_a_failure_is_located_ends_the_test():
    class Interrupted(Gate):
        refused = 0

        def forward(self, x):
            try:
                return super().forward(x)
            except RuntimeError:
                Interrupted.refused += 1
                if Interrupted.refused > 1:
                    raise KeyboardInterrupt from None
                raise

    with pytest.raises(KeyboardInterrupt):
        check_ensemble(lambda: nn.Sequential(nn.Linear(3, 2), Interrupted()), [floats(7, 3)])


def test_every_public_name_is_there():
    assert all(hasattr(testing, name) for name in testing.__all__)

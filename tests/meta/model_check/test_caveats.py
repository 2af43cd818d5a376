"""Is a WRONG called a known failure of torch where it is one, and nowhere else?"""

from functools import partial

import pytest
import torch
from asked_modules import Average, Classes, Hooked, Words
from test_asking import asking, words

from conformance.diagnosis.known_reproducers import reproducer_paths
from conformance.implementations.torch_func import TorchFunc
from conformance.model_check import known_failures, worker
from conformance.model_check.caveats import caveat_text, known_failure_ids, load_caveats
from conformance.model_check.steps import CHECKS
from conformance.spec.expectations import DEFAULT, load_expectations
from conformance.spec.requirements import load_requirements


def told(make, step, draw=None, implementation=None):
    case = asking(make, draw).case
    return worker.StepRunner(case, implementation or TorchFunc(), torch.device("cpu"), None, 3).run_check(step)


@pytest.mark.parametrize(
    ("make", "step", "draw", "known"),
    [
        (Words, "out_of_range", words, "vmap_embedding_reads_neighbours"),
        (Classes, "out_of_range", words, "vmap_one_hot_of_no_class"),
        (partial(Words, tied=True), "meta_base", words, "meta_operand_gives_uninitialized_memory"),
        (partial(Words, 0), "backward", words, "vmap_embedding_padding_idx_gets_gradient"),
        (partial(Words, 0), "isolation", words, "vmap_embedding_padding_idx_gets_gradient"),
        (Hooked, "backward", None, "vmap_leaves_out_backward_hooks"),
        (Hooked, "single", None, "vmap_leaves_out_backward_hooks"),
        (Average, "buffers", None, "functional_call_loses_reassigned_buffer"),
    ],
)
def test_a_known_failure_is_named(make, step, draw, known):
    found = told(make, step, draw)

    assert (found["status"], found["known"]) == ("wrong", known)
    assert caveat_text(known, "") != ""


@pytest.mark.parametrize(
    ("make", "step", "draw"),
    [
        (partial(Words, wrong=True), "backward", words),
        (partial(Words, 0, wrong=True), "backward", words),
        (partial(Words, tied=True, wrong=True), "backward", words),
        (partial(Average, wrong=True), "buffers", None),
    ],
)
def test_a_wrong_number_that_resembles_one_is_wrong(make, step, draw):
    found = told(make, step, draw)

    assert found["status"] == "wrong"
    assert "known" not in found


class Another(TorchFunc):
    """An implementation of somebody else."""

    name = "another"


def test_another_implementation_is_not_excused_by_what_torch_does():
    found = told(Words, "out_of_range", words, Another())

    assert found["status"] == "wrong"
    assert "known" not in found


def test_each_caveat_is_a_recorded_bug_with_a_reproducer_and_a_counterexample():
    recorded = {entry.reproducer: entry for entry in load_expectations(DEFAULT, load_requirements().keys())}

    for caveat in load_caveats():
        assert caveat.id in reproducer_paths()
        assert recorded[caveat.id].effect == "wrong"
        assert set(caveat.checks) <= set(CHECKS)
        assert caveat.without in {*known_failures.CHANGES, *known_failures.REPLACED}
        assert caveat.text


def test_ids_are_those_of_the_reproducers():
    assert known_failure_ids() == list(reproducer_paths())
    assert caveat_text("vmap_of_nothing", "by 3") == "by 3"

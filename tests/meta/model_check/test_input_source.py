"""Are minibatches made as functions, files and descriptions say, and is what is shared marked?"""

import dataclasses

import pytest
import torch
from check_questions import CPU, ask, found

from conformance.checks.calls import Shared, split_arguments
from conformance.model_check.input_files import load_minibatches
from conformance.model_check.input_source import find_inputs
from conformance.model_check.options import UsageError


def make(*texts, n=3, **options):
    draw = find_inputs(dataclasses.replace(ask("theirs:mlp", texts), **options))
    return draw(n, CPU, torch.float64)


def saved(folder, content):
    torch.save(content, folder / "inputs.pt")
    return str(folder / "inputs.pt")


def test_a_tensor_that_is_the_same_each_time_is_shared():
    first, second, _ = (split_arguments(x)[1] for x in make(":graph"))
    (kept, _, _) = make(":graph")

    assert first["edges"] is second["edges"]
    assert isinstance(kept[0].edges, Shared)
    assert not torch.equal(first["x"], second["x"])
    assert first["x"].dtype == torch.float64


def test_a_minibatch_that_was_made_once_is_each_member_s_own():
    assert not any(isinstance(leaf, Shared) for (leaf,) in make(":fixed_inputs"))


def test_a_shared_input_is_drawn_once():
    first, second, _ = make("4", "shared:2x3:0..9", "mask=4:bool")

    assert torch.equal(first[1].value, second[1].value)
    assert not torch.equal(first[0], second[0])


def test_numpy_draws_the_same_inputs_each_time():
    assert torch.equal(make("theirs:drawn_by_numpy")[0][0], make("theirs:drawn_by_numpy")[0][0])


@pytest.mark.parametrize(
    "content",
    [(torch.ones(7, 3),), torch.ones(7, 3), {"input": torch.ones(7, 3)}, [torch.ones(7, 3), (torch.ones(7, 3),)]],
    ids=["tuple", "tensor", "dict", "list"],
)
def test_a_file_holds_one_minibatch_or_one_for_each_member(tmp_path, content):
    minibatches = make(inputs_file=saved(tmp_path, content))

    for x in minibatches:
        args, kwargs = split_arguments(x)
        assert torch.equal((*args, *kwargs.values())[0], torch.ones(7, 3, dtype=torch.float64))
    assert len(minibatches) == 3


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ([], "the list is empty"),
        (3, "got int"),
        ({3: 4}, "got dict"),
        ([(1,), (1, 2)], "the inputs of two members differ"),
    ],
)
def test_a_file_that_holds_no_minibatches_is_a_mistake(tmp_path, content, problem):
    with pytest.raises(UsageError, match=problem):
        load_minibatches(saved(tmp_path, content))


@pytest.mark.parametrize(
    ("texts", "options", "problem"),
    [
        (("3",), {"inputs_file": "x.pt"}, "--inputs: the file holds all arguments"),
        ((":ONE.weight",), {}, "--input theirs:ONE.weight: is not callable"),
        ((":listed",), {}, r"theirs:listed\(\): expected a tuple of arguments, a dict .*, got list"),
        ((":underscored",), {}, r"theirs:underscored\(\): Field names cannot start with an underscore: '_x'"),
        ((":failing",), {}, r"theirs:failing\(\) raises RuntimeError: no weights"),
        ((":uneven",), {}, "the inputs of two members differ"),
        (("_x=3",), {}, "--input: Field names cannot start with an underscore"),
    ],
)
def test_inputs_that_make_no_sense_are_a_mistake(texts, options, problem):
    with pytest.raises(UsageError, match=problem):
        make(*texts, **options)


@pytest.mark.parametrize("check", ["own_minibatch", "shared_minibatch", "backward", "grad", "isolation", "order"])
def test_a_graph_with_shared_edges_is_right(check):
    assert found("Graph", check, ":graph")["status"] == "right"


@pytest.mark.parametrize(("check", "status"), [("buffers", "right"), ("per_sample", "not applicable")])
def test_a_model_that_draws_from_other_libraries_is_not_wrong(check, status):
    assert found("Drawing", check)["status"] == status

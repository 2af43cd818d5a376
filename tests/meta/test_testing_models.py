"""Which models and arguments do the functions of `conformance.testing` take, and what does each member get of them?"""

import random
from unittest import SkipTest

import pytest
import torch
from torch import nn

from conformance.testing import Model, check_ensemble, ensemble_checks, fixed, floats, integers, parametrize_with_checks

ONLY = ["modules.own_minibatch", "modules.buffers"]


class Scaled(nn.Module):
    """A model with a keyword argument and a nested one, which draws in train mode and has a random Python number."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 2)
        self.number = random.random()  # noqa: S311 - a model may draw from it
        self.dropout = nn.Dropout(0.5)

    def forward(self, x, *, scale, extra):
        return self.dropout(self.linear(x)) * scale + extra["shift"]


def mlp():
    return nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))


def padded():
    return nn.Sequential(nn.Embedding(11, 3, padding_idx=0), nn.Linear(3, 2))


def scaled_arguments():
    return {"scale": floats(7, 1), "extra": {"shift": 0.5}}


def minibatches(inputs, n=3, dtype=torch.float64, **options):
    return Model(mlp, inputs, **options).minibatches(n, device="cpu", dtype=dtype)


def test_keyword_arguments_are_passed_by_name():
    findings = check_ensemble(Scaled, [floats(7, 3)], kwargs=scaled_arguments(), mode="eval")

    assert {each.outcome for each in findings} == {"passed", "skipped"}


@pytest.mark.parametrize(("mode", "outcome"), [("train", "passed"), ("eval", "skipped"), (None, "passed")])
def test_the_mode_is_that_of_the_caller(mode, outcome):
    asked = {"kwargs": scaled_arguments(), "mode": mode, "only": ["modules.own_minibatch", "modules.randomness"]}

    findings = check_ensemble(Scaled, [floats(7, 3)], **asked)

    assert findings[1].outcome == outcome


def test_the_seed_alone_decides_about_members_and_inputs():
    kept = random.getstate()

    def made(seed):
        model = Model(Scaled, [floats(7, 3)], scaled_arguments(), seed=seed)
        member = model.members(2, device="cpu", dtype=torch.float64)[1]
        return member.linear.weight, member.number, model.minibatches(2, device="cpu", dtype=torch.float64)[1][0]

    torch.manual_seed(1)
    weight, number, x = made(3)
    torch.manual_seed(2)
    again = made(3)
    other = made(4)

    assert torch.equal(weight, again[0])
    assert number == again[1]
    assert torch.equal(x, again[2])
    assert not torch.equal(weight, other[0])
    assert not torch.equal(x, other[2])
    assert random.getstate() == kept


def test_the_number_of_members_and_the_dtype_are_those_of_the_caller():
    seen = []

    class Seen(nn.Linear):
        def forward(self, x):
            seen.append((x.dtype, x.shape))
            return super().forward(x)

    made = []

    def factory():
        made.append(Seen(3, 2))
        return made[-1]

    check_ensemble(factory, floats(7, 3), members=3, dtype=torch.float32, only=ONLY)

    assert len(made) == 3
    assert (torch.float32, (7, 3)) in seen


def test_members_get_the_samples_of_a_plain_tensor_in_turn():
    data = torch.arange(15.0).reshape(5, 3)

    got = [x[0][:, 0].tolist() for x in minibatches(data, batch=2)]

    assert got == [[0, 3], [6, 9], [12, 0]]


def test_without_batch_members_get_all_samples_in_another_order():
    got = [x[0].tolist() for x in minibatches([torch.arange(3)])]

    assert got == [[0, 1, 2], [1, 2, 0], [2, 0, 1]]


def test_tensors_with_as_many_samples_are_cut_alike_and_others_are_shared():
    table = torch.zeros(2, 4, dtype=torch.int64)
    inputs = [{"x": torch.arange(5.0)}, torch.arange(5), table, torch.tensor(3.0), None]

    first, second, _ = minibatches(inputs, batch=4, kwargs={"mask": floats(4, 4)})

    assert second[0]["x"].tolist() == second[1].tolist() == [4, 0, 1, 2]
    assert torch.equal(first[2], table)
    assert first[2] is not table
    assert first[3].item() == second[3].item() == 3
    assert first[4] is None
    assert first[5].mask.shape == (4, 4)


def test_numbers_of_plain_tensors_have_the_precision_that_is_asked_for():
    data = [torch.zeros(2, dtype=each) for each in (torch.float16, torch.complex64, torch.int32)]

    (x,) = minibatches(data, n=1, dtype=torch.float64)
    (half,) = minibatches(data, n=1, dtype=torch.float16)

    assert [each.dtype for each in x] == [torch.float64, torch.complex128, torch.int32]
    assert [each.dtype for each in half] == [torch.float16, torch.complex64, torch.int32]


def test_a_model_is_checked_with_plain_data():
    data = torch.randn(64, 3, requires_grad=True)

    findings = check_ensemble(mlp, data, batch=7)

    assert {each.outcome for each in findings} == {"passed", "skipped"}


def test_a_tensor_of_one_sample_can_be_fixed():
    (first, second) = minibatches([fixed(torch.ones(1, 3))], n=2)

    assert torch.equal(first[0], second[0])


def test_several_models_have_ids():
    models = {"small": (mlp, [floats(7, 3)]), "large": (Scaled, [floats(7, 3)], scaled_arguments())}

    checks = list(ensemble_checks(models, only=ONLY))

    assert [*map(str, checks)] == [f"{model}-{each}" for model in models for each in ONLY]
    assert checks[2]().outcome == "passed"
    assert checks[2].run().model == "large"
    with pytest.raises(SkipTest, match=r"modules\.buffers: the module has no buffers"):
        checks[3]()


def test_models_of_a_list_are_named_after_their_factories():
    models = [
        (mlp, [floats(7, 3)]),
        (padded, [integers(11, 7, 13)]),
        (mlp, [floats(5, 3)]),
        (lambda: nn.Linear(3, 2), []),
    ]

    mark = parametrize_with_checks(models, only=ONLY[:1])

    assert [each.id for each in mark.args[1]] == [
        f"{name}-modules.own_minibatch" for name in ("mlp0", "padded", "mlp2", "model")
    ]


def test_one_model_needs_no_id():
    mark = parametrize_with_checks(mlp, [floats(7, 3)])

    assert mark.args[0] == "check"
    assert mark.args[1][0].id == "modules.own_minibatch"
    assert mark.args[1][0].values[0].model.name == "mlp"


def test_expected_failures_may_depend_on_the_model():
    expected = {"padded": {"modules.backward": "padding_idx"}}
    models = {"mlp": (mlp, [floats(7, 3)]), "padded": (padded, [integers(11, 7, 13)])}

    checks = ensemble_checks(models, expected_failures=lambda name: expected.get(name, {}), only=["modules.backward"])
    found = [check.run() for check in checks]

    assert [each.outcome for each in found] == ["passed", "expected failure"]

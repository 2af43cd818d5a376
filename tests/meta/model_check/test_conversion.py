"""Is a model converted to float64 where that does not change it, and is what it holds found?"""

import own_models
import pytest
import stubborn_models
import torch
from own_models import Held
from torch import nn

from conformance.implementations.torch_func import TorchFunc
from conformance.model_check.conversion import choose_conversion, input_dtype, own_dtypes
from conformance.model_check.shared_objects import shared_objects
from conformance.numerics.plain_loop import PlainLoopError
from conformance.numerics.unconverted_loop import loop_of_copies, loop_of_originals
from conformance.utils.held_objects import held_objects

MODELS = vars(own_models) | vars(stubborn_models)


def draw(dtype):
    return (torch.linspace(-1, 1, 21, dtype=dtype).reshape(7, 3),)


@pytest.mark.parametrize(
    ("factory", "sentence"),
    [
        ("Held", ""),
        ("half", ""),
        ("Dropped", ""),
        ("Sparse", ""),
        (
            "OnlyFloat32",
            "checked as it is, in its own dtype, with a wider budget: a copy in float64 fails:",
        ),
        ("OtherInDouble", "a copy in float64 gives another result"),
        ("NaNInDouble", "a copy in float64 gives another result"),
        ("LostImaginaryPart", "a copy in float64 gives another result"),
        ("OtherInCopies", "checked as it is, uncopied, in its own dtype, with a wider budget: a deep copy of it gives"),
        ("uncopyable", "it can't be copied: TypeError: "),
    ],
)
def test_a_model_that_conversion_changes_is_checked_as_it_is(factory, sentence):
    torch.manual_seed(0)

    said = choose_conversion(MODELS[factory](), draw).sentence

    assert sentence in said if sentence else not said


def test_a_plain_model_that_fails_is_converted_and_says_so_later():
    assert not choose_conversion(nn.Linear(5, 2), draw).sentence


def test_a_model_that_is_silent_is_converted():
    class Silent(nn.Module):
        def forward(self, x):
            return x[:0]

    assert not choose_conversion(Silent(), draw).sentence


def test_a_tensor_that_refuses_the_conversion_is_a_reason():
    class Stubborn(torch.Tensor):
        def __deepcopy__(self, memo):
            return self

        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            if func is torch.Tensor.to and torch.float64 in [*args, *(kwargs or {}).values()]:
                raise TypeError("not me")
            return super().__torch_function__(func, types, args, kwargs or {})

    model = Held(lambda self: self.register_buffer("stubborn", torch.ones(2).as_subclass(Stubborn)))

    assert "a copy in float64 fails: TypeError: not me" in choose_conversion(model, draw).sentence


@pytest.mark.parametrize(
    ("factory", "own", "taken"),
    [
        ("half", [torch.bfloat16], torch.bfloat16),
        ("uncopyable", [torch.float32], torch.float32),
        ("Complex", [torch.complex64], torch.float32),
        ("LostImaginaryPart", [torch.float32], torch.float32),
        (lambda: nn.Sequential(nn.Linear(5, 2)), [torch.float32], torch.float32),
        (lambda: Held(lambda self: self.linear.register_buffer("rest", torch.ones(2).half())), None, torch.float32),
    ],
)
def test_inputs_have_a_dtype_that_the_model_takes(factory, own, taken):
    model = (MODELS[factory] if isinstance(factory, str) else factory)()

    assert own_dtypes([model]) == (own or [torch.float32, torch.float16])
    assert input_dtype(model, draw) == taken


@pytest.mark.parametrize("loop", [loop_of_copies, loop_of_originals])
def test_a_loop_without_truth_measures_how_far_one_rounding_moves_it(loop):
    models = [nn.Linear(3, 2) for _ in range(2)]

    found = loop(
        lambda model, x: (model(x).detach(), x.argmax(), torch.complex(x, x)), models, [draw(torch.float32)[0]] * 2
    )

    assert [each.dtype for each in found.truth[0]] == [torch.float64, torch.int64, torch.complex128]
    assert torch.equal(found.values[1][0], models[1](draw(torch.float32)[0]))
    assert 0 < (found.sample[0][0] - found.values[0][0]).abs().max() < 1e-5


@pytest.mark.parametrize("loop", [loop_of_copies, loop_of_originals])
def test_a_loop_without_truth_says_what_the_plain_module_raises(loop):
    with pytest.raises(PlainLoopError, match="the plain loop fails: RuntimeError: "):
        loop(lambda model, x: model(x), [nn.Linear(5, 2)], [draw(torch.float32)[0]])


class Holder:
    """An object that holds a tensor, and itself."""

    def __init__(self):
        self.table, self.own = torch.zeros(2), self


def test_what_a_module_holds_is_found_by_its_path():
    holder, loose = Holder(), nn.Linear(1, 1)
    model = Held(lambda self: vars(self).update(held={"a": [holder], (1, 2): loose}, f=len, t=(nn, Held)))

    paths = dict(held_objects(model))

    assert paths["held['a'][0].table"] is holder.table
    assert paths["held[...]"] is loose
    assert paths["linear.weight"] is model.linear.weight
    assert not any(path.startswith(("f.", "t[0].")) for path in paths)


def test_a_tied_parameter_is_found_once():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[1].weight = model[0].weight

    assert [path for path, each in held_objects(model) if each is model[0].weight] == ["0.weight"]


def test_what_members_share_is_named_once_at_the_top():
    book, holder = nn.Embedding(2, 2), Holder()

    models = [Held(lambda self: vars(self).update(holder=holder) or setattr(self, "book", book)) for _ in range(3)]

    assert shared_objects(models) == ["book (Embedding)", "holder.table (Tensor)"]
    assert shared_objects([Held(), Held()]) == []


def test_a_base_that_can_t_be_copied_is_member_0():
    models = [stubborn_models.uncopyable() for _ in range(2)]

    with pytest.raises(TypeError, match="pickle"):
        TorchFunc().combine(models)

"""Is the model that is judged the user's, and is it said what a call leaves behind?"""

import own_models
import pytest
import stubborn_models
import torch
from check_questions import CPU
from own_models import Held
from torch import nn

from conformance.implementations.functorch import Functorch
from conformance.implementations.torch_func import TorchFunc
from conformance.model_check import step_runner
from conformance.model_check.loaded_model import LoadedModel, OwnDtype
from conformance.model_check.options import UsageError

MODELS = vars(own_models) | vars(stubborn_models)


def draw(n, device, dtype):
    return [(torch.randn(7, 3, dtype=dtype),) for _ in range(n)]


def asked(factory, implementation=None, draw=draw, members=3):
    made = [(MODELS[factory] if isinstance(factory, str) else factory)() for _ in range(members)]
    return step_runner.StepRunner(LoadedModel("own", made, draw), implementation or TorchFunc(), CPU, None, members)


@pytest.mark.parametrize(
    ("model", "step", "status", "said"),
    [
        # In the model's own dtypes
        ("half", "own_dtype", "right", ""),
        ("Held", "own_dtype", "right", ""),
        ("Index", "own_dtype", "right", ""),
        ("Dropped", "own_dtype", "right", ""),
        ("Drawing", "own_dtype", "not applicable", "draws random numbers"),
        ("double", "own_dtype", "not applicable", "in float64, as"),
        ("Autocast", "own_dtype", "wrong", "has dtype torch.float32, and has to have torch.bfloat16"),
        ("Shifted", "own_dtype", "not applicable", "wrong in float64 as well"),
        # What is neither parameter nor buffer
        ("Held", "one_base", "right", ""),
        ("Scaled", "one_base", "wrong", "the members differ in number, no parameter or buffer: member 0's counts"),
        ("Shifted", "one_base", "wrong", "the members differ in number, shift"),
        ("patched", "one_base", "wrong", "differ in forward"),
        ("quantized", "one_base", "wrong", "differ in 0._packed_params._packed_params"),
        ("other_names", "one_base", "not applicable", "are not alike: layer"),
        ("uncopyable", "one_base", "right", ""),
        # What a call leaves behind
        ("Held", "second_call", "right", ""),
        ("Counter", "second_call", "right", ""),
        ("UsedCounter", "second_call", "right", ""),
        ("LastOutput", "leftovers", "refused", "holds dead tensors: last; return it"),
        ("Mean", "leftovers", "refused", "holds dead tensors: mean"),
        ("Shifted", "second_call", "not applicable", "wrong already"),
        ("Drawing", "second_call", "not applicable", "draws random numbers"),
        ("FailingLater", "second_call", "refused unclearly", "broken for good"),
        ("Held", "chunks", "right", ""),
        ("Cached", "chunks", "right", ""),
        ("CachedZeros", "chunks", "wrong", "output[0] has shape"),
        ("UsedCounter", "chunks", "not applicable", "another result at its second call"),
        ("Held", "other_stack", "right", ""),
        ("CachedWeight", "other_stack", "wrong", "member 0: output[0] differs"),
        ("Held", "base_alone", "right", ""),
        ("Cached", "base_alone", "right", ""),
        ("CachedWeight", "base_alone", "wrong", "member 1: output[0] differs"),
        ("OtherAlone", "base_alone", "wrong", "the base by itself gives another result"),
        ("FailingLater", "base_alone", "refused", "the base by itself fails: broken for good"),
        ("LastOutput", "base_alone", "right", ""),
        ("FailingAtSecond", "second_call", "refused", "a second call through vmap fails: the base holds dead tensors"),
        ("FailingWhenSmaller", "base_alone", "right", ""),
        ("HiddenState", "one_base", "wrong", "the members differ in something that is neither"),
        ("Rounded", "own_dtype", "right", ""),
        ("KeptInPython", "base_alone", "refused", "kept in Python, and dead"),
        ("uncopyable", "base_alone", "right", ""),
        ("OffsetInFloat32", "own_dtype", "wrong", "differs by"),
        ("OffsetUnmapped", "own_dtype", "wrong", "differs by"),
        ("AutocastBesideZeros", "own_dtype", "wrong", "has dtype"),
        # The other checks
        ("UsedCounter", "restored", "not applicable", "another result at its second call"),
        ("UsedCounter", "per_sample", "not applicable", "another result at its second call"),
        ("OwnGenerator", "randomness", "right", ""),
        ("OwnGenerator", "own_minibatch", "right", ""),
        ("Sparse", "restored", "right", ""),
        ("Sparse", "buffers", "right", ""),
        ("Sparse", "isolation", "right", ""),
        ("SparseWeight", "own_minibatch", "right", ""),
        ("uncopyable", "own_minibatch", "right", ""),
        ("weight_norm", "own_minibatch", "right", ""),
        ("uncopyable", "order", "not applicable", "can't be copied"),
        ("uncopyable", "meta_base", "not applicable", "can't be copied"),
        ("OtherInDouble", "own_minibatch", "right", ""),
        ("OnlyFloat32", "own_minibatch", "right", ""),
        ("OnlyFloat32", "backward", "right", ""),
        ("OtherInCopies", "own_minibatch", "wrong", "differs"),
        ("Random", "own_minibatch", "not applicable", "another result at its second call"),
        ("on_meta", "own_minibatch", "not applicable", "weight is on the meta device"),
        ("MadeInForward", "own_minibatch", "not applicable", "the first call makes norm.weight"),
        ("other_names", "own_minibatch", "refused", "the members are not alike: layer"),
        ("other_classes", "own_minibatch", "refused", "the members are not alike: the class is"),
    ],
)
def test_a_model_gets_the_status_that_it_has_earned(model, step, status, said):
    torch.manual_seed(0)

    told = asked(model).run(step)

    assert (told["status"], said in told["message"]) == (status, True), told


def test_complex_numbers_keep_their_imaginary_part():
    def draw(n, device, dtype):
        return [(torch.randn(7, 3, dtype=torch.complex64),) for _ in range(n)]

    runner = asked("Complex", draw=draw)
    case = runner.case

    assert case.members(1, device=CPU, dtype=torch.float64)[0].weight.dtype == torch.complex128
    assert case.minibatches(1, device=CPU, dtype=torch.float64)[0][0].dtype == torch.complex128
    assert {runner.run(step)["status"] for step in ("conversion", "own_minibatch", "backward", "own_dtype")} == {
        "right"
    }


@pytest.mark.parametrize("step", ["one_base", "second_call", "base_alone"])
def test_what_has_no_functional_call_has_no_base(step):
    told = asked("Held", Functorch()).run(step)

    assert told["status"] == "not applicable"


@pytest.mark.parametrize("step", ["chunks", "other_stack", "own_dtype"])
def test_one_member_is_checked_too(step):
    assert asked("Held", members=1).run(step)["status"] == "right"


def test_a_model_of_two_dtypes_says_where_its_members_differ():
    told = asked(lambda: Held(lambda self: setattr(self, "number", object()))).run("one_base")

    assert told["status"] == "right"


def test_a_minibatch_that_can_t_be_made_smaller_leaves_nothing():
    class Seven(Held):
        def forward(self, x):
            return self.linear(x.view(7, 3))

    assert asked(Seven).run("base_alone")["status"] == "right"


def test_a_plain_module_that_fails_leaves_nothing():
    class Broken(Held):
        def forward(self, x):
            raise ValueError("broken")

    told = asked(Broken).run("chunks")

    assert told["status"] == "not applicable"
    assert "broken" in told["message"]


def test_a_module_that_fails_at_its_second_call_has_a_memory():
    class Once(Held):
        def forward(self, x):
            if self.number is None:
                raise ValueError("once is enough")
            self.number = None
            return self.linear(x)

    told = asked(Once).run("chunks")

    assert told == {"status": "not applicable", "message": "the plain loop fails: ValueError: once is enough"} | {
        key: told[key] for key in told.keys() - {"status", "message"}
    }


def test_inputs_that_can_t_be_made_are_a_mistake():
    def draw(n, device, dtype):
        raise UsageError("no inputs")

    with pytest.raises(UsageError, match="no inputs"):
        asked("Held", draw=draw).run("conversion")


@pytest.mark.parametrize(("error", "status"), [(ValueError, "not applicable"), (SystemExit, "crash")])
def test_a_model_that_can_t_be_called_at_all_has_an_answer(error, status):
    def draw(n, device, dtype):
        raise error("no")

    assert asked("Held", draw=draw).run("conversion")["status"] == status


def test_a_failure_is_not_blamed_on_the_search_for_dead_tensors():
    assert "operation" not in asked("LastOutput").run("leftovers")


def test_members_of_any_kind_are_compared_by_name():
    tensors = {"sparse": lambda: torch.eye(2).to_sparse(), "meta": lambda: torch.empty(2, device="meta")}
    case = LoadedModel("own", [Held(lambda self: add(self, tensors)) for _ in range(2)], draw)

    assert case.equal == ["sparse"]


def test_tensors_that_torch_can_t_compare_are_not_equal():
    class Odd(torch.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            if func is torch.equal:
                raise NotImplementedError
            return super().__torch_function__(func, types, args, kwargs or {})

    case = LoadedModel(
        "own", [Held(lambda self: self.register_buffer("odd", torch.ones(2).as_subclass(Odd))) for _ in range(2)], draw
    )

    assert case.equal == []


def add(model, tensors):
    for name, make in tensors.items():
        model.register_buffer(name, make())


def test_the_other_names_of_members_are_no_equal_numbers():
    case = LoadedModel("own", [stubborn_models.other_names() for _ in range(2)], draw)

    assert case.equal == []


def test_a_case_in_its_own_dtype_has_a_name():
    assert OwnDtype(LoadedModel("own", [nn.Linear(3, 2)], draw)).name == "own"

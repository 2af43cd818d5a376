"""Is the first layer that differs named, and is nothing claimed that can not be asked?"""

import warnings

import pytest
import torch
from torch.nn import functional as F

from conformance.cases.data import draw
from conformance.cases.members import members
from conformance.diagnosis import diagnose, layers
from conformance.diagnosis.diagnose import find_broken_layer
from conformance.diagnosis.recorder import Recorder
from conformance.implementations.functorch import Functorch
from conformance.implementations.torch_func import TorchFunc
from conformance.reference.simple_cnn import small_cnn
from conformance.report.results import CaseResult, Status
from conformance.utils.text import WIDTH, one_line


class Broken(TorchFunc):
    """torch.func, of which one layer is broken."""

    def combine(self, models):
        fmodel, params, buffers = super().combine(models)
        return self.fmodel(fmodel), self.stack(params), buffers

    def fmodel(self, fmodel):
        return fmodel

    def stack(self, params):
        return params


class Called(Broken):
    def fmodel(self, fmodel):
        return lambda *args: fmodel(*args) + 1


class Stacked(Broken):
    def stack(self, params):
        return {name: tensor.flip(0) for name, tensor in params.items()}


class Mapped(Broken):
    def vmap(self, func, *args, **kwargs):
        return lambda *given: super(Mapped, self).vmap(func, *args, **kwargs)(*given) * 2


class Refused(Broken):
    def vmap(self, func, *args, **kwargs):
        def refuse(*_):
            raise RuntimeError("not\nhere")

        return refuse


class Chunked(Broken):
    def vmap(self, func, in_dims=0, out_dims=0, randomness="error", *, chunk_size=None):
        mapped = super().vmap(func, in_dims, out_dims, randomness)
        return lambda *given: mapped(*given).narrow(0, 0, chunk_size or len(given[-1]))


class Detached(Broken):
    def vmap(self, func, *args, **kwargs):
        mapped = super().vmap(func, *args, **kwargs)
        return lambda params, *given: mapped({k: v.detach() for k, v in params.items()}, *given)


def fails(implementation):
    """A test of an ensemble of three."""
    fmodel, params, buffers = implementation.combine(members(small_cnn, 3))
    implementation.vmap(fmodel, chunk_size=2)(params, buffers, draw(3, 5, 1, 8, 8, seed=1))
    raise AssertionError("it fails")


@pytest.mark.parametrize(
    ("implementation", "expected"),
    [
        (Called, f"{layers.FUNCTIONAL_CALL}: output differs by 1 "),
        (Stacked, f"{layers.STACKED}: output differs by "),
        (Mapped, f"{layers.FLOAT64}: output differs by "),
        (Refused, f"{layers.FLOAT64}: raises RuntimeError: not here"),
        (Chunked, f"{layers.AS_RUN}: output: expected shape (3, 5, 13), got (2, 5, 13)"),
        (Detached, f"{layers.FLOAT64}, its gradient: output[0]: expected shape (3, 2, 1, 3, 3), got ()"),
        (TorchFunc, diagnose.NO_DIFFERENCE),
        (Functorch, diagnose.NO_DIFFERENCE),
    ],
)
def test_the_first_layer_that_differs_is_named(implementation, expected):
    found, source = find_broken_layer(implementation(), fails)

    assert found.startswith(expected)
    assert source == ""


def test_a_loss_is_asked_with_what_the_module_takes_of_its_inputs():
    def test(implementation):
        fmodel, params, buffers = implementation.combine(members(small_cnn, 3))

        def loss(params, buffers, x, target):
            return F.cross_entropy(fmodel(params, buffers, x), target)

        x, target = draw(3, 5, 1, 8, 8, seed=1), torch.zeros(3, 5, dtype=torch.int64)
        implementation.vmap(loss, in_dims=(0, 0, 0, 0))(params, buffers, x, target)
        raise AssertionError

    assert find_broken_layer(Stacked(), test)[0].startswith(layers.STACKED)


def calls(func, *inputs, **options):
    def test(implementation):
        implementation.vmap(func, **options)(*inputs)
        raise AssertionError

    return test


NAN = torch.tensor([0.0, float("nan")])


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        (calls(torch.rand_like, draw(3, seed=1), randomness="different"), ""),
        (calls(lambda x: torch.rand(2, out=x), draw(3, 2, seed=1)), ""),
        (lambda _: fails(None), ""),
        (
            lambda implementation: implementation.vmap(torch.sin)(draw(3, seed=1)),
            "none: the test passes when it is run again",
        ),
        (calls(torch.sin, NAN), diagnose.NO_DIFFERENCE),
        (calls(lambda x: (x > 0, x.long()), draw(3, 2, seed=1)), diagnose.NO_DIFFERENCE),
        (calls(lambda x: x * 1j, draw(3, 2, seed=1)), diagnose.NO_DIFFERENCE),
        (calls(torch.sin, draw(3, 0, seed=1)), diagnose.NO_DIFFERENCE),
        (calls(lambda x, n: x * n, draw(3, seed=1), 2, in_dims=(0, None)), diagnose.NO_DIFFERENCE),
        (calls(torch.nonzero, draw(3, 2, seed=1)), f"{layers.FLOAT64}: raises RuntimeError: vmap: "),
    ],
    ids=[
        "draws",
        "draws-unasked",
        "maps-nothing",
        "passes",
        "nan",
        "integers",
        "complex",
        "empty",
        "numbers",
        "refused",
    ],
)
def test_what_can_not_be_asked_is_not_claimed(test, expected):
    found, source = find_broken_layer(TorchFunc(), test)

    assert found.startswith(expected)
    assert (found == "") == (expected == "")
    assert source == ""


def test_a_warning_of_a_slow_fallback_is_no_difference():
    def silent(implementation):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fails(implementation)

    class Slow(Broken):
        def vmap(self, func, *args, **kwargs):
            def mapped(*given):
                warnings.warn("There is a performance drop", stacklevel=1)
                return super(Slow, self).vmap(func, *args, **kwargs)(*given)

            return mapped

    assert find_broken_layer(Slow(), silent)[0] == diagnose.NO_DIFFERENCE


def test_a_call_of_something_else_than_the_stack_is_asked_by_itself():
    state = ({"weight": draw(3, 2, seed=1)}, {})

    def test(*inputs, **options):
        def asked(implementation):
            implementation.combine([torch.nn.Linear(2, 1, bias=False)] * 3)
            implementation.vmap(lambda *given: next(iter(given[0].values())).sin(), **options)(*inputs)
            raise AssertionError

        return asked

    assert find_broken_layer(Mapped(), test(*state, in_dims=(0, None)))[0].startswith(layers.FLOAT64)
    assert find_broken_layer(Mapped(), test(dict.fromkeys("ab", state[0]["weight"]), {}, in_dims=(0, None)))[
        0
    ].startswith(layers.FLOAT64)
    assert find_broken_layer(Refused(), test(*state, 5, in_dims=(0,)))[0] == diagnose.NO_DIFFERENCE


def test_what_is_mapped_inside_is_a_part_of_the_outer_call():
    recorder = Recorder(TorchFunc())
    x = draw(3, 5, seed=1)

    recorder.vmap(recorder.vmap(torch.sin))(x)

    assert recorder.name == "torch.func"
    assert torch.equal(recorder.call.inputs[0], x)
    assert recorder.depth == 0


def test_structures_kinds_and_whole_numbers_are_compared():
    difference = layers._difference  # noqa: SLF001 - its parts

    def between(below, here):
        return difference(lambda: below, lambda: here)

    one = torch.ones(2)
    assert between((one,), one) == "expected structure tuple(0=*), got *"
    assert between(one, 3) == "output: expected tensor([1., 1.]), got 3"
    assert between(2, 3) is None
    assert between(one.long(), one.long() * 2) == "output differs"
    assert between(one, one.double()) == "output: expected dtype torch.float32, got torch.float64"
    assert between(one * 1j, one * 2j) == "output differs by 1 from the layer below"
    assert between(one, one * float("inf")) == "output differs by inf from the layer below"


def test_a_ladder_that_breaks_leaves_the_failure_alone(monkeypatch):
    def broken(_):
        raise RuntimeError("a rung")

    monkeypatch.setattr(diagnose, "first_difference", broken)

    assert find_broken_layer(TorchFunc(), fails) == ("not found: RuntimeError: a rung", "")


def test_a_module_that_can_not_be_copied_is_asked_without():
    model = torch.nn.Linear(2, 3)
    model.extra = model.weight * 2  # no leaf of autograd's, which refuses a copy
    recorder = Recorder(TorchFunc())

    recorder.implementation.combine = lambda models: (None, {}, {})
    recorder.combine([model])

    assert recorder.stack.models == []


def test_the_screen_names_the_layer():
    found = CaseResult("test_a", "forward.a", "torch.func", Status.FAILS, layer="vmap as run: " + "off " * 90)

    assert len(one_line("first layer that differs: " + found.layer, WIDTH - 7)) == WIDTH - 7

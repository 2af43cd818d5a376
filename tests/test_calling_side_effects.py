"""In which state does a call leave the module and the given dicts?"""

import pytest
import torch
from torch import nn

from conformance.cases.data import SAMPLES, draw, draw_tokens
from conformance.cases.networks import NormNet, TiedNet
from conformance.numerics.assertions import assert_distinct, assert_members_close, assert_same, refuses, unchanged
from conformance.numerics.plain_loop import loop
from conformance.utils.module_state import state_of
from conformance.workloads.functional_calls import assert_output_of, copied_state, make_two


@pytest.mark.requirement("calling.module_restored")
@pytest.mark.parametrize("factory", [NormNet, TiedNet], ids=lambda factory: factory.__name__)
def test_the_module_is_afterwards_as_it_was(implementation, device, factory):
    module, other = make_two(factory, device=device)
    module.train()
    module.body.requires_grad_(False) if factory is TiedNet else module.dropout.eval()
    next(module.parameters()).grad = torch.ones_like(next(module.parameters()))
    x = draw(SAMPLES, 3, device=device) if factory is NormNet else draw_tokens(SAMPLES, device=device)

    with unchanged(module):
        implementation.functional_call(module, copied_state(state_of(other)), (x,))


class Raising(NormNet):
    """A NormNet whose forward pass raises the error that it is given."""

    def forward(self, x, fail=None):
        hidden = self.norm(self.fc1(x))
        if fail is not None:
            raise fail
        return self.fc2(hidden)


@pytest.mark.requirement("calling.restored_after_exception")
@pytest.mark.parametrize("error", [ZeroDivisionError("stop"), KeyboardInterrupt()], ids=["error", "interrupt"])
def test_the_module_is_as_it_was_after_a_forward_that_raises(implementation, device, error):
    module, other = make_two(Raising, device=device)
    module.train()
    x = draw(SAMPLES, 3, device=device)
    given = copied_state(state_of(other))

    with unchanged(module), pytest.raises(type(error)):
        implementation.functional_call(module, given, (x, error))

    assert_output_of(implementation.functional_call(module.eval(), copied_state(state_of(other)), (x,)), other, x)
    assert_output_of(module(x), module, x)


BAD_STATE = {
    "no-tensor": ({"fc2.bias": 3}, {}, "tensor"),
    "unknown-key": ({"nope": torch.zeros(1)}, {"strict": True}, "nope"),
    "key-twice": ({"fc2.bias": torch.zeros(2)}, {}, "fc2.bias|multiple"),
}


@pytest.mark.requirement("calling.restored_after_refusal")
@pytest.mark.parametrize("bad", BAD_STATE)
@pytest.mark.parametrize("place", ["first", "last"])
def test_the_module_is_as_it_was_after_state_that_is_refused(implementation, device, bad, place):
    module, other = make_two(NormNet, device=device)
    entry, options, word = BAD_STATE[bad]
    good = copied_state(state_of(other))
    rest = {name: tensor for name, tensor in good.items() if name not in entry}
    state = {**entry, **rest} if place == "first" else {**rest, **entry}
    given = (entry, good) if bad == "key-twice" else state

    with unchanged(module), refuses(word):
        implementation.functional_call(module, given, (draw(SAMPLES, 3, device=device),), **options)

    x = draw(SAMPLES, 3, device=device)
    assert_output_of(implementation.functional_call(module, good, (x,)), other, x)


@pytest.mark.requirement("calling.buffer_updates")
@pytest.mark.parametrize("dicts", ["one", "several"])
def test_buffer_updates_are_seen_in_the_dict_that_was_passed(implementation, device, dicts):
    module, other = make_two(NormNet, device=device)
    module.train()
    module.dropout.eval()
    x = draw(SAMPLES, 3, device=device)
    params, buffers = copied_state(dict(other.named_parameters())), copied_state(dict(other.named_buffers()))
    before, tensors = copied_state(buffers), dict(buffers)
    other.norm.train()
    expected = loop(buffers_afterwards, [other], [x])

    with unchanged(module):
        given = (params, buffers) if dicts == "several" else (buffers := params | buffers)
        implementation.functional_call(module, given, (x,))

    for name, tensor in tensors.items():
        assert_distinct(before[name], tensor)
        assert buffers[name] is tensor
    assert_members_close({name: tensor[None] for name, tensor in tensors.items()}, expected, "buffer")


def buffers_afterwards(model, x):
    model(x)
    return dict(model.named_buffers())


@pytest.mark.requirement("calling.dicts_unchanged")
@pytest.mark.parametrize("dicts", ["one", "several"])
@pytest.mark.parametrize("factory", [NormNet, TiedNet], ids=lambda factory: factory.__name__)
def test_the_dicts_keep_their_names_and_tensors(implementation, device, factory, dicts):
    module, other = make_two(factory, device=device)
    x = draw(SAMPLES, 3, device=device) if factory is NormNet else draw_tokens(SAMPLES, device=device)
    params, buffers = copied_state(dict(other.named_parameters())), copied_state(dict(other.named_buffers()))
    given = [params, buffers] if dicts == "several" else [params | buffers]
    tensors, values = [dict(one) for one in given], [copied_state(one) for one in given]

    implementation.functional_call(module, tuple(given) if dicts == "several" else given[0], (x,))

    for one, kept, value in zip(given, tensors, values, strict=True):
        assert list(one) == list(kept)
        assert all(one[name] is tensor for name, tensor in kept.items())
        assert_same(one, value)


class Counter(nn.Module):
    """A module that replaces its buffer instead of writing to it, as the example in torch's documentation does."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3))
        self.register_buffer("total", torch.zeros(3))

    def forward(self, x):
        self.total = self.total + x
        return self.total * self.weight


def count(implementation, module, x, *dicts):
    """Call the module twice and return the buffer from the dict that was passed."""
    given = dicts[0] if len(dicts) == 1 else dicts
    with unchanged(module):
        implementation.functional_call(module, given, (x,))
        implementation.functional_call(module, given, (x,))
    return dicts[-1]["total"]


@pytest.mark.requirement("calling.reassigned_buffer")
def test_a_replaced_buffer_is_seen_in_the_dict_that_was_passed(implementation, device):
    module, other = make_two(Counter, device=device)
    x = draw(3, device=device)

    total = count(implementation, module, x, copied_state(state_of(other)))

    assert_same(total, x + x)


@pytest.mark.requirement("calling.reassigned_buffer_of_several_dicts")
def test_a_replaced_buffer_is_seen_in_one_of_several_dicts(implementation, device):
    module, other = make_two(Counter, device=device)
    x = draw(3, device=device)
    state = copied_state(state_of(other))

    total = count(implementation, module, x, {"weight": state["weight"]}, {"total": state["total"]})

    assert_same(total, x + x)

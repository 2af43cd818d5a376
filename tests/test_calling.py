"""Does a call with given state use that state and leave the module as it was?"""

import copy

import pytest
import torch
from torch import nn

from conformance.cases.data import SAMPLES, draw, draw_tokens
from conformance.cases.members import MEMBERS, members
from conformance.cases.networks import NormNet, TiedNet
from conformance.numerics.assertions import assert_distinct, assert_members_close, assert_same, refuses, unchanged
from conformance.numerics.plain_loop import loop
from conformance.reference.simple_cnn import small_cnn
from conformance.utils.module_state import state_of


def forward(model, x):
    return model(x)


def two(factory, **options):
    """A module, and another one of the same class whose state it is to be called with."""
    module, other = members(factory, 2, **options)
    return module.eval(), other.eval()


def names_of(factory):
    return list(state_of(members(factory, 1)[0]))


def copied(state):
    """State that shares no memory with the module that it is from."""
    return {name: tensor.detach().clone() for name, tensor in state.items()}


def assert_answers_as(out, other, x):
    """`out` is what `other` gives for x."""
    assert_members_close(out[None], loop(forward, [other], [x]))


@pytest.mark.requirement("calling.given_state")
@pytest.mark.parametrize("factory", [small_cnn, NormNet], ids=lambda factory: factory.__name__)
def test_the_given_state_is_used_and_not_the_modules_own(implementation, device, dtype, factory):
    module, other = two(factory, device=device, dtype=dtype)
    x = draw(SAMPLES, *((1, 8, 8) if factory is small_cnn else (3,)), device=device, dtype=dtype)

    out = implementation.functional_call(module, copied(state_of(other)), (x,))

    assert_distinct(out, module(x))
    assert_answers_as(out, other, x)


@pytest.mark.requirement("calling.given_state")
@pytest.mark.parametrize("name", names_of(NormNet))
def test_each_given_tensor_counts(implementation, device, name):
    module, other = two(NormNet, device=device)
    x = draw(SAMPLES, 3, device=device)
    given = {name: copied(state_of(other))[name]}
    expected = copy.deepcopy(module)
    expected.load_state_dict(given, strict=False)

    out = implementation.functional_call(module, given, (x,))

    assert name == "norm.num_batches_tracked" or not torch.equal(out, module(x))
    assert_answers_as(out, expected, x)


@pytest.mark.requirement("calling.fmodel")
@pytest.mark.parametrize("factory", [small_cnn, NormNet, TiedNet], ids=lambda factory: factory.__name__)
def test_the_combined_function_with_a_slice_is_that_member(implementation, device, factory):
    models = [model.eval() for model in members(factory, MEMBERS, device=device)]
    x = {small_cnn: draw(SAMPLES, 1, 8, 8), NormNet: draw(SAMPLES, 3), TiedNet: draw_tokens(SAMPLES)}[factory].to(
        device
    )
    fmodel, params, buffers = implementation.combine(models)

    outs = [fmodel(member_of(params, i), member_of(buffers, i), x) for i in range(MEMBERS)]

    assert_distinct(*outs)
    assert_members_close(torch.stack(outs), loop(forward, models, [x] * MEMBERS))


def member_of(stacked, i):
    if isinstance(stacked, dict):
        return {name: tensor[i] for name, tensor in stacked.items()}
    return tuple(tensor[i] for tensor in stacked)


class Affine(nn.Module):
    """Arguments of every kind: x * weight * scale + shift."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3))

    def forward(self, x, scale=1.0, *, shift=0.0):
        x = x[0] if isinstance(x, list) else x
        return x * self.weight * scale + shift


@pytest.mark.requirement("calling.fmodel_arguments")
def test_the_combined_function_passes_arguments_on(implementation, device):
    models = members(Affine, MEMBERS, device=device)
    x, shift = draw(SAMPLES, 3, seed=1, device=device), draw(SAMPLES, 3, seed=2, device=device)
    fmodel, params, buffers = implementation.combine(models)

    outs = [fmodel(member_of(params, i), member_of(buffers, i), x, 2.0, shift=shift) for i in range(MEMBERS)]

    assert_members_close(torch.stack(outs), loop(lambda m, x: m(x, 2.0, shift=shift.to(x)), models, [x] * MEMBERS))


@pytest.mark.requirement("calling.fmodel_after_changes")
def test_what_happens_to_the_members_later_is_not_seen(implementation, device):
    models = [model.eval() for model in members(NormNet, MEMBERS, device=device)]
    kept = copy.deepcopy(models)
    x = draw(SAMPLES, 3, device=device)
    fmodel, params, buffers = implementation.combine(models)

    for model in models:
        model.train()
        model.dropout.p = 0.9
        with torch.no_grad():
            model.fc1.weight.zero_()
    out = implementation.vmap(fmodel, in_dims=(0, 0, None))(params, buffers, x)

    assert_members_close(out, loop(forward, kept, [x] * MEMBERS))


@pytest.mark.requirement("calling.gradient")
def test_gradients_reach_the_given_state_and_not_the_module(implementation, device):
    module, other = two(small_cnn, device=device)
    x = draw(SAMPLES, 1, 8, 8, device=device)
    given = {name: tensor.requires_grad_() for name, tensor in copied(state_of(other)).items()}
    expected = loop(gradients, [other], [x])

    with unchanged(module):
        implementation.functional_call(module, given, (x,)).square().sum().backward()

    assert all(tensor.grad is not None and tensor.grad.any() for tensor in given.values())
    assert_members_close({name: tensor.grad[None] for name, tensor in given.items()}, expected, "gradient")


def gradients(model, x):
    model(x).square().sum().backward()
    return {name: parameter.grad for name, parameter in model.named_parameters()}


@pytest.mark.requirement("calling.module_restored")
@pytest.mark.parametrize("factory", [NormNet, TiedNet], ids=lambda factory: factory.__name__)
def test_the_module_is_afterwards_as_it_was(implementation, device, factory):
    module, other = two(factory, device=device)
    module.train()
    module.body.requires_grad_(False) if factory is TiedNet else module.dropout.eval()
    next(module.parameters()).grad = torch.ones_like(next(module.parameters()))
    x = draw(SAMPLES, 3, device=device) if factory is NormNet else draw_tokens(SAMPLES, device=device)

    with unchanged(module):
        implementation.functional_call(module, copied(state_of(other)), (x,))


class Raising(NormNet):
    """Fails in the middle of its forward pass when it is told to."""

    def forward(self, x, fail=None):
        hidden = self.norm(self.fc1(x))
        if fail is not None:
            raise fail
        return self.fc2(hidden)


@pytest.mark.requirement("calling.restored_after_exception")
@pytest.mark.parametrize("error", [ZeroDivisionError("stop"), KeyboardInterrupt()], ids=["error", "interrupt"])
def test_the_module_is_as_it_was_after_a_forward_that_raises(implementation, device, error):
    module, other = two(Raising, device=device)
    module.train()
    x = draw(SAMPLES, 3, device=device)
    given = copied(state_of(other))

    with unchanged(module), pytest.raises(type(error)):
        implementation.functional_call(module, given, (x, error))

    assert_answers_as(implementation.functional_call(module.eval(), copied(state_of(other)), (x,)), other, x)
    assert_answers_as(module(x), module, x)


BAD_STATE = {
    "no-tensor": ({"fc2.bias": 3}, {}, "tensor"),
    "unknown-key": ({"nope": torch.zeros(1)}, {"strict": True}, "nope"),
    "key-twice": ({"fc2.bias": torch.zeros(2)}, {}, "fc2.bias|multiple"),
}


@pytest.mark.requirement("calling.restored_after_refusal")
@pytest.mark.parametrize("bad", BAD_STATE)
@pytest.mark.parametrize("place", ["first", "last"])
def test_the_module_is_as_it_was_after_state_that_is_refused(implementation, device, bad, place):
    module, other = two(NormNet, device=device)
    entry, options, word = BAD_STATE[bad]
    good = copied(state_of(other))
    rest = {name: tensor for name, tensor in good.items() if name not in entry}
    state = {**entry, **rest} if place == "first" else {**rest, **entry}
    given = (entry, good) if bad == "key-twice" else state

    with unchanged(module), refuses(word):
        implementation.functional_call(module, given, (draw(SAMPLES, 3, device=device),), **options)

    x = draw(SAMPLES, 3, device=device)
    assert_answers_as(implementation.functional_call(module, good, (x,)), other, x)


@pytest.mark.requirement("calling.args")
@pytest.mark.parametrize("form", ["tuple", "tensor", "two", "list"])
def test_positional_arguments_are_a_tuple_or_one_argument(implementation, device, form):
    (module, other), x = two(Affine, device=device), draw(SAMPLES, 3, device=device)
    args = {"tuple": (x,), "tensor": x, "two": (x, 2.0), "list": [x]}[form]

    out = implementation.functional_call(module, copied(state_of(other)), args)

    assert_same(out, other(*args) if isinstance(args, tuple) else other(args))


@pytest.mark.requirement("calling.kwargs")
@pytest.mark.parametrize("form", ["beside-args", "alone", "none"])
def test_keyword_arguments_reach_forward_by_name(implementation, device, form):
    (module, other), x = two(Affine, device=device), draw(SAMPLES, 3, device=device)
    args = () if form == "alone" else (x,)
    kwargs = {"beside-args": {"shift": 3.0, "scale": 2.0}, "alone": {"x": x, "shift": 3.0}, "none": None}[form]

    out = implementation.functional_call(module, copied(state_of(other)), args, kwargs)

    assert_same(out, other(*args, **(kwargs or {})))
    assert form == "none" or not torch.equal(out, other(x))


@pytest.mark.requirement("calling.args_omitted")
def test_positional_arguments_can_be_left_out(implementation, device):
    (module, other), x = two(Affine, device=device), draw(SAMPLES, 3, device=device)

    out = implementation.functional_call(module, copied(state_of(other)), kwargs={"x": x})

    assert_same(out, other(x))


@pytest.mark.requirement("calling.several_dicts")
@pytest.mark.parametrize("form", [tuple, list], ids=["tuple", "list"])
@pytest.mark.parametrize("order", ["params-first", "buffers-first", "one-each"])
def test_several_dicts_count_as_one(implementation, device, form, order):
    module, other = two(NormNet, device=device)
    x = draw(SAMPLES, 3, device=device)
    params, buffers = copied(dict(other.named_parameters())), copied(dict(other.named_buffers()))
    one_each = [{name: tensor} for name, tensor in (params | buffers).items()]
    dicts = {"params-first": [params, buffers], "buffers-first": [{}, buffers, params], "one-each": one_each}[order]

    out = implementation.functional_call(module, form(dicts), (x,))

    assert_answers_as(out, other, x)


@pytest.mark.requirement("calling.refuses_a_key_twice")
@pytest.mark.parametrize("values", ["same", "different"])
def test_a_name_in_two_dicts_is_refused(implementation, device, values):
    module, other = two(NormNet, device=device)
    state = copied(state_of(other))
    again = {"fc2.bias": state["fc2.bias"] if values == "same" else state["fc2.bias"] + 1}

    with refuses("multiple|twice"):
        implementation.functional_call(module, (state, again), (draw(SAMPLES, 3, device=device),))


@pytest.mark.requirement("calling.strict")
@pytest.mark.parametrize("factory", [NormNet, TiedNet], ids=lambda factory: factory.__name__)
def test_strict_accepts_all_names_of_the_module(implementation, device, factory):
    module, other = two(factory, device=device)
    x = draw(SAMPLES, 3, device=device) if factory is NormNet else draw_tokens(SAMPLES, device=device)

    out = implementation.functional_call(module, copied(state_of(other)), (x,), strict=True)

    assert_answers_as(out, other, x)


@pytest.mark.requirement("calling.strict_refuses_unknown_keys")
@pytest.mark.parametrize("name", ["nope", "fc1.nope"])
def test_strict_refuses_a_name_that_the_module_has_not(implementation, device, name):
    module, other = two(NormNet, device=device)
    given = {**copied(state_of(other)), name: torch.zeros(3, device=device)}

    with refuses(name), unchanged(module):
        implementation.functional_call(module, given, (draw(SAMPLES, 3, device=device),), strict=True)


@pytest.mark.requirement("calling.strict_refuses_missing_keys")
@pytest.mark.parametrize("name", names_of(NormNet))
def test_strict_refuses_state_that_lacks_a_name(implementation, device, name):
    module, other = two(NormNet, device=device)
    given = copied(state_of(other))
    del given[name]

    with refuses(name), unchanged(module):
        implementation.functional_call(module, given, (draw(SAMPLES, 3, device=device),), strict=True)


@pytest.mark.requirement("calling.missing_keys")
def test_a_missing_name_falls_back_to_the_modules_own_tensor(implementation, device):
    module, other = two(NormNet, device=device)
    x = draw(SAMPLES, 3, device=device)
    given = copied(state_of(other))
    del given["fc1.weight"]
    with torch.no_grad():
        other.fc1.weight.copy_(module.fc1.weight)

    out = implementation.functional_call(module, given, (x,))

    assert_answers_as(out, other, x)


@pytest.mark.requirement("calling.unknown_keys")
def test_an_unknown_name_is_ignored(implementation, device):
    module, other = two(NormNet, device=device)
    x = draw(SAMPLES, 3, device=device)

    with unchanged(module):
        out = implementation.functional_call(module, copied(state_of(other)) | {"nope": torch.zeros(3)}, (x,))

    assert_answers_as(out, other, x)
    assert not hasattr(module, "nope")


@pytest.mark.requirement("calling.unknown_nested_keys")
def test_an_unknown_name_is_treated_alike_at_every_depth(implementation, device):
    module, other = two(NormNet, device=device)
    x = draw(SAMPLES, 3, device=device)

    out = implementation.functional_call(module, copied(state_of(other)) | {"no.such.module": torch.zeros(3)}, (x,))

    assert_answers_as(out, other, x)


@pytest.mark.requirement("calling.tie_weights")
@pytest.mark.parametrize("name", ["embedding.weight", "head.weight"])
def test_a_value_for_one_tied_name_counts_for_all(implementation, device, name):
    module, other = two(TiedNet, device=device)
    x = draw_tokens(SAMPLES, device=device)
    state = copied(state_of(other))
    given = {name: state.pop("embedding.weight"), **state}

    out = implementation.functional_call(module, given, (x,))

    assert_answers_as(out, other, x)


@pytest.mark.requirement("calling.tie_weights_off")
@pytest.mark.parametrize(
    "names", [["embedding.weight"], ["head.weight"], ["embedding.weight", "head.weight"]], ids="+".join
)
def test_without_ties_a_value_counts_for_its_name_alone(implementation, device, names):
    module, other = two(TiedNet, device=device)
    x = draw_tokens(SAMPLES, device=device)
    given = {name: draw(11, 3, seed=i + 1, device=device) for i, name in enumerate(names)}
    untied = copy.deepcopy(module)
    untied.head.weight = nn.Parameter(untied.embedding.weight.detach().clone())
    untied.load_state_dict(given, strict=False)

    out = implementation.functional_call(module, given, (x,), tie_weights=False)

    assert_distinct(out, module(x), other(x))
    assert_answers_as(out, untied, x)
    assert module.head.weight is module.embedding.weight


@pytest.mark.requirement("calling.refuses_different_tied_values")
def test_different_values_for_tied_names_are_refused(implementation, device):
    module, other = two(TiedNet, device=device)
    given = copied(state_of(other)) | {"head.weight": draw(11, 3, device=device)}

    with refuses("tied|multiple values"), unchanged(module):
        implementation.functional_call(module, given, (draw_tokens(SAMPLES, device=device),))


@pytest.mark.requirement("calling.buffer_updates")
@pytest.mark.parametrize("dicts", ["one", "several"])
def test_buffer_updates_are_seen_in_the_dict_that_was_passed(implementation, device, dicts):
    module, other = two(NormNet, device=device)
    module.train()
    module.dropout.eval()
    x = draw(SAMPLES, 3, device=device)
    params, buffers = copied(dict(other.named_parameters())), copied(dict(other.named_buffers()))
    before, tensors = copied(buffers), dict(buffers)
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
    module, other = two(factory, device=device)
    x = draw(SAMPLES, 3, device=device) if factory is NormNet else draw_tokens(SAMPLES, device=device)
    params, buffers = copied(dict(other.named_parameters())), copied(dict(other.named_buffers()))
    given = [params, buffers] if dicts == "several" else [params | buffers]
    tensors, values = [dict(one) for one in given], [copied(one) for one in given]

    implementation.functional_call(module, tuple(given) if dicts == "several" else given[0], (x,))

    for one, kept, value in zip(given, tensors, values, strict=True):
        assert list(one) == list(kept)
        assert all(one[name] is tensor for name, tensor in kept.items())
        assert_same(one, value)


class Counter(nn.Module):
    """Replaces its buffer instead of writing to it, as the documentation's example does."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3))
        self.register_buffer("total", torch.zeros(3))

    def forward(self, x):
        self.total = self.total + x
        return self.total * self.weight


def count(implementation, module, x, *dicts):
    """Two calls in a row, and the buffer in the dict that was passed."""
    given = dicts[0] if len(dicts) == 1 else dicts
    with unchanged(module):
        implementation.functional_call(module, given, (x,))
        implementation.functional_call(module, given, (x,))
    return dicts[-1]["total"]


@pytest.mark.requirement("calling.reassigned_buffer")
def test_a_replaced_buffer_is_seen_in_the_dict_that_was_passed(implementation, device):
    module, other = two(Counter, device=device)
    x = draw(3, device=device)

    total = count(implementation, module, x, copied(state_of(other)))

    assert_same(total, x + x)


@pytest.mark.requirement("calling.reassigned_buffer_of_several_dicts")
def test_a_replaced_buffer_is_seen_in_one_of_several_dicts(implementation, device):
    module, other = two(Counter, device=device)
    x = draw(3, device=device)
    state = copied(state_of(other))

    total = count(implementation, module, x, {"weight": state["weight"]}, {"total": state["total"]})

    assert_same(total, x + x)


def nested():
    """Linear layers one, two and three levels deep, of one shape, so that a mix-up is no error."""
    innermost = nn.Sequential(nn.Tanh(), nn.Linear(3, 3))
    return nn.Sequential(nn.Linear(3, 3), nn.Sequential(nn.Tanh(), nn.Linear(3, 3), innermost))


@pytest.mark.requirement("calling.nested_modules")
@pytest.mark.parametrize("name", names_of(nested))
def test_dotted_names_reach_nested_tensors(implementation, device, name):
    module, other = two(nested, device=device)
    x = draw(SAMPLES, 3, device=device)
    given = {name: copied(state_of(other))[name]}
    expected = copy.deepcopy(module)
    expected.load_state_dict(given, strict=False)

    with unchanged(module):
        out = implementation.functional_call(module, given, (x,))

    assert_distinct(out, module(x))
    assert_answers_as(out, expected, x)


@pytest.mark.requirement("calling.meta_base")
@pytest.mark.parametrize("made", ["moved", "built"])
@pytest.mark.parametrize("factory", [small_cnn, NormNet], ids=lambda factory: factory.__name__)
def test_a_base_on_meta_computes_with_the_given_state(implementation, device, factory, made):
    models = [model.eval() for model in members(factory, MEMBERS, device=device)]
    x = draw(SAMPLES, *((1, 8, 8) if factory is small_cnn else (3,)), device=device)
    if made == "moved":
        base = copy.deepcopy(models[0]).to("meta")
    else:
        with torch.device("meta"):
            base = factory().eval()
    _, params, buffers = implementation.combine(models)

    def fmodel(params, buffers, x):
        return implementation.functional_call(base, (params, buffers), (x,))

    with unchanged(base):
        out = implementation.vmap(fmodel, in_dims=(0, 0, None))(params, buffers, x)

    assert all(tensor.is_meta for tensor in state_of(base).values())
    assert_distinct(*out)
    assert_members_close(out, loop(forward, models, [x] * MEMBERS))

"""How often do a forward's side effects in Python happen, and do they keep the right tensors?"""

from functools import partial

import pytest
import torch

from conformance.cases.data import SAMPLES, draw
from conformance.cases.members import MEMBERS, members
from conformance.cases.side_effects import AttributeCounter, BufferWriter, LinearThenBody
from conformance.implementations.ensemble import Ensemble
from conformance.numerics.assertions import assert_distinct, assert_members_close, assert_same
from conformance.numerics.plain_loop import loop

CHUNKS = {None: 1, 1: 5, 2: 3, 3: 2, MEMBERS: 1, MEMBERS + 1: 1}
chunked = pytest.mark.parametrize(("chunk_size", "calls"), CHUNKS.items())


@pytest.mark.requirement("purity.side_effects")
@chunked
def test_what_forward_does_in_python_happens_once_a_chunk(implementation, device, capsys, chunk_size, calls):
    seen, numbers = [], iter(range(100))

    def body(h, x):
        seen.append((type(h), h.shape, x.shape, next(numbers)))
        print("called")  # noqa: T201 - it is what is asked about
        return h

    models = members(partial(LinearThenBody, body), MEMBERS, device=device)

    out = Ensemble(implementation, models)(draw(MEMBERS, SAMPLES, 3, device=device), chunk_size=chunk_size)

    assert_distinct(*out)
    assert seen == [(torch.Tensor, (SAMPLES, 11), (SAMPLES, 3), call) for call in range(calls)]
    assert capsys.readouterr().out == "called\n" * calls


@pytest.mark.requirement("purity.iterators")
@chunked
def test_an_iterator_gives_one_item_to_all_members_of_a_chunk(implementation, device, chunk_size, calls):
    factors = iter(range(1, 100))
    models = members(partial(LinearThenBody, lambda h, _: torch.tanh(h) * next(factors)), MEMBERS, device=device)
    x = draw(MEMBERS, SAMPLES, 3, device=device)
    size = min(chunk_size or MEMBERS, MEMBERS)
    inputs = [(row, 1 + i // size) for i, row in enumerate(x)]
    expected = loop(lambda model, given: torch.tanh(model.fc(given[0])) * given[1], models, inputs)

    out = Ensemble(implementation, models)(x, chunk_size=chunk_size)

    assert_members_close(out, expected)
    assert next(factors) == calls + 1


@pytest.mark.requirement("purity.attributes")
@chunked
def test_a_counter_that_is_an_attribute_counts_the_chunks_of_all_calls(implementation, device, chunk_size, calls):
    models = members(AttributeCounter, MEMBERS, device=device)
    ensemble, x = Ensemble(implementation, models), draw(MEMBERS, SAMPLES, 3, device=device)
    size = min(chunk_size or MEMBERS, MEMBERS)
    expected = [
        loop(lambda model, given: model.fc(given[0]) * given[1], models, [(r, n + i // size) for i, r in enumerate(x)])
        for n in (1, 1 + calls)
    ]

    outs = [ensemble(x, chunk_size=chunk_size) for _ in range(2)]

    assert_members_close(outs[0], expected[0])
    assert_members_close(outs[1], expected[1])
    assert [model.calls for model in models] == [0] * MEMBERS


@pytest.mark.requirement("purity.written_buffers")
def test_a_buffer_that_is_written_is_each_members(implementation, device):
    models = members(BufferWriter, MEMBERS, device=device)
    xs = draw(MEMBERS, 3, SAMPLES, 3, device=device)
    expected = loop(lambda model, x: {"out": model(x[0]), "written": model.written}, models, list(xs))
    ensemble = Ensemble(implementation, models)

    out = ensemble(xs[:, 0])

    assert_distinct(*ensemble.buffers["written"])
    assert_members_close({"out": out, "written": ensemble.buffers["written"]}, expected, "result")


@pytest.mark.requirement("purity.written_buffers")
def test_a_buffer_that_is_written_goes_on_from_call_to_call(implementation, device):
    models = members(BufferWriter, MEMBERS, device=device)
    xs = draw(MEMBERS, 3, SAMPLES, 3, device=device)
    # The replaced tensor is restored before each call, since an ensemble loses the new one after each.
    expected = loop(written_in_turn, models, list(xs))
    ensemble = Ensemble(implementation, models)

    for turn in range(3):
        ensemble(xs[:, turn])

    assert_members_close(ensemble.buffers["written"], expected, "buffer")


def written_in_turn(model, xs):
    replaced = model.replaced
    for x in xs:
        model.replaced = replaced
        model(x)
    return model.written


@pytest.mark.requirement("purity.replaced_buffers")
def test_a_buffer_that_is_replaced_is_lost_after_the_call(implementation, device):
    models = members(BufferWriter, MEMBERS, device=device)
    x = draw(MEMBERS, SAMPLES, 3, device=device)
    ensemble = Ensemble(implementation, models)
    before = ensemble.buffers["replaced"].clone()

    ensemble(x)

    assert_distinct(*before)
    assert_same(ensemble.buffers["replaced"], before)


@pytest.mark.requirement("purity.replaced_buffers_returned")
def test_a_buffer_that_is_replaced_is_each_members_where_it_is_returned(implementation, device):
    models = members(Returning, MEMBERS, device=device)
    xs = draw(MEMBERS, 3, SAMPLES, 3, device=device)
    expected = loop(lambda model, x: [model(row) for row in x], models, list(xs))
    ensemble = Ensemble(implementation, models)

    outs = []
    for turn in range(3):
        outs.append(ensemble(xs[:, turn]))
        ensemble.buffers["replaced"] = outs[-1][1]

    assert_distinct(*outs[2][1])
    assert_members_close(outs, expected)


class Returning(BufferWriter):
    """A BufferWriter that also returns the tensor it replaces a buffer with."""

    def forward(self, x):
        return super().forward(x), self.replaced


@pytest.mark.requirement("purity.print")
def test_a_mapped_tensor_shows_the_values_of_all_members(implementation, device, capsys):
    shown = []

    def show(row):
        print(row, row * 2)  # noqa: T201 - it is what is asked about
        shown.extend([repr(row), str(row), f"{row}", f"{[row]}"])
        return row + 1

    out = implementation.vmap(show)(torch.arange(4.0, device=device).reshape(2, 2))

    assert_same(out, torch.arange(1.0, 5.0, device=device).reshape(2, 2))
    printed = capsys.readouterr().out
    for text in (printed, *shown):
        assert "[0., 1.]" in text
        assert "[2., 3.]" in text
    assert "[4., 6.]" in printed


@pytest.mark.requirement("purity.print")
@pytest.mark.parametrize("part", ["module", "parameters", "state"])
def test_a_module_shows_itself_inside(implementation, device, part):
    show = {"module": repr, "parameters": lambda m: str(list(m.parameters())), "state": lambda m: str(m.state_dict())}
    shown = []
    models = members(partial(LinearThenBody, lambda h, _: h), MEMBERS, device=device)
    for model in models:
        model.register_forward_pre_hook(lambda module, _: shown.append(show[part](module)))
    ensemble, x = Ensemble(implementation, models), draw(MEMBERS, SAMPLES, 3, device=device)
    expected = loop(lambda model, given: model.fc(given), models, list(x))

    out = ensemble(x)

    assert_members_close(out, expected)
    words = {"module": "in_features=3, out_features=11", "parameters": "tensor(", "state": "tensor("}
    assert words[part] in shown[0]

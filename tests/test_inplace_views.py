"""Does a write to a view of a mapped tensor change the same elements as in the loop?"""

import pytest
import torch

from conformance.cases.members import MEMBERS
from conformance.cases.operations.compile_source import compile_function
from conformance.cases.operations.inplace_op import consecutive_numbers
from conformance.cases.operations.outcome import attempt
from conformance.numerics.assertions import assert_distinct, assert_same, refuses

# Each member has a tensor `s` of 2x3, a number `v` to write, and an index `i`.
VIEWS = {
    "select": "s.select(1, -1).mul_(v)",
    "index": "s[0].mul_(v)",
    "negative-index": "s[-1].mul_(v)",
    "index-by-shared-tensor": "s[torch.tensor(1)].mul_(v)",
    "slice": "s[:, 1:].mul_(v)",
    "step": "s[:, ::2].mul_(v)",
    "ellipsis": "s[..., 0].mul_(v)",
    "new-axis": "s[None].mul_(v)",
    "narrow": "s.narrow(1, 1, 2).mul_(v)",
    "T": "s.T[0].mul_(v)",
    "mT": "s.mT[0].mul_(v)",
    "transpose": "s.transpose(0, 1)[1:].mul_(v)",
    "permute": "s.permute(1, 0)[:2].mul_(v)",
    "movedim": "s.movedim(0, 1)[0].mul_(v)",
    "unflatten": "s.unflatten(1, (3, 1))[0].mul_(v)",
    "squeeze": "s[:1].squeeze(0).mul_(v)",
    "unsqueeze": "s.unsqueeze(-1)[1].mul_(v)",
    "expand-nothing": "s.expand(2, 3)[0].mul_(v)",
    "diagonal": "s.diagonal(1).mul_(v)",
    "unfold": "s.unfold(1, 2, 2).mul_(v)",
    "as_strided": "s.as_strided((2,), (s.stride(0),)).mul_(v)",
    "as_strided-further": "s.as_strided((2,), (s.stride(0),), s.storage_offset() + s.stride(1)).mul_(v)",
    "chunk": "s.chunk(3, 1)[1].mul_(v)",
    "split": "s.split([1, 2], 1)[1].mul_(v)",
    "tensor_split": "s.tensor_split(2)[1].mul_(v)",
    "unbind": "s.unbind(1)[2].mul_(v)",
    "hsplit": "s.hsplit(3)[1].mul_(v)",
    "vsplit": "s.vsplit(2)[1].mul_(v)",
    "detach": "s.detach()[0].mul_(v)",
    "real": "s.real[0].mul_(v)",
    "view-of-bits": "s.view(torch.int32)[0].bitwise_xor_(v.int())",
    "chain": "s.t()[1:].unsqueeze(0)[:, 0].mul_(v)",
    "copy": "s[0].copy_(s[1] * v)",
    "exchange": "(lambda kept: (s[0].copy_(s[1]), s[1].copy_(kept * v)))(s[0].clone())",
    "one-after-the-other": "[s[:, i].add_(s[:, i - 1] * v) for i in (1, 2)]",
    "assign-to-view": "s.t().__setitem__(slice(1, None), v)",
    "slow-fallback": "s[0].digamma_().mul_(v)",
}
# These give a view of a contiguous tensor, and a copy of any other.
VIEWS_OF_ONE_PIECE = {
    "reshape": "s.reshape(3, 2)[0].mul_(v)",
    "flatten": "s.flatten()[2:5].mul_(v)",
    "ravel": "s.ravel()[1:].mul_(v)",
    "long-chain": "s.flatten()[1:5].unflatten(0, (2, 2)).t()[1].unsqueeze(1).mul_(v)",
}
COMPLEX_VIEWS = {
    "real": "s.real[0].mul_(v)",
    "imag": "s.imag.mul_(v)",
    "view_as_real": "torch.view_as_real(s)[..., 1].mul_(v)",
    "conj": "s.conj()[0].mul_(v * 2j)",
    "mH": "s.mH[0].mul_(v * 2j)",
    "adjoint": "s.adjoint()[1:].add_(v * 1j)",
    "real-of-conj": "s.conj().real.mul_(v)",
}
BY_SHARED_INDEX = {"first": "s[torch.tensor(1)].mul_(v)", "behind-slice": "s[:, torch.tensor(1)].mul_(v)"}
BY_OWN_INDEX = {"own": "s[i].mul_(v)", "own-behind-slice": "s[:, i].mul_(v)"}
COPIES = {
    "clone": "s.clone().mul_(v)",
    "index-by-list": "s[[0]].mul_(v)",
    "index_select": "s.index_select(0, torch.tensor([1], device=s.device)).mul_(v)",
    "reshape-of-transposed": "s.t().reshape(6).mul_(v)",
    "flatten-of-transposed": "s.t().flatten().mul_(v)",
    "contiguous-of-transposed": "s.t().contiguous().mul_(v)",
    "contiguous-of-part": "s[:, :1].contiguous().mul_(v)",
    "to-double": "s.double().mul_(v)",
    "repeat": "s.repeat(1, 1).mul_(v)",
    "cat": "torch.cat([s]).mul_(v)",
    "empty-write": "s[2:].mul_(v)",
}
PLACES = {"first": 0, "middle": 1, "last": -1}
placed = pytest.mark.parametrize("dim", PLACES.values(), ids=PLACES)


def assert_written(implementation, code, s, dim, **options):
    """Assert that the members' tensors, stacked along `dim` of `s`, are the loop's, for the caller too."""
    v = consecutive_numbers(s.device, MEMBERS) + 1
    i = torch.arange(MEMBERS, device=s.device) % 2
    theirs = s.clone()
    written = compile_function(code, ("s", "v", "i"), {"torch": torch})

    def write(s, v, i):
        written(s, v, i)
        return s + 0

    expected = torch.stack([write(theirs.select(dim, k), v[k], i[k]) for k in range(MEMBERS)])

    actual = attempt(lambda: implementation.vmap(write, in_dims=(dim, 0, 0), **options)(s, v, i)).value_or_raise()

    assert_same(s, theirs, "the caller's tensor")
    assert_same(actual, expected)


def assert_reaches(implementation, code, s, dim, **options):
    """Assert that the write is the loop's and changes `s`; `options` are vmap's."""
    before = s.clone()

    assert_written(implementation, code, s, dim, **options)

    assert_distinct(s, before)


def assert_reaches_nothing(implementation, code, s, dim):
    """Assert that the write is the loop's and leaves `s` unchanged."""
    before = s.clone()

    assert_written(implementation, code, s, dim)

    assert_same(s, before)


def placed_numbers(device, dim):
    return consecutive_numbers(device, MEMBERS, 2, 3).movedim(0, dim).contiguous()


@pytest.mark.requirement("inplace.views")
@pytest.mark.parametrize("code", VIEWS.values(), ids=VIEWS)
@placed
def test_a_write_to_a_view_reaches_the_tensor(implementation, device, code, dim):
    assert_reaches(implementation, code, placed_numbers(device, dim), dim)


@pytest.mark.requirement("inplace.views")
@pytest.mark.parametrize("code", VIEWS_OF_ONE_PIECE.values(), ids=VIEWS_OF_ONE_PIECE)
def test_a_write_to_a_view_of_one_piece_reaches_the_tensor(implementation, device, code):
    assert_reaches(implementation, code, placed_numbers(device, 0), 0)


@pytest.mark.requirement("inplace.copies")
@pytest.mark.parametrize("code", VIEWS_OF_ONE_PIECE.values(), ids=VIEWS_OF_ONE_PIECE)
def test_a_write_to_a_copy_of_several_pieces_reaches_nothing_else(implementation, device, code):
    assert_reaches_nothing(implementation, code, placed_numbers(device, 1), 1)


@pytest.mark.requirement("inplace.views")
@pytest.mark.parametrize("code", COMPLEX_VIEWS.values(), ids=COMPLEX_VIEWS)
@placed
def test_a_write_to_a_view_reaches_the_complex_tensor(implementation, device, code, dim):
    assert_reaches(implementation, code, placed_numbers(device, dim) * (1 + 2j), dim)


@pytest.mark.requirement("inplace.view_by_index")
@pytest.mark.parametrize("code", BY_SHARED_INDEX.values(), ids=BY_SHARED_INDEX)
@placed
def test_a_write_to_an_element_by_index_reaches_the_tensor(implementation, device, code, dim):
    assert_reaches(implementation, code, placed_numbers(device, dim), dim)


@pytest.mark.requirement("inplace.view_by_index")
@pytest.mark.parametrize("code", BY_OWN_INDEX.values(), ids=BY_OWN_INDEX)
@placed
def test_a_write_to_an_element_by_index_of_its_own_reaches_the_tensor_or_is_refused(implementation, device, code, dim):
    s = placed_numbers(device, dim)

    outcome = attempt(lambda: assert_written(implementation, code, s, dim))

    assert outcome.refusal is None or "item" in outcome.refusal


@pytest.mark.requirement("inplace.copies")
@pytest.mark.parametrize("code", COPIES.values(), ids=COPIES)
@placed
def test_a_write_to_a_copy_reaches_nothing_else(implementation, device, code, dim):
    assert_reaches_nothing(implementation, code, placed_numbers(device, dim), dim)


MADE_FROM_MAPPED = {
    "zeros_like": torch.zeros_like,
    "ones_like": torch.ones_like,
    "empty_like": torch.empty_like,
    "full_like": lambda x: torch.full_like(x, 2),
    "new_zeros": lambda x: x.new_zeros(3),
    "new_ones": lambda x: x.new_ones(3),
    "new_empty": lambda x: x.new_empty(3),
    "new_full": lambda x: x.new_full((3,), 2.0),
    "zeros-plus": lambda x: torch.zeros(3, device=x.device) + 0 * x,
}
MADE_FROM_NOTHING = {
    "zeros": lambda x: torch.zeros(3, device=x.device),
    "empty": lambda x: torch.empty(3, device=x.device),
    "tensor": lambda x: torch.tensor([1.0, 2.0, 3.0], device=x.device),
    "new_tensor": lambda x: x.new_tensor([1.0, 2.0, 3.0]),
}


def filled(make):
    """Return a function that writes its mapped tensor into new tensors, in three ways."""

    def fill(x):
        made = make(x)
        made.copy_(x)
        made[0] = x[1]
        return made.add_(x)

    return fill


@pytest.mark.requirement("inplace.made_inside")
@pytest.mark.parametrize("make", MADE_FROM_MAPPED.values(), ids=MADE_FROM_MAPPED)
def test_what_is_made_from_a_mapped_tensor_takes_a_write(implementation, device, make):
    x, fill = consecutive_numbers(device, MEMBERS, 3), filled(make)

    actual = implementation.vmap(fill)(x)

    assert_same(actual, torch.stack([fill(row) for row in x]))


@pytest.mark.requirement("inplace.made_inside_unmapped")
@pytest.mark.parametrize("make", MADE_FROM_NOTHING.values(), ids=MADE_FROM_NOTHING)
def test_what_is_made_from_nothing_refuses_a_write(implementation, device, make):
    with refuses("not possible|device"):  # a device is what older releases do not find
        implementation.vmap(filled(make))(consecutive_numbers(device, MEMBERS, 3))


@pytest.mark.requirement("inplace.chunks")
@pytest.mark.parametrize("code", [VIEWS[name] for name in ("slice", "chain", "exchange", "slow-fallback")])
@pytest.mark.parametrize("chunk_size", [1, 2, 3])
@placed
def test_in_chunks_the_caller_sees_every_write(implementation, device, code, chunk_size, dim):
    assert_reaches(implementation, code, placed_numbers(device, dim), dim, chunk_size=chunk_size)

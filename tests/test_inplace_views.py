"""Does a write to a view, to shared memory, or at another level reach what it reaches in the loop?"""

import pytest
import torch

from conformance.assertions import assert_distinct, assert_same, refuses
from conformance.models import MEMBERS
from conformance.operations.outcome import attempt

# A member's tensor `s` is 2x3, its number `v` is what is written, and `i` is an index of its own.
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
# Views of what lies in one piece, and copies of what does not.
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
BY_INDEX = {
    "shared": "s[torch.tensor(1)].mul_(v)",
    "shared-behind-slice": "s[:, torch.tensor(1)].mul_(v)",
    "own": "s[i].mul_(v)",
    "own-behind-slice": "s[:, i].mul_(v)",
}
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


def numbers(device, *shape):
    """Whole numbers, of which no product here is rounded."""
    return torch.arange(1.0, 1 + torch.Size(shape).numel(), device=device).reshape(shape)


def assert_written(implementation, code, s, dim):
    """The members' tensors, stacked along `dim` of `s`, are what the loop makes of them, for the caller too."""
    v = numbers(s.device, MEMBERS) + 1
    i = torch.arange(MEMBERS, device=s.device) % 2
    theirs = s.clone()

    def write(s, v, i):
        eval(code, {"torch": torch, "s": s, "v": v, "i": i})  # noqa: S307 - the code is this file's
        return s + 0

    expected = torch.stack([write(theirs.select(dim, k), v[k], i[k]) for k in range(MEMBERS)])

    actual = attempt(lambda: implementation.vmap(write, in_dims=(dim, 0, 0))(s, v, i)).answer()

    assert_same(s, theirs, "the caller's tensor")
    assert_same(actual, expected)


def placed_numbers(device, dim):
    return numbers(device, MEMBERS, 2, 3).movedim(0, dim).contiguous()


@pytest.mark.requirement("inplace.views")
@pytest.mark.parametrize("code", VIEWS.values(), ids=VIEWS)
@placed
def test_a_write_to_a_view_reaches_the_tensor(implementation, device, code, dim):
    s = placed_numbers(device, dim)

    assert_written(implementation, code, s, dim)

    assert_distinct(s, placed_numbers(device, dim))


@pytest.mark.requirement("inplace.views")
@pytest.mark.parametrize("code", VIEWS_OF_ONE_PIECE.values(), ids=VIEWS_OF_ONE_PIECE)
def test_a_write_to_a_view_of_one_piece_reaches_the_tensor(implementation, device, code):
    s = placed_numbers(device, 0)

    assert_written(implementation, code, s, 0)

    assert_distinct(s, placed_numbers(device, 0))


@pytest.mark.requirement("inplace.copies")
@pytest.mark.parametrize("code", VIEWS_OF_ONE_PIECE.values(), ids=VIEWS_OF_ONE_PIECE)
def test_a_write_to_a_copy_of_several_pieces_reaches_nothing_else(implementation, device, code):
    s = placed_numbers(device, 1)

    assert_written(implementation, code, s, 1)

    assert_same(s, placed_numbers(device, 1))


@pytest.mark.requirement("inplace.views")
@pytest.mark.parametrize("code", COMPLEX_VIEWS.values(), ids=COMPLEX_VIEWS)
@placed
def test_a_write_to_a_view_reaches_the_complex_tensor(implementation, device, code, dim):
    s = placed_numbers(device, dim) * (1 + 2j)

    assert_written(implementation, code, s, dim)

    assert_distinct(s, placed_numbers(device, dim) * (1 + 2j))


@pytest.mark.requirement("inplace.view_by_index")
@pytest.mark.parametrize("code", BY_INDEX.values(), ids=BY_INDEX)
@placed
def test_a_write_to_an_element_by_index_reaches_the_tensor(implementation, device, code, dim):
    s = placed_numbers(device, dim)

    assert_written(implementation, code, s, dim)

    assert_distinct(s, placed_numbers(device, dim))


@pytest.mark.requirement("inplace.copies")
@pytest.mark.parametrize("code", COPIES.values(), ids=COPIES)
@placed
def test_a_write_to_a_copy_reaches_nothing_else(implementation, device, code, dim):
    s = placed_numbers(device, dim)

    assert_written(implementation, code, s, dim)

    assert_same(s, placed_numbers(device, dim))


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
    """A function that writes its mapped tensor into what it makes, in three ways."""

    def fill(x):
        made = make(x)
        made.copy_(x)
        made[0] = x[1]
        return made.add_(x)

    return fill


@pytest.mark.requirement("inplace.made_inside")
@pytest.mark.parametrize("make", MADE_FROM_MAPPED.values(), ids=MADE_FROM_MAPPED)
def test_what_is_made_from_a_mapped_tensor_takes_a_write(implementation, device, make):
    x, fill = numbers(device, MEMBERS, 3), filled(make)

    actual = implementation.vmap(fill)(x)

    assert_same(actual, torch.stack([fill(row) for row in x]))


@pytest.mark.requirement("inplace.made_inside_unmapped")
@pytest.mark.parametrize("make", MADE_FROM_NOTHING.values(), ids=MADE_FROM_NOTHING)
def test_what_is_made_from_nothing_refuses_a_write(implementation, device, make):
    with refuses("not possible"):
        implementation.vmap(filled(make))(numbers(device, MEMBERS, 3))


SHARED_VIEWS = {"itself": lambda x: x, "view": lambda x: x.view(x.shape), "transposed-twice": lambda x: x.mT.mT}


@pytest.mark.requirement("inplace.shared_storage")
@pytest.mark.parametrize("view", SHARED_VIEWS.values(), ids=SHARED_VIEWS)
@pytest.mark.parametrize("code", ["a.add_(1)", "a[0].zero_()", "a.copy_(b * 2)"])
def test_arguments_that_share_memory_show_each_others_writes(implementation, device, view, code):
    ours, theirs = (numbers(device, MEMBERS, 2, 3) for _ in range(2))

    def write(a, b):
        eval(code, {"a": a, "b": b})  # noqa: S307 - the code is this file's
        return b + 0

    actual = implementation.vmap(write)(ours, view(ours))

    assert_same(actual, torch.stack([write(a, a) for a in theirs]))
    assert_same(ours, theirs)
    assert_distinct(ours, numbers(device, MEMBERS, 2, 3))


@pytest.mark.requirement("inplace.shared_storage")
def test_what_is_captured_shows_what_its_members_write(implementation, device):
    x = numbers(device, MEMBERS, 2)

    actual = implementation.vmap(lambda row: (row.add_(1), x.sum() + 0 * row)[1])(x)

    assert_same(x, numbers(device, MEMBERS, 2) + 1)
    assert_same(actual, x.sum().expand(MEMBERS, 2))


EXPANDED_WRITES = {
    "add_": "s.add_(y)",
    "copy_": "s.copy_(y)",
    "relu_": "s.sub_(y).relu_()",
    "setitem": "s.__setitem__(0, y[0])",
    "view": "s[0].mul_(y[1])",
    "index_add_": "s.index_add_(0, torch.tensor([0], device=s.device), y[:1])",
    "slow-fallback": "s.fmod_(y)",
    "index_put_": "s.index_put_((torch.tensor([0], device=s.device),), y[:1])",
    "masked_fill_": "s.masked_fill_(y > 6, 7.0)",
    "scatter_": "s.scatter_(0, torch.tensor([0], device=s.device), y[:1])",
}


@pytest.mark.requirement("inplace.expanded")
@pytest.mark.parametrize("code", EXPANDED_WRITES.values(), ids=EXPANDED_WRITES)
def test_members_that_are_one_memory_refuse_a_write(implementation, device, code):
    one, y = numbers(device, 3), numbers(device, MEMBERS, 3)

    def write(s, y):
        eval(code, {"torch": torch, "s": s, "y": y})  # noqa: S307 - the code is this file's
        return s + 0

    outcome = attempt(lambda: implementation.vmap(write)(one.expand(MEMBERS, 3), y))

    with refuses("single memory location"):
        outcome.answer()
    assert_same(one, numbers(device, 3))


@pytest.mark.requirement("inplace.expanded")
def test_windows_that_overlap_refuse_a_write(implementation, device):
    x = numbers(device, MEMBERS + 1, 3)

    with refuses("single memory location"):
        implementation.vmap(lambda a, b: a.add_(b))(x[:-1], x[1:])

    assert_same(x, numbers(device, MEMBERS + 1, 3))


@pytest.mark.requirement("inplace.chunks")
@pytest.mark.parametrize("code", [VIEWS[name] for name in ("slice", "chain", "exchange", "slow-fallback")])
@pytest.mark.parametrize("chunk_size", [1, 2, 3])
@placed
def test_in_chunks_the_caller_sees_every_write(implementation, device, code, chunk_size, dim):
    in_chunks, at_once = placed_numbers(device, dim), placed_numbers(device, dim)
    v = numbers(device, MEMBERS) + 1

    def write(s, v):
        eval(code, {"torch": torch, "s": s, "v": v})  # noqa: S307 - the code is this file's
        return s + 0

    actual = attempt(lambda: implementation.vmap(write, in_dims=(dim, 0), chunk_size=chunk_size)(in_chunks, v)).answer()

    expected = torch.stack([write(at_once.select(dim, k), v[k]) for k in range(MEMBERS)])
    assert_same(in_chunks, at_once)
    assert_same(actual, expected)
    assert_distinct(in_chunks, placed_numbers(device, dim))


# At which levels a tensor is mapped: (outer, inner).
LEVELS = {"both": (0, 0), "outer": (0, None), "inner": (None, 0), "neither": (None, None)}
OUTER, INNER = 5, 3
NESTED_WRITES = {
    "add_": "s.add_(y)",
    "copy_": "s.copy_(y)",
    "setitem": "s.__setitem__(0, y[0])",
    "index_put_": "s.index_put_((torch.tensor([0], device=s.device),), y[0])",
    "masked_fill_": "s.masked_fill_(y > 5, 3.0)",
    "slow-fallback": "s.lerp_(y, 2.0)",
}


def at(levels, device):
    """A tensor for every element of the levels at which it is mapped."""
    sizes = [size for size, dim in zip((OUTER, INNER), levels, strict=True) if dim == 0]
    return numbers(device, *sizes, 2)


def write_in_two_levels(implementation, code, s, y, s_levels, y_levels):
    """Whatever the two tensors are mapped at, both levels run."""
    (s_outer, s_inner), (y_outer, y_inner) = s_levels, y_levels
    base = torch.zeros(OUTER, INNER, device=s.device)

    def write(s, y, zero):
        eval(code, {"torch": torch, "s": s, "y": y})  # noqa: S307 - the code is this file's
        return s + zero

    def row(s, y, zeros):
        return implementation.vmap(write, in_dims=(s_inner, y_inner, 0))(s, y, zeros)

    return attempt(lambda: implementation.vmap(row, in_dims=(s_outer, y_outer, 0))(s, y, base))


def covers(s_levels, y_levels):
    return all(ours == 0 for ours, theirs in zip(s_levels, y_levels, strict=True) if theirs == 0)


COVERED = [(s, y) for s in LEVELS for y in LEVELS if covers(LEVELS[s], LEVELS[y]) and y != "neither"]
UNCOVERED = [(s, y) for s in LEVELS for y in LEVELS if not covers(LEVELS[s], LEVELS[y])]
each_nested = pytest.mark.parametrize("code", NESTED_WRITES.values(), ids=NESTED_WRITES)


@pytest.mark.requirement("inplace.nested")
@each_nested
@pytest.mark.parametrize(("s_levels", "y_levels"), COVERED)
def test_a_write_at_the_levels_of_its_operands_is_the_loops(implementation, device, code, s_levels, y_levels):
    s, theirs = at(LEVELS[s_levels], device), at(LEVELS[s_levels], device)
    y = at(LEVELS[y_levels], device) * 2

    outcome = write_in_two_levels(implementation, code, s, y, LEVELS[s_levels], LEVELS[y_levels])

    for (i, j), own in elements(LEVELS[s_levels], theirs):
        eval(code, {"torch": torch, "s": own, "y": element(LEVELS[y_levels], y, i, j)})  # noqa: S307 - as above
    outcome.answer()
    assert_same(s, theirs)
    assert_distinct(s, at(LEVELS[s_levels], device))


@pytest.mark.requirement("inplace.nested")
@each_nested
@pytest.mark.parametrize(("s_levels", "y_levels"), UNCOVERED)
def test_a_write_to_what_is_not_mapped_where_its_operand_is_is_refused(
    implementation, device, code, s_levels, y_levels
):
    s, y = at(LEVELS[s_levels], device), at(LEVELS[y_levels], device) * 2

    outcome = write_in_two_levels(implementation, code, s, y, LEVELS[s_levels], LEVELS[y_levels])

    with refuses("shape|not possible"):
        outcome.answer()
    assert_same(s, at(LEVELS[s_levels], device))


def element(levels, tensor, i, j):
    """What the pair (i, j) of the two levels sees of a tensor."""
    for level, place in zip(levels, (i, j), strict=True):
        tensor = tensor[place] if level == 0 else tensor
    return tensor


def elements(levels, tensor):
    """Every slice of a tensor over the levels at which it is mapped, once, with the pair that sees it."""
    for i in range(OUTER if levels[0] == 0 else 1):
        for j in range(INNER if levels[1] == 0 else 1):
            yield (i, j), element(levels, tensor, i, j)

"""Hypothesis strategies for whole calls of vmap: functions from a small grammar, trees of inputs, all kinds of dims."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from hypothesis import assume
from hypothesis import strategies as st
from torch import Tensor

from conformance.reference.vmap import slice_args, spread_dims, with_one_slice
from conformance.utils.pytree import TreeLeaf, children, leaves, tree_map
from conformance.workloads.source_calls import NAMES, NestedSourceCall, SourceCall, evaluated
from conformance.workloads.vmap_calls import Pair

MEMBERS = st.sampled_from([3, 2, 1, 5, 4, 0])
SIZES = st.sampled_from([2, 3, 1, 5, 0])
DTYPES = st.sampled_from(["torch.float32", "torch.int64", "torch.float64", "torch.complex64", "torch.bool"])
LAYOUTS = ("{}", "{}.mT.contiguous().mT", "torch.cat([{0}, {0}])[{1}:]", "{}.repeat_interleave(2, -1)[..., ::2]")

# The operations of a drawn function, each with the values that it takes. All are exact on small integers.
OPERATIONS: dict[str, Callable[[Tensor], bool]] = {
    "({} + 1)": lambda _: True,
    "({0} * {0})": lambda _: True,
    "({} == 0)": lambda _: True,
    "torch.where({0} == 0, {0}, {0} * {0})": lambda _: True,
    "(-{})": lambda x: x.dtype != torch.bool,
    "{}.abs()": lambda x: x.dtype != torch.bool and not x.is_complex(),
    "{}.sum()": lambda _: True,
    "{}.sum(-1)": lambda x: x.ndim > 0,
    "{}.sum(0, keepdim=True)": lambda x: x.ndim > 0,
    "{}.amax(-1)": lambda x: x.ndim > 0 and x.shape[-1] > 0 and not x.is_complex(),
    "{}.cumsum(0)": lambda x: x.ndim > 0,
    "({0} @ {0}.mT)": lambda x: x.ndim > 1 and (x.is_floating_point() or x.is_complex()),
    "{}.mT": lambda x: x.ndim > 1,
    "{}.movedim(0, -1)": lambda x: x.ndim > 0,
    "{}.flatten()": lambda _: True,
    "{}.unsqueeze(0)": lambda x: x.ndim < 4,
    "{}[..., None]": lambda x: x.ndim < 4,
    "{}[0]": lambda x: x.ndim > 0 and x.shape[0] > 0,
    "{}[..., ::2]": lambda x: x.ndim > 0,
    "{}[..., -1:]": lambda x: x.ndim > 0,
    # Not of vectors without elements, on which torch can crash: see out_dims.joined_empty_vectors.
    "torch.cat([{0}, {0}])": lambda x: x.ndim > 0 and tuple(x.shape) != (0,),
    "torch.stack([{0}, {0} + {0}], -1)": lambda x: x.ndim < 4,
    "{}.clone()": lambda _: True,
}


@dataclass(frozen=True)
class Leaf(TreeLeaf):
    """A leaf of an argument: its source and its mapped dimension."""

    source: str
    dim: int | None


@dataclass(frozen=True)
class Output(TreeLeaf):
    """A leaf of the function's result: its source, its value for one slice, and if it depends on a mapped input."""

    source: str
    value: Any
    mapped: bool


@st.composite
def tensors(draw: st.DrawFn, n: int, dim: int | None) -> Leaf:
    """Draw a tensor of small integers in any dtype and layout; its mapped dimension, if there is one, has size `n`."""
    need = 0 if dim is None else max(dim, -dim - 1)
    shape = draw(st.lists(SIZES, min_size=need, max_size=need + 2))
    if dim is not None:
        shape.insert(dim if dim >= 0 else len(shape) + 1 + dim, n)
    numel, start = torch.Size(shape).numel(), draw(st.integers(0, 4))
    source = f"((torch.arange({numel}) * 3 + {start}) % 5 - 2).reshape({tuple(shape)}).to({draw(DTYPES)})"
    layouts = LAYOUTS if len(shape) > 1 else LAYOUTS[:1]
    return Leaf(draw(st.sampled_from(layouts)).format(source, shape[0] if shape else 0), dim)


@st.composite
def arguments(draw: st.DrawFn, n: int) -> tuple[Any, Any]:
    """Draw a tree of leaves and its in_dims: one for the whole tree, or one for each leaf."""
    whole, dim = draw(st.booleans()), draw(st.sampled_from([0, None, 1, -1, -2]))

    def leaf() -> Leaf:
        own = dim if whole else draw(st.sampled_from([0, 1, None, -1, -2]))
        if own is None and draw(st.integers(0, 3)) == 0:
            return draw(st.sampled_from([Leaf("3", None), Leaf("None", None)]))
        return draw(tensors(n, own))

    tree = draw(trees(leaf))
    return tree, dim if whole else tree_map(lambda each: each.dim, tree)


@st.composite
def trees(draw: st.DrawFn, leaf: Callable[[], Any]) -> Any:
    """Draw a leaf, or a container with one to three leaves."""
    shapes: dict[str, Callable[[], Any]] = {
        "leaf": leaf,
        "tuple": lambda: (leaf(), leaf()),
        "list": lambda: [leaf()],
        "dict": lambda: {"x": leaf(), "y": leaf()},
        "named tuple": lambda: Pair(leaf(), leaf()),
        "OrderedDict": lambda: OrderedDict(y=leaf(), x=leaf()),
        "nested": lambda: {"x": [leaf(), (leaf(),)], "y": Pair(left=leaf(), right=())},
    }
    return shapes[draw(st.sampled_from(list(shapes)))]()


def source_of(tree: Any) -> str:
    """Return Python source for a tree whose leaves have a source."""
    pairs = children(tree)
    if pairs is None:
        return str(tree.source)
    parts = [source_of(child) for _, child in pairs]
    if isinstance(tree, Pair):
        return f"Pair({', '.join(parts)})"
    if isinstance(tree, OrderedDict):
        return (
            f"OrderedDict([{', '.join(f'({label!r}, {part})' for (label, _), part in zip(pairs, parts, strict=True))}])"
        )
    if isinstance(tree, dict):
        return f"{{{', '.join(f'{label!r}: {part}' for (label, _), part in zip(pairs, parts, strict=True))}}}"
    return f"[{', '.join(parts)}]" if isinstance(tree, list) else f"({''.join(f'{part}, ' for part in parts)})"


def inputs(tree: Any, dims: Any, name: str) -> Iterator[Output]:
    """Yield the tensors of one argument as the function sees them: the source of each, and its first slice."""
    pairs = children(tree)
    if pairs is None:
        if isinstance(tree, Tensor):
            yield Output(name, slice_args(tree, dims, 0), dims.value is not None)
        return
    for i, (label, child) in enumerate(pairs):
        key = i if isinstance(tree, tuple) else label
        yield from inputs(child, children(dims)[i][1], f"{name}[{key!r}]")  # type: ignore[index]


@st.composite
def outputs(draw: st.DrawFn, n: int, found: list[Output], names: dict[str, Any]) -> Output:
    """Draw an input with up to two operations on it, which another input may be added to, or a constant.

    An empty ensemble has no arithmetic on scalars, which the requirement in_dims.empty_scalars covers.
    """
    if draw(st.integers(0, 5)) == 0:
        return Output("torch.ones(2, 3)", torch.ones(2, 3), mapped=False)

    def output(source: str, *, mapped: bool) -> Output:
        return Output(source, evaluated(source, {**NAMES, **names}), mapped)

    chosen = draw(st.sampled_from(found))
    for _ in range(draw(st.integers(0, 2))):
        if not n and not chosen.value.ndim:
            break
        fitting = [operation for operation, fits in OPERATIONS.items() if fits(chosen.value)]
        chosen = output(draw(st.sampled_from(fitting)).format(chosen.source), mapped=chosen.mapped)
    if n and draw(st.booleans()):
        other = draw(st.sampled_from(found))
        chosen = output(f"({other.source}.sum() + {chosen.source})", mapped=chosen.mapped or other.mapped)
    return chosen


def out_dims_of(output: Output) -> st.SearchStrategy[int | None]:
    """Return a strategy for an output's out_dim; an output that is not mapped has 0 or None.

    The requirement out_dims.constant_elsewhere covers its other out_dims, for which torch writes out of bounds.
    """
    if not isinstance(output.value, Tensor):
        return st.none()
    if not output.mapped:
        return st.sampled_from([None, 0])
    rank = output.value.ndim
    return st.sampled_from([0, -1, *range(1, rank + 1), *range(-rank - 1, -1)])


@st.composite
def calls(draw: st.DrawFn, *, out_dims: bool = False, chunked: bool = False) -> SourceCall:
    """Draw a call; `out_dims`: any out_dims, not 0 alone; `chunked`: a chunk size, and no None in out_dims."""
    n = draw(MEMBERS.filter(bool) if chunked else MEMBERS)
    drawn = [draw(arguments(n)) for _ in range(draw(st.integers(1, 3)))]
    args, in_dims = tuple(tree for tree, _ in drawn), tuple(dims for _, dims in drawn)
    assume(any(leaf.dim is not None for _, leaf in leaves(args, "")))
    made = evaluated(source_of(args))
    spread = spread_dims(in_dims, made, "in_dims")
    padded = made if n else tree_map(with_one_slice, spread, made)
    names = dict(zip("abc", slice_args(padded, spread, 0), strict=False))
    found = [each for tree, dims, name in zip(padded, spread, "abc", strict=False) for each in inputs(tree, dims, name)]
    plain = Output("7", 7, mapped=False)

    def output() -> Output:
        return plain if out_dims and not chunked and draw(st.integers(0, 7)) == 0 else draw(outputs(n, found, names))

    returned = draw(trees(output))
    dims = 0
    if out_dims:
        dims = tree_map(
            lambda each: draw(out_dims_of(each).filter(lambda dim: not chunked or dim is not None)), returned
        )
        same = {dim for _, dim in leaves(dims, "")}
        dims = same.pop() if len(same) == 1 else dims
    same_dims = set(map(repr, in_dims)) == {repr(in_dims[0])} and isinstance(in_dims[0], int)
    return SourceCall(
        func=f"lambda {', '.join(names)}: {source_of(returned)}",
        args=source_of(args),
        in_dims=in_dims[0] if same_dims and draw(st.booleans()) else in_dims,
        out_dims=dims,
        chunk_size=draw(st.integers(1, n + 2)) if chunked else None,
    )


@st.composite
def nested_calls(draw: st.DrawFn) -> NestedSourceCall:
    """Draw two levels over a function of two vectors, with any in_dims and out_dims; one in_dim may be None."""
    func, rank = draw(
        st.sampled_from([("a + 2 * b", 1), ("(a * b).sum()", 0), ("a.flip(0) - b", 1), ("a.outer(b)", 2)])
    )
    sizes = draw(st.permutations([2, 3, 5]))
    args: list[str] = []
    dims: list[list[int | None]] = []
    for mapped in draw(
        st.sampled_from([((True, True),) * 2, ((True, True), (False, True)), ((True, False), (False, True))])
    ):
        shape, own = [sizes[2]], []
        for size, maps in zip(sizes, mapped, strict=False):  # the inner level first
            dim = draw(st.integers(-len(shape) - 1, len(shape))) if maps else None
            if dim is not None:
                shape.insert(dim if dim >= 0 else len(shape) + 1 + dim, size)
            own.append(dim)
        numel = torch.Size(shape).numel()
        args.append(f"((torch.arange({numel}) * 3 + {len(args)}) % 7.0).reshape({tuple(shape)})")
        dims.append(own)
    inner, outer = zip(*dims, strict=True)
    out_dims = [draw(st.integers(-rank - level, rank + level - 1)) for level in (1, 2)]
    return NestedSourceCall(f"lambda a, b: {func}", f"({', '.join(args)})", (inner, out_dims[0]), (outer, out_dims[1]))

"""Does a seed always give the same members, in every place and every release?"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
import torch
from torch.nn import functional as F

from conformance.cases import golden_seeds, training_cases
from conformance.cases.data import draw
from conformance.cases.golden_seeds import MAKERS, SEEDS, stack_state
from conformance.cases.members import MEMBERS
from conformance.numerics.assertions import assert_distinct, assert_members_close, assert_same
from conformance.utils.child_process import run_in_child
from conformance.utils.pytree import leaves

each_way = pytest.mark.parametrize("way", MAKERS)
# Convolutions; normal, uniform and integer buffers; an embedding: all kinds of initial values.
CASES = (training_cases.SIMPLE_CNN, training_cases.BATCH_NORM_TRAIN, training_cases.TIED)
each_case = pytest.mark.parametrize("case", CASES, ids=["SimpleCNN", "NormNet", "TiedNet"])


@pytest.fixture(autouse=True)
def _generator_put_back():
    """Restore the random state after each test of this file."""
    with torch.random.fork_rng(devices=[]):
        yield


# Earlier uses of the generator. After an odd number of normals it holds one more that it will return next.
BEFORE = {
    "one-normal": lambda: torch.randn(1),
    "one-normal-in-float64": lambda: torch.randn(1, dtype=torch.float64),
    "many-normals": lambda: torch.randn(1001),
    "uniform": lambda: torch.rand(3),
    "permutation": lambda: torch.randperm(11),
    "another-seed": lambda: torch.manual_seed(99),
    "no-seed": torch.seed,
    "another-state": lambda: torch.set_rng_state(torch.Generator().manual_seed(4).get_state()),
}


@pytest.mark.requirement("determinism.seeded_twice")
@each_way
@pytest.mark.parametrize("before", BEFORE)
def test_a_seed_gives_the_same_stack_whatever_was_drawn_before(implementation, way, before):
    first = [stack_state(implementation, MAKERS[way](case.factory, MEMBERS, 3)) for case in CASES]

    BEFORE[before]()
    again = [stack_state(implementation, MAKERS[way](case.factory, MEMBERS, 3)) for case in CASES]

    for _, tensor in leaves(first, "stack"):
        assert_distinct(*tensor)
    assert_same(again, first, "stack")


@pytest.mark.requirement("determinism.seeded_twice")
@each_case
@pytest.mark.parametrize("seed", [0, 3, 2**31])
def test_every_way_to_make_members_gives_the_same_stack(implementation, case, seed):
    first, *others = (stack_state(implementation, make(case.factory, MEMBERS, seed)) for make in MAKERS.values())

    for other in others:
        assert_same(other, first, "stack")


@pytest.mark.requirement("determinism.seeded_in_thread")
@each_way
@each_case
def test_a_seed_gives_the_same_stack_in_a_thread(implementation, way, case):
    expected = stack_state(implementation, MAKERS[way](case.factory, MEMBERS, 3))

    with ThreadPoolExecutor(1) as thread:
        thread.submit(torch.randn, 1).result()
        made = thread.submit(MAKERS[way], case.factory, MEMBERS, 3).result()
        actual = thread.submit(stack_state, implementation, made).result()

    assert_same(actual, expected, "stack")


@pytest.mark.child
@pytest.mark.requirement("determinism.seeded_in_process")
def test_a_seed_gives_the_same_stack_in_another_process(implementation):
    expected = [
        stack_state(implementation, make(training_cases.norm_net_without_dropout, MEMBERS, 3))
        for make in MAKERS.values()
    ]

    run_in_child(
        golden_seeds.assert_stacks, implementation, training_cases.norm_net_without_dropout, MEMBERS, 3, expected
    )


@pytest.mark.requirement("determinism.seeds_differ")
@each_way
@each_case
def test_other_seeds_give_other_members(implementation, way, case):
    seeds = [0, *(2**bit for bit in range(32)), -2]

    stacked = stack_state(implementation, [MAKERS[way](case.factory, 1, seed)[0] for seed in seeds])

    for name, tensor in stacked.items():
        # Some of a hundred counts are equal by chance.
        if tensor.is_floating_point():
            assert len({str(member.tolist()) for member in tensor}) == len(seeds), name


@pytest.mark.requirement("determinism.seed_bits")
@each_way
@pytest.mark.parametrize("seed", [0, 3, 2**31])
def test_seeds_that_are_two_to_the_32_apart_give_the_same_members(implementation, way, seed):
    near, far = (
        stack_state(implementation, MAKERS[way](training_cases.norm_net_without_dropout, MEMBERS, each))
        for each in (seed, seed + 5 * 2**32)
    )

    assert_same(far, near, "stack")


@pytest.mark.requirement("determinism.later_members")
@each_way
@each_case
def test_a_member_does_not_depend_on_how_many_come_after_it(implementation, way, case):
    largest = stack_state(implementation, MAKERS[way](case.factory, 23, 3))

    for n in (1, 2, MEMBERS):
        smaller = stack_state(implementation, MAKERS[way](case.factory, n, 3))
        assert_same(smaller, {name: tensor[:n] for name, tensor in largest.items()}, f"stack of {n}")


ENDS = {"returns": lambda: None, "raises": lambda: 1 / 0}


@pytest.mark.requirement("determinism.fork_rng")
@each_case
@pytest.mark.parametrize("end", ENDS)
def test_fork_rng_puts_the_generator_back(implementation, case, end):
    torch.randn(1)
    before = torch.get_rng_state()

    with suppress(ZeroDivisionError), torch.random.fork_rng(devices=[]):
        torch.manual_seed(99)
        stacked = stack_state(implementation, [case.factory() for _ in range(MEMBERS)])
        within = torch.get_rng_state()
        ENDS[end]()

    assert_distinct(*next(iter(stacked.values())))
    assert_distinct(before, within)
    assert_same(torch.get_rng_state(), before, "state of the generator")


DRAWS = {
    "randn": lambda x: x + torch.randn(11),
    "rand_like": lambda x: x + torch.rand_like(x),
    "dropout": F.dropout,
    "normal_": lambda x: x.clone().normal_(),
    "randint": lambda x: x + torch.randint(2**30, (11,)),
    "randperm": lambda x: x[torch.randperm(11)],
}


@pytest.mark.requirement("determinism.fork_rng_vmap")
@pytest.mark.parametrize("randomness", ["same", "different"])
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("kind", DRAWS)
def test_fork_rng_puts_the_generator_back_after_vmap_drew(implementation, randomness, end, kind):
    x = draw(3, 11)
    drawing = implementation.vmap(DRAWS[kind], randomness=randomness)
    torch.randn(1)
    before = torch.get_rng_state()

    found = []
    for seed in (7, 7, 8):
        with suppress(ZeroDivisionError), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            found.append(drawing(x))
            ENDS[end]()
        assert_same(torch.get_rng_state(), before, "state of the generator")

    assert_same(found[1], found[0], "what was drawn")
    assert_distinct(found[0], found[2], x)


def assert_golden(implementation, device, name):
    """Assert that members made from `SEEDS` start with the values that NumPy computes."""
    models = [golden_seeds.make_with_manual_seed(golden_seeds.GOLDEN[name], 1, seed)[0].to(device) for seed in SEEDS]

    stacked = stack_state(implementation, models)

    summaries = {key: [golden_seeds.summarize(member) for member in tensor] for key, tensor in stacked.items()}
    actual = {
        key: {part: torch.stack([each[part] for each in found]) for part in found[0]}
        for key, found in summaries.items()
    }
    assert_members_close(actual, golden_seeds.load_golden_summaries(name, device), "initial")


@pytest.mark.requirement("determinism.golden_draws")
def test_draws_are_those_of_numpy(implementation, device):
    assert_golden(implementation, device, "draws")


@pytest.mark.requirement("determinism.golden_inits")
def test_matrices_are_initialized_as_by_numpy(implementation, device):
    assert_golden(implementation, device, "inits")


@pytest.mark.requirement("determinism.golden_modules")
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.original] * (name == "SimpleCNN")) for name in golden_seeds.MODULES]
)
def test_modules_start_as_by_numpy(implementation, device, name):
    assert_golden(implementation, device, name)


@pytest.mark.requirement("determinism.other_draws")
def test_other_draws_are_the_same_twice(implementation, record_property):
    first, again = (
        stack_state(
            implementation,
            [golden_seeds.make_with_manual_seed(golden_seeds.RecordedDraws, 1, seed)[0] for seed in SEEDS],
        )
        for _ in range(2)
    )

    for name, tensor in first.items():
        says = (
            "moved since torch 2.13.0" if golden_seeds.differs_from_recorded(name, tensor[0]) else "as in torch 2.13.0"
        )
        cell = {"table": "seeded draws", "row": name, "column": "seed 0"}
        record_property("cell", {**cell, "passes": says, "fails": "not the same twice"})
        assert_distinct(*tensor)
    assert_same(again, first, "stack")

"""Do the members' random numbers follow the requested distribution, independently of each other?"""

from itertools import permutations

import pytest
import torch

from conformance.cases.members import MEMBERS
from conformance.cases.operations.distributions import CONTINUOUS, DISTRIBUTIONS
from conformance.numerics.statistics import measure_mean

DRAWN = 20_000


def assert_mean(numbers, expected, what):
    """Assert that the deviation is within chance, as conformance/numerics/statistics.py defines it."""
    mean = measure_mean(numbers, expected)
    assert mean.off <= mean.allowed, (
        f"{what} is {mean.off:.3g} off {expected:.3g}, and chance allows {mean.allowed:.3g}"
    )


def numbers(implementation, law, mode, device):
    """Return the draws of each member, (members, 20000)."""
    return implementation.vmap(law.draw, randomness=mode)(torch.zeros(MEMBERS, DRAWN, device=device))


@pytest.mark.requirement("randomness.distribution")
@pytest.mark.parametrize("law", DISTRIBUTIONS, ids=str)
@pytest.mark.parametrize("mode", ["same", "different"])
def test_the_numbers_of_each_member_have_their_distribution(implementation, device, law, mode):
    drawn = numbers(implementation, law, mode, device).cpu()

    assert drawn.shape == (MEMBERS, DRAWN)
    for i, own in enumerate(drawn):
        for share, expected in law.means.items():
            assert_mean(share(own), expected, f"member {i}: a mean")


@pytest.mark.requirement("randomness.independence")
@pytest.mark.parametrize("law", CONTINUOUS, ids=str)
@pytest.mark.parametrize("lag", [0, 1, 2])
def test_the_numbers_of_two_members_are_independent(implementation, device, law, lag):
    cumulative = next(iter(law.means))
    drawn = cumulative(numbers(implementation, law, "different", device).cpu())

    for i, j in permutations(range(MEMBERS), 2):
        ours, theirs = drawn[i, lag:], drawn[j, : DRAWN - lag]
        assert_mean((ours - 0.5) * (theirs - 0.5) * 2 + 0.5, 0.5, f"members {i} and {j}: a product")

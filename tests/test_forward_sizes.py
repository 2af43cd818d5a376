"""Does the ensemble work with any number of members and samples?"""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conformance.cases.data import OWN_AND_SHARED, SAMPLES
from conformance.cases.members import MEMBERS, members
from conformance.numerics.assertions import assert_members_close
from conformance.numerics.plain_loop import loop
from conformance.reference.simple_cnn import small_cnn
from conformance.workloads.forward import ensemble_forward, forward_without_grad, images


@pytest.mark.requirement("forward.any_size")
@settings(max_examples=25)
@given(n=st.integers(1, 12), samples=st.integers(0, 9), shared=st.booleans())
@example(n=2, samples=2, shared=False)
@example(n=3, samples=2, shared=True)
@example(n=33, samples=2, shared=False)
@example(n=2, samples=65, shared=True)
def test_any_number_of_members_and_samples(implementation, device, n, samples, shared):
    models = members(small_cnn, n, device=device)
    minibatches = images(*([samples] if shared else [n, samples]), 1, device=device)

    out = ensemble_forward(implementation, models, minibatches, in_dim=None if shared else 0)

    assert_members_close(out, loop(forward_without_grad, models, [minibatches] * n if shared else list(minibatches)))


@pytest.mark.requirement("forward.one_member")
@pytest.mark.parametrize("in_dim", **OWN_AND_SHARED)
def test_an_ensemble_of_one(implementation, device, dtype, in_dim):
    models = members(small_cnn, 1, device=device, dtype=dtype)
    minibatch = images(SAMPLES, 1, dtype=dtype, device=device)

    out = ensemble_forward(implementation, models, minibatch if in_dim is None else minibatch[None], in_dim=in_dim)

    assert_members_close(out, loop(forward_without_grad, models, [minibatch]))


@pytest.mark.requirement("forward.one_sample")
@pytest.mark.parametrize("in_dim", **OWN_AND_SHARED)
def test_one_sample_keeps_its_dimension(implementation, device, dtype, in_dim):
    models = members(small_cnn, MEMBERS, device=device, dtype=dtype)
    minibatches = images(MEMBERS, 1, 1, dtype=dtype, device=device)
    given_input = minibatches if in_dim == 0 else minibatches[0]

    out = ensemble_forward(implementation, models, given_input, in_dim=in_dim)

    inputs = list(minibatches) if in_dim == 0 else [minibatches[0]] * MEMBERS
    assert_members_close(out, loop(forward_without_grad, models, inputs))


@pytest.mark.requirement("forward.empty_minibatch")
@pytest.mark.parametrize("in_dim", **OWN_AND_SHARED)
def test_no_samples_give_no_outputs(implementation, device, dtype, in_dim):
    models = members(small_cnn, MEMBERS, device=device, dtype=dtype)
    minibatches = images(MEMBERS, 0, 1, dtype=dtype, device=device)
    given_input = minibatches if in_dim == 0 else minibatches[0]

    out = ensemble_forward(implementation, models, given_input, in_dim=in_dim)

    assert out.shape == (MEMBERS, 0, 13)
    assert_members_close(out, loop(forward_without_grad, models, list(minibatches)))

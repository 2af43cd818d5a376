"""Do strides and memory formats leave the outputs unchanged?"""

import pytest
import torch

from conformance.cases.data import SAMPLES
from conformance.cases.members import MEMBERS, members
from conformance.cases.networks import colour_cnn
from conformance.numerics.assertions import assert_members_close, assert_same
from conformance.numerics.plain_loop import loop
from conformance.reference.simple_cnn import small_cnn
from conformance.workloads.forward import ensemble_forward, forward_without_grad, images

LAYOUTS = {
    "members-and-samples-transposed": lambda x: x.transpose(0, 1).contiguous().transpose(0, 1),
    "rows-and-columns-transposed": lambda x: x.mT.contiguous().mT,
    "every-second-element": lambda x: torch.stack([x, -x], dim=-1).flatten(-2)[..., ::2],
    "with-an-offset": lambda x: torch.cat([-x[:1], x])[1:],
    "reversed-and-permuted": lambda x: x.permute(4, 3, 2, 1, 0).contiguous().permute(4, 3, 2, 1, 0),
}


@pytest.mark.requirement("forward.noncontiguous")
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_layout_of_the_minibatches_does_not_matter(implementation, device, layout):
    models = members(small_cnn, MEMBERS, device=device)
    contiguous = images(MEMBERS, SAMPLES, 1, device=device)
    minibatches = LAYOUTS[layout](contiguous)
    assert minibatches.stride() != contiguous.stride() or minibatches.storage_offset()
    assert_same(minibatches, contiguous)

    out = ensemble_forward(implementation, models, minibatches)

    assert_members_close(out, loop(forward_without_grad, models, list(contiguous)))


@pytest.mark.requirement("forward.expanded")
@pytest.mark.parametrize("over", ["members", "samples", "rows"])
def test_expanded_minibatches_count_as_often_as_they_say(implementation, device, over):
    models = members(small_cnn, MEMBERS, device=device)
    dim = {"members": 0, "samples": 1, "rows": 3}[over]
    minibatches = images(MEMBERS, SAMPLES, 1, device=device).narrow(dim, 0, 1).expand(MEMBERS, SAMPLES, 1, 8, 8)
    if over == "rows":
        minibatches = images(MEMBERS, SAMPLES, 1, device=device)[..., :1, :].expand(-1, -1, -1, 8, -1)
    assert 0 in minibatches.stride()

    out = ensemble_forward(implementation, models, minibatches)

    assert_members_close(out, loop(forward_without_grad, models, list(minibatches.contiguous())))


@pytest.mark.requirement("forward.channels_last")
@pytest.mark.parametrize("what", ["own-images", "shared-images", "weights"])
def test_channels_last_is_a_layout_and_no_other_image(implementation, device, what):
    models = members(colour_cnn, MEMBERS, device=device)
    contiguous = images(MEMBERS, SAMPLES, 2, device=device)
    minibatches = contiguous
    if what == "weights":
        models = [model.to(memory_format=torch.channels_last) for model in models]
        assert not models[0].conv2.weight.is_contiguous()
    else:
        minibatches = contiguous.flatten(0, 1).to(memory_format=torch.channels_last).unflatten(0, (MEMBERS, SAMPLES))
        assert not minibatches.is_contiguous()
    shared = what == "shared-images"

    out = ensemble_forward(implementation, models, minibatches[0] if shared else minibatches, None if shared else 0)

    assert_members_close(
        out, loop(forward_without_grad, models, [contiguous[0]] * MEMBERS if shared else list(contiguous))
    )

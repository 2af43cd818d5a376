"""What faults do where no test of the kill matrix need come by: each is tried on a sample of the tests alone."""

import pytest
import torch

from conformance.cases.autograd_functions import DoubleWithSevenfoldGradient
from conformance.faults.base.derivative import _Over
from conformance.faults.errors import RefusalsLeaveATrace
from conformance.faults.inplace import LastMemberNotWritten, RefusedWriteWritesOneMember
from conformance.faults.inplace_views import WritesNotCounted
from conformance.faults.purity import RefusalsWriteOneMember
from conformance.faults.refusals import RefusesEverything
from conformance.implementations.torch_func import TorchFunc


def test_a_linear_map_over_the_members_passes_gradients_on():
    x = torch.ones(3, requires_grad=True)

    _Over.apply(x, lambda tensor: tensor, 3).sum().backward()

    assert x.grad.tolist() == [1, 1, 1]


def test_a_linear_map_over_the_members_passes_tangents_on():
    x, t = torch.ones(3), torch.arange(3.0)

    _, tangent = torch.func.jvp(lambda x: _Over.apply(x, lambda tensor: tensor, 3), (x,), (t,))

    assert tangent.tolist() == [0, 1, 2]


def test_writes_are_counted_in_what_is_no_tensor():
    args = ([torch.ones(3)],)

    assert WritesNotCounted(TorchFunc()).mapped(lambda _f, _in, _out, args: args, None, 0, 0, args) is args


def test_a_refusal_leaves_a_trace_only_in_a_tensor():
    for fault in (RefusalsLeaveATrace, RefusedWriteWritesOneMember):
        x = torch.arange(3.0)

        fault(TorchFunc()).leave(ValueError(), ())
        fault(TorchFunc()).leave(ValueError(), (x,))

        assert x.tolist() != [0, 1, 2]


def test_a_function_with_a_backward_of_its_own_keeps_it_uncompiled():
    x = torch.ones(3, requires_grad=True)

    out = DoubleWithSevenfoldGradient.apply(x)
    out.sum().backward()

    assert out.tolist() == [2, 2, 2]
    assert x.grad.tolist() == [7, 7, 7]


def test_a_tensor_of_another_shape_than_before_is_left_as_it_was_written():
    x = torch.arange(6.0).reshape(2, 3)

    LastMemberNotWritten(TorchFunc()).mapped(lambda _f, _in, _out, args: args[0].t_(), None, 0, 0, (x,))

    assert x.tolist() == [[0, 3], [1, 4], [2, 5]]


class CombineIsRefused(RefusesEverything):
    """Combining is refused, and nothing else."""

    functions = ("combine",)


def test_a_refusal_of_one_function_leaves_the_others():
    fault, x = CombineIsRefused(TorchFunc()), torch.ones(2, 3)
    linear = torch.nn.Linear(3, 1)

    with pytest.raises(RuntimeError, match="boom"):
        fault.combine([linear])

    assert fault.refused
    assert fault.vmap(torch.sin)(x).equal(x.sin())
    assert fault.functional_call(linear, {}, (x,)).equal(linear(x))


def test_a_refusal_with_inputs_alone_writes_to_no_parameter():
    x = torch.ones(2, 3)

    with pytest.raises(RuntimeError, match="item"):
        RefusalsWriteOneMember(TorchFunc()).vmap(lambda row: row.sum().item())(x)

    assert x.equal(torch.ones(2, 3))

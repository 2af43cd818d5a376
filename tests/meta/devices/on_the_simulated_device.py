"""What has to run where torch knows the stand-in, and nothing else should: torch takes a device type for good.

tests/meta/devices/test_simulated.py runs it in a process of its own; pytest collects it by its name alone.
"""

import copy
import gc
import io

import pytest
import torch
from kills import asked, assert_killed
from torch import nn
from torch.utils import backend_registration

import conformance.devices.simulated
from conformance.devices.simulated import backend, registration
from conformance.faults import FAULTS
from conftest import Thin

ON_THE_STAND_IN = [
    "--device=standin",
    "--device-module=conformance.devices.simulated",
    "--implementation=torch.func",
    "--tb=no",
]


@pytest.mark.parametrize("fault", [name for name, fault in FAULTS.items() if fault.device == "standin"])
def test_the_fault_is_seen(run_suite, record_property, fault):
    options = [*ON_THE_STAND_IN, f"--fault={fault}", "-m", "not child"]

    outcome = run_suite(*options, paths=asked(fault), plugins=[Thin(FAULTS[fault].breaks, fault)])

    assert_killed(fault, outcome.red(), record_property)
    assert outcome.result["verdict"].startswith("REHEARSAL: ")
    assert "REHEARSAL on the simulated device" in outcome.printed


def test_it_is_registered_once_and_has_two_devices():
    conformance.devices.simulated.register()

    assert torch.accelerator.current_accelerator().type == conformance.devices.simulated.NAME
    assert torch.standin.device_count() == conformance.devices.simulated.COUNT == 2
    assert torch.standin.is_available()
    assert torch.standin.is_initialized()
    with pytest.raises(RuntimeError, match="there is no device 2"):
        torch.ones(3, device="standin:2")


def test_the_current_device_is_the_one_that_is_meant_without_a_number():
    torch.standin.set_device("standin:1")
    try:
        assert torch.ones(3, device="standin").device == torch.device("standin", torch.standin.current_device())
        assert torch.standin.current_device() == 1
    finally:
        torch.standin.set_device(0)
    assert torch.ones(3, device="standin").device == torch.device("standin", 0)


def test_numbers_go_there_and_back():
    x = torch.arange(6.0).reshape(2, 3)

    there = x.to("standin")
    beside = there.to("standin:1")

    assert (there.device.index, beside.device.index) == (0, 1)
    assert torch.equal(beside.cpu(), x)
    assert there.tolist() == x.tolist()
    assert f"{there[0, 1]:.2f}" == "1.00"
    assert repr(there) == "tensor([[0., 1., 2.],\n        [3., 4., 5.]], device='standin:0')"
    assert torch.equal(torch.tensor([1.0, 2.0], device="standin").cpu(), torch.tensor([1.0, 2.0]))


@pytest.mark.parametrize(
    "mixed",
    [lambda x: x + torch.ones(3), lambda x: x + x.to("standin:1"), lambda x: torch.stack([x, torch.ones(3)])],
    ids=["cpu", "next", "stacked"],
)
def test_tensors_of_two_devices_do_not_mix(mixed):
    with pytest.raises(RuntimeError, match="Expected all tensors to be on the same device"):
        mixed(torch.ones(3, device="standin"))


def test_what_an_accelerator_takes_from_the_cpu_it_takes():
    x = torch.arange(3.0, device="standin")

    assert (x + torch.tensor(2.0)).tolist() == [2, 3, 4]
    assert x[torch.tensor([2, 0])].tolist() == [2, 0]


def test_writes_reach_what_they_are_written_to():
    x = torch.zeros(2, 3, device="standin")
    out = torch.empty(0, device="standin")

    x[1].add_(1)
    same = torch.add(x, 1, out=out)
    x.t_()

    assert same is out
    assert out.tolist() == [[1, 1, 1], [2, 2, 2]]
    assert x.shape == (3, 2)
    assert x.tolist() == [[0, 1]] * 3


def test_each_device_draws_from_its_own_generator():
    torch.manual_seed(3)
    first, beside = torch.rand(5, device="standin"), torch.rand(5, device="standin:1")
    cpu = torch.rand(5)
    torch.standin.manual_seed(3)

    assert first.tolist() == beside.tolist() == cpu.tolist() == torch.rand(5, device="standin").tolist()
    assert torch.rand(5, device="standin:1").tolist() != first.tolist()


def test_a_generator_goes_back_to_where_it_stood():
    stood = torch.standin.get_rng_state()
    first = torch.rand(5, device="standin")

    torch.standin.set_rng_state(stood)

    assert torch.rand(5, device="standin").tolist() == first.tolist()


def test_memory_is_counted_once_and_given_back():
    gc.collect()
    before = torch.standin.memory_allocated()
    torch.standin.reset_peak_memory_stats()

    x = torch.ones(1000, device="standin")
    view, held = x[:10], torch.standin.memory_allocated() - before
    del x
    still = torch.standin.memory_allocated() - before
    del view

    assert held == still == 4000
    assert torch.standin.memory_allocated() == before
    assert torch.standin.max_memory_allocated() == before + 4000


def test_modules_are_copied_and_saved_as_on_any_device():
    model = nn.Linear(2, 3).to("standin")
    model(torch.ones(1, 2, device="standin")).sum().backward()

    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)

    copied = copy.deepcopy([model.weight, model.weight])
    assert copied[0] is copied[1]
    assert isinstance(copied[0], nn.Parameter)
    assert copied[0].grad.tolist() == model.weight.grad.tolist()
    assert torch.load(file)["weight"].tolist() == model.weight.tolist()
    with pytest.raises(RuntimeError, match="Only leaf tensors"):
        copy.deepcopy(model.weight * 2)


def test_data_of_another_tensor_is_taken_over():
    x = torch.ones(3, device="standin")

    x.data = torch.zeros(2, device="standin")
    x.data.add_(1)

    assert x.tolist() == [1, 1]


def test_an_amp_of_that_device_is_no_mistake():
    with torch.autocast("standin", dtype=torch.bfloat16):
        assert backend.devices().get_amp_supported_dtype() == [torch.bfloat16, torch.float16]


def test_a_torch_without_backends_in_python_has_none(monkeypatch):
    monkeypatch.delattr(backend_registration, "_setup_privateuseone_for_python_backend")

    with pytest.raises(registration.UnavailableError, match="takes no backend in Python"):
        registration.register.__wrapped__()

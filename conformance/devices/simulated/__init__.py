"""A stand-in for an accelerator, so that what a second device asks of the suite runs on machines that have none.

``--device=standin --device-module=conformance.devices.simulated``: importing this package gives torch the device type
``standin``, a PrivateUse1 backend in Python with two devices. Their tensors hold tensors of the CPU: every operation
unwraps them, checks that they lie on one device, computes on the CPU and wraps what comes out. Each device has a random
generator of its own.

It shows what goes wrong where a device is not the CPU: tensors left behind, devices mixed up, the wrong generator
asked or kept, numbers that are read without being fetched. It can't show what real devices do otherwise: their kernels
and how they round, streams, errors that come late, memory. And its tensors are of a subclass of Tensor, which is what
torch offers to a backend in Python.

torch takes a backend in Python since 2.10; an older one says UnavailableError, an ImportError, here.
"""

from conformance.devices.simulated.backend import COUNT, NAME
from conformance.devices.simulated.registration import UnavailableError, register

__all__ = ["COUNT", "NAME", "UnavailableError", "register"]

register()

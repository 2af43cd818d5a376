"""A simulated accelerator: the requirements of a second device run on machines that have none.

``--device=standin --device-module=conformance.devices.simulated``: importing this package registers the device type
``standin``, a PrivateUse1 backend in Python with two devices. Its tensors hold tensors of the CPU: every operation
unwraps them, checks that they are on one device, computes on the CPU and wraps the results. Each device has its own
random generator.

It shows errors that only a device other than the CPU can show: tensors left behind, devices mixed up, the wrong
generator used or kept, values read without a copy to the CPU. It can't show how kernels of real devices round, streams,
asynchronous errors, or memory. Its tensors are of a subclass of Tensor, which is what torch offers to a backend in
Python.

torch supports a backend in Python since 2.10; an older torch raises UnavailableError, an ImportError, here.
"""

from conformance.devices.simulated.backend import COUNT, NAME
from conformance.devices.simulated.registration import UnavailableError, register

__all__ = ["COUNT", "NAME", "UnavailableError", "register"]

register()

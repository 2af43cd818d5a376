"""The kill matrix of a second device. In a process of its own, since torch takes a device type for good.

tests/meta/test_kill_matrix.py runs it; `pytest` collects it by its name alone.
"""

import pytest
from test_kill_matrix import asked, assert_killed

from conformance.faults import FAULTS
from conftest import Thin

ON_THE_STAND_IN = ["--device=standin", "--device-module=conformance.stand_in", "--implementation=torch.func", "--tb=no"]


@pytest.mark.parametrize("fault", [name for name, fault in FAULTS.items() if fault.device == "standin"])
def test_the_fault_is_seen(run_suite, record_property, fault):
    outcome = run_suite(
        *ON_THE_STAND_IN,
        f"--fault={fault}",
        "-m",
        "not child",
        paths=asked(fault),
        plugins=[Thin(FAULTS[fault].breaks, fault)],
    )

    assert_killed(fault, outcome.red(), record_property)

"""Does an interrupt or an error during the diagnosis of a user's model end as it should?"""

from contextlib import suppress

import pytest
from test_testing import Gate, mlp
from torch import nn

from conformance.testing import check_ensemble, diagnosis, floats


@pytest.mark.parametrize("end", [KeyboardInterrupt, RuntimeError])
def test_an_interrupt_during_the_search_for_a_place_ends_the_test_and_an_error_does_not(monkeypatch, end):
    class Ending(Gate):
        located = False

        def forward(self, x):
            if Ending.located:
                raise end
            return super().forward(x)

    def locate(error, again):
        Ending.located = True
        with suppress(BaseException):
            again()
        raise error

    monkeypatch.setattr(diagnosis, "locate_failure", locate)

    with pytest.raises(KeyboardInterrupt if end is KeyboardInterrupt else AssertionError):
        check_ensemble(lambda: nn.Sequential(nn.Linear(3, 2), Ending()), [floats(7, 3)], only=["modules.grad"])


def test_a_model_that_can_t_be_looked_at_is_not_applicable(monkeypatch):
    def fail(asking, name):
        raise TypeError("no way")

    monkeypatch.setattr(diagnosis.Asking, "ask", fail)

    findings = check_ensemble(mlp, [floats(7, 3)], on_fail=None, only=["modules.grad"])

    assert [(each.status, each.message) for each in findings] == [
        ("not applicable", "can't copy the members: TypeError: no way")
    ]

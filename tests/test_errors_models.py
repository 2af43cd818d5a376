"""Are bad models and bad state refused, by name, without a trace?"""

import pytest

from conformance.workloads.bad_calls import assert_refused, named


@pytest.mark.requirement("errors.no_sequence_of_models")
@pytest.mark.parametrize(
    "call",
    **named(
        {
            "combine(None)": lambda combine: combine(None),
            "combine(model for model in [linear, linear])": lambda combine, linear: combine(
                model for model in [linear, linear]
            ),
            "combine(linear)": lambda combine, linear: combine(linear),
        }
    ),
)
def test_what_is_no_sequence_of_models_is_refused(implementation, device, call):
    assert_refused(implementation, device, call, "len|sequence|model")


@pytest.mark.requirement("errors.no_models")
@pytest.mark.parametrize(
    "call",
    **named(
        {
            "combine([1, 2])": lambda combine: combine([1, 2]),
            "combine(['linear'])": lambda combine: combine(["linear"]),
        }
    ),
)
def test_a_sequence_of_no_models_is_refused(implementation, device, call):
    assert_refused(implementation, device, call, "module|model")


@pytest.mark.requirement("errors.uninitialized_models")
@pytest.mark.parametrize(
    "call",
    **named(
        {
            "combine([lazy, lazy])": lambda combine, lazy: combine([lazy, lazy]),
        }
    ),
)
def test_lazy_modules_are_refused_before_they_are_initialized(implementation, device, call):
    assert_refused(implementation, device, call, "uninitialized")


@pytest.mark.requirement("errors.state_is_no_dict")
@pytest.mark.parametrize(
    "call",
    **named(
        {
            "functional_call(linear, None, (x,))": lambda functional_call, x, linear: functional_call(
                linear, None, (x,)
            ),
            "functional_call(linear, 'weight', (x,))": lambda functional_call, x, linear: functional_call(
                linear, "weight", (x,)
            ),
            "functional_call(linear, (1, 2), (x,))": lambda functional_call, x, linear: functional_call(
                linear, (1, 2), (x,)
            ),
            "functional_call(linear, [{}, None], (x,))": lambda functional_call, x, linear: functional_call(
                linear, [{}, None], (x,)
            ),
        }
    ),
)
def test_state_that_is_no_dict_is_refused(implementation, device, call):
    assert_refused(implementation, device, call, "dict")


@pytest.mark.requirement("errors.value_is_no_tensor")
@pytest.mark.parametrize(
    "call",
    **named(
        {
            "functional_call(linear, {'weight': 3}, (x,))": lambda functional_call, x, linear: functional_call(
                linear, {"weight": 3}, (x,)
            ),
            "functional_call(linear, {'weight': 'w'}, (x,))": lambda functional_call, x, linear: functional_call(
                linear, {"weight": "w"}, (x,)
            ),
            "functional_call(linear, {'weight': [1.0]}, (x,))": lambda functional_call, x, linear: functional_call(
                linear, {"weight": [1.0]}, (x,)
            ),
        }
    ),
)
def test_a_value_that_is_no_tensor_is_refused(implementation, device, call):
    assert_refused(implementation, device, call, "tensor")


@pytest.mark.requirement("errors.value_is_none")
@pytest.mark.parametrize(
    "call",
    **named(
        {
            "functional_call(linear, {'bias': None}, (x,))": lambda functional_call, x, linear: functional_call(
                linear, {"bias": None}, (x,)
            ),
        }
    ),
)
def test_none_as_a_value_is_refused(implementation, device, call):
    assert_refused(implementation, device, call, "None|tensor")

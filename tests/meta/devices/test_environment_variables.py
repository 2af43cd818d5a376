"""Does a result name the environment variables that change numbers, and no secret?"""

import pytest

from conformance.devices.environment import LONGEST_VALUE, MOST_VARIABLES, numeric_variables

NUMERIC = [
    "OMP_NUM_THREADS",
    "MKL_CBWR",
    "ATEN_CPU_CAPABILITY",
    "CUBLAS_WORKSPACE_CONFIG",
    "NVIDIA_TF32_OVERRIDE",
    "ONEDNN_MAX_CPU_ISA",
    "KMP_AFFINITY",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
    "TORCHINDUCTOR_FREEZING",
    "PYTORCH_JIT",
]


@pytest.mark.parametrize("name", NUMERIC)
def test_what_changes_numbers_is_named(name):
    assert numeric_variables({name: "1"}) == {name: "1"}


@pytest.mark.parametrize(
    "name",
    [
        "HOME",
        "TORCH_HOME",
        "CUDA_PATH",
        "TORCHINDUCTOR_CACHE_DIR",
        "TORCH_HUB_TOKEN",
        "AWS_SECRET_KEY",
        "XLA_API_KEY",
        "OMP_\x1b[2J",
        "OMP_",
    ],
)
def test_what_does_not_is_not(name):
    assert numeric_variables({name: "1"}) == {}


def test_values_are_bounded_and_printable():
    (value,) = numeric_variables({"OMP_PLACES": "\x1b" * 10_000}).values()

    assert value.isprintable()
    assert len(value) == LONGEST_VALUE
    assert len(numeric_variables({f"OMP_{i}": "" for i in range(1_000)})) == MOST_VARIABLES

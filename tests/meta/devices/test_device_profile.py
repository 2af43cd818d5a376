"""Is what a vendor says of a device read strictly, and does it count where it should and nowhere else?"""

import math
from pathlib import Path

import pytest
import torch

from conformance.devices import probe
from conformance.devices import profile as device_profile
from conformance.devices.profile import DeviceProfile, active, factor, load_profile
from conformance.numerics.budget import compute_budgets
from conformance.spec.requirements import load_requirements
from conftest import ROOT

CPU = torch.device("cpu")
EXAMPLE = ROOT / "fixtures" / "example_device_profile.toml"
ENTRY = """
[[expectation]]
requirement = "stacking.order"
torch = ">=2.0"
raises = "RuntimeError"
reason = "made up"
kind = "limitation"
effect = "refused"
match = "made up"
implementation = "torch.func"
"""


def profile(tmp_path: Path, text: str) -> DeviceProfile:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return load_profile(path, load_requirements().keys())


def test_the_example_says_all_that_can_be_said():
    example = load_profile(EXAMPLE, load_requirements().keys())

    assert (example.name, example.device) == ("example_device_profile.toml", "xpu")
    assert set(example.lacking) == {"float64", "complex128"}
    assert example.factors == {"bfloat16": 2.0}
    assert [known.requirement for known in example.expectations] == ["randomness.different"]
    facts = example.facts()
    assert facts["lacking"]["float64"] == "The hardware computes with 32 bits at most."
    assert facts["budget"]["bfloat16"]["factor"] == 2.0
    assert facts["budget"]["bfloat16"]["reason"].startswith("Matrix products accumulate in bfloat16")
    assert facts["expectations"] == 1


def test_all_but_the_device_may_be_left_out(tmp_path):
    empty = profile(tmp_path, "device = 'npu'")

    assert empty == DeviceProfile(name="mine.toml", device="npu", expectations=[])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "device: expected a string that is not empty, got None"),
        ('device = "\\u001b[2J"', "device is '.x1b.2J', which can't be printed"),
        ("device = ' '", "device: expected a string that is not empty, got ' '"),
        ('device = """' + ("x" * 400 + "\\\n") * 3 + '"""', "device is longer than 1000 characters$"),
        ("device = 3", "device: expected a string that is not empty, got 3"),
        ("device = 'npu'\nname = 'x'", "the file: unknown key 'name'"),
        ("device = 'npu'\ndtypes = ['float32']", r"dtypes: expected a table, got \['float32'\]"),
        ("device = 'npu'\n[dtypes]\nreason = 'r'", "dtypes: supported: expected .*, got None"),
        ("device = 'npu'\n[dtypes]\nsupported = []\nreason = 'r'", r"dtypes: supported: expected .*, got \[\]"),
        (
            "device = 'npu'\n[dtypes]\nsupported = ['int9']\nreason = 'r'",
            r"dtypes: supported: expected .*, got \['int9'\]",
        ),
        (
            "device = 'npu'\n[dtypes]\nsupported = [['float32']]\nreason = 'r'",
            r"dtypes: supported: expected .*, got \[\['float32'\]\]",
        ),
        ("device = 'npu'\n[dtypes]\nsupported = ['float32']", "dtypes: reason: expected a string .*, got None"),
        ("device = 'npu'\n[dtypes]\nsupported = ['float32']\nreason = 'r'\nelse = 1", "dtypes: unknown key 'el"),
        ("device = 'npu'\nbudget = 2", "budget: expected a table, got 2"),
        ("device = 'npu'\n[budget]\nfloat32 = 2.0", "budget.float32: expected a table, got 2.0"),
        (
            "device = 'npu'\n[budget.int8]\nfactor = 2\nreason = 'r'",
            r"budget: invalid choice 'int8' \(choose from float64",
        ),
        ("device = 'npu'\n[budget.float32]\nreason = 'r'", "budget.float32: factor: expected .* to 1000, got None"),
        (
            "device = 'npu'\n[budget.float32]\nfactor = 0.5\nreason = 'r'",
            "budget.float32: factor: expected .* to 1000, got 0.5",
        ),
        (
            "device = 'npu'\n[budget.float32]\nfactor = 1001\nreason = 'r'",
            "budget.float32: factor: expected .* to 1000, got 1001",
        ),
        (
            "device = 'npu'\n[budget.float32]\nfactor = nan\nreason = 'r'",
            "budget.float32: factor: expected .* to 1000, got nan",
        ),
        (
            "device = 'npu'\n[budget.float32]\nfactor = true\nreason = 'r'",
            "budget.float32: factor: expected .* to 1000, got True",
        ),
        (
            "device = 'npu'\n[budget.float32]\nfactor = 2\nreason = ''",
            "budget.float32: reason: expected a string .*, got ''",
        ),
        (
            "device = 'npu'\n[budget.float32]\nfactor = 2\nreason = 'r'\nwhy = 1",
            "budget.float32: unknown key 'why'",
        ),
        (f"device = 'npu'\n{ENTRY}also = 'x'\n", "expectation 1: unknown key 'also'"),
        (f"device = 'npu'\n{ENTRY}{ENTRY}", "expectation 2: stands twice"),
        ("device = 'npu'\nexpectation = 1", r"expected \[\[expectation\]\] tables, found 1"),
        ("device =", "Invalid value"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_file(tmp_path, text, message):
    with pytest.raises(ValueError, match=rf"mine\.toml: {message}") as caught:
        profile(tmp_path, text)

    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_one_too(tmp_path):
    with pytest.raises(ValueError, match="No such file"):
        load_profile(tmp_path / "nowhere.toml", [])


NO_DOUBLES = DeviceProfile("a.toml", "cpu", {"float64": "None here."}, {"float32": 3.0}, {"float32": "It is rough."})


def test_a_dtype_that_the_profile_excludes_is_not_tried():
    with active(NO_DOUBLES):
        assert probe.dtype_unavailable_reason(CPU, torch.float64) == "cpu has no torch.float64, says a.toml: None here."
        assert probe.dtype_unavailable_reason(CPU, torch.float32) is None
        # Of another device, such as the one the reference is computed on, it says nothing.
        assert device_profile.dtype_unavailable_reason(torch.device("meta"), torch.float64) is None

    assert probe.dtype_unavailable_reason(CPU, torch.float64) is None


def test_its_factor_widens_the_budget_of_that_dtype_alone():
    def allowed(dtype):
        values = [torch.tensor([1.0, 2.0 + 2**-7], dtype=torch.float64)]
        (budget,) = compute_budgets([each.to(dtype) for each in values], values, dtype)
        return budget.allowed

    plain = {dtype: allowed(dtype) for dtype in (torch.float32, torch.bfloat16)}
    with active(NO_DOUBLES):
        widened = {dtype: allowed(dtype) for dtype in plain}

    assert all(0 < each < math.inf for each in plain.values())
    assert widened == {torch.float32: 3 * plain[torch.float32], torch.bfloat16: plain[torch.bfloat16]}
    assert allowed(torch.float32) == plain[torch.float32]


def test_a_profile_within_another_is_the_one_that_counts():
    with active(NO_DOUBLES):
        with active(None):
            assert factor(torch.float32) == 1.0
        assert factor(torch.float32) == 3.0

    assert factor(torch.float32) == 1.0

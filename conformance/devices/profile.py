"""A device profile: the dtypes, known failures and larger error budgets that a vendor declares before a run.

The file is data from outside: parsed strictly, never evaluated. fixtures/example_device_profile.toml is an example.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conformance.spec.entry_rules import shown
from conformance.spec.expectations import Expectation, file_mistake, parsed, read
from conformance.utils.suggestions import invalid_choice

DTYPES = ("float64", "float32", "bfloat16", "float16", "complex128", "complex64")
LARGEST_FACTOR = 1000.0
MOST_OF_A_TEXT = 1_000


@dataclass(frozen=True)
class DeviceProfile:
    """`device`: the device type. `lacking`: the dtypes that it does not support, with the reason.

    `factors`: by dtype, what the error budget of numerics is multiplied by; at least 1. `reasons`: why, by dtype.
    """

    name: str
    device: str
    lacking: Mapping[str, str] = field(default_factory=dict)
    factors: Mapping[str, float] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    expectations: Sequence[Expectation] = ()

    def facts(self) -> dict[str, Any]:
        """For the result file: what a verdict with this profile does not ask, or asks less strictly."""
        budget = {dtype: {"factor": self.factors[dtype], "reason": self.reasons[dtype]} for dtype in self.factors}
        expected = len(self.expectations)
        return {"name": self.name, "lacking": dict(self.lacking), "budget": budget, "expectations": expected}


def load_profile(path: Path, requirements: Collection[str]) -> DeviceProfile:
    """The profile in the file. Raises ValueError with one line that names the file and the mistake."""
    content = read(path)
    known = parsed(path, content.pop("expectation", []), requirements)
    try:
        device = _text(content, "device")
        lacking = _lacking(content.pop("dtypes", {}))
        budget = _table(content.pop("budget", {}), "budget")
        factors = {dtype: _factor(dtype, _table(entry, f"budget.{dtype}")) for dtype, entry in budget.items()}
        _nothing_else(content, "the file")
    except ValueError as error:
        raise file_mistake(path, str(error)) from error
    return DeviceProfile(
        name=path.name,
        device=device,
        lacking=lacking,
        factors={dtype: factor for dtype, (factor, _) in factors.items()},
        reasons={dtype: reason for dtype, (_, reason) in factors.items()},
        expectations=known,
    )


def _lacking(entry: Any) -> dict[str, str]:
    """The dtypes that are not among the supported ones, with the reason."""
    table = _table(entry, "dtypes")
    if not table:
        return {}
    supported = table.pop("supported", None)
    if not isinstance(supported, list) or not supported or not all(each in DTYPES for each in supported):
        raise ValueError(f"dtypes: supported: expected a list of {', '.join(DTYPES)}, got {shown(supported)}")
    reason = _text(table, "reason", "dtypes: ")
    _nothing_else(table, "dtypes")
    return {dtype: reason for dtype in DTYPES if dtype not in supported}


def _factor(dtype: str, entry: dict[str, Any]) -> tuple[float, str]:
    if dtype not in DTYPES:
        raise ValueError(f"budget: {invalid_choice(dtype, DTYPES)}")
    factor = entry.pop("factor", None)
    # True is a number to Python, and NaN is in no range.
    if type(factor) not in (int, float) or not 1 <= factor <= LARGEST_FACTOR:
        raise ValueError(f"budget.{dtype}: factor: expected a number from 1 to {LARGEST_FACTOR:g}, got {shown(factor)}")
    reason = _text(entry, "reason", f"budget.{dtype}: ")
    _nothing_else(entry, f"budget.{dtype}")
    return float(factor), reason


def _table(entry: Any, name: str) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise ValueError(f"{name}: expected a table, got {shown(entry)}")  # noqa: TRY004 - a mistake in a file
    return dict(entry)


def _text(table: dict[str, Any], key: str, where: str = "") -> str:
    text = table.pop(key, None)
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"{where}{key}: expected a string that is not empty, got {shown(text)}")
    if len(text) > MOST_OF_A_TEXT:
        raise ValueError(f"{where}{key} is longer than {MOST_OF_A_TEXT} characters")
    if not text.isprintable():
        raise ValueError(f"{where}{key} is {shown(text)}, which can't be printed")
    return text


def _nothing_else(table: Mapping[str, Any], name: str) -> None:
    if table:
        raise ValueError(f"{name}: unknown key {shown(min(table))}")


# The profile of the run, if it has one: what is asked in any thread of it.
_active: list[DeviceProfile] = []


@contextmanager
def active(profile: DeviceProfile | None) -> Iterator[None]:
    """For the body, judge by this profile; with None, by none."""
    before = list(_active)
    _active[:] = [profile] if profile else []
    try:
        yield
    finally:
        _active[:] = before


def dtype_unavailable_reason(device: Any, dtype: Any) -> str | None:
    """Return the profile's reason why the device does not support this dtype, or None if it gives none."""
    for profile in _active:
        reason = profile.lacking.get(str(dtype).removeprefix("torch."))
        if reason and profile.device == device.type:
            return f"{device} has no {dtype}, says {profile.name}: {reason}"
    return None


def factor(dtype: Any) -> float:
    """Return the factor on the error budget of this dtype."""
    return next((profile.factors.get(str(dtype).removeprefix("torch."), 1.0) for profile in _active), 1.0)

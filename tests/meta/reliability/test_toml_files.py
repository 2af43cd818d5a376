"""Is a damaged or forged file of known failures, or a device profile, refused in one line or matched safely?"""

import math

import pytest
from mutations import assert_printable, blocks, damage, mutate, try_block

from conformance.devices.profile import load_profile
from conformance.spec.expectations import load_expectations

ENTRY = {
    "requirement": "forward.a",
    "torch": ">=2.0,<2.6",
    "raises": "RuntimeError",
    "reason": "known",
    "kind": "bug",
    "effect": "wrong",
    "match": "differs",
    "reproducer": "a_b-c.d",
    "implementation": "torch.func, compiled*",
    "test": "test_a[*float32]",
    "device": "!cpu",
    "upstream": "https://x.y",
}
EXPECTATIONS = {"expectation": [ENTRY, ENTRY | {"raises": "AssertionError", "device": "cuda"}]}
PROFILE = {
    "device": "npu",
    "dtypes": {"supported": ["float32", "bfloat16"], "reason": "The hardware has no more."},
    "budget": {"bfloat16": {"factor": 2.5, "reason": "It rounds more."}},
    "expectation": [ENTRY],
}


def as_toml(value, rng):
    """The value as inline TOML; what TOML does not have, such as null, becomes bytes that it refuses."""
    match value:
        case dict():
            return "{" + ", ".join(f"{quoted(key)} = {as_toml(each, rng)}" for key, each in value.items()) + "}"
        case list():
            return "[" + ",".join(f"\n{as_toml(each, rng)}" for each in value) + "\n]"
        case str():
            return quoted(value) if rng.random() < 0.9 else f'"{value}"'
        case bool():
            return str(value).lower()
        case float() if not math.isfinite(value):
            return str(value)
        case _:
            return repr(value)


def quoted(text):
    """A string of TOML: on several lines if it is long."""
    parts = [text[i : i + 40] for i in range(0, len(text), 40)]
    escaped = ["".join(char if char.isalnum() else f"\\U{ord(char):08X}" for char in part) for part in parts]
    return '"' + escaped[0] + '"' if len(parts) == 1 else '"""' + "\\\n".join(escaped) + '"""' if parts else '""'


def written(content, rng):
    """A file with a line, or a table with lines, for each key."""
    lines = []
    for key, value in content.items():
        if key == "expectation" and isinstance(value, list) and all(isinstance(each, dict) for each in value):
            for each in value:
                lines += ["[[expectation]]", *(f"{quoted(name)} = {as_toml(it, rng)}" for name, it in each.items())]
        else:
            lines.insert(0, f"{quoted(key)} = {as_toml(value, rng)}")
    data = "\n".join(lines).encode("utf-8", "surrogatepass")
    return damage(data, rng) if rng.random() < 0.25 else data


def match(known):
    """Ask an entry all that a run asks it."""
    known.covers_environment(torch="2.5.1+cu124", device="npu", implementation="compiled_inductor")
    known.covers_test("forward.a", "test_a[torch.func-float32]")
    assert issubclass(known.error, Exception)
    assert_printable(f"{known.summary}\n{known.match}\n{known.test}".split("\n"))


@pytest.mark.parametrize("seed", blocks(8))
def test_mutated_known_failures_are_refused_in_a_line_or_matched(seed, tmp_path, record_property):
    path = tmp_path / "mutated.toml"

    def attempt(rng):
        path.write_bytes(written(mutate(EXPECTATIONS, rng), rng))
        for known in load_expectations(path, {"forward.a"}):
            match(known)

    try_block("mutated files of known failures", seed, attempt, record_property)


@pytest.mark.parametrize("seed", blocks(7))
def test_a_mutated_device_profile_is_refused_in_a_line_or_read(seed, tmp_path, record_property):
    path = tmp_path / "mutated.toml"

    def attempt(rng):
        path.write_bytes(written(mutate(PROFILE, rng), rng))
        profile = load_profile(path, {"forward.a"})
        assert_printable([profile.device, *profile.lacking.values(), *profile.reasons.values()])
        assert all(1 <= factor <= 1000 for factor in profile.factors.values())
        for known in profile.expectations:
            match(known)

    try_block("mutated device profiles", seed, attempt, record_property)

"""The environment and options of the results, side by side."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from conformance.report.reader import Result
from conformance.spec.identity import suite_text

MINUTE = 60


def run_facts(results: Sequence[Result]) -> list[tuple[str, Sequence[str]]]:
    """Return a row for each fact: its name, and its value in each result. Facts without any value are left out."""
    said = [dict(_result_facts(result)) for result in results]
    return [(name, row) for name in said[0] if any(row := [each[name] for each in said])]


def _result_facts(result: Result) -> Iterator[tuple[str, str]]:
    where, asked = result.content["environment"], result.content["options"]
    yield "file", result.name
    yield "torch", where["torch"]
    yield "commit of torch", (where.get("torch_git") or "")[:12]
    yield "CUDA or ROCm", where.get("cuda") or where.get("hip") or ""
    yield "device", where["device"]
    yield "accelerators", _count_names(where.get("accelerators", []))
    yield "instruction set", where["cpu_capability"]
    yield "threads", str(where["threads"])
    yield "Python", where["python"]
    yield "platform", where["platform"]
    yield "packages", ", ".join(_package_versions(where["packages"]))
    yield "profile", asked["profile"]
    yield "device profile", _device_profile_name(asked)
    yield "levels", ", ".join(asked.get("levels", []))
    yield "only", ", ".join(asked["requirements"])
    yield "seed", str(asked["seed"])
    yield "injected fault", asked["fault"] or ""
    yield "suite", suite_text(result.content["suite"]) if "suite" in result.content else ""
    yield "known failures", result.content.get("suite", {}).get("expectations", "")[:12]
    yield "variables", ", ".join(f"{name}={value}" for name, value in where.get("variables", {}).items())
    yield "duration", format_duration(result.content["duration"])


def _count_names(names: Sequence[str]) -> str:
    return ", ".join(f"{n} x {name}" if n > 1 else name for name, n in Counter(names).items())


def _package_versions(versions: Mapping[str, str | None]) -> Iterator[str]:
    yield from (f"{name} {version}" for name, version in versions.items() if version and name != "torch")


def _device_profile_name(asked: Mapping[str, Any]) -> str:
    return str((asked.get("device_profile") or {}).get("name", ""))


def format_duration(seconds: float) -> str:
    """Return a duration for display."""
    if seconds >= MINUTE:
        return f"{int(seconds // MINUTE)} min {int(seconds % MINUTE)} s"
    return f"{seconds:.3g} s"

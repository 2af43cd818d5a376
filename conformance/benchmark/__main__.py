"""``python -m conformance.benchmark``: measure the speed table and write it as JSON."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

DEFAULT_LIMIT = 300.0
DESCRIPTION = "Measure the speed table and write it as JSON. Progress goes to standard error."
EPILOG = "exit codes: 0 the table was written; 2 a usage error; 8 the device does not work"
TUNABLES = "GLIBC_TUNABLES"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write the table; return the exit code: 0, or 8 if the device does not work."""
    options = _parse_options(arguments)
    from conformance.benchmark import roofline
    from conformance.benchmark.grid import SIZES
    from conformance.benchmark.measure import measure_rows
    from conformance.devices import probe
    from conformance.devices.environment import environment_facts
    from conformance.utils.exit_codes import ExitCode

    try:
        device = probe.resolve_device(options.device)
    except (probe.UnknownDeviceError, probe.UnusableDeviceError) as error:
        sys.stderr.write(f"environment can't answer: {error}\n")
        return ExitCode.CANNOT_ANSWER
    machine = roofline.measure_floor(device)
    table = list(measure_rows(SIZES, device, machine, options.limit, _print_progress))
    facts = {**environment_facts(device), "glibc_tunables": os.environ.get(TUNABLES, "")}
    content = {"environment": facts, "limit": options.limit, "floor": vars(machine)}
    options.result.write_text(benchmark_document(content, table), encoding="utf-8")
    return 0


def benchmark_document(content: dict[str, Any], table: Sequence[dict[str, Any]]) -> str:
    """Return JSON with one line for each cell, so that two files can be compared line by line."""
    head = json.dumps(content, indent=1).removesuffix("\n}")
    return f'{head},\n "rows": [\n' + ",\n".join(f"  {json.dumps(row)}" for row in table) + "\n ]\n}\n"


def _parse_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m conformance.benchmark", description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("--device", default="cpu", help="any device of torch (default cpu)")
    parser.add_argument("--result", type=Path, required=True, help="the file to write")
    help_of_limit = f"seconds of timing (default {DEFAULT_LIMIT:.0f}); checks take about as long, compilation longer"
    parser.add_argument("--limit", type=float, default=DEFAULT_LIMIT, help=help_of_limit)
    return parser.parse_args(arguments)


def _print_progress(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())

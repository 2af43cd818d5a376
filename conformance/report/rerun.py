"""The command that runs one case again, with everything that its result depends on."""

import re
import shlex
from collections.abc import Mapping
from typing import Any

from conformance.report.results import CaseResult

# Characters that mean nothing special within double quotes, which the shells of all systems know.
PLAIN = re.compile(r"[^\"$`\\!%\x00-\x1f]*")


def rerun_command(case: CaseResult, options: Mapping[str, Any]) -> str:
    """Return the command for a shell. `options`: those of the run, as in the result file."""
    variables = [f"{name}={shlex.quote(value)}" for name, value in options.get("variables", {}).items()]
    parts = [*["env"] * bool(variables), *variables, "python -m conformance run", _quote(case.test)]
    parts += [f"--implementation {shlex.quote(case.implementation)}", f"--seed {options['seed']}"]
    parts += [f"--device {shlex.quote(options['device'])}"] * (options["device"] != "cpu")
    parts += [f"--device-module {shlex.quote(options['device_module'] or '')}"] * bool(options["device_module"])
    parts += [f"--fault {shlex.quote(options['fault'] or '')}"] * bool(options["fault"])
    parts += map(shlex.quote, options.get("arguments", []))
    return " ".join(parts)


def _quote(test: str) -> str:
    return f'"{test}"' if PLAIN.fullmatch(test) else shlex.quote(test)

"""Does the reproducer of each known bug show it on this torch, if the bug is recorded for this torch?"""

import ast
import json
import os
import subprocess
import sys

import pytest
import torch

from conformance.diagnosis.known_reproducers import CANNOT_TELL, NOT_SHOWN, SHOWN, read_reproducer, reproducer_paths
from conformance.implementations.registry import BUILT_IN
from conformance.spec.expectations import DEFAULT, load_expectations
from conformance.spec.requirements import load_requirements
from conftest import ROOT

PATHS = reproducer_paths()
ENTRIES = [each for each in load_expectations(DEFAULT, load_requirements().keys()) if each.reproducer]
MAX_LINES = 25  # of code, without the docstring and empty lines
each_script = pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)


def covers(entry):
    """Return whether an entry records the failure for this torch on the CPU, of any implementation."""
    return any(
        entry.covers_environment(torch=torch.__version__, device="cpu", implementation=name) for name in BUILT_IN
    )


# One process for all of them: each alone would take seconds to import torch.
def test_a_script_shows_its_bug_where_an_entry_records_it():
    recorded = {entry.reproducer for entry in ENTRIES if covers(entry)}

    command = [sys.executable, str(ROOT / "tests" / "meta" / "forked_scripts.py"), *map(str, PATHS.values())]
    done = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True, capture_output=True, text=True
    )

    runs = {run.pop("name"): run for run in map(json.loads, done.stdout.splitlines())}
    allowed = {name: {SHOWN} if name in recorded else {NOT_SHOWN, CANNOT_TELL} for name in PATHS}
    assert runs.keys() == allowed.keys()
    assert {name: run for name, run in runs.items() if run["code"] not in allowed[name]} == {}


def test_each_script_has_an_entry_and_each_entry_that_names_one_has_it():
    assert {entry.reproducer for entry in ENTRIES} == PATHS.keys()


@each_script
def test_a_script_says_what_the_issue_is(path):
    reproducer = read_reproducer(path)

    assert not reproducer.title.endswith(".")
    assert reproducer.expected.endswith(".")
    assert reproducer.observed.endswith(".")


@each_script
def test_a_script_is_short_and_needs_torch_alone(path):
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    code = [line for line in source.splitlines()[tree.body[0].end_lineno :] if line]

    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names])
    }
    assert len(code) <= MAX_LINES
    # functorch is a part of torch's own package.
    assert imported <= {*sys.stdlib_module_names, "torch", "functorch"}
    assert ast.unparse(tree.body[-1]).startswith("sys.exit(")

"""Is a damaged or forged journal refused in one line, or told without its foreign lines?"""

import json
from dataclasses import asdict

import pytest
from mutations import assert_printable, blocks, damage, mutate, try_block

from conformance.report.recover import read_journal, summary_lines
from conformance.report.results import Finding, Status

EVENTS = [
    {"options": {"seed": 0, "implementations": ["torch.func"]}},
    {"began": "tests/test_forward.py::test_a[x]"},
    {"test": "tests/test_forward.py::test_a[x]", **asdict(Finding(Status.CONFORMS, budget_share=0.5))},
    {"began": "tests/test_forward.py::test_b"},
    {"test": "tests/test_forward.py::test_b", **asdict(Finding(Status.FAILS, "off by one", script="import torch"))},
    {"began": "tests/test_forward.py::test_c"},
]


def written(events):
    return "".join(f"{json.dumps(each)}\n" for each in events).encode()


@pytest.mark.parametrize("seed", blocks(10))
def test_a_mutated_journal_is_refused_in_a_line_or_told(seed, tmp_path, record_property):
    path = tmp_path / "result.json.partial"

    def attempt(rng):
        data = written(mutate(EVENTS, rng))
        path.write_bytes(damage(data, rng) if rng.random() < 0.5 else data)
        lines = list(summary_lines(read_journal(path)))
        assert_printable(lines)
        assert lines[-1].startswith("INCOMPLETE: ")

    try_block("mutated journals", seed, attempt, record_property)


def test_what_is_mutated_is_told_as_it_is(tmp_path):
    path = tmp_path / "result.json.partial"
    path.write_bytes(written(EVENTS))

    assert list(summary_lines(read_journal(path))) == [
        "FAILS tests/test_forward.py::test_b: off by one",
        "DIED in tests/test_forward.py::test_c",
        "INCOMPLETE: the run did not end; 1 conforms, 0 known failure, 0 not applicable, 0 not run, 1 fails",
    ]

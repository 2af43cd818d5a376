"""Does the picture of the speed table show what was recorded?"""

import json
import re
import xml.etree.ElementTree as ET

import pytest

from conformance.benchmark import heatmap, render, results
from conformance.benchmark.grid import MEMBERS, SAMPLES, TASKS
from conformance.benchmark.results import BenchmarkResult
from conformance.benchmark.variants import VARIANTS
from conftest import ROOT

BENCH = sorted((ROOT / "fixtures" / "benchmark").glob("*.json"))
FACTS = {
    "torch": "2.13.0+<&>",
    "device": "cpu",
    "accelerators": [],
    "cpu_capability": "AVX512",
    "threads": 1,
    "glibc_tunables": "",
}


def row(what, members, ratios, seconds=2.0):
    timed = {form: {"seconds": seconds, "low": 1, "high": 3, "ratio": ratio} for form, ratio in ratios.items()}
    cells = {form: timed.get(form, {"reason": f"no {form} <here>"}) for form in VARIANTS}
    return {"network": "CNN", "members": members, "samples": 1, "what": what, "least": 0.5, "forms": cells}


TABLE = BenchmarkResult(
    FACTS,
    {"flops": 1e9, "bytes": 1e9},
    [
        row("forward", 1, {"loop": 1, "vmap": 0.2, "by hand": 1.0}),
        row("forward", 5, {"loop": 1, "vmap": 12.5, "by hand": 1.06}, seconds=1.0),
        row("step", 1, {}),
    ],
)


def test_each_ratio_and_each_reason_is_in_the_picture():
    picture = ET.fromstring(heatmap.draw_heatmap(TABLE))  # noqa: S314 - our own

    said = ["".join(each.itertext()) for each in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert {"0.20", "1.00", "12.5", "1.06"} <= set(said)
    assert sum(each in tuple(TABLE.notes.values()) for each in said) == 2 * 2 + 4
    assert {f"{letter}: {reason}" for reason, letter in TABLE.notes.items()} <= set(said)
    assert "cpu, AVX512, 1 thread, torch 2.13.0+<&>, malloc as it is" in said


def test_it_can_be_read_aloud():
    picture = ET.fromstring(heatmap.draw_heatmap(TABLE))  # noqa: S314 - our own

    assert picture.get("role") == "img"
    title, desc = (picture.findtext(f"{{http://www.w3.org/2000/svg}}{each}") for each in ("title", "desc"))
    assert "How many times faster" in title
    assert "vmap: faster in 1 of 2 cells." in desc
    assert "chunks: faster in 0 of 0 cells." in desc


def test_a_device_is_named_and_so_is_what_malloc_was_told():
    facts = {**FACTS, "device": "cuda", "accelerators": ["H100", "H100"], "threads": 2, "glibc_tunables": "some"}

    said = BenchmarkResult(facts, {}, []).machine

    assert said == "cuda, H100, 2 threads, torch 2.13.0+<&>, malloc keeps its memory (GLIBC_TUNABLES)"


def test_the_table_says_from_where_to_where():
    assert list(results.summary_as_markdown(TABLE))[2:] == [
        "| CNN, forward | 25% to 50% | 0.20 to 12.5, 1 of 2 faster | - | - | 1.00 to 1.06, 1 of 2 faster |",
        "| CNN, step | - | - | - | - | - |",
    ]
    assert results.format_ratio(123.4) == "123"


def test_the_command_draws_beside_what_it_is_given(tmp_path, capsys):
    given = tmp_path / "some.json"
    given.write_text(json.dumps({"environment": FACTS, "floor": TABLE.floor, "rows": TABLE.rows}), encoding="utf-8")

    assert render.main([str(given)]) == 0

    assert (tmp_path / "some.svg").read_text(encoding="utf-8") == heatmap.draw_heatmap(TABLE)
    assert capsys.readouterr().out == "\n".join(results.summary_as_markdown(TABLE)) + "\n\n"


@pytest.mark.parametrize("path", BENCH, ids=lambda path: path.stem)
def test_what_is_recorded_is_whole_and_right(path):
    table = BenchmarkResult.load(path)

    assert len(table.rows) == 2 * len(MEMBERS) * len(SAMPLES) * len(TASKS)
    assert all(list(row["forms"]) == list(VARIANTS) for row in table.rows)
    assert not [reason for reason in table.notes if re.match("wrong|fails", reason)]


@pytest.mark.parametrize("path", BENCH, ids=lambda path: path.stem)
def test_the_picture_is_what_the_command_makes_of_the_record(path):
    assert path.with_suffix(".svg").read_text(encoding="utf-8") == heatmap.draw_heatmap(BenchmarkResult.load(path))

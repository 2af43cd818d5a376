"""Does the page of a check say what the screen says, safely, and in one file?"""

import re

import pytest
from check_questions import MODEL, ask

from conformance.model_check.page import render_page
from conformance.model_check.result import CheckReport
from conformance.model_check.speed_plot import draw_speed

TIMING = {"median": 1e-3, "low": 1e-3, "high": 1e-3}
PADDED = "vmap_embedding_padding_idx_gets_gradient"
EVIL = "<script>alert(1)</script>\x1b[31m"


def row(members, speed, low, high):
    return {"members": members, "speed": speed, "ratio": (low * high) ** 0.5, "low": low, "high": high, "rounds": 9}


def report(**answers):
    """A report in which the checks ended like this."""
    made = CheckReport(ask("my:<b>net", ("3",)))
    made.environment = {"torch": "2", "device": "cpu", "threads": 2}
    made.describe(MODEL)
    for name, answer in {"own_minibatch": {"status": "right", "message": ""}, **answers}.items():
        made.add(name, {"slow": []} | answer)
    return made


@pytest.fixture
def whole():
    """A report with something in each section."""
    refused = {"status": "refused", "message": EVIL, "operation": "aten::x", "source": "a.py:1: b", "slow": ["aten::y"]}
    rows = [row(1, "slower", 0.4, 0.6) | {"vmap": TIMING, "loop": TIMING}]
    timed = {"status": "slower", "message": "", "asked": rows[0], "rows": rows, "crossing": None}
    made = report(
        backward=refused,
        grad=refused,
        out_of_range={"status": "wrong", "message": "a neighbour's row"},
        speed_forward=timed,
        speed_backward={"status": "not measured", "message": "no derivative"},
    )
    made.add("order", {"status": "wrong", "message": "a padding row", "known": PADDED, "slow": []})
    return made


def test_the_page_says_what_was_found(whole):
    page = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", render_page(whole).partition("<body>")[2]))

    for said in (
        "✗ WRONG: out_of_range",
        "Net, 1,234 parameters, train mode",
        "predict ✓ yes",
        "train by backward ✗ no refused",
        "As backward.",
        "operation: aten::x",
        f"{PADDED}: backward gives the row of padding_idx a gradient",
        "These operations run one member at a time: aten::y.",
        "For out_of_range.",
        "vmap is 2 times as slow as the loop with 1 member",
        "not measured: no derivative",
        "An index that a module refuses is refused by the ensemble",
    ):
        assert said in page


def test_nothing_in_a_page_is_run_or_fetched(whole):
    page = render_page(whole)

    assert "<script" not in page
    assert "\x1b" not in page
    assert "my:&lt;b&gt;net" in page
    assert "default-src 'none'" in page
    assert not re.search(r"(src|href)=\"(?!data:)", page)
    assert " style=" not in page


def test_a_page_without_fixes_and_speed_has_no_section_for_them():
    page = render_page(report())

    assert re.findall(r"<h2[^>]*>(.*?)</h2>", page) == ["What it can be used for", "Checks"]
    assert "s-conforms" in page


def test_a_picture_has_each_interval_and_no_numbers_on_top_of_each_other():
    drawn = draw_speed([row(1, "slower", 0.4, 0.6), row(49, "too noisy", 0.9, 1.3), row(50, "faster", 2, 3)], "some")

    assert drawn.count("<circle") == drawn.count('<path class="bar') == 3
    assert 'class="dot too-noisy"' in drawn
    assert ">49<" in drawn
    assert ">50<" not in drawn
    assert "50 members: 2.45, from 2 to 3" in drawn

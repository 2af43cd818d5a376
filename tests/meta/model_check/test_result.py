"""Is the verdict what the checks come to, and is it shown on one screen?"""

import json

import pytest
from check_questions import MODEL, ask

from conformance.model_check import terminal
from conformance.model_check.result import CheckReport

STRICT_BUT = {"strict": True}
ACCEPTED = "RIGHT, WITH CAVEATS: per_sample"
CAVEAT = "RIGHT, WITH CAVEATS: vmap_embedding_padding_idx_gets_gradient"
LEARNS = "NOT FOR predict (refused); right for train by torch.func.grad"
CUT_SHORT = "CRASHES: speed_forward; NOT ASKED: speed_backward"


PADDED = "vmap_embedding_padding_idx_gets_gradient"


def document(problem=None, known=None, options=None, equal="", **statuses):
    """A document in which the checks ended like this; what is wrong is the known failure if there is one."""
    made = CheckReport(ask("my:net", ("3",), **(options or {})))
    made.describe(MODEL | {"problem": problem, "equal_members": equal})
    for name, status in {"own_minibatch": "right", **statuses}.items():
        extra = {"known": known} if known and status == "wrong" else {}
        made.add(name, {"status": status, "message": f"{name} said so", "slow": ["aten::one"]} | extra)
    return made


@pytest.mark.parametrize(
    ("made", "code", "verdict"),
    [
        (document(), 0, "RIGHT"),
        (document(buffers="not applicable"), 0, "RIGHT"),
        (document(per_sample="refused"), 0, "RIGHT; refused: per_sample"),
        (document(per_sample="refused unclearly"), 0, "RIGHT; refused: per_sample"),
        (document(per_sample="refused", options={"strict": True}), 1, "RIGHT; refused: per_sample"),
        (document(per_sample="refused", options=STRICT_BUT | {"accept": ("per_sample",)}), 0, ACCEPTED),
        (document(backward="wrong", grad="right", known=PADDED), 0, f"RIGHT, WITH CAVEATS: {PADDED}"),
        (
            document(backward="wrong", grad="right", known=PADDED, options=STRICT_BUT),
            1,
            f"RIGHT, WITH CAVEATS: {PADDED}",
        ),
        (document(order="wrong", options={"accept": ("order",)}), 0, "RIGHT, WITH CAVEATS: order"),
        (document(order="wrong", known=PADDED, options=STRICT_BUT | {"accept": (PADDED,)}), 0, CAVEAT),
        (document(backward="wrong", known=PADDED), 1, f"NOT FOR train (wrong: {PADDED}); right for predict"),
        (document(backward="wrong", known=PADDED, options={"accept": (PADDED,)}), 0, CAVEAT),
        (document(backward="refused", options={"uses": ("predict",)}), 0, "RIGHT; refused: backward"),
        (document(own_minibatch="refused", grad="right"), 1, LEARNS),
        (document(own_minibatch="not applicable", shared_minibatch="right"), 0, "RIGHT"),
        (document(equal="members 0 and 3 are equal"), 0, "RIGHT, WITH CAVEATS: members"),
        (document(problem="the same numbers", options={"accept": ("members",)}), 0, "RIGHT, WITH CAVEATS: members"),
        (document(own_minibatch="refused"), 1, "CAN'T BE ENSEMBLED: torch.func refuses"),
        (document(own_minibatch="refused unclearly"), 1, "CAN'T BE ENSEMBLED: torch.func refuses"),
        (document(grad="wrong", order="crash"), 1, "WRONG: grad; CRASHES: order"),
        (document(grad="refused", order="crash"), 1, "CRASHES: order"),
        (document(problem="the same numbers"), 1, "WRONG: members"),
        (document(grad="wrong", order="not asked"), 1, "WRONG: grad; NOT ASKED: order"),
        (document(speed_forward="crash", speed_backward="not asked"), 1, CUT_SHORT),
        (document(speed_forward="not measured"), 0, "RIGHT"),
        (document(own_minibatch="not applicable"), 4, "NO ANSWER: own_minibatch said so"),
    ],
)
def test_the_verdict_is_what_the_checks_come_to(made, code, verdict):
    data = json.loads(json.dumps(made.data()))

    assert made.verdict == (code, verdict)
    assert (data["exit_code"], data["verdict"]) == (code, verdict)
    assert data["slow"] == ["aten::one"]


def test_remedies_name_the_checks_that_they_are_for():
    made = document(out_of_range="wrong", randomness="right")

    assert [(row["name"], row["checks"]) for row in made.data()["remedies"]] == [
        ("dropout", ["randomness"]),
        ("index-out-of-range", ["out_of_range"]),
    ]


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({}, "differ in every tensor"),
        ({"tensors": 0}, "no parameters"),
        ({"equal": list("abcdef")}, "differ, except in a, b, c, d and 2 more"),
        ({"equal": ["a"], "equal_members": "members 0 and 3 are equal"}, "members 0 and 3 are equal (varied"),
        ({"problem": "they are one"}, "WRONG: they are one"),
        ({"training": False}, "eval mode"),
        ({"origin": "copies of one module"}, "differ in every tensor; copies of one module"),
        ({"draws": ["Python's random", "NumPy"]}, "from Python's random and NumPy: vmap draws once for all members"),
        ({"members": 4}, "4 members"),
    ],
)
def test_members_are_shown(facts, said):
    made = CheckReport(ask("my:net", ("3",)))
    made.describe(MODEL | facts)

    assert said in terminal.member_lines(made)


def test_an_answer_is_one_line_and_where_it_stops():
    refused = {
        "status": "refused",
        "message": "no\nmore",
        "operation": "aten::x",
        "module": None,
        "source": "a.py:1: b",
    }

    assert terminal.answer_text({"status": "right", "message": ""}, {}) == "right"
    assert terminal.answer_text({"status": "wrong", "message": "by 3"}, {}) == "WRONG: by 3"
    assert terminal.answer_text(refused, {}).splitlines() == [
        "refused: no",
        " " * 20 + "operation: aten::x",
        " " * 20 + "line:      a.py:1: b",
    ]
    assert terminal.answer_text(refused, {"grad": refused}) == "refused as grad"


def test_an_answer_says_how_it_was_asked_and_what_is_known():
    right = {"status": "right", "message": "", "form": "with dropout 0"}
    drawn = {"status": "right", "message": "", "same": "is refused: no"}
    wrong = {"status": "wrong", "message": "by 3", "known": PADDED}

    assert terminal.answer_text(right, {}) == "right (with dropout 0)"
    assert terminal.answer_text(drawn, {}) == 'right: mode "same" is refused: no'
    assert terminal.answer_text(wrong, {}) == f"WRONG, known failure {PADDED}: by 3"


def test_a_caveat_is_shown_with_what_to_do():
    shown = " ".join(" ".join(terminal.ending_lines(document(order="wrong", known=PADDED))).split())

    assert f"caveat {PADDED}: backward gives the row of padding_idx a gradient" in shown
    assert "use predict: slow: one member at a time in aten::one" in shown


def test_what_a_model_says_is_shown_without_its_control_characters():
    loud = {"status": "crash", "message": "\x1b[31m\u202e red", "module": "a\n\x9b", "source": "\udcff.py:1: b"}

    shown = [terminal.answer_text(loud, {}), *terminal.ending_lines(document(own_minibatch="not applicable"))]

    assert all(line.isprintable() for text in shown for line in text.split("\n"))
    assert shown[0].splitlines()[0] == "CRASH: \\x1b[31m\\u202e red"


def speed(*rows, crossing=None):
    """The result of a measurement of these numbers of members: each as (members, speed, low, high)."""
    timing = {"median": 1e-3, "low": 0.95e-3, "high": 1.05e-3}
    made = [
        {"members": n, "speed": kind, "ratio": (low * high) ** 0.5, "low": low, "high": high, "rounds": 9}
        | {"vmap": timing, "loop": timing | {"median": 2e-3}}
        for n, kind, low, high in rows
    ]
    peak = {"loop": 999_000, "vmap": 2 * 10**6}
    return {"status": "x", "asked": made[0], "rows": made, "crossing": crossing, "peak": peak}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ((3, "faster", 1.6, 2.5), "vmap is 2 times as fast as the loop with 3 members, 1.6 to 2.5 (1 ms against 2 ms)"),
        ((3, "slower", 0.4, 0.625), "vmap is 2 times as slow as the loop with 3 members, 1.6 to 2.5"),
        ((1, "as fast", 0.97, 1.02), "vmap is as fast as the loop with 1 member, 0.97 to 1.02 times"),
        ((3, "too noisy", 0.8, 1.6), "too noisy to tell: vmap is between 0.8 and 1.6 times as fast as the loop with 3"),
    ],
    ids=lambda value: value[1] if isinstance(value, tuple) else "",
)
def test_the_speed_is_shown_as_surely_as_it_is_known(row, said):
    shown = " ".join(terminal.answer_text(speed(row), {}).split())

    assert said in shown
    assert shown.endswith("peak memory 2 MB against 999 kB")


def test_the_speed_is_shown_for_each_number_of_members():
    told = speed(
        (2, "too noisy", 0.8, 1.3), (1, "slower", 0.4, 0.6), (5, "faster", 2, 3), (9, "faster", 3, 4), crossing=5
    )

    assert (
        terminal.speed_by_members(told)
        == "slower with 1; not certain with 2; faster with 5, 9; faster from 5 members on"
    )
    assert terminal.speed_by_members(speed((1, "slower", 0.4, 0.6))) == "slower with 1"


@pytest.mark.parametrize(
    ("changes", "alike"),
    [
        ({}, True),
        ({"message": "torch says it in another way"}, True),
        ({"message": "another", "source": "b.py:2: y"}, False),
        ({"message": "another", "status": "wrong"}, False),
        ({"message": ""}, False),
    ],
)
def test_failures_with_one_cause_are_shown_once(changes, alike):
    refused = {"status": "refused", "message": "no", "operation": "aten::x", "source": "a.py:1: b"}

    shown = terminal.answer_text(refused | changes, {"grad": refused})

    assert (shown == "refused as grad") is alike


def test_the_end_of_the_screen_goes_from_the_uses_to_the_verdict():
    made = document(out_of_range="wrong", per_sample="refused", known="vmap_embedding_reads_neighbours")
    made.checks["out_of_range"]["operation"] = "torch.nn.functional.embedding"

    lines = list(terminal.ending_lines(made))

    assert [" ".join(line.split()[:4]) for line in lines] == [
        "use predict: slow: one",
        "use per-sample gradients: no:",
        "slow fallback one member",
        "caveat vmap_embedding_reads_neighbours: an index",
        "suggested fix (out_of_range) vmap",
        "VERDICT: RIGHT, WITH CAVEATS:",
    ]


def test_what_members_share_is_said_beside_them():
    made = document()
    made.describe(MODEL | {"shared": ["table", "mask"], "origin": "copies of one module"})

    assert "differ in every tensor; they share table, mask; copies of one module" in terminal.member_lines(made)


def test_lines_are_as_wide_as_the_terminal():
    text = terminal.answer_text({"status": "wrong", "message": "a word " * 30}, {}, width=60)

    lines = text.split("\n")
    assert len(lines) > 2
    assert len(lines[0]) <= 60 - terminal.NAME
    assert all(len(line) <= 60 and line.startswith(" " * (terminal.NAME + 2)) for line in lines[1:])

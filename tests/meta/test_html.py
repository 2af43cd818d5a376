"""Does the page say what the result files say, and nothing that whoever wrote them could smuggle in?"""

import re
from copy import deepcopy
from html import unescape
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from results import CELL, MUST, SHOULD, SPEC, case, document, result

from conformance.report import reader
from conformance.report.html import page as html_page
from conformance.report.html.budget import budget_uses, draw_budget
from conformance.report.html.columns import ALL_COLUMNS, MAX_NAME, column_names, make_columns, result_labels
from conformance.report.html.diff import make_diff_step
from conformance.report.html.dtypes import count_dtypes
from conformance.report.html.matrix import ABSENT, make_chapters, split_link
from conformance.report.html.requirement import MAX_FAILURES, MAX_TESTS, requirement_details
from conformance.report.html.run_info import format_duration, run_facts
from conformance.report.html.tables import result_tables
from conformance.spec.requirements import Requirement

ATTACK = "\"'></script><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7 * 7 }}\x1b[31m\u202e"
BOTH = ("torch.func", "functorch")


def shown(*results):
    return html_page.render_page(results, [make_diff_step(old, new) for old, new in pairwise(results)])


def words(page):
    """What a reader sees of a page, in one line."""
    body = re.sub(r"<(script|style)>.*?</\1>", "", page.partition("<body>")[2], flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def hostile(value):
    """Every string that the schema leaves to whoever writes a file is an attack."""
    kept = {"level", "status", "implementation", "torch", "id"}
    if isinstance(value, dict):
        return {key: each if key in kept else hostile(each) for key, each in value.items()}
    if isinstance(value, list):
        return [hostile(each) for each in value]
    return ATTACK if isinstance(value, str) else value


def everything(**facts):
    """A result that has something in every place of the page."""
    return document(
        case("fails", "test_a[1]", message="off by 3", layer="vmap", script="print(1)", budget_share=7.0),
        case("known failure", "test_a[2]", message="a reason", dtype="float32", budget_share=0.5),
        case("not run", "test_a[3]", message="never reported", lost=True),
        case("conforms", "test_b", requirement=SHOULD, dtype="float64", budget_share=0.25),
        **facts,
    )


def test_the_verdict_is_the_first_thing_said():
    page = shown(result(case("conforms"), case("conforms", requirement=SHOULD)))

    first = (
        "Skip to the requirements Ensemble conformance ✓ CONFORMS: 2 requirements; 0 known failures; everything was run"
    )
    assert words(page).startswith(f"{first} torch 2.13.0 cpu, profile full, in 1.5 s")


def test_several_results_have_a_verdict_each_and_what_changed_between_them():
    old = result(case("conforms"), name="old.json", torch="2.12.1")
    new = result(case("fails", message="off by 3"), name="new.json")

    said = words(shown(old, new))

    assert "2 results: 1 conform" in said
    assert "2.12.1 cpu ✓ CONFORMS AS FAR AS RUN: 1 not run" in said
    assert "2.13.0 cpu ✗ DOES NOT CONFORM: 1 of 2" in said
    assert "From torch 2.12.1 to 2.13.0 CHANGED: 1 regressed" in said
    assert "regressed ✗ not a known failure forward.a" in said


def test_a_failure_says_what_where_and_how_to_see_it_again():
    said = words(shown(reader.parse_result("result.json", everything())))

    assert (
        "✗ fails : test_a[1] off by 3 First layer that differs: vmap "
        'Run it again: python -m conformance run "test_a[1]" --implementation torch.func --seed 0 '
        "Reproducer that needs torch alone print(1)"
    ) in said
    assert "◐ known failure : 1 case a reason test_a[2]" in said
    assert "○ not run : 1 case, ended without an answer never reported" in said
    assert "Run all of its tests: python -m conformance run --requirement forward.a" in said


class Parts(HTMLParser):
    """What a page is made of."""

    def __init__(self, page):
        super().__init__()
        self.found = set()
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found |= {(tag, name) for name, _ in attrs} | {(tag, "")}


def test_what_others_write_is_shown_and_never_run():
    content = everything()
    content["options"]["device_profile"] = {"name": "gpu"}
    content["environment"] |= {"accelerators": ["gpu"], "packages": {"numpy": "2.1"}}
    attack = hostile(content)
    attack["environment"]["packages"] = {ATTACK: ATTACK}
    attack["tables"] = {ATTACK: [dict.fromkeys(CELL, ATTACK)]}
    attack["requirements"][0]["id"] = f"{ATTACK}.{ATTACK}"
    for number, each in enumerate(attack["requirements"][0]["cases"]):
        each["test"] += str(number)  # a file with a test twice is refused

    expected = shown(*(reader.parse_result(name, content) for name in ("old.json", "new.json")))
    page = shown(*(reader.parse_result(name, attack) for name in (f"{ATTACK}.json", "new.json")))

    assert Parts(page).found <= Parts(expected).found
    assert page.count("<script") == page.count("</script") == 1
    assert "{{ 7 * 7 }}" in page
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert "\\x1b[31m\\u202e" in page


@pytest.mark.parametrize(
    ("source", "link"),
    [
        ("https://docs.pytorch.org/x.html (a part)", ("https://docs.pytorch.org/x.html", "(a part)")),
        ("http://example.org", ("", "http://example.org")),
        ("javascript:alert(1)", ("", "javascript:alert(1)")),
        ("this suite", ("", "this suite")),
    ],
)
def test_only_a_secure_address_is_a_link(source, link):
    spec = {MUST.id: Requirement(MUST.id, "must", "It works.", source)}

    page = shown(result(case("conforms"), spec=spec))

    assert split_link(source) == link
    assert set(re.findall(r'href="(?!#)([^"]*)"', page)) == {"data:,", *filter(None, link[:1])}


def test_a_page_needs_nothing_else():
    page = shown(reader.parse_result("result.json", everything()))

    assert not re.search(r"<(link|script|img|iframe)[^>]*(src|href)=\"(?!data:)", page)
    assert not re.search(r"@import|url\(", page)
    assert "default-src 'none'" in page


def test_the_same_results_are_the_same_page():
    results = [reader.parse_result("result.json", everything()) for _ in range(2)]

    assert shown(results[0]) == shown(results[1])


def test_a_text_that_nobody_could_read_to_its_end_is_cut():
    said = words(shown(result(case("fails", message="long " * 10_000))))

    assert f"[and {50_000 - html_page.MAX_CHARACTERS} more characters]" in said


def test_lines_of_a_script_stay_lines():
    page = shown(result(case("fails", layer="vmap", script="if 1:\n\tprint(1)\n")))

    assert "<pre>if 1:\n    print(1)\n</pre>" in page


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ([("a", "2.8.0", "cpu"), ("b", "2.13.0", "cpu")], ["2.8.0 cpu", "2.13.0 cpu"]),
        ([("a", "2.13.0", "cpu"), ("b", "2.13.0", "xpu")], ["2.13.0 cpu", "2.13.0 xpu"]),
        ([("a", "2.13.0", "cpu"), ("b", "2.13.0", "cpu")], ["2.13.0 cpu (a)", "2.13.0 cpu (b)"]),
        ([("a", "2.13.0", "cpu"), ("a", "2.13.0", "cpu")], ["1: 2.13.0 cpu (a)", "2: 2.13.0 cpu (a)"]),
    ],
)
def test_each_column_has_a_name_of_its_own(files, expected):
    results = [result(name=name, torch=torch, device=device) for name, torch, device in files]

    assert result_labels(results) == expected


def test_a_name_is_as_long_as_a_heading_may_be():
    (column,) = make_columns([result(implementations=["x" * 100])])

    assert column.name == "x" * (MAX_NAME - 1) + "…"


def test_a_column_is_an_implementation_in_a_file():
    across = make_columns([result(implementations=BOTH), result(torch="2.8.0")])

    assert [each.name for each in across] == [
        "2.13.0 cpu, torch.func",
        "2.13.0 cpu, functorch",
        "2.8.0 cpu, torch.func",
    ]
    assert column_names(across[:2], across) == "2.13.0 cpu, torch.func; 2.13.0 cpu, functorch"
    assert column_names(across, across) == ALL_COLUMNS
    assert column_names(across[:1], across[:1]) == across[0].name


def test_a_requirement_that_a_file_has_not_is_absent_from_it():
    old = result(case("conforms"), spec={MUST.id: MUST})
    new = result(case("conforms"), case("fails", requirement=SHOULD), torch="2.14.0")

    forward, stacking = make_chapters(make_columns([old, new]))

    assert (forward.name, stacking.name) == ("forward", "stacking")
    assert [line.statuses for line in stacking.lines] == [[ABSENT, "fails"]]
    assert [line.differs for chapter in (forward, stacking) for line in chapter.lines] == [False, True]
    assert [chapter.fails for chapter in (forward, stacking)] == [False, True]
    assert [line.name for line in stacking.lines] == ["b"]


def test_implementations_differ_in_one_file_and_files_in_several():
    apart = result(case("fails"), case("conforms", implementation="functorch"), implementations=BOTH)
    differs = [
        [line.differs for line in make_chapters(make_columns(results))[0].lines]
        for results in ([apart], [apart, apart], [apart, result(case("conforms"), torch="2.14.0")])
    ]

    assert differs == [[True], [False], [True]]


def test_a_chapter_that_this_suite_has_not_comes_last():
    unknown = Requirement("abacus.beads", "must", "It counts.", "docs")

    names = [each.name for each in make_chapters(make_columns([result(spec={unknown.id: unknown, **SPEC})]))]

    assert names == ["forward", "stacking", "abacus"]


def of_must(*results):
    across = make_columns(results)
    return requirement_details({column: column.row(MUST.id) for column in across}, across)


def test_cases_that_say_the_same_are_one_group():
    some = [case("known failure", f"test_a[{i}]", message="a reason") for i in range(5)]
    one = case("not applicable", "test_c", message="no such device")

    known, absent = of_must(result(*some, one), result(*some, torch="2.14.0")).groups

    assert (known.status, known.message, known.where, known.count) == ("known failure", "a reason", ALL_COLUMNS, 10)
    assert known.tests == [f"test_a[{i}]" for i in range(MAX_TESTS)]
    assert known.more == 10 - MAX_TESTS
    assert (absent.status, absent.where, absent.count, absent.more) == (
        "not applicable",
        "2.13.0 cpu, torch.func",
        1,
        0,
    )
    assert known.rerun.startswith('python -m conformance run "test_a[0]"')


def test_failures_are_told_one_by_one_up_to_a_number():
    lot = result(*(case("fails", f"test_a[{i:03}]", message=str(i)) for i in range(MAX_FAILURES + 2)))

    of = of_must(lot)

    assert len(of.failures) == MAX_FAILURES
    assert of.failed == MAX_FAILURES + 2
    assert "And 2 more failing cases; the result file lists them." in words(shown(lot))


def test_each_column_is_counted_and_columns_that_count_the_same_by_dtype_once():
    some = [
        case("conforms", "test_a", dtype="float32", budget_share=0.25, duration=1.0),
        case("conforms", "test_b", dtype="float64", budget_share=0.5, duration=2.0),
        case("not applicable", "test_c"),
    ]
    of = of_must(result(*some), result(*some, torch="2.14.0"), result(case("conforms"), torch="2.15.0"))

    assert [(tally.name, dict(tally.count), tally.share, tally.seconds) for tally in of.tallies[1:]] == [
        ("2.14.0 cpu, torch.func", {"conforms": 2, "not applicable": 1}, 0.5, 3.0),
        ("2.15.0 cpu, torch.func", {"conforms": 1}, None, 0.0),
    ]
    assert of.statuses == ["conforms", "not applicable"]
    assert of.dtypes == ["float32", "float64"]
    assert of.by_dtype == {
        "2.13.0 cpu, torch.func; 2.14.0 cpu, torch.func": {"float32": {"conforms": 1}, "float64": {"conforms": 1}}
    }


def test_dtypes_are_counted_by_chapter():
    some = [
        case("conforms", "test_a", dtype="float32"),
        case("known failure", "test_b", dtype="float32"),
        case("conforms", "test_c", dtype="bfloat16", requirement=SHOULD),
        case("conforms", "test_d"),
    ]
    table = count_dtypes(
        make_columns([result(*some), result(case("conforms"), torch="2.14.0")]), ["forward", "stacking", "errors"]
    )

    assert table.names == [["bfloat16", "float32"], []]
    assert table.rows == {
        "forward": [{}, {"conforms": 1, "known failure": 1}],
        "stacking": [{"conforms": 1}, {}],
    }


def test_the_budget_is_used_by_what_compares_and_passes_or_fails():
    shares = [case("conforms", f"test_a[{i:02}]", budget_share=i / 100) for i in range(11)]
    others = [
        case("conforms", "test_b"),
        case("conforms", "test_differs_as_it_has_to", budget_share=1e9),
        case("known failure", "test_c", message="a reason", budget_share=1e9),
        case("fails", "test_d", requirement=SHOULD, budget_share=2.5),
    ]

    forward, stacking = (use for (use,) in budget_uses([result(*shares, *others)]).values())

    assert (forward.cases, forward.median, forward.most, forward.largest) == (11, 0.05, 0.09, 0.1)
    assert (stacking.cases, stacking.median, stacking.most, stacking.largest) == (1, 2.5, 2.5, 2.5)


def test_the_picture_ends_where_the_budget_ends():
    used = budget_uses(
        [result(case("conforms", budget_share=0.5), case("fails", requirement=SHOULD, budget_share=2.5))]
    )

    picture = draw_budget(used)

    assert 'class="mark" cx="249.0"' in picture  # half way from 84 to 414
    assert 'class="mark over" cx="414"' in picture
    assert ">2.5</text>" in picture
    assert "2.13.0 cpu" not in picture


def test_the_picture_names_results_where_there_are_several():
    picture = draw_budget(
        budget_uses([result(case("conforms", budget_share=0.5), torch=torch) for torch in ("2.8.0", "2.13.0")])
    )

    assert [name for name in ("2.8.0 cpu", "2.13.0 cpu") if f">{name}</text>" in picture] == ["2.8.0 cpu", "2.13.0 cpu"]


def test_what_never_compared_has_no_budget_no_dtypes_and_no_links_to_them():
    content = document(case("conforms"))
    content["tables"] = {}

    page = shown(reader.parse_result("result.json", content))

    assert not re.search("#(budget|dtypes|tables|changes)", page)
    assert 'id="facts"' in page


def test_a_table_has_what_each_result_says():
    old, new = (document(torch=torch) for torch in ("2.12.1", "2.13.0"))
    new["tables"] = {
        "optimizers": [CELL | {"says": "wrong"}, CELL | {"row": "LBFGS", "column": "tuned"}],
        "long": [CELL | {"row": f"{i:03}"} for i in range(100)],
    }

    optimizers, many = result_tables([reader.parse_result("old", old), reader.parse_result("new", new)])

    assert optimizers.columns == ["default", "tuned"]
    assert optimizers.rows == [("LBFGS", ["-", "as alone"]), ("SGD", ["as alone / wrong", "-"])]
    assert (optimizers.is_long, many.is_long) == (False, True)


def test_facts_stand_side_by_side():
    old, new = document(torch="2.12.1"), document(device="cuda", fault="MembersReversed", requirements=["forward.a"])
    new["environment"] |= {
        "accelerators": ["H100", "H100", "L4"],
        "packages": {"torch": "2.13.0", "numpy": "2.1", "scipy": None},
        "cuda": "13.0",
        "torch_git": "0123456789abcdef",
    }

    said = dict(run_facts([reader.parse_result("old.json", old), reader.parse_result("new.json", new)]))

    assert said["file"] == ["old.json", "new.json"]
    assert said["accelerators"] == ["", "2 x H100, L4"]
    assert said["packages"] == ["", "numpy 2.1"]
    assert said["CUDA or ROCm"] == ["", "13.0"]
    assert said["commit of torch"] == ["", "0123456789ab"]
    assert said["injected fault"] == ["", "MembersReversed"]
    assert said["only"] == ["", "forward.a"]
    assert "device profile" not in said


@pytest.mark.parametrize(("seconds", "said"), [(0.00123, "0.00123 s"), (59.9, "59.9 s"), (61.5, "1 min 1 s")])
def test_a_duration_is_said_as_people_say_it(seconds, said):
    assert format_duration(seconds) == said


def test_rendering_changes_nothing():
    content = everything()
    before = deepcopy(content)

    shown(reader.parse_result("result.json", content))

    assert content == before

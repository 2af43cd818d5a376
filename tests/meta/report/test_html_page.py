"""Is a page complete by itself, and safe whatever a result file says?"""

import re
from copy import deepcopy
from html.parser import HTMLParser

import pytest
from html_pages import shown, words
from results import CELL, MUST, SHOULD, case, document, result

from conformance.report import reader
from conformance.report.html.matrix import split_link
from conformance.report.html.text import LIMITS, TextBudget
from conformance.spec.requirements import Requirement

ATTACK = "\"'></script><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7 * 7 }}\x1b[31m\u202e"


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

    first = "Skip to the requirements Ensemble conformance ✓ CONFORMS: none of 2 requirements fails"
    assert words(page).startswith(f"{first} torch 2.13.0 cpu, profile full, in 1.5 s")


def test_several_results_have_a_verdict_each_and_what_changed_between_them():
    old = result(case("conforms"), name="old.json", torch="2.12.1")
    new = result(case("fails", message="off by 3"), name="new.json")

    said = words(shown(old, new))

    assert "2 results: 1 conform" in said
    assert "2.12.1 cpu ✓ CONFORMS AS FAR AS RUN: none of 2" in said
    assert "2.13.0 cpu ✗ DOES NOT CONFORM: 1 of 2" in said
    assert "From torch 2.12.1 to 2.13.0 CHANGED: 1 regressed" in said
    assert "regressed (must) ✗ not a known failure forward.a" in said


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

    assert f"[and {50_000 - LIMITS[16_000_000]} more characters]" in said


def test_the_more_a_page_says_the_shorter_are_its_texts():
    budget = TextBudget()

    shown = [len(budget.display("<" * 500_000)) for _ in range(3)]
    budget.spent = max(LIMITS)
    shown.append(len(budget.display("<" * 500_000)))

    assert shown == sorted(shown, reverse=True)
    assert budget.spent < max(LIMITS) + 1_000
    assert shown[-1] < 200


def test_lines_of_a_script_stay_lines():
    page = shown(result(case("fails", layer="vmap", script="if 1:\n\tprint(1)\n")))

    assert "<pre>if 1:\n    print(1)\n</pre>" in page


def test_rendering_changes_nothing():
    content = everything()
    before = deepcopy(content)

    shown(reader.parse_result("result.json", content))

    assert content == before

"""Are known failures matched exactly, and does every mistake in their file stop a run with a sentence?"""

import os

import pytest

from conformance.spec.entry_rules import KINDS
from conformance.spec.expectations import DEFAULT, Expectation, load_expectations, parse_release
from conformance.spec.requirements import load_requirements

GOOD = {
    "requirement": "stacking.order",
    "torch": ">=2.0,<2.6",
    "raises": "AssertionError",
    "reason": "known",
    "kind": "limitation",
    "implementation": "torch.func",
    "effect": "wrong",
    "match": "differs by",
}
BUG = GOOD | {"kind": "bug", "reproducer": "a_script"}
FOUND = {"upstream": "https://github.com/a/b/issues/1"}


def write(tmp_path, entry):
    path = tmp_path / "expectations.toml"
    path.write_text(
        "[[expectation]]\n" + "".join(f"{key} = {value!r}\n" for key, value in entry.items()), encoding="utf-8"
    )
    return path


def without(key):
    return {name: value for name, value in GOOD.items() if name != key}


def test_the_file_of_the_repository_is_sound():
    loaded = load_expectations(DEFAULT, load_requirements().keys())

    assert len(loaded) > 10
    assert all(each.error is not None for each in loaded)


def test_an_entry_is_loaded_as_it_is_written(tmp_path):
    more = {"test": "test_a*", "device": "cuda", "reproducer": "a-1_b.c"} | FOUND

    (loaded,) = load_expectations(write(tmp_path, BUG | more), load_requirements().keys())

    assert loaded == Expectation(**BUG | more)
    assert loaded.summary == "known (https://github.com/a/b/issues/1)"
    assert loaded.error is AssertionError


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        pytest.param(BUG, "expectation 1: a bug needs upstream, a link, or searched, the date", id="no-evidence"),
        pytest.param(BUG | {"upstream": "soon"}, "upstream: expected a link, got 'soon'", id="no-link"),
        pytest.param(BUG | {"searched": "today"}, "searched: expected a date such as .*, got 'today'", id="no-date"),
        pytest.param(BUG | {"searched": "20261128"}, "searched: expected a date such as 2026-01-31", id="short-date"),
        pytest.param(GOOD | FOUND | {"searched": "2026-11-28"}, "has both upstream and searched", id="both"),
        pytest.param(GOOD | {"reproducer": "../a"}, "reproducer: expected the name of a script", id="path"),
        pytest.param(GOOD | {"effect": "wrongg"}, r"effect: invalid choice 'wrongg'", id="effect"),
        *[pytest.param(without(key), f"expectation 1: has no {key}", id=f"no-{key}") for key in GOOD],
        pytest.param(GOOD | {"reason": "  "}, "has no reason", id="empty-reason"),
        pytest.param(GOOD | {"requirement": "stacking.ordre"}, "unknown requirement 'stacking.ordre'", id="misspelt"),
        pytest.param(GOOD | {"reasn": "x"}, "unknown key 'reasn'", id="misspelt-key"),
        pytest.param(
            GOOD | {"kind": "feature"}, r"kind: invalid choice 'feature' \(choose from bug, limitation\)", id="kind"
        ),
        pytest.param(GOOD | {"torch": "new"}, "torch 'new' is no version range", id="range"),
        pytest.param(GOOD | {"torch": 2}, "torch: expected a string, got 2", id="number"),
        pytest.param(GOOD | {"raises": "NoSuchError"}, "raises 'NoSuchError', which is no builtin", id="error"),
        pytest.param(GOOD | {"raises": "print"}, "raises 'print', which is no builtin", id="no-error"),
        pytest.param(GOOD | {"raises": "Exception"}, "raises 'Exception', which is no builtin", id="any-error"),
    ],
)
def test_every_mistake_in_an_entry_is_a_sentence(tmp_path, entry, message):
    with pytest.raises(ValueError, match=message) as caught:
        load_expectations(write(tmp_path, entry), load_requirements().keys())

    assert "\n" not in str(caught.value)


def test_a_bug_without_a_link_says_when_one_was_searched_for(tmp_path):
    (loaded,) = load_expectations(write(tmp_path, BUG | {"searched": "2026-11-28"}), load_requirements().keys())

    assert loaded.searched == "2026-11-28"
    assert loaded.summary == "known"


def test_a_bug_has_a_reproducer(tmp_path):
    entry = {key: value for key, value in (BUG | FOUND).items() if key != "reproducer"}

    with pytest.raises(ValueError, match=r"expectation 1: a bug needs reproducer$"):
        load_expectations(write(tmp_path, entry), load_requirements().keys())


@pytest.mark.parametrize(
    ("error", "excused"),
    [
        (AssertionError("output differs by 0.5 from"), True),
        (AssertionError("output\n differs   by 0.5 from"), True),
        (AssertionError("accepted silently"), False),
        (AssertionError(), False),
        (KeyError("differs by"), False),
    ],
    ids=["same", "broken-lines", "other-message", "no-message", "other-type"],
)
def test_an_error_is_excused_by_type_and_message(error, excused):
    assert Expectation(**GOOD).excuses(error) is excused


def test_an_error_without_a_message_is_known_by_its_type():
    assert Expectation(**GOOD | {"match": "AssertionError"}).excuses(AssertionError())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[expectation]", "expectations.toml: "),
        ('title = "x"', r"expected \[\[expectation\]\] tables and nothing else, found \['title'\]"),
        ("expectation = 3", r"expected \[\[expectation\]\] tables, found 3"),
        ("expectation = [3]", "expectation 1: is no table"),
        ("\ud800", "expectations.toml: "),
        ("a = " + "[\n" * 20_000, "is nested too deeply"),
        ("[[expectation]]\n" * 2_001, "expected at most 2000 .*, found 2001"),
        ("a.b.c = 1\n" * 20_000, "has more than 50000 keys, tables and values"),
        ("#\n" * 500_001, "is larger than 1000000 bytes"),
        ("\n" + "a." * 600 + "a = 1", "line 2 is longer than 500 characters"),
        ("a = " + "1" * 400 + "e", "expectations.toml: "),
        ("[[expectation]]\nreason = 'cut o", "expectations.toml: "),
        ('[[expectation]]\nreason = "\\u001b[2J"', "expectation 1: reason is '.x1b.2J', which can't be printed"),
    ],
    ids=[
        "no-toml",
        "other-key",
        "no-list",
        "no-table",
        "no-text",
        "deep",
        "many",
        "many-parts",
        "huge",
        "long",
        "number",
        "truncated",
        "escape",
    ],
)
def test_every_mistake_in_the_file_is_a_sentence(tmp_path, text, message):
    path = tmp_path / "expectations.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))

    with pytest.raises(ValueError, match=message):
        load_expectations(path, load_requirements().keys())


@pytest.mark.parametrize("key", GOOD)
def test_a_field_is_no_book(tmp_path, key):
    path = write(tmp_path, without(key))
    with path.open("a", encoding="utf-8") as file:
        file.write(f'{key} = """>=' + "999\\\n" * 2_000 + '"""\n')

    with pytest.raises(ValueError, match=rf"expectation 1: {key} is longer than \d+ characters$"):
        load_expectations(path, load_requirements().keys())


def test_a_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "expectations.toml")

    with pytest.raises(ValueError, match=r"expectations\.toml: is not a regular file$"):
        load_expectations(tmp_path / "expectations.toml", load_requirements().keys())


@pytest.mark.parametrize("value", ["[" * 300 + "]" * 300, "{" + "a." * 180 + "a = 1}"], ids=["list", "table"])
def test_a_value_of_any_depth_is_named_in_short(tmp_path, value):
    path = write(tmp_path, without("torch"))
    with path.open("a", encoding="utf-8") as file:
        file.write(f"torch = {value.replace('[', '[' + chr(10))}\n")

    with pytest.raises(ValueError, match="expectation 1: torch: expected a string, got ") as caught:
        load_expectations(path, load_requirements().keys())

    assert len(str(caught.value)) < 500


def test_a_file_that_is_not_there_and_an_entry_that_stands_twice(tmp_path):
    with pytest.raises(ValueError, match="No such file"):
        load_expectations(tmp_path / "nowhere.toml", load_requirements().keys())
    path = write(tmp_path, GOOD)
    path.write_text(2 * path.read_text(encoding="utf-8"), encoding="utf-8")
    with pytest.raises(ValueError, match="expectation 2: stands twice"):
        load_expectations(path, load_requirements().keys())


@pytest.mark.parametrize(
    ("where", "covered"),
    [
        ({}, True),
        ({"torch": "2.5.1+cu124"}, True),
        ({"torch": "2.5.0a0+git1234"}, True),
        ({"torch": "2.6.0.dev20270101+cpu"}, False),
        ({"torch": "1.13.1"}, False),
        ({"device": "cuda"}, True),
        ({"implementation": "functorch"}, False),
        ({"implementation": "broken:Minimal"}, False),
    ],
    ids=str,
)
def test_release_device_and_implementation_have_to_match(where, covered):
    somewhere = {"torch": "2.0.1", "device": "cpu", "implementation": "torch.func"} | where

    assert Expectation(**GOOD).covers_environment(**somewhere) is covered


def test_a_device_can_be_named():
    assert not Expectation(**GOOD, device="cuda").covers_environment(
        torch="2.1.0", device="cpu", implementation="torch.func"
    )


def test_a_pattern_narrows_the_tests():
    narrow = Expectation(**GOOD, test="test_a[*float32]")

    assert narrow.covers_test("stacking.order", "test_a[torch.func-float32]")
    assert not narrow.covers_test("stacking.order", "test_a[torch.func-float64]")
    assert not narrow.covers_test("stacking.names", "test_a[torch.func-float32]")
    assert Expectation(**GOOD).covers_test("stacking.order", "test_anything")


def test_a_version_that_is_none_is_said():
    assert str(parse_release("2.13.0+cpu")) == "2.13.0"
    with pytest.raises(ValueError, match="torch calls its version 'mine'"):
        parse_release("mine")
    assert KINDS == ("bug", "limitation")

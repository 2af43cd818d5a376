"""Are the failures of a run proposed as entries that a person only has to complete?"""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from results import FACTS, MUST, SHOULD, SPEC, case

from conformance.report.proposed_expectations import (
    MAX_ENTRIES,
    MAX_MATCH,
    MAX_NOTES,
    MAX_TEST,
    expectations_text,
    stable_part,
)
from conformance.report.results import requirement_results
from conformance.spec.entry_rules import LONGEST
from conformance.spec.expectations import Expectation, load_expectations, parsed, read
from conformance.spec.requirements import Requirement
from conformance.utils.text import text_of

NAMES = {"torch.func": "torch.func", "mine:Vmap": "mine"}
OFF = {
    "status": "fails",
    "message": "member 1: output differs by 3.06 from the float64 loop",
    "raises": "AssertionError",
}


def text_for(*cases, spec=SPEC, **facts):
    return expectations_text(requirement_results(spec, list(NAMES), cases), FACTS | facts, NAMES)


def entries(*cases, **facts):
    return tomllib.loads(text_for(*cases, **facts)).get("expectation", [])


def test_a_requirement_that_fails_with_one_error_is_one_entry_without_a_reason():
    twice = [case(test=f"test_forward.py::test_a[{which}]", **OFF) for which in "xy"]

    assert entries(*twice, case("not applicable", "test_forward.py::test_a[z]")) == [
        {
            "requirement": "forward.a",
            "implementation": "torch.func",
            "torch": ">=2.13",
            "raises": "AssertionError",
            "match": "from the float64 loop",
            "effect": "wrong",
            "kind": "bug",
            "searched": "",
            "reproducer": "",
            "reason": "",
        }
    ]


def test_a_run_without_failures_has_no_entries():
    assert entries(case("conforms"), case("known failure", "test_b", message="a reason")) == []


def test_implementations_that_fail_alike_share_an_entry_and_have_the_names_they_call_themselves():
    found = entries(case(**OFF), case(implementation="mine:Vmap", **OFF), device="cuda:1")

    assert [(each["implementation"], each["device"]) for each in found] == [("torch.func, mine", "cuda")]


def named_tests(*cases):
    return [each.get("test") for each in entries(*cases)]


def test_only_some_of_the_cases_that_fail_are_named():
    other = OFF | {"message": "has the wrong shape"}
    good = {"status": "conforms"}

    def named(**tests):
        return [case(test=f"tests/test_a.py::{name}", **facts) for name, facts in tests.items()]

    assert named_tests(*named(**{"test_a[x]": OFF, "test_a[y]": OFF, "test_b[x]": good})) == ["test_a[*"]
    assert named_tests(*named(**{"test_a[x-1]": OFF, "test_a[x-2]": good})) == ["test_a[x-1]"]
    assert named_tests(*named(**{"test_a[x-1]": OFF, "test_a[x-2]": OFF, "test_a[y]": good})) == ["test_a[x-*]"]
    assert named_tests(*named(**{"test_a[x]": OFF, "test_a[y]": good, "test_a[z]": OFF})) == ["test_a[x]", "test_a[z]"]
    assert named_tests(*named(**{"test_a[x]": OFF, "test_a[y]": other})) == ["test_a[x]", "test_a[y]"]
    (long,) = named_tests(*named(**{f"test_a[{'x' * MAX_TEST}]": OFF, "test_a[y]": good}))
    assert (len(long), long[-1]) == (MAX_TEST + 1, "*")


@given(st.dictionaries(st.text("ab-[]", max_size=5), st.booleans(), min_size=1, max_size=8))
def test_the_patterns_cover_what_fails_and_nothing_else(fails):
    cases = [
        case(test=f"t.py::test_a[{name}]", **(OFF if bad else {"status": "conforms"})) for name, bad in fails.items()
    ]

    covered = [Expectation(**fields(each)) for each in entries(*cases)]

    for name, bad in fails.items():
        assert any(each.covers_test(MUST.id, f"test_a[{name}]") for each in covered) is bad


def fields(entry):
    """The keys of an entry that an expectation has, whichever these are."""
    return {key: value for key, value in entry.items() if key in Expectation.__dataclass_fields__}


@pytest.mark.parametrize(
    ("facts", "effect"),
    [
        (OFF, "wrong"),
        ({"message": "accepted silently; a refusal was due", "raises": "AssertionError"}, "wrong"),
        ({"message": "refused without naming 'dtype': KeyError", "raises": "AssertionError"}, "unclear"),
        ({"message": "in a child process, which ended with -11", "raises": "AssertionError"}, "crash"),
        ({"message": "RuntimeError: vmap: not supported", "raises": "RuntimeError"}, "refused"),
        ({"message": "RuntimeError: x INTERNAL ASSERT FAILED", "raises": "RuntimeError"}, "unclear"),
        ({"message": "KeyError: 'fc.weight'", "raises": "KeyError"}, "unclear"),
    ],
)
def test_an_effect_is_proposed(facts, effect):
    (entry,) = entries(case(**{"status": "fails"} | facts))

    assert entry["effect"] == effect


@pytest.mark.parametrize(
    ("facts", "note"),
    [
        ({"status": "unstable", "message": "two answers"}, "it is unstable: two answers"),
        ({"message": "[XPASS(strict)] a reason"}, "it passes: narrow its entry, or delete it"),
        ({"message": "crashed: worker 'gw0' crashed"}, "its process died: crashed: worker 'gw0'"),
        ({"message": "Failed: Timeout"}, "it raises no builtin exception type of its own: Failed: Timeout"),
    ],
    ids=["unstable", "passes", "died", "foreign"],
)
def test_what_no_entry_can_record_is_a_comment(facts, note):
    text = text_for(case(**{"status": "fails"} | facts))

    assert tomllib.loads(text) == {}
    assert f"# No entry can record this: forward.a, test_a[x]: {note}" in text


def test_the_layer_that_a_diagnosis_adds_is_not_observed():
    facts = {
        "message": "RuntimeError: no; first layer that differs: vmap on the CPU in float64",
        "layer": "vmap on the CPU in float64",
    }

    (entry,) = entries(case("fails", raises="RuntimeError", **facts))

    assert entry["match"] == "RuntimeError: no"


@pytest.mark.parametrize(
    ("messages", "part"),
    [
        (["off by 3.1e-05 at 0x7f01 of the loop"], "of the loop"),
        (["in float32: differs a lot", "in float64: differs a lot"], "differs a lot"),
        (["can't read /tmp/x/model.pt of the member"], "of the member"),
        (["[1, 2]"], ""),
        ([""], ""),
        (["word " * 100], "word " * 19 + "word"),
        (["x" * 500], "x" * MAX_MATCH),
        (["same start", "another"], ""),
    ],
)
def test_the_part_to_match_is_stable(messages, part):
    assert stable_part(messages) == part


def test_an_entry_is_refused_until_a_person_has_completed_it(tmp_path):
    path = tmp_path / "expectations.toml"
    path.write_text(text_for(case(**OFF)), encoding="utf-8")
    (entry,) = map(fields, read(path)["expectation"])
    completed = {key: value for key, value in entry.items() if value} | {"reason": "it is so", "kind": "limitation"}

    with pytest.raises(ValueError, match="expectation 1: "):
        load_expectations(path, SPEC)
    with pytest.raises(ValueError, match="expectation 1: has no reason"):
        parsed(path, [entry], SPEC)
    (known,) = parsed(path, [completed], SPEC)
    assert known.covers_environment(torch="2.13.1", device="cpu", implementation="torch.func")
    assert known.covers_test(MUST.id, "test_a[x]")


@given(st.text(), st.text())
def test_foreign_text_survives_and_the_file_can_be_read(message, test):
    said = " ".join(text_of(message).split())
    cases = [case("fails", text_of(test), message=said, raises="KeyError"), case("conforms", "test_other")]

    for entry in entries(*cases):
        assert entry["match"] in said
        assert len(entry["test"]) <= LONGEST["test"]


def test_the_file_is_bounded_and_within_what_the_loader_reads(tmp_path):
    number = MAX_ENTRIES + 3
    spec = {f"forward.r{i}": Requirement(f"forward.r{i}", "must", "It works.", "docs") for i in range(number)}
    long = '."\\' * 500
    failed = [
        case(test=f"test_{i}[{long}]", requirement=each, message=long, raises="KeyError", status="fails")
        for i, each in enumerate(spec.values())
    ]
    stable = [case("conforms", requirement=each) for each in spec.values()]
    odd = [case("fails", f"test_{i}", requirement=SHOULD, message=long) for i in range(MAX_NOTES + 3)]
    path = tmp_path / "expectations.toml"

    path.write_text(text_for(*failed, *stable, *odd, spec=spec | SPEC), encoding="utf-8")

    assert len(read(path)["expectation"]) == MAX_ENTRIES
    text = path.read_text(encoding="utf-8")
    assert "# 3 more entries" in text
    assert text.count("# No entry can record this") == MAX_NOTES

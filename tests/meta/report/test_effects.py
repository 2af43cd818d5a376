"""Has a known failure of an older file the effect that the suite's entry gives it?"""

import dataclasses

import pytest
from results import MUST, case, document

from conformance.report import effects, reader
from conformance.spec.expectations import Expectation

ENTRY = Expectation(
    requirement=MUST.id,
    torch=">=2.10",
    raises="AssertionError",
    reason="a reason",
    kind="bug",
    implementation="torch.func",
    effect="wrong",
    match="off",
    test="test_a*",
    device="cpu",
)


@pytest.fixture
def entries(monkeypatch):
    """Two entries that cover the same case: as in a run, the first counts."""
    monkeypatch.setattr(
        effects, "load_expectations", lambda *_: [ENTRY, dataclasses.replace(ENTRY, effect="crash"), OTHER]
    )
    for each in (effects._all_entries, effects._entries):  # noqa: SLF001 - what was read before
        each.cache_clear()
    yield
    for each in (effects._all_entries, effects._entries):  # noqa: SLF001
        each.cache_clear()


OTHER = dataclasses.replace(ENTRY, test="test_b", torch="<2.10")


@pytest.mark.parametrize(
    ("found", "facts", "effect"),
    [
        (case("known failure", "tests/test_forward.py::test_a[x]"), {}, "wrong"),
        (case("known failure", "tests/test_forward.py::test_a[x]"), {"device": "cpu:0"}, "wrong"),
        (case("known failure", "tests/test_forward.py::test_a[x]"), {"torch": "2.9.1"}, None),
        (case("known failure", "tests/test_forward.py::test_a[x]"), {"device": "cuda"}, None),
        (case("known failure", "tests/test_forward.py::test_b"), {}, None),
        (case("known failure", "test_a", effect="refused"), {}, "refused"),
        (case("fails", "tests/test_forward.py::test_a[x]"), {}, None),
    ],
    ids=["covered", "index", "release", "device", "test", "has-one", "no-known-failure"],
)
def test_an_effect_comes_from_the_entry_that_covers_the_case(found, facts, effect, entries):
    result = effects.with_effects(reader.parse_result("a.json", document(found, **facts)))

    (there,) = result.rows[MUST.id, "torch.func"]["cases"]
    assert there.get("effect") == effect

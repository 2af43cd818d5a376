"""Is drift told apart from changes: larger shares of the budget, and cells of tables that changed?"""

import pytest
from results import CELL, case, document, result

from conformance.report import diff_text, reader
from conformance.report.diff import compare
from conformance.report.drift import BudgetDrift, TableDrift, find_drift


def with_shares(*shares, status="conforms"):
    return result(*(case(status, f"test_{i}", budget_share=share) for i, share in enumerate(shares)))


@pytest.mark.parametrize(
    ("old", "new", "drifts"),
    [(0.05, 0.21, True), (0.0, 0.2, True), (0.05, 0.2, False), (0.01, 0.1, False), (0.2, 0.01, False)],
)
def test_a_share_that_grew_by_more_than_a_factor_of_4_to_more_than_a_tenth_is_drift(old, new, drifts):
    assert bool(find_drift(with_shares(old), with_shares(new))) is drifts


@pytest.mark.parametrize(
    "new", [with_shares(None), with_shares(1.5), with_shares(0.9, status="fails"), result()], ids=str
)
def test_only_cases_that_compare_and_conform_drift(new):
    assert find_drift(with_shares(0.01), new) == []


def test_the_largest_share_of_a_requirement_is_shown():
    old, new = with_shares(0.01, 0.02, 0.4), with_shares(0.2, 0.5, 0.4)

    (found,) = find_drift(old, new)

    assert found == BudgetDrift("forward.a", "torch.func", 2, 3, "test_1", 0.02, 0.5)
    lines = list(diff_text.diff_lines(compare(old, new)))
    assert lines[-3:] == [
        "drift, larger shares of the error budget:",
        "  forward.a (torch.func): 2 of 3 cases, up to 0.02 -> 0.5",
        "CHANGED: nothing; drift: 1 requirement with a larger share of the error budget",
    ]


def with_cells(*cells):
    return reader.parse_result("a.json", document() | {"tables": {"modules": [CELL | each for each in cells]}})


def test_cells_that_changed_are_listed_by_what_they_say():
    names = ("torch.func", "functorch")
    places = [{"row": row, "implementation": name} for row in ("Conv2d", "LSTM") for name in names]
    old = with_cells(*(each | {"says": "right"} for each in places), {"row": "gone", "says": "right"})
    new = with_cells(*(each | {"says": "right (slow fallback)"} for each in places), {"row": "new", "says": "wrong"})

    (found,) = find_drift(old, new)

    cells = ("Conv2d, default", "LSTM, default")
    assert found == TableDrift("modules", names, "right", "right (slow fallback)", cells)
    lines = list(diff_text.diff_lines(compare(old, new)))
    assert (
        "  modules (torch.func, functorch): right -> right (slow fallback), 2 cells: Conv2d, default; LSTM, default"
        in lines
    )
    assert lines[-1] == "CHANGED: nothing; drift: 2 cells of tables"


def test_equal_tables_and_new_tables_have_no_drift():
    assert find_drift(with_cells({}), with_cells({})) == []
    assert find_drift(result(), with_cells({})) == []

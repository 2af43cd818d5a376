"""Are dtypes, budget, tables and facts of the runs shown as they are?"""

import re

import pytest
from html_pages import shown
from results import CELL, SHOULD, case, document, result

from conformance.report import reader
from conformance.report.html.budget import budget_uses, draw_budget
from conformance.report.html.columns import make_columns
from conformance.report.html.dtypes import count_dtypes
from conformance.report.html.run_info import format_duration, run_facts
from conformance.report.html.tables import result_tables


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
    asked = {"fault": "MembersReversed", "levels": ["must"], "requirements": ["forward.a"]}
    old, new = document(torch="2.12.1"), document(device="cuda", **asked)
    new["environment"] |= {
        "accelerators": ["H100", "H100", "L4"],
        "packages": {"torch": "2.13.0", "numpy": "2.1", "scipy": None},
        "cuda": "13.0",
        "torch_git": "0123456789abcdef",
    }

    said = dict(run_facts([reader.parse_result("old.json", old), reader.parse_result("new.json", new)]))

    assert said["levels"] == ["", "must"]
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

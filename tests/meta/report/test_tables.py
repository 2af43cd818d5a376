"""Do tables say what was found, in full and in short?"""

from requirement_results import FACTS, OPTIONS, TABLES, case, cell
from results import SPEC

from conformance.report import markdown, tables, terminal
from conformance.report.results import (
    Status,
    requirement_results,
)


def test_a_cell_says_whether_its_test_passed():
    recorded = {"table": "optimizers", "column": "default", "passes": "as alone", "fails": "not as alone"}
    table = requirement_results(
        SPEC,
        ["torch.func"],
        [case(Status.CONFORMS, test="a"), case(Status.FAILS, test="b"), case(Status.NOT_RUN, test="c")],
    )

    found = tables.collect_tables(
        table, {"a": [recorded | {"row": "SGD"}], "b": [recorded | {"row": "Adam"}], "d": [recorded]}
    )

    assert found == {"optimizers": [cell("SGD", "default", "as alone"), cell("Adam", "default", "not as alone")]}


def test_a_table_in_short_names_the_rows_that_say_the_same():
    cells = [*TABLES["optimizers"], cell("LBFGS", "default", "couples"), cell("SGD", "fused", "wrong", "functorch")]

    assert tables.summarize_cells(cells) == "as alone: Adam; couples: LBFGS; as alone / wrong: SGD"
    assert list(terminal.report_lines(FACTS, OPTIONS, [], {"optimizers": cells}))[1] == (
        "optimizers: as alone: Adam; couples: LBFGS; as alone / wrong: SGD"
    )


def test_a_long_table_in_short_counts_and_names_what_is_wrong():
    cells = [{"row": f"op{i}", "column": "own", "says": "equal" if i else "wrong"} for i in range(21)]

    assert tables.summarize_cells(cells) == "21 rows; equal 20, wrong 1 (op0)"
    assert (
        tables.summarize_cells(cells[1:] + cells[1:]) == f"equal: {', '.join(sorted(f'op{i}' for i in range(1, 21)))}"
    )
    assert tables.summarize_cells([*cells[1:], {**cells[1], "row": "op21"}]) == "21 rows; equal 21"


def test_a_table_as_markdown_has_all_texts_of_a_cell():
    cells = [*TABLES["optimizers"], cell("SGD", "default", "wrong", "functorch"), cell("SGD", "fused", "as alone")]

    assert list(tables.cells_as_markdown(cells, "optimizers")) == [
        "| optimizers | default | fused |",
        "| --- | --- | --- |",
        "| Adam | as alone | - |",
        "| SGD | as alone / wrong | as alone |",
    ]


def test_a_cell_is_text_to_markdown():
    assert markdown.escape_cell("a|b `c`\n[d](e) <f> *g* _h_ in_dims \\ & ~") == (
        r"a\|b \`c\` \[d\](e) \<f\> \*g\* \_h\_ in_dims \\ \& \~"
    )
    assert markdown.escape_cell("") == " "
    assert markdown.escape_cell("\x1b[2J") == r"\\x1b\[2J"
    assert len(markdown.escape_cell("x" * 1_000)) == markdown.MAX_CELL
    assert markdown.code_cell("forward.a [torch.func]") == "`forward.a [torch.func]`"
    assert markdown.code_cell("a`|`") == r"a\`\|\`"

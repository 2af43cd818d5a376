"""Results as one self-contained HTML page: no network, no other file, and readable without JavaScript.

All content is untrusted: Jinja escapes it, unprintable characters are spelled out, and the page's content security
policy allows only the one style and the one script in it.
"""

from collections.abc import Sequence

from conformance.report.html.assets import csp_hash, make_environment, mark_safe, read_asset
from conformance.report.html.budget import budget_uses, draw_budget
from conformance.report.html.columns import make_columns, result_labels, shorten
from conformance.report.html.diff import DiffStep
from conformance.report.html.dtypes import count_dtypes
from conformance.report.html.matrix import ABSENT, make_chapters
from conformance.report.html.run_info import format_duration, run_facts
from conformance.report.html.tables import result_tables
from conformance.report.reader import Result
from conformance.report.results import Status
from conformance.spec.requirements import LEVELS

MAX_WIDE_COLUMNS = 4  # with more columns a cell has room for a symbol only


def render_page(results: Sequence[Result], steps: Sequence[DiffStep] = ()) -> str:
    """Return the page of one or more results; `steps` are the differences between them, or from an earlier result.

    Raises ValueError if the results have too many requirements and columns for one page.
    """
    across = make_columns(results)
    matrix = make_chapters(across)
    style, script = (read_asset(name) for name in ("style.css", "script.js"))
    environment = make_environment()
    environment.filters["duration"] = format_duration
    return str(
        environment.get_template("page.html.j2").render(
            style=style,
            script=script,
            style_hash=csp_hash(style),
            script_hash=csp_hash(script),
            results=results,
            labels=[shorten(label) for label in result_labels(results)],
            facts=run_facts(results),
            steps=steps,
            columns=across,
            chapters=matrix,
            ids={line.id for chapter in matrix for line in chapter.lines},
            dtypes=count_dtypes(across, [chapter.name for chapter in matrix]),
            grids=result_tables(results),
            uses=(used := budget_uses(results)),
            budget=mark_safe(draw_budget(used)),
            many=len(across) > MAX_WIDE_COLUMNS,
            statuses=list(Status),
            levels=LEVELS,
            absent=ABSENT,
        )
    )

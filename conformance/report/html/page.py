"""Results as one self-contained HTML page: no network, no other file, and readable without JavaScript.

All content is untrusted: Jinja escapes it, unprintable characters are spelled out, and the page's content security
policy allows only the one style and the one script in it.
"""

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from conformance.report.html.budget import budget_uses, draw_budget
from conformance.report.html.columns import make_columns, result_labels, shorten
from conformance.report.html.diff import DiffStep
from conformance.report.html.dtypes import count_dtypes
from conformance.report.html.matrix import ABSENT, make_chapters
from conformance.report.html.run_info import format_duration, run_facts
from conformance.report.html.tables import result_tables
from conformance.report.html.text import TextBudget
from conformance.report.reader import Result
from conformance.report.results import Status
from conformance.spec.requirements import LEVELS

HERE = Path(__file__).parent
MAX_WIDE_COLUMNS = 4  # with more columns a cell has room for a symbol only


def render_page(results: Sequence[Result], steps: Sequence[DiffStep] = ()) -> str:
    """Return the page of one or more results; `steps` are the differences between them, or from an earlier result.

    Raises ValueError if the results have too many requirements and columns for one page.
    """
    across = make_columns(results)
    matrix = make_chapters(across)
    style, script = (_read_asset(name) for name in ("style.css", "script.js"))
    return str(
        _jinja_environment()
        .get_template("page.html.j2")
        .render(
            style=style,
            script=script,
            style_hash=_csp_hash(style),
            script_hash=_csp_hash(script),
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
            budget=_mark_safe(draw_budget(used)),
            many=len(across) > MAX_WIDE_COLUMNS,
            statuses=list(Status),
            levels=LEVELS,
            absent=ABSENT,
        )
    )


def _jinja_environment() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=TextBudget().display,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["duration"] = format_duration
    return environment


def _read_asset(name: str) -> Any:
    """Return one of the package's own files, unescaped."""
    return _mark_safe((HERE / name).read_text(encoding="utf-8"))


def _mark_safe(text: str) -> Any:
    """Mark text as safe: the package's own, or escaped already."""
    from markupsafe import Markup

    return Markup(text)  # noqa: S704


def _csp_hash(text: str) -> str:
    """Return the hash of a text in the form of a content security policy."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

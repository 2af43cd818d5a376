"""Results as one HTML page that needs nothing else: no network, no other file, and no script to be read.

Everything on it may come from anybody. It is data: Jinja escapes it, what is not printable is spelled out, and the
page's own policy lets the browser run nothing but the one style and the one script that are in it.
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
from conformance.report.reader import Result
from conformance.report.results import Status
from conformance.report.terminal import escape_unprintable
from conformance.spec.requirements import LEVELS

HERE = Path(__file__).parent
MAX_WIDE_COLUMNS = 4  # columns, beyond which a cell has room for a symbol alone
MAX_CHARACTERS = 20_000  # characters of one text: nobody reads more, and a page of them could not be opened


def render_page(results: Sequence[Result], steps: Sequence[DiffStep] = ()) -> str:
    """The whole page of one result or several; `steps` is what changed, between them or since another one."""
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
        finalize=_display_text,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["duration"] = format_duration
    return environment


def _display_text(value: Any) -> Any:
    """What a template writes: text as people may safely read it. Lines stay lines; what is ours (Markup) stays."""
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value
    if len(value) > MAX_CHARACTERS:
        value = f"{value[:MAX_CHARACTERS]}\n[and {len(value) - MAX_CHARACTERS} more characters]"
    return value if value.isprintable() else "\n".join(map(escape_unprintable, value.expandtabs(4).split("\n")))


def _read_asset(name: str) -> Any:
    """A file of our own, as it is."""
    return _mark_safe((HERE / name).read_text(encoding="utf-8"))


def _mark_safe(text: str) -> Any:
    """What nobody else writes, or what has been escaped already."""
    from markupsafe import Markup

    return Markup(text)  # noqa: S704


def _csp_hash(text: str) -> str:
    """As a content security policy names what it allows."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

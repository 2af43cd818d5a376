"""Results as one HTML page that needs nothing else: no network, no other file, and no script to be read.

Everything on it may come from anybody. It is data: Jinja escapes it, what is not printable is spelled out, and the
page's own policy lets the browser run nothing but the one style and the one script that are in it.
"""

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from conformance.report.html.budget import drawn, uses
from conformance.report.html.columns import columns, labels, shortened
from conformance.report.html.diff import Step
from conformance.report.html.dtypes import dtypes
from conformance.report.html.matrix import ABSENT, chapters
from conformance.report.html.run_info import facts, lasted
from conformance.report.html.tables import grids
from conformance.report.reader import Result
from conformance.report.results import Status
from conformance.report.terminal import printable
from conformance.spec.requirements import LEVELS

HERE = Path(__file__).parent
MANY = 4  # columns, beyond which a cell has room for a symbol alone
MOST = 20_000  # characters of one text: nobody reads more, and a page of them could not be opened


def page(results: Sequence[Result], steps: Sequence[Step] = ()) -> str:
    """The whole page of one result or several; `steps` is what changed, between them or since another one."""
    across = columns(results)
    matrix = chapters(across)
    style, script = (_asset(name) for name in ("style.css", "script.js"))
    return str(
        _environment()
        .get_template("page.html.j2")
        .render(
            style=style,
            script=script,
            style_hash=_hash(style),
            script_hash=_hash(script),
            results=results,
            labels=[shortened(label) for label in labels(results)],
            facts=facts(results),
            steps=steps,
            columns=across,
            chapters=matrix,
            ids={line.id for chapter in matrix for line in chapter.lines},
            dtypes=dtypes(across, [chapter.name for chapter in matrix]),
            grids=grids(results),
            uses=(used := uses(results)),
            budget=_ours(drawn(used)),
            many=len(across) > MANY,
            statuses=list(Status),
            levels=LEVELS,
            absent=ABSENT,
        )
    )


def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["lasted"] = lasted
    return environment


def _shown(value: Any) -> Any:
    """What a template writes: text as people may safely read it. Lines stay lines; what is ours (Markup) stays."""
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value
    if len(value) > MOST:
        value = f"{value[:MOST]}\n[and {len(value) - MOST} more characters]"
    return value if value.isprintable() else "\n".join(map(printable, value.expandtabs(4).split("\n")))


def _asset(name: str) -> Any:
    """A file of our own, as it is."""
    return _ours((HERE / name).read_text(encoding="utf-8"))


def _ours(text: str) -> Any:
    """What nobody else writes, or what has been escaped already."""
    from markupsafe import Markup

    return Markup(text)  # noqa: S704


def _hash(text: str) -> str:
    """As a content security policy names what it allows."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

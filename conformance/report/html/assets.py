"""The parts that all pages share: Jinja's environment, the package's own files, and the hashes of their policy."""

import base64
import hashlib
from pathlib import Path
from typing import Any

from conformance.report.html.text import TextBudget

HERE = Path(__file__).parent


def make_environment(folder: Path = HERE) -> Any:
    """Return Jinja's environment for the templates in a folder: all content is escaped and bounded."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=TextBudget().display,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def read_asset(name: str) -> Any:
    """Return one of the package's own files, unescaped."""
    return mark_safe((HERE / name).read_text(encoding="utf-8"))


def mark_safe(text: str) -> Any:
    """Mark text as safe: the package's own, or escaped already."""
    from markupsafe import Markup

    return Markup(text)  # noqa: S704


def csp_hash(text: str) -> str:
    """Return the hash of a text in the form of a content security policy."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

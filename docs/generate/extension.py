"""The Sphinx extension that puts the generated parts into the pages when they are built."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

from conformance.spec.requirements import CHAPTERS, load_requirements
from docs.generate import cli, requirements, schema

# Replaces `<!-- generated: NAME -->` in the page.
GENERATED: dict[str, dict[str, Callable[[], Iterable[str]]]] = {
    "reference/requirements": {"chapters": requirements.chapter_lines, "core": requirements.core_lines},
    "reference/cli": {"cli": cli.cli_lines},
    "reference/result-file": {"schema": schema.schema_lines},
}


def write_chapters(app: Sphinx) -> None:
    """Write a page for each chapter, unless it is there as it should be; git ignores them."""
    folder = Path(app.srcdir, "reference", "requirements")
    folder.mkdir(exist_ok=True)
    for path in folder.glob("*.md"):
        if path.stem not in CHAPTERS:
            path.unlink()
    for chapter in CHAPTERS:
        path, page = folder / f"{chapter}.md", requirements.chapter_page(chapter)
        if not path.exists() or path.read_text(encoding="utf-8") != page:
            path.write_text(page, encoding="utf-8")


def insert_generated(_: Sphinx, page: str, source: list[str]) -> None:
    """Replace the markers of a page by what they stand for. Raises ValueError if one is missing."""
    for name, make in GENERATED.get(page, {}).items():
        marker = f"<!-- generated: {name} -->"
        if marker not in source[0]:
            raise ValueError(f"{page} has no {marker}")
        source[0] = source[0].replace(marker, "\n".join(make()))


def mark_code_blocks(_: Sphinx, *arguments: Any) -> None:
    """Make code of the indented blocks of a docstring, which are plain text for Sphinx, as if ``::`` led to them."""
    lines: list[str] = arguments[-1]
    for i, line in enumerate(lines[:-2]):
        if line.endswith(":") and not line.endswith("::") and not lines[i + 1] and lines[i + 2].startswith("    "):
            lines[i] = f"{line}:"


class RequirementAnchors(SphinxTransform):
    """Gives the section of each requirement its id as anchor, with the dot and the underscores that Sphinx replaces."""

    default_priority = 700  # after the labels have been attached, before Sphinx collects them

    def apply(self, **_: Any) -> None:
        """Rename the anchors of a page."""
        for section in self.document.findall(nodes.section):
            for name in section["names"]:
                if name in load_requirements():
                    section["ids"] = [name]
                    self.document.nameids[name] = name
                    self.document.ids[name] = section


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect all of this to Sphinx."""
    app.connect("builder-inited", write_chapters)
    app.connect("env-get-outdated", lambda *_: list(GENERATED))
    app.connect("source-read", insert_generated)
    app.connect("autodoc-process-docstring", mark_code_blocks)
    app.add_transform(RequirementAnchors)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

"""Pages for the tests of the HTML report, as text and as words."""

import re
from html import unescape
from itertools import pairwise

from conformance.report.html import page as html_page
from conformance.report.html.diff import make_diff_step


def shown(*results):
    return html_page.render_page(results, [make_diff_step(old, new) for old, new in pairwise(results)])


def words(page):
    """What a reader sees of a page, in one line."""
    body = re.sub(r"<(script|style)>.*?</\1>", "", page.partition("<body>")[2], flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())

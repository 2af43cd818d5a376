"""Bounds on result files: what is parsed, and how much a comparison, a table or a page has to hold.

A file of some kilobytes can expand to gigabytes, in memory or on a page. The bounds are several times the size of a
result of the whole suite; a file within them takes less than 500 MB and some seconds.
"""

import re
import sys
import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

MEGABYTE = 1_000_000
MAX_BYTES = 60 * MEGABYTE  # of JSON
MAX_PACKED = 16 * MEGABYTE  # of a compressed file
MAX_PARSED = 300 * MEGABYTE  # of memory, while a file is parsed
MAX_TEXT = 80 * MEGABYTE  # of memory for the texts of cases
MAX_DIGITS = 19  # an integer of more digits has more than 64 bits

MAX_CASES = 120_000
MAX_REQUIREMENTS = 3_000
MAX_IMPLEMENTATIONS = 32
MAX_CHAPTERS = 50
MAX_DTYPES = 30
MAX_CELLS = 100_000  # recorded for all tables, or in the grid of one
MAX_COLUMNS = 200  # of one table
SPARSE = 10  # a grid may have this many times the cells that a file records
MAX_RESULTS = 50  # shown together
MAX_CASES_TOGETHER = 1_000_000

GZIP = 16 + zlib.MAX_WBITS  # zlib's name for the gzip format
# Bytes that CPython takes at most for an object, an array, an element or a member, and for half of a string.
COSTS = {b"{": 190, b"[": 90, b",": 60, b'"': 28}
STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
NOT_ASCII = re.compile(rb"[\x80-\xff]|\\u")
WIDE = 4  # bytes of each character of a text that has one beyond the basic plane


def unpack(data: bytes) -> bytes:
    """Return the content of a gzip file with one member, as the writer makes it. Raises ValueError or zlib.error."""
    if not data.startswith(b"\x1f\x8b"):
        raise ValueError("is not a gzip file")
    unpacking = zlib.decompressobj(GZIP)
    content = unpacking.decompress(data, MAX_BYTES + 1)
    check_size(content)
    if not unpacking.eof:
        raise ValueError("is incomplete")
    if unpacking.unused_data:
        raise ValueError("contains more than one compressed file")
    return content


def check_size(content: bytes) -> None:
    """Raise ValueError if a file has more bytes than a result has."""
    check_count("bytes", len(content), MAX_BYTES)


def check_count(what: str, count: int, limit: int) -> None:
    """Raise ValueError if there are more of something than the limit."""
    if count > limit:
        raise ValueError(f"contains more than {limit:,} {what}")


def check_parse_memory(content: bytes) -> None:
    """Raise ValueError if parsing may take more memory than MAX_PARSED."""
    needed = len(content) + sum(cost * content.count(sign) for sign, cost in COSTS.items())
    # As text, before and after it is parsed. The texts are looked at one by one only if they are few.
    needed += len(content) * (1 if content.isascii() else WIDE)
    if needed <= MAX_PARSED and NOT_ASCII.search(content):
        wide = (len(text[0]) for text in STRING.finditer(content) if NOT_ASCII.search(text[0]))
        needed += (WIDE - 1) * sum(wide)
    if needed > MAX_PARSED:
        raise ValueError(f"may take more than {MAX_PARSED // MEGABYTE} MB of memory")


def check_content(content: Mapping[str, Any]) -> None:
    """Raise ValueError if a document that matches the schema has more of something than can be shown."""
    rows = content["requirements"]
    cases = [case for row in rows for case in row["cases"]]
    ids, implementations = {row["id"] for row in rows}, {row["implementation"] for row in rows}
    check_count("cases", len(cases), MAX_CASES)
    check_count("requirements", len(ids), MAX_REQUIREMENTS)
    check_count("chapters", len({each.partition(".")[0] for each in ids}), MAX_CHAPTERS)
    check_count("implementations", len(implementations), MAX_IMPLEMENTATIONS)
    check_count("dtypes", len({case["dtype"] for case in cases if "dtype" in case}), MAX_DTYPES)
    if len(ids) * len(implementations) > SPARSE * len(rows):
        raise ValueError("lacks most requirements under most implementations")
    text = sum(sys.getsizeof(each) for case in cases for each in case.values() if isinstance(each, str))
    check_count("bytes of text in cases", text, MAX_TEXT)
    check_count("cells of tables", sum(map(len, content["tables"].values())), MAX_CELLS)
    check_grids([{(cell["row"], cell["column"]) for cell in cells} for cells in content["tables"].values()])


def check_grids(tables: Iterable[Collection[tuple[str, str]]]) -> None:
    """Raise ValueError if tables, each given by the places of its cells, are too large or have mostly empty places."""
    total = 0
    for places in tables:
        height, width = (len(set(names)) for names in zip(*places, strict=True)) if places else (0, 0)
        check_count("columns in a table", width, MAX_COLUMNS)
        if height * width > SPARSE * len(places):
            raise ValueError(f"contains a table of {height:,} x {width:,} cells, most of them empty")
        total += height * width
    check_count("places in tables", total, MAX_CELLS)


def check_matrix(requirements: int, columns: int) -> None:
    """Raise ValueError if a page with these numbers of requirements and columns has too many cells."""
    if requirements * columns > MAX_CELLS:
        raise ValueError(f"{requirements:,} requirements in {columns:,} columns are too many for one page")


def check_together(cases: Sequence[int]) -> None:
    """Raise ValueError if results, each with this number of cases, are too many or too large together."""
    for what, count, limit in (("results", len(cases), MAX_RESULTS), ("cases", sum(cases), MAX_CASES_TOGETHER)):
        if count > limit:
            raise ValueError(f"expected at most {limit:,} {what} together, got {count:,}")

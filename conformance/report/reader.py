"""Reading of result files. They are untrusted data: a file that does not match the schema is refused."""

import gzip
import json
import re
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import IO, Any

from packaging.version import Version

from conformance.report.terminal import truncate
from conformance.report.writer import COMPRESSED, SCHEMA_VERSION
from conformance.spec.expectations import parse_release

SCHEMA = Path(__file__).with_name("schema.json")
# Ten times the size of a result of the whole suite.
MAX_BYTES = 200_000_000
Key = tuple[str, str]


@dataclass(frozen=True)
class Result:
    """A parsed result file. `name`: the file name; `rows`: a row for each requirement and implementation."""

    name: str
    content: Mapping[str, Any]
    rows: Mapping[Key, Mapping[str, Any]]

    @property
    def torch(self) -> str:
        """The full version of torch, e.g. 2.13.0+cpu."""
        return str(self.content["environment"]["torch"])

    @property
    def release(self) -> Version:
        """The release of torch that was judged."""
        return parse_release(self.torch)

    @cached_property
    def requirements(self) -> Collection[str]:
        """The ids of all requirements in the file, run or not."""
        return {requirement for requirement, _ in self.rows}


def read_result(path: Path) -> Result:
    """Read the result file at `path`. Raises ValueError with one line that names the file and the problem."""
    try:
        content = _parse_file(path)
        _check_schema(content)
        return parse_result(path.name, content)
    except (OSError, EOFError, zlib.error, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        if isinstance(error, RecursionError):
            reason = "is nested too deeply"
        raise ValueError(truncate(f"{path}: {reason}")) from error


def parse_result(name: str, content: Mapping[str, Any]) -> Result:
    """Build a Result from a parsed document. Raises ValueError if a requirement or a test occurs twice."""
    return Result(name, content, _rows_by_key(content))


def _parse_file(path: Path) -> Any:
    opening: Any = gzip.open if path.suffix == COMPRESSED else open
    with opening(path, "rb") as file:
        text = _read_text(file)
    content = json.loads(text, parse_constant=_reject_constant, parse_float=_parse_finite_float)
    if r"\ud" in text.lower():
        json.dumps(content, ensure_ascii=False).encode()  # a lone surrogate can be neither shown nor written
    return content


def _read_text(file: IO[bytes]) -> str:
    data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ValueError(f"is larger than {MAX_BYTES} bytes, the limit for a result file")
    return data.decode("utf-8")


def _reject_constant(constant: str) -> None:
    raise ValueError(f"contains {constant}, which is not valid JSON")


def _parse_finite_float(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"contains {digits[:20]}, which is not a finite number")
    return number


def _check_schema(content: Any) -> None:
    """Check the schema version first, as other versions may differ in everything else, and then the schema."""
    import fastjsonschema

    if not isinstance(content, dict) or "schema_version" not in content:
        raise ValueError("not a result file: it has no schema_version")
    version = content["schema_version"]
    if version != SCHEMA_VERSION:
        raise ValueError(f"has schema_version {version!r}, but this suite reads {SCHEMA_VERSION}")
    try:
        _schema_validator()(content)
    except fastjsonschema.JsonSchemaException as error:
        raise ValueError(re.sub(r"^data\.?", "", str(error))) from error


@cache
def _schema_validator() -> Any:
    import fastjsonschema

    return fastjsonschema.compile(json.loads(SCHEMA.read_text(encoding="utf-8")))


def _rows_by_key(content: Mapping[str, Any]) -> dict[Key, Mapping[str, Any]]:
    rows: dict[Key, Mapping[str, Any]] = {}
    for row in content["requirements"]:
        key = (row["id"], row["implementation"])
        if key in rows:
            raise ValueError(f"contains {' under '.join(key)} twice")
        tests = {case["test"] for case in row["cases"]}
        if len(tests) < len(row["cases"]):
            raise ValueError(f"{' under '.join(key)} contains a test twice")
        rows[key] = row
    return rows

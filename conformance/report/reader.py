"""Reads a result file. It may come from anybody: it is data, and what the schema says, or refused in a line."""

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
# Ten times what the whole suite writes.
MAX_BYTES = 200_000_000
Key = tuple[str, str]


@dataclass(frozen=True)
class Result:
    """A result file. `name` is the file's; `rows` has what it says of a requirement under an implementation."""

    name: str
    content: Mapping[str, Any]
    rows: Mapping[Key, Mapping[str, Any]]

    @property
    def torch(self) -> str:
        return str(self.content["environment"]["torch"])

    @property
    def release(self) -> Version:
        """The release of torch that it is about."""
        return parse_release(self.torch)

    @cached_property
    def requirements(self) -> Collection[str]:
        """The ids that it knows, run or not."""
        return {requirement for requirement, _ in self.rows}


def read_result(path: Path) -> Result:
    """The result file at `path`. Raises ValueError with one line that names the file and says what is wrong."""
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
    """What a document of `files` says; ValueError if it says a thing twice."""
    return Result(name, content, _rows_by_key(content))


def _parse_file(path: Path) -> Any:
    opening: Any = gzip.open if path.suffix == COMPRESSED else open
    with opening(path, "rb") as file:
        text = _read_text(file)
    content = json.loads(text, parse_constant=_reject_constant, parse_float=_parse_finite_float)
    if r"\ud" in text.lower():
        json.dumps(content, ensure_ascii=False).encode()  # half a character could be shown and written nowhere
    return content


def _read_text(file: IO[bytes]) -> str:
    data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ValueError(f"is larger than {MAX_BYTES} bytes, and no result file is")
    return data.decode("utf-8")


def _reject_constant(constant: str) -> None:
    raise ValueError(f"holds {constant}, which is no JSON")


def _parse_finite_float(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"holds {digits[:20]}, which is no finite number")
    return number


def _check_schema(content: Any) -> None:
    """What is of another version says so first: everything else in it may differ."""
    import fastjsonschema

    if not isinstance(content, dict) or "schema_version" not in content:
        raise ValueError("is no result file: it has no schema_version")
    version = content["schema_version"]
    if version != SCHEMA_VERSION:
        raise ValueError(f"has schema_version {version!r}, and this suite reads {SCHEMA_VERSION}")
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
            raise ValueError(f"has {' under '.join(key)} twice")
        tests = {case["test"] for case in row["cases"]}
        if len(tests) < len(row["cases"]):
            raise ValueError(f"{' under '.join(key)} has a test twice")
        rows[key] = row
    return rows

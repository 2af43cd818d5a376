"""Reading of result files. They are untrusted data: a file that does not match the schema is refused."""

import json
import re
import reprlib
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from packaging.version import Version

from conformance.report.bounds import (
    MAX_BYTES,
    MAX_DIGITS,
    MAX_PACKED,
    check_content,
    check_count,
    check_parse_memory,
    check_size,
    unpack,
)
from conformance.report.writer import COMPRESSED, SCHEMA_VERSION
from conformance.spec.expectations import file_mistake, parse_release
from conformance.utils.files import error_reason, read_regular

SCHEMA = Path(__file__).with_name("schema.json")
READABLE = (3, SCHEMA_VERSION)
SURROGATE = re.compile(rb"\\u[dD]")
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
        content = _parse(_read_json(path))
        _check_schema(content)
        check_content(content)
        return parse_result(path.name, content)
    except OSError as error:
        raise file_mistake(path, error_reason(error)) from error
    except RecursionError as error:
        raise file_mistake(path, "is nested too deeply") from error
    except zlib.error as error:
        raise file_mistake(path, "is a damaged gzip file") from error
    except ValueError as error:
        raise file_mistake(path, str(error)) from error


def parse_result(name: str, content: Mapping[str, Any]) -> Result:
    """Build a Result from a parsed document. Raises ValueError if a requirement or a test occurs twice."""
    return Result(name, content, _rows_by_key(content))


def _read_json(path: Path) -> bytes:
    if path.suffix == COMPRESSED:
        packed = read_regular(path, MAX_PACKED)
        check_count("bytes", len(packed), MAX_PACKED)
        return unpack(packed)
    content = read_regular(path, MAX_BYTES)
    check_size(content)
    return content


def _parse(data: bytes) -> Any:
    check_parse_memory(data)
    text = data.decode("utf-8")
    content = json.loads(text, parse_constant=_reject_constant, parse_float=_parse_float, parse_int=_parse_int)
    if SURROGATE.search(data):
        json.dumps(content, ensure_ascii=False).encode()  # a lone surrogate can be neither shown nor written
    return content


def _reject_constant(constant: str) -> None:
    raise ValueError(f"contains {constant}, which is not valid JSON")


def _parse_float(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"contains {digits[:20]}, which is not a finite number")
    return number


def _parse_int(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"contains {digits[:20]}..., an integer of more than {MAX_DIGITS} digits")
    return int(digits)


def _check_schema(content: Any) -> None:
    """Check the schema version first, as other versions may differ in everything else, and then the schema."""
    import fastjsonschema

    if not isinstance(content, dict) or "schema_version" not in content:
        raise ValueError("not a result file: it has no schema_version")
    version = content["schema_version"]
    if version not in READABLE:
        known = " and ".join(map(str, READABLE))
        raise ValueError(f"has schema_version {reprlib.repr(version)}, but this suite reads {known}")
    try:
        _schema_validator(version)(content)
    except fastjsonschema.JsonSchemaException as error:
        raise ValueError(re.sub(r"^data\.?", "", str(error))) from error


@cache
def _schema_validator(version: int) -> Any:
    import fastjsonschema

    return fastjsonschema.compile(_schema(version))


def _schema(version: int) -> Any:
    """Return the schema of a version: an older one is the newest without what was added since."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    if version < SCHEMA_VERSION:
        schema["properties"]["schema_version"]["const"] = version
        row, case = schema["definitions"]["requirement"], schema["definitions"]["case"]
        environment = schema["properties"]["environment"]
        for node, name in ((schema, "suite"), (environment, "variables"), (row, "added")):
            del node["properties"][name]
            node["required"].remove(name)
        for node, name in ((case, "effect"), (case, "observed"), (schema["properties"]["options"], "levels")):
            del node["properties"][name]
    return schema


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

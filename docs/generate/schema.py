"""The table of a result file's keys, from its JSON schema."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import conformance.report
from docs.generate.markdown import code, escape, table

SCHEMA = Path(conformance.report.__file__).with_name("schema.json")
Node = Mapping[str, Any]


def schema_lines() -> Iterator[str]:
    """Yield the table: a row for each key, nested keys with their path."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    yield from table(("key", "type", "meaning"), _rows(schema, schema, ""))


def _rows(schema: Node, node: Node, path: str) -> Iterator[tuple[str, str, str]]:
    for name, value in node.get("properties", {}).items():
        found = _resolve(schema, value)
        optional = "" if name in node.get("required", ()) else "Optional. "
        yield code(f"{path}{name}"), _type(schema, found), optional + escape(found.get("description", ""))
        yield from _nested_rows(schema, found, f"{path}{name}")


def _nested_rows(schema: Node, node: Node, path: str) -> Iterator[tuple[str, str, str]]:
    yield from _rows(schema, node, f"{path}.")
    if "items" in node:
        yield from _nested_rows(schema, _resolve(schema, node["items"]), f"{path}[]")
    if isinstance(node.get("additionalProperties"), dict):
        yield from _nested_rows(schema, _resolve(schema, node["additionalProperties"]), f"{path}.*")


def _resolve(schema: Node, node: Node) -> Node:
    return schema["definitions"][node["$ref"].rpartition("/")[2]] if "$ref" in node else node


def _type(schema: Node, node: Node) -> str:
    if "const" in node:
        return code(json.dumps(node["const"]))
    if "enum" in node:
        return ", ".join(code(json.dumps(each)) for each in node["enum"])
    names = node.get("type", "object")
    shown = names if isinstance(names, str) else " or ".join(names)
    return f"{shown} of {_type(schema, _resolve(schema, node['items']))}" if "items" in node else shown

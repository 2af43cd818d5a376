"""Result files that are small on disk and large in memory, or that make a naive reader compute for minutes."""

import gzip
import json

from results import case, document

RAW = 40_000_000  # bytes of JSON: more than a result has, and less than the reader's limit
MARK = '"@"'
TAG = "\N{TAG SPACE}"  # takes ten characters when it is spelled out


def filled(content, text):
    """The document as bytes, with `text` in the place of the mark."""
    before, after = json.dumps(content).encode().split(MARK.encode())
    return before + text.encode("utf-8", "surrogatepass") + after


def with_rows(text):
    return filled(document() | {"requirements": "@"}, f"[{text}]")


def with_cases(text):
    content = document()
    content["requirements"][0]["cases"] = "@"
    return filled(content, f"[{text}]")


def with_message(text):
    content = document(case("fails", message="@"), case("fails", test="test_b"))
    return filled(content, f'"{text}"')


def with_tables(text):
    return filled(document() | {"tables": "@"}, f"{{{text}}}")


def with_fact(where, key, text):
    content = document()
    content[where] = content[where] | {key: "@"}
    return filled(content, text)


def row(number, name="x", cases=""):
    facts = f'"id":"forward.r{number}","level":"must","text":"","source":"","added":"","implementation":"{name}"'
    return f'{{{facts},"status":"fails","cases":[{cases}]}}'


def one_case(test, message="", more=""):
    facts = f'"test":"{test}","status":"fails","message":"{message}","duration":0,"budget_share":null'
    return f'{{{facts},"lost":false,"rerun":""{more}}}'


def cell(name, column, says=""):
    return f'{{"implementation":"","row":"{name}","column":"{column}","says":"{says}"}}'


def listed(count, make):
    return ",".join(map(make, range(count)))


def quoted(number):
    return f'"{number}"'


def numbered(number):
    return f'"{number}":"1"'


def zeros():
    return bytes(RAW * 10)


BOMBS = {
    "zeros": zeros,
    "nested-arrays": lambda: b"[" * RAW,
    "empty-arrays": lambda: b"[" + b"[]," * (RAW // 3) + b"0]",
    "empty-objects": lambda: b"[" + b"{}," * (RAW // 3) + b"0]",
    "numbers": lambda: b"[" + b"1.5," * (RAW // 4) + b"0]",
    "many-keys": lambda: b"{%s}" % listed(2_000_000, numbered).encode(),
    "one-string": lambda: with_message("x" * RAW),
    "emoji": lambda: with_message("\N{GRINNING FACE}" * (RAW // 4)),
    "one-emoji": lambda: with_message("x" * RAW + "\N{GRINNING FACE}"),
    "escapes": lambda: with_message("\\ud83d\\ude00" * (RAW // 12)),
    "wide-strings": lambda: with_cases(listed(200_000, lambda i: one_case(f"{i:0150}\\ud83d\\ude00"))),
    "implementations": lambda: with_rows(listed(5_000, lambda i: row(i, f"i{i}", one_case("a")))),
    "requirements": lambda: with_rows(listed(250_000, row)),
    "matrix": lambda: with_rows(
        ",".join(row(i, f"i{k}", one_case("a", more=f',"dtype":"{k}"')) for i in range(400) for k in range(60))
    ),
    "chapters": lambda: with_rows(listed(20_000, lambda i: row(i).replace("forward.", f"c{i}."))),
    "cases": lambda: with_cases(listed(350_000, lambda i: one_case(f"t{i}"))),
    "equal-cases": lambda: with_cases(listed(350_000, lambda i: one_case("t"))),
    "dtypes": lambda: with_cases(listed(200_000, lambda i: one_case(f"t{i}", more=f',"dtype":"{i}"'))),
    "table-diagonal": lambda: with_tables(f'"t":[{listed(40_000, lambda i: cell(i, i))}]'),
    "table-columns": lambda: with_tables(f'"t":[{listed(40_000, lambda i: cell(0, i))}]'),
    "table-rows": lambda: with_tables(f'"t":[{listed(500_000, lambda i: cell(i, 0))}]'),
    "tables": lambda: with_tables(listed(200_000, lambda i: f'"{i}":[{cell(0, 0)}]')),
    "accelerators": lambda: with_fact("environment", "accelerators", f"[{listed(200_000, quoted)}]"),
    "packages": lambda: with_fact("environment", "packages", f"{{{listed(500_000, numbered)}}}"),
    "version": lambda: with_fact("environment", "torch", quoted("1." * 4_000_000 + "1")),
    "device-name": lambda: with_fact("environment", "device", quoted("x" * 10_000_000)),
    "device-profile": lambda: with_fact("options", "device_profile", '{"name":' + "[" * 900 + "]" * 900 + "}"),
    "huge-integer": lambda: with_fact("options", "seed", "9" * 4_000),
    "integer-of-400-digits": lambda: filled(document() | {"duration": "@"}, "9" * 400),
}

# The largest that is read.
LARGE = {
    "messages": lambda: with_rows(
        listed(400, lambda i: row(i, cases=listed(50, lambda k: one_case(k, f"{k}{'x' * 1_900}"))))
    ),
    "long-messages": lambda: with_cases(listed(400, lambda i: one_case(i, f"{i}{'x' * 90_000}"))),
    "escaped-messages": lambda: with_cases(listed(400, lambda i: one_case(i, f"{i}{'&' * 90_000}"))),
    "control-characters": lambda: with_cases(listed(400, lambda i: one_case(i, f"{i}{TAG * 19_000}"))),
    "digits": lambda: with_cases(listed(400, lambda i: one_case(i, f"{i}{'9' * 90_000}"))),
    "most-cases": lambda: with_rows(
        listed(20, lambda i: row(i, cases=listed(6_000, lambda k: one_case(f"{i}-{k}", f"{i}-{k}"))))
    ),
    "most-rows": lambda: with_rows(listed(3_000, lambda i: ",".join(row(i, f"i{k}", one_case("a")) for k in range(4)))),
    "most-columns": lambda: with_rows(
        listed(370, lambda i: ",".join(row(i, f"i{k}", one_case("a", more=f',"dtype":"{k % 30}"')) for k in range(32)))
    ),
    "most-failures": lambda: with_rows(
        listed(400, lambda i: row(i, cases=listed(50, lambda k: one_case(k, f"{k}{'&' * 1_200}"))))
    ),
    "most-messages": lambda: with_rows(
        listed(1_000, lambda i: row(i, cases=listed(60, lambda k: one_case(k, f"{k}{TAG * 5}")))).replace(
            "fails", "not run"
        )
    ),
    "most-scripts": lambda: with_rows(
        listed(9, lambda i: row(i, cases=listed(40, lambda k: one_case(k, more=f',"script":"{"<" * 90_000}"'))))
    ),
    "most-cells": lambda: with_tables(f'"t":[{listed(80_000, lambda i: cell(i // 200, i % 200))}]'),
    "most-text-in-cells": lambda: with_tables(f'"t":[{listed(10_000, lambda i: cell(i, "x", "&" * 1_900))}]'),
    "most-tables": lambda: with_tables(listed(90, lambda k: f'"{k}":[{listed(1_000, lambda i: cell(i, 0))}]')),
}


def members():
    """Many empty members, of which each costs a reader of gzip files the work for a file."""
    return gzip.compress(b"", mtime=0) * 200_000


def compressed(name):
    """The bomb as a compressed file."""
    return members() if name == "members" else gzip.compress((BOMBS | LARGE)[name](), 6, mtime=0)

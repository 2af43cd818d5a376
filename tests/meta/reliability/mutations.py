"""Mutations of files that users name: their structure and their bytes, drawn with a seed."""

import copy
import gzip
import json
import math
import random
import time

import pytest

BLOCK = 100  # mutations of one test
LONGEST = 700  # characters of a refusal
SECONDS = 2.0  # for one mutated file: many times what it takes, as other processes share the machine
TEXTS = [
    "",
    " ",
    "\x00",
    "\x1b[2J\x1b]0;title\x07",
    "\u202e\u2066reversed",
    "\ud800",
    "\udfff half",
    "a|b`c`\n\n# d\r\n",
    "</script><script>alert(1)</script>",
    "{{ 7 * 7 }}{% raw %}",
    "x" * 3_000,
    "9" * 3_000,
    "\N{GRINNING FACE}" * 500,
    "*a*a*a*a*b",
    "[" * 200,
    "../../etc/passwd",
    "%s%n{0.__class__}",
    "conforms",
    "torch.func",
    "1e400",
]
NUMBERS = [0, -1, 1, 2**31, 2**63, -(2**63), 10**400, -(10**19), 1e308, -0.0, math.nan, math.inf, -math.inf, 1e-320]
NAMED = ("id", "level", "status", "profile", "requirement", "kind", "raises")  # have one of a few values each
VALUES = [None, True, False, [], {}, [[]], [None] * 50, {"": None}, *TEXTS, *NUMBERS]


def blocks(count):
    """Seeds of so many blocks of mutations, all but one in ten marked for whole runs alone."""
    return [pytest.param(seed, marks=[pytest.mark.whole] * (seed % 10 > 0)) for seed in range(count)]


def mutate(content, rng):
    """The value with one to four places changed: of another type, missing, twice, or under another key."""
    content = copy.deepcopy(content)
    if rng.random() < 0.5:
        return with_other_texts(content, rng)
    for _ in range(rng.randint(1, 4)):
        owner, key = rng.choice(list(places(content)) or [({"": 0}, "")])
        match rng.randrange(6):
            case 0 | 1:
                owner[key] = copy.deepcopy(rng.choice(VALUES))
            case 2:
                del owner[key]
            case 3:
                other, another = rng.choice(list(places(content)) or [({"": 0}, "")])
                owner[key] = copy.deepcopy(other[another])
            case 4 if isinstance(owner, list):
                owner.extend([copy.deepcopy(owner[key])] * rng.randint(1, 3))
            case 4:
                owner[rng.choice(TEXTS)] = owner[key]
            case _:
                owner[key] = reshaped(owner[key], rng)
    return content


def with_other_texts(content, rng):
    """The value with hostile texts in some of its texts, and twice or less of some lists: most readers accept it."""
    texts = [text for text in TEXTS if text.isascii() or text.isprintable()]
    for _ in range(rng.randint(1, 4)):
        found = [place for place in places(content) if isinstance(place[0][place[1]], str | list)]
        owner, key = rng.choice([place for place in found if place[1] not in NAMED])
        if isinstance(owner[key], str):
            owner[key] = rng.choice([owner[key], ""]) + rng.choice(texts)
        else:
            del owner[key][rng.randint(0, len(owner[key])) :]
    return content


def places(content):
    """Every container with each key or index of it."""
    if isinstance(content, dict | list):
        for key in list(content) if isinstance(content, dict) else range(len(content)):
            yield content, key
            yield from places(content[key])


def reshaped(value, rng):
    """A value like this one: a text with another in it, a number nearby, or a container of it."""
    match value:
        case str():
            at = rng.randint(0, len(value))
            return value[:at] + rng.choice(TEXTS) + value[at:]
        case bool() | None:
            return not value
        case int() | float():
            return rng.choice([-value, value + 1, value * 10**18, str(value)])
        case _:
            return rng.choice([[value], {"a": value}, json.dumps(value)])


def damage(data, rng):
    """The bytes cut, with bits or a piece changed, a piece twice, or other bytes between."""
    at, end = sorted(rng.randint(0, len(data)) for _ in range(2))
    match rng.randrange(5):
        case 0:
            return data[:at]
        case 1:
            changed = bytearray(data)
            for _ in range(rng.randint(1, 8)):
                if changed:
                    changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
            return bytes(changed)
        case 2:
            return data[:at] + data[end:]
        case 3:
            return data[:end] + data[at:end] * 3 + data[end:]
        case _:
            return data[:at] + rng.choice([b"\x00", b"\xff\xfe", b"\n", b'"', b"[" * 3_000, b"9" * 500]) + data[at:]


def as_json(content, rng):
    """The value as JSON in one of the ways to write it, sometimes damaged, with its ending: .json or .json.gz."""
    text = json.dumps(content, ensure_ascii=rng.random() < 0.7, indent=rng.choice([None, 1]))
    data = text.encode("utf-8", "surrogatepass")
    data = damage(data, rng) if rng.random() < 0.25 else data
    if rng.random() < 0.7:
        return data, ".json"
    packed = gzip.compress(data, mtime=0)
    return damage(packed, rng) if rng.random() < 0.3 else packed, ".json.gz"


def try_block(kind, seed, attempt, record_property):
    """Make the attempts of one block, and record how many of them ended well: with an answer or in one line.

    `attempt` gets a source of random numbers. Its ValueError is a refusal, and has to be one printable line.
    """
    survived = 0
    for number in range(BLOCK):
        began, said = time.perf_counter(), ""
        try:
            attempt(random.Random(seed * BLOCK + number))  # noqa: S311 - tests
        except ValueError as refusal:
            said = str(refusal)
        except Exception as error:
            error.add_note(f"mutation {seed * BLOCK + number} of {kind}")
            raise
        assert said.isprintable(), f"mutation {seed * BLOCK + number}"
        assert len(said) < LONGEST, f"mutation {seed * BLOCK + number}"
        assert time.perf_counter() - began < SECONDS, f"mutation {seed * BLOCK + number}"
        survived += 1
    record_property("trial", [kind, BLOCK, survived])


def assert_printable(lines):
    """Each line can be printed as one, and written as UTF-8."""
    for line in lines:
        assert line.isprintable(), ascii(line)
        line.encode()

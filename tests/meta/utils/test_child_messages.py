"""Do messages arrive, whatever else is written into their pipe?"""

import pytest

from conformance.utils import child_main
from conformance.utils.child_messages import ITEM, LineReader, decode, encode

SECRET = "5ec3e7"  # noqa: S105 - no password


@pytest.mark.parametrize("value", [None, {"a": [1, 2.5, "\udcff\n"]}, float("inf")])
def test_a_message_survives_what_stands_before_it(value):
    lines = LineReader(1000).feed(b"garbage without an end" + encode(SECRET, ITEM, value))

    assert [decode(SECRET, line) for line in lines] == [None, (ITEM, value)]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\xff\xfe",
        b'["item", 1]',
        b'["0000", "item", 1]',
        b'{"kind": "item"}',
        b'["5ec3e7", "item", 1',
        b'["5ec3e7", "item", \xff]',
        b'["5ec3e7", "item"]',
        b'["5ec3e7", "item", ' + b"[" * 100_000,
    ],
)
def test_what_is_no_message_is_skipped(line):
    assert decode(SECRET, line) is None


def test_a_line_arrives_in_pieces_and_one_that_is_too_long_does_not():
    reader = LineReader(4)

    assert reader.feed(b"ab") == []
    assert reader.feed(b"cd\nabc") == [b"abcd"]
    assert reader.feed(b"de") == []
    assert reader.feed(b"f\ngh\n\n") == [b"gh", b""]


def test_a_copy_of_the_child_sends_nothing(monkeypatch):
    sender = child_main.Sender(-1, SECRET)
    monkeypatch.setattr(child_main, "_getpid", lambda: -1)
    monkeypatch.setattr(child_main, "_exit", lambda code: (_ for _ in ()).throw(SystemExit(code)))

    with pytest.raises(SystemExit, match="0"):
        sender.send(ITEM, 1)

"""Is everything that foreign code may say made safe to store and to show?"""

import json

import pytest

from conformance.utils.text import describe_error, escape_unprintable, first_line, one_line, text_of, type_name


class Mute(Exception):  # noqa: N818 - what it stands for
    def __str__(self):
        raise ValueError("no words")


class Quits(Exception):  # noqa: N818 - what it stands for
    def __str__(self):
        raise SystemExit(0)


class Lying(str):
    __slots__ = ()

    def isprintable(self):
        return True

    def __len__(self):
        raise RuntimeError("no length")


class Meta(type):
    @property
    def __name__(cls):
        raise ValueError("no name")


class Nameless(Exception, metaclass=Meta):  # noqa: N818 - what it stands for
    pass


class SaysLying:
    def __str__(self):
        return Lying("\x1b[2J")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (ValueError("well"), "well"),
        (Mute(), "<str() of Mute raises ValueError>"),
        (Quits(), "<str() of Quits raises SystemExit>"),
        (ValueError("half \ud800"), r"half \ud800"),
        (ValueError("\x1b[31mred\x07"), r"\x1b[31mred\x07"),
        (ValueError("two\n\tlines"), "two\n\tlines"),
        (SaysLying(), r"\x1b[2J"),
        (Nameless("named"), "named"),
        (7, "7"),
    ],
    ids=["plain", "mute", "quits", "surrogate", "escape", "lines", "subclass", "nameless", "number"],
)
def test_text_is_printable_and_valid(value, expected):
    said = text_of(value)

    assert said == expected
    assert type(said) is str
    json.dumps(said, ensure_ascii=False).encode()


def test_a_long_text_loses_its_middle():
    said = text_of("a" * 50_000 + "b" * 50_000, 100)

    assert said == "a" * 50 + " [99900 more characters] " + "b" * 50


def test_an_error_is_described_by_its_type_and_message():
    assert describe_error(KeyError("x")) == "KeyError: 'x'"
    assert describe_error(Nameless("y")) == "Nameless: y"
    assert describe_error(Mute()) == "Mute: <str() of Mute raises ValueError>"


def test_the_first_line_of_an_error_without_a_message_is_its_type():
    assert first_line(ValueError("\n one\ntwo")) == "one"
    assert first_line(ValueError("")) == "ValueError"


def test_a_class_is_named_whatever_its_metaclass_says():
    assert type_name(Nameless) == type_name(Nameless("y")) == "Nameless"
    assert type_name(type("red\x1b[0m", (), {})) == r"red\x1b[0m"


def test_one_line_is_short_and_printable():
    assert one_line("a\n b\x00", 20) == r"a b\x00"
    assert one_line("a" * 30, 20) == "a" * 17 + "..."


def test_kept_characters_are_not_escaped():
    assert escape_unprintable("a\nb\x00", "\n") == "a\nb\\x00"

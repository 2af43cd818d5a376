"""Exceptions that do not let themselves be shown."""


class Mute(Exception):  # noqa: N818 - what it stands for
    def __str__(self):
        raise ValueError("no words")


class Exits(Exception):  # noqa: N818 - what it stands for
    def __str__(self):
        raise SystemExit(0)

    __repr__ = __str__


class Lying(str):
    __slots__ = ()

    def __len__(self):
        raise RuntimeError("no length")

    def split(self, *_):
        raise RuntimeError("no words")

    encode = isprintable = splitlines = split


class SaysLying(Exception):  # noqa: N818 - what it stands for
    def __str__(self):
        return Lying("lies")


class Notes(Exception):  # noqa: N818 - what it stands for
    @property
    def __notes__(self):
        raise ValueError("no notes")


class Classless(Exception):  # noqa: N818 - what it stands for
    @property
    def __class__(self):
        raise ValueError("no class")


class Unequal(Exception):  # noqa: N818 - what it stands for
    def __eq__(self, other):
        raise ValueError("not comparable")

    __hash__ = None


class Meta(type):
    @property
    def __name__(cls):
        raise ValueError("no name")

    def __instancecheck__(cls, instance):
        raise ValueError("no instance")

    def __repr__(cls):
        raise ValueError("no repr")


class Nameless(Exception, metaclass=Meta):  # noqa: N818 - what it stands for
    pass


class Base(BaseException):
    pass

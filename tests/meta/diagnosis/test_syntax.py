"""Are names of code told apart as Python does, and is nothing lost by what is left out?"""

import ast

import pytest

from conformance.diagnosis.syntax import Renamer, bound_names, mentioned_names, strip


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("def f(a): b = 1", {"f"}),
        ("class A:\n    b = 1", {"A"}),
        ("import a.b, c as d\nfrom e import f as g, h", {"a", "d", "g", "h"}),
        ("a, (b, *c) = d[e] = [f for f in g if (h := f)]", {"a", "b", "c", "h"}),
        ("for a in b:\n    with c as d: e: int = lambda f: f", {"a", "d", "e"}),
        ("try: pass\nexcept A as b: pass\nexcept B: pass", {"b"}),
        ("match a:\n    case [b, *c]: pass\n    case [*_] | d: pass", {"b", "c", "d"}),
    ],
)
def test_the_names_are_those_that_python_binds(code, expected):
    assert set(bound_names(ast.parse(code))) == expected


def test_a_method_is_mentioned_by_an_attribute_or_a_string():
    assert mentioned_names(ast.parse("a.b(c)['d'] + 1")) == {"b", "d"}


def test_docstrings_and_annotations_go_unless_a_dataclass_reads_them():
    code = ast.parse('class A:\n    """A"""\n    b: C\n    d: ClassVar[int] = 1\ndef f(g: A) -> A:\n    """F"""')

    strip(code)

    assert ast.unparse(code) == "class A:\n    b: object\n    d: ClassVar[int] = 1\n\ndef f(g):\n    pass"


def renamed(code):
    """Return the code with each name that is read from outside in capitals; `lib.x` is one name."""

    def resolve(path):
        if path[0] == "lib" and len(path) > 1:
            return "_".join(path[:2]).upper(), 2
        return None if path[0] in ("print", "a_builtin") else (path[0].upper(), 1)

    def local_import(statement):
        return [(each.name, each.name.upper()) for each in statement.names] if statement.module == "own" else None

    return ast.unparse(Renamer(resolve, local_import).visit(ast.parse(code).body[0]))


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("a = b(c.d, lib.e.f, g().h, print.x)", "A = B(C.d, LIB_E.f, G().h, print.x)"),
        ("a = [b + c for b in d]", "A = [b + C for b in D]"),
        (
            "@a\ndef f(b=c, *d, e=g, h, **i): j = b.k(d, e, h, i, f)",
            "@A\ndef F(b=C, *d, e=G, h, **i):\n    j = b.k(d, e, h, i, F)",
        ),
        ("def f(): from own import a; return a", "def F():\n    a = A\n    return a"),
        ("def f(): from own import A", "def F():\n    pass"),
        ("def f(): from other import a", "def F():\n    from other import a"),
        (
            "def f():\n    def g(a): return h(a)\n    return g, a",
            "def F():\n\n    def g(a):\n        return H(a)\n    return (g, A)",
        ),
        (
            "class A(b, c=d):\n    e = f\n    g = e\n    def h(self): return e",
            "class A(B, c=D):\n    e = F\n    g = e\n\n    def h(self):\n        return E",
        ),
        (
            "def f():\n    class A: pass\n    return lambda a: A",
            "def F():\n\n    class A:\n        pass\n    return lambda a: A",
        ),
    ],
    ids=["dotted", "comprehension", "function", "import", "import-as-is", "foreign", "inner", "class", "inner-class"],
)
def test_only_what_is_read_from_outside_gets_another_name(code, expected):
    assert renamed(code) == expected

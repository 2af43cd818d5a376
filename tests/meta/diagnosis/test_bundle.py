"""Does a script get all that a piece of code needs, in order, and nothing that is not reached?"""

import bundled
import pytest
import torch

from conformance.diagnosis.bundle import Bundle
from conformance.diagnosis.call_source import NoSourceError


def copied(name):
    bundle = Bundle()
    called = bundle.require(bundled, name)
    definitions = bundle.definitions()
    text = "\n".join([*bundle.imports, *definitions])
    names = {"__name__": __name__}
    exec(text, names)  # noqa: S102 - our own sources
    return text, names[called]


def test_what_two_modules_call_alike_is_told_apart():
    text, both = copied("both")

    assert both(5) == bundled.both(5)
    assert {"def scale(x):", "FACTOR = 3", "import operator as op"} <= set(text.splitlines())
    assert "bundled" not in text
    assert '"""' not in text


def test_each_statement_stands_after_what_it_needs():
    text, of_every_kind = copied("of_every_kind")

    assert of_every_kind(torch.ones(1)) == bundled.of_every_kind(torch.ones(1))
    assert text.index("FACTOR = ") < text.index("with suppress")
    assert text.count("def area(") == text.count("def forward(") == 1


def test_a_method_that_nothing_mentions_is_left_out_with_what_it_needs():
    text, _ = copied("of_every_kind")

    assert "unasked" not in text
    assert "numpy" not in text


def test_raises_of_pytest_is_replaced():
    text, refuse_zero = copied("refuse_zero")

    assert refuse_zero() == bundled.refuse_zero()
    assert "pytest" not in text


def test_a_test_loses_its_decorators():
    text, _ = copied("test_noise_is_refused")

    assert "@decorate" not in text


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("marks", "pytest does not define mark"),
        ("uses_a_module", "the module bundled_too is used as a value"),
        ("needs_numpy", "numpy is needed"),
        ("nowhere", "bundled does not define nowhere"),
    ],
)
def test_what_has_no_source_of_torch_alone_is_named(name, message):
    with pytest.raises(NoSourceError, match=f"^{message}$"):
        copied(name)


def test_modules_are_imported_once_under_the_name_of_their_root():
    bundle = Bundle()

    assert bundle.use_module("torch.utils.checkpoint") == bundle.use_module("torch.utils.checkpoint") == "torch"
    assert bundle.imports == ["import torch", "import torch.utils.checkpoint"]


def test_an_import_whose_name_is_taken_has_another():
    bundle = Bundle()
    bundle.unique("partial")

    assert bundle.use_import("from functools import partial", "partial") == "partial_2"
    assert bundle.imports == ["from functools import partial as partial_2"]

"""Are the options of a check read as they are meant?"""

import pytest

from conformance.cli.check import make_parser


@pytest.mark.parametrize(
    ("given", "field", "value"),
    [
        (("--for=predict,grad", "--for=draws"), "uses", ["predict", "grad", "draws"]),
        (("--accept=order,vmap_embedding_reads_neighbours",), "accept", ["order", "vmap_embedding_reads_neighbours"]),
        (("--only=gr*,order",), "only", ["gr*", "order"]),
        (("--modes=train,eval",), "modes", ["train", "eval"]),
    ],
)
def test_options_take_lists(given, field, value):
    options = make_parser().parse_args(["my:net", "--input=3", *given])

    assert getattr(options, field) == value

"""Does a script that is run in this process end as it would alone, and leave nothing behind?"""

import linecache
import random
import sys
import warnings

import pytest
import torch

from conformance.diagnosis.execution import NAME, run_here


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("raise SystemExit(1)", 1),
        ("raise OSError", 2),
        ("no python", 2),
        ("print('fine')", 0),
        ("import warnings\nwarnings.warn('a slow fallback')", 0),
        ("import sys\nraise SystemExit(3 if vars(sys.modules[__name__]) is globals() else 4)", 3),
        ("import inspect\ndef f(): pass\nraise SystemExit(len(inspect.getsource(f)))", len("def f(): pass\n")),
    ],
    ids=["exits", "raises", "syntax", "ends", "warns", "module", "source"],
)
def test_the_exit_code_is_that_of_the_script(body, code, capsys):
    assert run_here(body) == code
    assert capsys.readouterr().out == ""


def test_generators_filters_and_modules_are_as_before():
    before = torch.get_rng_state(), random.getstate(), list(warnings.filters)

    run_here(
        "import random, warnings\nimport torch\nrandom.seed(5)\ntorch.manual_seed(5)\nwarnings.simplefilter('error')"
    )

    assert torch.equal(torch.get_rng_state(), before[0])
    assert (random.getstate(), list(warnings.filters)) == before[1:]
    assert NAME not in sys.modules
    assert NAME not in linecache.cache

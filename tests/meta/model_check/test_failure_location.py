"""Is the operation, the module and the line named at which an ensemble stops?"""

import os

import pytest
import theirs
import torch
from check_questions import found

from conformance.model_check import failure_location, user_code


@pytest.mark.parametrize(
    ("model", "shape", "check", "operation", "module", "line"),
    [
        ("branch", "3", "own_minibatch", "torch.Tensor.__bool__", "1 (Branch)", "return y if y.sum() > 0 else -y"),
        ("Rectified", "3", "own_minibatch", "aten::rrelu", "Rectified", "return F.rrelu(x, training=True)"),
        ("Fast", "5x4", "backward", "aten::_transformer_encoder_layer_fwd", None, "return self.layer(x)"),
    ],
)
def test_what_blocks_is_an_operation_in_a_module_at_a_line(model, shape, check, operation, module, line):
    told = found(model, check, shape)

    assert told["status"] == "refused"
    assert (told["operation"], told["module"]) == (operation, module)
    name, _, rest = told["source"].partition(":")
    assert name == theirs.__file__
    assert rest.partition(": ")[2] == line


def test_what_stops_in_no_code_of_anybody_has_no_line():
    assert found("mlp", "own_minibatch", "4")["message"].startswith("the plain loop fails")
    assert failure_location.locate_failure(KeyError("x"), lambda: None) == failure_location.FailureLocation(
        None, None, None
    )


def test_the_line_is_ones_own_or_that_of_a_third_one(tmp_path, monkeypatch):
    own, third = tmp_path / "own.py", tmp_path / "site" / "third.py"
    third.parent.mkdir()
    own.write_text("a\nb\n", encoding="utf-8")
    third.write_text("c\n", encoding="utf-8")
    monkeypatch.setattr(user_code, "_SITE", third.parent)
    others = [(torch.__file__, 1), (os.__file__, 1), ("<string>", 1)]

    assert user_code.user_code_line([(str(own), 2), (str(third), 1), *others]) == f"{own}:2: b"
    assert user_code.user_code_line([(str(third), 1), *others]) == f"{third}:1: c"
    assert user_code.user_code_line(others) is None


def test_a_line_that_can_t_be_read_is_none(tmp_path, monkeypatch):
    own = tmp_path / "own.py"
    own.write_text("a\n", encoding="utf-8")

    assert user_code.user_code_line([(str(own), 1000)]) == f"{own}:1000:"
    assert user_code.user_code_line([("x" * 10_000, 1)]) is None
    monkeypatch.setattr(user_code, "read_regular", lambda *_: (_ for _ in ()).throw(OSError))
    assert user_code.user_code_line([(str(own), 1)]) is None

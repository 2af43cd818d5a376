"""Are files of tensors read as data, and is a mistake in one told in a line that names it?"""

import os

import pytest
import torch
from torch import nn

from conformance.model_check import state_files
from conformance.model_check.options import UsageError
from conformance.model_check.state_files import find_state_files, load_file, load_state, read_state_dict

STATE = nn.Linear(3, 2).state_dict()


def saved(folder, content):
    torch.save(content, folder / "state.pt")
    return folder / "state.pt"


@pytest.mark.parametrize(
    "content",
    [
        STATE,
        {"epoch": 3, "state_dict": STATE},
        {"model": STATE},
        {"state_dict": {f"module.{name}": each for name, each in STATE.items()}},
        {f"_orig_mod.{name}": each for name, each in STATE.items()},
    ],
    ids=["plain", "state_dict", "model", "parallel", "compiled"],
)
def test_a_state_dict_is_found_in_a_checkpoint(tmp_path, content):
    model = nn.Linear(3, 2)

    load_state(model, saved(tmp_path, content))

    assert torch.equal(model.weight, STATE["weight"])


class Code:
    def __reduce__(self):
        return os.getcwd, ()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ({"weight": STATE["weight"], "more": STATE["bias"]}, "the state dict lacks bias and has an unexpected more"),
        ({"weight": torch.ones(9), "bias": STATE["bias"]}, "size mismatch for weight"),
        ([1, 2], "expected a state dict, or one under state_dict, model_state_dict, model; it holds a list"),
        ({"epoch": 3}, "it holds the keys epoch"),
        ({3: torch.ones(1)}, "it holds the keys 3"),
        (nn.Linear(3, 2), "holds torch.nn.modules.linear.Linear, and only tensors in plain containers are loaded"),
        (Code(), r"holds \w+\.getcwd, and only tensors"),
    ],
    ids=["names", "shape", "list", "no tensor", "numbers", "module", "code"],
)
def test_what_holds_no_state_of_the_model_is_a_mistake(tmp_path, content, problem):
    with pytest.raises(UsageError, match=f"^--states .*state.pt: .*{problem}") as raised:
        load_state(nn.Linear(3, 2), saved(tmp_path, content))

    assert "\n" not in str(raised.value)


def test_what_torch_did_not_save_is_a_mistake(tmp_path, monkeypatch):
    (tmp_path / "cut.pt").write_bytes(b"PK")
    monkeypatch.setattr(state_files, "LARGEST", 1)

    with pytest.raises(UsageError, match=r"--inputs .*nothing.pt: No such file"):
        load_file(tmp_path / "nothing.pt", "--inputs")
    with pytest.raises(UsageError, match=r"cut.pt: is larger than 1 bytes"):
        load_file(tmp_path / "cut.pt", "--states")
    with pytest.raises(UsageError, match="is not a regular file"):
        load_file(os.devnull, "--states")
    monkeypatch.undo()
    with pytest.raises(UsageError, match=r"cut.pt: is not a file of torch.save: "):
        read_state_dict(tmp_path / "cut.pt")


def test_a_folder_stands_for_its_files(tmp_path):
    (tmp_path / "empty").mkdir()
    for name in ("b.pt", "a.pth", "notes.txt"):
        (tmp_path / name).write_text("")

    assert [each.name for each in find_state_files([str(tmp_path), str(tmp_path / "b*")])] == ["a.pth", "b.pt"]
    with pytest.raises(UsageError, match=r"no file matches \(a folder is searched for .pt, .pth, .ckpt, .bin\)"):
        find_state_files([str(tmp_path / "empty")])

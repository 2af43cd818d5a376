"""Is the spec whole, and does every mistake in it stop a run with a sentence?"""

import pytest
import torch

from conformance.implementations.compiled import CompiledEager
from conformance.implementations.functorch import Functorch
from conformance.implementations.torch_func import TorchFunc
from conformance.spec.coverage import asking_tests, coverage_problem, requirement_of
from conformance.spec.requirements import CHAPTERS, LEVELS, load_requirements

GOOD = 'level = "must"\ntext = "It works."\nsource = "the documentation"\nadded = "0.1.0"\n'


@pytest.fixture
def folder(tmp_path):
    """A spec of one good requirement a chapter."""
    for chapter in CHAPTERS:
        (tmp_path / f"{chapter}.toml").write_text(f"[works]\n{GOOD}", encoding="utf-8")
    return tmp_path


def test_the_spec_is_loaded_chapter_by_chapter():
    loaded = load_requirements()

    assert list(dict.fromkeys(each.chapter for each in loaded.values())) == list(CHAPTERS)
    assert {each.level for each in loaded.values()} == set(LEVELS)
    assert all(identifier == each.id for identifier, each in loaded.items())


def test_a_chapter_says_once_which_version_added_its_requirements(folder):
    (folder / "forward.toml").write_text(
        f'added = "0.0.9"\n[works]\n{GOOD}[flies]\n{GOOD}'.replace('added = "0.1.0"\n[flies]', "[flies]"),
        encoding="utf-8",
    )

    loaded = load_requirements(folder)

    assert (loaded["forward.works"].added, loaded["forward.flies"].added) == ("0.0.9", "0.1.0")


def test_no_two_requirements_say_the_same():
    texts = [each.text for each in load_requirements().values()]

    assert len(set(texts)) == len(texts)


def test_a_requirement_knows_whom_it_is_not_about():
    loaded = load_requirements()

    assert loaded["forward.own_minibatch"].not_about(Functorch()) is None
    assert loaded["stacking.trainable"].not_about(Functorch()) == "it returns detached tensors; see stacking.detached"
    assert loaded["stacking.trainable"].not_about(TorchFunc()) is None
    assert loaded["stacking.tuples"].not_about(TorchFunc()) == "only for functorch: what the legacy API returns"
    assert loaded["stacking.tuples"].not_about(Functorch()) is None
    assert loaded["calling.strict"].not_about(Functorch()) == "functorch has no functional_call"
    assert loaded["calling.strict"].not_about(TorchFunc()) is None
    assert "inference mode" in loaded["gradients.inference_mode"].not_about(CompiledEager())


def test_a_requirement_knows_what_this_torch_has_not(monkeypatch):
    requirement = load_requirements()["training.grad_scaler"]

    assert requirement.not_about(TorchFunc()) is None
    monkeypatch.delattr(torch.amp, "GradScaler")
    assert requirement.not_about(TorchFunc()) == "this torch has no torch.amp.GradScaler"


@pytest.mark.parametrize(("release", "asked"), [("2.7.1", False), ("2.8.0a0+git", True), ("2.13.0+cpu", True)])
def test_a_chapter_knows_which_torch_is_too_old_for_it(monkeypatch, release, asked):
    monkeypatch.setattr(torch, "__version__", release)

    reason = load_requirements()["compiled.call"].not_about(TorchFunc())

    assert reason is None if asked else reason.startswith("before torch 2.8 the compiler can't be asked: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"[works]\n{GOOD}[works]\n{GOOD}", r"spec/forward.toml: Cannot declare \('works',\) twice"),
        ("[works", "spec/forward.toml: "),
        ("works = 3", "spec/forward.toml: .*int"),
        (f'[works]\n{GOOD}colour = "red"', "forward.works: unknown key 'colour'"),
        (f'[works]\n{GOOD}id = "other"', "forward.works: unknown key 'id'"),
        (f"[works]\n{GOOD}".replace("It works.", " "), "forward.works has no text"),
        (f"[works]\n{GOOD}".replace("source", "origin"), "forward.works: unknown key 'origin'"),
        ('[works]\nlevel = "must"\ntext = "It works."', "forward.works has no source"),
        (f"[works]\n{GOOD}".replace("must", "may"), r"forward.works: level: invalid choice 'may' \(choose from must"),
        (f'[works]\n{GOOD}only = {{functorch = ""}}', "forward.works: only needs a reason for each implementation"),
        (f'[works]\n{GOOD}not_for = "functorch"', "spec/forward.toml: "),
        (f"[works]\n{GOOD}".replace("0.1.0", "soon"), "added: expected a version of the suite, got 'soon'"),
        (f"[works]\n{GOOD}".replace('"0.1.0"', "0.1"), "added: expected a version of the suite, got 0.1"),
        (f"[works]\n{GOOD}".replace('added = "0.1.0"', ""), "added: expected a version of the suite, got ''"),
        (f"[works]\n{GOOD}".replace("0.1.0", "999"), "added: 999 is above the suite's own version"),
    ],
    ids=[
        "twice",
        "no-toml",
        "no-table",
        "key",
        "id",
        "text",
        "other-source",
        "source",
        "level",
        "reason",
        "no-dict",
        "version",
        "number",
        "not-added",
        "future",
    ],
)
def test_every_mistake_in_the_spec_is_a_sentence(folder, text, message):
    (folder / "forward.toml").write_text(text, encoding="utf-8")

    with pytest.raises(ValueError, match=message) as caught:
        load_requirements(folder)

    assert "\n" not in str(caught.value)


def test_a_chapter_that_is_missing_or_too_many_is_an_error(folder):
    (folder / "forward.toml").rename(folder / "backward.toml")

    with pytest.raises(ValueError, match=r"the files .*backward.* are not the chapters"):
        load_requirements(folder)


TEST = """
@pytest.mark.parametrize("n", [1])
@pytest.mark.requirement("{}.works")
def test_it(implementation, n):
    assert n
"""


# One test for two requirements: each parameter has a mark.
MARKED_PARAMETERS = """
@pytest.mark.parametrize(
    "n",
    [
        pytest.param(1, marks=pytest.mark.requirement("{0}.works")),
        pytest.param(2, marks=pytest.mark.requirement("{0}.works")),
        pytest.param(3, marks=[pytest.mark.slow, pytest.mark.requirement("{0}.flies")]),
        4,
    ],
)
def test_each(implementation, n):
    assert n
"""


@pytest.fixture
def tests(tmp_path):
    """A suite with one test a chapter, and a helper without a mark."""
    for chapter in CHAPTERS:
        helper = "def helper():\n    return 3\n\n\n@property\ndef other(self):\n    return 4\n"
        (tmp_path / f"test_{chapter}.py").write_text(helper + TEST.format(chapter), encoding="utf-8")
    return tmp_path


def test_the_suite_is_read_without_being_run(folder, tests):
    assert asking_tests(tests)["forward.works"] == ("test_forward.py::test_it",)
    assert coverage_problem(load_requirements(folder), tests) is None
    assert coverage_problem(load_requirements()) is None


def test_marks_on_parameters_count_for_their_test(folder, tests):
    (tests / "test_forward.py").write_text(MARKED_PARAMETERS.format("forward"), encoding="utf-8")

    found = asking_tests(tests)

    assert found["forward.works"] == found["forward.flies"] == ("test_forward.py::test_each",)
    assert "unknown requirement 'forward.flies'" in coverage_problem(load_requirements(folder), tests)


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ("test_each[torch.func-1]", "works"),
        ("test_each[torch.func-3]", "flies"),
        ("test_each[3-torch.func-x]", "flies"),
        ("test_each[torch.func-33]", None),
        ("test_each[torch.func-4]", None),
        ("test_it[1]", "exists"),
        ("test_other", None),
    ],
)
def test_the_parameters_of_a_test_tell_its_requirement(tests, test, expected):
    marked = '@pytest.mark.requirement("forward.exists")\ndef test_it(implementation):\n    pass\n'
    (tests / "test_forward.py").write_text(MARKED_PARAMETERS.format("forward") + marked, encoding="utf-8")

    assert requirement_of(f"test_forward.py::{test}", tests) == (f"forward.{expected}" if expected else None)
    assert requirement_of(f"test_nowhere.py::{test}", tests) is None


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            TEST.format("forward") + TEST.format("forward").replace("works", "flies"),
            "unknown requirement 'forward.flies'",
        ),
        ("", "no test asks for the requirement 'forward.works'"),
        (TEST.format("forward") + TEST.format("calling"), "asks for 'calling.works', which is of another chapter"),
    ],
    ids=["unknown", "untested", "stray"],
)
def test_a_gap_between_spec_and_suite_is_a_sentence(folder, tests, source, message):
    (tests / "test_forward.py").write_text(source, encoding="utf-8")

    assert message in coverage_problem(load_requirements(folder), tests)


def test_a_chapter_may_have_several_files(folder, tests):
    (tests / "test_forward.py").write_text("", encoding="utf-8")
    (tests / "test_forward_more.py").write_text(TEST.format("forward"), encoding="utf-8")

    assert asking_tests(tests)["forward.works"] == ("test_forward_more.py::test_it",)
    assert coverage_problem(load_requirements(folder), tests) is None


def test_a_chapter_without_tests_is_a_gap(folder, tests):
    (tests / "test_forward.py").unlink()

    assert coverage_problem(load_requirements(folder), tests) == "no test asks for the requirement 'forward.works'"

"""Does `conformance check` report as it is asked to: with meanings, as a page, as code?"""

import json

import pytest
from check_questions import MODEL
from check_runs import checking, generate

from conformance.model_check import supervisor
from conformance.model_check.steps import STEPS


@pytest.fixture
def checked(capfd):
    return checking(capfd)


def test_the_meaning_of_all_checks_needs_no_model(checked):
    code, out, err = checked("--explain")

    assert (code, err) == (0, "")
    named = {line.split()[0] for line in out.splitlines() if not line.startswith(" ")}
    assert named == {"members", "snippet", "exit", *STEPS}


def test_each_check_is_explained_below_its_line(checked, monkeypatch):
    events = [("model", MODEL), ("begin", "own_minibatch"), ("end", {"status": "right", "message": ""})]
    events += [("begin", "unknown"), ("end", {"status": "right", "message": ""})]
    monkeypatch.setattr(supervisor, "supervise", generate(*events))

    _, out, _ = checked("my:net", "--input=3", "--explain")

    assert out.splitlines()[3:6] == [
        "own_minibatch     right",
        f"{'':20}Members with a minibatch each give the same outputs as alone, for every module of torch.nn.",
        "unknown           right",
    ]


RIGHT_EVENTS = (
    ("environment", {"torch": "2", "device": "cpu", "threads": 2}),
    ("model", MODEL),
    ("begin", "own_minibatch"),
    ("end", {"status": "right", "message": ""}),
)


def test_a_page_is_written_at_the_end(checked, monkeypatch, tmp_path):
    monkeypatch.setattr(supervisor, "supervise", generate(*RIGHT_EVENTS))

    code, _, err = checked("my:net", "--input=3", "--html", str(tmp_path / "page.html"))

    assert (code, err) == (0, "")
    assert "<title>Ensemble check: my:net</title>" in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_a_page_that_can_t_be_written_is_refused_before_the_model_runs(checked, tmp_path):
    code, out, err = checked("my:net", "--input=3", "--html", str(tmp_path))

    assert (code, out, err) == (4, "", f"ERROR: --html: can't write {tmp_path}: is not a regular file\n")


def test_a_page_that_fails_at_the_end_does_not_lose_the_verdict(checked, monkeypatch):
    monkeypatch.setattr(supervisor, "supervise", generate(*RIGHT_EVENTS))

    code, out, err = checked("my:net", "--input=3", "--html=/dev/full")

    assert (code, err) == (9, "ERROR: --html: can't write /dev/full: No space left on device\n")
    assert out.endswith("VERDICT: RIGHT\n")


def test_code_is_all_that_goes_to_standard_output(checked, monkeypatch):
    answer = {"status": "right", "message": "", "code": "import torch\n"}
    events = (*RIGHT_EVENTS, ("begin", "snippet"), ("end", answer))
    monkeypatch.setattr(supervisor, "supervise", generate(*events))

    code, out, err = checked("my:net", "--input=3", "--snippet")
    _, document, _ = checked("my:net", "--input=3", "--snippet", "--json")

    assert (code, out) == (0, "import torch\n")
    assert "snippet           right\n" in err
    assert err.endswith("VERDICT: RIGHT\n")
    assert json.loads(document)["snippet"] == answer

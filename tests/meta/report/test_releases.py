"""Are the recorded releases found, read, and shown side by side, by the verbs of the command line?"""

import pytest
from packaging.version import Version
from results import MUST, SHOULD, case, document, result

from conformance.cli import explain as explanation
from conformance.cli.main import main
from conformance.report import releases as recorded_releases
from conformance.report import writer
from conformance.report.reader import read_result

CONFORMS, KNOWN = case("conforms"), case("known failure", message="a reason")


@pytest.fixture
def releases(tmp_path, monkeypatch):
    """Three releases: what the second broke, the third mended."""
    folder = tmp_path / "releases"
    folder.mkdir()
    for release, found in (("2.4.1", CONFORMS), ("2.13.0", KNOWN), ("2.14.1", CONFORMS)):
        content = document(found, torch=f"{release}+cpu")
        writer.write_result(folder / f"{release}.json.gz", content)
    monkeypatch.setattr(recorded_releases, "RELEASES", folder)
    monkeypatch.chdir(tmp_path)
    return folder


def test_releases_are_found_by_their_names(releases):
    assert list(map(str, recorded_releases.recorded_release_paths())) == ["2.4.1", "2.13.0", "2.14.1"]
    for name, found in {"2.4": "2.4.1", "2.13.0": "2.13.0", "2": "2.14.1"}.items():
        assert [path.name for path in recorded_releases.find_results(name)] == [f"{found}.json.gz"]
    assert sorted(recorded_releases.find_results(str(releases))) == sorted(
        recorded_releases.recorded_release_paths().values()
    )
    assert recorded_releases.newest_release_up_to(Version("2.13.5")).name == "2.13.0.json.gz"
    assert recorded_releases.newest_release_up_to(Version("2.4.0")) is None


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("2.5", r"no such file or recorded release \(choose from 2.4.1, 2.13.0, 2.14.1\)$"),
        ("2.3.0", "did you mean .2.13.0."),
        ("nonsense", "no such file"),
        ("empty", "contains no result file"),
    ],
)
def test_what_is_not_there_is_said(name, reason, releases):
    (releases.parent / "empty").mkdir()

    with pytest.raises(ValueError, match=reason):
        recorded_releases.find_results(name)


def test_results_are_labelled_by_what_tells_them_apart():
    def labels(*facts):
        return recorded_releases.release_labels([result(**each) for each in facts])

    assert labels({}, {"torch": "2.14.1"}) == ["2.13.0", "2.14.1"]
    assert labels({}, {"device": "cuda"}) == ["2.13.0 cpu", "2.13.0 cuda"]
    assert labels({}, {"name": "b.json"}) == ["2.13.0 result.json", "2.13.0 b.json"]


def test_the_table_has_what_changed_once_it_was_asked():
    names = ["torch.func", "functorch"]
    na, good = (case(status, requirement=SHOULD) for status in ("not applicable", "conforms"))

    def both(status, *more):
        found = [case(status, implementation=name) for name in names]
        return result(*found, *more, implementations=names)

    results = [both("conforms", na), both("fails", good), both("known failure", good)]

    assert recorded_releases.changed_requirements(results) == {"forward.a": ["ok", "FAILS 1", "known 1"]}
    assert list(recorded_releases.added_requirements(results)) == ["stacking: 1 apply since 2.13.0"]
    results[1] = result(case("fails"), case("conforms", implementation="functorch"), implementations=names)
    assert recorded_releases.changed_requirements(results) == {
        "forward.a [torch.func]": ["ok", "FAILS 1", "known 1"],
        "forward.a [functorch]": ["ok", "ok", "known 1"],
        "stacking.b [torch.func]": ["n/a", "not run", "ok"],
    }
    assert recorded_releases.changed_requirements([result(spec={MUST.id: MUST}), both("conforms", na)]) == {
        "forward.a [torch.func]": ["not run", "ok"]
    }


def said(capsys, *arguments):
    code = main(arguments)
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_two_releases_are_compared_in_words(releases, capsys):
    code, out, _ = said(capsys, "compare", "2.13", "2.14")

    assert code == 0
    assert out.splitlines()[-1] == "CHANGED: nothing but known failures; known failures: 1 fixed"


def test_a_folder_is_compared_as_a_table(releases, capsys):
    code, out, _ = said(capsys, "compare", "releases")

    assert code == 0
    assert out.splitlines() == [
        "           2.4.1  2.13.0   2.14.1",
        "forward.a  ok     known 1  ok",
        recorded_releases.LEGEND,
        "2.4.1 to 2.13.0: CHANGED: nothing but known failures; known failures: 1 regressed",
        "2.13.0 to 2.14.1: CHANGED: nothing but known failures; known failures: 1 fixed",
    ]
    assert said(capsys, "compare", "--markdown", "2.4", "2.13")[1].splitlines() == [
        "| requirement | 2.4.1 | 2.13.0 |",
        "| --- | --- | --- |",
        "| `forward.a` | ok | known 1 |",
    ]


@pytest.mark.parametrize("found", [case("fails", message="off"), case("not applicable")], ids=["fails", "gone"])
def test_a_regression_ends_with_1(found, releases, capsys):
    writer.write_result(releases.parent / "new.json", document(found))

    assert said(capsys, "compare", "2.14", "new.json")[0] == 1
    assert said(capsys, "compare", "2.4", "2.14", "new.json")[0] == 1
    assert said(capsys, "compare", "new.json", "2.14")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "page", "title"),
    [
        (["render", "2.13"], "conformance.html", "<title>Ensemble conformance: 2.13.0 cpu</title>"),
        (["render", "releases", "--html", "all.html"], "all.html", "From torch 2.13.0 to 2.14.1"),
        (["compare", "2.4", "2.13", "--html", "two.html"], "two.html", "From torch 2.4.1 to 2.13.0"),
    ],
    ids=["one", "all", "two"],
)
def test_results_are_shown_on_a_page(arguments, page, title, releases, capsys):
    code, out, _ = said(capsys, *arguments)

    assert code == 0
    assert out.splitlines()[-1] == f"page: {page}"
    assert title in (releases.parent / page).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["render"], "required"),
        (["render", "none.json"], "none.json: No such file"),
        (["render", "2.13", "--html", "nowhere/page.html"], "nowhere/page.html: its folder does not exist"),
        (["render", "2.13", "--html", "releases"], "releases: is not a regular file"),
        (["compare", "2.13"], "expected at least two results"),
        (["compare", "2.13", "none.json"], "none.json: No such file"),
        (["compare"], "required"),
        (["explain", "forward.own_minibach"], "did you mean 'forward.own_minibatch'?"),
        (["explain", "forward." + "q" * 50], "forward has forward.own_minibatch"),
        (["explain", "nonsense"], "the chapters are forward, stacking"),
    ],
)
def test_a_mistake_is_one_line_and_ends_with_4(arguments, reason, releases, capsys):
    code, out, err = said(capsys, *arguments)

    assert (code, out) == (4, "")
    assert err.startswith("ERROR: ")
    assert reason in err
    assert err.count("\n") == 1


def test_a_requirement_is_explained(capsys):
    code, out, _ = said(capsys, "explain", "in_dims.dict_by_key")

    assert code == 0
    for line in (
        "in_dims.dict_by_key   must",
        "tests:\n  tests/test_in_dims.py::",
        "  DictsByPosition: ",
        "  torch >=2.10, torch.func, functorch, compiled*, *-same-shape]: bug, wrong: ",
        "      observed: AssertionError with 'output is tensor('\n",
        "      no issue found upstream on 2026-",
        "history:\n",
    ):
        assert line in out
    _, out, _ = said(capsys, "explain", "parity.mixed_devices")
    assert "known failures:\n  none" in out


@pytest.mark.parametrize("name", ["chunking", "chunking.*"])
def test_a_chapter_or_a_pattern_is_explained_in_short(name, capsys):
    code, out, _ = said(capsys, "explain", name)

    assert code == 0
    assert "chunking.any_size   must, core\n  A call with any chunk_size" in out
    assert "\n  known failures: " in out
    assert out.splitlines()[-1].endswith(" requirements; conformance explain ID shows all about one")


def test_what_limits_a_requirement_is_explained():
    compiled = "\n".join(explanation.explain_lines("compiled.legacy"))
    parity = "\n".join(explanation.explain_lines("parity.autocast_operations"))

    assert "since 2.8: " in compiled
    assert "core" not in compiled.partition("\n")[0]
    assert next(iter(explanation.explain_lines("in_dims.none"))) == "in_dims.none   must, core"
    assert "faults that its tests detect:\n  none" not in parity
    assert "faults that its tests detect:\n  none" in "\n".join(
        explanation.explain_lines("stacking.refuses_extra_buffers")
    )
    assert all(len(line) <= 120 for line in explanation.explain_lines("in_dims.none"))


def test_every_recorded_release_can_be_read_and_conforms():
    found = recorded_releases.recorded_release_paths()

    assert len(found) >= 10
    for release, path in found.items():
        result = read_result(path)
        assert result.release == release
        assert result.content["environment"]["device"] == "cpu"
        assert result.content["options"]["profile"] == "full"
        assert result.content["conforms"], path.name

"""Do `conformance reproduce` and `conformance report` run a reproducer and say what it shows?"""

import sys

import pytest
from reproducer_folder import ENTRY, SHOWS, make_folder

from conformance.cli.main import main
from conformance.diagnosis import known_reproducers
from conformance.utils.exit_codes import ExitCode


@pytest.fixture
def reproducers(tmp_path, monkeypatch):
    return make_folder(tmp_path, monkeypatch)


@pytest.fixture
def said(capsys):
    def call(*arguments):
        code = main(arguments)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


@pytest.mark.parametrize(
    ("body", "code", "verdict"),
    [
        (SHOWS, 1, "shows the defect"),
        ("sys.exit(0)\n", 0, "does not show the defect"),
        ("sys.exit(2)\n", 2, "can't tell"),
        ("torch.nothing()\n", 2, "can't tell"),
    ],
    ids=["shown", "not-shown", "no-answer", "exception"],
)
def test_it_prints_the_script_and_what_it_shows_and_exits_as_it_does(reproducers, said, body, code, verdict):
    path = reproducers("times", body)

    ended, printed, errors = said("reproduce", "times")

    assert (ended, errors) == (code, "")
    assert printed.startswith(path.read_text(encoding="utf-8"))
    assert printed.splitlines()[-1] == f"times: {verdict} on torch 2.99.0"


def test_the_issue_has_all_that_upstream_asks_for(reproducers, said):
    source = reproducers("times", f"print('````')\n{SHOWS}").read_text(encoding="utf-8")

    code, printed, _ = said("report", "times")

    assert code == 0
    assert printed.startswith("# It multiplies\n\n## Environment\n\n- torch: 2.99.0\n- python: 3.")
    assert f"\n## Script\n\n`````python\n{source}`````\n\n## Expected\n\nA sum.\n\n" in printed
    assert printed.endswith("## Observed\n\nA product.\n\n`````text\n````\n2 * 2 = 4\n`````\n")


def test_a_bug_that_does_not_show_is_not_reported(reproducers, said):
    reproducers("times", "sys.exit(0)\n")

    assert said("report", "times") == (
        ExitCode.NEGATIVE,
        "",
        "ERROR: nothing to report: times: does not show the defect on torch 2.99.0\n",
    )


@pytest.mark.parametrize("verb", ["reproduce", "report"])
def test_without_an_id_all_are_listed(reproducers, said, verb):
    assert said(verb) == (0, "", "")

    reproducers("times")
    reproducers("by", title="It divides")

    assert said(verb) == (0, "by     It divides\ntimes  It multiplies\n", "")


def test_a_requirement_with_one_reproducer_names_it(reproducers, said):
    reproducers("times", SHOWS, "math.times", "math.times", "math.both")
    reproducers("by", SHOWS, "math.both")
    with known_reproducers.DEFAULT.open("a", encoding="utf-8") as file:
        file.write(ENTRY.format("math.none"))

    assert said("reproduce", "math.times")[0] == 1
    assert said("reproduce", "math.both") == (4, "", "ERROR: math.both has 2 reproducers: times, by\n")
    assert said("reproduce", "math.none") == (4, "", "ERROR: math.none has no reproducer\n")


@pytest.mark.parametrize(
    ("name", "near"), [("tims", "; did you mean 'times'?"), ("math.tims", "; did you mean 'math.times'?"), ("\x1b", "")]
)
def test_an_unknown_name_is_a_usage_error(reproducers, said, name, near):
    reproducers("times", SHOWS, "math.times")

    code, printed, error = said("report", name)

    assert (code, printed) == (ExitCode.USAGE_ERROR, "")
    assert error == f"ERROR: invalid choice {name!r}{near} (without ID the known ones are listed)\n"


def test_without_torch_nothing_can_be_said(reproducers, said, monkeypatch):
    reproducers("times")
    monkeypatch.setenv("PYTHONPATH", "")
    monkeypatch.setattr(known_reproducers, "RUNNER", known_reproducers.FOLDER / "runner.py")
    known_reproducers.RUNNER.write_text("import sys\nprint('OSError: no libtorch')\nsys.exit(8)\n", encoding="utf-8")

    code, _, error = said("report", "times")

    assert code == ExitCode.CANNOT_ANSWER
    assert error == "ERROR: environment can't answer: torch does not import: OSError: no libtorch\n"


def test_the_real_ones_are_listed_without_torch(said, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)

    _, printed, _ = said("reproduce")

    names = [line.split()[0] for line in printed.splitlines()]
    assert names == list(known_reproducers.reproducer_paths())

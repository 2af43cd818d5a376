"""Do the verbs about result files print in one printable way, to a reader that leaves and to a full disk too?"""

import subprocess
import sys
from pathlib import Path

import pytest
from results import case, document

from conformance.cli.main import main
from conformance.report import releases as recorded_releases
from conformance.report import writer
from conformance.spec.expectations import MOST_OF_A_PATH
from conformance.utils.exit_codes import ExitCode
from conftest import ROOT

HOSTILE = "\x1b[2J\u202e|`\r"


@pytest.fixture
def results(tmp_path, monkeypatch):
    """Two results that have commands to a terminal in all of their texts."""
    monkeypatch.chdir(tmp_path)
    for name, status in (("a.json", "conforms"), ("b.json", "fails")):
        content = document(
            case(status, test=f"test{HOSTILE}", message=HOSTILE, implementation=HOSTILE),
            device=HOSTILE,
            implementations=[HOSTILE],
        )
        cell = dict.fromkeys(("implementation", "row", "column", "says"), HOSTILE)
        writer.write_result(tmp_path / name, content | {"tables": {HOSTILE: [cell]}})
    writer.write_result(tmp_path / "empty.json", document() | {"tables": {}})
    return ["a.json", "b.json"]


VERBS = {
    "compare": ["compare", "a.json", "b.json"],
    "markdown": ["compare", "--markdown", "a.json", "b.json"],
    "several": ["compare", "a.json", "b.json", "a.json"],
    "tables": ["tables", "a.json", "empty.json"],
    "render": ["render", "a.json", "--html", "page\x1b.html"],
    "missing": ["compare", "a.json", "b\x1b.json"],
    "unknown": ["explain", "forward.\x1b"],
    "option": ["tables", "--\x1b\n"],
}


@pytest.mark.parametrize("arguments", VERBS.values(), ids=VERBS)
def test_nothing_that_is_quoted_reaches_the_terminal_as_a_command(arguments, results, capsys):
    main(arguments)

    printed = capsys.readouterr()
    assert printed.out or printed.err
    assert all(line.isprintable() for line in (printed.out + printed.err).split("\n"))


def test_a_cell_of_a_markdown_table_ends_where_it_should(results, capsys):
    main(["tables", *results])

    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert len(lines) == 6
    assert all(line.replace(r"\|", "").count("|") == 3 for line in lines)


def test_a_result_without_tables_says_so(results, capsys):
    assert main(["tables", "empty.json"]) == 0
    assert capsys.readouterr().out == "2.13.0 has no tables\n"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["compare", "x" * 300, "a.json"], "File name too long"),
        (["compare", "9" * 200, "a.json"], "no such file or recorded release"),
        (["render", "a.json", "--html", "x" * 300], "File name too long"),
        (["tables", "x" * 100_000], "File name too long"),
        (["tables"], "required"),
        (["recover"], "required"),
        (["explain", "x" * 100_000], "invalid choice"),
    ],
    ids=lambda each: str(each)[:40],
)
def test_a_name_of_any_length_is_answered_in_a_line(arguments, reason, results, capsys):
    code = main([each[:100_000] for each in arguments])

    printed = capsys.readouterr()
    assert (code, printed.out) == (ExitCode.USAGE_ERROR, "")
    assert printed.err.count("\n") == 1
    assert reason in printed.err
    assert len(printed.err) < MOST_OF_A_PATH + 500


def verb(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "conformance", *arguments],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=120,
        **options,
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("arguments", [["compare", "2.8", "2.15"], ["tables", "2.8"], ["tables", "--help"]], ids=str)
def test_a_disk_that_is_full_is_told_in_a_line(arguments):
    with Path("/dev/full").open("w") as full:
        ended = verb(*arguments, stdout=full)

    assert ended.returncode == ExitCode.CANNOT_WRITE
    assert ended.stderr == "ERROR: can't write to standard output: No space left on device\n"


def test_a_reader_that_has_seen_enough_is_no_error():
    with subprocess.Popen(
        [sys.executable, "-c", "print(input())"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as reader:
        ended = verb("tables", "2.15", stdout=reader.stdin)
        reader.stdin.close()
        seen = reader.stdout.read()

    assert (ended.returncode, ended.stderr) == (0, "")
    assert seen.startswith(b"| optimizers |")


@pytest.mark.parametrize("unreadable", ["is_dir", "iterdir"])
def test_a_folder_that_can_not_be_read_is_told_in_a_line(unreadable, tmp_path, monkeypatch):
    def refuse(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, unreadable, refuse)

    with pytest.raises(ValueError, match=r": Permission denied$"):
        recorded_releases.find_results(str(tmp_path))

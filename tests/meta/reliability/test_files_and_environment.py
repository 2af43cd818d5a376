"""Does a run keep its verdict, and everybody's files, whatever its files and its surroundings are?"""

import json
import os
import resource
import socket
import stat
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from suite_process import start_suite

ONE = ["--requirement=forward.state_of_the_call", "--implementation=torch.func"]
LONG = "x" * 300


def link(path):
    path.with_name("target").write_text("kept", encoding="utf-8")
    path.symlink_to("target")


def listen(path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


def fail_to_import(path):
    path.write_text("raise ImportError", encoding="utf-8")


def small_files():
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))


def few_descriptors():
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))


def without_input():
    os.close(0)


@dataclass
class Trial:
    """What a run finds, by file name, its options, its exit code, and a word of its output."""

    name: str
    code: int
    word: str
    options: list = field(default_factory=list)
    before: dict = field(default_factory=dict)
    cwd: str | None = None
    limits: object = None
    variables: dict = field(default_factory=dict)
    quick: bool = False

    def __str__(self):
        return self.name


CONFORMS = "VERDICT: CONFORMS"
TRIALS = [
    Trial("result-is-null", 0, CONFORMS, ["--result=/dev/null"], quick=True),
    # Standard output is a file here; where it is a pipe or a terminal, it is written to.
    Trial("result-is-standard-output", 4, "is a symbolic link", ["--result=/dev/stdout"]),
    Trial("result-is-full", 9, "results: can't write /dev/full: No space left", ["--result=/dev/full"], quick=True),
    Trial("result-is-a-pipe", 9, "results: can't write pipe: ", ["--result=pipe"], {"pipe": os.mkfifo}),
    Trial("result-is-a-link", 4, "is a symbolic link", ["--result=link"], {"link": link}, quick=True),
    Trial("result-is-a-dead-link", 4, "is a symbolic link", ["--result=a"], {"a": lambda path: path.symlink_to("b")}),
    Trial("result-is-a-folder", 4, "is not a regular file", ["--result=folder"], {"folder": Path.mkdir}),
    Trial("result-is-a-socket", 4, "is not a regular file", ["--result=socket"], {"socket": listen}),
    Trial("result-in-no-folder", 4, "its folder does not exist", ["--result=no/result.json"]),
    Trial("result-with-a-long-name", 4, "File name too long", [f"--result={LONG}"]),
    Trial("result-with-a-rather-long-name", 4, "File name too long", [f"--result={LONG[:252]}"]),
    Trial("result-in-proc", 4, "can't write /proc/result.json: ", ["--result=/proc/result.json"]),
    Trial("journal-is-a-link", 4, "is not a regular file", ["--result=r"], {"r.partial": link}, quick=True),
    Trial("journal-is-a-folder", 4, "is not a regular file", ["--result=r"], {"r.partial": Path.mkdir}),
    Trial("page-is-full", 9, "page: can't write /dev/full: No space left", ["--html=/dev/full"]),
    Trial("page-is-a-folder", 4, "is not a regular file", ["--html=folder"], {"folder": Path.mkdir}),
    Trial("page-with-a-long-name", 4, "File name too long", [f"--html={LONG}"]),
    Trial("folder-is-not-writable", 0, CONFORMS, cwd="/proc", quick=True),
    Trial("cache-warnings-are-errors", 0, CONFORMS, ["-W", "error::pytest.PytestCacheWarning"], cwd="/proc"),
    Trial("disk-is-full", 0, "results: can't write conformance-result.json: File too large", limits=small_files),
    Trial("disk-is-full-for-what-is-asked", 9, "File too large", ["--result=r.json"], limits=small_files),
    Trial("expectations-are-a-pipe", 4, "is not a regular file", ["--expectations=pipe"], {"pipe": os.mkfifo}),
    Trial("expectations-are-endless", 4, "is not a regular file", ["--expectations=/dev/zero"]),
    Trial("expectations-with-a-long-name", 4, "File name too long", [f"--expectations={LONG}"]),
    Trial("device-profile-is-a-pipe", 4, "is not a regular file", ["--device-profile=pipe"], {"pipe": os.mkfifo}),
    Trial("baseline-is-a-pipe", 4, "is not a regular file", ["--compare=pipe"], {"pipe": os.mkfifo}),
    Trial("baseline-with-a-long-name", 4, "File name too long", [f"--compare={LONG}"]),
    Trial("seed-of-400-digits", 4, "--seed", [f"--seed=1{'0' * 400}"]),
    Trial("assertions-are-off", 4, "python -O", variables={"PYTHONOPTIMIZE": "1"}),
    Trial(
        "no-torch", 8, "torch does not import", before={"torch.py": lambda path: path.write_text("raise ImportError")}
    ),
    Trial("ascii-output", 0, CONFORMS, variables={"PYTHONIOENCODING": "ascii", "LC_ALL": "C"}),
    Trial("no-home", 0, CONFORMS, variables={"HOME": "/nonexistent", "TMPDIR": "/nonexistent"}),
    Trial("narrow-terminal", 0, CONFORMS, variables={"COLUMNS": "1"}),
    Trial("few-descriptors", 0, CONFORMS, ["-n", "2"], limits=few_descriptors),
    Trial("no-input", 0, CONFORMS, limits=without_input),
    Trial("options-of-pytest", 4, "nonsense", variables={"PYTEST_ADDOPTS": "--nonsense"}),
]


def marked(trial):
    return pytest.param(trial, marks=() if trial.quick else (pytest.mark.whole,), id=trial.name)


@pytest.mark.parametrize("trial", [marked(trial) for trial in TRIALS])
def test_a_file_or_a_surrounding_costs_no_verdict_and_no_file(tmp_path, trial, record_property):
    for name, make in trial.before.items():
        make(tmp_path / name)
    kinds = {name: stat.S_IFMT(os.lstat(tmp_path / name).st_mode) for name in trial.before}

    run = start_suite(
        tmp_path, *ONE, *trial.options, files=False, cwd=trial.cwd, limits=trial.limits, variables=trial.variables
    ).wait(120)

    assert run.code == trial.code, run.printed[-3000:]
    assert trial.word in run.printed
    assert "Traceback" not in run.printed
    assert "INTERNALERROR" not in run.printed
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    assert {name: stat.S_IFMT(os.lstat(tmp_path / name).st_mode) for name in trial.before} == kinds
    if (tmp_path / "target").exists():
        assert (tmp_path / "target").read_text(encoding="utf-8") == "kept"
    assert list(tmp_path.glob("*.json.*partial")) == []
    assert run.killed == []
    record_property("trial", "files and surroundings of a run")


@pytest.mark.whole
def test_a_pipe_that_is_read_gets_the_result(tmp_path, record_property):
    os.mkfifo(tmp_path / "pipe")
    read = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_bytes()))
    reader.start()

    run = start_suite(tmp_path, *ONE, "--result=pipe", files=False).wait(120)
    reader.join()

    assert run.code == 0
    assert json.loads(read[0])["conforms"]
    record_property("trial", "files and surroundings of a run")


def test_two_runs_with_one_result_are_both_whole(tmp_path, record_property):
    runs = [start_suite(tmp_path, *ONE) for _ in range(2)]
    for run in runs:
        run.wait(120)

    assert [run.code for run in runs] == [0, 0], runs[0].printed
    assert runs[0].result.content["conforms"]
    assert {path.name for path in tmp_path.iterdir()} == {
        *("printed.txt", "result.json", "page.html", "junit.xml", ".pytest_cache")
    }
    record_property("trial", "files and surroundings of a run")

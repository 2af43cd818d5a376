"""Does a file that is small on disk stay small in memory and on the clock, whatever reads it?"""

import re
import subprocess
import sys

import pytest
from bombs import BOMBS, LARGE, compressed
from toml_bombs import TOML_BOMBS

from conftest import ROOT

MOST_MEGABYTES = 500
# Several times what each takes: other processes share the machine.
SECONDS = 60
RUN = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
{body}
with open("/proc/self/status") as status:
    (peak,) = (int(line.split()[1]) for line in status if line.startswith("VmHWM"))
print(f"\\npeak {{peak // 1024}} code {{int(code)}}")
"""
VERB = RUN.format(body="from conformance.cli.main import main\ncode = main(sys.argv[1:])")
LOAD = RUN.format(
    body="""
from pathlib import Path
from conformance.devices.profile import load_profile
from conformance.spec.expectations import load_expectations
code = 0
for load in (load_expectations, load_profile):
    try:
        found = load(Path(sys.argv[1]), {"forward.a"})
        if load is load_expectations:
            for _ in range(500):
                for each in found:
                    each.covers_test("forward.a", "test_a[" + "a" * 200 + "]")
            for each in found:
                each.covers_environment(torch="2.13.0", device="a" * 50, implementation="a" * 50)
    except ValueError as mistake:
        assert str(mistake).isprintable(), mistake
        assert len(str(mistake)) < 600, mistake
        code = 4
"""
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is read from /proc")


def peak(code, *arguments, cwd):
    """The exit code and the megabytes that a process took at most."""
    ended = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=cwd,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    found = re.search(r"peak (\d+) code (\d+)$", ended.stdout.rstrip())
    assert found, ended.stdout[-1_000:] + ended.stderr[-3_000:]
    return int(found[2]), int(found[1]), ended.stderr


def bomb(name, tmp_path):
    path = tmp_path / "bomb.json.gz"
    path.write_bytes(compressed(name))
    return path


@pytest.mark.whole
@pytest.mark.parametrize("name", [*BOMBS, "members"])
def test_a_bomb_is_refused_in_one_line(name, tmp_path):
    path = bomb(name, tmp_path)

    code, megabytes, errors = peak(VERB, "tables", path, cwd=tmp_path)

    assert megabytes < MOST_MEGABYTES
    assert code == 4
    assert re.fullmatch(r"ERROR: [ -~]{1,500}\n", errors)


ARGUMENTS = {"compare": ["compare"], "markdown": ["compare", "--markdown"], "render": ["render"], "tables": ["tables"]}


@pytest.mark.whole
@pytest.mark.parametrize("verb", ARGUMENTS)
@pytest.mark.parametrize("name", LARGE)
def test_what_is_just_not_refused_is_shown(name, verb, tmp_path):
    path = bomb(name, tmp_path)
    others = [path] * verb.startswith(("compare", "markdown"))

    code, megabytes, errors = peak(VERB, *ARGUMENTS[verb], path, *others, cwd=tmp_path)

    assert megabytes < MOST_MEGABYTES
    assert (code, errors) == (0, "")


@pytest.mark.parametrize("name", TOML_BOMBS)
def test_a_toml_file_stays_small(name, tmp_path):
    path = tmp_path / "bomb.toml"
    path.write_text(TOML_BOMBS[name](), encoding="utf-8")

    _, megabytes, _ = peak(LOAD, path, cwd=tmp_path)

    assert megabytes < MOST_MEGABYTES


def test_a_journal_stays_small(tmp_path):
    (tmp_path / "large.partial").write_bytes(b"".join(b'{"began":"%x"}\n' % i for i in range(3_000_000)))

    code, megabytes, _ = peak(VERB, "recover", tmp_path / "large.partial", cwd=tmp_path)

    assert code == 4
    assert megabytes < MOST_MEGABYTES


@pytest.mark.parametrize("name", ["empty-arrays", "most-failures"])
def test_the_kinds_that_took_most_stay_small(name, tmp_path):
    _, megabytes, _ = peak(VERB, "render", bomb(name, tmp_path), cwd=tmp_path)

    assert megabytes < MOST_MEGABYTES

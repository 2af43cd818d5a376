"""Are only regular files read whole and replaced?"""

import os
import socket
import stat
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from conformance.utils.files import read_regular, write_file, write_problem


def make_pipe(path):
    os.mkfifo(path)


def make_folder(path):
    path.mkdir()


def make_link(path):
    target = path.with_name("target")
    target.write_bytes(b"kept")
    path.symlink_to(target)


def make_dangling_link(path):
    path.symlink_to(path.with_name("nothing"))


def make_socket(path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


def test_a_regular_file_is_read_up_to_a_limit(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")

    assert read_regular(path, 100) == b"0123456789"
    assert read_regular(path, 4) == b"01234"


@pytest.mark.parametrize("make", [make_pipe, make_folder, make_socket], ids=lambda each: each.__name__)
def test_nothing_else_is_read(tmp_path, make):
    make(tmp_path / "file")

    with pytest.raises(OSError):  # noqa: PT011 - a folder and a socket have messages of the system's
        read_regular(tmp_path / "file", 100)


def test_a_link_to_a_regular_file_is_read(tmp_path):
    make_link(tmp_path / "file")

    assert read_regular(tmp_path / "file", 100) == b"kept"


def test_a_device_is_not_read():
    with pytest.raises(OSError, match="regular"):
        read_regular(Path("/dev/zero"), 100)


def test_a_regular_file_is_replaced(tmp_path):
    path = tmp_path / "file"
    write_file(path, b"old")
    before = path.stat().st_ino
    write_file(path, b"new")

    assert path.read_bytes() == b"new"
    assert path.stat().st_ino != before
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("make", [make_folder, make_link, make_dangling_link, make_socket], ids=lambda e: e.__name__)
def test_nothing_else_is_replaced(tmp_path, make):
    path = tmp_path / "file"
    make(path)
    before = sorted((each.name, os.lstat(each).st_ino) for each in tmp_path.iterdir())

    with pytest.raises(OSError, match=r"symbolic|regular"):
        write_file(path, b"new")

    assert sorted((each.name, os.lstat(each).st_ino) for each in tmp_path.iterdir()) == before
    assert (tmp_path / "target").read_bytes() == b"kept" if make is make_link else True


def test_a_device_is_written_to():
    write_file(Path("/dev/null"), b"new")

    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_a_full_device_is_an_error():
    with pytest.raises(OSError, match="space"):
        write_file(Path("/dev/full"), b"new")


def test_a_pipe_is_written_to_and_never_waited_for(tmp_path):
    path = tmp_path / "pipe"
    make_pipe(path)
    with pytest.raises(OSError, match=r"No such device|ENXIO"):
        write_file(path, b"nobody reads")
    # More than a pipe holds: writing waits for the reader.
    data = b"x" * 1_000_000
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    writer = threading.Thread(target=write_file, args=(path, data))

    writer.start()
    read = b""
    while len(read) < len(data):
        with suppress(BlockingIOError):
            read += os.read(handle, len(data))
    writer.join()
    os.close(handle)

    assert read == data
    assert stat.S_ISFIFO(path.stat().st_mode)


def test_a_file_that_can_not_be_replaced_stays(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_file(path, b"old")

    def fail(self, target):
        raise OSError("on purpose")

    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(OSError, match="on purpose"):
        write_file(path, b"new")

    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("path", "word"),
    [("no/such/folder", "folder"), ("x" * 300, "long"), ("nothing", None)],
    ids=["folder", "long", "new"],
)
def test_a_problem_is_told_before(tmp_path, path, word):
    problem = write_problem(tmp_path / path)

    assert word in problem if word else problem is None

"""Files that a user names: only regular ones are read, without waiting, and only up to a limit."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from metrix_channels.files import FileTooLarge, NotRegular, UnreadableFile, open_regular, read_regular, remedy_for


@pytest.fixture
def others(tmp_path: Path) -> dict[str, Path]:
    """Everything that can stand in a file's place."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(tmp_path / "socket"))
    names = ("pipe", "folder", "link", "socket")
    return {**{name: tmp_path / name for name in names}, "device": Path("/dev/zero")}


@pytest.mark.parametrize("kind", ["pipe", "folder", "link", "socket", "device"])
def test_only_a_regular_file_is_read(others: dict[str, Path], kind: str) -> None:
    """A named pipe would wait for a writer, and a device might never end. The error says what to do instead."""
    with pytest.raises(NotRegular) as caught:
        read_regular(others[kind], 10)
    assert "not a regular file" in caught.value.strerror
    assert "Name a regular file" in (remedy_for(caught.value) or "")


def test_a_link_to_a_regular_file_is_one(tmp_path: Path) -> None:
    """So that a configuration may be mounted as links."""
    (tmp_path / "file").write_bytes(b"text")
    (tmp_path / "link").symlink_to("file")
    assert read_regular(tmp_path / "link", 4) == b"text"


def test_no_more_than_the_limit_is_read(tmp_path: Path) -> None:
    """Up to it, the whole file."""
    (tmp_path / "file").write_bytes(b"12345")
    assert read_regular(tmp_path / "file", 5) == b"12345"
    with pytest.raises(FileTooLarge, match="larger than 4 bytes"):
        read_regular(tmp_path / "file", 4)


def test_a_file_that_is_not_there_is_the_systems_own_error(tmp_path: Path) -> None:
    """Each caller says in its own words what is missing."""
    with pytest.raises(FileNotFoundError):
        read_regular(tmp_path / "file", 10)
    with pytest.raises(UnreadableFile, match="the path is not valid"):
        read_regular(Path("nul\0"), 10)


def test_what_is_refused_is_closed(others: dict[str, Path]) -> None:
    """A server that is asked again and again keeps no descriptor."""
    before = len(list(Path("/dev/fd").iterdir()))
    for path in others.values():
        with pytest.raises(NotRegular):
            open_regular(path)
    assert len(list(Path("/dev/fd").iterdir())) == before

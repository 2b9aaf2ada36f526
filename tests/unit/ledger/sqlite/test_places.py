"""The files of a ledger in use are known to be in their places, by few looks, and missed at once."""

import os
import time
from pathlib import Path

import pytest

from metrix_channels.ledger.sqlite import places
from metrix_channels.ledger.sqlite.places import FilesInUse, place_of

NAMES = ("l.db", "l.db-wal", "l.db-shm")
LATER = 10
"""Seconds after the folder changed."""


@pytest.fixture
def folder(tmp_path):
    """A folder with the files of a ledger."""
    folder = tmp_path / "here"
    folder.mkdir()
    for name in NAMES:
        (folder / name).write_bytes(b"1")
    return folder


@pytest.fixture
def files(folder):
    """The files in use."""
    files = FilesInUse(folder / "l.db")
    files.remember(place_of(str(folder / "l.db")))
    return files


@pytest.fixture(params=["at first", "later"])
def moment(request, folder, files):
    """The first commits after the folder changed, and those of later times."""
    clock = folder.with_name("clock")
    while not clock.exists() or clock.stat().st_ctime_ns <= folder.stat().st_ctime_ns:  # it counts in steps
        clock.write_bytes(b"")
    if request.param == "later":
        at = time.time() + LATER
        os.utime(folder / "l.db-wal", (at, at))
        assert files.are_in_place()
    return request.param


def delete(folder, name):
    (folder / name).unlink()


def replace(folder, name):
    (folder / "new").write_bytes(b"1")
    (folder / "new").replace(folder / name)


def move(folder, name):
    (folder / name).rename(folder / "elsewhere")


def move_folder(folder, name):
    folder.rename(folder.with_name("there"))


def replace_folder(folder, name):
    move_folder(folder, name)
    folder.mkdir()
    for each in folder.with_name("there").iterdir():
        (folder / each.name).write_bytes(each.read_bytes())


def restore(folder, name):
    """Replace a file and set all times of the folder back, as a restored backup does."""
    before = folder.stat()
    replace(folder, name)
    os.utime(folder, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.usefixtures("moment")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("change", [delete, replace, move, move_folder, replace_folder, restore])
def test_a_file_that_goes_away_is_missed_at_once(change, name, folder, files):
    """Whichever of the three, and whatever time has passed since the folder changed before."""
    assert files.are_in_place()
    change(folder, name)
    assert not files.are_in_place()
    assert files.leads_to_ledger() == ((folder / "l.db").exists() and name != "l.db" and change != replace_folder)


@pytest.mark.usefixtures("moment")
def test_other_files_of_the_folder_do_not_matter(folder, files):
    """They come and go."""
    (folder / "report.csv").touch()
    assert files.are_in_place()
    (folder / "report.csv").unlink()
    assert files.are_in_place()


def test_a_quiet_folder_is_all_that_is_looked_at(moment, folder, files, monkeypatch):
    """Soon after a change, a second one could get the same time, so that each file is looked at."""
    assert files.are_in_place()
    seen = []
    look = os.stat
    monkeypatch.setattr(places.os, "stat", lambda path: seen.append(Path(path).name) or look(path))
    assert files.are_in_place()
    monkeypatch.undo()
    assert set(seen) == ({"here"} if moment == "later" else {"here", *NAMES})


@pytest.mark.parametrize("has_log", [True, False])
def test_a_ledger_may_have_no_log(has_log, folder):
    """Then its own file is the one that is written."""
    if not has_log:
        for name in NAMES[1:]:
            (folder / name).unlink()
    at = time.time() + LATER
    os.utime(folder / NAMES[has_log], (at, at))
    files = FilesInUse(folder / "l.db")
    assert not files.has_log
    files.remember(place_of(str(folder / "l.db")))
    assert files.has_log == has_log
    assert files.are_in_place()
    (folder / "l.db").unlink()
    assert not files.are_in_place()


def test_a_missing_file_has_no_place(tmp_path):
    """Nor one below a file."""
    (tmp_path / "file").touch()
    assert place_of(str(tmp_path / "missing")) is place_of(str(tmp_path / "file" / "x")) is None

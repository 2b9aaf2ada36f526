"""A configuration that is edited while the process runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from metrix_channels.config import Config, ConfigFile, live
from metrix_channels.errors import ConfigError

TEXT = "version: 1\nmetrix: {app_id: a, api_key: '${KEY}'}\nchannels: {sms: {type: sms, verified: true}}\n"


def test_an_unchanged_file_is_read_once(tmp_path: Path) -> None:
    """The same object as long as the file is the same."""
    path = tmp_path / "channels.yaml"
    path.write_text(TEXT)
    file = ConfigFile(path, {})
    assert file.path == path
    assert file.current() is file.current()


def test_an_edit_counts_at_once(tmp_path: Path) -> None:
    """A verification that is withdrawn is withdrawn, also when the file is replaced by another of its size."""
    path = tmp_path / "channels.yaml"
    path.write_text(TEXT)
    file = ConfigFile(path, {})
    assert file.current().channel("sms").verified is True
    (tmp_path / "new").write_text(TEXT.replace("true}", "false}"))
    (tmp_path / "new").replace(path)
    assert file.current().channel("sms").verified is False


def test_an_edit_in_place_counts_though_the_size_stays(tmp_path: Path) -> None:
    """The time of the change tells."""
    path = tmp_path / "channels.yaml"
    path.write_text(TEXT.replace("true}", "true }"))
    file = ConfigFile(path, {})
    assert file.current().channel("sms").verified is True
    time = path.stat().st_mtime_ns
    path.write_text(TEXT.replace("true}", "false}"))
    os.utime(path, ns=(time, time + 1))
    assert file.current().channel("sms").verified is False


def test_a_recent_look_need_not_be_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within ten milliseconds one look serves many requests, unless it is forgotten; `current` always looks."""
    clock = [100.0]
    monkeypatch.setattr(live.time, "monotonic", lambda: clock[0])
    path = tmp_path / "channels.yaml"
    path.write_text(TEXT)
    file = ConfigFile(path, {})
    assert file.recent().channel("sms").verified is True
    path.write_text(TEXT.replace("true}", "false}"))
    clock[0] += 0.009
    assert file.recent().channel("sms").verified is True
    clock[0] += 0.002
    assert file.recent().channel("sms").verified is False
    path.write_text(TEXT)
    assert file.current().channel("sms").verified is True
    path.write_text(TEXT.replace("true}", "false}"))
    file.forget_look()
    assert file.recent().channel("sms").verified is False


def test_who_changes_what_is_loaded_changes_every_look(tmp_path: Path) -> None:
    """The guided test of a channel sends through it before the file says that it is verified."""

    class UnderTest(ConfigFile):
        def load(self) -> Config:
            return evolve(super().load(), version=7)

    path = tmp_path / "channels.yaml"
    path.write_text(TEXT)
    file = UnderTest(path, {})
    assert [file.current().version, file.recent().version] == [7, 7]


def test_a_recent_look_at_a_broken_file_does_not_count(tmp_path: Path) -> None:
    """While the file has errors, each call says so."""
    path = tmp_path / "channels.yaml"
    path.write_text(TEXT)
    file = ConfigFile(path, {})
    file.current()
    path.write_text("channels: [")
    with pytest.raises(ConfigError):
        file.current()
    with pytest.raises(ConfigError):
        file.recent()


def test_an_edit_while_the_file_is_read_counts_the_next_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read is what the file was before: the look at the file's times comes first."""
    path = tmp_path / "channels.yaml"
    path.write_text(TEXT)
    file = ConfigFile(path, {})
    read = live.read_yaml

    def read_and_edit(*arguments: Any, **options: Any) -> Any:
        document = read(*arguments, **options)
        path.write_text(TEXT.replace("true}", "false}"))
        return document

    monkeypatch.setattr(live, "read_yaml", read_and_edit)
    file.current()
    assert file.current().channel("sms").verified is False


def test_a_broken_edit_is_an_error_each_time(tmp_path: Path) -> None:
    """No answer is given from a file that is no longer there; once it is mended, all is well."""
    path = tmp_path / "channels.yaml"
    path.write_text(TEXT)
    file = ConfigFile(path, {})
    file.current()
    path.write_text(TEXT + "x: 1\n")
    codes = []
    for _ in range(2):
        with pytest.raises(ConfigError) as caught:
            file.current()
        codes.append(caught.value.code)
    path.unlink()
    with pytest.raises(ConfigError) as caught:
        file.current()
    assert [*codes, caught.value.code] == ["config_key_unknown", "config_key_unknown", "config_missing"]
    path.write_text(TEXT)
    assert file.current().channel("sms").verified is True


def test_the_folder_may_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path keeps meaning the same file, and locations keep its short name."""
    (tmp_path / "channels.yaml").write_text(TEXT)
    monkeypatch.chdir(tmp_path)
    file = ConfigFile(Path("channels.yaml"), {})
    monkeypatch.chdir("/")
    assert file.current().path == tmp_path / "channels.yaml"
    assert file.current().channel("sms").location == "channels.yaml:3:29"


def test_another_file_of_the_same_size_and_time_counts(tmp_path: Path) -> None:
    """A copy that keeps the time of its original is known by its inode."""
    path, other = tmp_path / "channels.yaml", tmp_path / "new"
    path.write_text(TEXT)
    file = ConfigFile(path, {})
    assert file.current().metrix.app_id == "a"
    other.write_text(TEXT.replace("app_id: a", "app_id: b"))
    before = path.stat()
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)
    assert path.stat().st_size == before.st_size
    assert file.current().metrix.app_id == "b"


def test_an_edit_that_keeps_the_time_is_known_by_its_size(tmp_path: Path) -> None:
    """As some editors and deployments keep it, or a clock that was set back."""
    path = tmp_path / "channels.yaml"
    path.write_text(TEXT)
    file = ConfigFile(path, {})
    assert file.current().channel("sms").verified is True
    before = path.stat()
    path.write_text(TEXT.replace("true}", "false}"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_ino == before.st_ino
    assert file.current().channel("sms").verified is False

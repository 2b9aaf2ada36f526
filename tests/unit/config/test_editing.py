"""Recording a verification changes the record and nothing else."""

from __future__ import annotations

import errno
import os
import stat
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrix_channels.config import Verification, editing, load_config
from metrix_channels.config.editing import _edit_text, record_verification
from metrix_channels.config.loading import make_config
from metrix_channels.config.strict_yaml import parse_yaml
from metrix_channels.errors import ConfigError
from metrix_channels.printable import is_text

TODAY = Verification(at=date(2026, 11, 23), by="sara@example.com", app_id="012", expires=timedelta(days=90))
FLOW = '{at: 2026-11-23, by: sara@example.com, app_id: "012", expires: 90d}'
HEAD = """\
# how we reach people
version: 1
metrix:
  app_id:    "a1"      # aligned
  api_key: ${KEY}

suppress:
    - 'optout.csv'   # quoted
channels:
"""


def record(folder: Path, before: str, *, channel: str = "a") -> str:
    """Record today's test in a file and return the file's new text."""
    path = folder / "channels.yaml"
    path.write_bytes(before.encode())
    record_verification(path, channel, TODAY, {})
    assert load_config(path, {}).channel(channel).verified == TODAY
    return path.read_bytes().decode()


CASES = {
    "flow": ("  a:  {type: sms,  verified: false}  # why\n", f"  a:  {{type: sms,  verified: {FLOW}}}  # why\n"),
    "flow, first": ("  a: {verified: true, type: sms}\n", f"  a: {{verified: {FLOW}, type: sms}}\n"),
    "flow, absent": ("  a: {type: sms}  # why\n  # next\n", f"  a: {{type: sms, verified: {FLOW}}}  # why\n  # next\n"),
    "flow, comma": ("  a: {\n   'type': sms,\n  }\n", f"  a: {{\n   'type': sms, verified: {FLOW},\n  }}\n"),
    "flow, record": ("  a: {type: sms, verified: {at: 2026-01-01,\n by: b}}", f"  a: {{type: sms, verified: {FLOW}}}"),
    "block": (
        "  a:\n    verified: false # not yet\n\n    # the type\n    type: sms\n",
        f"  a:\n    verified: {FLOW} # not yet\n\n    # the type\n    type: sms\n",
    ),
    "block, absent": (
        "  a:\n    type: sms # it\n\n  # the next\n  b: {type: sms}\n",
        f"  a:\n    type: sms # it\n    verified: {FLOW}\n\n  # the next\n  b: {{type: sms}}\n",
    ),
    "block, absent, at the end": ("  a:\n    type: sms", f"  a:\n    type: sms\n    verified: {FLOW}"),
    "block, absent, folded": (
        "  a:\n    type: >-\n      sms\n  # z\n",
        f"  a:\n    type: >-\n      sms\n    verified: {FLOW}\n  # z\n",
    ),
    "block, record": (
        "  a:\n    type: sms\n    verified:  # by hand\n      at: 2026-01-01\n      by: bob # gone\n  # stays\n",
        (
            "  a:\n    type: sms\n    verified:  # by hand\n      at: 2026-11-23\n      by: sara@example.com\n"
            '      app_id: "012"\n      expires: 90d # gone\n  # stays\n'
        ),
    ),
    "block, flow record": (
        '  a:\n    type: sms\n    verified: {at: 2026-01-01, note: "x } # y"} # z\n',
        f"  a:\n    type: sms\n    verified: {FLOW} # z\n",
    ),
}


@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["", "bom"])
@pytest.mark.parametrize(("before", "after"), CASES.values(), ids=list(CASES))
def test_every_other_byte_stays(tmp_path: Path, before: str, after: str, mark: str, newline: str) -> None:
    """Comments, order, quotes, alignment and line breaks are the author's."""
    written = record(tmp_path, (mark + HEAD + before).replace("\n", newline))
    assert written == (mark + HEAD + after).replace("\n", newline)


def test_recording_again_replaces_the_record(tmp_path: Path) -> None:
    """The second record of the same test is the same file."""
    once = record(tmp_path, HEAD + "  a:\n    type: sms\n")
    assert record(tmp_path, once) == once


text_of_people = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(
    lambda text: bool(text.strip()) and "${" not in text
)


@given(by=text_of_people, note=text_of_people, days=st.integers(1, 3660), block=st.booleans())
def test_any_text_reads_back(by: str, note: str, days: int, block: bool) -> None:
    """Quotes, control characters, numbers, truths and Persian survive being written."""
    record = Verification(at=date(2026, 1, 2), by=by, note=note, expires=timedelta(days=days))
    old = "\n      at: 2026-01-01\n" if block else " false\n"
    text = _edit_text(HEAD + f"  a:\n    type: sms\n    verified:{old}", "a", record)
    config = make_config(parse_yaml(text, "f"), Path("/f"), {})
    assert config.channel("a").verified == record
    assert all(map(is_text, text.split("\n")))


def test_links_and_modes_stay(tmp_path: Path) -> None:
    """A link keeps pointing at its target, and the target keeps its permissions."""
    (tmp_path / "real").mkdir()
    target = tmp_path / "real" / "target.yaml"
    target.write_text(HEAD + "  a: {type: sms}\n")
    target.chmod(0o640)
    link = tmp_path / "channels.yaml"
    link.symlink_to("real/target.yaml")
    record_verification(link, "a", TODAY, {})
    assert link.is_symlink()
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert load_config(target, {}).channel("a").verified == TODAY
    assert [file.name for file in target.parent.iterdir()] == ["target.yaml"]


@pytest.mark.parametrize(
    ("text", "verification", "code"),
    [
        (HEAD + "  b: {type: sms}\n", TODAY, "channel_unknown"),
        (HEAD + "  a: {type: fax}\n", TODAY, "config_value_invalid"),
        (HEAD + "  a: {type: sms}\n", Verification(at=TODAY.at, by="${USER}"), "environment_refused"),
        (HEAD + "  a: {type: sms}\n", Verification(at=TODAY.at, by=" "), "config_value_invalid"),
        (HEAD + "  a: {type: sms}\n", Verification(at=TODAY.at, by="\ud800"), "yaml_refused"),
        (
            HEAD + "  a: {type: sms}\n",
            Verification(at=TODAY.at, expires=timedelta(microseconds=1_000_001)),
            "config_value_invalid",
        ),
    ],
)
def test_what_would_not_load_is_not_written(tmp_path: Path, text: str, verification: Verification, code: str) -> None:
    """An unknown channel, a broken file, or a record that would not read back: the file stays as it is."""
    path = tmp_path / "channels.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        record_verification(path, "a", verification, {})
    assert caught.value.code == code
    assert path.read_text() == text
    assert [file.name for file in tmp_path.iterdir()] == ["channels.yaml"]


def test_a_file_that_cannot_be_replaced(tmp_path: Path) -> None:
    """A full name leaves no room for the temporary file beside it: one error, and the file stays."""
    path = tmp_path / ("x" * 250 + ".yml")
    path.write_text(HEAD + "  a: {type: sms}\n")
    with pytest.raises(ConfigError) as caught:
        record_verification(path, "a", TODAY, {})
    assert caught.value.code == "file_unwritable"
    assert "verified" not in path.read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
def test_the_owner_stays(tmp_path: Path) -> None:
    """A file that root edits for somebody else stays that user's to read."""
    path = tmp_path / "channels.yaml"
    path.write_text(HEAD + "  a: {type: sms}\n")
    os.chown(path, 4_242, 4_243)
    record_verification(path, "a", TODAY, {})
    assert (path.stat().st_uid, path.stat().st_gid) == (4_242, 4_243)


def test_what_waits_under_the_temporary_name_is_never_written_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a folder that others may write to, a link there would lead the edit to any file."""
    monkeypatch.setattr(editing.secrets, "token_hex", lambda size: "guessed")
    path, victim = tmp_path / "channels.yaml", tmp_path / "victim"
    path.write_text(HEAD + "  a: {type: sms}\n")
    victim.write_text("precious")
    (tmp_path / ".channels.yaml.guessed").symlink_to(victim)
    with pytest.raises(ConfigError) as caught:
        record_verification(path, "a", TODAY, {})
    assert (caught.value.code, victim.read_text()) == ("file_unwritable", "precious")


def test_the_edit_is_on_disk_before_it_takes_the_files_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power loss leaves the old file or the new one, and never an empty one."""
    path = tmp_path / "channels.yaml"
    before = HEAD + "  a: {type: sms}\n"
    path.write_text(before)
    synced: list[tuple[bool, bool]] = []
    fsync = os.fsync

    def recorded(descriptor: int) -> None:
        synced.append((stat.S_ISDIR(os.fstat(descriptor).st_mode), path.read_text() == before))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", recorded)
    record_verification(path, "a", TODAY, {})
    assert synced == [(False, True), (True, False)]


def test_an_edit_that_fails_leaves_no_file_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full when the new file is synced."""

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "channels.yaml"
    path.write_text(HEAD + "  a: {type: sms}\n")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError) as caught:
        record_verification(path, "a", TODAY, {})
    assert caught.value.code == "file_unwritable"
    assert [each.name for each in tmp_path.iterdir()] == ["channels.yaml"]

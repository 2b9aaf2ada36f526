"""The bundle for Metrix's support: whole or not there, and discreet where it was asked to be."""

import errno
import os
import zipfile
from datetime import UTC, datetime

import pytest
from attrs import evolve

from metrix_channels.errors import UsageError
from metrix_channels.ledger import Evidence
from metrix_channels.support.bundle import Application, discreet, write_bundle

EVIDENCE = Evidence(
    id="a1",
    began_at=datetime(2026, 3, 20, 10, tzinfo=UTC),
    seconds=0.25,
    reference="s1",
    path="/push",
    request='{"recipients": ["user-4821"]}',
    code="rejected",
    explanation="Metrix answered 400.",
    status=400,
    answer="no user-4821",
    lines=("user-4821 was refused",),
)
APPLICATION = Application("app-1", "https://entry.metrix.ir")


def test_half_a_bundle_is_removed(tmp_path, monkeypatch):
    """The disk is full in the middle of it: a zip that does not open would be sent to support all the same."""

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    with pytest.raises(UsageError) as caught:
        write_bundle(tmp_path / "bundle.zip", EVIDENCE, APPLICATION)
    assert caught.value.code == "file_unwritable"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("body", [EVIDENCE.request, "user-4821, not as JSON", '{"recipients": ["user-4821"'])
def test_a_discreet_bundle_names_nobody(body):
    """Also of a request that it cannot read: then all of it is left out."""
    assert "user-4821" not in repr(discreet(evolve(EVIDENCE, request=body)))

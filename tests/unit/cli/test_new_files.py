"""Files that a verb writes: new, private and whole, or not there."""

import os
import stat

import pytest

from metrix_channels.cli.new_files import new_file
from metrix_channels.errors import UsageError


def test_only_its_owner_can_read_it(tmp_path):
    """Whatever the umask says: a report names everybody who was written to."""
    before = os.umask(0)
    try:
        with new_file(tmp_path / "report.csv") as file:
            file.write("recipient\n")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "report.csv").stat().st_mode) == 0o600


@pytest.mark.parametrize("target", ["there", "nowhere"])
def test_nothing_is_written_through_a_link(target, tmp_path):
    """Neither over a file nor to where a link leads that points at nothing yet."""
    (tmp_path / "there").write_text("precious")
    (tmp_path / "report.csv").symlink_to(tmp_path / target)
    with pytest.raises(UsageError) as caught, new_file(tmp_path / "report.csv"):
        raise AssertionError("it was opened")
    assert caught.value.code == "file_exists"
    assert (tmp_path / "there").read_text() == "precious"
    assert not (tmp_path / "nowhere").exists()


def test_what_was_written_until_an_error_is_removed(tmp_path):
    """Half a report looks like a whole one."""

    def interrupted():
        with new_file(tmp_path / "report.csv") as file:
            file.write("recipient\n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []

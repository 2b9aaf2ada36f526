"""The wheel, as a user installs it: not the tree that the developers see."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The wheel unpacked into an empty folder that comes first on the path, with the dependencies behind it."""
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def run(installed, *arguments, cwd):
    code = f"import sys; sys.path.insert(0, {str(installed)!r}); from metrix_channels.cli import main; main()"
    environment = {**os.environ, "METRIX_APP_ID": "app", "METRIX_API_KEY": "key-of-nobody"}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def test_the_wheel_owns_one_name_and_it_is_not_that_of_django_channels(wheel):
    """A second package called `channels` would overwrite the files of Django Channels."""
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"metrix_channels"}


def test_the_wheel_carries_everything_that_is_read_at_run_time(wheel):
    """Samples, schema of the ledger, JSON Schema, the pages, the mark of a typed package."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for name in (
        "py.typed",
        "ledger/sqlite/schema.sql",
        "ledger/postgres/002.sql",
        "ledger/postgres/003.sql",
        "config/channels.schema.json",
        "campaign/campaign.schema.json",
        "sandbox/templates/inbox.html.j2",
        "dashboard/templates/campaign.html.j2",
        "campaign/templates/report.html.j2",
        "support/templates/preview.html.j2",
        "pages/templates/base.html.j2",
        "pages/static/style.css",
        "pages/static/live.js",
        "pages/fa.json",
        "samples/channels.example.yaml",
        "samples/campaigns/welcome.yaml",
        "samples/campaigns/welcome.csv",
        "samples/templates/otp/sms.txt.j2",
        "samples/templates/layouts/email.html.j2",
    ):
        assert f"metrix_channels/{name}" in names


def test_init_works_from_the_wheel(installed, tmp_path):
    """The samples come out of the wheel, and what it writes can be previewed at once."""
    result = run(installed, "init", "mine", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    shown = run(installed, "preview", "otp", "--channel", "sms", cwd=tmp_path / "mine")
    assert shown.returncode == 0, shown.stderr
    assert "کد ورود" in shown.stdout


def test_the_demo_works_from_the_wheel(installed, tmp_path):
    """With nothing beside it."""
    result = run(installed, "demo", "--json", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert '"ok": true' in result.stdout

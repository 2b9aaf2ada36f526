"""The wheel and the source distribution, as users get them: not the tree that the developers see."""

import email
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from readme_renderer import markdown

import metrix_channels

ROOT = Path(__file__).parents[2]
LEFT_OUT = {".gitignore", ".ci", ".github"}
"""What the source distribution has no use for."""


@pytest.fixture(scope="module")
def distributions(tmp_path_factory):
    """The folder with the source distribution, and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def wheel(distributions):
    [built] = distributions.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def metadata(wheel):
    """What a package index reads."""
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return email.message_from_bytes(archive.read(name))


@pytest.fixture(scope="module")
def page(metadata):
    """The text that a package index shows."""
    return metadata.get_payload(decode=True).decode("utf-8")


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


def test_every_file_of_the_package_is_in_the_wheel(wheel):
    """A new template or schema needs no list to be added to."""
    tracked = subprocess.run(["git", "ls-files", "channels"], cwd=ROOT, capture_output=True, text=True, check=True)
    with zipfile.ZipFile(wheel) as archive:
        missing = {line.removeprefix("channels/") for line in tracked.stdout.splitlines()} - set(archive.namelist())
    assert missing == set()


def test_every_tracked_file_is_in_the_source_distribution(distributions):
    """Whoever has it can run the tests and read the documentation."""
    [archive] = distributions.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        names = {name.partition("/")[2] for name in opened.getnames()}
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    wanted = {line for line in tracked.splitlines() if line.split("/")[0] not in LEFT_OUT}
    assert wanted - names == set()


def test_the_metadata_says_what_an_index_asks_for(metadata):
    """Name, version, licence with its text, Python, the mark of typing; each extra that the documentation speaks of."""
    assert metadata["Name"] == "metrix-channels"
    assert metadata["Version"] == metrix_channels.__version__
    assert (metadata["License-Expression"], metadata["License-File"]) == ("MIT", "LICENSE")
    assert metadata["Requires-Python"] == ">=3.11"
    assert "Typing :: Typed" in metadata.get_all("Classifier")
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert set(metadata.get_all("Provides-Extra")) >= {"all", "cli", "fa", "fast", "otel", "postgres", "sandbox"}


def test_the_page_on_an_index_renders(page):
    """As `twine check` sees it: the index shows the source of what it cannot render."""
    html = markdown.render(page)
    assert html is not None
    assert re.search("<h2[^>]*>Five minutes to the first message<", html)
    assert "با این کتابخانه" in html


def test_the_page_on_an_index_holds_nothing_that_works_in_a_checkout_alone(page):
    """No relative link, no picture, no `make`, no comment of ours; the code is that of the README."""
    assert re.findall(r"\]\((?!https://)[^)]*\)", page) == []
    assert "<!--" not in page
    assert "-->" not in page
    assert re.findall(r"\$ make|`make ", page) == []
    assert "pip install 'metrix-channels[all]'" in page
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```(?:python|yaml)[^\n]*\n.*?```", page, re.DOTALL)
    assert len(blocks) >= 2
    assert [block for block in blocks if block not in readme] == []


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

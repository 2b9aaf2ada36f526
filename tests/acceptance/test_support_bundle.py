"""`support-bundle`: the five things that Metrix's support asks for, and no secret."""

import json
import sqlite3
import subprocess
import zipfile
import zlib
from contextlib import closing

import pytest

from helpers.encodings import encodings, shown
from helpers.fault_server import Answer, FaultServer
from helpers.project import API_KEY, make_project

CODE = "4081/7263"
ECHOED = ("JSON of PHP", "HTML, decimal", "URL twice", "base64 of JSON, at 1", "line break")


def project_refused(folder, url):
    """A project in which Metrix refused a message."""
    project = make_project(folder, url)
    project.template("otp", "---\nsensitive: [code]\n---\nسلام {{ name }}، کد: {{ code }}")
    project.error("otp", {"name": "سارا", "code": CODE})
    return project


@pytest.fixture
def failed(tmp_path):
    """One where it quoted the key and the message back as they are."""
    with FaultServer([Answer(400, f"سارا is unknown; {API_KEY} {CODE}".encode())]) as server:
        yield project_refused(tmp_path, server.url)


def bundled(metrix, project, *options):
    path = project.folder / "bundle.zip"
    result = metrix("--config", project.config, "support-bundle", "-o", path, *options)
    assert result.status == 0, result.err
    assert path.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def test_it_holds_what_support_asks_for(metrix, failed):
    """APP_ID, the curl request with headers and body, status and body of the answer, the time in UTC, log lines."""
    files = bundled(metrix, failed)
    facts = json.loads(files["attempt.json"])
    assert facts["app_id"] == "app-1"
    assert facts["at"].endswith("Z")
    assert facts["at"] in files["README.txt"]
    assert "app-1" in files["README.txt"]
    for words in ("curl -X POST", "X-Application-Id: app-1", "X-API-Key: ***", "Content-Type: application/json", "u1"):
        assert words in files["request.sh"]
    assert json.loads(files["request.json"])["message"] == {"body": "سلام سارا، کد: ***"}
    assert files["answer.txt"].startswith("Status: 400\n\n")
    assert "سارا is unknown" in files["answer.txt"]
    assert f"attempt={facts['attempt']}" in files["log.txt"]
    assert "metrix-channels" in files["versions.txt"]


def test_the_curl_command_makes_the_same_request(metrix, failed):
    """A shell understands it, quotes and Persian included."""
    with FaultServer([Answer(200)]) as server:
        command = bundled(metrix, failed)["request.sh"]
        host = json.loads(failed.config.read_text())["metrix"]["base_url"]
        words = subprocess.run(
            ["bash", "-c", command.replace("curl", "printf '%s\\0'", 1).replace(host, server.url)],
            capture_output=True,
            check=True,
        ).stdout.decode()
    parts = words.split("\0")
    assert parts[:3] == ["-X", "POST", f"{server.url}/push"]
    assert json.loads(parts[parts.index("--data-raw") + 1])["recipients"] == ["u1"]


@pytest.mark.parametrize("options", [(), ("--without-personal-data",)])
@pytest.mark.parametrize("secret", [API_KEY, CODE])
def test_no_secret_is_in_it_in_any_encoding(metrix, tmp_path, options, secret):
    """Neither the key nor what the template calls sensitive; not in the file's own bytes either."""
    for name in ECHOED:
        form = encodings(secret)[name]
        with FaultServer([Answer(400, f"سارا is unknown; {form}".encode())]) as server:
            folder = tmp_path / name
            folder.mkdir()
            project = project_refused(folder, server.url)
        files = bundled(metrix, project, *options)
        text = "\n".join(files.values()) + (folder / "bundle.zip").read_bytes().decode("latin-1")
        assert "withheld: it contains" in files["answer.txt"], name
        assert shown(text, secret) == [], name


def test_what_an_older_version_kept_is_looked_at_once_more(metrix, failed):
    """It searched for less: answers and log lines in the ledger may hold what is found today."""
    form = encodings(API_KEY)["JSON of .NET"]
    connection = sqlite3.connect(failed.ledger)
    with closing(connection), connection:
        lines = zlib.compress(json.dumps([f"Metrix answered {form}"]).encode())
        changed = (f"You sent {form}", f"Metrix said {form}", lines, zlib.compress(f'{{"key":"{form}"}}'.encode()))
        connection.execute("UPDATE evidence SET answer = ?, explanation = ?, lines = ?, request = ?", changed)
    files = bundled(metrix, failed)
    assert shown("\n".join(files.values()), API_KEY) == []
    for name in ("answer.txt", "log.txt", "README.txt"):
        assert "withheld: it contains the API key" in files[name], name
    assert json.loads(files["request.json"]) == {"key": "***"}


def test_without_personal_data_nobody_is_named(metrix, failed):
    """Neither in the request, nor where the answer and the log quote it."""
    files = bundled(metrix, failed, "--without-personal-data")
    text = "\n".join(files.values())
    assert '"recipients":["recipient-1"]' in files["request.sh"]
    assert '"channel":"SMS"' in files["request.sh"]
    assert "سارا" not in text
    assert "is unknown" in files["answer.txt"]
    assert "app-1" in text


def test_attempts_can_be_listed_and_chosen(metrix, failed):
    """By their own id, or by that of the send."""
    [listed] = metrix("--config", failed.config, "support-bundle", "--list", "--json").document["attempts"]
    assert (listed["status_code"], listed["code"]) == (400, "rejected")
    for name in (listed["id"], listed["reference"]):
        path = failed.folder / f"{name}.zip"
        result = metrix("--config", failed.config, "support-bundle", "-o", path, "--attempt", name, "--json")
        assert result.document["attempt"]["id"] == listed["id"]
    assert listed["id"] in metrix("--config", failed.config, "support-bundle", "--list").out


@pytest.mark.parametrize("options", [["-o", "channels.yaml"], ["-o", "no/such/folder/a.zip"], [], ["--attempt", "a9"]])
def test_what_cannot_be_done_is_said_and_nothing_is_overwritten(metrix, failed, monkeypatch, options):
    """A file that is there, a folder that is not, no file at all, an attempt that is unknown."""
    monkeypatch.chdir(failed.folder)
    before = failed.config.read_bytes()
    output = [] if "-o" in options or not options else ["-o", "b.zip"]
    result = metrix("support-bundle", *output, *options)
    assert result.status == 2
    assert result.err.count("\n") >= 2
    assert failed.config.read_bytes() == before
    assert not (failed.folder / "b.zip").exists()


def test_where_nothing_failed_there_is_nothing_to_bundle(metrix, config):
    """It says so."""
    assert "There are no failed attempts." in metrix("--config", config, "support-bundle", "--list").out
    assert "attempt_missing" in metrix("--config", config, "support-bundle", "-o", "b.zip").err

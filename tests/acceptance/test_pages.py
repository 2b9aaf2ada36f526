"""`dashboard`, `preview --html` and `campaign report --html`: what the commands say, write and refuse."""

import json
import signal
import socket
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from helpers.command_line import started_command


@pytest.fixture
def folder(config, monkeypatch):
    monkeypatch.chdir(config.parent)
    return config.parent


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT], ids=lambda number: number.name
)
def test_the_dashboard_prints_its_link_and_ends_by_a_signal(folder, number):
    """The link alone opens it; also while a page waits for changes."""
    with started_command("dashboard", "--port", "0", cwd=folder) as process:
        link = process.stdout.readline().decode().strip()
        base, _, token = link.partition("/?token=")
        assert len(token) >= 32
        with pytest.raises(HTTPError) as refused:
            urlopen(base, timeout=60)
        assert refused.value.code == 401
        refused.value.close()
        waiting = socket.create_connection(("127.0.0.1", int(base.rsplit(":", 1)[1])))
        cookie = f"metrix_dashboard_{base.rsplit(':', 1)[1]}={token}"
        waiting.sendall(f"GET /changes HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\n\r\n".encode())
        assert b"text/event-stream" in waiting.recv(4096)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        waiting.close()
    assert (process.returncode, out) == (0, b"")
    assert b"Traceback" not in err
    assert b"Anyone who has it" in err


def test_with_json_the_dashboard_prints_one_document(folder):
    """With the link."""
    with started_command("dashboard", "--port", "0", "--json", cwd=folder) as process:
        lines = b"".join(iter(process.stdout.readline, b"}\n")) + b"}"
        process.terminate()
        rest, err = process.communicate(timeout=60)
    assert json.loads(lines)["url"].startswith("http://127.0.0.1:")
    assert (process.returncode, rest, err) == (0, b"", b"")


def test_a_dashboard_that_cannot_be_is_an_error(metrix, folder, tmp_path):
    """A port that is taken, an address that is none, no configuration."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = metrix("dashboard", "--port", taken.getsockname()[1], "--json")
    assert (result.status, result.document["error"]["code"]) == (2, "port_unavailable")
    assert metrix("dashboard", "--host", "", "--port", "0", "--json").document["error"]["code"] == "port_unavailable"
    missing = metrix("dashboard", "--config", tmp_path / "none.yaml", "--json")
    assert (missing.status, missing.document["error"]["code"]) == (2, "config_missing")


def test_a_preview_is_written_as_a_page(metrix, folder):
    """A new file; one that is there is never overwritten."""
    result = metrix("preview", "otp", "--html", "out.html", "--json")
    assert (result.status, result.document["html"]) == (0, "out.html")
    assert len(result.document["previews"]) == 4
    page = (folder / "out.html").read_text(encoding="utf-8")
    assert "کد ورود شما: 4821" in page
    again = metrix("preview", "otp", "--html", "out.html", "--json")
    assert (again.status, again.document["error"]["code"]) == (2, "file_exists")


def test_a_preview_takes_values_from_a_file_and_from_rows(metrix, folder):
    """What stands nearer wins: a row over the file over the sample."""
    (folder / "values.json").write_text('{"code": "1111"}')
    (folder / "audience.csv").write_text("user,code\nu1,2222\n,3333\nu3,4444\n")
    page = ("preview", "otp", "--channel", "sms", "--context", "values.json")
    assert "1111" in metrix(*page).out
    rows = metrix(*page, "--audience", "audience.csv", "--id", "user", "--row", "3", "--row", "1")
    assert "3 · u3" in rows.out
    assert "4444" in rows.out
    assert "2222" in rows.out
    missing = metrix(*page, "--audience", "audience.csv", "--id", "user", "--row", "2", "--json")
    assert (missing.status, missing.document["error"]["code"]) == (2, "row_missing")


def test_a_language_that_there_is_none_of_is_refused(metrix, folder):
    """And nothing is written."""
    result = metrix("preview", "otp", "--html", "out.html", "--lang", "de", "--json")
    assert (result.status, result.document["error"]["code"]) == (2, "usage")
    assert not (folder / "out.html").exists()


def test_a_report_of_a_campaign_that_there_is_none_of_is_refused(metrix, folder):
    """And nothing is written."""
    result = metrix("campaign", "report", "nope", "--html", "out.html", "--json")
    assert (result.status, result.document["error"]["code"]) == (2, "run_missing")
    assert not (folder / "out.html").exists()

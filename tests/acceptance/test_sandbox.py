"""`sandbox`: a local Metrix that tells where it is and ends when it is told."""

import json
import signal
import socket
from urllib.request import urlopen

import pytest

from helpers.command_line import started_command


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_its_url_is_its_first_line_and_a_signal_ends_it_with_0(tmp_path, number):
    """The inbox answers under the URL; nothing but the URL is on stdout."""
    with started_command("sandbox", "--port", "0", cwd=tmp_path) as process:
        url = process.stdout.readline().decode().strip()
        with urlopen(url, timeout=60) as answer:
            assert answer.status == 200
        process.send_signal(number)
        out, err = process.communicate(timeout=10)
    assert (process.returncode, out) == (0, b"")
    assert f"base_url: {url}".encode() in err


def test_with_json_it_prints_one_document_with_all_that_a_script_needs(tmp_path):
    """Where it is, and with what it is spoken to."""
    with started_command("--json", "sandbox", "--port", "0", cwd=tmp_path) as process:
        lines = b"".join(iter(process.stdout.readline, b"}\n")) + b"}"
        process.terminate()
        rest, err = process.communicate(timeout=10)
    assert set(json.loads(lines)) == {"url", "app_id", "api_key"}
    assert (process.returncode, rest, err) == (0, b"", b"")


def test_a_port_that_is_taken_is_an_error(metrix):
    """Exit status 2, one document."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = metrix("sandbox", "--port", taken.getsockname()[1], "--json")
    assert (result.status, result.document["error"]["code"]) == (2, "port_unavailable")


@pytest.mark.parametrize("arguments", [("--port", "-1"), ("--port", "65536"), ("--port", "x"), ("--port", "")])
def test_a_port_that_is_none_is_an_error(metrix, arguments):
    """Exit status 2, one document."""
    result = metrix("sandbox", *arguments, "--json")
    assert (result.status, result.document["error"]["code"]) == (2, "usage")


@pytest.mark.parametrize("host", ["", "no.such.host.invalid", "\u202e", "a" * 300, "1.2.3.4.5"])
def test_an_address_that_is_none_is_an_error(metrix, host):
    """An empty one too: it would mean every address of this machine."""
    result = metrix("sandbox", "--host", host, "--port", "0", "--json")
    assert (result.status, result.document["error"]["code"]) == (2, "port_unavailable")

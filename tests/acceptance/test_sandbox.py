"""`sandbox`: a local Metrix that tells where it is and ends when it is told."""

import json
import signal
import socket
import subprocess
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from helpers.command_line import COMMAND, started_command

VERIFY = "metrix-channels channels verify sms --by YOUR-NAME"


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT], ids=lambda number: number.name
)
def test_its_url_is_its_first_line_and_a_signal_ends_it_with_0(tmp_path, number):
    """The inbox answers under the URL; nothing but the URL is on stdout."""
    with started_command("sandbox", "--port", "0", cwd=tmp_path) as process:
        url = process.stdout.readline().decode().strip()
        with urlopen(url, timeout=60) as answer:
            assert answer.status == 200
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, b"")
    assert f"base_url: {url}".encode() in err


def test_its_guide_is_enough_to_send(tmp_path):
    """Copied as it is printed: settings, exports, both tests of the channel, and then a message arrives."""
    config = tmp_path / "channels.yaml"
    with started_command("sandbox", "--port", "0", cwd=tmp_path) as process:
        url = process.stdout.readline().decode().strip()
        lines = list(iter(lambda: process.stderr.readline().decode().rstrip(), f"  {VERIFY}"))
        settings = [line for line in lines if line.startswith(("  app_id:", "  api_key:", "  base_url:"))]
        channels = ["channels:", "  sms: {type: sms, verified: false}"]
        config.write_text("\n".join(["version: 1", "metrix:", *settings, *channels]), encoding="utf-8")
        template = tmp_path / "templates" / "hello" / "sms.txt.j2"
        template.parent.mkdir(parents=True)
        template.write_text("سلام", encoding="utf-8")
        [exports] = [line for line in lines if line.startswith("  export ")]
        [test] = [line for line in lines if line.startswith("  curl ")]
        send = f"{COMMAND} send sms --to u1 --template hello --json"
        record = VERIFY.replace("metrix-channels", str(COMMAND))
        script = f"set -e\n{exports}\n{send} || test $? = 3\n{test}\n{record}\n{send}"
        done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        with urlopen(f"{url}/_sandbox/messages", timeout=60) as answer:
            [message] = json.load(answer)
        process.terminate()
        process.communicate(timeout=60)
    assert (message["recipients"], message["delivered"]) == (["u1"], True)


def test_with_another_name_it_is_reached_from_other_machines(tmp_path):
    """As a service of a compose file: the guide names it, and requests to it pass; those to any other do not."""
    options = ("--host", "0.0.0.0", "--port", "0", "--allowed-host", "metrix", "--allowed-host", "Metrix.Internal")
    with started_command("sandbox", *options, cwd=tmp_path) as process:
        url = process.stdout.readline().decode().strip()
        port = url.rpartition(":")[2]
        statuses = {name: status_of(url, name) for name in ("metrix", "METRIX.internal", "elsewhere", "metrix.evil")}
        process.terminate()
        guide = process.communicate(timeout=60)[1].decode()
    assert statuses == {"metrix": 200, "METRIX.internal": 200, "elsewhere": 403, "metrix.evil": 403}
    assert f"  base_url: http://metrix:{port}\n" in guide


def status_of(url, host):
    try:
        with urlopen(Request(url, headers={"Host": f"{host}:{url.rpartition(':')[2]}"}), timeout=60) as answer:
            return answer.status
    except HTTPError as error:
        with error:
            return error.code if "--allowed-host" in error.read().decode() else None


def test_with_json_it_prints_one_document_with_all_that_a_script_needs(tmp_path):
    """Where it is, and with what it is spoken to."""
    with started_command("--json", "sandbox", "--port", "0", cwd=tmp_path) as process:
        lines = b"".join(iter(process.stdout.readline, b"}\n")) + b"}"
        process.terminate()
        rest, err = process.communicate(timeout=60)
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

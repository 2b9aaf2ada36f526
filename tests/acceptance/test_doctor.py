"""`doctor`: the first layer that fails is named, with what to do; nothing is delivered to anyone."""

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from helpers.certificates import make_certificates
from helpers.encodings import one_line, shown
from helpers.fault_server import Answer, FaultServer, Hang, OnConnect, Raw, redirect, refusing_address
from helpers.project import API_KEY, make_project

LAYERS = ["dns", "tcp", "tls", "http", "clock", "credentials"]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def diagnosed(metrix, tmp_path):
    """Run it against a URL; the checks by id, in the order of the layers, and the exit status."""

    def call(url, **settings):
        project = make_project(tmp_path, url, **({"timeout": "1s"} | settings))
        result = metrix("--config", project.config, "doctor", "--json")
        checks = {check["id"]: check for check in result.document["checks"]}
        assert list(checks) == LAYERS
        assert result.document["ok"] is (result.status == 0)
        assert API_KEY not in result.out
        return result.status, checks

    return call


def first_failing(found):
    """The status, and the first layer that fails; behind it nothing is claimed but what is independent of it."""
    status, checks = found
    failing = [layer for layer, check in checks.items() if check["status"] == "fail"]
    assert status == 1
    assert all(checks[layer]["remedy"] for layer in failing)
    return failing[0], checks[failing[0]]


def metrix_like(request):
    """Looks at credentials before it looks at the body, as the sandbox does."""
    return Answer(400) if request.headers.get("x-api-key") == API_KEY else Answer(403)


def dated(offset):
    return Answer(403, headers={"Date": format_datetime(datetime.now(UTC) + offset, usegmt=True)})


def test_all_is_well_against_the_sandbox(metrix, config, metrix_sandbox):
    """Each layer stands but TLS, which plain HTTP has not; of two requests without a recipient nothing arrives."""
    result = metrix("--config", config, "doctor", "--json")
    found = {check["id"]: check["status"] for check in result.document["checks"]}
    assert (result.status, found) == (0, dict.fromkeys(LAYERS, "pass") | {"tls": "skip"})
    assert metrix_sandbox.messages() == []


def test_over_tls_the_certificate_is_shown(diagnosed, certificates):
    """For whom it is, who signed it, until when."""
    with FaultServer(metrix_like, certificate=str(certificates.good)) as server:
        status, checks = diagnosed(server.url, ca_file=str(certificates.ca))
        assert status == 0
    assert "by Test authority, valid until Dec 31" in checks["tls"]["message"]
    assert checks["credentials"]["message"] == "400 with credentials, 403 without: they are accepted."
    assert [request.body for request in server.requests] == [b"{}", b"{}"]
    assert "x-api-key" not in server.requests[0].headers


def test_an_unknown_host(diagnosed):
    """The name is at fault, and the manual commands name it."""
    layer, check = first_failing(diagnosed("https://no-such-host.invalid"))
    assert layer == "dns"
    assert "dig no-such-host.invalid" in check["remedy"]
    assert "nslookup no-such-host.invalid" in check["remedy"]


def test_a_closed_port(diagnosed):
    """Refused is told apart from silence; telnet is given with host and port."""
    with refusing_address() as url:
        layer, check = first_failing(diagnosed(url))
    assert layer == "tcp"
    assert "refused" in check["message"]
    assert f"telnet 127.0.0.1 {url.rsplit(':', 1)[1]}" in check["remedy"]


def test_an_unused_proxy_of_the_environment_is_mentioned(diagnosed, monkeypatch):
    """Whoever relies on it sees why nothing goes through it, and not its password."""
    monkeypatch.setenv("HTTPS_PROXY", "http://me:pa55word@proxy.example:3128")
    with refusing_address() as url:
        _, check = first_failing(diagnosed(url))
    assert "$HTTPS_PROXY is set, but metrix-channels does not use it" in check["remedy"]
    assert "pa55word" not in check["remedy"]


def test_a_blackholed_address(tmp_path):
    """Packets vanish: a firewall that drops them is what it looks like."""
    project = make_project(tmp_path, "https://10.9.0.2", timeout="1s")
    inside = 'ip link set lo up && ip route add 10.9.0.2 dev lo && exec "$@"'
    command = [sys.executable, "-c", "import sys; from metrix_channels.cli import main; sys.exit(main())"]
    arguments = [*command, "doctor", "--json", "--config", str(project.config)]
    namespace = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-rn"]
    if not shutil.which("unshare") or subprocess.run([*namespace, "ip", "link"], capture_output=True).returncode:
        pytest.skip("no network namespace can be made here")
    done = subprocess.run([*namespace, "sh", "-c", inside, "sh", *arguments], capture_output=True, text=True)
    checks = {check["id"]: check for check in json.loads(done.stdout)["checks"]}
    layer, check = first_failing((done.returncode, checks))
    assert layer == "tcp"
    assert "nothing answered within 1 s" in check["message"]
    assert "firewall probably drops the packets" in check["remedy"]


@pytest.mark.parametrize(
    ("fate", "message", "remedy"),
    [
        (OnConnect.STALL, "did not end within 1 s", "curl -v https://127.0.0.1"),
        (OnConnect.CLOSE, "handshake with 127.0.0.1 failed", "does not speak TLS"),
    ],
)
def test_a_handshake_that_stalls_or_is_none(diagnosed, fate, message, remedy):
    """The connection stands; then nothing follows, or its end."""
    with FaultServer(connections=[fate]) as server:
        layer, check = first_failing(diagnosed(server.url.replace("http:", "https:")))
    assert layer == "tls"
    assert message in check["message"]
    assert remedy in check["remedy"]


def test_a_closed_port_of_the_proxy(diagnosed):
    """It is the proxy that is named, without its password."""
    with refusing_address() as url:
        proxy = url.replace("http://", "http://me:pa55word@")
        layer, check = first_failing(diagnosed("https://entry.metrix.ir", proxy=proxy))
    assert layer == "tcp"
    assert "Check metrix.proxy" in check["remedy"]
    assert "pa55word" not in str(check)


@pytest.mark.parametrize(
    ("kind", "trusted", "word"),
    [
        ("expired", True, "clock first"),
        ("wrong_host", True, "another name"),
        ("self_signed", True, "ca_file"),
        ("good", False, "ca_file"),
    ],
)
def test_a_certificate_that_is_refused(diagnosed, certificates, kind, trusted, word):
    """Expired, foreign and untrusted ones are told apart; the key never left."""
    with FaultServer(certificate=str(getattr(certificates, kind))) as server:
        settings = {"ca_file": str(certificates.ca)} if trusted else {}
        layer, check = first_failing(diagnosed(server.url, **settings))
    assert layer == "tls"
    assert word in check["remedy"]
    assert server.requests == []


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (Answer(200, b"<!doctype html><title>Sign in</title>", {"Content-Type": "text/html"}), "web page"),
        (Answer(407), "proxy"),
        (redirect("https://elsewhere.example/"), "redirect"),
        (Answer(502), "gateway"),
        (Answer(404), "not Metrix's API"),
        (Hang(), "no answer"),
    ],
)
def test_an_answer_that_is_not_metrixs(diagnosed, answer, word):
    """A web page, a proxy that wants a password, a redirect, a gateway, another address, silence."""
    with FaultServer([answer]) as server:
        found = diagnosed(server.url)
    layer, check = first_failing(found)
    assert (layer, word in check["message"]) == ("http", True)
    assert len(server.requests) == 1
    assert "x-api-key" not in server.requests[0].headers


def test_a_page_that_refuses_is_a_warning_before_the_credentials(diagnosed):
    """A proxy blocks that way, and so may Metrix's own gate: both are said."""
    with FaultServer([Answer(403, b"<html>blocked</html>", {"Content-Type": "text/html"})]) as server:
        status, checks = diagnosed(server.url)
    assert (status, checks["http"]["status"], checks["credentials"]["status"]) == (1, "warn", "fail")


def test_a_wrong_key(diagnosed):
    """Refused with credentials as without: the remedy names both reasons of Metrix's page."""
    with FaultServer([Answer(403)]) as server:
        layer, check = first_failing(diagnosed(server.url))
    assert layer == "credentials"
    assert "Application Settings" in check["remedy"]
    assert "white list" in check["remedy"]


def test_a_missing_key_leaves_the_other_layers(metrix, metrix_config, templates, metrix_sandbox, monkeypatch):
    """They are looked at all the same, without it."""
    monkeypatch.delenv("METRIX_TEST_KEY", raising=False)
    path = metrix_config(templates=templates, metrix={"api_key_file": None, "api_key": "${METRIX_TEST_KEY}"})
    path.write_text(path.read_text().replace('    "api_key_file": null,\n', ""))
    result = metrix("--config", path, "doctor", "--json")
    found = {check["id"]: check["status"] for check in result.document["checks"]}
    assert found == dict.fromkeys(LAYERS, "pass") | {"tls": "skip", "credentials": "fail"}


def test_credentials_that_cannot_be_judged_are_no_pass(diagnosed):
    """A server that looks at the body first says nothing about them."""
    with FaultServer([Answer(400)]) as server:
        status, checks = diagnosed(server.url)
    assert (status, checks["credentials"]["status"]) == (0, "warn")
    assert "body first" in checks["credentials"]["message"]


@pytest.mark.parametrize(
    ("offset", "verdict"),
    [
        (timedelta(0), "pass"),
        (timedelta(minutes=2), "warn"),
        (timedelta(hours=1), "fail"),
        (timedelta(hours=-1), "fail"),
    ],
)
def test_the_clock_is_compared_with_the_servers(diagnosed, offset, verdict):
    """An hour is too much, in either direction; the message says which."""
    with FaultServer(lambda request: dated(offset) if "x-api-key" not in request.headers else Answer(400)) as server:
        status, checks = diagnosed(server.url)
    assert (status, checks["clock"]["status"]) == (int(verdict == "fail"), verdict)
    if verdict == "fail":
        assert ("behind" if offset > timedelta(0) else "ahead of") in checks["clock"]["message"]
        assert "NTP" in checks["clock"]["remedy"].upper()
        assert checks["credentials"]["status"] == "pass"


def test_for_people_there_is_a_table_and_a_verdict(metrix, tmp_path):
    """With what to do."""
    with FaultServer([Answer(403)]) as server:
        result = metrix("--config", make_project(tmp_path, server.url).config, "doctor")
    assert result.status == 1
    assert "First failed check: credentials." in result.out
    assert "→ Compare APP_ID" in result.out


def test_a_useless_ca_file_is_found_before_anything_else(diagnosed, tmp_path):
    """Nobody is talked to with it."""
    layer, check = first_failing(diagnosed("https://127.0.0.1:9", ca_file=str(tmp_path / "missing.pem")))
    assert layer == "tls"
    assert "metrix.ca_file" in check["remedy"]


@pytest.mark.parametrize("name", ["as it is", "JSON of .NET", "URL", "base64 of JSON, at 2", "spaces"])
@pytest.mark.parametrize("where", ["body", "reason", "headers", "no HTTP"])
def test_no_finding_shows_the_key(diagnosed, metrix, tmp_path, name, where):
    """Wherever in its answer a server says it back: to the request with credentials, which is the second."""
    form = one_line(API_KEY)[name]
    head = {"X-Echo": form, "Date": form, "Content-Type": form, "Location": form}
    behaviour = {
        "body": Answer(418, form.encode()),
        "reason": Raw(f"HTTP/1.1 418 {form}\r\nContent-Length: 0\r\n\r\n".encode()),
        "headers": Answer(418, b"", head),
        "no HTTP": Raw(f"{form}\r\n\r\n".encode()),
    }[where]
    with FaultServer(lambda request: behaviour if "x-api-key" in request.headers else Answer(403)) as server:
        _, checks = diagnosed(server.url)
        plain = metrix("--config", tmp_path / "channels.yaml", "-vv", "doctor")
    assert shown(json.dumps(checks) + plain.out + plain.err, API_KEY) == []


def test_no_finding_about_the_way_shows_it(diagnosed, certificates, tmp_path):
    """A certificate is the server's own text, too; who made it may have seen the key before."""
    key = tmp_path / "other.key"
    key.write_text("Test-authority")
    with FaultServer(metrix_like, certificate=str(certificates.good)) as server:
        _, checks = diagnosed(server.url, ca_file=str(certificates.ca), api_key_file=str(key))
    assert checks["tls"]["message"] == "[finding withheld: it contains the API key in an encoded form]"

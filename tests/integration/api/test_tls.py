"""TLS against a real server: who is trusted, and that the key is sent to nobody else."""

import asyncio
import gc
import socket
import ssl
import threading

import pytest

from helpers.certificates import make_certificates
from helpers.fault_server import Answer, FaultServer, OnConnect
from helpers.project import API_KEY, make_project, takes
from metrix_channels.api import Stage
from metrix_channels.api.connectivity import reach
from metrix_channels.errors import ConfigError, DeliveryError


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def tls_server(certificate, *script, **settings):
    return FaultServer(script or (Answer(),), certificate=str(certificate), **settings)


def test_a_server_of_the_named_authority_is_trusted(post, certificates):
    """`ca_file` names it."""
    with tls_server(certificates.good) as server:
        assert post(server.url, ca_file=certificates.ca).status == 200
    assert server.requests[0].headers["x-api-key"] == API_KEY


@pytest.mark.parametrize("name", ["expired", "wrong_host", "self_signed"])
def test_a_bad_certificate_ends_it_before_the_key_is_sent(post, certificates, name):
    """Not even a request line arrives."""
    with tls_server(getattr(certificates, name)) as server:
        failure = post(server.url, ca_file=certificates.ca)
    assert failure.stage is Stage.CERTIFICATE
    assert server.requests == []
    assert server.handshakes_failed == 1


def test_an_authority_that_is_not_named_is_not_trusted(post, certificates):
    """Without `ca_file` the common authorities count, and this is none of them."""
    with tls_server(certificates.good) as server:
        assert post(server.url).stage is Stage.CERTIFICATE
    assert server.requests == []


@pytest.mark.parametrize("name", ["expired", "wrong_host", "self_signed"])
def test_a_send_explains_a_bad_certificate(certificates, tmp_path, name):
    """Halted at once, nothing sent, and what to do about it."""
    with tls_server(getattr(certificates, name)) as server:
        error = make_project(tmp_path, server.url, ca_file=str(certificates.ca)).error()
    assert isinstance(error, DeliveryError)
    assert (error.code, error.exit_status, error.receipt.outcome) == ("certificate_refused", 4, "not_sent")
    assert error.receipt.attempts == 1
    assert "ca_file" in error.remedy
    assert server.requests == []


def test_a_stalled_handshake_had_not_begun(post, certificates):
    """The deadline holds there, too."""
    with tls_server(certificates.good, connections=[OnConnect.STALL]) as server, takes(0.25, 10):
        failure = post(server.url, ca_file=certificates.ca, seconds=0.3)
        gc.collect()  # an open connection would be heard of here
    assert failure.stage is Stage.NOT_BEGUN
    assert server.requests == []


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_the_two_versions_of_today_are_spoken(post, certificates, version):
    """And no other."""
    with tls_server(certificates.good) as server:
        server._context.minimum_version = server._context.maximum_version = getattr(ssl.TLSVersion, version)
        assert post(server.url, ca_file=certificates.ca).status == 200


@pytest.mark.parametrize(
    "said", [b"", b"\x15\x03\x01\x00\x02\x02\x46", b"HTTP/1.1 400 Bad\r\n\r\n"], ids=["end", "alert", "HTTP"]
)
def test_a_handshake_that_fails_had_not_begun(post, said):
    """It is closed, refused as too old (70 in RFC 8446), or answered in another language."""

    def answer():
        connection, _ = listener.accept()
        with connection:
            heard.append(connection.recv(65_536))
            connection.sendall(said)

    heard = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=answer)
        server.start()
        failure = post(f"https://127.0.0.1:{listener.getsockname()[1]}")
        server.join(60)
    assert failure.stage is Stage.NOT_BEGUN
    assert API_KEY.encode() not in b"".join(heard)


@pytest.mark.parametrize(("version", "stage"), [("TLSv1_2", Stage.NOT_BEGUN), ("TLSv1_3", Stage.BEGUN)])
def test_a_server_that_wants_a_certificate_from_here_is_no_answer(post, certificates, version, stage):
    """With TLS 1.3 it says so only after the handshake, when the request is on its way."""
    with tls_server(certificates.good) as server:
        server._context.maximum_version = getattr(ssl.TLSVersion, version)
        server._context.verify_mode = ssl.CERT_REQUIRED
        server._context.load_verify_locations(str(certificates.ca))
        assert post(server.url, ca_file=certificates.ca).stage is stage
    assert server.requests == []


def test_a_server_that_speaks_no_tls_had_not_begun(post):
    """It hears a handshake, and nothing else."""
    with FaultServer() as server:
        failure = post(server.url.replace("http:", "https:"))
    assert failure.stage is Stage.NOT_BEGUN


def test_the_environments_authorities_are_ignored(post, certificates, monkeypatch, tmp_path):
    """Whoever sets SSL_CERT_FILE does not decide who gets the key."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.ca))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    with tls_server(certificates.good) as server:
        assert post(server.url).stage is Stage.CERTIFICATE
    assert server.requests == []


@pytest.mark.parametrize("through", ["directly", "through a proxy that speaks TLS"])
def test_session_keys_are_not_written_down(post, certificates, monkeypatch, tmp_path, through):
    """SSLKEYLOGFILE would let others read what the key travels under."""
    log = tmp_path / "session.keys"
    monkeypatch.setenv("SSLKEYLOGFILE", str(log))
    with tls_server(certificates.good) as server:
        if through == "directly":
            reply = post(server.url, ca_file=certificates.ca)
        else:
            reply = post("http://127.0.0.1:9", proxy=server.url, ca_file=certificates.ca)
    assert reply.status == 200
    assert not log.exists()


@pytest.mark.parametrize("content", [None, "no certificate"], ids=["missing", "empty of certificates"])
def test_a_useless_ca_file_is_an_error_of_the_configuration(tmp_path, content):
    """It names the file, and no traceback of another library escapes."""
    authorities = tmp_path / "authorities.pem"
    if content:
        authorities.write_text(content)
    error = make_project(tmp_path, "https://127.0.0.1:9", ca_file=str(authorities)).error()
    assert isinstance(error, ConfigError)
    assert (error.code, error.exit_status) == ("file_unreadable", 2)
    assert "authorities.pem" in error.message


def test_a_useless_ca_file_fails_a_preflight(tmp_path):
    """As a check, with the rest of the preflight beside it."""
    (found,) = asyncio.run(reach("https://127.0.0.1:9", tmp_path / "missing.pem", 2))
    assert found.fault is not None
    assert found.fault.code == "file_unreadable"

"""What is particular to the fast wire: whom it trusts, where it is not used, and attempts of different lengths."""

import asyncio
import os

import pytest

from metrix_channels.api import Endpoint, Stage, open_transport
from metrix_channels.api.httpx_transport import HttpxTransport
from metrix_channels.redact import Redactor, Secret
from support.certificates import make_certificates
from support.fault_server import Answer, FaultServer
from support.project import API_KEY, post, unanswering_address

pytest.importorskip("pyreqwest")

from metrix_channels.api.pyreqwest_transport import PyreqwestTransport

REDACTOR = Redactor(Secret(API_KEY))


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(autouse=True)
def _no_trust_from_the_environment(monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)


@pytest.fixture
def _system_that_trusts_the_ca(monkeypatch, certificates):
    """On Linux these stand in for the system's authorities, which a test cannot change."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.ca))


@pytest.mark.usefixtures("_system_that_trusts_the_ca")
def test_the_systems_authorities_are_trusted(certificates):
    """Over TLS, on one connection."""
    with FaultServer([Answer()], certificate=str(certificates.good)) as server:
        assert post(server.url, wire=PyreqwestTransport).status == 200
    assert server.requests[0].headers["x-api-key"] == API_KEY


@pytest.mark.usefixtures("_system_that_trusts_the_ca")
@pytest.mark.parametrize("name", ["expired", "wrong_host", "self_signed"])
def test_a_bad_certificate_of_theirs_ends_it_before_the_key_is_sent(certificates, name):
    """Not even a request line arrives."""
    with FaultServer([Answer()], certificate=str(getattr(certificates, name))) as server:
        assert post(server.url, wire=PyreqwestTransport).stage is Stage.CERTIFICATE
    assert server.requests == []


@pytest.mark.usefixtures("_system_that_trusts_the_ca")
def test_session_keys_are_not_written_down(monkeypatch, certificates, tmp_path):
    """SSLKEYLOGFILE would let others read what the key travels under."""
    log = tmp_path / "session.keys"
    monkeypatch.setenv("SSLKEYLOGFILE", str(log))
    with FaultServer([Answer()], certificate=str(certificates.good)) as server:
        assert post(server.url, wire=PyreqwestTransport).status == 200
    assert not log.exists()


# -- where it is used


@pytest.mark.parametrize(
    "endpoint",
    [
        Endpoint("https://metrix.invalid"),
        Endpoint("http://127.0.0.1:9"),
        Endpoint("http://[::1]:9", "http://proxy:3128"),
    ],
)
def test_it_is_used_where_the_common_authorities_count(endpoint):
    """Or where nobody has to be trusted."""
    assert isinstance(open_transport(endpoint, REDACTOR, fast=True), PyreqwestTransport)
    assert isinstance(open_transport(endpoint, REDACTOR), HttpxTransport)


@pytest.mark.parametrize("endpoint", [("https://metrix.invalid",), ("http://127.0.0.1:9", "https://proxy.invalid")])
def test_it_is_not_used_where_only_a_ca_file_is_trusted(certificates, endpoint):
    """It would trust the system's authorities, too."""
    transport = open_transport(Endpoint(*endpoint, ca_file=certificates.ca), REDACTOR, fast=True)
    assert isinstance(transport, HttpxTransport)


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_it_is_not_used_where_the_environment_would_choose_whom_to_trust(certificates, monkeypatch, variable):
    """That file would count."""
    monkeypatch.setenv(variable, str(certificates.ca))
    assert isinstance(open_transport(Endpoint("https://metrix.invalid"), REDACTOR, fast=True), HttpxTransport)
    assert isinstance(open_transport(Endpoint("http://127.0.0.1:9"), REDACTOR, fast=True), PyreqwestTransport)


def test_it_is_not_used_in_a_forked_child():
    """Its threads stayed with the parent; the core's wire works there."""

    async def attempt(url):
        transport = open_transport(Endpoint(url), REDACTOR, fast=True)
        reply = await transport.post("/push", {}, b"{}", 2)
        await transport.close()
        return reply.status

    with FaultServer([Answer()]) as server:
        assert asyncio.run(attempt(server.url)) == 200
        child = os.fork()
        if child == 0:
            status = 1
            try:
                status = 0 if asyncio.run(attempt(server.url)) == 200 else 1
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0


# -- time


def test_a_shorter_attempt_shares_the_connections_of_a_longer_one():
    """A campaign's last attempts have only what is left of its time."""

    async def run(url):
        transport = PyreqwestTransport(Endpoint(url), REDACTOR)
        for seconds in (2, 1, 0.5, 2):
            await transport.post("/push", {}, b"{}", seconds)
        await transport.close()

    with FaultServer() as server:
        asyncio.run(run(server.url))
    assert {request.connection for request in server.requests} == {1}


def test_a_shorter_attempt_that_still_connects_is_in_doubt():
    """Only the longest one's end of connecting is told; the doubt is to the cautious side."""

    async def run(url):
        transport = PyreqwestTransport(Endpoint(url), REDACTOR)
        stages = [(await transport.post("/push", {}, b"{}", seconds)).stage for seconds in (0.2, 0.1)]
        await transport.close()
        return stages

    with unanswering_address() as url:
        assert asyncio.run(run(url)) == [Stage.NOT_BEGUN, Stage.BEGUN]

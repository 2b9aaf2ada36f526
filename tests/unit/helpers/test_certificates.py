"""The certificates that tests of TLS use are what their names say."""

import socket
import ssl
from pathlib import Path

import pytest

from helpers.certificates import Certificates, make_certificates
from helpers.fault_server import FaultServer


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """All of them, made once."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def _shake_hands(server: FaultServer, ca: Path, name: str) -> None:
    context = ssl.create_default_context(cafile=str(ca))
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=60) as plain,
        context.wrap_socket(plain, server_hostname=name) as secure,
    ):
        assert secure.version()


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_good_is_trusted_for_both_names(certificates: Certificates, name: str) -> None:
    """A client that trusts the authority accepts the good certificate."""
    with FaultServer(certificate=str(certificates.good)) as server:
        _shake_hands(server, certificates.ca, name)
    assert server.handshakes_failed == 0


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("expired", "certificate has expired"),
        ("self_signed", "self-signed certificate"),
        ("wrong_host", "Hostname mismatch"),
    ],
)
def test_bad_ones_are_refused(certificates: Certificates, name: str, reason: str) -> None:
    """Each bad certificate is refused for the reason that it is named after, and nothing is read."""
    with (
        FaultServer(certificate=str(getattr(certificates, name))) as server,
        pytest.raises(ssl.SSLCertVerificationError, match=reason),
    ):
        _shake_hands(server, certificates.ca, "localhost")
    assert server.requests == []

"""Whom a connection trusts, and what it demands."""

import ssl

from helpers.certificates import make_certificates
from metrix_channels.api.tls import tls_context


def test_every_connection_demands_a_certificate_of_its_host_and_a_recent_tls(monkeypatch, tmp_path):
    """However Python and OpenSSL were built; and the environment gets no copy of the connection's keys."""
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    context = tls_context(None)
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.keylog_filename is None
    assert not (tmp_path / "keys").exists()


def test_a_named_authority_takes_the_place_of_the_common_ones(tmp_path):
    """Whoever names one trusts nobody else."""
    [authority] = tls_context(make_certificates(tmp_path).ca).get_ca_certs()
    assert "Test authority" in str(authority["subject"])
    assert len(tls_context(None).get_ca_certs()) > 10

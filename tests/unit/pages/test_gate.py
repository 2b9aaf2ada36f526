"""The gate lets in who means the sandbox, and no web page from elsewhere."""

import pytest

from metrix_channels.pages.gate import why_refused

_OURS = frozenset({"0.0.0.0", "192.168.1.5"})


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("127.0.0.1:8025", None),
        ("localhost", None),
        ("LOCALHOST:1", "http://localhost:1"),
        ("[::1]:8025", "http://[::1]:8025"),
        ("127.8.9.1", None),
        ("192.168.1.5:8025", "http://192.168.1.5:8025"),
    ],
)
def test_loopback_and_its_own_address_pass(host: str, origin: str | None) -> None:
    """By any name of this machine, and from its own pages."""
    assert why_refused(host, origin, _OURS) is None


@pytest.mark.parametrize(
    "host", [None, "", "evil.example", "evil.example:8025", "localhost.evil.example", "10.0.0.1", "a@localhost", "::1"]
)
def test_other_hosts_are_refused(host: str | None) -> None:
    """A name that was made to point here by DNS rebinding is still the name of another."""
    assert why_refused(host, None, _OURS)


@pytest.mark.parametrize(
    "origin",
    ["null", "", "https://127.0.0.1:8025", "http://127.0.0.1:3000", "http://localhost:8025", "http://evil.example"],
)
def test_other_origins_are_refused(origin: str) -> None:
    """Another scheme, host or port is another origin."""
    assert why_refused("127.0.0.1:8025", origin, _OURS)

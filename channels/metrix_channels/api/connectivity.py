"""Tests how far a connection to Metrix gets: DNS, TCP, TLS. No request is made."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
import time
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from attrs import frozen

from ..errors import ConfigError
from .tls import tls_context

_EXPIRED: Final = 10
_WRONG_HOSTS: Final = (62, 64)
"""OpenSSL's verify codes: X509_V_ERR_CERT_HAS_EXPIRED, _HOSTNAME_MISMATCH, _IP_ADDRESS_MISMATCH."""


class ReachFault(Enum):
    """Why a layer failed."""

    NO_ADDRESS = "no_address"
    """The name could not be resolved."""
    REFUSED = "refused"
    """The connection was refused, or a firewall or proxy rejected it."""
    SILENT = "silent"
    """Nothing answered."""
    NO_ROUTE = "no_route"
    """This machine has no route to the address."""
    STALLED = "stalled"
    """The handshake began but did not end."""
    NO_TLS = "no_tls"
    """The server does not speak TLS correctly."""
    EXPIRED = "expired"
    """The certificate has expired."""
    WRONG_HOST = "wrong_host"
    """The certificate is for another name."""
    UNTRUSTED = "untrusted"
    """No trusted authority signed the certificate."""
    CA_FILE = "ca_file"
    """The file of trusted certificates cannot be read."""

    @property
    def code(self) -> str:
        """The code of the error catalogue."""
        if self in (ReachFault.EXPIRED, ReachFault.WRONG_HOST, ReachFault.UNTRUSTED):
            return "certificate_refused"
        return "file_unreadable" if self is ReachFault.CA_FILE else "unreachable"


@frozen
class Layer:
    """The result for one layer of the connection.

    Attributes:
        id: `dns`, `tcp` or `tls`.
        message: what was found.
        fault: why it failed; None if it succeeded.
        local_address: this machine's address of the connection; None without a connection.
    """

    id: str
    message: str
    fault: ReachFault | None = None
    local_address: str | None = None


async def reach(base_url: str, ca_file: Path | None, timeout: float) -> tuple[Layer, ...]:  # noqa: ASYNC109
    """Resolve the host, connect, make the TLS handshake, and close the connection.

    Args:
        base_url: the address of the API, or of a proxy.
        ca_file: certificates to trust instead of the usual ones.
        timeout: seconds for each layer.

    Returns:
        The layers that were tested; only the last one can have failed. Without TLS there are two. An unusable
        `ca_file` is reported first.
    """
    parts = urlsplit(base_url)
    host, secure = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    try:
        context = tls_context(ca_file) if secure else None
    except ConfigError as error:
        return (Layer("tls", error.message, ReachFault.CA_FILE),)
    dns, addresses = await _resolve(host, port, timeout)
    if dns.fault is not None:
        return (dns,)
    tcp, connection = await _connect(addresses, port, timeout)
    if connection is None:
        return dns, tcp
    try:
        return (dns, tcp, await _secure(connection, host, context, timeout)) if context else (dns, tcp)
    finally:
        connection.close()


async def _resolve(host: str, port: int, timeout: float) -> tuple[Layer, list[str]]:  # noqa: ASYNC109
    with suppress(ValueError):
        return Layer("dns", f"{ipaddress.ip_address(host)} is an IP address; no DNS lookup is needed."), [host]
    began = time.monotonic()
    try:
        async with asyncio.timeout(timeout):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except TimeoutError:
        message = f"{host} was not resolved within {timeout:g} s{_resolvers()}."
        return Layer("dns", message, ReachFault.NO_ADDRESS), []
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return Layer("dns", f"{host} cannot be resolved{_resolvers()}: {reason}.", ReachFault.NO_ADDRESS), []
    taken = (time.monotonic() - began) * 1_000
    addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
    return Layer("dns", f"{host} resolves to {', '.join(addresses)} in {taken:.0f} ms{_resolvers()}."), addresses


async def _connect(
    addresses: list[str],
    port: int,
    timeout: float,  # noqa: ASYNC109
) -> tuple[Layer, socket.socket | None]:
    told = []
    fault = ReachFault.SILENT
    for address in addresses:
        connection = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        connection.setblocking(False)
        began = time.monotonic()
        try:
            async with asyncio.timeout(timeout / len(addresses)):
                await asyncio.get_running_loop().sock_connect(connection, (address, port))
        except TimeoutError:
            fault, why = ReachFault.SILENT, f"nothing answered within {timeout / len(addresses):g} s"
        except ConnectionRefusedError:
            fault, why = ReachFault.REFUSED, "the connection was refused"
        except OSError as error:
            fault, why = ReachFault.NO_ROUTE, error.strerror or str(error)
        else:
            taken = (time.monotonic() - began) * 1_000
            local = str(connection.getsockname()[0])
            where = _endpoint(address, port)
            return Layer("tcp", f"{where} accepted the connection in {taken:.0f} ms.", local_address=local), connection
        connection.close()
        told.append(f"{_endpoint(address, port)}: {why}")
    return Layer("tcp", f"No connection. {'; '.join(told)}.", fault), None


async def _secure(
    connection: socket.socket,
    host: str,
    context: ssl.SSLContext,
    timeout: float,  # noqa: ASYNC109
) -> Layer:
    try:
        async with asyncio.timeout(timeout):
            _, writer = await asyncio.open_connection(sock=connection, ssl=context, server_hostname=host)
    except TimeoutError:
        return Layer("tls", f"The TLS handshake did not end within {timeout:g} s.", ReachFault.STALLED)
    except ssl.SSLCertVerificationError as error:
        message = f"The certificate of {host} was refused: {error.verify_message}."
        return Layer("tls", message, _certificate_fault(error.verify_code))
    except OSError as error:
        reason = getattr(error, "reason", None) or error.strerror or str(error) or type(error).__name__
        return Layer("tls", f"The TLS handshake with {host} failed: {reason}.", ReachFault.NO_TLS)
    secure = writer.get_extra_info("ssl_object")
    writer.transport.abort()
    return Layer("tls", f"{secure.version()}; the certificate {_describe(secure.getpeercert())}.")


def _certificate_fault(verify_code: int) -> ReachFault:
    if verify_code == _EXPIRED:
        return ReachFault.EXPIRED
    return ReachFault.WRONG_HOST if verify_code in _WRONG_HOSTS else ReachFault.UNTRUSTED


def _describe(certificate: dict[str, Any]) -> str:
    issuer = {key: value for part in certificate.get("issuer", ()) for key, value in part}
    names = ", ".join(value for _, value in certificate.get("subjectAltName", ())[:3])
    by = issuer.get("organizationName") or issuer.get("commonName") or "an unnamed authority"
    return f"is for {names or 'no name'}, issued by {by}, valid until {certificate.get('notAfter')}"


def _endpoint(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _resolvers() -> str:
    """Name the resolvers of this machine, if /etc/resolv.conf lists them."""
    try:
        lines = Path("/etc/resolv.conf").read_text(errors="replace").splitlines()
    except OSError:
        return ""
    found = [words[1] for line in lines if len(words := line.split()) > 1 and words[0] == "nameserver"]
    return f" (resolvers of this machine: {', '.join(found)})" if found else ""

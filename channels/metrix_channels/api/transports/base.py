"""The interface of HTTP transports: one POST with one timeout, which returns the facts of what happened."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from attrs import frozen

from ...redact import Secret
from ..exchange import Exchange


class Transport(Protocol):
    """Sends requests over HTTP."""

    async def post(self, path: str, headers: Mapping[str, str], body: bytes, timeout: float) -> Exchange:  # noqa: ASYNC109
        """Make one attempt.

        Args:
            path: the path below the base URL, such as `/push`.
            headers: all headers.
            body: JSON.
            timeout: seconds for the whole attempt, from the DNS lookup to the last byte of the answer.

        Returns:
            The facts. Network and server errors are returned, not raised.
        """
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...


@frozen
class Endpoint:
    """Where to send, and through which proxy.

    Attributes:
        base_url: scheme, host, port, and the beginning of every path, without a slash at its end.
        proxy: the proxy's URL; proxies in the environment are ignored.
        ca_file: certificates to trust instead of the usual ones.
    """

    base_url: str
    proxy: str | None = None
    ca_file: Path | None = None

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """The proxy's password, if it has one."""
        password = urlsplit(self.proxy or "").password
        return (Secret(unquote(password), "the proxy's password"),) if password else ()

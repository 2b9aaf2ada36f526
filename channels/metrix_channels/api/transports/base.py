"""What the rest of the library knows of HTTP: one POST, one deadline for all of it, and the facts of what happened."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from attrs import frozen

from ...redact import Secret
from ..exchange import Exchange


class Transport(Protocol):
    """What the rest of the library knows of HTTP."""

    async def post(self, path: str, headers: Mapping[str, str], body: bytes, timeout: float) -> Exchange:  # noqa: ASYNC109
        """Make one attempt.

        Args:
            path: below the base URL, such as `/push`.
            headers: all of them.
            body: JSON.
            timeout: seconds for the whole attempt, from the look-up of the name to the last byte of the answer.

        Returns:
            The facts. Nothing is raised for what a network or a server does.
        """
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...


@frozen
class Endpoint:
    """Where to send, and through what.

    Attributes:
        base_url: scheme, host, port, and what stands before every path, without a slash at its end.
        proxy: the proxy's URL; the environment's are never used.
        ca_file: certificates to trust instead of the common ones.
    """

    base_url: str
    proxy: str | None = None
    ca_file: Path | None = None

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """What the proxy is told of who asks."""
        password = urlsplit(self.proxy or "").password
        return (Secret(unquote(password), "the proxy's password"),) if password else ()

"""The HTTP clients of one process: one that is kept between calls, and a new one for each campaign or upload."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from ..api import Endpoint, MetrixClient, open_transport
from ..config import Metrix
from ..redact import Redactor, Secret
from ..version import __version__

USER_AGENT: Final = f"metrix-channels/{__version__}"


class Clients:
    """Opens clients with the settings and credentials of the configuration.

    Args:
        settings: returns the current settings under `metrix`.
    """

    def __init__(self, settings: Callable[[], Metrix]) -> None:
        self._settings = settings
        self._kept: MetrixClient | None = None
        self._retired: list[MetrixClient] = []
        self._used: object = None

    def kept(self) -> MetrixClient:
        """Return the client that keeps its connections between calls.

        Raises:
            ConfigError: secret_missing, secret_invalid, file_unreadable.
        """
        if self._kept is None:
            self._kept = self._open(self._settings().credentials().api_key)
        return self._kept

    def for_many(self) -> MetrixClient:
        """Return a new client for many requests, which the caller closes.

        Raises:
            ConfigError: secret_missing, secret_invalid, file_unreadable.
        """
        return self._open(self._settings().credentials().api_key)

    def renew(self) -> None:
        """Replace the kept client when the settings, the credentials or `ca_file` have changed.

        Raises:
            ConfigError: the credentials or `ca_file` cannot be used.
        """
        metrix = self._settings()
        used = metrix.credentials(), metrix.base_url, metrix.proxy, metrix.ca_file, _stamp(metrix.ca_file)
        if used != self._used:
            client = self._open(used[0].api_key)
            if self._kept is not None:
                self._retired.append(self._kept)  # it may still have requests in flight
            self._kept, self._used = client, used

    async def close(self) -> None:
        """Close every connection of the kept clients."""
        for client in [*self._retired, *([self._kept] if self._kept else [])]:
            await client.close()

    def _open(self, api_key: Secret) -> MetrixClient:
        settings = self._settings()
        endpoint = Endpoint(settings.base_url, settings.proxy, settings.ca_file)
        redactor = Redactor(api_key, *endpoint.secrets)
        return MetrixClient(
            base_url=settings.base_url,
            app_id=settings.resolve_app_id(),
            api_key=api_key,
            transport=open_transport(endpoint, redactor),
            user_agent=USER_AGENT,
            redactor=redactor,
        )


def _stamp(file: Path | None) -> tuple[int, int] | None:
    try:
        stat = file.stat() if file is not None else None
    except OSError:
        return None
    return stat and (stat.st_mtime_ns, stat.st_size)

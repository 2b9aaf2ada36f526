"""The wire of the extra `fast`: an HTTP client written in Rust. The only use of pyreqwest.

It is for many requests: a campaign's. Its one pool costs the same however many connections are open.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import ConnectError, ConnectTimeoutError, PyreqwestError
from pyreqwest.proxy import ProxyBuilder
from pyreqwest.response import Response

from ..redact import Redactor
from .answer import READ_AT_MOST, reply_of
from .exchange import Exchange, Failure, Reply, Stage
from .transport import Endpoint

_CONNECT_SHARE: Final = 0.95
"""Of an attempt's time: what fails before it has provably not begun, what fails after it may have."""
_KEEP_IDLE: Final = timedelta(seconds=5)


class PyreqwestTransport:
    """The transport of the extra `fast`.

    It trusts the system's authorities; see `open_transport` for who decides that it may.
    """

    def __init__(self, endpoint: Endpoint, redactor: Redactor) -> None:
        self._endpoint = endpoint
        self._redactor = redactor
        self._clients: dict[float, Client] = {}

    async def post(self, path: str, headers: Mapping[str, str], body: bytes, timeout: float) -> Exchange:  # noqa: ASYNC109
        """Make one attempt."""
        client = self._clients.get(timeout) or self._new_client(timeout)
        request = client.post(self._endpoint.base_url + path).headers(headers).body_bytes(body).build_streamed()
        response: Response | None = None
        received = bytearray()
        try:
            async with asyncio.timeout(timeout), request as response:
                await _read(response, received)
        except TimeoutError as error:
            if response is None:
                why = f"no answer within {timeout:g} s"
                stage = Stage.NOT_BEGUN if isinstance(error, ConnectTimeoutError) else Stage.BEGUN
                return Failure(stage, why)
            return self._reply(response, received, whole=False)
        except (PyreqwestError, OSError, ValueError) as error:
            return self._broken_off(error) if response is None else self._reply(response, received, whole=False)
        return self._reply(response, received, whole=True)

    async def close(self) -> None:
        """Close every connection."""
        clients, self._clients = self._clients, {}
        for client in clients.values():
            await client.close()

    def _new_client(self, timeout: float) -> Client:
        builder = (
            ClientBuilder()
            .no_proxy()  # neither the environment's
            .follow_redirects(False)
            .referer(False)
            .default_cookie_store(False)
            .http1_only()
            .gzip(False)
            .brotli(False)
            .zstd(False)
            .deflate(False)
            .connect_timeout(timedelta(seconds=timeout * _CONNECT_SHARE))
            .pool_idle_timeout(_KEEP_IDLE)
            .min_tls_version("TLSv1.2")
        )
        if self._endpoint.proxy is not None:
            builder = builder.proxy(ProxyBuilder.all(self._endpoint.proxy))
        client = self._clients[timeout] = builder.build()
        return client

    def _broken_off(self, error: Exception) -> Failure:
        reasons = [str(cause["message"]) for cause in getattr(error, "details", {}).get("causes") or ()]
        why = self._redactor.clean(": ".join(reasons[1:]) or type(error).__name__)
        if not isinstance(error, ConnectError):
            return Failure(Stage.BEGUN, why)
        certificate = any("certificate" in reason for reason in reasons)
        return Failure(Stage.CERTIFICATE if certificate else Stage.NOT_BEGUN, why)

    def _reply(self, response: Response, received: bytearray, *, whole: bool) -> Reply:
        return reply_of(response.status, response.get_header, bytes(received), self._redactor, whole=whole)


async def _read(response: Response, received: bytearray) -> None:
    """Read the answer up to the limit."""
    while len(received) < READ_AT_MOST and (chunk := await response.body_reader.read_chunk()) is not None:
        received += bytes(chunk)[: READ_AT_MOST - len(received)]

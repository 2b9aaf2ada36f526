"""The wire of the extra `fast`: an HTTP client written in Rust. The only use of pyreqwest.

It is for many requests, a campaign's: one costs a tenth of what it costs the core's wire. It gives the same facts,
with three differences, each to the cautious side:

- Whether an attempt had begun when its time ran out is not told. Connecting is therefore given a little less time
  than the attempt, and fails by itself, provably before the request. An attempt that is shorter than the longest one
  so far shares that one's connections, and counts as begun when its time runs out while it connects.
- A failure counts as not begun only when the client's error says that it came of connecting.
- It always trusts the system's authorities beside the common ones: `serves` says where that is too many.

A request is repeated by the client itself only when the kept connection that it was meant for closes before its first
byte is written: hyper then hands the request back whole. HTTP/2, which has more such cases, is off.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import DetailedPyreqwestError, PyreqwestError
from pyreqwest.proxy import ProxyBuilder
from pyreqwest.request import StreamRequest
from pyreqwest.response import Response

from ..redact import Redactor
from .answer import READ_AT_MOST, reply_of
from .exchange import Exchange, Failure, Stage
from .tls import tls_context
from .transport import Endpoint

_TIME_TO_CONNECT: Final = 0.95
"""Of an attempt's time."""
_KEEP_IDLE: Final = timedelta(seconds=5)
_CONNECTING: Final = "client error (Connect)"
"""Second in the chain of causes; what failed later has "client error (SendRequest)" there."""
_CERTIFICATE: Final = "invalid peer certificate"
_PROCESS: Final = os.getpid()


class PyreqwestTransport:
    """The transport of the extra `fast`."""

    def __init__(self, endpoint: Endpoint, redactor: Redactor) -> None:
        self._endpoint = endpoint
        self._redactor = redactor
        self._client: Client | None = None
        self._longest = 0.0

    async def post(self, path: str, headers: Mapping[str, str], body: bytes, timeout: float) -> Exchange:  # noqa: ASYNC109
        """Make one attempt, on a connection that is free or new."""
        try:
            request = self._request(path, headers, body, timeout)
        except (PyreqwestError, ValueError) as error:
            return Failure(Stage.NOT_BEGUN, self._redactor.clean(f"{type(error).__name__}: {error}"))
        response: Response | None = None
        received = bytearray()
        try:
            async with request as response:
                await _read(response, received)
        except (PyreqwestError, OSError, ValueError) as error:
            if response is None:
                return self._failure(error, timeout)
            whole = False
        else:
            whole = True
        if response.status < 200:
            # What became of the request is not said, and what follows would be no HTTP.
            return Failure(Stage.BEGUN, f"the connection was switched to another protocol ({response.status})")
        return reply_of(response.status, response.get_header, bytes(received), self._redactor, whole=whole)

    async def close(self) -> None:
        """Close every connection."""
        client, self._client, self._longest = self._client, None, 0.0
        if client is not None:
            await client.close()

    def _request(self, path: str, headers: Mapping[str, str], body: bytes, seconds: float) -> StreamRequest:
        if self._client is None or seconds > self._longest:
            # What is under way on the former client goes on.
            self._client, self._longest = _new_client(self._endpoint, seconds), seconds
        request = self._client.post(self._endpoint.base_url + path).headers(headers).body_bytes(body)
        request = request.timeout(timedelta(seconds=seconds))  # of the whole attempt, its answer's last byte included
        # Without a limit of 0 the client reads ahead, and keeps the status to itself when the rest is cut off.
        return request.streamed_read_buffer_limit(0).build_streamed()

    def _failure(self, error: Exception, seconds: float) -> Failure:
        causes = _causes(error)
        connecting = len(causes) > 1 and causes[1] == _CONNECTING
        certificate = connecting and any(cause.startswith(_CERTIFICATE) for cause in causes)
        stage = Stage.CERTIFICATE if certificate else Stage.NOT_BEGUN if connecting else Stage.BEGUN
        if isinstance(error, TimeoutError):
            return Failure(stage, f"no answer within {seconds:g} s")
        # The first two say the address, and what the stage says.
        why = ": ".join((type(error).__name__, *causes[2:]))
        return Failure(stage, self._redactor.clean(" ".join(why.split())))


async def _read(response: Response, received: bytearray) -> None:
    """Read the answer up to the limit."""
    reader = response.body_reader
    while len(received) < READ_AT_MOST and (chunk := await reader.read_chunk()) is not None:
        received += memoryview(chunk)[: READ_AT_MOST - len(received)]


def _causes(error: Exception) -> list[str]:
    if not isinstance(error, DetailedPyreqwestError):
        return [str(error)]
    return [cause["message"] for cause in error.details["causes"] or ()]


def _new_client(endpoint: Endpoint, seconds: float) -> Client:
    builder = (
        ClientBuilder()
        .no_proxy()  # none of the environment's
        .follow_redirects(False)
        .referer(False)
        .http1_only()
        .gzip(False)
        .brotli(False)
        .zstd(False)
        .deflate(False)
        .connect_timeout(timedelta(seconds=seconds * _TIME_TO_CONNECT))
        .pool_idle_timeout(_KEEP_IDLE)
        .min_tls_version("TLSv1.2")
    )
    if endpoint.proxy is not None:
        builder = builder.proxy(ProxyBuilder.all(endpoint.proxy))
    if speaks_tls(endpoint):
        # A machine may have no authorities of its own.
        for certificate in tls_context(None).get_ca_certs(binary_form=True):
            builder = builder.add_root_certificate_der(certificate)
    return builder.build()


def speaks_tls(endpoint: Endpoint) -> bool:
    """Return whether certificates matter on the way to an endpoint."""
    return any(url.startswith("https:") for url in (endpoint.base_url, endpoint.proxy or ""))


def serves(endpoint: Endpoint) -> bool:
    """Return whether this wire may carry the key to an endpoint.

    It cannot trust a `ca_file` alone, it would let the environment add to whom it trusts, and its threads do not
    outlive a fork.
    """
    trusted = endpoint.ca_file is None and not {"SSL_CERT_FILE", "SSL_CERT_DIR"} & os.environ.keys()
    return os.getpid() == _PROCESS and (trusted or not speaks_tls(endpoint))

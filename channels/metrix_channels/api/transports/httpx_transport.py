"""The HTTP transport through a proxy. It is the only module that uses httpx.

Each request in flight has a lane of its own, which is an httpx transport with one connection. The time that httpx's
pool spends on a request grows with the square of its open connections (encode/httpx#3215); with 64 of them, it sends a
hundredth of what it could. httpx's client is not used: it takes a third of the time to add cookies, redirects and
authentication, which are not wanted here.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

import httpx

from ...redact import Redactor
from ..answer import READ_AT_MOST, reply_of
from ..exchange import Exchange, Failure, Reply, Stage
from ..tls import tls_context
from .base import Endpoint

_UNDER_WAY: ContextVar[bool] = ContextVar("an attempt of this library is under way", default=False)


def _is_of_others(_: logging.LogRecord) -> bool:
    return not _UNDER_WAY.get()


# At DEBUG these loggers write URLs and the headers of answers, which can contain anything.
for _name in ("connection", "http11", "proxy"):
    logging.getLogger(f"httpcore.{_name}").addFilter(_is_of_others)


class HttpxTransport:
    """The transport through a proxy."""

    def __init__(self, endpoint: Endpoint, redactor: Redactor) -> None:
        self._endpoint = endpoint
        self._redactor = redactor
        self._tls = tls_context(endpoint.ca_file)
        self._proxy = _proxy(endpoint.proxy, self._tls)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._idle: list[httpx.AsyncHTTPTransport] = []

    async def post(self, path: str, headers: Mapping[str, str], body: bytes, timeout: float) -> Exchange:  # noqa: ASYNC109
        """Make one attempt, on a connection that is free or new."""
        self._follow_loop()
        lane = self._idle.pop() if self._idle else self._new_lane()
        attempt = _Attempt(lane, self._endpoint.base_url + path, headers, body, self._redactor)
        token = _UNDER_WAY.set(True)
        is_fit = False
        try:
            exchange = await attempt.run(timeout)
            # An aborted request may hold the only connection of its lane for ever.
            is_fit = isinstance(exchange, Reply) and not _has_more(lane)
            return exchange
        finally:
            if is_fit:
                self._idle.append(lane)
            else:
                await lane.aclose()
            _UNDER_WAY.reset(token)

    async def close(self) -> None:
        """Close every connection."""
        self._follow_loop()
        idle, self._idle = self._idle, []
        token = _UNDER_WAY.set(True)
        try:
            for lane in idle:
                await lane.aclose()
        finally:
            _UNDER_WAY.reset(token)

    def _follow_loop(self) -> None:
        """Drop the connections if another event loop calls, because they belong to the loop that opened them."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop, self._idle = loop, []

    def _new_lane(self) -> httpx.AsyncHTTPTransport:
        return httpx.AsyncHTTPTransport(
            verify=self._tls,
            trust_env=False,
            proxy=self._proxy,
            limits=httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=5),
        )


class _Attempt:
    """One request, which records how far it got."""

    def __init__(
        self, lane: httpx.AsyncHTTPTransport, url: str, headers: Mapping[str, str], body: bytes, redactor: Redactor
    ) -> None:
        self._lane = lane
        self._url = url
        self._headers = headers
        self._body = body
        self._redactor = redactor
        self._begun = False
        self._connection: Any = None
        self._response: httpx.Response | None = None
        self._received = bytearray()

    async def run(self, seconds: float) -> Exchange:
        try:
            async with asyncio.timeout(seconds):
                await self._exchange()
        except TimeoutError:
            return self._broken_off(f"no {'whole ' if self._response else ''}answer within {seconds:g} s")
        except httpx.LocalProtocolError as error:
            # httpx refused the request when it built the head, which is after the trace event of its start.
            return Failure(Stage.NOT_BEGUN, self._redactor.clean(_in_words(error), "reason"))
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, ValueError, RuntimeError) as error:
            return self._broken_off(_in_words(error), certificate=_is_certificate_error(error))
        return self._reply(whole=True)

    async def _exchange(self) -> None:
        # No timeouts: httpx's are per read, and the attempt has one timeout for everything.
        request = httpx.Request(
            "POST", self._url, headers=dict(self._headers), content=self._body, extensions={"trace": self._trace}
        )
        try:
            response = await self._lane.handle_async_request(request)
        except BaseException:
            # An aborted TLS handshake leaves its connection open.
            if self._connection is not None:
                await self._connection.aclose()
            raise
        self._response = response
        try:
            async for chunk in response.aiter_raw():
                self._received += chunk[: READ_AT_MOST - len(self._received)]
                if len(self._received) >= READ_AT_MOST:
                    break
        finally:
            await response.aclose()

    async def _trace(self, event: str, info: Mapping[str, Any]) -> None:
        if event == "connection.connect_tcp.complete":
            self._connection = info["return_value"]
        # The CONNECT request to a proxy is a separate one, and says nothing about this request.
        if event == "http11.send_request_headers.started" and info["request"].method == b"POST":
            self._begun = True

    def _broken_off(self, reason: str, *, certificate: bool = False) -> Exchange:
        if self._response is not None:
            return self._reply(whole=False)
        stage = Stage.CERTIFICATE if certificate else Stage.BEGUN if self._begun else Stage.NOT_BEGUN
        return Failure(stage, self._redactor.clean(reason, "reason"))

    def _reply(self, *, whole: bool) -> Reply:
        response = self._response
        if response is None:
            raise AssertionError("a reply needs a status")
        return reply_of(response.status_code, response.headers.raw, bytes(self._received), self._redactor, whole=whole)


def _has_more(lane: httpx.AsyncHTTPTransport) -> bool:
    """Tell whether more than one answer arrived; the next request would get the rest.

    httpcore checks this only on the socket, not among the bytes that it has already read.
    """
    for connection in lane._pool.connections:  # noqa: SLF001 - there is no public way
        inner: Any = connection
        while inner is not None and not hasattr(inner, "_h11_state"):
            inner = getattr(inner, "_connection", None)
        if inner is None or inner._h11_state.trailing_data[0]:  # noqa: SLF001
            return True
    return False


def _proxy(url: str | None, tls: ssl.SSLContext) -> httpx.Proxy | None:
    if url is None:
        return None
    # By default, httpx would make the TLS handshake with a proxy according to the environment.
    return httpx.Proxy(url, ssl_context=tls if url.startswith("https:") else None)


def _is_certificate_error(error: BaseException) -> bool:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def _in_words(error: Exception) -> str:
    text = " ".join(str(error).split()).rstrip(".")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__

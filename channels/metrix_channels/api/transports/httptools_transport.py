"""The HTTP transport without a proxy: asyncio's connections, and httptools to parse answers.

A POST over httpx takes four times as long (docs/performance.md), which is most of the time of a single message. So this
transport does only what a POST needs: it keeps connections, builds the head once, and reads an answer up to a limit.
httpx handles proxies.
"""

from __future__ import annotations

import asyncio
import select
import ssl
import time
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from attrs import define

from ...redact import Redactor
from ..answer import reply_of
from ..exchange import Exchange, Failure, Reply, Stage
from ..tls import tls_context
from .answer_reader import Answer, AnswerReader, read_ordinary
from .base import Endpoint
from .connecting import connect

_KEEP_IDLE_SECONDS: Final = 5.0
_BUFFER_BYTES: Final = 16 * 1024


class HttptoolsTransport:
    """The transport without a proxy."""

    def __init__(self, endpoint: Endpoint, redactor: Redactor) -> None:
        parts = urlsplit(endpoint.base_url)
        self._secure = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if self._secure else 80)
        self._authority, self._base_path = parts.netloc.lower(), parts.path
        self._tls = tls_context(endpoint.ca_file) if self._secure or endpoint.ca_file else None
        self._redactor = redactor
        self._loop: asyncio.AbstractEventLoop | None = None
        self._idle: list[tuple[_Connection, float]] = []
        self._head: tuple[str, Mapping[str, str], bytes] | None = None
        self._last = _LastAnswer()

    async def post(self, path: str, headers: Mapping[str, str], body: bytes, timeout: float) -> Exchange:  # noqa: ASYNC109
        """Make one attempt, on a connection that is free or new."""
        ends = self._follow_loop().time() + timeout
        connection: _Connection | None = None
        try:
            head = self._head_of(path, headers)
            if (connection := self._free()) is None:
                async with asyncio.timeout_at(ends):
                    connection = await self._connect()
            await connection.request(head, body, ends)
        except TimeoutError:
            return self._broken_off(connection, f"no answer within {timeout:g} s")
        except ssl.SSLCertVerificationError as error:
            return self._failure(Stage.CERTIFICATE, f"{type(error).__name__}: {error.verify_message}")
        except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: no thread to look up the name
            return self._broken_off(connection, f"{type(error).__name__}: {error}")
        except BaseException:
            if connection is not None:
                connection.abort()
            raise
        return self._answered(connection)

    async def close(self) -> None:
        """Close every connection."""
        self._follow_loop()
        idle, self._idle = self._idle, []
        for connection, _ in idle:
            connection.abort()
        await asyncio.sleep(0)  # the event loop closes them

    def _follow_loop(self) -> asyncio.AbstractEventLoop:
        """Return the running event loop; drop the connections of another one, because they belong to it."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop, self._idle = loop, []
        return loop

    def _free(self) -> _Connection | None:
        while self._idle:
            connection, since = self._idle.pop()
            if time.monotonic() - since < _KEEP_IDLE_SECONDS and connection.is_fresh:
                return connection
            connection.abort()
        return None

    async def _connect(self) -> _Connection:
        stream = await connect(self._host, self._port)
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: _Connection(self._last),
            sock=stream,
            ssl=self._tls if self._secure else None,
            server_hostname=self._host if self._secure else None,
        )
        return connection

    def _head_of(self, path: str, headers: Mapping[str, str]) -> bytes:
        """Return the request's head without its length; cached for the next request with the same path and headers."""
        if self._head is None or self._head[0] != path or self._head[1] is not headers:
            first = f"POST {self._base_path}{path} HTTP/1.1"
            lines = [first, f"Host: {self._authority}", *map(": ".join, headers.items())]
            if any("\r" in line or "\n" in line for line in lines):
                raise ValueError("a header contains a line break")
            self._head = path, headers, "\r\n".join(lines).encode("ascii")
        return self._head[2]

    def _answered(self, connection: _Connection) -> Exchange:
        answer = connection.answer
        if connection.may_be_kept:
            self._idle.append((connection, time.monotonic()))
        else:
            connection.abort()
        if answer is self._last.answer and self._last.reply is not None:
            return self._last.reply
        if not answer.status:
            return self._failure(Stage.BEGUN, answer.trouble or "the connection was closed without an answer")
        reply = reply_of(answer.status, answer.fields, bytes(answer.body), self._redactor, whole=answer.is_whole)
        if answer is self._last.answer:
            self._last.reply = reply
        return reply

    def _broken_off(self, connection: _Connection | None, reason: str) -> Exchange:
        if connection is None:
            return self._failure(Stage.NOT_BEGUN, reason)
        connection.answer.trouble = connection.answer.trouble or reason
        return self._answered(connection)

    def _failure(self, stage: Stage, reason: str) -> Failure:
        return Failure(stage, self._redactor.clean(" ".join(reason.split()), "reason"))


@define
class _LastAnswer:
    """The last ordinary answer that arrived in one piece.

    An answer of the same bytes means the same, so it is not parsed again. Many answers differ only in their `Date`,
    once a second.

    Attributes:
        received: all its bytes.
        answer: what they mean.
        reply: made from the answer when it is used for the first time.
    """

    received: bytes = b""
    answer: Answer | None = None
    reply: Reply | None = None


class _Connection(asyncio.BufferedProtocol):
    """One connection: receives bytes from asyncio and passes them to an `AnswerReader`.

    It has its own buffer. For other protocols, asyncio allocates 256 KiB for each read, often with a system call.

    Args:
        last: shared with other connections.
    """

    def __init__(self, last: _LastAnswer) -> None:
        self._last = last
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._unread = select.poll()
        self._buffer = memoryview(bytearray(_BUFFER_BYTES))
        self._done: asyncio.Future[None] | None = None
        self._reader: AnswerReader | None = None
        self._answer: Answer | None = None
        self._is_closed = False
        self._ends = 0.0
        self._alarm: asyncio.TimerHandle | None = None

    @property
    def answer(self) -> Answer:
        """The answer to the last request, as far as it has arrived."""
        if self._answer is None:
            self._answer = Answer()
        return self._answer

    @property
    def may_be_kept(self) -> bool:
        """Whether it can be used again: the last request and answer are complete, and nothing came after them."""
        return (
            self._transport is not None
            and not self._is_closed
            and self.answer.may_be_followed
            and not self._transport.get_write_buffer_size()
        )

    @property
    def is_fresh(self) -> bool:
        """Whether it is open and has no unread bytes, which would look like the next answer."""
        return not self._is_closed and not self._unread.poll(0)

    def request(self, head: bytes, body: bytes, ends: float) -> asyncio.Future[None]:
        """Send a request; the result is set when its answer, or the connection, ends.

        Args:
            head: the head without the length.
            body: JSON.
            ends: the deadline, on the event loop's clock.

        Returns:
            The end; a TimeoutError if the deadline passes before it.
        """
        if self._transport is None:
            raise AssertionError("a connection was used before it was open")
        self._done = done = self._loop.create_future()
        self._reader = self._answer = None
        self._set_alarm(ends)
        self._transport.write(b"%b\r\nContent-Length: %d\r\n\r\n%b" % (head, len(body), body))
        return done

    def abort(self) -> None:
        """Close it at once."""
        self._is_closed = True
        if self._alarm is not None:
            self._alarm.cancel()
        if self._transport is not None:
            self._transport.abort()

    def _set_alarm(self, ends: float) -> None:
        """Set the deadline; keep an earlier alarm, because a new timer takes longer than the rest of a request."""
        self._ends = ends
        if self._alarm is not None and self._alarm.when() > ends:
            self._alarm.cancel()
            self._alarm = None
        if self._alarm is None:
            self._alarm = self._loop.call_at(ends, self._look_at_time)

    def _look_at_time(self) -> None:
        self._alarm = None
        if self._done is None or self._done.done():
            return
        if self._loop.time() < self._ends:
            self._set_alarm(self._ends)
        else:
            self._done.set_exception(TimeoutError())

    # -- callbacks of asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport."""
        self._transport = transport  # type: ignore[assignment]
        self._unread.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where to store the bytes that arrive."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Read more of the answer."""
        if self._done is None or self._done.done():
            self.abort()  # bytes that belong to no request
            return
        data = bytes(self._buffer[:nbytes])
        if self._reader is None:
            self._answer = self._read_at_once(data)
            if self._answer is not None:
                self._done.set_result(None)
                return
            self._reader = AnswerReader()
        self._reader.feed(data)
        self._answer = self._reader.answer
        if self._reader.is_over:
            self._done.set_result(None)

    def _read_at_once(self, data: bytes) -> Answer | None:
        """Read an ordinary answer that arrived in one piece; return None for any other."""
        last = self._last
        if data != last.received:
            if (answer := read_ordinary(data)) is None:
                return None
            last.received, last.answer, last.reply = data, answer, None
        return last.answer

    def connection_lost(self, exc: Exception | None) -> None:
        """End the answer."""
        self._is_closed = True
        if self._alarm is not None:
            self._alarm.cancel()
        if self._done is not None and not self._done.done():
            self._reader = self._reader or AnswerReader()
            self._reader.end(exc)
            self._answer = self._reader.answer
            self._done.set_result(None)

"""A server that misbehaves as it is told, on a real socket, for tests of the client.

with FaultServer([Answer(503), Answer(503), Answer(200)]) as server:
    ...                                # talk to server.url
    assert len(server.requests) == 3
"""

from __future__ import annotations

import gzip
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from enum import Enum
from types import TracebackType
from typing import BinaryIO, Protocol, Self, TypeVar

from attrs import field, frozen


@frozen
class Request:
    """A request as it was read; header names in lower case. `connection` counts from 1."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    connection: int


class Conversation:
    """One connection, as a behaviour sees it."""

    def __init__(self, connection: socket.socket, stopping: threading.Event) -> None:
        self.socket = connection
        self.stopping = stopping
        self.sent = 0

    def send(self, data: bytes) -> None:
        """Write all of `data`."""
        self.socket.sendall(data)
        self.sent += len(data)

    def send_head(self, status: int, headers: Mapping[str, str]) -> None:
        """Write the status line and the headers."""
        lines = [f"HTTP/1.1 {status} Said so", *(f"{name}: {value}" for name, value in headers.items())]
        self.send("\r\n".join([*lines, "", ""]).encode("latin-1"))


class Behaviour(Protocol):
    """What the server does with a request."""

    def play(self, conversation: Conversation) -> bool:
        """Do it and say whether the connection may carry another request."""


@frozen
class Answer:
    """A whole answer."""

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(factory=dict)

    def play(self, conversation: Conversation) -> bool:
        head = {"Content-Type": "application/json", "Content-Length": str(len(self.body)), **self.headers}
        conversation.send_head(self.status, head)
        conversation.send(self.body)
        return "Connection" not in self.headers


@frozen
class Raw:
    """Bytes as they are, then the end of the connection."""

    data: bytes

    def play(self, conversation: Conversation) -> bool:
        conversation.send(self.data)
        return False


def redirect(to: str, status: int = 307) -> Answer:
    """Point at another address."""
    return Answer(status, b"", {"Location": to})


@frozen
class Close:
    """Close the connection in place of an answer, after the whole request was read."""

    def play(self, conversation: Conversation) -> bool:
        return False


@frozen
class CloseAfterHeaders:
    """Close the connection as soon as the request's headers were read; its body stays unread.

    For a script that is a list: a function chooses only when it has the whole request.
    """

    def play(self, conversation: Conversation) -> bool:
        return False


@frozen
class Reset:
    """End the connection by a TCP reset in place of an answer."""

    def play(self, conversation: Conversation) -> bool:
        conversation.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False


@frozen
class Hang:
    """Never answer."""

    def play(self, conversation: Conversation) -> bool:
        conversation.stopping.wait()
        return False


@frozen
class Drip:
    """Answer byte by byte: the head, too, unless `head_at_once`."""

    seconds: float = 1.0
    body: bytes = b'{"dripping": true}' * 100
    head_at_once: bool = False

    def play(self, conversation: Conversation) -> bool:
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(self.body)}\r\n\r\n".encode()
        data = self.body if self.head_at_once else head + self.body
        if self.head_at_once:
            conversation.send(head)
        for byte in data:
            conversation.send(bytes([byte]))
            if conversation.stopping.wait(self.seconds):
                return False
        return True


@frozen
class Huge:
    """Stream a body of `size` bytes; the server's `bytes_sent` says how much of it the client let through."""

    size: int = 100_000_000
    status: int = 200

    def play(self, conversation: Conversation) -> bool:
        conversation.send_head(self.status, {"Content-Type": "text/plain", "Content-Length": str(self.size)})
        block = b"x" * 65_536
        for start in range(0, self.size, len(block)):
            conversation.send(block[: self.size - start])
        return True


@frozen
class GzipBomb:
    """A small compressed body that becomes `size` bytes."""

    size: int = 50_000_000
    status: int = 200

    def play(self, conversation: Conversation) -> bool:
        body = gzip.compress(bytes(self.size), compresslevel=9)
        return Answer(self.status, body, {"Content-Encoding": "gzip"}).play(conversation)


@frozen
class Truncated:
    """Announce more than comes, then close."""

    body: bytes = b'{"message": "rec'
    missing: int = 100
    status: int = 200

    def play(self, conversation: Conversation) -> bool:
        length = str(len(self.body) + self.missing)
        conversation.send_head(self.status, {"Content-Type": "application/json", "Content-Length": length})
        conversation.send(self.body)
        return False


class OnConnect(Enum):
    """What becomes of a connection before anything is read from it."""

    SERVE = "serve"
    STALL = "stall"
    """Accepted and then left alone: over TLS the handshake never begins."""
    CLOSE = "close"


Item = TypeVar("Item")
Script = Sequence[Behaviour] | Callable[[Request], Behaviour]


class FaultServer:
    """Listens on loopback, one thread a connection.

    Args:
        script: a behaviour a request, over all connections, the last one for all further requests; or a function that
            chooses by the request.
        connections: what becomes of each connection, the last for all further ones.
        certificate: a PEM file with key and certificates; the server then speaks TLS.
        host: the name in `url`, where a certificate is for another one than `127.0.0.1`.
    """

    def __init__(
        self,
        script: Script = (Answer(),),
        *,
        connections: Sequence[OnConnect] = (OnConnect.SERVE,),
        certificate: str | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        self._script = script
        self._connections = connections
        self._context = _server_context(certificate) if certificate else None
        self._host = host
        self._lock = threading.Lock()
        self._requests: list[Request] = []
        self._accepted = 0
        self._handshakes_failed = 0
        self._stopping = threading.Event()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._conversations: list[Conversation] = []

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port: int = self._listener.getsockname()[1]
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        # On Linux closing alone does not wake a thread that waits in accept().
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{'https' if self._context else 'http'}://{self._host}:{self.port}"

    @property
    def requests(self) -> list[Request]:
        """The requests read so far, in order."""
        with self._lock:
            return list(self._requests)

    @property
    def bytes_sent(self) -> int:
        """How many bytes of answers the client, and the buffers on the way to it, have taken."""
        return sum(conversation.sent for conversation in self._conversations)

    @property
    def connections_accepted(self) -> int:
        """How many connections came, with or without a request."""
        with self._lock:
            return self._accepted

    @property
    def connections_open(self) -> int:
        """How many connections it has not closed yet."""
        with self._lock:
            return len(self._open)

    @property
    def handshakes_failed(self) -> int:
        """How many TLS handshakes the client gave up."""
        with self._lock:
            return self._handshakes_failed

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._accepted += 1
                number = self._accepted
                self._open.add(connection)
            self._start(self._serve, connection, number)

    def _serve(self, plain: socket.socket, number: int) -> None:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = plain
        try:
            what = _nth(self._connections, number - 1)
            if what is OnConnect.STALL:
                self._stopping.wait()
            if what is OnConnect.SERVE:
                connection = self._secure(plain)
                self._converse(connection, number)
        except OSError:
            pass  # The client left, which is its right.
        finally:
            connection.close()
            with self._lock:
                self._open -= {plain, connection}

    def _secure(self, plain: socket.socket) -> socket.socket:
        if self._context is None:
            return plain
        try:
            secure = self._context.wrap_socket(plain, server_side=True)
        except OSError:
            with self._lock:
                self._handshakes_failed += 1
            raise
        with self._lock:
            self._open = (self._open - {plain}) | {secure}
        return secure

    def _converse(self, connection: socket.socket, number: int) -> None:
        conversation = Conversation(connection, self._stopping)
        self._conversations.append(conversation)
        with connection.makefile("rb") as stream:
            while head := _read_head(stream):
                method, path, headers = head
                # Whether the body is read at all depends on what comes next.
                body = b"" if self._upcoming() is CloseAfterHeaders else _read_body(stream, headers)
                if not self._choose(Request(method, path, headers, body, number)).play(conversation):
                    return

    def _upcoming(self) -> type[Behaviour] | None:
        if callable(self._script):
            return None
        with self._lock:
            return type(_nth(self._script, len(self._requests)))

    def _choose(self, request: Request) -> Behaviour:
        with self._lock:
            self._requests.append(request)
            index = len(self._requests) - 1
        return self._script(request) if callable(self._script) else _nth(self._script, index)


@contextmanager
def refusing_address() -> Iterator[str]:
    """Give an address where every connection is refused: the port is taken, and nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def _server_context(certificate: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def _read_head(stream: BinaryIO) -> tuple[str, str, dict[str, str]] | None:
    line = stream.readline().decode("latin-1").split()
    if len(line) != 3:
        return None
    headers = {}
    while text := stream.readline().decode("latin-1").strip():
        name, _, value = text.partition(":")
        headers[name.strip().lower()] = value.strip()
    return line[0], line[1], headers


def _read_body(stream: BinaryIO, headers: Mapping[str, str]) -> bytes:
    if headers.get("transfer-encoding") != "chunked":
        return stream.read(int(headers.get("content-length", "0")))
    body = b""
    while size := int(stream.readline().split(b";")[0] or b"0", 16):
        body += stream.read(size)
        stream.readline()
    stream.readline()
    return body


def _nth(items: Sequence[Item], index: int) -> Item:
    return items[min(index, len(items) - 1)]

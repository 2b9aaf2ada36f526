"""Something that speaks PostgreSQL's protocol just far enough to turn a client away, or to say how old it is."""

from __future__ import annotations

import socket
import struct
import threading
from typing import Self

_SSL_REQUEST = 80877103


class RefusingServer:
    """Answers each connection in the same way, for the block's time.

    Args:
        state: SQLSTATE of the error; None lets the client in.
        message: of the error.
        version: that the server says it is.
    """

    def __init__(self, state: str | None = None, message: str = "", version: str = "15.20") -> None:
        if state is None:
            parameter = b"server_version\0" + version.encode() + b"\0"
            self._answer = (
                _message(b"R", struct.pack("!i", 0))
                + _message(b"S", parameter)
                + _message(b"S", b"client_encoding\0UTF8\0")
                + _message(b"K", struct.pack("!ii", 1, 2))
                + _message(b"Z", b"I")
            )
        else:
            fields = b"SFATAL\0VFATAL\0C" + state.encode() + b"\0M" + message.encode() + b"\0\0"
            self._answer = _message(b"E", fields)

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._connections: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for connection in self._connections:
            connection.close()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"postgresql://metrix:s3cret@127.0.0.1:{self.port}/shop"

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            while struct.unpack("!ii", connection.recv(8, socket.MSG_WAITALL))[1] == _SSL_REQUEST:
                connection.sendall(b"N")
            connection.recv(4096)
            connection.sendall(self._answer)


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body

"""A Metrix that costs as little as it can: it reads each request whole, counts recipients, and answers 200.

    python benchmarks/server.py

prints its port as the first line. `GET /count` answers how many requests and recipients it took since the last look.
"""

from __future__ import annotations

import asyncio
import json
from typing import cast

import uvloop

_OK = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{"status":true}'


class Account:
    """What was taken since the last look."""

    def __init__(self) -> None:
        self.requests = 0
        self.recipients = 0

    def take(self, body: bytes) -> None:
        """Count a push: its recipients are counted by their commas, which none of the benchmark's ids holds."""
        self.requests += 1
        self.recipients += body.count(b",", 0, body.find(b"]")) + 1

    def look(self) -> bytes:
        """Return the counts and begin anew."""
        found = json.dumps({"requests": self.requests, "recipients": self.recipients}).encode()
        self.requests = self.recipients = 0
        return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
            len(found),
            found,
        )


class Connection(asyncio.Protocol):
    """One kept connection."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole."""
        read = self._read + data
        while (end := read.find(b"\r\n\r\n")) >= 0:
            if read.startswith(b"GET"):
                self._transport.write(self._account.look())
                read = read[end + 4 :]
                continue
            at = read[:end].lower().find(b"content-length:")
            whole = end + 4 + int(read[at + 15 : read.find(b"\r\n", at)])
            if len(read) < whole:
                break
            self._account.take(read[end + 4 : whole])
            self._transport.write(_OK)
            read = read[whole:]
        self._read = read


async def main() -> None:
    """Serve until killed."""
    account = Account()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(account), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())

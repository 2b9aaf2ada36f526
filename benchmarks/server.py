"""A Metrix that costs as little as it can: it reads each request whole, counts it, and answers 200.

    python benchmarks/server.py [--verify] [--certificate FILE.pem]

It runs until it is killed, on loopback, and prints its port as the first line. `GET /count` answers how many requests
and recipients it took since the last look. With `--verify` it reads every recipient, and answers their `checksum` too.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import ssl
from pathlib import Path
from typing import Final, cast

import uvloop
from data import checksum

_HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
_OK: Final = _HEAD % (15, b'{"status":true}')


class Account:
    """What was taken since the last look.

    Args:
        verify: read every recipient.
    """

    def __init__(self, *, verify: bool) -> None:
        self._verify = verify
        self._requests = self._recipients = self._checksum = 0

    def take(self, body: bytes) -> None:
        """Count a push: its recipients are counted by their commas, which none of the benchmark's ids holds."""
        self._requests += 1
        start = body.find(b"[", body.find(b'"recipients"'))
        end = body.find(b"]", start)
        self._recipients += body.count(b",", start, end) + 1
        if self._verify:
            recipients: list[str] = json.loads(body)["recipients"]
            self._checksum += checksum([recipient.encode() for recipient in recipients])

    def look(self) -> bytes:
        """Return an answer with the counts, and begin anew."""
        counts = {"requests": self._requests, "recipients": self._recipients, "checksum": self._checksum}
        self._requests = self._recipients = self._checksum = 0
        written = json.dumps(counts).encode()
        return _HEAD % (len(written), written)


class Connection(asyncio.Protocol):
    """One kept connection."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole."""
        read = self._read + data if self._read else data
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


async def serve(account: Account, certificate: Path | None) -> None:
    """Serve until killed."""
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(account), "127.0.0.1", 0, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    """Read the command line, and serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--verify", action="store_true")
    parser.add_argument("--certificate", type=Path)
    chosen = parser.parse_args()
    uvloop.run(serve(Account(verify=chosen.verify), chosen.certificate))


if __name__ == "__main__":
    main()

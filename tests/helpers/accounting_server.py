"""A Metrix that keeps an account of its own: whom it took a message for, and how often."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from attrs import field, frozen


@frozen
class Taken:
    """What is done with a request.

    Attributes:
        status: of the answer; 0 to lose the connection instead.
        taken: its recipients count as sent to.
        headers: of the answer.
        body: of the answer.
    """

    status: int = 200
    taken: bool = True
    headers: dict[str, str] = field(factory=dict)
    body: bytes = b'{"status": true}'


Script = Callable[[list[str], dict[str, Any], bytes], Taken]
"""Decides by the recipients, the message and the whole body of a request."""


def always(answer: Taken) -> Script:
    """Answer everything alike."""
    return lambda _recipients, _message, _body: answer


def troubled(seed: int, share: float = 0.05) -> Script:
    """Answer most requests well, and some in each of the ways in which a network and a server fail."""
    chance, lock = random.Random(seed), threading.Lock()
    ways = (Taken(503, taken=False), Taken(500), Taken(0), Taken(429, taken=False, headers={"Retry-After": "0"}))

    def decide(_recipients: list[str], _message: dict[str, Any], _body: bytes) -> Taken:
        with lock:
            return chance.choice(ways) if chance.random() < share else Taken()

    return decide


class AccountingServer:
    """Listens on loopback while the block runs.

    Attributes:
        account: how often each recipient was sent to.
        requests: the recipients of each request, whole ones only.
        texts: the message that each recipient was sent last.
        most_at_once: requests under way at one moment.
    """

    def __init__(self, script: Script = always(Taken()), seconds: float = 0.0) -> None:  # noqa: B008 - frozen
        self.script = script
        self.seconds = seconds
        self.account: Counter[str] = Counter()
        self.requests: list[list[str]] = []
        self.bodies: list[bytes] = []
        self.texts: dict[str, Any] = {}
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, body: bytes) -> Taken:
        """Account for a request."""
        pushed = json.loads(body)
        with self._lock:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        time.sleep(self.seconds)
        decided = self.script(pushed["recipients"], pushed["message"], body)
        with self._lock:
            self._at_once -= 1
            self.requests.append(pushed["recipients"])
            self.bodies.append(body)
            if decided.taken:
                self.account.update(pushed["recipients"])
                self.texts.update(dict.fromkeys(pushed["recipients"], pushed["message"]))
        return decided

    @property
    def at_once(self) -> int:
        """Requests under way now."""
        return self._at_once

    @property
    def twice(self) -> set[str]:
        """Whom it took a message for more than once."""
        return {recipient for recipient, count in self.account.items() if count > 1}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed is no news."""


def _handler(server: AccountingServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            body = self.rfile.read(length)
            if len(body) < length:
                return
            answer = server.answer(body)
            if not answer.status:
                self.close_connection = True
                self.connection.close()
                return
            headers = {"Content-Length": str(len(answer.body)), **answer.headers}
            head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            # In one piece: a second one would wait for the client to acknowledge the first.
            self.wfile.write(f"HTTP/1.1 {answer.status} Answer\r\n{head}\r\n".encode() + answer.body)

    return Handler

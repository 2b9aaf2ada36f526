"""A shop in one file: POST /orders sends the customer an SMS."""

import json
import os
import signal
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from metrix_channels import MetrixChannelsError, Notifier


class Orders(BaseHTTPRequestHandler):
    """Takes orders; a repeated one sends no second message."""

    notifier: Notifier

    def do_POST(self) -> None:
        """Answer 201 when Metrix has accepted the message, and 502 otherwise."""
        order = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        try:
            receipt = self.notifier.send(
                "sms",
                to=order["user"],
                template="order_paid",
                context={"order_id": order["id"]},
                key=f"order-paid-{order['id']}",
                deadline=3.0,
            )
        except MetrixChannelsError as error:
            self.log_error("%s %s", error, error.remedy)
            self._answer(502, {"error": error.code})
        else:
            self._answer(201, {"receipt": receipt.id})

    def _answer(self, status: int, document: dict[str, str]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serve until SIGTERM, with one notifier for all threads."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    address = ("", int(os.environ.get("PORT", "8000")))
    with (
        suppress(KeyboardInterrupt),
        Notifier.from_config("channels.yaml") as Orders.notifier,
        ThreadingHTTPServer(address, Orders) as server,
    ):
        server.serve_forever()


if __name__ == "__main__":
    main()

"""Builds and sends requests as Metrix documents them: addresses, headers, JSON."""

from __future__ import annotations

import json
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

from ..json_text import dumped_bytes
from ..models import JsonValue
from ..redact import MASK, Redactor, Secret
from .exchange import Exchange
from .transports.base import Transport

PUSH = "/push"
EVENTS = "/"


class MetrixClient:
    """Makes the requests of one application.

    Args:
        base_url: the address of the API, without a path.
        app_id: APP_ID from the dashboard's application settings.
        api_key: the server key.
        transport: sends the requests.
        user_agent: the value of the header `User-Agent`.
        redactor: removes the secrets of the application and of the proxy.
    """

    def __init__(
        self,
        base_url: str,
        app_id: str,
        api_key: Secret,
        transport: Transport,
        user_agent: str,
        redactor: Redactor,
    ) -> None:
        self._base_url = base_url
        self._app_id = app_id
        self._api_key = api_key
        self._transport = transport
        self._user_agent = user_agent
        self.redactor = redactor
        self._headers = request_headers(app_id, user_agent, api_key.reveal())

    def shown_request(self, body: bytes) -> dict[str, object]:
        """See `shown_request`."""
        return shown_request(self._base_url, request_headers(self._app_id, self._user_agent), body)

    def post(self, path: str, body: bytes, timeout: float) -> Coroutine[Any, Any, Exchange]:
        """Make one attempt.

        Args:
            path: PUSH or EVENTS.
            body: JSON in UTF-8.
            timeout: seconds for the whole attempt.
        """
        return self._transport.post(path, self._headers, body, timeout)

    async def close(self) -> None:
        """Close every connection."""
        await self._transport.close()


def request_headers(app_id: str, user_agent: str, api_key: str = MASK) -> dict[str, str]:
    """Return the headers of every request (Metrix documentation, REST API); without `api_key`, it is masked."""
    return {
        "Content-Type": "application/json",
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "User-Agent": user_agent,
        "X-Application-Id": app_id,
        "X-API-Key": api_key,
    }


def shown_request(base_url: str, headers: Mapping[str, str], body: bytes) -> dict[str, object]:
    """Return a push request in readable form, exactly as it would be sent.

    Args:
        base_url: the address of the API, without a path.
        headers: the headers from `request_headers`, with the key masked.
        body: the body from `push_body`.
    """
    return {"method": "POST", "url": base_url + PUSH, "headers": dict(headers), "body": json.loads(body)}


def encode(body: Mapping[str, JsonValue]) -> bytes:
    """Encode a request's body; NaN and lone surrogates, which JSON cannot represent, raise ValueError."""
    return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def message_json(metrix_channel: str, fields: Mapping[str, JsonValue]) -> bytes:
    """Return the part of a push body after its recipients, for `push_body`. All batches of a message share it.

    Args:
        metrix_channel: the value of `channel`, such as `SMS`.
        fields: the value of `message`.

    Raises:
        ValueError: NaN or lone surrogates, which JSON cannot represent.
    """
    return b',"channel":"%b","message":%b}' % (metrix_channel.encode(), dumped_bytes(fields))


def push_body(recipients: Sequence[str], message: bytes) -> bytes:
    """Return the body of `POST /push` (Metrix documentation, REST API).

    Args:
        recipients: customUserIds.
        message: the result of `message_json`.
    """
    return b'{"recipients":%b%b' % (dumped_bytes(recipients), message)

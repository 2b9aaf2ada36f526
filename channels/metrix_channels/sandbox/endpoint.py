"""Metrix's own paths, `POST /push` and `POST /`: checks, answers and keeps each request."""

from __future__ import annotations

import hmac
from collections.abc import Collection, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any, Final

from attrs import frozen

from ..process import wall_clock
from .bodies import MAX_BODY, BodyRefused, parse_object
from .events import Batch, check_batch, reason_to_drop
from .faults import Fault
from .memory import RequestEntry
from .push import Push, check_push
from .state import State, utc_now

PATHS: Final = ("/push", "/")
_WEB_PAGE: Final = "<!doctype html><title>Sign in</title><h1>Sign in to the network</h1>"
_RECEIVED: Final = {"message": "received"}


@frozen
class Application:
    """The application's settings in the dashboard.

    Attributes:
        app_id: required in `X-Application-Id`.
        api_key: required in `X-API-Key`.
        white_list: addresses that may call; None for all.
        taxonomy: the known names of events; None for all.
    """

    app_id: str
    api_key: str
    white_list: Sequence[IPv4Network | IPv6Network] | None = None
    taxonomy: Collection[str] | None = None


@frozen
class Call:
    """A request. Header names are in lower case; `body` is None if it was longer than `MAX_BODY`."""

    method: str
    path: str
    headers: Mapping[str, str]
    client: str
    body: bytes | None


@frozen
class Reply:
    """The answer: an object is sent as JSON, text as HTML."""

    status: int
    content: dict[str, Any] | str
    headers: Mapping[str, str]
    fault: Fault | None = None


class _Refused(Exception):
    def __init__(self, status: int, code: str, message: str, **details: str) -> None:
        super().__init__(message)
        self.status = status
        self.error = {"code": code, "message": message, **details}


class Endpoint:
    """The part of the sandbox that stands in for Metrix."""

    def __init__(self, application: Application, state: State) -> None:
        self._application = application
        self._state = state

    def receive(self, call: Call) -> Reply:
        """Check a request, keep it, and return the answer. A fault replaces the answer, even to an invalid request."""
        known = call.path in PATHS and call.method == "POST"
        fault = self._state.next_fault() if known else None
        number = self._state.next_number()
        try:
            content = self._judge(call)
        except _Refused as refused:
            reply = Reply(refused.status, {"error": refused.error}, _allow(refused.status), fault)
        else:
            if fault is None or fault.takes:
                self._take(content, call, number, fault)
            reply = Reply(200, _RECEIVED, {}, fault)
        if fault is not None and not fault.takes:
            reply = _played(fault)
        self._remember(call, number, reply)
        return reply

    def _judge(self, call: Call) -> Push | Batch:
        if call.path not in PATHS:
            raise _Refused(404, "not_found", "Metrix has only POST /push and POST /.")
        if call.method != "POST":
            raise _Refused(405, "method_not_allowed", "Only POST is allowed here.")
        self._check_access(call)
        if call.body is None:
            raise _Refused(413, "too_large", f"The body is longer than {MAX_BODY} bytes.")
        if not _is_json(call.headers.get("content-type", "")):
            raise _Refused(400, "content_type", "The Content-Type must be application/json.")
        try:
            body = parse_object(call.body)
            return check_push(body) if call.path == "/push" else check_batch(body)
        except BodyRefused as refused:
            field = {"field": refused.field} if refused.field else {}
            raise _Refused(400, "invalid_body", f"{refused}", **field) from None

    def _check_access(self, call: Call) -> None:
        white_list = self._application.white_list
        if white_list is not None and not any(ip_address(call.client) in network for network in white_list):
            raise _Refused(403, "address_not_allowed", f"The address {call.client} is not on the IP white list.")
        if not self._app_id_matches(call):
            raise _Refused(403, "application_refused", "X-Application-Id is missing or wrong.")
        if not self._api_key_matches(call):
            raise _Refused(403, "key_refused", "X-API-Key is missing or wrong.")

    def _app_id_matches(self, call: Call) -> bool:
        return _same(call.headers.get("x-application-id", ""), self._application.app_id)

    def _api_key_matches(self, call: Call) -> bool:
        return _same(call.headers.get("x-api-key", ""), self._application.api_key)

    def _take(self, content: Push | Batch, call: Call, number: int, fault: Fault | None) -> None:
        played = fault.text if fault else None
        if isinstance(content, Push):
            self._state.add_push(content, number, played, len(call.body or b""))
            return
        now_ms = wall_clock.milliseconds()
        for message in content.messages:
            drop = reason_to_drop(content.user[1], message, now_ms, self._application.taxonomy)
            self._state.add_event(content.user, message, drop, number, played)

    def _remember(self, call: Call, number: int, reply: Reply) -> None:
        unanswered = reply.fault is not None and reply.fault.kind in ("hang", "drop", "truncate")
        error = reply.content.get("error") if isinstance(reply.content, dict) else None
        self._state.add_request(
            RequestEntry(
                number=number,
                at=utc_now(),
                method=call.method,
                path=call.path,
                client=call.client,
                app_id_matches=self._app_id_matches(call),
                api_key_matches=self._api_key_matches(call),
                content_type=call.headers.get("content-type", ""),
                body=(call.body or b"").decode(errors="replace"),
                status=None if unanswered else reply.status,
                error=error,
                fault=reply.fault.text if reply.fault else None,
            )
        )


def _played(fault: Fault) -> Reply:
    if fault.kind == "html":
        return Reply(200, _WEB_PAGE, {}, fault)
    headers = {} if fault.retry_after is None else {"retry-after": fault.retry_after}
    error = {"code": "fault", "message": f"The sandbox simulates a {fault.status}."}
    return Reply(fault.status, {"error": error}, headers, fault)


def _allow(status: int) -> dict[str, str]:
    return {"allow": "POST"} if status == 405 else {}


def _is_json(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == "application/json"


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())

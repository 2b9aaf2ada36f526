"""The control plane below `/_sandbox`: JSON for tests and scripts, and the forms of the inbox."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route, Router

from ..pages.web import GUARDS
from .bodies import CHANNELS, BodyRefused, parse_object
from .faults import parse_fault
from .inbox import Inbox
from .state import State
from .wire import read_body


class Control:
    """Answers requests to the control plane and to the inbox."""

    def __init__(self, state: State, app_id: str) -> None:
        self._state = state
        self._inbox = Inbox(state, app_id)

    def routes(self) -> Router:
        """Return the ASGI application of these paths."""
        return Router(
            [
                *self._inbox.routes(),
                Route("/_sandbox", self._clear, methods=["DELETE"]),
                Route("/_sandbox/clear", self._clear, methods=["POST"]),
                Route("/_sandbox/messages", self._messages),
                Route("/_sandbox/events", self._listing(self._state.events)),
                Route("/_sandbox/requests", self._listing(self._state.requests)),
                Route("/_sandbox/channels", self._listing(self._state.channels)),
                Route("/_sandbox/channels/{channel}/test", self._test, methods=["POST"]),
                Route("/_sandbox/faults", self._inject, methods=["POST"]),
                Route("/_sandbox/faults/form", self._inject_form, methods=["POST"]),
            ],
            redirect_slashes=False,
        )

    async def _messages(self, request: Request) -> Response:
        channel = request.query_params.get("channel")
        if channel is not None and channel not in CHANNELS:
            return _error(400, f"Metrix has no channel {channel!r}; it has {', '.join(CHANNELS)}.")
        return _json(self._state.messages(channel, request.query_params.get("recipient")))

    async def _clear(self, request: Request) -> Response:
        self._state.clear()
        return _back(request) if request.method == "POST" else _json({"cleared": True})

    async def _test(self, request: Request) -> Response:
        channel = request.path_params["channel"]
        if channel not in CHANNELS:
            return _error(404, f"Metrix has no channel {channel!r}; it has {', '.join(CHANNELS)}.")
        self._state.test_channel(channel)
        if "text/html" in request.headers.get("accept", ""):
            return _back(request)
        return _json({"channel": channel, "tested": True})

    async def _inject(self, request: Request) -> Response:
        try:
            order = parse_object(await read_body(request.receive) or b"")
            fault, times = order.get("fault"), order.get("times", 1)
            if not isinstance(fault, str) or type(times) is not int:
                return _error(400, 'Write {"fault": "status:503", "times": 3}.')
            self._state.inject(parse_fault(fault), times)
        except (BodyRefused, ValueError) as error:
            return _error(400, str(error))
        return _json({"fault": fault, "times": times})

    async def _inject_form(self, request: Request) -> Response:
        fields = parse_qs((await read_body(request.receive) or b"").decode(errors="replace"))
        try:
            self._state.inject(parse_fault(fields.get("fault", [""])[0]), int(fields.get("times", ["1"])[0]))
        except ValueError as error:
            return _error(400, str(error))
        return _back(request)

    def _listing(self, read: Callable[[], list[dict[str, Any]]]) -> Callable[[Request], Any]:
        async def answer(_request: Request) -> Response:
            return _json(read())

        return answer


def _back(request: Request) -> Response:
    """Redirect the browser to the page of its form; the access check refuses other pages."""
    came_from = urlsplit(request.headers.get("referer", ""))
    address = f"/?{came_from.query}" if came_from.query else "/"
    return RedirectResponse(address, status_code=303, headers=GUARDS)


def _json(content: object) -> Response:
    return JSONResponse(content, headers=GUARDS)


def _error(status: int, message: str) -> Response:
    return JSONResponse({"error": {"message": message}}, status, headers=GUARDS)

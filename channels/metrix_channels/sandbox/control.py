"""The sandbox's own paths: the control plane below `/_sandbox`, and the inbox at `/`."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route, Router

from .bodies import CHANNELS, BodyRefused, parse_object
from .faults import parse_fault
from .state import State
from .wire import read_body

SHOWN: Final = 200
"""Messages on the inbox's page."""

_PAGES: Final = Environment(
    loader=PackageLoader("metrix_channels.sandbox", "."), autoescape=True, undefined=StrictUndefined
)


class Control:
    """Answers for the control plane and the inbox."""

    def __init__(self, state: State, app_id: str) -> None:
        self._state = state
        self._app_id = app_id

    def routes(self) -> Router:
        """Return the ASGI application of these paths."""
        return Router(
            [
                Route("/", self._inbox),
                Route("/_sandbox", self._clear, methods=["DELETE"]),
                Route("/_sandbox/messages", self._messages),
                Route("/_sandbox/events", self._listing(self._state.events)),
                Route("/_sandbox/requests", self._listing(self._state.requests)),
                Route("/_sandbox/channels", self._listing(self._state.channels)),
                Route("/_sandbox/channels/{channel}/test", self._test, methods=["POST"]),
                Route("/_sandbox/faults", self._inject, methods=["POST"]),
            ],
            redirect_slashes=False,
        )

    async def _inbox(self, _request: Request) -> Response:
        nonce = secrets.token_urlsafe(16)
        page = _PAGES.get_template("inbox.html.j2").render(
            nonce=nonce,
            app_id=self._app_id,
            channels=self._state.channels(),
            recent=self._state.recent(SHOWN),
        )
        policy = (
            f"default-src 'none'; style-src 'nonce-{nonce}'; form-action 'self';"
            " frame-ancestors 'none'; base-uri 'none'"
        )
        # Not `no-referrer`: under it browsers send `Origin: null` with the page's own forms.
        headers = {"content-security-policy": policy, "referrer-policy": "same-origin", **_GUARDS}
        return HTMLResponse(page, headers=headers)

    async def _messages(self, request: Request) -> Response:
        channel = request.query_params.get("channel")
        if channel is not None and channel not in CHANNELS:
            return _error(400, f"Metrix has no channel {channel!r}; it has {', '.join(CHANNELS)}.")
        return _json(self._state.messages(channel, request.query_params.get("recipient")))

    async def _clear(self, _request: Request) -> Response:
        self._state.clear()
        return _json({"cleared": True})

    async def _test(self, request: Request) -> Response:
        channel = request.path_params["channel"]
        if channel not in CHANNELS:
            return _error(404, f"Metrix has no channel {channel!r}; it has {', '.join(CHANNELS)}.")
        self._state.test_channel(channel)
        if "text/html" in request.headers.get("accept", ""):
            return RedirectResponse("/", status_code=303)
        return _json({"channel": channel, "tested": True})

    async def _inject(self, request: Request) -> Response:
        try:
            order = parse_object(await read_body(request.receive) or b"")
            fault, times = order.get("fault"), order.get("times", 1)
            if not isinstance(fault, str) or type(times) is not int:
                return _error(400, 'Give {"fault": "status:503", "times": 3}.')
            self._state.inject(parse_fault(fault), times)
        except (BodyRefused, ValueError) as error:
            return _error(400, str(error))
        return _json({"fault": fault, "times": times})

    def _listing(self, read: Callable[[], list[dict[str, Any]]]) -> Callable[[Request], Any]:
        async def answer(_request: Request) -> Response:
            return _json(read())

        return answer


_GUARDS: Final = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
}


def _json(content: object) -> Response:
    return JSONResponse(content, headers=_GUARDS)


def _error(status: int, message: str) -> Response:
    return JSONResponse({"error": {"message": message}}, status, headers=_GUARDS)

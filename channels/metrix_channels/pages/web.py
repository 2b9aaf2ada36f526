"""Answers requests for pages: headers, assets, and events that tell a page about changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Route

from .rendering import asset
from .words import Words, language_of

GUARDS: Final = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
    # Not `no-referrer`: with it, browsers send `Origin: null` with the page's own forms.
    "referrer-policy": "same-origin",
}
"""Headers of every answer."""

POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; frame-src 'self';"
    " img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""A page may load files from this server only, and no inline script or style."""

MAIL_POLICY: Final = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; base-uri 'none';"
    " form-action 'none'"
)
"""An email in its frame may have its own styles, but no script, no form, and nothing from other hosts."""

_LOOK_EVERY_SECONDS: Final = 0.2
_ALIVE_EVERY_SECONDS: Final = 15.0
_KINDS: Final = {"style.css": "text/css", "live.js": "text/javascript"}


def words_for(request: Request) -> Words:
    """Return the words of the reader's language: from `?lang=`, the cookie, or the browser."""
    asked = request.query_params.get("lang") or request.cookies.get("metrix_lang")
    return Words(language_of(asked, request.headers.get("accept-language")))


def html(request: Request, page: str, policy: str = POLICY) -> Response:
    """Answer with a page, and remember the language of `?lang=` in a cookie."""
    response = HTMLResponse(page, headers={"content-security-policy": policy, **GUARDS})
    if asked := request.query_params.get("lang"):
        response.set_cookie("metrix_lang", language_of(asked, None), samesite="strict", httponly=True)
    return response


def mail(content: str) -> Response:
    """Answer with the HTML of an email, which may be hostile, for a frame."""
    return HTMLResponse(content, headers={"content-security-policy": MAIL_POLICY, **GUARDS})


def changes(request: Request, version: Callable[[], str]) -> Response:
    """Send a server-sent event each time the version changes. If the connection ends, the browser connects again.

    Args:
        request: the request. Its answer ends when the server stops, or has no room for another connection.
        version: returns the current version; called five times a second. A page contains the version that it shows.
    """

    async def lines() -> AsyncIterator[str]:
        told = None
        silent = 0.0
        while True:
            if (now := version()) != told:
                told, silent = now, 0.0
                yield f"data: {now}\n\n"
            elif silent >= _ALIVE_EVERY_SECONDS:
                silent = 0.0
                yield ": still here\n\n"
            if request.state.must_end():
                return
            await asyncio.sleep(_LOOK_EVERY_SECONDS)
            silent += _LOOK_EVERY_SECONDS

    return StreamingResponse(lines(), media_type="text/event-stream", headers=GUARDS)


def assets(path: str) -> Route:
    """Serve the stylesheet and the script below `path`."""

    async def answer(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _KINDS:
            return Response(status_code=404, headers=GUARDS)
        return Response(asset(name), media_type=_KINDS[name], headers=GUARDS | {"cache-control": "no-cache"})

    return Route(f"{path}/{{name}}", answer)

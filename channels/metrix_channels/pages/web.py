"""How pages are served: their headers, their assets, and word that something changed."""

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
    # Not `no-referrer`: under it browsers send `Origin: null` with the page's own forms.
    "referrer-policy": "same-origin",
}
"""Headers of every answer."""

POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; frame-src 'self';"
    " img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""What a page may load: from this server alone, and nothing that stands in the page itself."""

MAIL_POLICY: Final = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; base-uri 'none';"
    " form-action 'none'"
)
"""What a mail in its frame may: have its own styles. No script, no form, nothing from elsewhere."""

_LOOK_EVERY_SECONDS: Final = 0.2
_ALIVE_EVERY_SECONDS: Final = 15.0
_KINDS: Final = {"style.css": "text/css", "live.js": "text/javascript"}


def words_for(request: Request) -> Words:
    """Return the reader's language: as asked by `?lang=`, as remembered, or as the browser says."""
    asked = request.query_params.get("lang") or request.cookies.get("metrix_lang")
    return Words(language_of(asked, request.headers.get("accept-language")))


def html(request: Request, page: str, policy: str = POLICY) -> Response:
    """Answer with a page; a language that was asked for is remembered."""
    response = HTMLResponse(page, headers={"content-security-policy": policy, **GUARDS})
    if asked := request.query_params.get("lang"):
        response.set_cookie("metrix_lang", language_of(asked, None), samesite="strict", httponly=True)
    return response


def mail(content: str) -> Response:
    """Answer with the HTML of a mail, which may be hostile, for a frame."""
    return HTMLResponse(content, headers={"content-security-policy": MAIL_POLICY, **GUARDS})


def changes(request: Request, version: Callable[[], str]) -> Response:
    """Tell, as server-sent events, each time that a version changes; the browser asks again when it has an end.

    Args:
        request: asks for it. It ends when its server ends, or has no place for another connection.
        version: of what is shown now; asked five times a second. A page carries that which it shows.
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
    """Serve stylesheet and script below `path`."""

    async def answer(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _KINDS:
            return Response(status_code=404, headers=GUARDS)
        return Response(asset(name), media_type=_KINDS[name], headers=GUARDS | {"cache-control": "no-cache"})

    return Route(f"{path}/{{name}}", answer)

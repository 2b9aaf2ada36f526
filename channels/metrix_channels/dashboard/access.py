"""Who may come in: whoever has the link that the command printed, from a page of the dashboard itself."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from ..pages.gate import why_refused
from ..pages.web import GUARDS

_ASK: Final = "Open the link that `metrix-channels dashboard` printed: it carries the token.\n"


class Token:
    """The secret of one start of the dashboard: the link carries it, then a cookie."""

    def __init__(self) -> None:
        self.value: str = secrets.token_urlsafe(24)
        self.form_key: str = hashlib.blake2b(self.value.encode(), key=b"forms", digest_size=16).hexdigest()
        """Stands in every form, and tells nothing of the token."""

    def admits(self, given: str) -> bool:
        """Tell whether somebody knows the token."""
        return _same(given, self.value)

    def allows_form(self, given: str, origin: str | None) -> bool:
        """Tell whether a form was sent by a page of ours: it knows the key, and the browser names the origin."""
        return origin is not None and _same(given, self.form_key)


class Access:
    """Stands before the pages: without the token nothing is answered.

    Args:
        token: that opens.
        pages: what is behind it.
        host: the name or address that the server was told to listen on.
        port: that it listens on; browsers do not tell cookies of two ports apart.
    """

    def __init__(self, token: Token, pages: ASGIApp, host: str, port: int) -> None:
        self._token = token
        self._pages = pages
        self._host = host.lower()
        self._cookie = f"metrix_dashboard_{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        refusal = self._refusal(scope)
        await (refusal or self._pages)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        ours = frozenset((self._host, (scope["server"] or ("",))[0]))
        foreign = why_refused(headers.get("host"), headers.get("origin"), ours)
        if foreign is not None:
            return Response(foreign, 403, GUARDS, "text/plain")
        query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        if "token" in query:
            return self._welcome(scope["path"], query)
        given = cookie_parser(headers.get("cookie", "")).get(self._cookie, "")
        if not self._token.admits(given):
            return Response(_ASK, 401, GUARDS, "text/plain")
        return None

    def _welcome(self, path: str, query: Mapping[str, str]) -> Response:
        """Turn the token of the link into a cookie, so that it stands in no history and no log from here on."""
        if not self._token.admits(query["token"]):
            return Response(_ASK, 401, GUARDS, "text/plain")
        rest = urlencode({name: value for name, value in query.items() if name != "token"})
        # A path that begins with two slashes would lead elsewhere.
        response = RedirectResponse("/" + path.lstrip("/") + (f"?{rest}" if rest else ""), 303, GUARDS)
        response.set_cookie(self._cookie, self._token.value, httponly=True, samesite="strict")
        return response


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())

"""Access to the dashboard: only with the printed link, and for forms only from the dashboard's own pages."""

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

_ASK: Final = "The token is missing or wrong. Open the link that `metrix-channels dashboard` printed.\n"


class Token:
    """The secret of one run of the dashboard: first in the link, then in a cookie."""

    def __init__(self) -> None:
        self.value: str = secrets.token_urlsafe(24)
        self.form_key: str = hashlib.blake2b(self.value.encode(), key=b"forms", digest_size=16).hexdigest()
        """The key in every form; it does not reveal the token."""

    def admits(self, given: str) -> bool:
        """Return whether `given` is the token."""
        return _same(given, self.value)

    def allows_form(self, given: str, origin: str | None) -> bool:
        """Return whether a dashboard page sent the form: it has the key, and the browser sent an origin."""
        return origin is not None and _same(given, self.form_key)


class Access:
    """Checks the token before a page answers.

    Args:
        token: the token to check.
        pages: the pages.
        host: the name or address that the server listens on.
        port: the port that it listens on, for the cookie's name: browsers share cookies between ports.
    """

    def __init__(self, token: Token, pages: ASGIApp, host: str, port: int) -> None:
        self._token = token
        self._pages = pages
        self._host = host.lower()
        self._cookie = f"metrix_dashboard_{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request to the pages, or refuse it."""
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
        """Move the token from the link into a cookie, so that it does not appear in a history or a log."""
        if not self._token.admits(query["token"]):
            return Response(_ASK, 401, GUARDS, "text/plain")
        rest = urlencode({name: value for name, value in query.items() if name != "token"})
        # A path that begins with two slashes would lead to another host.
        response = RedirectResponse("/" + path.lstrip("/") + (f"?{rest}" if rest else ""), 303, GUARDS)
        response.set_cookie(self._cookie, self._token.value, httponly=True, samesite="strict")
        return response


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())

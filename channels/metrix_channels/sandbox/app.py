"""The sandbox as one ASGI application: access check, then Metrix's own paths or the sandbox's."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from ..pages.gate import why_refused
from .control import Control
from .endpoint import Application, Call, Endpoint
from .state import State
from .wire import Cut, answer, read_body, refuse


class App:
    """The application that the web server calls.

    Args:
        application: the application whose credentials are accepted.
        state: keeps messages, events and requests.
        names: accepted host names and addresses, besides those of this machine.
        cut: closes a request's connection.
    """

    def __init__(self, application: Application, state: State, names: frozenset[str], cut: Cut) -> None:
        self._endpoint = Endpoint(application, state)
        self._control: ASGIApp = Control(state, application.app_id).routes()
        self._names = names
        self._cut = cut

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        ours = self._names | {(scope["server"] or ("",))[0]}
        refusal = why_refused(headers.get("host"), headers.get("origin"), ours)
        if refusal is not None:
            is_named_otherwise = why_refused(headers.get("host"), None, ours) is not None
            await refuse(refusal + " To allow this name, add --allowed-host NAME." * is_named_otherwise, send)
            return
        path, method = scope["path"], scope["method"]
        try:
            if path.startswith("/_sandbox") or (path == "/" and method in ("GET", "HEAD")):
                await self._control(scope, receive, send)
                return
            client = (scope["client"] or ("",))[0]
            reply = self._endpoint.receive(Call(method, path, headers, client, await read_body(receive)))
            await answer(reply, scope, receive, send, self._cut)
        except ConnectionError:
            return  # The client left before it could get an answer.

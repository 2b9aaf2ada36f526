"""The pages of the dashboard: campaigns with their outcomes, channels with their tests, templates with previews."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, quote

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route, Router

from ..campaign import bars_of, facts_of
from ..config import ConfigFile
from ..errors import MetrixChannelsError
from ..notifier import AsyncNotifier
from ..pages import Renderer, Words, outcome_bar
from ..pages.web import GUARDS, assets, changes, html, mail, words_for
from ..support.previews import Preview, previews
from ..support.standings import described
from ..templating import Templates, Variant
from .access import Token
from .steering import Steering

_log = logging.getLogger(__name__)

_WRONG_INPUT: Final = 2
"""The exit status of errors that the user corrects in a file."""
_STATIC: Final = "/static"
_REFRESH_SECONDS: Final = 5
"""Seconds after which a page is refreshed even if nothing was written, because a process may have died."""
_LONGEST_FORM: Final = 4_096
_ON_A_PAGE: Final = 100

Page = Callable[[Request, Words], Coroutine[Any, Any, Response]]


class Pages:
    """The pages behind the access check.

    Args:
        file: the configuration.
        notifier: a notifier with the same configuration.
        token: checks the key of forms.
    """

    def __init__(self, file: ConfigFile, notifier: AsyncNotifier, token: Token) -> None:
        self._file = file
        self._notifier = notifier
        config = file.current()
        self._ledger = config.ledger_path
        self._templates = Templates(config.templates)
        self._renderer = Renderer("metrix_channels.dashboard")
        self.steering: Steering = Steering(notifier)
        self._token = token

    def routes(self) -> Router:
        """Return the ASGI application of the pages."""
        return Router(
            [
                Route("/", self._shown(self._campaigns)),
                Route("/campaigns/{name}", self._shown(self._campaign)),
                Route("/actions", self._act, methods=["POST"]),
                Route("/channels", self._shown(self._channels)),
                Route("/templates", self._shown(self._template_names)),
                Route("/templates/{name}", self._shown(self._template)),
                Route("/mails/{name}/{channel}", self._shown(self._mail)),
                Route("/changes", self._changes),
                assets(_STATIC),
            ],
            redirect_slashes=False,
        )

    async def close(self) -> None:
        """Stop running actions and close the templates."""
        await self.steering.stop()
        self._templates.close()

    # -- pages

    async def _campaigns(self, request: Request, words: Words) -> Response:
        found = await self._notifier.campaigns.all()
        shown = [(each, outcome_bar(bars_of(each, words), words("Outcomes"))) for each in found[:_ON_A_PAGE]]
        return self._page(request, words, "campaigns.html.j2", campaigns=shown, left=len(found) - len(shown))

    async def _campaign(self, request: Request, words: Words) -> Response:
        name = request.path_params["name"]
        found = await self._notifier.campaigns.overview(name)
        problem = self.steering.problems.get(name)
        return self._page(
            request, words, "campaign.html.j2", problem=problem, form_key=self._token.form_key, **facts_of(found, words)
        )

    async def _channels(self, request: Request, words: Words) -> Response:
        config = self._file.current()
        rows = [(described(config, each), each) for each in config.channels.values()]
        return self._page(request, words, "channels.html.j2", rows=rows)

    async def _template_names(self, request: Request, words: Words) -> Response:
        names = await asyncio.to_thread(self._named_variants)
        return self._page(request, words, "templates.html.j2", names=names)

    async def _template(self, request: Request, words: Words) -> Response:
        name = request.path_params["name"]
        found = await asyncio.to_thread(self._previews, name)
        return self._page(request, words, "template.html.j2", template=name, previews=found, mail_of=_mail_of(name))

    async def _mail(self, request: Request, _words: Words) -> Response:
        wanted = request.path_params["channel"], request.query_params.get("locale") or None
        try:
            found = await asyncio.to_thread(self._previews, request.path_params["name"])
        except MetrixChannelsError:
            found = []
        bodies = [each.fields.get("body", "") for each in found if (each.channel.name, each.locale) == wanted]
        return mail(str(bodies[0]) if bodies else "")

    async def _changes(self, request: Request) -> Response:
        return changes(request, self._version)

    # -- actions

    async def _act(self, request: Request) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > _LONGEST_FORM:
                return PlainTextResponse("The form is too long.", 413, GUARDS)
        form = {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}
        if not self._token.allows_form(form.get("key", ""), request.headers.get("origin")):
            return PlainTextResponse("This form was not sent by a page of the dashboard.", 403, GUARDS)
        name = form.get("name", "")
        await self.steering.act(name, form.get("what", ""))
        return RedirectResponse(f"/campaigns/{quote(name, safe='')}", 303, GUARDS)

    # -- steps

    def _page(self, request: Request, words: Words, page_name: str, **values: object) -> Response:
        page = self._renderer.page(
            page_name, words, static=_STATIC, version=self._version(), here=request.url.path, **values
        )
        return html(request, page)

    def _shown(self, page: Page) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Answer with a page, or with the error page if the page cannot be made."""

        async def answer(request: Request) -> Response:
            words = words_for(request)
            try:
                return await page(request, words)
            except MetrixChannelsError as error:
                return self._problem(request, words, error)
            except Exception as error:  # noqa: BLE001  a page never shows a traceback
                _log.exception("the page %s cannot be made", request.url.path)
                message = f"Internal error in metrix-channels: {type(error).__name__}."
                return self._problem(request, words, MetrixChannelsError(message, code="internal"))

        return answer

    def _named_variants(self) -> list[tuple[str, list[Variant]]]:
        return [(name, self._templates.variants(name)) for name in self._templates.names()]

    def _problem(self, request: Request, words: Words, error: MetrixChannelsError) -> Response:
        """Answer with the error page: 404 if something is missing, 422 if a file is wrong, otherwise 503."""
        page = self._renderer.page("problem.html.j2", words, static=_STATIC, version="", here="", problem=error.problem)
        response = html(request, page)
        if error.code.endswith("_missing"):
            response.status_code = 404
        else:
            response.status_code = 422 if error.exit_status == _WRONG_INPUT else 503
        return response

    def _previews(self, name: str) -> list[Preview]:
        channels = list(self._file.current().channels.values())
        return previews(self._templates, name, channels, None, {})

    def _version(self) -> str:
        """Return a version that changes with the ledger's files, if it has any, and every few seconds."""
        path = self._ledger
        ledger_files = [] if path is None else [path, path.with_name(path.name + "-wal")]
        stamps = [*map(_stamp, ledger_files), time.monotonic() // _REFRESH_SECONDS]
        return "-".join(map(str, stamps))


def _stamp(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _mail_of(name: str) -> Callable[[Preview], str]:
    def address(preview: Preview) -> str:
        return f"/mails/{quote(name)}/{quote(preview.channel.name)}?locale={quote(preview.locale or '')}"

    return address

"""The inbox: shows each message as its recipient sees it, with the exact request beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from attrs import frozen
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..pages import Renderer, Words
from ..pages.web import assets, changes, html, mail, words_for
from .bodies import CHANNELS
from .memory import EventEntry, MessageEntry, RequestEntry
from .state import State

ON_A_PAGE: Final = 50
_THREAD: Final = 12
"""How many messages a recipient's phone shows, including the selected one."""

_VIEWS: Final = ("messages", "events", "requests")
FAULTS: Final = ("status:503", "status:429;retry-after=3", "status:500", "status:403", "hang", "drop", "slow:2", "html")
"""The faults that the inbox offers; `POST /_sandbox/faults` takes more."""

_STATIC: Final = "/_sandbox/static"


@frozen
class Asked:
    """What a reader wants to see.

    Attributes:
        view: messages, events or requests.
        words: the text to search for; empty for all entries.
        channel: Metrix's name of a channel; empty for all.
        before: list only entries with a smaller number; 0 for the newest.
        chosen: the number of the entry to show in full; 0 for the newest.
    """

    view: str
    words: str
    channel: str
    before: int
    chosen: int

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Asked:
        """Read it from the query of a URL, and ignore invalid values."""
        view, channel = query.get("view", ""), query.get("channel", "")
        return cls(
            view=view if view in _VIEWS else "messages",
            words=query.get("q", "").strip(),
            channel=channel if channel in CHANNELS else "",
            before=_number(query.get("before")),
            chosen=_number(query.get("show")),
        )

    def address(self, **changed: str | int) -> str:
        """Return the URL of this view with some values changed."""
        now = {"view": self.view, "q": self.words, "channel": self.channel, "before": self.before, "show": self.chosen}
        query = {
            name: value for name, value in (now | changed).items() if value and (name, value) != ("view", "messages")
        }
        return "/?" + urlencode(query)


class Inbox:
    """The pages of the inbox.

    Args:
        state: the messages, events and requests to show.
        app_id: APP_ID of the sandbox's application.
    """

    def __init__(self, state: State, app_id: str) -> None:
        self._state = state
        self._app_id = app_id
        self._pages = Renderer("metrix_channels.sandbox")

    def routes(self) -> list[Route]:
        """Return its paths."""
        return [
            Route("/", self._page),
            Route("/_sandbox/changes", self._changes),
            Route("/_sandbox/mails/{number:int}", self._mail),
            assets(_STATIC),
        ]

    async def _page(self, request: Request) -> Response:
        words = words_for(request)
        asked = Asked.of(request.query_params)
        version = self._state.version  # read first, so that every later change reloads the page
        listed = self._listed(asked)
        chosen = self._chosen(asked, listed)
        return html(
            request,
            self._pages.page(
                "inbox.html.j2",
                words,
                static=_STATIC,
                version=version,
                asked=asked,
                views=_VIEWS,
                kept=self._state.kept(),
                forgotten=self._state.forgotten(),
                channels=self._state.channels(),
                faults=FAULTS,
                waiting=self._state.waiting_faults(),
                app_id=self._app_id,
                listed=[(entry, _summary(entry, words)) for entry in listed],
                more=len(listed) == ON_A_PAGE,
                **chosen,
            ),
        )

    async def _changes(self, request: Request) -> Response:
        return changes(request, lambda: self._state.version)

    async def _mail(self, request: Request) -> Response:
        entry = self._state.message(request.path_params["number"])
        return mail(str(entry.message.get("body", "")) if entry else "")

    def _listed(self, asked: Asked) -> list[Any]:
        wanted = asked.words.casefold()
        match asked.view:
            case "events":
                return self._state.newest_events(ON_A_PAGE, lambda each: _event_has(each, wanted), asked.before)
            case "requests":
                return self._state.newest_requests(ON_A_PAGE, lambda each: wanted in each.body.casefold(), asked.before)
            case _:
                return self._state.newest_messages(
                    ON_A_PAGE, lambda each: _message_has(each, wanted, asked.channel), asked.before
                )

    def _chosen(self, asked: Asked, listed: list[Any]) -> dict[str, Any]:
        """Return the entry to show in full: the selected one, or the newest."""
        number = asked.chosen or (listed[0].number if listed else 0)
        request = self._state.request(number)
        message = self._state.message(number) if asked.view == "messages" else None
        events = [each for each in listed if each.number == number] if asked.view == "events" else []
        return {
            "number": number,
            "request": request,
            "request_json": _pretty(request),
            "message": message,
            "thread": self._thread(message) if message else ([], 0),
            "events": events,
        }

    def _thread(self, message: MessageEntry) -> tuple[list[str], int]:
        """Return the texts on the phone of the message's first recipient, and the index of the message."""
        who = message.recipients[0]
        texts = [message]
        if message.channel == "SMS":
            older = self._state.newest_messages(
                _THREAD - 1,
                lambda each: each.channel == "SMS" and each.delivered and who in each.recipients,
                message.number,
            )
            texts = [*reversed(older), message]
        return [str(each.message["body"]) for each in texts], len(texts) - 1


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 16 else 0


def _message_has(entry: MessageEntry, wanted: str, channel: str) -> bool:
    if channel and entry.channel != channel:
        return False
    return (
        not wanted
        or wanted in str(entry.message.get("body", "")).casefold()
        or wanted in str(entry.message.get("title", "")).casefold()
        or any(wanted in recipient.casefold() for recipient in entry.recipients)
    )


def _event_has(entry: EventEntry, wanted: str) -> bool:
    return not wanted or wanted in json.dumps([entry.user, entry.message], ensure_ascii=False).casefold()


def _summary(entry: MessageEntry | EventEntry | RequestEntry, words: Words) -> dict[str, Any]:
    """Return one line of the list: the recipient, the text, and the outcome."""
    if isinstance(entry, MessageEntry):
        others = len(entry.recipients) - 1
        more = words("and {others} more", others=others) if others else ""
        return {
            "who": entry.recipients[0],
            "more": more,
            "line": entry.message.get("title") or entry.message["body"],
            "tag": entry.channel,
            "good": entry.delivered,
            "state": _state(words, entry.delivered, "delivered", "not delivered", entry.reason),
        }
    if isinstance(entry, EventEntry):
        name = entry.message.get("customName") or entry.message.get("name") or ""
        return {
            "who": next(iter(entry.user.values())),
            "more": "",
            "line": name or words("profile"),
            "tag": entry.message["type"],
            "good": entry.processed,
            "state": _state(words, entry.processed, "processed", "dropped", entry.reason),
        }
    return {
        "who": f"{entry.method} {entry.path}",
        "more": "",
        "line": entry.error["message"] if entry.error else "",
        "tag": entry.client,
        "good": entry.status == 200,
        "state": words.digits(str(entry.status)) if entry.status else words("no answer"),
    }


def _state(words: Words, good: bool, yes: str, no: str, reason: str | None) -> str:
    return words(yes) if good else f"{words(no)}: {words(reason or '')}"


def _pretty(request: RequestEntry | None) -> str:
    if request is None:
        return ""
    try:
        return json.dumps(json.loads(request.body), ensure_ascii=False, indent=2)
    except ValueError:
        return request.body

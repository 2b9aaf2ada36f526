"""The facts of one HTTP attempt; `delivery.verdict` decides what they mean."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from functools import cached_property
from typing import Final

from attrs import evolve, field, frozen

from ..redact import Redactor, Secret

_HTML: Final = ("<!doctype", "<html")


class Stage(StrEnum):
    """How far an attempt got before it failed."""

    NOT_BEGUN = "not_begun"
    """No byte of the request was sent: no address, no connection, or no TLS."""
    CERTIFICATE = "certificate"
    """The server's certificate was refused; no byte of the request was sent."""
    BEGUN = "begun"
    """Sending began; the server may have received the whole request."""


@frozen(slots=False)
class Reply:
    """An answer: at least its status line arrived.

    Secrets are removed from the body only when it is read, because most answers are used only for their status. The
    headers are not shown to anybody. Without slots, because attrs implements cached properties with slots by a hook for
    each attribute.

    Attributes:
        status: the HTTP status code.
        whole: the answer arrived completely, or up to the 64 KiB that are read.
        content_type: the header's value in lower case, or "".
        retry_after: the header's value, or None.
        date: the header's value, or None.
        is_cut: the end of the body is missing.
        redactor: removes secrets from the body.
    """

    status: int
    _body: str = field(default="", repr=False)
    whole: bool = True
    content_type: str = field(default="", repr=False)
    retry_after: str | None = field(default=None, repr=False)
    date: str | None = field(default=None, repr=False)
    is_cut: bool = False
    redactor: Redactor = field(factory=Redactor, repr=False, eq=False)

    @cached_property
    def body(self) -> str:
        """The decoded body without secrets, at most 64 KiB."""
        return self.redactor.clean(self._body, "answer", is_cut=self.is_cut)

    @cached_property
    def is_page(self) -> bool:
        """Whether the answer is a web page, which an API does not send."""
        return "text/html" in self.content_type or self._body.lstrip()[:20].lower().startswith(_HTML)

    def hiding(self, secrets: Sequence[Secret]) -> Reply:
        """Return the same answer, with these secrets removed too."""
        return evolve(self, redactor=self.redactor.hiding(secrets)) if secrets else self


@frozen
class Failure:
    """A failure without an answer: no status line arrived.

    Attributes:
        stage: how far the attempt got.
        reason: the cause in words, without any secret.
    """

    stage: Stage
    reason: str

    def hiding(self, secrets: Sequence[Secret]) -> Failure:
        """Return the same failure, with these secrets removed from its reason."""
        return evolve(self, reason=Redactor(*secrets).clean(self.reason, "reason"))


Exchange = Reply | Failure

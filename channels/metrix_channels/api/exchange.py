"""What one HTTP attempt came to, as facts; what they mean is decided in `verdict`."""

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
    """No byte of the request left: no address, no connection, no TLS."""
    CERTIFICATE = "certificate"
    """The server's certificate was refused; no byte of the request left."""
    BEGUN = "begun"
    """The request began to leave; the server may have all of it."""


@frozen
class Reply:
    """A status line arrived.

    Its body is cleaned of secrets when somebody reads it, and not before: of most answers nobody wants to know more
    than the status. The headers are read by this program alone.

    Attributes:
        status: the HTTP status code.
        whole: the answer arrived to its end, or to the 64 KiB that are read.
        content_type: the header's value in lower case, or "".
        retry_after: the header's value, or None.
        date: the header's value, or None.
        is_cut: the body's end is missing.
        redactor: knows what may not be shown.
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
        """What was read of the answer, decoded, as it may be shown; 64 KiB at most."""
        return self.redactor.clean(self._body, "answer", is_cut=self.is_cut)

    @property
    def is_page(self) -> bool:
        """Whether it is a web page, which no API answers."""
        return "text/html" in self.content_type or self._body.lstrip()[:20].lower().startswith(_HTML)

    def hiding(self, secrets: Sequence[Secret]) -> Reply:
        """Return the same answer, of which these are not shown either."""
        return evolve(self, redactor=self.redactor.hiding(secrets)) if secrets else self


@frozen
class Failure:
    """No status line arrived.

    Attributes:
        stage: how far the attempt got.
        reason: the cause in words, without any secret.
    """

    stage: Stage
    reason: str

    def hiding(self, secrets: Sequence[Secret]) -> Failure:
        """Return the same failure, whose reason does not show these either."""
        return evolve(self, reason=Redactor(*secrets).clean(self.reason, "reason"))


Exchange = Reply | Failure

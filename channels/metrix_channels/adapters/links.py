"""Which links may leave: http(s), an app's own scheme in push, never one that runs or carries content itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import unescape
from urllib.parse import urlsplit

from ..errors import MessageInvalid

HTTP = ("http", "https")
MAIL = (*HTTP, "mailto", "tel", "sms")

_FORBIDDEN = ("javascript", "data", "vbscript", "file", "blob", "about")
_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.\-]*):")
# The WHATWG URL standard drops these before it parses, so `java\tscript:` runs.
_DROPPED = re.compile(r"[\x00-\x20\x7f-\xa0\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_HTML_LINK = re.compile(
    r"""(?:^|[\s"'/])(?:href|src|action|formaction|background|poster|srcset|xlink:href)\s*=\s*("[^"]*"|'[^']*'|[^\s>"']+)""",
    re.IGNORECASE,
)


def check_link(where: str, url: str, schemes: Sequence[str], *, any_app: bool = False) -> None:
    """Refuse a link that is not absolute, not well formed, or of a scheme that is not allowed here.

    Args:
        where: the field, for the error.
        url: the link as rendered.
        schemes: those allowed, in lower case.
        any_app: allow an app's own scheme too, such as `myshop://orders/7`.

    Raises:
        MessageInvalid: link_refused.
    """
    scheme = _scheme(url)
    if _DROPPED.search(url):
        raise _refused(where, url, "holds white space or an invisible character; encode values with `| urlencode`")
    if scheme in _FORBIDDEN or not scheme or not (any_app or scheme in schemes):
        raise _refused(where, url, "must begin with " + (" or ".join(f"{each}:" for each in schemes)))
    if scheme in HTTP:
        try:
            host = urlsplit(url).hostname
        except ValueError:
            host = None
        if not host:
            raise _refused(where, url, "names no host")


def check_no_script(where: str, value: str) -> None:
    """Refuse an undocumented value that would run as a link; whether it is one is not known."""
    if _scheme(value) in ("javascript", "vbscript"):
        raise _refused(where, value, "would run as a script")


def check_html_links(where: str, html: str) -> None:
    """Refuse an HTML text in which any link, image or form leads to a scheme that mail must not use.

    Relative links and fragments pass: `#top` is common in mail.

    Raises:
        MessageInvalid: link_refused.
    """
    for found in _HTML_LINK.finditer(html):
        url = unescape(found[1].strip("\"'"))
        scheme = _scheme(url)
        if scheme and scheme not in (*MAIL, "cid"):
            raise _refused(where, url, "must begin with http:, https:, mailto:, tel: or sms:")


def _scheme(url: str) -> str:
    found = _SCHEME.match(_DROPPED.sub("", url))
    return found[1].lower() if found else ""


def _refused(where: str, url: str, why: str) -> MessageInvalid:
    return MessageInvalid(f"`{where}`: the link {url[:80]!r} {why}.", code="link_refused")

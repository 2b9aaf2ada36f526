"""Checks and encodes links: http(s), in push also an app's own scheme, but never `javascript:`, `data:` or the like."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from html import unescape
from ipaddress import IPv4Address, IPv6Address
from typing import Final
from urllib.parse import quote, unquote

import idna

from ..errors import MessageInvalid
from ..printable import JOINERS, is_text, quoted

HTTP = ("http", "https")
MAIL = (*HTTP, "mailto", "tel", "sms")

_FORBIDDEN = ("javascript", "data", "vbscript", "file", "blob", "about")
_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.\-]*):")
# Browsers remove these before they parse a URL (WHATWG URL standard), so `java\tscript:` would run.
_DROPPED = re.compile(r"[\x00-\x20\x7f-\xa0\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
# `quote` never encodes letters, digits and `_.-~`. These are the other ASCII characters that the URL Standard does not
# encode in each part. They include `%`, so that nothing is encoded twice.
_FRAGMENT: Final = "!#$%&'()*+,/:;=?@[\\]^{|}"
_QUERY: Final = "!$%&'()*+,/:;=?@[\\]^`{|}"
_WEB_QUERY: Final = _QUERY.replace("'", "")
_PATH: Final = "!$%&'()*+,/:;=@[]|"
_USER: Final = "!$%&'()*+,:"
_WEB: Final = re.compile(
    r"(?P<scheme>[A-Za-z]+://)(?P<user>[^/]*@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^/@:\[\]]+)(?P<port>:[0-9]*)?(?P<path>(?:/.*)?)"
)
_LABEL: Final = re.compile(r"[\w-]{1,63}", re.ASCII)
_NUMBER: Final = re.compile(r"\d+|0x[0-9a-f]*", re.ASCII | re.IGNORECASE)
"""A last label of a host for which browsers read the whole host as an IPv4 address (URL Standard)."""
_LONGEST_HOST: Final = 253
_HIGHEST_PORT: Final = 65_535
_LONGEST_LABEL: Final = 63
_NO_HOST: Final = "has an invalid host"
_CORRECT: Final = "Correct the link. Encode the values in it with `| urlencode`."
_HTML_LINK = re.compile(
    r"""(?:^|[\s"'/])(href|src|action|formaction|background|poster|srcset|xlink:href)\s*=\s*("[^"]*"|'[^']*'|[^\s>"']+)""",
    re.IGNORECASE,
)


class _Malformed(ValueError):
    """A link that browsers cannot follow; the message says why."""


def encode_link(where: str, url: str, schemes: Sequence[str], *, any_app: bool = False) -> str:
    """Return a link as a browser would request it.

    As in the URL Standard (https://url.spec.whatwg.org), the host is written in Punycode and the rest is
    percent-encoded as UTF-8. Characters that need no encoding, and `%`, stay as they are.

    Args:
        where: the field, for the error.
        url: the link as rendered.
        schemes: the allowed schemes, in lower case.
        any_app: also allow an app's own scheme, such as `myshop://orders/7`.

    Raises:
        MessageInvalid: link_refused; the link is relative or malformed, or its scheme is not allowed here.
    """
    scheme = _scheme(url)
    if url != url.strip() or not is_text(url):
        raise _refused(where, url, "starts or ends with a space, or contains an invisible character", _CORRECT)
    if scheme in _FORBIDDEN or not scheme or not (any_app or scheme in schemes):
        raise _refused(where, url, "must start with " + (" or ".join(f"{each}:" for each in schemes)))
    return _encode(where, url, _encode_http if scheme in HTTP else _encode_app)


def _encode(where: str, url: str, encode: Callable[[str], str]) -> str:
    try:
        return encode(url)
    except _Malformed as error:
        raise _refused(where, url, str(error), _CORRECT) from None
    except ValueError:  # an invalid host; the message of the library is for developers
        raise _refused(where, url, _NO_HOST, _CORRECT) from None


def _encode_http(url: str) -> str:
    """Encode an http(s) link.

    Raises:
        ValueError: the link cannot be requested.
    """
    head, mark, tail = _split_at("?#", url)
    # Browsers read a backslash as a slash; other parsers would read the text before it as the user name.
    found = _WEB.fullmatch(head.replace("\\", "/"))
    if found is None:
        raise _Malformed("has no host")
    user, host, port = found["user"] or "", found["host"], found["port"] or ""
    if host.lower() in HTTP:
        raise _Malformed("has its scheme twice")
    if len(port) > 1 and not 0 < int(port[1:]) <= _HIGHEST_PORT:
        raise _Malformed("has an invalid port")
    place = quote(user[:-1], safe=_USER) + user[-1:] + _encode_host(host) + port + quote(found["path"], safe=_PATH)
    return found["scheme"] + place + mark + _encode_rest(tail, _WEB_QUERY if mark == "?" else _FRAGMENT)


def _encode_app(url: str) -> str:
    return _encode_rest(url, _QUERY)


def _encode_rest(url: str, safe: str) -> str:
    """Encode a query, or a whole link of an app, with its fragment."""
    head, mark, fragment = _split_at("#", url)
    return quote(head, safe=safe) + mark + quote(fragment, safe=_FRAGMENT)


def _split_at(marks: str, url: str) -> tuple[str, str, str]:
    """Split a URL at the first character that is in `marks`, as `str.partition` does."""
    at = min((place for mark in marks if (place := url.find(mark)) >= 0), default=len(url))
    return url[:at], url[at : at + 1], url[at + 1 :]


def _encode_host(host: str) -> str:
    """Return a host in ASCII; names with other letters become Punycode (UTS 46, non-transitional, as in browsers).

    Raises:
        ValueError: the host is not valid.
    """
    if host.startswith("["):
        IPv6Address(host[1:-1])
        return host
    if "%" in host or not host.isascii():
        mapped = idna.uts46_remap(unquote(host, errors="strict"), std3_rules=False, transitional=False)
        host = ".".join(label if label.isascii() else _encode_label(label) for label in mapped.split("."))
    labels = host.removesuffix(".").split(".")
    if len(host) > _LONGEST_HOST or not all(map(_LABEL.fullmatch, labels)):
        raise _Malformed(_NO_HOST)
    if _NUMBER.fullmatch(labels[-1]):
        IPv4Address(host)
    return host


def _encode_label(label: str) -> str:
    idna.check_initial_combiner(label)
    idna.check_bidi(label)
    if not all(idna.valid_contextj(label, place) for place, char in enumerate(label) if char in JOINERS):
        raise _Malformed(_NO_HOST)
    encoded = "xn--" + label.encode("punycode").decode("ascii")
    if len(encoded) > _LONGEST_LABEL:
        raise _Malformed(_NO_HOST)
    return encoded


def check_no_script(where: str, value: str) -> None:
    """Refuse an undocumented value that would run a script if it were used as a link."""
    if _scheme(value) in ("javascript", "vbscript"):
        raise _refused(where, value, "would run as a script")


def check_html_links(where: str, html: str) -> None:
    """Refuse HTML in which a link, image or form has a scheme that is not allowed in mail, or a host that cannot exist.

    Relative links and fragments are allowed: `#top` is common in mail.

    Raises:
        MessageInvalid: link_refused.
    """
    for found in _HTML_LINK.finditer(html):
        url = unescape(found[2].strip("\"'"))
        scheme = _scheme(url)
        if scheme and scheme not in (*MAIL, "cid"):
            raise _refused(where, url, "must start with http:, https:, mailto:, tel: or sms:")
        if scheme in HTTP and found[1].lower() != "srcset":  # a srcset has several links
            _encode(where, url.strip(), _encode_http)


def _scheme(url: str) -> str:
    found = _SCHEME.match(_DROPPED.sub("", url))
    return found[1].lower() if found else ""


def _refused(where: str, url: str, why: str, remedy: str | None = None) -> MessageInvalid:
    return MessageInvalid(f"`{where}`: the link {quoted(url, 80)} {why}.", code="link_refused", remedy=remedy)

"""Reads a large XML part as a stream of fragments, each with whole elements of one name."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import IO, Final
from xml.etree.ElementTree import Element, ParseError

from attrs import frozen

_READ: Final = 1 << 18
_LONGEST: Final = 1 << 24
"""Maximum bytes of one element."""
_ESCAPED: Final = re.compile(r"_x([0-9A-Fa-f]{4})_")
_NO_XML: Final = "it has no <{}>"


@frozen
class Fragment:
    """Consecutive elements.

    Attributes:
        body: their XML.
        document: the body inside the root element, so that a parser knows the namespaces.
    """

    body: bytes
    document: bytes


class Fragments:
    """Splits a part into fragments.

    Args:
        stream: its XML, in UTF-8.
        holder: the name of the parent element.
        element: the name of the elements.
    """

    def __init__(self, stream: IO[bytes], holder: str, element: str) -> None:
        self._stream = stream
        self._holder = holder
        self._element = element

    def __iter__(self) -> Iterator[Fragment]:
        """Read the part.

        Raises:
            ParseError: it has no such element, or one of them is too long.
        """
        head, rest = self._head()
        begin, end, last = head
        while True:
            at = rest.rfind(last)
            if at >= 0:
                body, rest = rest[: at + len(last)], rest[at + len(last) :]
                yield Fragment(body, begin + body + end)
            data = self._stream.read(_READ)
            if not data:
                return
            rest += data
            if len(rest) > _LONGEST:
                raise ParseError(f"a <{self._element}> is longer than {_LONGEST:,} bytes")

    def _head(self) -> tuple[tuple[bytes, bytes, bytes], bytes]:
        """Read up to the holder; return the document's opening and closing tag, the element's end tag, and the rest."""
        read = b""
        holder = re.compile(rb"<((?:[\w.-]+:)?)" + self._holder.encode() + rb"(?:\s[^>]*)?(/?)>")
        while (found := holder.search(read)) is None:
            data = self._stream.read(_READ)
            if not data or len(read) > _LONGEST:
                raise ParseError(_NO_XML.format(self._holder))
            read += data
        root = re.search(rb"<([\w.:-]+)(?:\s[^>]*)?>", read)
        prefix = found[1]
        last = b"</" + prefix + self._element.encode() + b">"
        rest = b"" if found[2] else read[found.end() :]
        if root is None or root.start() == found.start():
            opening = found[0] if not found[2] else found[0][:-2] + b">"
            return (opening, b"</" + prefix + self._holder.encode() + b">", last), rest
        return (root[0], b"</" + root[1] + b">", last), rest


def has_escapes(data: bytes) -> bool:
    """Tell whether `unescape` would change some of the texts in XML."""
    return b"&" in data or b"_x" in data


def unescape(text: str) -> str:
    """Decode escapes of XML and Excel, such as `&amp;` and `_x000D_`."""
    if "&" in text:
        text = html.unescape(text)
    return without_escapes(text)


def without_escapes(text: str) -> str:
    """Decode escapes of Excel, such as `_x000D_`."""
    return _ESCAPED.sub(_character, text) if "_x" in text else text


def text_of(element: Element) -> str:
    """Return the text of a cell or of a shared text: all its runs, without phonetic hints."""
    parts: list[str] = []
    for child in element:
        name = child.tag.rpartition("}")[2]
        if name == "t":
            parts.append(child.text or "")
        elif name == "r":
            parts += [each.text or "" for each in child if each.tag.endswith("}t") or each.tag == "t"]
    return without_escapes("".join(parts))


def _character(found: re.Match[str]) -> str:
    number = int(found[1], 16)
    return "\ufffd" if 0xD800 <= number < 0xE000 else chr(number)

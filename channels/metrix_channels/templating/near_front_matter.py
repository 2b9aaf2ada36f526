"""Detects malformed front matter, so that the fields of a message are never sent as its text."""

from __future__ import annotations

import re
import unicodedata
from difflib import get_close_matches
from html import unescape
from itertools import dropwhile, takewhile
from typing import Final

from ..adapters import adapter_for
from ..errors import TemplateError
from ..models import ChannelType
from ..printable import BLANKS, is_text, printable
from .lines import Lines

_FIELDS: Final = frozenset({"sensitive", "subject", "extra"}).union(
    field.name for each in ChannelType for field in adapter_for(each).fields
)
_PERSIAN: Final = ("عنوان", "تیتر", "موضوع", "حساس", "تصویر", "دکمه")
"""Persian words for fields, without those that ordinary messages begin with, such as the one for a link."""
_ALIKE: Final = 0.8
"""The minimum similarity, from 0 to 1, of a misspelled field and its name."""
_MOST_LINES: Final = 200
_MOST_CHARACTERS: Final = 20_000

_DASHES: Final = "\u2212\u2500\u2501\u2796\u2043\u0640"
"""Characters that count as dashes too: minus, box drawings, a bullet, and the Persian tatweel."""
_OTHER_FENCE: Final = re.compile(r"[*+=_~;.…\s]{2,}|…|[`~]{3,}\s*\w*|\{")
_LONE_MARK: Final = re.compile(r"[-_=*~+.•·]")
"""A line of one such character counts as a fence only above a known field."""
_RULED: Final = re.compile(r"([!-/:-@\[-`{-~])\1\1")
_TAG: Final = re.compile(r"<[^<>]*>")
_RULE_TAG: Final = re.compile(r"<hr\b[^<>]*>", re.IGNORECASE)
_LINE_TAG: Final = re.compile(r"</?(?:p|div|br|li|ul|h[1-6]|tr|td|pre|section)\b[^<>]*>", re.IGNORECASE)
_WORD: Final = re.compile(r"[^\W_]")
_AFTER_DASHES: Final = re.compile(r"\s*(?:#.*|[A-Za-z]{1,8})?")
_ASIDE: Final = re.compile(
    r"\{#.*?#\}|\{%.*?%\}|<!--.*?-->|/\*.*?\*/|<(?:\?|!(?!--)|(?:html|head|body)\b)[^>]*>|(?:#\s|//|%(?:YAML|TAG)\b)[^\n]*",
    re.DOTALL,
)
_COMMENT: Final = re.compile(r"\{#.*?#\}", re.DOTALL)
_NOT_NEWLINE: Final = re.compile(r"[^\n]")
_LINE_END: Final = re.compile(r"[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_KEY: Final = re.compile(
    rf"""[^\w{{}}]*(?:\{{\s*["'])?
    (?:([A-Za-z][\w-]*)|({"|".join(_PERSIAN)})(?:\u200c?ها)?(?:\ (?:پیام|ایمیل|اعلان))?)
    ["'`»”’]?\s*[:：؛=](?!//)""",
    re.VERBOSE,
)
_OPENED: Final = re.compile(r"\{\s*[\"']|[-\u2010-\u2015\u2212]{2}")
_SENSITIVE: Final = re.compile(
    r"(?<!\w)(?:[Ss]ensitive|حساس)[\"']?\s*[:：=]\s*\[|^[^\w\n]*sensitive:[ \t]*\n\s*-\s", re.MULTILINE
)

_MEND: Final = (
    "Start the template's own file with a line `---`, then the fields, then a second line `---`. If this is the text"
    ' of the message, write `{{ "---" }}` instead of `---`, or `{{ "title" }}` instead of `title`.'
)


def refuse_near_front_matter(text: str, lines: Lines, *, own: bool) -> None:
    """Refuse a text whose first lines look like front matter, or that has `sensitive` where it has no effect.

    Args:
        text: the text of a file, without its valid front matter.
        lines: the position of the text in its file.
        own: whether it is the template's own file, not one that it extends or includes.

    Raises:
        TemplateError: template_front_matter.
    """
    start = _start(text)
    is_near = _looks_like_fields(text[start:]) or _looks_like_fields_in_html(text[start:])
    found = [(start, _explain(text, start, lines, own=own))] if is_near else []
    if not found and (sensitive := _SENSITIVE.search(_COMMENT.sub(_blank, text))):
        where = sensitive.start() + len(sensitive[0]) - len(sensitive[0].lstrip())
        found = [(where, "`sensitive` is in the text of the message, where it hides nothing and would be sent")]
    for place, why in found:
        line, column = text.count("\n", 0, place) + 1, place - text.rfind("\n", 0, place)
        location = f"{lines.source}:{lines.number(line)}:{column}"
        raise TemplateError(why, code="template_front_matter", remedy=_MEND, location=location)


def is_fence(line: str) -> bool:
    """Tell whether a line was probably meant to start or close front matter."""
    line = _visible(line)
    if line in ("", "-"):
        return False
    start = "".join(takewhile(lambda char: _is_dash(char) or _shows_nothing(char), line))
    if start == line or (sum(map(_is_dash, start)) > 1 and _AFTER_DASHES.fullmatch(line, len(start))):
        return True
    if "{{" in line:  # the documented way to start a text with such a line
        return False
    is_ruled = sum(map(_is_dash, line)) > 1 or _RULED.search(line) is not None
    return _OTHER_FENCE.fullmatch(line) is not None or (is_ruled and not _WORD.search(_TAG.sub("", line)))


def _start(text: str) -> int:
    """Return the position of the first visible text, after blank lines, comments and tags."""
    place = 0
    while True:
        while place < len(text) and _shows_nothing(text[place]):
            place += 1
        if (aside := _ASIDE.match(text, place)) is None:
            return place
        place = aside.end()


def _looks_like_fields(text: str) -> bool:
    """Tell whether a text starts with front matter, or with fields that only lack the lines `---` around them."""
    lines = _LINE_END.split(text, _MOST_LINES)[:_MOST_LINES]
    fences = next((at for at, line in enumerate(lines) if _visible(line) and not _is_opening(line)), len(lines))
    block = [*dropwhile(lambda line: _visible(line)[:1] in ("", "#"), lines[fences:])]
    keys = [key for line in takewhile(lambda line: not is_fence(line), block) if (key := _key(line))]
    if not keys or not _key(block[0]):
        return False
    within = [*takewhile(_is_field_line, block)]
    end = next((at for at, line in enumerate(block) if is_fence(line)), None)
    is_closed = end is not None and all(_is_field_line(line) or not _visible(line) for line in block[:end])
    small = [key for key in keys if key.islower()]
    opening = [line for line in lines[:fences] if _visible(line)]
    if opening or _OPENED.match(_visible(block[0])):
        is_whole = is_closed and small == keys and (not opening or any(map(is_fence, opening)))
        return _is_field(keys[0].lower()) or any(map(_is_field, small)) or is_whole
    known = {key for line in within if (key := _key(line)) and key.islower() and _is_field(key)}
    return "sensitive" in known or (keys[0] in known and (is_closed or len(known) > 1))


def _looks_like_fields_in_html(text: str) -> bool:
    """Tell whether HTML shows a fence and fields, as an editor or a converter of Markdown writes them."""
    shown = _without_tags(text) if text.startswith("<") else ""
    return is_fence(_first_line(shown)) and _looks_like_fields(shown)


def _first_line(text: str) -> str:
    return text.lstrip().split("\n", 1)[0]


def _is_opening(line: str) -> bool:
    return is_fence(line) or _LONE_MARK.fullmatch(_visible(line)) is not None


def _without_tags(text: str) -> str:
    """Return what HTML shows: a rule as `---`, and each paragraph on a line of its own."""
    return unescape(_TAG.sub("", _LINE_TAG.sub("\n", _RULE_TAG.sub("\n---\n", text[:_MOST_CHARACTERS]))))


def _is_field_line(line: str) -> bool:
    """Tell whether a line can be part of front matter: a field, or its continuation."""
    shown = _visible(line)
    return bool(shown) and bool(_key(line) or line[0] in " \t" or shown.startswith(("- ", "#", "]", "}")))


def _key(line: str) -> str | None:
    found = _KEY.match(_visible(line))
    return (found[1] or found[2]) if found else None


def _is_field(key: str) -> bool:
    return key in _FIELDS or key in _PERSIAN or bool(get_close_matches(key[:50], _FIELDS, 1, _ALIKE))


def _is_dash(char: str) -> bool:
    return unicodedata.category(char) == "Pd" or char in _DASHES


def _visible(line: str) -> str:
    """Return a line without invisible characters at its start and end."""
    start = _start_of_line(line)
    return line[start : len(line) - _start_of_line(line[:start:-1]) if start < len(line) else start]


def _start_of_line(line: str) -> int:
    return next((at for at, char in enumerate(line) if not _shows_nothing(char)), len(line))


def _shows_nothing(char: str) -> bool:
    return char in BLANKS or not is_text(char)


def _blank(found: re.Match[str]) -> str:
    return _NOT_NEWLINE.sub(" ", found[0])


def _explain(text: str, start: int, lines: Lines, *, own: bool) -> str:
    """Return why the text at `start` is not valid front matter."""
    begin = text.rfind("\n", 0, start) + 1
    line = text[begin:].split("\n", 1)[0]
    if not own:
        return "front matter is allowed only in a template's own file, not in one that it extends or includes"
    if lines.first > 1:
        return "a second front matter starts here; a template can have only one"
    if not _is_opening(_first_line(_without_tags(line))):
        return "these lines look like front matter, but there is no line `---` above them"
    if line.rstrip(" \t") != "---":
        return f"front matter starts with a line `---`, not {escape_line(line)}"
    return "front matter must start in the first line of the file"


def escape_line(line: str) -> str:
    """Return a line with its invisible characters as escapes."""
    shown = printable(line if len(line) <= 40 else line[:39] + "…")
    return "`" + "".join(ascii(char)[1:-1] if char in BLANKS and not char.isspace() else char for char in shown) + "`"

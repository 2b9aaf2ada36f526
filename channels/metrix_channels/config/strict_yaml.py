"""Reads YAML strictly: returns plain data with the position of every key and value, or raises one error with its place.

The parser is PyYAML's pure Python one. Only its events are used; this module decides what they mean. So anchors, tags
and merge keys have no effect, and nothing is guessed: parsers disagree about values such as `012`, `1:30`, `+98…`,
`yes` and `2026-11-20`. Dates stay text; the others are refused. No message shows a value, because it may be a secret
in the wrong place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NoReturn, cast

import yaml
from attrs import field, frozen

from ..errors import ConfigError
from ..files import SAVE_AS_UTF8, FileTooLarge, read_regular, remedy_for
from ..models import JsonScalar, JsonValue
from ..printable import printable, quoted

MAX_BYTES: Final = 1_000_000
MAX_DEPTH: Final = 32
MAX_EVENTS: Final = 50_000

KeyPath = tuple[str | int, ...]
Position = tuple[int, int]

_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)")
_DECIMAL: Final = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]+")
_ALMOST_A_NUMBER: Final = re.compile(
    r"""[-+]?(?: 0[xob][0-9a-f_]+
               | [0-9][0-9_]*(?::[0-9]{1,2})+(?:\.[0-9_]*)?
               | [0-9][0-9_]*(?:\.[0-9_]*)?(?:e[-+]?[0-9]+)?
               | \.[0-9][0-9_]*(?:e[-+]?[0-9]+)?
               | \.(?:inf|nan) )""",
    re.VERBOSE | re.IGNORECASE,
)
_ALMOST_A_WORD: Final = re.compile(r"true|false|yes|no|on|off|null", re.IGNORECASE)
_WORDS: Final[Mapping[str, JsonScalar]] = {"": None, "~": None, "null": None, "true": True, "false": False}
_INT64: Final = range(-(2**63), 2**63)

# Characters that YAML 1.1 forbids, and its line breaks (a lone CR, NEL, LS, PS) that editors do not count as lines.
_FORBIDDEN: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]|\r(?!\n)")
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")

_ALIGN: Final = "Begin all keys of one mapping in the same column."
_NO_COLON: Final = "could not find expected ':'"
_NOT_CLOSED: Final = "found unexpected end of stream"
_IN_PLAIN_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "expected <block end>, but found '<block mapping start>'": (
        "the indentation of this line fits no line above it",
        _ALIGN,
    ),
    "expected <block end>, but found '<block sequence start>'": (
        "the indentation of this line fits no line above it",
        "Begin all items of one list in the same column.",
    ),
    "mapping values are not allowed here": (
        "a colon is not allowed here",
        f"Put text with a colon in quotes, and write a space after the colon of each key. {_ALIGN}",
    ),
    "expected <block end>, but found '<scalar>'": (
        "more text follows a value that is already complete",
        "Put the whole value in one pair of quotes.",
    ),
    _NOT_CLOSED: ("this quote is not closed", "Close it at the end of the text."),
    _NO_COLON: ("there is no colon after the key", "Write `key: value`, or put a text of several lines in quotes."),
}
"""The most common of PyYAML's messages, as what is wrong and what to do."""

# PyYAML raises these too for some input, such as an escape beyond Unicode or a version of 5,000 digits.
_FOREIGN_ERRORS: Final = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    RecursionError,
)


@frozen
class Document:
    """One YAML document.

    Attributes:
        data: plain data.
        source: the file name at the start of locations.
    """

    data: JsonValue
    source: str
    _positions: Mapping[KeyPath, tuple[Position, Position]] = field(repr=False)

    def position(self, path: KeyPath = (), *, key: bool = False) -> Position:
        """Return line and column, from 1, of the value (or key) at `path`, or of its nearest parent."""
        while path not in self._positions:
            path = path[:-1]
        of_key, of_value = self._positions[path]
        return of_key if key else of_value

    def location(self, path: KeyPath = (), *, key: bool = False) -> str:
        """Return `source:line:column` of the value (or key) at `path`, or of its nearest parent."""
        return _location(self.source, self.position(path, key=key))


def parse_yaml(text: str, source: str, *, first_line: int = 1) -> Document:
    """Read one document.

    Args:
        text: the YAML.
        source: the file name for locations.
        first_line: the line number of the text's first line, if the text is part of another file.

    Raises:
        ConfigError: `yaml_invalid` if it is not YAML; `yaml_refused` if it uses features that surprise people, or is
            too large.
    """
    source = printable(source)
    if len(text) > MAX_BYTES or len(text.encode(errors="surrogatepass")) > MAX_BYTES:
        _fail("yaml_refused", f"the text is larger than {MAX_BYTES:,} bytes", _location(source, (first_line, 1)))
    text = text.removeprefix("\ufeff")
    if found := _FORBIDDEN.search(text):
        line, column = _position_in(text[: found.start()])
        _fail(
            "yaml_invalid",
            f"the character U+{ord(found[0]):04X} is not allowed in YAML; write it as an escape in double quotes",
            _location(source, (line + first_line - 1, column)),
        )
    return _Reader(text, source, first_line).document()


def read_yaml(path: Path, source: str | None = None) -> Document:
    """Read one document from a file in UTF-8.

    Args:
        path: the file.
        source: the file name for locations; None means the path.

    Raises:
        ConfigError: those of `read_text` and `parse_yaml`.
    """
    return parse_yaml(read_text(path, source), source or str(path))


def read_text(path: Path, source: str | None = None) -> str:
    """Read a YAML file's text, with its line breaks and byte order mark.

    Raises:
        ConfigError: `config_missing`; `file_unreadable`; `yaml_invalid` if it is not UTF-8; `yaml_refused` if it is
            too large.
    """
    source = printable(source or str(path))
    try:
        raw = read_regular(path, MAX_BYTES)
    except FileNotFoundError as error:
        raise ConfigError(f"there is no file {source}", code="config_missing") from error
    except FileTooLarge:
        _fail("yaml_refused", f"the file is larger than {MAX_BYTES:,} bytes", _location(source, (1, 1)))
    except OSError as error:
        message = f"the file {source} cannot be read: {error.strerror}"
        raise ConfigError(message, code="file_unreadable", remedy=remedy_for(error)) from error
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8")
        _fail("yaml_invalid", "the file is not UTF-8", _location(source, _position_in(before)), SAVE_AS_UTF8)


def integer(text: str) -> int | None:
    """Return `text` as an integer, or None; it must have no `+`, no leading zero, and at most 64 bits."""
    if not _INTEGER.fullmatch(text) or len(text) > 20:
        return None
    return number if (number := int(text)) in _INT64 else None


class _Reader:
    """Builds a document from the parser's events, and refuses what is not supported."""

    def __init__(self, text: str, source: str, first_line: int) -> None:
        self._source = source
        self._first_line = first_line
        self._loader = yaml.SafeLoader(text)
        self._events = self._checked_events()
        self._positions: dict[KeyPath, tuple[Position, Position]] = {(): ((first_line, 1), (first_line, 1))}

    def document(self) -> Document:
        next(self._events)  # the stream's start
        event = next(self._events)
        if isinstance(event, yaml.StreamEndEvent):
            return Document(None, self._source, self._positions)
        if isinstance(event, yaml.DocumentStartEvent) and (event.version or event.tags):
            self._refuse("directives (lines that start with %) are not supported", event.start_mark)
        event = next(self._events)
        place = self._position(event.start_mark)
        self._positions[()] = (place, place)
        data = self._value(event, ())
        next(self._events)  # the document's end
        if isinstance(event := next(self._events), yaml.DocumentStartEvent):
            self._refuse("a second document starts here (---); write one document per file", event.start_mark)
        return Document(data, self._source, self._positions)

    def _checked_events(self) -> Iterator[yaml.Event]:
        for count in range(MAX_EVENTS + 1):
            event = self._next_event()
            if isinstance(event, yaml.AliasEvent):
                self._refuse("aliases (*name) are not supported; write the value itself", event.start_mark)
            if getattr(event, "anchor", None) is not None:
                self._refuse("anchors (&name) are not supported; put text in quotes", event.start_mark)
            if getattr(event, "tag", None) is not None:
                self._refuse("tags (!name) are not supported; put text in quotes", event.start_mark)
            if count == MAX_EVENTS:
                self._refuse(f"the document has more than {MAX_EVENTS:,} parts", event.start_mark)
            yield event

    def _next_event(self) -> yaml.Event:
        try:
            return cast(yaml.Event, self._loader.get_event())  # type: ignore[no-untyped-call]
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark or self._loader.get_mark()
            if "tag handle" in (error.problem or ""):  # PyYAML's message would quote the text
                self._refuse("tags (!name) are not supported; put text in quotes", mark)
            self._invalid(error.problem or "it cannot be read", error.context, error.context_mark, mark)
        except yaml.YAMLError:
            self._invalid("it cannot be read", None, None, self._loader.get_mark())
        except _FOREIGN_ERRORS:
            self._invalid("a value here cannot be read", None, None, self._loader.get_mark())

    def _value(self, event: yaml.Event, path: KeyPath) -> JsonValue:
        if len(path) >= MAX_DEPTH and not isinstance(event, yaml.ScalarEvent):
            self._refuse(f"it is nested deeper than {MAX_DEPTH} levels", event.start_mark)
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path)
        return self._mapping(path)

    def _sequence(self, path: KeyPath) -> list[JsonValue]:
        values: list[JsonValue] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            here = (*path, len(values))
            place = self._position(event.start_mark)
            self._positions[here] = (place, place)
            values.append(self._value(event, here))
        return values

    def _mapping(self, path: KeyPath) -> dict[str, JsonValue]:
        values: dict[str, JsonValue] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._key(event)
            here = (*path, key)
            if key in values:
                first = self._positions[here][0][0]
                message = f"the key {quoted(key)} is used twice; the first one is in line {first}"
                self._refuse(message, event.start_mark, "Remove one of the two lines.")
            value = next(self._events)
            self._positions[here] = (self._position(event.start_mark), self._position(value.start_mark))
            values[key] = self._value(value, here)
        return values

    def _key(self, event: yaml.Event) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            self._refuse("a key must be text, not a list or a mapping", event.start_mark)
        if event.implicit[0] and event.value == "<<":
            self._refuse("merge keys (<<) are not supported; write the keys themselves", event.start_mark)
        key = self._scalar(event)
        if not isinstance(key, str):
            self._refuse("a key must be text; put it in quotes", event.start_mark)
        return key

    def _scalar(self, event: yaml.ScalarEvent) -> JsonScalar:
        text: str = event.value
        if _SURROGATE.search(text):
            self._refuse("this is half a character (\\uD800 to \\uDFFF); write the whole character", event.start_mark)
        if not event.implicit[0]:  # in quotes, or a block scalar
            return text
        if text in _WORDS:
            return _WORDS[text]
        if (number := integer(text)) is not None:
            return number
        if _DECIMAL.fullmatch(text) and (decimal := float(text)) not in (float("inf"), float("-inf")):
            return decimal
        if _ALMOST_A_NUMBER.fullmatch(text):
            self._refuse(
                "YAML parsers read this value differently: some as a number or a time, others as text",
                event.start_mark,
                'If it is text, put it in quotes, as in "22:00". If it is a number, write plain digits.',
            )
        if _ALMOST_A_WORD.fullmatch(text):
            self._refuse(
                "YAML parsers read this value differently: some as true, false or null, others as text",
                event.start_mark,
                "Write true, false or null, or put text in quotes.",
            )
        return text

    def _position(self, mark: Any) -> Position:  # a mark; PyYAML's stubs allow None, its parser does not
        return mark.line + self._first_line, mark.column + 1

    def _refuse(self, message: str, mark: Any, remedy: str | None = None) -> NoReturn:
        _fail("yaml_refused", message, _location(self._source, self._position(mark)), remedy)

    def _invalid(self, problem: str, context: str | None, since: Any, mark: Any) -> NoReturn:
        if problem in (_NO_COLON, _NOT_CLOSED) and since:
            mark = since  # the parser notices it later
        if problem in _IN_PLAIN_WORDS:
            message, remedy = _IN_PLAIN_WORDS[problem]
            _fail("yaml_invalid", message, _location(self._source, self._position(mark)), remedy)
        start = f" that starts in line {self._position(since)[0]}" if since else ""
        where = f" ({context}{start})" if context else ""
        hint = "; indent with spaces, not with tabs" if "'\\t'" in problem else ""
        _fail("yaml_invalid", f"{problem}{where}{hint}", _location(self._source, self._position(mark)))


def _position_in(before: str) -> Position:
    """Return line and column of the character after `before`."""
    return before.count("\n") + 1, len(before.removeprefix("\ufeff")) - (before.rfind("\n") + 1) + 1


def _location(source: str, position: Position) -> str:
    line, column = position
    return f"{source}:{line}:{column}"


def _fail(code: str, message: str, location: str, remedy: str | None = None) -> NoReturn:
    raise ConfigError(message, code=code, remedy=remedy, location=location) from None

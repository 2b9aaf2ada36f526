"""Searches text from outside (answers, errors of libraries, findings) for secrets.

A secret in plain form is replaced by `***`. If a secret is found in any encoded form, the whole text is withheld and
replaced by the reason, because somebody who can decode one form can decode others. The text is decoded, rather than the
secret encoded, because the forms that a server might use cannot be listed.

A secret of four or more letters and digits is also found if its punctuation or white space was changed. A shorter
secret is found only where it stands alone, not within a longer number or word: a value `5` must not hide every answer
that contains 15.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from functools import cached_property, lru_cache
from itertools import chain
from typing import Any, Final, TypeVar

from attrs import frozen

from ..errors import MetrixChannelsError
from .decodings import TooDeepError, decoded_bytes, fully_decoded, readings, without_cut_escape
from .folding import HOLE, compact, skeleton, spaced, with_ascii_digits
from .secret import MASK, Secret

T = TypeVar("T")

_LONG: Final = 4
"""The minimum number of letters and digits in a long secret."""
_TELLING: Final = 3
"""The minimum number of a secret's characters that are hidden at the end of a truncated text."""
_DEPTH: Final = 3
"""How many times base64 and similar encodings may be nested."""
_MOST: Final = 4_000_000
"""The maximum number of characters that are searched, over all readings of one text."""
_SHORT_TEXT: Final = 1_000
"""The maximum length of a text whose readings are cached."""
_DIGITS: Final = {str(digit): f"[{digit}{chr(0x660 + digit)}{chr(0x6F0 + digit)}]" for digit in range(10)}
"""Patterns that match each digit in ASCII, Arabic and Persian."""


def sensitive_values(values: Iterable[object]) -> Iterator[Secret]:
    """Return the values that templates mark as sensitive, as secrets.

    Args:
        values: the values that are passed to a template. Values inside lists and mappings count at any depth; true,
            false and None are ignored.
    """
    for value in values:
        if isinstance(value, Mapping):
            yield from sensitive_values(value.values())
        elif isinstance(value, (list, tuple)):
            yield from sensitive_values(value)
        elif value is not None and not isinstance(value, bool):
            yield from (Secret(form, "a sensitive value") for form in _spell(value))


def _spell(value: object) -> list[str]:
    """Return the ways in which a template may write a value; a fraction also without exponent, or as a whole number."""
    forms = [str(value)]
    if isinstance(value, (float, Decimal)) and math.isfinite(value):
        forms.append(str(int(value)) if value == int(value) else format(value, "f"))
    return forms


@frozen
class _Needle:
    """The forms of one secret that are searched for in decoded text.

    Attributes:
        name: the name of the secret.
        skeletons: its letters and digits, at least four; empty for a short secret.
        compacts: its compact forms, if it has fewer letters and digits but is long with its punctuation.
        alone: matches a short secret that stands alone; None for a long one.
    """

    name: str
    skeletons: frozenset[str] = frozenset()
    compacts: frozenset[str] = frozenset()
    alone: re.Pattern[str] | None = None

    @classmethod
    def of(cls, secret: Secret) -> _Needle:
        plain = compact(secret.reveal())
        # The secret itself may contain what looks like an escape, which is decoded together with the text.
        forms = {plain, *map(compact, fully_decoded(secret.reveal()))}
        if len(skeleton(plain)) >= _LONG:
            return cls(secret.name, skeletons=_select_long(map(skeleton, forms)))
        if len(plain) >= _LONG:
            return cls(secret.name, compacts=_select_long(forms))
        return cls(secret.name, alone=re.compile(_match_alone(plain)))

    @property
    def least(self) -> int:
        """The length of its shortest form."""
        return min(map(len, self.skeletons or self.compacts), default=1)

    def is_in(self, text: _Folded) -> bool:
        if self.alone is not None:
            return bool(self.alone.search(text.spaced) or self.alone.search(text.compact))
        return any(each in text.skeleton for each in self.skeletons) or any(
            each in text.compact for each in self.compacts
        )

    def begins_at_end_of(self, text: _Folded) -> bool:
        """Tell whether a truncated text ends with the beginning of the secret."""
        return any(_overlap(text.skeleton, each) for each in self.skeletons)


@frozen(slots=False)
class _Folded:
    """One reading of a text, in the folded forms that needles search."""

    text: str

    @cached_property
    def compact(self) -> str:
        return compact(self.text)

    @cached_property
    def spaced(self) -> str:
        return spaced(self.text)

    @cached_property
    def skeleton(self) -> str:
        return skeleton(self.compact)


class Redactor:
    """Removes secrets from text. Its patterns are compiled when the first text is cleaned.

    Args:
        secrets: the secrets to search for; empty ones are ignored.
    """

    def __init__(self, *secrets: Secret) -> None:
        self.secrets: Final = tuple(dict.fromkeys(secret for secret in secrets if secret.reveal().strip()))

    def hiding(self, more: Iterable[Secret]) -> Redactor:
        """Return a redactor that also searches for more secrets."""
        return Redactor(*self.secrets, *more)

    def clean(self, text: str, what: str = "text", *, is_cut: bool = False) -> str:
        """Return `text` without secrets, so that it may be shown, logged and stored.

        Args:
            text: text from outside.
            what: one word for the text, for the sentence that replaces it if it is withheld.
            is_cut: the end of the text is missing; the beginning of a secret at its end is removed too.
        """
        if not self.secrets or not text or (not is_cut and self._is_clean(text)):
            return text
        masked = self._plain.sub(HOLE, text.replace(HOLE, "\ufffd"))
        if is_cut:
            masked = self._mask_beginning_at_end(masked)
        try:
            found = _find(self._needles, map(_Folded, _every_reading(masked, self._least(is_cut), is_cut)), is_cut)
        except TooDeepError:
            return f"[{what} withheld: it is encoded too many times to be searched for secrets]"
        if found:
            return f"[{what} withheld: it contains {found} in an encoded form]"
        return masked.replace(HOLE, MASK)

    def guard(self, work: Callable[[], T]) -> T:
        """Run `work`; an error that it raises shows no secret and has no cause or context that could.

        Raises:
            MetrixChannelsError: the error of `work`; if there are secrets, a copy without them.
        """
        try:
            return work()
        except MetrixChannelsError as error:
            if not self.secrets:
                raise
            message, remedy = self.clean(error.message, "message"), self.clean(error.remedy, "remedy")
            discreet = type(error)(message, code=error.code, remedy=remedy, location=error.location)
        # Outside the handler, which would keep the original error as the context of this one.
        raise discreet

    def clean_json(self, text: str, what: str) -> str:
        """Return a JSON document without secrets; it stays valid JSON, and only texts with secrets are replaced."""
        if self.clean(text, what) == text:
            return text
        try:
            document = json.loads(text)
        except ValueError:
            return self.clean(text, what)
        return json.dumps(self._clean_value(document), ensure_ascii=False, separators=(",", ":"))

    def _clean_value(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {self.clean(name): self._clean_value(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self._clean_value(inner) for inner in value]
        if value is None or isinstance(value, bool):
            return value
        text = str(value)
        cleaned = self.clean(text)
        return value if cleaned == text else cleaned

    @cached_property
    def _plain(self) -> re.Pattern[str]:
        """Matches every secret in plain form, with digits of any script."""
        longest_first = sorted((secret.reveal() for secret in self.secrets), key=len, reverse=True)
        return re.compile("|".join(map(_match_plain, longest_first)), re.IGNORECASE)

    @cached_property
    def _needles(self) -> tuple[_Needle, ...]:
        return tuple(_Needle.of(secret) for secret in self.secrets if compact(secret.reveal()))

    @cached_property
    def _are_all_long(self) -> bool:
        """Whether the search for needles finds everything that `_plain` matches in ASCII text."""
        folds_alone = {"ı", "İ"}  # `re` treats them as an i, folding does not
        return all(needle.skeletons for needle in self._needles) and not any(
            folds_alone & set(secret.reveal()) for secret in self.secrets
        )

    def _is_clean(self, text: str) -> bool:
        """Tell quickly whether a short text, such as most answers, is free of secrets; False if that is not certain."""
        if len(text) > _SHORT_TEXT or not text.isascii() or not self._are_all_long:
            return False
        try:
            return _find(self._needles, _short_readings(text, self._least(False)), is_cut=False) is None
        except TooDeepError:
            return False

    def _least(self, is_cut: bool) -> int:
        """Return the minimum number of characters that are worth decoding."""
        return _TELLING if is_cut else min((needle.least for needle in self._needles), default=1)

    def _mask_beginning_at_end(self, text: str) -> str:
        tail = with_ascii_digits(text).lower()
        for secret in self.secrets:
            if length := _overlap(tail, with_ascii_digits(secret.reveal()).lower()):
                return text[:-length] + HOLE
        return text


def _find(needles: tuple[_Needle, ...], text: Iterable[_Folded], is_cut: bool) -> str | None:
    """Return the name of a secret that is in one of the readings of a text, or None.

    Raises:
        TooDeepError: the text has too many layers of encoding.
    """
    for reading in text:
        end = _Folded(without_cut_escape(reading.text)) if is_cut else None
        for needle in needles:
            if needle.is_in(reading) or (end and needle.begins_at_end_of(end)):
                return needle.name
    return None


@lru_cache(maxsize=256)
def _short_readings(text: str, least: int) -> tuple[_Folded, ...]:
    """Return all readings of a text; cached, because most answers are alike."""
    return tuple(map(_Folded, _every_reading(text, least, is_cut=False)))


def _every_reading(text: str, least: int, is_cut: bool) -> Iterator[str]:
    """Yield the text, what it becomes when it is decoded in every order, and the texts that are encoded within it.

    Args:
        text: the original text.
        least: the minimum number of characters that are worth decoding.
        is_cut: the end of the text is missing.

    Raises:
        TooDeepError: there are too many readings.
    """
    seen: set[str] = set()
    looked_at = 0
    waiting = [(text, 0)]
    while waiting:
        current, depth = waiting.pop()
        if depth and current in seen:
            continue
        starts = {current, without_cut_escape(current)} if is_cut else {current}
        for reading in (*starts, *chain.from_iterable(map(readings, starts))):
            seen.add(reading)
            looked_at += len(reading)
            if looked_at > _MOST:
                raise TooDeepError
            yield reading
        if depth < _DEPTH:
            waiting += [(inner, depth + 1) for inner in _encoded_in(current, least) if inner and inner not in seen]


def _encoded_in(text: str, least: int) -> Iterator[str]:
    for decoded in {text, *fully_decoded(text)}:
        for plain in {decoded, "".join(decoded.split())}:
            yield from decoded_bytes(plain, least)


def _select_long(forms: Iterable[str]) -> frozenset[str]:
    return frozenset(form for form in forms if len(form) >= _LONG)


def _overlap(text: str, secret: str) -> int:
    """Return how many characters at the end of a text are the beginning of a secret; 0 if they are too few to tell."""
    for length in range(min(len(secret) - 1, len(text)), _TELLING - 1, -1):
        if text.endswith(secret[:length]):
            return length
    return 0


def _match_plain(secret: str) -> str:
    return _match_literal(secret) if len(compact(secret)) >= _LONG else _match_alone(secret)


def _match_literal(text: str) -> str:
    return "".join(_DIGITS.get(char) or re.escape(char) for char in with_ascii_digits(text))


def _match_alone(text: str) -> str:
    """Return a pattern for a short secret that is not part of a longer number, word or run of symbols."""
    return f"(?<!{_kind(text[0])}){_match_literal(text)}(?!{_kind(text[-1])})"


def _kind(char: str) -> str:
    if char.isdecimal():
        return r"\d"
    return r"[^\W\d_]" if char.isalpha() else r"[^\w\s]"

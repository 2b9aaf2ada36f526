"""What may not be shown, and the search for it in text from outside: answers, errors of libraries, findings.

Where a secret stands as it is, it is replaced by `***`. Where it is found in any other form, the whole text is withheld
and says why: whoever can decode one form finds the next, and a list of all forms that a server might use has no end. So
the text is decoded, and never the secret encoded.

A secret of four letters and digits or more is also found when its punctuation or white space was changed. A shorter one
counts only where it stands alone, not within a longer number or word: a value `5` must not hide every answer with a 15.
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
"""So many letters and digits are a long secret."""
_TELLING: Final = 3
"""So many characters of a secret are worth hiding at the end of a text that was cut off."""
_DEPTH: Final = 3
"""So many times base64 and the like may be nested."""
_MOST: Final = 4_000_000
"""So many characters are looked at, of all readings of one text."""
_SHORT_TEXT: Final = 1_000
"""So many characters has a text at most whose readings are remembered."""
_DIGITS: Final = {str(digit): f"[{digit}{chr(0x660 + digit)}{chr(0x6F0 + digit)}]" for digit in range(10)}
"""Each digit in ASCII, Arabic and Persian."""


def sensitive_values(values: Iterable[object]) -> Iterator[Secret]:
    """Return what templates call sensitive as secrets.

    Args:
        values: as they are given to a template. What stands in lists and mappings counts, however deep; true, false
            and None tell nothing.
    """
    for value in values:
        if isinstance(value, Mapping):
            yield from sensitive_values(value.values())
        elif isinstance(value, (list, tuple)):
            yield from sensitive_values(value)
        elif value is not None and not isinstance(value, bool):
            yield from (Secret(form, "a sensitive value") for form in _written(value))


def _written(value: object) -> list[str]:
    """Return how a template may write a value: a fraction also without exponent, or as the whole number that it is."""
    forms = [str(value)]
    if isinstance(value, (float, Decimal)) and math.isfinite(value):
        forms.append(str(int(value)) if value == int(value) else format(value, "f"))
    return forms


@frozen
class _Needle:
    """One secret, as it is looked for in decoded text.

    Attributes:
        name: of the secret.
        skeletons: letters and digits, at least four; empty for a short secret.
        compacts: for one that has fewer and is long by its punctuation.
        alone: matches a short one where it stands alone; None for a long one.
    """

    name: str
    skeletons: frozenset[str] = frozenset()
    compacts: frozenset[str] = frozenset()
    alone: re.Pattern[str] | None = None

    @classmethod
    def of(cls, secret: Secret) -> _Needle:
        plain = compact(secret.reveal())
        # What an escape seems to be in the secret itself is decoded with the text that holds it.
        forms = {plain, *map(compact, fully_decoded(secret.reveal()))}
        if len(skeleton(plain)) >= _LONG:
            return cls(secret.name, skeletons=_long(map(skeleton, forms)))
        if len(plain) >= _LONG:
            return cls(secret.name, compacts=_long(forms))
        return cls(secret.name, alone=re.compile(_alone(plain)))

    @property
    def least(self) -> int:
        """How many characters it has at least."""
        return min(map(len, self.skeletons or self.compacts), default=1)

    def is_in(self, text: _Folded) -> bool:
        if self.alone is not None:
            return bool(self.alone.search(text.spaced) or self.alone.search(text.compact))
        return any(each in text.skeleton for each in self.skeletons) or any(
            each in text.compact for each in self.compacts
        )

    def begins_at_end_of(self, text: _Folded) -> bool:
        """Tell whether a text that was cut off ends with the beginning of the secret."""
        return any(_overlap(text.skeleton, each) for each in self.skeletons)


@frozen(slots=False)
class _Folded:
    """One reading of a text, folded in the ways in which needles look at it."""

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
    """Knows what may not be shown, and cleans text of it. Nothing is compiled before the first text is cleaned.

    Args:
        secrets: what it looks for; empty ones are left out.
    """

    def __init__(self, *secrets: Secret) -> None:
        self.secrets: Final = tuple(dict.fromkeys(secret for secret in secrets if secret.reveal().strip()))

    def hiding(self, more: Iterable[Secret]) -> Redactor:
        """Return one that looks for other secrets, too."""
        return Redactor(*self.secrets, *more)

    def clean(self, text: str, what: str = "text", *, is_cut: bool = False) -> str:
        """Return `text` as it may be shown, logged and stored.

        Args:
            text: from outside.
            what: it is, in one word, for the sentence that stands in its place when it is withheld.
            is_cut: its end is missing; what may be the beginning of a secret goes from there, too.
        """
        if not self.secrets or not text or (not is_cut and self._is_clean(text)):
            return text
        masked = self._plain.sub(HOLE, text.replace(HOLE, "\ufffd"))
        if is_cut:
            masked = self._without_beginning_at_end(masked)
        try:
            found = _find(self._needles, map(_Folded, _every_reading(masked, self._least(is_cut), is_cut)), is_cut)
        except TooDeepError:
            return f"[{what} withheld: it is encoded too many times to be searched for secrets]"
        if found:
            return f"[{what} withheld: it contains {found} in an encoded form]"
        return masked.replace(HOLE, MASK)

    def guard(self, work: Callable[[], T]) -> T:
        """Run `work`; an error that it raises shows no secret, and neither do the errors behind it: there are none.

        Raises:
            MetrixChannelsError: that of `work`; where there are secrets, one like it that is clean of them.
        """
        try:
            return work()
        except MetrixChannelsError as error:
            if not self.secrets:
                raise
            message, remedy = self.clean(error.message, "message"), self.clean(error.remedy, "remedy")
            discreet = type(error)(message, code=error.code, remedy=remedy, location=error.location)
        # Outside of the handler: there the first error would be kept as the context of this one.
        raise discreet

    def clean_json(self, text: str, what: str) -> str:
        """Return a JSON document as it may be shown: it stays one, and only the texts in it that tell go."""
        if self.clean(text, what) == text:
            return text
        try:
            document = json.loads(text)
        except ValueError:
            return self.clean(text, what)
        return json.dumps(self._cleaned(document), ensure_ascii=False, separators=(",", ":"))

    def _cleaned(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {self.clean(name): self._cleaned(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self._cleaned(inner) for inner in value]
        if value is None or isinstance(value, bool):
            return value
        text = str(value)
        cleaned = self.clean(text)
        return value if cleaned == text else cleaned

    @cached_property
    def _plain(self) -> re.Pattern[str]:
        """Matches every secret where it stands as it is, whatever the script of its digits."""
        longest_first = sorted((secret.reveal() for secret in self.secrets), key=len, reverse=True)
        return re.compile("|".join(map(_as_it_is, longest_first)), re.IGNORECASE)

    @cached_property
    def _needles(self) -> tuple[_Needle, ...]:
        return tuple(_Needle.of(secret) for secret in self.secrets if compact(secret.reveal()))

    @cached_property
    def _are_all_long(self) -> bool:
        """Whether the search for needles finds whatever `_plain` matches in ASCII."""
        folds_alone = {"ı", "İ"}  # `re` takes them for an i, and folding does not
        return all(needle.skeletons for needle in self._needles) and not any(
            folds_alone & set(secret.reveal()) for secret in self.secrets
        )

    def _is_clean(self, text: str) -> bool:
        """Tell quickly that a short text, such as most answers, has no secret in it; in doubt, that it may have."""
        if len(text) > _SHORT_TEXT or not text.isascii() or not self._are_all_long:
            return False
        try:
            return _find(self._needles, _short_readings(text, self._least(False)), is_cut=False) is None
        except TooDeepError:
            return False

    def _least(self, is_cut: bool) -> int:
        """Return how many characters are worth decoding."""
        return _TELLING if is_cut else min((needle.least for needle in self._needles), default=1)

    def _without_beginning_at_end(self, text: str) -> str:
        tail = with_ascii_digits(text).lower()
        for secret in self.secrets:
            if length := _overlap(tail, with_ascii_digits(secret.reveal()).lower()):
                return text[:-length] + HOLE
        return text


def _find(needles: tuple[_Needle, ...], text: Iterable[_Folded], is_cut: bool) -> str | None:
    """Return the name of a secret that is in one of the readings of a text, or None.

    Raises:
        TooDeepError: nobody can tell.
    """
    for reading in text:
        end = _Folded(without_cut_escape(reading.text)) if is_cut else None
        for needle in needles:
            if needle.is_in(reading) or (end and needle.begins_at_end_of(end)):
                return needle.name
    return None


@lru_cache(maxsize=256)
def _short_readings(text: str, least: int) -> tuple[_Folded, ...]:
    """Return all readings of a text; most answers are alike."""
    return tuple(map(_Folded, _every_reading(text, least, is_cut=False)))


def _every_reading(text: str, least: int, is_cut: bool) -> Iterator[str]:
    """Yield what a text becomes while it is decoded, in every order, and what is encoded within it.

    Args:
        text: as it came.
        least: so many characters are worth decoding.
        is_cut: its end is missing.

    Raises:
        TooDeepError: there are too many.
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


def _long(forms: Iterable[str]) -> frozenset[str]:
    return frozenset(form for form in forms if len(form) >= _LONG)


def _overlap(text: str, secret: str) -> int:
    """Return how many characters at the end of a text are the beginning of a secret, if they are telling."""
    for length in range(min(len(secret) - 1, len(text)), _TELLING - 1, -1):
        if text.endswith(secret[:length]):
            return length
    return 0


def _as_it_is(secret: str) -> str:
    return _literal(secret) if len(compact(secret)) >= _LONG else _alone(secret)


def _literal(text: str) -> str:
    return "".join(_DIGITS.get(char) or re.escape(char) for char in with_ascii_digits(text))


def _alone(text: str) -> str:
    """Return the pattern of a short secret that is no part of a longer number, word or row of signs."""
    return f"(?<!{_kind(text[0])}){_literal(text)}(?!{_kind(text[-1])})"


def _kind(char: str) -> str:
    if char.isdecimal():
        return r"\d"
    return r"[^\W\d_]" if char.isalpha() else r"[^\w\s]"

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
from functools import cached_property
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
        if not self.secrets or not text:
            return text
        masked = self._plain.sub(HOLE, text.replace(HOLE, "\ufffd"))
        if is_cut:
            masked = self._without_beginning_at_end(masked)
        try:
            found = _Search(self._needles, is_cut=is_cut).find(masked)
        except TooDeepError:
            return f"[{what} withheld: it is encoded too often to be searched for secrets]"
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

    def _without_beginning_at_end(self, text: str) -> str:
        tail = with_ascii_digits(text).lower()
        for secret in self.secrets:
            if length := _overlap(tail, with_ascii_digits(secret.reveal()).lower()):
                return text[:-length] + HOLE
        return text


class _Search:
    """One search through all readings of a text.

    Args:
        needles: what is looked for.
        is_cut: the text's end is missing.
    """

    def __init__(self, needles: tuple[_Needle, ...], *, is_cut: bool) -> None:
        self._needles = needles
        self._is_cut = is_cut
        self._least = _TELLING if is_cut else min((needle.least for needle in needles), default=1)
        self._seen: set[str] = set()
        self._looked_at = 0

    def find(self, text: str, depth: int = 0) -> str | None:
        """Return the name of a secret that is in the text, or None.

        Raises:
            TooDeepError: nobody can tell.
        """
        starts = {text, without_cut_escape(text)} if self._is_cut else {text}
        for reading in (*starts, *chain.from_iterable(map(readings, starts))):
            if found := self._look_at(reading):
                return found
        if depth < _DEPTH:
            for inner in self._encoded_in(text):
                if inner and inner not in self._seen and (found := self.find(inner, depth + 1)):
                    return found
        return None

    def _look_at(self, reading: str) -> str | None:
        self._seen.add(reading)
        self._looked_at += len(reading)
        if self._looked_at > _MOST:
            raise TooDeepError
        folded = _Folded(reading)
        end = _Folded(without_cut_escape(reading)) if self._is_cut else None
        for needle in self._needles:
            if needle.is_in(folded) or (end and needle.begins_at_end_of(end)):
                return needle.name
        return None

    def _encoded_in(self, text: str) -> Iterator[str]:
        for decoded in {text, *fully_decoded(text)}:
            for plain in {decoded, "".join(decoded.split())}:
                yield from decoded_bytes(plain, self._least)


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

"""The words of the pages in English and Persian, with the numbers and times of each language."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from importlib.resources import files
from typing import Final

from ..process import wall_clock

LANGUAGES: Final = {"en": "English", "fa": "فارسی"}

_PERSIAN_DIGITS: Final = str.maketrans("0123456789,.", "۰۱۲۳۴۵۶۷۸۹٬٫")


@lru_cache(maxsize=1)
def _persian() -> Mapping[str, str]:
    """Return the Persian translation of each English phrase, from `fa.json`."""
    found: dict[str, str] = json.loads(files(__package__).joinpath("fa.json").read_text(encoding="utf-8"))
    return found


def phrase(text: str) -> str:
    """Mark a phrase that is translated later, so that a test finds it."""
    return text


class Words:
    """One language.

    Args:
        language: a key of `LANGUAGES`.
    """

    def __init__(self, language: str) -> None:
        self.language = language
        self.direction = "rtl" if language == "fa" else "ltr"
        self._phrases = _persian() if language == "fa" else {}

    def __call__(self, phrase: str, /, **values: object) -> str:
        """Return a phrase with its `{names}` filled in; numbers are formatted in the language."""
        shown = {
            name: self.number(value) if isinstance(value, (int, float)) else value for name, value in values.items()
        }
        return self._phrases.get(phrase, phrase).format(**shown)

    def count(self, number: int, one: str, many: str, /) -> str:
        """Return `one` for the number 1 and `many` for others, with `{count}` filled in."""
        return self(one if number == 1 else many, count=number)

    def number(self, value: float) -> str:
        """Format a number."""
        text = f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"
        return self.digits(text)

    def percent(self, share: float) -> str:
        """Format a share of 1 as a percentage; only 1 itself is shown as 100."""
        shown = min(share * 100, 99.9) if share < 1 else 100.0
        text = f"{shown:.0f}" if shown >= 99.95 or shown == 0 else f"{shown:.1f}"
        return self.digits(f"{text}٪" if self.language == "fa" else f"{text}%")

    def digits(self, text: str) -> str:
        """Replace the digits of a text by those of the language."""
        return text.translate(_PERSIAN_DIGITS) if self.language == "fa" else text

    def moment(self, moment: datetime | str) -> str:
        """Format a time in UTC, with the day if it is not today."""
        at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
        at = at.astimezone(UTC)
        time = self.digits(f"{at:%H:%M:%S}")
        return time if at.date() == wall_clock.now().date() else f"{self.day(at)} {time}"

    def day(self, moment: datetime | str) -> str:
        """Format a day; in Persian in the Jalali calendar, if jdatetime (the extra `fa`) is installed."""
        moment = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
        if self.language == "fa":
            try:
                import jdatetime  # type: ignore[import-untyped]
            except ModuleNotFoundError:
                return self.digits(f"{moment:%Y-%m-%d}")
            return self.digits(jdatetime.date.fromgregorian(date=moment.date()).strftime("%Y/%m/%d"))
        return f"{moment.day} {moment:%b %Y}"


def language_of(asked: str | None, accepted: str | None) -> str:
    """Choose a language.

    Args:
        asked: the reader's choice.
        accepted: the header `Accept-Language`; only its first language counts.
    """
    if asked in LANGUAGES:
        return asked
    first = (accepted or "").split(",")[0].strip().lower()
    return "fa" if first.startswith("fa") else "en"

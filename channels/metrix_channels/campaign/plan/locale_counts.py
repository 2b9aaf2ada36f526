"""Counts recipients by locale, and those who do not get the locale that their row names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

from ...errors import CampaignError
from ...json_text import dumped
from ...localization.locales import meant_locale
from ...models import JsonValue
from ..audience.reader import ABSENT
from ..audience.rows import shortened
from ..locales import NO_LOCALE, CampaignTemplates, Fallback

_MOST_UNKNOWN: Final = 100
"""With more unknown values than this, the column does not contain locales."""
_MOST_DESCRIBED: Final = 10


class LocaleCounts:
    """Counts recipients by the locale in their rows.

    Args:
        templates: of the campaign.
    """

    def __init__(self, templates: CampaignTemplates) -> None:
        self._templates = templates
        self._by_value: Counter[str] = Counter()
        self._checked = 0

    @property
    def used(self) -> set[str]:
        """The locales that the campaign uses."""
        if self._templates.column is None:
            return {NO_LOCALE}
        return {self._templates.locale_of(value).name for value in self._by_value}

    def add(self, values: Iterable[JsonValue]) -> None:
        """Count recipients.

        Raises:
            CampaignError: audience_invalid, if the column does not contain locales.
        """
        self._by_value.update(map(_text, values))
        if len(self._by_value) > max(self._checked, _MOST_UNKNOWN):
            self._checked = len(self._by_value)
            self._require_locales()

    def remove(self, value: JsonValue, count: int) -> None:
        """Subtract recipients who are skipped after all."""
        self._by_value[_text(value)] -= count

    def facts(self, sms_parts: Mapping[str, int], total: int) -> dict[str, JsonValue]:
        """Return the JSON form of the counts.

        Args:
            sms_parts: by locale.
            total: the number of recipients.
        """
        if self._templates.column is None:
            missing = self._templates.missing
            return {"locale_fallbacks": [_fallback(NO_LOCALE, Fallback.NO_TEMPLATE, missing, total)]} if missing else {}
        recipients: Counter[str] = Counter()
        fallbacks: list[JsonValue] = []
        for value, count in (+self._by_value).most_common():
            found = self._templates.locale_of(value)
            recipients[found.name] += count
            if found.fallback is not None:
                fallbacks.append(_fallback(found.name, found.fallback, value, count))
        return {
            "locales": {
                name: {
                    "recipients": count,
                    "sms_parts": sms_parts.get(name, 0),
                    "template": self._templates.by_locale[name].sources.main,
                }
                for name, count in sorted(recipients.items())
            },
            "locale_fallbacks": fallbacks,
        }

    def _require_locales(self) -> None:
        unknown = [value for value in self._by_value if self._templates.is_unknown(value)]
        if len(unknown) > _MOST_UNKNOWN:
            shown = ", ".join(shortened(value) for value in unknown[:5])
            raise CampaignError(
                f"The column {self._templates.column!r} contains more than {_MOST_UNKNOWN} values that are not locales:"
                f" {shown}, …",
                code="audience_invalid",
                remedy="Name the column that holds the locale of each row: `locale: {column: COLUMN, default: fa}`.",
            )


def _fallback(name: str, why: Fallback, value: str, count: int) -> JsonValue:
    return {
        "value": shortened(value),
        "reason": why.value,
        "locale": name or None,
        "recipients": count,
        "did_you_mean": meant_locale(value) if why is Fallback.UNKNOWN else None,
    }


def _text(value: JsonValue) -> str:
    if isinstance(value, str):
        return value.strip()
    return "" if value is None or value is ABSENT else dumped(value)


def describe_fallbacks(facts: Mapping[str, Any]) -> list[str]:
    """Describe recipients who do not get the locale that their row names, one sentence per value.

    Args:
        facts: of a plan.
    """
    fallbacks = facts.get("locale_fallbacks", [])
    lines = [_describe(each) for each in fallbacks[:_MOST_DESCRIBED]]
    if more := len(fallbacks) - len(lines):
        lines.append(f"Further values in the locale column: {more}.")
    return lines


def _describe(fallback: Mapping[str, Any]) -> str:
    value, locale, count = fallback["value"], fallback["locale"], fallback["recipients"]
    people = "1 recipient" if count == 1 else f"{count:,} recipients"
    match fallback["reason"]:
        case Fallback.EMPTY:
            why = "no locale is given"
        case Fallback.UNKNOWN:
            hint = f" (did you mean {fallback['did_you_mean']}?)" if fallback["did_you_mean"] else ""
            why = f"{value!r} is not a locale{hint}"
        case _:
            why = f"there is no template for {value}"
    gets = f"the template for {locale}" if locale else "the template without a locale"
    return f"Locale: {why}, so {people} {'gets' if count == 1 else 'get'} {gets}."

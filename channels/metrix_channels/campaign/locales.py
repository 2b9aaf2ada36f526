"""The templates of a campaign: one for all rows, or one for each locale that its rows name."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Final

from attrs import frozen

from ..config import Channel
from ..errors import TemplateError
from ..localization.locales import standard_locale, with_parents
from ..models import JsonValue
from ..templating import Template, Templates, locales
from .audience.reader import ABSENT
from .definition import Campaign

LOCALE: Final = ""
"""The name under which the values of a message hold its locale, unless the template has none: no variable has it."""
NO_LOCALE: Final = ""
"""Stands for the locale of a template file that has none."""


class Fallback(StrEnum):
    """Why a row is not written to in the locale that it names."""

    EMPTY = "empty"
    UNKNOWN = "unknown"
    NO_TEMPLATE = "no_template"


@frozen
class RowLocale:
    """What a row is written to in.

    Attributes:
        name: of `CampaignTemplates.by_locale`.
        fallback: why it is not what the row names; None where it is.
    """

    name: str
    fallback: Fallback | None


class CampaignTemplates:
    """Which template serves a row.

    Args:
        templates: the folder.
        campaign: the campaign file.
        channel: of the campaign.

    Attributes:
        column: names the locale of each row; None where all rows have one.
        by_locale: the templates that may be used, compiled; `NO_LOCALE` names the one of a campaign without locales by
            row, and the file without a locale where the default is another.

    Raises:
        TemplateError: those of `Templates.find`, of every file of the channel.
    """

    def __init__(self, templates: Templates, campaign: Campaign, channel: Channel) -> None:
        rule = campaign.locale
        default = rule.default if rule else None
        self.column: str | None = rule.column if rule else None

        def find(locale: str | None) -> Template:
            return templates.find(campaign.template, channel.name, channel.type, locale)

        self._common: str | None = None
        self._default: str | None = None
        if self.column is None:
            self.by_locale: dict[str, Template] = {NO_LOCALE: find(default)}
            return
        there = locales(templates.variants(campaign.template), channel.name, channel.type)
        self.by_locale = {locale: find(locale) for locale in there if locale is not None}
        self._default = self._own(default)
        if None in there:
            self._common = default if default and not self._default else NO_LOCALE
            self.by_locale[self._common] = find(None)
            self._default = self._default or self._common
        elif not self._default and (default or not there):
            find(default)  # raises: there is none
        self._folder = templates.root / campaign.template

    @property
    def variables(self) -> frozenset[str]:
        """The names that any of the templates uses."""
        return frozenset().union(*(template.variables for template in self.by_locale.values()))

    @property
    def sensitive(self) -> frozenset[str]:
        """The names of values that no log, report or bundle may show."""
        return frozenset().union(*(template.sensitive for template in self.by_locale.values()))

    def locale_of(self, value: JsonValue) -> RowLocale:
        """Return the locale of a row.

        Args:
            value: what stands in its `column`; ABSENT where it has no such key.

        Raises:
            TemplateError: template_missing, where no file serves the row.
        """
        if value is None or value is ABSENT or (isinstance(value, str) and not value.strip()):
            return self._fall_back(Fallback.EMPTY)
        locale = standard_locale(value.strip()) if isinstance(value, str) else None
        if locale is None:
            return self._fall_back(Fallback.UNKNOWN)
        if own := self._own(locale):
            return RowLocale(own, None)
        if self._common is None:
            return self._fall_back(Fallback.NO_TEMPLATE)
        return RowLocale(self._common, Fallback.NO_TEMPLATE)

    def is_unknown(self, value: str) -> bool:
        """Tell whether a value of the column is no locale."""
        return bool(value) and standard_locale(value) is None

    def values_of(self, locale: str, values: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        """Return what makes the message of a row in a locale: the values that its template uses, and the locale."""
        used = self.by_locale[locale].variables
        found = {name: value for name, value in values.items() if name in used}
        return found if locale == NO_LOCALE else {**found, LOCALE: locale}

    def pinned(self, used: Collection[str]) -> dict[str, Template]:
        """Return the templates of some locales, as far as they are there."""
        if self.column is None:
            return self.by_locale
        return {locale: self.by_locale[locale] for locale in sorted(used) if locale in self.by_locale}

    def _own(self, locale: str | None) -> str | None:
        """Return the locale, or its nearest parent, that has a file of its own."""
        return next((each for each in with_parents(locale) if each in self.by_locale), None)

    def _fall_back(self, why: Fallback) -> RowLocale:
        if self._default is not None:
            return RowLocale(self._default, why)
        raise TemplateError(
            "the template has no file for the row's locale, and no file without a locale",
            code="template_missing",
            remedy="Set a default locale, as in `locale: {column: lang, default: fa}`.",
            location=str(self._folder),
        )

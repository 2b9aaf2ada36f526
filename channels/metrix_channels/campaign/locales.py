"""The templates of a campaign: one for all rows, or one for each locale."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Final

from attrs import frozen

from ..config import Channel
from ..errors import TemplateError
from ..localization.locales import standard_locale, with_parents
from ..models import JsonValue
from ..templating import Template, Templates, has_own_file, locales
from .audience.reader import ABSENT
from .definition import Campaign

LOCALE: Final = ""
"""The key of the locale, if there is one, in the values of a message. No template variable has this name."""
NO_LOCALE: Final = ""
"""The locale of a template file without a locale."""


class Fallback(StrEnum):
    """Why a row does not get the locale that it names."""

    EMPTY = "empty"
    UNKNOWN = "unknown"
    NO_TEMPLATE = "no_template"


@frozen
class RowLocale:
    """The locale of a row.

    Attributes:
        name: a key of `CampaignTemplates.by_locale`.
        fallback: why it is not the locale that the row names; None if it is.
    """

    name: str
    fallback: Fallback | None


class CampaignTemplates:
    """Selects the template for each row.

    Args:
        templates: the folder.
        campaign: the campaign file.
        channel: of the campaign.

    Attributes:
        column: holds the locale of each row; None if all rows have the same.
        by_locale: the compiled templates. `NO_LOCALE` is the template of a campaign without locales by row, or the file
            without a locale if that is not the default.
        missing: the locale of all rows, if it has no file and the file without a locale is used; else None.

    Raises:
        TemplateError: as `Templates.find`, for every file of the channel.
    """

    def __init__(self, templates: Templates, campaign: Campaign, channel: Channel) -> None:
        rule = campaign.locale
        default = rule.default if rule else None
        self.column: str | None = rule.column if rule else None

        def find(locale: str | None) -> Template:
            return templates.find(campaign.template, channel.name, channel.type, locale)

        self._common: str | None = None
        self._default: str | None = None
        self.missing: str | None = None
        if self.column is None:
            self.by_locale: dict[str, Template] = {NO_LOCALE: find(default)}
            if default and not has_own_file(templates, campaign.template, channel.name, channel.type, default):
                self.missing = default
            return
        there = locales(templates.variants(campaign.template), channel.name, channel.type)
        self.by_locale = {locale: find(locale) for locale in there if locale is not None}
        self._default = self._own(default)
        if None in there:
            self._common = default if default and not self._default else NO_LOCALE
            self.by_locale[self._common] = find(None)
            self._default = self._default or self._common
        elif not self._default and (default or not there):
            find(default)  # raises the error that there is no file
        self._folder = templates.root / campaign.template

    @property
    def variables(self) -> frozenset[str]:
        """The names of all variables that the templates use."""
        return frozenset().union(*(template.variables for template in self.by_locale.values()))

    @property
    def sensitive(self) -> frozenset[str]:
        """The names of values that no log, report or bundle may show."""
        return frozenset().union(*(template.sensitive for template in self.by_locale.values()))

    def locale_of(self, value: JsonValue) -> RowLocale:
        """Return the locale of a row.

        Args:
            value: from its `column`; ABSENT if the row does not have the key.

        Raises:
            TemplateError: template_missing, if there is no template for the row.
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
        """Tell whether a value of the column is not a locale."""
        return bool(value) and standard_locale(value) is None

    def values_of(self, locale: str, values: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        """Return what determines the message of a row: the values that its template uses, and the locale."""
        used = self.by_locale[locale].variables
        found = {name: value for name, value in values.items() if name in used}
        return found if locale == NO_LOCALE else {**found, LOCALE: locale}

    def pinned(self, used: Collection[str]) -> dict[str, Template]:
        """Return the existing templates of the given locales."""
        if self.column is None:
            return self.by_locale
        return {locale: self.by_locale[locale] for locale in sorted(used) if locale in self.by_locale}

    def _own(self, locale: str | None) -> str | None:
        """Return the locale, or its nearest parent, that has a file."""
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

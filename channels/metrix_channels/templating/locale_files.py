"""Tells which locales have a template file, and warns of a locale that has none."""

from __future__ import annotations

from collections.abc import Iterable

from ..localization.locales import standard_locale, with_parents
from ..models import Caution, ChannelType
from .file_names import stems
from .library import Templates, Variant


def locales(variants: Iterable[Variant], channel: str, type: ChannelType) -> list[str | None]:  # noqa: A002
    """Return the locales for which a template has a file for a channel; None means the file without a locale.

    Args:
        variants: the files of the template.
        channel: the channel's name in the configuration.
        type: the channel's type.
    """
    names = set(stems(channel, type))
    found = {variant.locale for variant in variants if variant.channel in names}
    return sorted(found, key=lambda locale: locale or "")


def has_own_file(templates: Templates, name: str, channel: str, type: ChannelType, locale: str) -> bool:  # noqa: A002
    """Tell whether a template has a file for a locale or its parent, such as `fa` for `fa-IR`."""
    there = locales(templates.variants(name), channel, type)
    return any(each in there for each in with_parents(standard_locale(locale)))


def locale_cautions(
    templates: Templates,
    name: str,
    channel: str,
    type: ChannelType,  # noqa: A002
    locale: str | None,
) -> tuple[Caution, ...]:
    """Return a caution if a message gets the file without a locale although a locale was asked for.

    Args:
        templates: the folder.
        name: of the template, which has a file for the channel.
        channel: its name.
        type: of the channel.
        locale: the locale that was asked for.
    """
    if locale is None or has_own_file(templates, name, channel, type, locale):
        return ()
    message = f"The template has no file for the locale {locale}, so the file without a locale is used."
    return (Caution("locale_without_template", message),)

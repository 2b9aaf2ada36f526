"""Previews of templates in every channel and locale, for the terminal, an HTML file and the dashboard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from attrs import frozen

from ..adapters import adapter_for
from ..config import Channel
from ..errors import MetrixChannelsError
from ..localization.locales import standard_locale
from ..models import Caution
from ..pages import Renderer, Words
from ..process import wall_clock
from ..sms_text import SmsLength
from ..templating import Templates, locale_cautions, locales, point_to_sample


@frozen
class Preview:
    """One template in one channel and locale, with some values.

    Attributes:
        channel: a channel of the configuration; it may be unverified.
        locale: None for the file without a locale.
        path: path of the template file.
        fields: fields of the message; empty if there is an error.
        cautions: hints for the message's author.
        error: why there is no message.
    """

    channel: Channel
    locale: str | None
    path: Path
    fields: Mapping[str, Any]
    cautions: tuple[Caution, ...]
    error: MetrixChannelsError | None = None

    @property
    def sms(self) -> SmsLength | None:
        """The parts of the SMS; None for other channel types."""
        measure = adapter_for(self.channel.type).measure
        return measure(str(self.fields.get("body", ""))) if measure and self.error is None else None

    @property
    def is_html(self) -> bool:
        """Whether the body is the HTML of an email."""
        return self.path.name.endswith(".html.j2")

    @property
    def further(self) -> dict[str, Any]:
        """Fields that the picture of the message does not show."""
        shown = adapter_for(self.channel.type).pictured
        return {name: value for name, value in self.fields.items() if name not in shown}

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "channel": self.channel.name,
            "locale": self.locale,
            "path": str(self.path),
            "message": self.fields,
            "sms_parts": self.sms.parts if self.sms else None,
            "cautions": [{"code": caution.code, "message": caution.message} for caution in self.cautions],
            "error": self.error.problem.as_dict() if self.error else None,
        }


def previews(
    templates: Templates, name: str, channels: Sequence[Channel], locale: str | None, values: Mapping[str, Any]
) -> list[Preview]:
    """Render a template for channels, in all its locales or in one. A preview that fails has its error.

    Args:
        templates: the template folder.
        name: name of the template.
        channels: channels of the configuration.
        locale: only this locale; None for all.
        values: values for the template, which replace those of its sample.

    Raises:
        TemplateError: the sample cannot be read.
    """
    variants = templates.variants(name)
    return [
        _preview(templates, name, channel, each, {**templates.sample(name, each), **values})
        for channel in channels
        for each in ([locale] if locale is not None else locales(variants, channel.name, channel.type))
    ]


def variables(templates: Templates, name: str, channels: Sequence[Channel]) -> set[str]:
    """Return the names that a template uses from its context, in all channels and locales."""
    found: set[str] = set()
    variants = templates.variants(name)
    for channel in channels:
        for locale in locales(variants, channel.name, channel.type):
            with suppress(MetrixChannelsError):  # the preview shows the error
                found |= templates.find(name, channel.name, channel.type, locale).variables
    return found


def preview_page(name: str, sets: Sequence[tuple[str, Sequence[Preview]]], words: Words) -> str:
    """Return previews as one HTML file.

    Args:
        name: name of the template.
        sets: pairs of a heading and the previews with the same values.
        words: words of the page's language.
    """
    return Renderer("metrix_channels.support").file("preview.html.j2", words, template=name, sets=sets)


def _preview(
    templates: Templates, name: str, channel: Channel, locale: str | None, values: Mapping[str, Any]
) -> Preview:
    path = templates.root / name
    try:
        template = templates.find(name, channel.name, channel.type, locale)
        path = template.path
        fields = template.render(values, wall_clock.now())
        message = adapter_for(channel.type).compose(fields)
    except MetrixChannelsError as error:
        return Preview(channel, locale, path, {}, (), point_to_sample(error, templates.root / name, locale))
    locale = locale and standard_locale(locale)
    cautions = locale_cautions(templates, name, channel.name, channel.type, locale)
    return Preview(channel, locale, path, message.fields, (*message.cautions, *cautions))

"""The pins of a planned run, and whether they have changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from attrs import asdict

from ...config import Channel, Config
from ...errors import campaign_error
from ...ledger import RunRecord
from ...templating import Sources, Template
from ..definition import Campaign
from ..locales import NO_LOCALE

_READ_AS: Final = ("delimiter", "encoding", "sheet", "sql")
"""Keys of the audience that are pinned if they are set."""


def pins_of(
    campaign: Campaign, config: Config, channel: Channel, templates: Mapping[str, Template], digest: str
) -> dict[str, Any]:
    """Return the pins of a run: application, channel, template, context and audience.

    Args:
        campaign: the campaign file.
        config: the configuration.
        channel: of the campaign.
        templates: of the run, by locale.
        digest: of the audience.
    """
    sources = {locale: asdict(template.sources) for locale, template in templates.items()}
    rule = campaign.locale
    by_row = rule is not None and rule.column is not None
    pinned = {"locales": sources} if by_row else sources[NO_LOCALE]
    return {
        "app_id": config.metrix.resolve_app_id(),
        "base_url": config.metrix.base_url,
        "channel": {"name": channel.name, "type": channel.type.value},
        "template": {
            "name": campaign.template,
            "locale": asdict(rule) if rule and by_row else rule and rule.default,
            **pinned,
        },
        "context": dict(campaign.context),
        "audience": {
            "id": campaign.audience.id,
            "except": list(campaign.audience.except_),
            "digest": digest,
            **{key: value for key in _READ_AS if (value := getattr(campaign.audience, key)) is not None},
        },
    }


def sources_of(pins: Mapping[str, Any]) -> dict[str, Sources]:
    """Return the texts of the pinned templates, by locale."""
    return {
        locale: Sources(pinned["main"], pinned["texts"], pinned["email"])
        for locale, pinned in pinned_locales(pins).items()
    }


def pinned_locales(pins: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the pins of the template for each locale of a run."""
    return _by_locale(pins["template"])


def _by_locale(pinned: Mapping[str, Any]) -> Mapping[str, Any]:
    return pinned.get("locales", {NO_LOCALE: pinned})  # type: ignore[no-any-return]


def require_unchanged(record: RunRecord, now: Mapping[str, Any]) -> None:
    """Refuse to continue a run with a changed content or audience.

    Args:
        record: the run.
        now: the current result of `pins_of`.

    Raises:
        CampaignError: run_pinned, with every change.
    """
    changed = list(_changes(record.pins, now))
    if changed:
        message = f"The campaign {record.name!r} has changed since it was planned: {', '.join(changed)}."
        raise campaign_error(message, "run_pinned", record.name)


def _changes(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for name in ("app_id", "base_url"):
        if then[name] != now[name]:
            yield f"metrix.{name} (it was {then[name]})"
    if then["channel"] != now["channel"]:
        yield f"the channel (it was {then['channel']['name']}, {then['channel']['type']})"
    yield from _template_changes(then["template"], now["template"])
    for name in sorted({*then["context"], *now["context"]}):
        if then["context"].get(name, ...) != now["context"].get(name, ...):
            yield f"context.{name}"
    for name in ("id", "except", *_READ_AS):
        if then["audience"].get(name) != now["audience"].get(name):
            yield f"audience.{name}"
    if then["audience"]["digest"] != now["audience"]["digest"]:
        yield f"the rows of audience.{'sql' if 'sql' in now['audience'] else 'file'}"


def _template_changes(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for name in ("name", "locale"):
        if then[name] != now[name]:
            yield f"{'template' if name == 'name' else name} (it was {_describe(then[name])})"
    before, after = _texts_of(then), _texts_of(now)
    for file in sorted({*before, *after}):
        if before.get(file, ...) != after.get(file, ...):
            yield f"the template's file {file}"


def _texts_of(pinned: Mapping[str, Any]) -> dict[str, str | None]:
    """Return the files of a pinned template, over all its locales."""
    return {file: text for each in _by_locale(pinned).values() for file, text in each["texts"].items()}


def _describe(pinned: Any) -> str:
    if isinstance(pinned, Mapping):
        return f"the column {pinned['column']}, default {pinned['default'] or 'none'}"
    return str(pinned)

"""What a run may not change once it is planned, and what of it has changed since."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import asdict

from ...config import Channel, Config
from ...errors import CampaignError
from ...ledger import RunRecord
from ...templating import Sources, Template
from ..definition import Campaign


def pins_of(campaign: Campaign, config: Config, channel: Channel, template: Template, digest: str) -> dict[str, Any]:
    """Return what a run is pinned to: as whom, through what, what it says, and to whom.

    Args:
        campaign: the campaign file.
        config: the configuration.
        channel: of the campaign.
        template: of the campaign.
        digest: of the audience.
    """
    return {
        "app_id": config.metrix.resolve_app_id(),
        "base_url": config.metrix.base_url,
        "channel": {"name": channel.name, "type": channel.type.value},
        "template": {"name": campaign.template, "locale": campaign.locale, **asdict(template.sources)},
        "context": dict(campaign.context),
        "audience": {"id": campaign.audience.id, "except": list(campaign.audience.except_), "digest": digest},
    }


def sources_of(pins: Mapping[str, Any]) -> Sources:
    """Return the texts of the template that a run is pinned to."""
    pinned = pins["template"]
    return Sources(pinned["main"], pinned["texts"], pinned["email"])


def require_unchanged(record: RunRecord, now: Mapping[str, Any]) -> None:
    """Refuse to go on with another content or audience than the planned ones.

    Args:
        record: the run.
        now: what `pins_of` returns today.

    Raises:
        CampaignError: run_pinned, naming everything that changed.
    """
    changed = list(_changed(record.pins, now))
    if changed:
        raise CampaignError(
            f"The campaign {record.name!r} is planned, and since then this has changed: {', '.join(changed)}.",
            code="run_pinned",
        )


def _changed(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for name in ("app_id", "base_url"):
        if then[name] != now[name]:
            yield f"metrix.{name} (it was {then[name]})"
    if then["channel"] != now["channel"]:
        yield f"the channel (it was {then['channel']['name']}, {then['channel']['type']})"
    yield from _changed_template(then["template"], now["template"])
    for name in sorted({*then["context"], *now["context"]}):
        if then["context"].get(name, ...) != now["context"].get(name, ...):
            yield f"context.{name}"
    for name, words in (("id", "audience.id"), ("except", "audience.except"), ("digest", "the rows of audience.file")):
        if then["audience"][name] != now["audience"][name]:
            yield words


def _changed_template(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for name in ("name", "locale"):
        if then[name] != now[name]:
            yield f"{'template' if name == 'name' else name} (it was {then[name]})"
    for file in sorted({*then["texts"], *now["texts"]}):
        if then["texts"].get(file, ...) != now["texts"].get(file, ...):
            yield f"the template's file {file}"

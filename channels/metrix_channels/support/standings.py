"""Describes channels and the state of their verification, for people and scripts."""

from __future__ import annotations

from typing import Any

from ..adapters import adapter_for
from ..config import Channel, Config, standing
from ..errors import MetrixChannelsError, sentence
from ..outcomes import iso_utc
from ..process import wall_clock

_NOTHING: dict[str, Any] = {"expires_at": None, "announcement": None, "cautions": []}


def described(config: Config, channel: Channel) -> dict[str, Any]:
    """Return a channel and the current state of its verification."""
    row: dict[str, Any] = {
        "name": channel.name,
        "type": channel.type.value,
        "metrix_channel": adapter_for(channel.type).metrix_name,
    }
    try:
        found = standing(channel, config.metrix.resolve_app_id(), wall_clock.now())
    except MetrixChannelsError as error:
        return row | {"verified": False, "code": error.code, "message": error.message, "age_days": None, **_NOTHING}
    return row | {
        "verified": found.code is None,
        "code": found.code,
        "message": sentence(found.message),
        "age_days": found.age.days if found.age is not None else None,
        "expires_at": iso_utc(found.ends) if found.ends is not None else None,
        "announcement": found.announcement,
        "cautions": list(found.cautions),
    }

"""Finds time zones by name."""

from __future__ import annotations

from zoneinfo import ZoneInfo, available_timezones

from ..errors import ConfigError


def zone(name: str) -> ZoneInfo | None:
    """Return a time zone; None if there is none with that name.

    Raises:
        ConfigError: time_zones_missing, if this machine has no time zone database.
    """
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # a folder, an invalid name, an unknown name
        if available_timezones():
            return None
    message = f"The time zone {name!r} cannot be found: this machine has no time zone database."
    raise ConfigError(message, code="time_zones_missing")

"""Time zones by name, and what to say where the machine knows none."""

from __future__ import annotations

from zoneinfo import ZoneInfo, available_timezones

from ..errors import ConfigError


def zone(name: str) -> ZoneInfo | None:
    """Return a time zone; None when there is none of that name.

    Raises:
        ConfigError: time_zones_missing: this machine has no time zone database.
    """
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # a folder, what cannot be a zone's name, and a name that is not there
        if available_timezones():
            return None
    message = f"The time zone {name!r} cannot be found: this machine has no time zone database."
    raise ConfigError(message, code="time_zones_missing")

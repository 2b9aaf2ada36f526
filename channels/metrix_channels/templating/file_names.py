"""Decides which names of files can serve a channel and a locale."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

from ..adapters import adapter_for
from ..localization.locales import standard_locale, with_parents
from ..models import ChannelType

VARIANT: Final = re.compile(r"(?P<channel>\w[\w-]*)(?:\.(?P<locale>.+))?\.(?P<format>txt|html)\.j2")


@lru_cache(maxsize=10_000)  # called for each file of the template, for every message
def standard_name(file: str) -> str:
    """Return a file's name as `candidates` writes it: in lower case, with the locale in its usual spelling."""
    name = unicodedata.normalize("NFC", file).lower()
    parts = VARIANT.fullmatch(name)
    if parts is None or parts["locale"] is None:
        return name
    return f"{parts['channel']}.{standard_locale(parts['locale']) or parts['locale']}.{parts['format']}.j2"


@lru_cache
def candidates(channel: str, type: ChannelType, locale: str | None) -> tuple[str, ...]:  # noqa: A002
    """Return the names of the files that can serve, the most specific first."""
    return tuple(
        f"{stem}{'.' + tag if tag else ''}.{kind}.j2"
        for tag in (*with_parents(locale), None)
        for stem in stems(channel, type)
        for kind in adapter_for(type).formats
    )


def stems(channel: str, type: ChannelType) -> list[str]:  # noqa: A002
    """Return the names for a channel with which a file's name may start, the most specific first."""
    return list(dict.fromkeys([channel, type.value, *adapter_for(type).aliases]))

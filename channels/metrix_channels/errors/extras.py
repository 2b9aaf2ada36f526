"""How to install a missing extra.

metrix-channels is not on a public package index. So the remedy names the folder or wheel that it was installed from
(recorded as PEP 610 says). Who installed it by its name knows from where, and adds the extra to that name.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from . import ConfigError

DISTRIBUTION: Final = "metrix-channels"
BY_NAME: Final = "Install metrix-channels again in the same way, but write `metrix-channels[{extra}]` as its name."
"""Once a public index has metrix-channels, this is the command."""


def missing_extra(message: str, extra: str) -> ConfigError:
    """Return the error for a missing optional dependency.

    Args:
        message: what needs which package.
        extra: the extra that installs the package.
    """
    return ConfigError(message, code="extra_missing", remedy=extra_remedy(extra))


def extra_remedy(extra: str) -> str:
    """Return the command that installs an extra."""
    source = _source()
    if source is None:
        return BY_NAME.format(extra=extra)
    return f"Run `pip install {shlex.quote(f'{source}[{extra}]')}`."


def _source() -> Path | None:
    """Return the folder or file that this distribution was installed from; None if unknown or deleted."""
    from importlib.metadata import PackageNotFoundError, distribution  # slow to import, and rarely needed

    try:
        recorded = json.loads(distribution(DISTRIBUTION).read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, ValueError, OSError):
        return None
    url = urlsplit(recorded.get("url", ""))
    path = Path(unquote(url.path))
    return path if url.scheme == "file" and path.exists() else None

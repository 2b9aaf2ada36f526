"""How a missing extra is installed.

No package index has metrix-channels. So the remedy names the folder or the wheel that it was installed from, as PEP 610
records it, or else its checkout.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from . import ConfigError

DISTRIBUTION: Final = "metrix-channels"
IN_CHECKOUT: Final = "In the checkout of metrix-channels, run `pip install '.[{extra}]'`."


def missing_extra(message: str, extra: str) -> ConfigError:
    """Return the error of a part that is not installed.

    Args:
        message: what needs which package.
        extra: that installs it.
    """
    return ConfigError(message, code="extra_missing", remedy=extra_remedy(extra))


def extra_remedy(extra: str) -> str:
    """Return what to run so that an extra is installed."""
    source = _source()
    if source is None:
        return IN_CHECKOUT.format(extra=extra)
    return f"Run `pip install {shlex.quote(f'{source}[{extra}]')}`."


def _source() -> Path | None:
    """Return the folder or file that this distribution was installed from; None where it is unknown, or gone."""
    from importlib.metadata import PackageNotFoundError, distribution  # takes long to import, and is rarely needed

    try:
        recorded = json.loads(distribution(DISTRIBUTION).read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, ValueError, OSError):
        return None
    url = urlsplit(recorded.get("url", ""))
    path = Path(unquote(url.path))
    return path if url.scheme == "file" and path.exists() else None

"""Refuses requests from other web pages: `Host` reveals DNS rebinding, and `Origin` a cross-site request."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Final

_HOST: Final = re.compile(r"(\[[0-9a-f:.]+\]|[^\s:/@\[\]]+)(:\d{1,5})?", re.IGNORECASE)


def why_refused(host: str | None, origin: str | None, ours: frozenset[str]) -> str | None:
    """Return why a request is refused, or None.

    Args:
        host: the header `Host`.
        origin: the header `Origin`, which browsers send with every cross-site POST.
        ours: the names and addresses that the server listens on, or that the request was sent to.
    """
    match = _HOST.fullmatch(host or "")
    if not match:
        return "The header Host is missing or malformed."
    name = match[1].lower().strip("[]")
    if name != "localhost" and name not in ours and not _is_loopback(name):
        return f"The header Host names {match[1]!r}, which is not this server."
    if origin is not None and origin.lower() != f"http://{match[0].lower()}":
        return f"A web page of another origin, {origin!r}, made the request."
    return None


def _is_loopback(name: str) -> bool:
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False

"""Keeps web pages from elsewhere out: DNS rebinding shows in `Host`, a cross-site request in `Origin`."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Final

_HOST: Final = re.compile(r"(\[[0-9a-f:.]+\]|[^\s:/@\[\]]+)(:\d{1,5})?", re.IGNORECASE)


def why_refused(host: str | None, origin: str | None, ours: frozenset[str]) -> str | None:
    """Say why a request must not pass, or return None.

    Args:
        host: the header `Host`.
        origin: the header `Origin`, which browsers send with every cross-site POST.
        ours: the names and addresses that the server was told to listen on, or that the request came in by.
    """
    match = _HOST.fullmatch(host or "")
    if not match:
        return "The header Host is missing or malformed."
    name = match[1].lower().strip("[]")
    if name != "localhost" and name not in ours and not _is_loopback(name):
        return f"The header Host names {match[1]!r}, which is not this server."
    if origin is not None and origin.lower() != f"http://{match[0].lower()}":
        return f"The request was made by a web page of another origin, {origin!r}."
    return None


def _is_loopback(name: str) -> bool:
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False

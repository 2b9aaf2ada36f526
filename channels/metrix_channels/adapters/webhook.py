"""A call to a web hook that Metrix makes: only title and body are documented; anything further goes under `extra`."""

from .adapter import Adapter

ADAPTER = Adapter("WEB_HOOK")

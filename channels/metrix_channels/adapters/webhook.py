"""A call that Metrix makes to a web hook: only title and body are documented; other fields go under `extra`."""

from .adapter import Adapter

ADAPTER = Adapter("WEB_HOOK")

"""A message on a web site: only title and body are documented; anything further goes under `extra`."""

from .adapter import Adapter

ADAPTER = Adapter("ON_SITE")

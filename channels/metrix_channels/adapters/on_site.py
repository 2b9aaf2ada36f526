"""A message on a web site: only title and body are documented; other fields go under `extra`."""

from .adapter import Adapter

ADAPTER = Adapter("ON_SITE")

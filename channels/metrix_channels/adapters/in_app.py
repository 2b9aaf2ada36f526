"""A message inside a mobile app: only title and body are documented; other fields go under `extra`."""

from .adapter import Adapter

ADAPTER = Adapter("IN_APP")

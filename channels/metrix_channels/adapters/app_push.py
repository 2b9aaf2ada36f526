"""Push to a mobile app: only title and body are documented; other fields go under `extra`."""

from .adapter import Adapter
from .push_limits import push_limits

ADAPTER = Adapter("APP_PUSH", limits=push_limits, aliases=("push",))

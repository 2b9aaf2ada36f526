"""Push to a browser."""

from .adapter import Adapter
from .fields import BUTTONS, ICON, IMAGES, PUSH_URL
from .push_limits import push_limits

ADAPTER = Adapter(
    "WEB_PUSH",
    further=(PUSH_URL, ICON, IMAGES, BUTTONS),
    limits=push_limits,
    aliases=("push",),
    pictured=frozenset({"title", "body", "images", "buttons", "url", "icon"}),
)

"""The verbs: one module a group, no logic of its own. Importing this package registers them."""

from . import (
    campaign,
    channels,
    dashboard,
    doctor,
    explain,
    init,
    ledger,
    preflight,
    preview,
    sandbox,
    send,
    support_bundle,
    tracking,
    worker,
)

__all__ = [
    "campaign",
    "channels",
    "dashboard",
    "doctor",
    "explain",
    "init",
    "ledger",
    "preflight",
    "preview",
    "sandbox",
    "send",
    "support_bundle",
    "tracking",
    "worker",
]

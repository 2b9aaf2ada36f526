"""Send Push, SMS and Email through Metrix: refuses untested channels, renders templates, explains every failure.

One message, from a program:

    from metrix_channels import Notifier

    with Notifier.from_config("channels.yaml") as notifier:
        notifier.send("sms", to="user-42", template="otp", context={"code": "1234"}, key="login-42-1")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .version import __version__

if TYPE_CHECKING:
    from .campaign import CampaignPreview, CampaignProgress, CampaignRow, CampaignStatus, FailureCount
    from .checks import Check
    from .errors import (
        CampaignError,
        ChannelUnverified,
        ConfigError,
        CredentialsRefused,
        DeliveryError,
        EventInvalid,
        LedgerError,
        MessageInvalid,
        MetrixChannelsError,
        OutcomeUnknown,
        PreflightFailed,
        Rejected,
        TemplateError,
        Unreachable,
        UsageError,
    )
    from .events import MetrixUser
    from .notifier import AsyncNotifier, Notifier
    from .notifier.campaigns.asynchronous import AsyncCampaignHandle, AsyncCampaigns
    from .notifier.campaigns.synchronous import CampaignHandle, Campaigns
    from .notifier.events.report import EventsReport, FailedEvent
    from .outcomes import EventReceipt, Outcome, Problem, Receipt
    from .preflight import Preflight

_HOMES = {
    "campaign": ("CampaignPreview", "CampaignProgress", "CampaignRow", "CampaignStatus", "FailureCount"),
    "events": ("MetrixUser",),
    "notifier": ("AsyncNotifier", "Notifier"),
    "notifier.campaigns.asynchronous": ("AsyncCampaignHandle", "AsyncCampaigns"),
    "notifier.events.report": ("EventsReport", "FailedEvent"),
    "notifier.campaigns.synchronous": ("CampaignHandle", "Campaigns"),
    "outcomes": ("EventReceipt", "Outcome", "Problem", "Receipt"),
    "checks": ("Check",),
    "preflight": ("Preflight",),
    "errors": (
        "CampaignError",
        "ChannelUnverified",
        "ConfigError",
        "CredentialsRefused",
        "DeliveryError",
        "EventInvalid",
        "LedgerError",
        "MessageInvalid",
        "MetrixChannelsError",
        "OutcomeUnknown",
        "PreflightFailed",
        "Rejected",
        "TemplateError",
        "Unreachable",
        "UsageError",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "AsyncCampaignHandle",
    "AsyncCampaigns",
    "AsyncNotifier",
    "CampaignError",
    "CampaignHandle",
    "CampaignPreview",
    "CampaignProgress",
    "CampaignRow",
    "CampaignStatus",
    "Campaigns",
    "ChannelUnverified",
    "Check",
    "ConfigError",
    "CredentialsRefused",
    "DeliveryError",
    "EventInvalid",
    "EventReceipt",
    "EventsReport",
    "FailedEvent",
    "FailureCount",
    "LedgerError",
    "MessageInvalid",
    "MetrixChannelsError",
    "MetrixUser",
    "Notifier",
    "Outcome",
    "OutcomeUnknown",
    "Preflight",
    "PreflightFailed",
    "Problem",
    "Receipt",
    "Rejected",
    "TemplateError",
    "Unreachable",
    "UsageError",
    "__version__",
]


def __getattr__(name: str) -> Any:
    # On demand: pytest loads the plugin of this package in every run of its users, with or without a test of ours.
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if _HOME_OF[name] not in ("errors", "outcomes"):
        from .process.platform import require_posix

        require_posix()
    return getattr(importlib.import_module(f".{_HOME_OF[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

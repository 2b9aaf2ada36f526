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
    from .campaign import (
        AudienceRows,
        CampaignPreview,
        CampaignProgress,
        CampaignRow,
        CampaignStatus,
        Confirm,
        ExampleMessage,
        FailureCount,
        Outlook,
        Overview,
        Watcher,
    )
    from .campaign.report.overview import FailureGroup
    from .campaign.report.timeline import Timeline
    from .checks import Check, CheckDict, CheckStatus, Findings, FindingsDict
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
    from .errors.situation import Situation
    from .events import EventFields, MetrixUser, ProfileFields
    from .events.values import Attributes
    from .ledger import Counts
    from .ledger.messages.search import WatchMessages
    from .ledger.sends.outbox import WaitingMessage
    from .models import JsonValue
    from .notifier import AsyncNotifier, Notifier
    from .notifier.call import Context, Recipients
    from .notifier.campaigns.asynchronous import AsyncCampaignHandle, AsyncCampaigns, FailedOutcome, StrPath
    from .notifier.campaigns.synchronous import CampaignHandle, Campaigns
    from .notifier.events.report import EventsReport, FailedEvent, WatchEvents
    from .notifier.events.sources import Source
    from .notifier.messages import MessageQuery
    from .notifier.outbox.outbox import Drained
    from .outcomes import (
        EventReceipt,
        EventReceiptDict,
        Outcome,
        Problem,
        ProblemDict,
        Receipt,
        ReceiptDict,
        SentMessage,
        SentMessageDict,
    )
    from .preflight import Preflight, WatchPreflight

_HOMES = {
    "campaign": (
        "AudienceRows",
        "CampaignPreview",
        "CampaignProgress",
        "CampaignRow",
        "CampaignStatus",
        "ExampleMessage",
        "Confirm",
        "FailureCount",
        "Outlook",
        "Overview",
        "Watcher",
    ),
    "ledger.sends.outbox": ("WaitingMessage",),
    "notifier.outbox.outbox": ("Drained",),
    "campaign.report.overview": ("FailureGroup",),
    "campaign.report.timeline": ("Timeline",),
    "checks": (
        "Check",
        "CheckDict",
        "CheckStatus",
        "Findings",
        "FindingsDict",
    ),
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
    "errors.situation": ("Situation",),
    "events": (
        "EventFields",
        "MetrixUser",
        "ProfileFields",
    ),
    "events.values": ("Attributes",),
    "ledger": ("Counts",),
    "models": ("JsonValue",),
    "notifier": (
        "AsyncNotifier",
        "Notifier",
    ),
    "notifier.call": (
        "Context",
        "Recipients",
    ),
    "notifier.campaigns.asynchronous": (
        "AsyncCampaignHandle",
        "AsyncCampaigns",
        "FailedOutcome",
        "StrPath",
    ),
    "notifier.campaigns.synchronous": (
        "CampaignHandle",
        "Campaigns",
    ),
    "notifier.events.report": (
        "EventsReport",
        "FailedEvent",
        "WatchEvents",
    ),
    "notifier.events.sources": ("Source",),
    "notifier.messages": ("MessageQuery",),
    "ledger.messages.search": ("WatchMessages",),
    "outcomes": (
        "EventReceipt",
        "EventReceiptDict",
        "Outcome",
        "Problem",
        "ProblemDict",
        "Receipt",
        "ReceiptDict",
        "SentMessage",
        "SentMessageDict",
    ),
    "preflight": (
        "Preflight",
        "WatchPreflight",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "AsyncCampaignHandle",
    "AsyncCampaigns",
    "AsyncNotifier",
    "Attributes",
    "AudienceRows",
    "CampaignError",
    "CampaignHandle",
    "CampaignPreview",
    "CampaignProgress",
    "CampaignRow",
    "CampaignStatus",
    "Campaigns",
    "ChannelUnverified",
    "Check",
    "CheckDict",
    "CheckStatus",
    "ConfigError",
    "Confirm",
    "Context",
    "Counts",
    "CredentialsRefused",
    "DeliveryError",
    "Drained",
    "EventFields",
    "EventInvalid",
    "EventReceipt",
    "EventReceiptDict",
    "EventsReport",
    "ExampleMessage",
    "FailedEvent",
    "FailedOutcome",
    "FailureCount",
    "FailureGroup",
    "Findings",
    "FindingsDict",
    "JsonValue",
    "LedgerError",
    "MessageInvalid",
    "MessageQuery",
    "MetrixChannelsError",
    "MetrixUser",
    "Notifier",
    "Outcome",
    "OutcomeUnknown",
    "Outlook",
    "Overview",
    "Preflight",
    "PreflightFailed",
    "Problem",
    "ProblemDict",
    "ProfileFields",
    "Receipt",
    "ReceiptDict",
    "Recipients",
    "Rejected",
    "SentMessage",
    "SentMessageDict",
    "Situation",
    "Source",
    "StrPath",
    "TemplateError",
    "Timeline",
    "Unreachable",
    "UsageError",
    "WaitingMessage",
    "WatchEvents",
    "WatchMessages",
    "WatchPreflight",
    "Watcher",
    "__version__",
]


def __getattr__(name: str) -> Any:
    # Imported on demand: pytest loads this package's plugin in every run, even if no test uses it.
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if _HOME_OF[name] not in ("errors", "outcomes"):
        from .process.platform import require_posix

        require_posix()
    return getattr(importlib.import_module(f".{_HOME_OF[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

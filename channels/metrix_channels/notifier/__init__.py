"""The public face: Notifier for synchronous code, AsyncNotifier for asynchronous code."""

from ..campaign import CampaignPreview, CampaignProgress, CampaignRow, CampaignStatus, Watcher
from .asynchronous import AsyncNotifier
from .campaigns import AsyncCampaignHandle, AsyncCampaigns, Failed
from .synchronous import Notifier
from .synchronous_campaigns import CampaignHandle, Campaigns

__all__ = [
    "AsyncCampaignHandle",
    "AsyncCampaigns",
    "AsyncNotifier",
    "CampaignHandle",
    "CampaignPreview",
    "CampaignProgress",
    "CampaignRow",
    "CampaignStatus",
    "Campaigns",
    "Failed",
    "Notifier",
    "Watcher",
]

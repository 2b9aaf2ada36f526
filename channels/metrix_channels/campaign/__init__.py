"""Campaigns: planned whole before anything is sent; no crash loses or repeats anybody in silence."""

from .definition import campaign_name
from .results import CampaignPreview, CampaignProgress, CampaignRow, CampaignStatus, Watcher, rows_of
from .runner import Campaigns, Confirm

__all__ = [
    "CampaignPreview",
    "CampaignProgress",
    "CampaignRow",
    "CampaignStatus",
    "Campaigns",
    "Confirm",
    "Watcher",
    "campaign_name",
    "rows_of",
]

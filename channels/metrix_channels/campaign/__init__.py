"""Campaigns: planned whole before anything is sent; no crash loses or repeats anybody in silence."""

from .definition import campaign_name, load_campaign
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
    "load_campaign",
    "rows_of",
]

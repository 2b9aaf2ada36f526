"""Campaigns: planned whole before anything is sent; no crash loses or repeats anybody in silence."""

from .definition import campaign_name, load_campaign
from .executions import execution_on
from .overview import Overview, TroubleGroup, overview
from .report_page import bars_of, facts_of, report_page
from .results import CampaignPreview, CampaignProgress, CampaignRow, CampaignStatus, Watcher, rows_of
from .runner import Campaigns, Confirm
from .sending import Office

__all__ = [
    "CampaignPreview",
    "CampaignProgress",
    "CampaignRow",
    "CampaignStatus",
    "Campaigns",
    "Confirm",
    "Office",
    "Overview",
    "TroubleGroup",
    "Watcher",
    "bars_of",
    "campaign_name",
    "execution_on",
    "facts_of",
    "load_campaign",
    "overview",
    "report_page",
    "rows_of",
]

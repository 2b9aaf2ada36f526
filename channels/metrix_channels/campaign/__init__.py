"""Campaigns: a run is planned completely before anything is sent, and can be resumed after a crash."""

from ..ledger import FailureCount
from .audience.given_rows import AudienceRows, TakenRows, take
from .audience.report_rows import REPORT_COLUMNS, guarded
from .cost import describe_cost
from .definition import campaign_name, load_campaign
from .dispatch.sender import SendingResources
from .execution.selection import execution_on
from .plan.findings import OF_ROWS
from .plan.locale_counts import describe_fallbacks
from .report.outlook import ExampleMessage, Outlook
from .report.overview import FailureGroup, Overview, overview
from .report.page import bars_of, facts_of, report_page
from .report.status import CampaignPreview, CampaignProgress, CampaignRow, CampaignStatus, Watcher, rows_of
from .service import Campaigns, Confirm

__all__ = [
    "OF_ROWS",
    "REPORT_COLUMNS",
    "AudienceRows",
    "CampaignPreview",
    "CampaignProgress",
    "CampaignRow",
    "CampaignStatus",
    "Campaigns",
    "Confirm",
    "ExampleMessage",
    "FailureCount",
    "FailureGroup",
    "Outlook",
    "Overview",
    "SendingResources",
    "TakenRows",
    "Watcher",
    "bars_of",
    "campaign_name",
    "describe_cost",
    "describe_fallbacks",
    "execution_on",
    "facts_of",
    "guarded",
    "load_campaign",
    "overview",
    "report_page",
    "rows_of",
    "take",
]

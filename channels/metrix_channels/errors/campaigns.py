"""What can be wrong with a campaign: its file, its audience, its plan or its run."""

from __future__ import annotations

import re
from shlex import quote
from typing import Final

from .situation import TROUBLESHOOTING, Situation

CAMPAIGNS: Final[dict[str, Situation]] = {
    "audience_invalid": Situation(
        "Recipients cannot be read from the audience.",
        "Correct the file, then check it with `metrix-channels campaign run FILE --dry-run`.",
        2,
    ),
    "query_failed": Situation(
        "The database did not answer the audience's query, so nothing was sent.",
        "Try the query with the database's own client, as the same user. The plan waits up to 10 minutes for it.",
        2,
    ),
    "database_url_invalid": Situation(
        "`audience.url` does not name an environment variable that contains a database URL.",
        "Write `url: ${SHOP_DATABASE_URL}` beside `sql`, and set that variable to an SQLAlchemy URL:"
        " DIALECT://USER:PASSWORD@HOST:PORT/DATABASE, such as postgresql://… or sqlite:///shop.db. In a password, write"
        " @ / : % # ? as %40 %2F %3A %25 %23 %3F.",
        2,
    ),
    "suppression_invalid": Situation(
        "A suppression list does not clearly name the recipients to leave out.",
        "Correct the list: each row names one recipient, in a column named like the audience's id column,"
        " `customUserId` or `recipient`. If it has several of these columns, the ids of all are left out. A file with a"
        " header and no rows is an empty list. A file without any text is not a list: remove it from `suppress`.",
        2,
    ),
    "ids_damaged": Situation(
        "Ids of the audience look damaged by a spreadsheet or an export, so nothing was sent.",
        "Export the audience again with the id column formatted as text. If these are the real ids, write"
        " `damaged_ids: send` under `audience`.",
        2,
    ),
    "plan_failed": Situation(
        "Some rows of the audience cannot be sent, so nothing was sent.", "Correct the template or the rows.", 2
    ),
    "value_empty": Situation(
        "A row has an empty value, and the message shows it.",
        'Add the value, give it a default in the template, such as `{{ first_name or "friend" }}`, or skip such rows'
        " with `on_empty: skip`.",
        2,
    ),
    "price_missing": Situation(
        "The campaign limits its cost, but its channel has no price.",
        "Add the price in channels.yaml, as in `sms: {type: sms, price_per_part: 120, currency: IRR}`, or remove"
        " `max_cost`. Only channels that are billed per part can have a price.",
        2,
    ),
    "cost_exceeded": Situation(
        "The plan costs more than its campaign allows, so nothing was sent.",
        "Shorten the text (a single Persian SMS holds 70 characters), send to fewer people, or raise"
        " `limits: {max_cost: …}`.",
        3,
    ),
    "audience_empty": Situation(
        "No recipient is left to send to.",
        "Check the audience, its id column and the `suppress` lists.",
        2,
    ),
    "outage": Situation(
        "Too many requests failed in a row.",
        "Wait until Metrix can be reached (`metrix-channels preflight`). Run the campaign again: it continues where"
        " it stopped.",
        4,
        TROUBLESHOOTING + ", section 4",
    ),
    "retries_spent": Situation(
        "Too many requests had to be repeated.",
        "Wait until Metrix has recovered, or lower the rate. Then run the campaign again: it continues where it"
        " stopped.",
        4,
        TROUBLESHOOTING + ", section 4",
    ),
    "answers_unreadable": Situation(
        "The answers report success, but are truncated or not from Metrix.",
        "Find out what answers instead of Metrix: a proxy, a captive portal, a wrong base_url. Then run the campaign"
        " again.",
        4,
    ),
    "canary_waits": Situation(
        "The canary is finished, and the campaign waits until you resume it.",
        "Ask the canary's recipients what arrived. To send to the others, run `metrix-channels campaign resume NAME`.",
        4,
    ),
    "canary_failed": Situation(
        "Metrix did not accept the message for too many of the canary's recipients.",
        "Run `metrix-channels campaign report NAME` to see the errors. To continue anyway, raise limits.max_failures"
        " and resume.",
        4,
    ),
    "too_many_failures": Situation(
        "More recipients were rejected, or have an unknown outcome, than limits.max_failures allows.",
        "Run `metrix-channels campaign report NAME` to see the errors. To continue anyway, raise limits.max_failures"
        " and resume.",
        4,
    ),
    "run_pinned": Situation(
        "The message or the audience has changed since the run was planned.",
        "Undo the change, and run `metrix-channels campaign resume NAME`. Or run `metrix-channels campaign cancel"
        " NAME`, and send the rest under a new name with `audience: {except: [OLD_NAME]}`.",
        2,
    ),
    "run_finished": Situation(
        "The campaign has finished and cannot run again under the same name.",
        "To run it again, use another name: `metrix-channels campaign run FILE --name NEW`. To send again to rejected"
        " recipients, run `metrix-channels campaign retry NAME --rejected`; for those whose outcome is unknown, use"
        " --unknown.",
        2,
    ),
    "run_cancelled": Situation(
        "The campaign was cancelled.",
        "To send to the remaining recipients, use a new name and `audience: {except: [OLD_NAME]}`.",
        2,
    ),
    "run_paused": Situation("The campaign is paused.", "Run `metrix-channels campaign resume NAME` to continue.", 4),
    "run_unfinished": Situation(
        "The campaign has not finished, so it can still reach more recipients.",
        "First run `metrix-channels campaign resume NAME` to finish it, or `metrix-channels campaign cancel NAME`.",
        2,
    ),
    "schedule_missed": Situation(
        "The campaign's scheduled time has passed.",
        "To send it anyway, change schedule.at or raise schedule.max_lateness, and run it again.",
        3,
    ),
    "attempt_missing": Situation(
        "The ledger has no failed attempt with this id.",
        "See `metrix-channels support-bundle --list`. `keep_attempts` in channels.yaml sets which attempts are kept.",
        2,
    ),
    "row_missing": Situation(
        "The audience has no such row.", "Rows are numbered from 1, without the header and blank lines.", 2
    ),
    "run_purged": Situation(
        "`ledger purge` deleted the campaign's recipients; its counts are kept.",
        "Run `metrix-channels campaign status NAME` to see the counts. Without recipients, the campaign has no rows,"
        " and `retry`, `except` and caps that would count them do not work.",
        2,
    ),
    "run_values_forgotten": Situation(
        "The campaign has ended, and the values that its template marks as sensitive have been deleted.",
        "Run it under a new name with `audience: {except: [OLD_NAME]}`, to skip the recipients that it has reached.",
        2,
    ),
    "run_missing": Situation(
        "The ledger has no campaign with that name.",
        "See `metrix-channels campaign list`. For a campaign in another ledger, name its channels.yaml with --config.",
        2,
    ),
    "run_exists": Situation("The ledger already has a campaign with that name.", "Give the campaign a new name.", 2),
    "run_busy": Situation(
        "Another process is running the campaign.", "Wait for it, or run `metrix-channels campaign pause NAME`.", 4
    ),
    "run_lost": Situation(
        "Another process took over the run because this process did not respond.",
        "Run `metrix-channels campaign status NAME` to see its progress.",
        4,
    ),
}


def remedy_for(code: str, name: str) -> str:
    """Return the remedy of a code of this catalogue, with the name of the reader's own campaign."""
    return re.sub(r"\b(OLD_)?NAME\b", lambda found: name if found[1] else quote(name), CAMPAIGNS[code].remedy)

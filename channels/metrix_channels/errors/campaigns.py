"""What can be wrong with a campaign: its file, its audience, its plan or its run."""

from __future__ import annotations

from typing import Final

from .situation import TROUBLESHOOTING, Situation

CAMPAIGNS: Final[dict[str, Situation]] = {
    "audience_invalid": Situation(
        "Recipients cannot be read from the audience.",
        "Correct that place in the file, then try it with `metrix-channels campaign run FILE --dry-run`.",
        2,
    ),
    "query_failed": Situation(
        "The database did not answer the query of the audience, so nothing was sent.",
        "Try the query with the database's own client, as the same user. It may keep the plan waiting for 10 minutes.",
        2,
    ),
    "database_url_invalid": Situation(
        "The database of the audience is not named by a variable that holds its URL.",
        "Write `url: ${SHOP_DATABASE_URL}` beside `sql`, and set that variable to a URL as SQLAlchemy writes it:"
        " DIALECT://USER:PASSWORD@HOST:PORT/DATABASE, such as postgresql://… or sqlite:///shop.db. In a password, write"
        " @ / : % # ? as %40 %2F %3A %25 %23 %3F.",
        2,
    ),
    "suppression_invalid": Situation(
        "A suppression list does not say clearly who must not be sent to.",
        "Correct the list: each row names one recipient, in the audience's id column or in `customUserId`. A header"
        " without rows is an empty list; a file without any text is none, so remove it from `suppress`.",
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
        "A value that the text shows is empty for a row.",
        'Fill it in, write what stands in for it, such as `{{ first_name or "friend" }}`, or leave such rows out with'
        " `on_empty: skip`.",
        2,
    ),
    "price_missing": Situation(
        "A campaign limits its cost, and the price of its channel is not known.",
        "Write it in channels.yaml, as in `sms: {type: sms, price_per_part: 120, currency: IRR}`, or remove"
        " `max_cost`. Only channels that are billed by parts have a price.",
        2,
    ),
    "cost_exceeded": Situation(
        "The plan costs more than its campaign allows, so nothing was sent.",
        "Shorten the text (one part of a Persian SMS carries 70 characters), send to fewer people, or raise"
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
        "The answers report success but are not from Metrix.",
        "Find out what answers instead of Metrix: a proxy, a captive portal, a wrong base_url. Then run the campaign"
        " again.",
        4,
    ),
    "canary_waits": Situation(
        "Those who go first have their outcomes, and the campaign waits for people.",
        "Ask them what arrived. Then `metrix-channels campaign resume NAME` sends to the others.",
        4,
    ),
    "canary_failed": Situation(
        "Too many of the canary's recipients were not accepted.",
        "See `metrix-channels campaign report`. To continue anyway, raise limits.max_failures and resume.",
        4,
    ),
    "too_many_failures": Situation(
        "More recipients were rejected or are unknown than the campaign allows.",
        "See `metrix-channels campaign report`. To continue anyway, raise limits.max_failures and resume.",
        4,
    ),
    "run_pinned": Situation(
        "The message or the audience has changed since the run was planned.",
        "Undo the change and resume. Or cancel the run, and send the rest under a new name with"
        " `audience: {except: [OLD_NAME]}`.",
        2,
    ),
    "run_finished": Situation(
        "The campaign has finished and cannot run again under the same name.",
        "Use a new name for another run. To send failed recipients again, use `metrix-channels campaign retry`.",
        2,
    ),
    "run_cancelled": Situation(
        "The campaign was cancelled.",
        "To send to the remaining recipients, use a new name and `audience: {except: [OLD_NAME]}`.",
        2,
    ),
    "run_paused": Situation("The campaign is paused.", "`metrix-channels campaign resume NAME` continues it.", 4),
    "run_unfinished": Situation(
        "The campaign has not finished, so its recipients are not final.", "Finish or cancel it first.", 2
    ),
    "schedule_missed": Situation(
        "The campaign's scheduled time has passed.",
        "If it is still to be sent, change schedule.at or raise schedule.max_lateness, and run it again.",
        3,
    ),
    "attempt_missing": Situation(
        "There is no such failed attempt.",
        "See `metrix-channels support-bundle --list`; attempts are forgotten as `keep_attempts` says.",
        2,
    ),
    "row_missing": Situation(
        "The audience has no such row.", "Rows count from 1, without the header and blank lines.", 2
    ),
    "run_purged": Situation(
        "`ledger purge` deleted the campaign's recipients; its counts are kept.",
        "See `metrix-channels campaign status`. Rows, retries and `except` are not available without recipients.",
        2,
    ),
    "run_values_forgotten": Situation(
        "The campaign is over, and the values that its template calls sensitive were forgotten with its end.",
        "Run it under another name with `audience: {except: [OLD_NAME]}`: it reaches those whom the old one did not.",
        2,
    ),
    "run_missing": Situation(
        "The ledger has no campaign with that name.",
        "See `metrix-channels campaign list`; --config names the ledger.",
        2,
    ),
    "run_exists": Situation("The ledger already has a campaign of that name.", "Give the campaign a new name.", 2),
    "run_busy": Situation(
        "Another process is running the campaign.", "Wait for it, or `metrix-channels campaign pause` it.", 4
    ),
    "run_lost": Situation(
        "Another process took over the run because this process did not respond.",
        "See `metrix-channels campaign status`.",
        4,
    ),
}

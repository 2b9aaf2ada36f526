"""What can be wrong with a campaign: its file, its audience, its plan or its run."""

from __future__ import annotations

from typing import Final

from .situation import TROUBLESHOOTING, Situation

CAMPAIGNS: Final[dict[str, Situation]] = {
    "audience_invalid": Situation(
        "The audience is not a file that recipients can be read from.",
        "Correct that place in the file, then try it with `metrix-channels campaign run FILE --dry-run`.",
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
        "Some rows of the audience cannot be sent, so nothing was.", "Correct the template or the rows.", 2
    ),
    "value_empty": Situation(
        "A value that the text shows is empty for a row.",
        'Fill it in, write what stands in for it, such as `{{ first_name or "friend" }}`, or leave such rows out with'
        " `on_empty: skip`.",
        2,
    ),
    "audience_empty": Situation(
        "Nobody of the audience is left to send to.",
        "Look at the audience, its id column and the lists of `suppress`.",
        2,
    ),
    "outage": Situation(
        "One attempt after the other failed.",
        "Wait until Metrix can be reached (`metrix-channels preflight`), then run the campaign again: it goes on where"
        " it stopped.",
        4,
        TROUBLESHOOTING + ", section 4",
    ),
    "retries_spent": Situation(
        "Too many requests had to be repeated.",
        "Wait until Metrix is well again, or lower the rate; then run the campaign again: it goes on where it stopped.",
        4,
        TROUBLESHOOTING + ", section 4",
    ),
    "answers_unreadable": Situation(
        "Answers say success and cannot be believed.",
        "See what answers in Metrix's place: a proxy, a captive portal, base_url. Then run the campaign again.",
        4,
    ),
    "canary_failed": Situation(
        "Too many of those who went first were not accepted.",
        "See `metrix-channels campaign report`. To go on in spite of it, raise limits.max_failures and resume.",
        4,
    ),
    "too_many_failures": Situation(
        "More recipients were rejected or are unknown than the campaign allows.",
        "See `metrix-channels campaign report`. To go on in spite of it, raise limits.max_failures and resume.",
        4,
    ),
    "run_pinned": Situation(
        "What the run would say, or to whom, has changed since it was planned.",
        "Undo the change and resume. Or cancel the run, and send the rest under a new name with"
        " `audience: {except: [OLD_NAME]}`.",
        2,
    ),
    "run_finished": Situation(
        "The campaign is over; it does not run again under its name.",
        "Give another run a new name. What failed can be sent again: `metrix-channels campaign retry`.",
        2,
    ),
    "run_cancelled": Situation(
        "The campaign was cancelled.",
        "To send to the others, give it a new name and `audience: {except: [OLD_NAME]}`.",
        2,
    ),
    "run_paused": Situation("The campaign is paused.", "`metrix-channels campaign resume NAME` goes on with it.", 4),
    "run_unfinished": Situation(
        "The campaign is not over, so it is not known whom it reaches.", "Finish or cancel it first.", 2
    ),
    "schedule_missed": Situation(
        "It is too late for the campaign's schedule.",
        "If it is still to be sent, change schedule.at or raise schedule.max_lateness, and run it again.",
        3,
    ),
    "attempt_missing": Situation(
        "There is no such failed attempt to show.",
        "See `metrix-channels support-bundle --list`; attempts are forgotten as `keep_attempts` says.",
        2,
    ),
    "row_missing": Situation(
        "The audience has no such row.", "Rows count from 1, without the header and blank lines.", 2
    ),
    "run_purged": Situation(
        "The campaign's recipients were forgotten by `ledger purge`; its counts are kept.",
        "Look at `metrix-channels campaign status`. Rows, retries and `except` need recipients that are not there.",
        2,
    ),
    "run_values_forgotten": Situation(
        "The campaign is over, and the values that its template calls sensitive were forgotten with its end.",
        "Run it under another name with `audience: {except: [OLD_NAME]}`: it reaches those whom the old one did not.",
        2,
    ),
    "run_missing": Situation(
        "The ledger has no campaign of that name.", "See `metrix-channels campaign list`; --config names the ledger.", 2
    ),
    "run_exists": Situation("The ledger has a campaign of that name already.", "Give the campaign a new name.", 2),
    "run_busy": Situation(
        "Another process works on the campaign.", "Wait for it, or `metrix-channels campaign pause` it.", 4
    ),
    "run_lost": Situation(
        "Another process took the run over, since this one seemed dead.", "See `metrix-channels campaign status`.", 4
    ),
}

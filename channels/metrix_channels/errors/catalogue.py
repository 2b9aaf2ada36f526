"""What each error code means. Errors, preflight and the command line take their texts from these entries.

Exit statuses: 1, something was rejected or is unknown; 2, the input is wrong and nothing was sent; 3, refused before
sending; 4, not possible now, so try again later.
"""

from __future__ import annotations

from typing import Final

from .answers import ANSWERS, DELIVERY, QUESTIONS
from .campaigns import CAMPAIGNS
from .machine import MACHINE
from .situation import TROUBLESHOOTING, Situation
from .users_and_events import USERS_AND_EVENTS

INPUT_AT_FAULT = 2

CATALOGUE: Final[dict[str, Situation]] = {
    # -- the call and the installation
    "usage": Situation(
        "The command or call is wrong.", "Run the command with --help, or see the method's docstring.", 2
    ),
    "confirmation_missing": Situation(
        "The command asks for confirmation before it sends, but it runs without a terminal.",
        "Look at the plan with --dry-run, then run the same command with --yes.",
        2,
        reasons=("A script, cron or CI runs the command.", "The input or stderr of the command is redirected."),
    ),
    "file_unreadable": Situation("A file cannot be read.", "Check the path and the file's permissions.", 2),
    "file_exists": Situation("The file already exists.", "Choose another name, or move the file away.", 2),
    "file_unwritable": Situation(
        "A file cannot be written.", "Check the folder, its permissions and the space left.", 2
    ),
    "extra_missing": Situation(
        "An optional dependency is not installed.",
        "Install metrix-channels again in the same way, but write `metrix-channels[all]` as its name.",
        2,
    ),
    "port_unavailable": Situation(
        "The program cannot listen on this address and port.", "Choose another port, or 0 for any free port.", 2
    ),
    "interrupted": Situation(
        "The command was interrupted.",
        "Run the same command again. With --key, or with a time for an event, it skips what"
        " the ledger records as accepted.",
        4,
    ),
    "internal": Situation("A bug in metrix-channels.", "Please report it with the output of -vv.", 1),
    **MACHINE,
    # -- configuration
    "config_missing": Situation(
        "No configuration file was found.",
        "Run `metrix-channels init`, or pass the file with --config or METRIX_CHANNELS_CONFIG.",
        2,
    ),
    "yaml_invalid": Situation("The file is not valid YAML.", "Correct the line; check indentation and quotes.", 2),
    "yaml_refused": Situation(
        "The file uses a YAML feature that is not supported here.",
        "Put text in quotes, and write each value in full, without anchors, aliases and tags.",
        2,
    ),
    "config_key_unknown": Situation("The file has an unknown key.", "Correct the key or remove it.", 2),
    "config_key_missing": Situation(
        "A key is missing.",
        "Add the key. `metrix-channels init example` writes a channels.yaml and a campaign file that show all keys.",
        2,
    ),
    "config_value_invalid": Situation(
        "A value is not valid.",
        "Correct the value. `metrix-channels init example` writes a channels.yaml and a campaign file with a valid"
        " value for every key.",
        2,
    ),
    "environment_refused": Situation(
        "${NAME} is not allowed here.",
        "Write the value itself. Environment variables can only be used under `metrix` and in `ledger`.",
        2,
    ),
    "environment_missing": Situation(
        "An environment variable is not set.",
        "Run `export NAME=…` with the name of the variable, or set it in the service that runs metrix-channels.",
        2,
    ),
    "secret_literal": Situation(
        "The configuration file contains a literal key.",
        "Write `api_key: ${METRIX_API_KEY}` and set the variable, or use `api_key_file`. Treat a key that was ever"
        " committed as leaked: in Metrix's dashboard change its type to Client, then create a new one.",
        2,
        TROUBLESHOOTING + ", section 1",
    ),
    "secret_missing": Situation(
        "APP_ID or the API key is not set.",
        "Copy both from Metrix's dashboard, Application Settings, and run `export METRIX_APP_ID=… METRIX_API_KEY=…`.",
        2,
        TROUBLESHOOTING + ", section 1",
    ),
    "secret_invalid": Situation(
        "APP_ID or the API key contains a character that is not allowed in an HTTP header.",
        "Copy it again from Metrix's dashboard, without spaces or line breaks.",
        2,
    ),
    # -- channels and their verification
    "channel_unknown": Situation(
        "There is no channel with that name.", "Run `metrix-channels channels list` to see the names.", 2
    ),
    "channel_unverified": Situation(
        "The channel has no recorded dashboard test.",
        "Send a test message through this channel from Metrix's dashboard. When it has arrived, record it with"
        " `metrix-channels channels verify NAME --by YOU`. Until then, Metrix accepts messages for the"
        " channel but delivers none of them.",
        3,
        TROUBLESHOOTING + ", section 3",
    ),
    "verification_expired": Situation(
        "The channel's verification has expired.",
        "Test the channel again from Metrix's dashboard and record it with"
        " `metrix-channels channels verify NAME --by YOU`.",
        3,
        TROUBLESHOOTING + ", section 3",
    ),
    "verification_foreign": Situation(
        "The channel was tested in another application.",
        "Test it in the dashboard of the configured application and record that with"
        " `metrix-channels channels verify NAME --by YOU`, or correct app_id.",
        3,
        TROUBLESHOOTING + ", section 3",
    ),
    "verification_in_future": Situation(
        "The date of the channel's verification is in the future.",
        "Correct the date under `verified`, or this machine's clock.",
        3,
    ),
    "preflight_failed": Situation(
        "A check before sending failed.", "Run `metrix-channels preflight`: it lists every check and its remedy.", 3
    ),
    # -- templates
    "template_missing": Situation(
        "There is no such template for the channel.",
        "Create the file, such as templates/otp/sms.txt.j2 for the template otp and channels of the type sms.",
        2,
    ),
    "template_ambiguous": Situation(
        "Two files of a template have the same channel and locale.", "Delete or rename one of them.", 2
    ),
    "locale_unknown": Situation(
        "The locale is unknown.",
        "Write an ISO 639-1 language code, such as fa or en, optionally with a region, such as fa-IR.",
        2,
    ),
    "template_path_refused": Situation(
        "The path leaves the templates folder.",
        "Use plain template names, and put the files (not links) in the templates folder.",
        2,
    ),
    "template_syntax": Situation(
        "The template cannot be compiled.",
        "Correct the line; https://jinja.palletsprojects.com/en/stable/templates/ shows the syntax.",
        2,
    ),
    "template_undefined": Situation(
        "The template uses a variable that has no value.",
        "Add the value to the context, or give it a default in the template, as in"
        ' `{{ first_name | default("friend") }}`.',
        2,
    ),
    "template_value_refused": Situation("A value cannot be part of a message.", "Pass text or a number.", 2),
    "template_too_costly": Situation(
        "The template exceeded its time or memory limit.",
        "Simplify the template, or compute large values before rendering.",
        2,
    ),
    "template_front_matter": Situation(
        "The front matter is invalid.",
        "Start the file with a line `---`, then write the message's fields as YAML, then a second line `---`. To send"
        ' a text that starts with `---`, write `{{ "---" }}` instead.',
        2,
    ),
    "context_invalid": Situation(
        "The context is not plain data.",
        "Pass only text, numbers, true/false, null, dates, lists and mappings.",
        2,
    ),
    "context_too_large": Situation(
        "The values for one message are too large.",
        "Leave out values that the template does not use, and shorten long ones.",
        2,
    ),
    # -- messages
    "field_unknown": Situation(
        "The channel has no documented field of this name.",
        "Correct the name, or put an undocumented field under `extra`.",
        2,
    ),
    "field_invalid": Situation(
        "A field's value cannot be sent.",
        "Correct the text or title. In a template, correct the field in the front matter, or the value in that field.",
        2,
    ),
    "message_empty": Situation(
        "The message has no text.",
        "Metrix requires a body. Check the text, or the template and its values.",
        2,
        "Metrix documentation, POST /push",
    ),
    "message_too_large": Situation("The message is too large for the channel.", "Shorten it.", 2),
    "link_refused": Situation(
        "A link cannot be sent.", "Use http:// or https://; in push also your app's own scheme.", 2
    ),
    "recipient_invalid": Situation(
        "A recipient is not a valid customUserId.",
        "Pass the customUserId of the user in Metrix, as text.",
        2,
    ),
    # -- users and events
    **USERS_AND_EVENTS,
    # -- campaigns
    **CAMPAIGNS,
    # -- the ledger and its keys
    "key_reused": Situation(
        "The key was used for different content.",
        "Use another key for another message. Build the key from what makes the message unique, such as login-42-1.",
        2,
    ),
    "key_busy": Situation("Another process is sending a message with this key.", "Try again in a moment.", 4),
    "ledger_unavailable": Situation(
        "The ledger cannot be opened or written; nothing is sent without it.",
        "Check the path, its permissions and the space left.",
        4,
    ),
    "outcome_unrecorded": Situation(
        "A request was made, and its outcome could not be written to the ledger.",
        "Free disk space or repair the ledger first. Check Metrix's dashboard before you send again.",
        1,
    ),
    "ledger_foreign": Situation(
        "The transaction belongs to a different database than the ledger, so both cannot commit together.",
        "Pass a connection to the database that `ledger` in channels.yaml names.",
        2,
    ),
    "connection_unknown": Situation(
        "This type of connection is not supported.",
        "Pass a connection of psycopg, sqlite3, Django or SQLAlchemy, or a DB-API connection with %s parameters.",
        2,
    ),
    "message_withdrawn": Situation(
        "The message was withdrawn before it was sent.",
        "To send the message after all, enqueue it again. You can use the same key.",
        4,
    ),
    "send_missing": Situation(
        "The ledger has no such message.",
        "Pass the id that `enqueue` returned, after its transaction was committed.",
        2,
    ),
    "message_foreign": Situation(
        "Messages of another application wait for a worker.",
        "Start a worker whose channels.yaml has that app_id. If it is this worker's application, correct app_id.",
        2,
    ),
    "ledger_not_shared": Situation(
        "The ledger is a local file, but workers need a ledger in PostgreSQL.",
        "Set `ledger: postgresql://…` in channels.yaml, and start `metrix-channels worker` on one or more machines.",
        2,
    ),
    "ledger_pooled": Situation(
        "A pooler in front of PostgreSQL uses a different server connection for each transaction, but the ledger needs"
        " sessions.",
        "Set `pool_mode = session` for the ledger's database in the pooler, or write the PostgreSQL server's own port"
        " under `ledger` in channels.yaml.",
        2,
    ),
    "ledger_login_refused": Situation(
        "PostgreSQL refused the login.",
        "Check role, password, database and `sslmode` under `ledger`, and the server's pg_hba.conf.",
        4,
    ),
    "ledger_denied": Situation(
        "The role under `ledger` lacks a privilege in the database.",
        "Ask the owner of the database to grant this privilege to the role with GRANT.",
        4,
    ),
    "ledger_read_only": Situation(
        "The database is read-only: it is a standby, or its transactions are read-only by default.",
        "Point `ledger` to the primary server, and allow the role to write.",
        4,
    ),
    "ledger_connections": Situation(
        "The database has no free connection.",
        "Raise the server's max_connections or the role's connection limit, or close other sessions.",
        4,
    ),
    "ledger_schema_foreign": Situation(
        "The schema metrix_channels contains objects that do not belong to a ledger.",
        "Write another database under `ledger`, or rename that schema.",
        2,
    ),
    "ledger_unsupported": Situation(
        "This version of PostgreSQL is too old.", "Use PostgreSQL 14 or newer for the ledger.", 2
    ),
    "ledger_locked": Situation(
        "The ledger stayed locked by another process.",
        "Try again. If it stays locked, find the process that holds the lock.",
        4,
    ),
    "ledger_corrupt": Situation(
        "The ledger is damaged.",
        "Move it away, together with the files that end with `-wal` and `-shm`, and keep them. Then restore a backup,"
        " or start with a new ledger.",
        4,
    ),
    "ledger_newer": Situation("The ledger was written by a newer version.", "Upgrade metrix-channels.", 2),
    "ledger_older": Situation(
        "The ledger was written by an earlier version, and this version cannot read it.",
        "Finish its campaigns with the version that wrote it, or write another file under `ledger` in channels.yaml.",
        2,
    ),
    "ledger_copied": Situation(
        "The ledger is a copy of another file. Both could send the same messages, so nothing is sent from the copy.",
        "Use the original. If the copy replaces it permanently, run `metrix-channels ledger adopt`. The copy does not"
        " record what the original sent later, so first cancel the campaigns that continued in the original.",
        2,
        reasons=(
            "A backup was restored.",
            "The file was moved to another disk or machine.",
            "The file system assigns new inode numbers each time it is mounted.",
        ),
    ),
    "counts_wrong": Situation(
        "The new counts of a campaign do not add up. They were not written, and nothing more was sent.",
        "Run `metrix-channels ledger check` to see which counts differ, and report the output.",
        4,
    ),
    **DELIVERY,
}
"""The situations that errors of this library report, by code."""

SITUATIONS: Final[dict[str, Situation]] = {**ANSWERS, **QUESTIONS, **CATALOGUE}
"""All situations: those of CATALOGUE, Metrix's answers, and questions that no error reports."""

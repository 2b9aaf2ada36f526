"""What Metrix's answers, or a missing answer, mean and what to do about each: the troubleshooting page as data.

`DELIVERY` holds the situations that errors report. `ANSWERS` holds the answers themselves, by HTTP status.
`QUESTIONS` holds situations that no error reports, such as "nothing arrived", and those that `doctor` finds.
"""

from __future__ import annotations

from typing import Final

from .situation import TROUBLESHOOTING, Situation

_ACCESS: Final = f"{TROUBLESHOOTING}, section 1"
_FORMAT: Final = f"{TROUBLESHOOTING}, section 2"
_CHANNELS: Final = f"{TROUBLESHOOTING}, section 3"
_CONNECTION: Final = f"{TROUBLESHOOTING}, section 4"
_RFC: Final = "RFC 9110"

_SUPPORT: Final = "`metrix-channels support-bundle` collects what Metrix's support asks for."
_DOCTOR: Final = "`metrix-channels doctor` finds the layer that fails."
_WHITE_LIST: Final = "This machine's address is not on the application's IP white list."
_WRONG_KEY: Final = "APP_ID or the API key is wrong, or they belong to different applications."

DELIVERY: Final[dict[str, Situation]] = {
    "rejected": Situation(
        "Metrix rejected the message.",
        "Check that Metrix knows the recipient and that every field has the documented type. After a 413, shorten the"
        " message.",
        1,
        _FORMAT,
        (
            "The recipient is not a customUserId that Metrix knows.",
            "A field of the message has the wrong type, or a mandatory field is missing.",
            "A field under `extra` is not what Metrix expects.",
        ),
    ),
    "message_refused": Situation(
        "Metrix rejected the message for several recipients in a row, so the message is the cause.",
        "Check every field of the message against Metrix's documentation.",
        4,
        _FORMAT,
        (
            "A field of the template's front matter, or one under `extra`, is not what Metrix expects.",
            "The audience's id column does not hold customUserIds, so Metrix knows none of the recipients.",
        ),
    ),
    "credentials_refused": Situation(
        "Metrix refused the credentials.",
        "Compare APP_ID and the API key with Application Settings in Metrix's dashboard. Check that this machine's"
        " address is on the application's IP white list (or switch the list off for a moment).",
        4,
        _ACCESS,
        (_WRONG_KEY, _WHITE_LIST, "The key's type was changed to Client, or the key was replaced, in the dashboard."),
    ),
    "endpoint_refused": Situation(
        "The address has no such endpoint.",
        "Write `base_url: https://entry.metrix.ir`, without a path, in channels.yaml. If it is already there, find"
        " out which proxy answers instead of Metrix.",
        4,
        _RFC,
        ("base_url has a path, or names another host.", "A proxy answers instead of Metrix."),
    ),
    "redirected": Situation(
        "The answer was a redirect. It was not followed, because the key must not be sent elsewhere.",
        "Check base_url, and whether a proxy or a captive portal answers instead of Metrix.",
        4,
        _RFC,
        ("base_url is not exactly https://entry.metrix.ir.", "A captive portal asks you to sign in first."),
    ),
    "certificate_refused": Situation(
        "The server's certificate is not valid for Metrix; the key was not sent.",
        "Check base_url and this machine's clock. Behind a proxy that inspects TLS, set ca_file to its certificate.",
        4,
        _CONNECTION,
        (
            "A proxy or firewall inspects TLS with a certificate of its own.",
            "The certificate belongs to a different host than the one in base_url.",
            "This machine's clock is wrong, or its certificate authorities are out of date.",
        ),
    ),
    "unreachable": Situation(
        "No connection to Metrix; nothing was sent.",
        "Run `metrix-channels doctor`: it finds which layer of the connection to base_url fails (DNS, TCP or TLS), and"
        " says what to do about it.",
        4,
        _CONNECTION,
        (
            "This machine cannot resolve the host name in base_url.",
            "A firewall between this machine and Metrix blocks the port (443 for https).",
            "The network, or Metrix, is down for a moment.",
        ),
    ),
    "unavailable": Situation(
        "Metrix did not accept the message: it is overloaded or limits the rate of requests.",
        f"Try again later; after a 429, lower rate_limit. If the problem lasts, contact Metrix's support: {_SUPPORT}",
        4,
        _CONNECTION,
        ("Too many requests in a short time (429).", "Metrix is overloaded or being maintained (503)."),
    ),
    "deadline_passed": Situation(
        "The deadline passed before a request could be made.",
        "Send fewer messages at once, or raise deadline or concurrency.",
        4,
        reasons=(
            "Slow requests use all of this process's concurrency.",
            "rate_limit allows no request before the deadline.",
            "Another process keeps the ledger locked, or its server answers slowly.",
        ),
    ),
    "outcome_unknown": Situation(
        "It is not known whether Metrix accepted the message.",
        f"Check Metrix's dashboard or ask the recipient before you send again. {_SUPPORT}",
        1,
        f"{TROUBLESHOOTING}, sections 2 and 4",
        (
            "Metrix failed (5xx) or did not answer in time after the request had begun.",
            "The connection was lost, or the process ended, during the request.",
            "Something between this machine and Metrix answered 200 instead of Metrix.",
        ),
    ),
}

ANSWERS: Final[dict[str, Situation]] = {
    "200": Situation(
        "Metrix received the request. This does not mean that anything was processed or delivered.",
        "If nothing arrives, see `metrix-channels explain message_not_received` or `explain event_not_displayed`.",
        source=_FORMAT,
        reasons=(
            "Nothing is wrong.",
            "If the answer is a web page or truncated, it may not be from Metrix, and the outcome is unknown.",
        ),
        leads_to=("outcome_unknown", "answers_unreadable"),
    ),
    "3xx": Situation(
        "The answer redirects to another address. Metrix's documentation mentions no redirects.",
        "Write `base_url: https://entry.metrix.ir` in channels.yaml. metrix-channels never follows redirects, so"
        " it sends the key and the message to no other server.",
        source=_RFC,
        reasons=DELIVERY["redirected"].reasons,
        leads_to=("redirected",),
    ),
    "400": Situation(
        "Metrix could not use the request.",
        "Look for a field that is missing or has the wrong type. In a batch, metrix-channels itself finds the"
        " recipients that Metrix rejects.",
        source=_FORMAT,
        reasons=(
            "The message has no body.",
            "The event has no type, id, time or user id, or it has neither name nor customName.",
            "A field has the wrong type: time and birthday are Long (milliseconds), revenue is a Double.",
            "The request is not valid JSON.",
        ),
        leads_to=("rejected", "message_refused", "revenue_invalid", "event_time_invalid", "birthday_invalid"),
    ),
    "401": Situation(
        "Metrix did not recognise the credentials.",
        DELIVERY["credentials_refused"].remedy,
        source="Metrix's own web client",
        reasons=DELIVERY["credentials_refused"].reasons,
        leads_to=("credentials_refused",),
    ),
    "403": Situation(
        "Metrix does not allow this request from this application or this address.",
        DELIVERY["credentials_refused"].remedy,
        source=_ACCESS,
        reasons=DELIVERY["credentials_refused"].reasons,
        leads_to=("credentials_refused",),
    ),
    "404": Situation(
        "The address does not exist.",
        DELIVERY["endpoint_refused"].remedy,
        source=_RFC,
        reasons=DELIVERY["endpoint_refused"].reasons,
        leads_to=("endpoint_refused",),
    ),
    "405": Situation(
        "The address does not accept POST.",
        DELIVERY["endpoint_refused"].remedy,
        source=_RFC,
        reasons=DELIVERY["endpoint_refused"].reasons,
        leads_to=("endpoint_refused",),
    ),
    "408": Situation(
        "Metrix gave up waiting for the request, but may have accepted it.",
        "The request is retried or held, as `on_ambiguous` says. If the problem lasts, raise timeout and lower"
        " concurrency.",
        source=_CONNECTION,
        reasons=("The connection to Metrix is slow.", "Too many requests at once share the connection."),
        leads_to=("outcome_unknown",),
    ),
    "413": Situation(
        "The request is too large.",
        "Batches are split automatically. Lower batch_size so that the first request fits, or shorten the message.",
        source=_RFC,
        reasons=("Too many recipients in one request.", "The message itself is too large."),
        leads_to=("rejected", "message_refused"),
    ),
    "429": Situation(
        "Metrix asks for fewer requests.",
        "Requests are retried after the time that Metrix asks for. Lower rate_limit, or limits.rate in a campaign.",
        source=_RFC,
        reasons=("The application makes more requests per second than Metrix allows.",),
        leads_to=("unavailable", "outage", "retries_spent"),
    ),
    "5xx": Situation(
        "An error at Metrix, usually a temporary one.",
        "The request is retried with exponential backoff, as Metrix advises. If the problem lasts, contact Metrix's"
        f" support: {_SUPPORT}",
        source=_CONNECTION,
        reasons=("Metrix is failing or overloaded.", "A gateway in front of Metrix is failing or overloaded."),
        leads_to=("outcome_unknown", "unavailable", "outage"),
    ),
    "timeout": Situation(
        "No answer came in time.",
        f"The request is retried or held, as `on_ambiguous` says. {_DOCTOR} If Metrix is slow, raise timeout.",
        source=_CONNECTION,
        reasons=(
            "Metrix is slow or failing.",
            "A firewall drops the packets.",
            "The connection to Metrix is slow.",
        ),
        leads_to=("outcome_unknown", "unreachable", "outage"),
    ),
    "connection": Situation(
        "The connection was refused or lost.",
        "Check DNS (`dig entry.metrix.ir`), the firewall for port 443 (`telnet entry.metrix.ir 443`) and"
        f" `curl -v https://entry.metrix.ir/`. {_DOCTOR}",
        source=_CONNECTION,
        reasons=DELIVERY["unreachable"].reasons,
        leads_to=("unreachable", "outcome_unknown", "outage"),
    ),
    "dns": Situation(
        "The host's name cannot be resolved.",
        f"Try `dig entry.metrix.ir` or `nslookup entry.metrix.ir`. {_DOCTOR}",
        source=_CONNECTION,
        reasons=("The resolver of this machine does not answer, or does not know the name.", "base_url is misspelt."),
        leads_to=("unreachable", "outage"),
    ),
    "tls": Situation(
        "A TLS connection cannot be established.",
        f"Try `curl -v https://entry.metrix.ir/`. {_DOCTOR}",
        source=_CONNECTION,
        reasons=DELIVERY["certificate_refused"].reasons,
        leads_to=("certificate_refused", "unreachable"),
    ),
}

QUESTIONS: Final[dict[str, Situation]] = {
    "message_not_received": Situation(
        "Metrix answered 200, but the message does not arrive.",
        "Send a test message through the channel from Metrix's dashboard. When it has arrived, record it with"
        " `metrix-channels channels verify NAME --by YOU`, and send again. If the test arrives but your message does"
        " not, look up the recipient's customUserId and contact data in the dashboard.",
        source=_CHANNELS,
        reasons=(
            "The channel was never tested from the dashboard. Metrix accepts its messages but delivers none of them.",
            "The recipient has no device, number or address for this channel in Metrix.",
            "Metrix knows the user under another customUserId.",
        ),
        leads_to=("channel_unverified", "verification_expired", "verification_foreign"),
    ),
    "event_not_displayed": Situation(
        "Metrix answered 200, but the event does not show in the dashboard.",
        "Send events with `notifier.track` or `metrix-channels track`: they give each event its own id and time."
        " Compare the user's id and the event's name with the dashboard; list the"
        " event names under `taxonomy` in channels.yaml.",
        source=_FORMAT,
        reasons=(
            "Metrix dropped it as a duplicate: another event of this user has the same time.",
            "The customUserId or metrixUserId is incomplete or wrong.",
            "The event's name is empty, or not in the application's taxonomy.",
        ),
        leads_to=(
            "event_time_repeated",
            "event_time_invalid",
            "user_invalid",
            "event_name_invalid",
            "event_name_unknown",
        ),
    ),
    "clock_wrong": Situation(
        "This machine's clock differs from the server's.",
        "Run `timedatectl set-ntp true` to synchronise the clock. On a virtual machine, correct the host's clock.",
        source=_FORMAT,
        reasons=(
            "No time service runs on this machine, or it cannot reach its server.",
            "The machine was suspended, or was restored from a snapshot.",
        ),
        leads_to=("certificate_refused",),
    ),
    "key_leaked": Situation(
        "The server key was exposed: in client code, a repository, a log, or a mail.",
        "Immediately change the key's type to Client in Metrix's dashboard (Application Settings), create a new server"
        " key, and put that into METRIX_API_KEY or the api_key_file. Then find out how it leaked.",
        source=_ACCESS,
        reasons=(
            "It was part of a web page or a mobile app.",
            "It was committed to a repository, in a configuration or a script.",
            "It was printed by a script that logs its requests.",
        ),
        leads_to=("secret_literal",),
    ),
}


def answer_code(status: int | None) -> str:
    """Return the key in `ANSWERS` for an HTTP status; None means that no answer came."""
    if status is None:
        return "timeout"
    families = {2: "200", 3: "3xx", 4: "400", 5: "5xx"}
    return str(status) if str(status) in ANSWERS else families.get(status // 100, "400")

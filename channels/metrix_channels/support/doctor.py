"""What stands between this machine and Metrix: each layer looked at in turn, and what to do about the first that fails.

It follows Metrix's own page (Metrix documentation, API Troubleshooting, sections 1 and 4) and makes two requests, both
without a recipient, so that nothing can be delivered: one without credentials and one with them. Whether Metrix looks
at credentials before it looks at the body is documented nowhere; the two answers beside each other tell it.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

from attrs import evolve

from ..api import (
    PUSH,
    Endpoint,
    Exchange,
    Failure,
    Reply,
    Stage,
    open_transport,
    request_headers,
)
from ..api.connectivity import Layer, ReachFault, reach
from ..checks import Check, CheckStatus, Findings
from ..config import Config, standing
from ..errors import MetrixChannelsError, sentence
from ..errors.catalogue import SITUATIONS
from ..outcomes import iso_utc
from ..process import wall_clock
from ..redact import Redactor
from ..version import __version__

LAYERS: Final = ("dns", "tcp", "tls", "http", "clock", "credentials")
_NO_MESSAGE: Final = b"{}"
_CLOCK_WARNS: Final = timedelta(seconds=30)
_CLOCK_FAILS: Final = timedelta(minutes=5)
_CREDENTIALS: Final = ("X-Application-Id", "X-API-Key")

_WAY: Final = {
    ReachFault.NO_ADDRESS: (
        "Try `dig {host}` or `nslookup {host}`. If they fail too, the resolver of this machine is at fault, or the name"
        " is misspelt; if `dig {host} @1.1.1.1` works, it is the resolver."
    ),
    ReachFault.REFUSED: (
        "A server answered and refused the connection. Check {setting} and its port, and whether a firewall rejects"
        " port {port}. Try `telnet {host} {port}`."
    ),
    ReachFault.SILENT: (
        "A firewall that drops packets looks like this: let this machine reach {host} on port {port}, and look into the"
        " network's logs for rejected requests. Try `telnet {host} {port}`."
    ),
    ReachFault.NO_ROUTE: (
        "This machine has no route to the server. Check its network and routes. Try `telnet {host} {port}`."
    ),
    ReachFault.STALLED: (
        "The connection opens and then nothing arrives. A firewall that inspects TLS or an overloaded server causes"
        " this. Try `curl -v {url}/`."
    ),
    ReachFault.NO_TLS: "The server does not speak TLS: it may be a proxy, or the port is wrong. Try `curl -v {url}/`.",
    ReachFault.EXPIRED: (
        "Check this machine's clock first. If it is right, the server's certificate is at fault, or that of a proxy"
        " that inspects TLS: `curl -v {url}/` shows whose it is."
    ),
    ReachFault.WRONG_HOST: (
        "Check {setting}: the certificate is made for another name. `curl -v {url}/` shows for which; a captive portal"
        " or a proxy may answer in Metrix's place."
    ),
    ReachFault.UNTRUSTED: (
        "The server's certificate is not trusted; `curl -v {url}/` shows who signed it. Behind a proxy of your own that"
        " inspects TLS, name its authority by metrix.ca_file."
    ),
    ReachFault.CA_FILE: "Correct metrix.ca_file, or remove it: the common authorities are trusted then.",
}
_STRANGER: Final = (
    "The answer does not come from Metrix, but from a proxy, a captive portal or a wrong base_url. Look at it with"
    " `curl -v {url}/`."
)


async def diagnose(config: Config) -> Findings:
    """Look at every layer between this machine and Metrix.

    Args:
        config: names Metrix's address, the application and its key. A missing key is a failed check, no error.

    Returns:
        One check for each of `LAYERS`, in that order; behind one that fails, those that build on it are skipped. Then
        a warning for each channel whose verification has ended or ends soon.
    """
    checks = [*await _way(config)]
    if all(check.status is not CheckStatus.FAIL for check in checks):
        checks += await _answers(config)
    done = {check.id for check in checks}
    failed = next((check.id for check in checks if check.status is CheckStatus.FAIL), "")
    url = config.metrix.base_url
    checks += [
        Check(layer, url, CheckStatus.SKIP, f"Not looked at: {failed} comes first.")
        for layer in LAYERS
        if layer not in done
    ]
    redactor = _redactor(config)
    shown = [evolve(check, message=redactor.clean(check.message, "finding")) for check in checks]
    shown.sort(key=lambda check: LAYERS.index(check.id))
    return Findings((*shown, *_endings(config)))


def _endings(config: Config) -> Iterator[Check]:
    """Warn of verifications that have ended or end soon: Metrix answers, and yet nothing is sent."""
    try:
        app_id = config.metrix.resolve_app_id()
    except MetrixChannelsError:
        return  # said by the credentials
    for channel in config.channels.values():
        found = standing(channel, app_id, wall_clock.now())
        if found.code == "verification_expired":
            message = sentence(found.message)
            yield Check("channel.verified", channel.name, CheckStatus.WARN, message, found.remedy)
        elif found.announcement is not None:
            message = sentence(found.announcement)
            yield Check("channel.verification_ends", channel.name, CheckStatus.WARN, message, found.remedy)


def _redactor(config: Config) -> Redactor:
    """Return what knows the secrets of the way to Metrix: a key that is missing cannot be shown."""
    settings = config.metrix
    secrets = Endpoint(settings.base_url, settings.proxy, settings.ca_file).secrets
    with suppress(MetrixChannelsError):
        secrets = (settings.resolve_api_key(), *secrets)
    return Redactor(*secrets)


# -- the way there


async def _way(config: Config) -> list[Check]:
    settings = config.metrix
    url = settings.proxy or settings.base_url
    layers = await reach(url, settings.ca_file, settings.timeout)
    checks = [_way_check(layer, url, "metrix.proxy" if settings.proxy else "metrix.base_url") for layer in layers]
    if len(layers) == 2 and layers[-1].fault is None:
        why = "The proxy makes the secure connection." if settings.proxy else "Plain HTTP, towards this machine alone."
        checks.append(Check("tls", settings.base_url, CheckStatus.SKIP, why))
    return checks


def _way_check(layer: Layer, url: str, setting: str) -> Check:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if layer.fault is None:
        return Check(
            layer.id, f"{parts.hostname}:{port}", CheckStatus.PASS, layer.message + _seen_as(layer.local_address)
        )
    remedy = _WAY[layer.fault].format(
        host=parts.hostname, port=port, url=f"{parts.scheme}://{parts.hostname}:{port}", setting=setting
    )
    if layer.id == "tcp" and (name := _unused_proxy()):
        remedy += (
            f" ${name} is set and deliberately not used: name the proxy by metrix.proxy if the way leads through it."
        )
    return Check(layer.id, f"{parts.hostname}:{port}", CheckStatus.FAIL, layer.message, remedy)


def _seen_as(address: str | None) -> str:
    """Say under which address this machine appears, as far as it can know."""
    if address is None:
        return ""
    found = ipaddress.ip_address(address.split("%")[0])
    if found.is_loopback:
        return ""
    if found.is_private or found.is_link_local:
        return (
            f" This machine is {address} in its own network; Metrix sees the public address of that network's gateway."
        )
    return f" This machine appears as {address}."


def _unused_proxy() -> str | None:
    return next(
        (name for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy") if os.environ.get(name)), None
    )


# -- the answers


async def _answers(config: Config) -> list[Check]:
    settings = config.metrix
    endpoint = Endpoint(settings.base_url, settings.proxy, settings.ca_file)
    try:
        app_id, api_key = settings.resolve_app_id(), settings.resolve_api_key()
    except MetrixChannelsError as error:
        secrets = None
        refused = Check.failed("credentials", settings.base_url, error)
    else:
        secrets = request_headers(app_id, _agent(), api_key.reveal())
    transport = open_transport(endpoint, _redactor(config))
    try:
        plain = {name: value for name, value in request_headers("", _agent(), "").items() if name not in _CREDENTIALS}
        sent_at = datetime.now(UTC)
        without = await transport.post(PUSH, plain, _NO_MESSAGE, settings.timeout)
        answered_at = datetime.now(UTC)
        checks = [judge_http(without, settings.base_url)]
        if checks[0].status is CheckStatus.FAIL:
            return checks
        if isinstance(without, Reply):
            checks.append(judge_clock(without.date, sent_at, answered_at))
        if secrets is None:
            return [*checks, refused]
        with_them = await transport.post(PUSH, secrets, _NO_MESSAGE, settings.timeout)
        return [*checks, judge_credentials(without, with_them, app_id, settings.base_url)]
    finally:
        await transport.close()


def _agent() -> str:
    return f"metrix-channels/{__version__}"


def judge_http(answer: Exchange, url: str) -> Check:
    """Say whether an answer to a request without credentials may be Metrix's.

    Args:
        answer: what came.
        url: of the API.
    """
    if isinstance(answer, Failure):
        code = "certificate_refused" if answer.stage is Stage.CERTIFICATE else "timeout"
        message = f"A connection stands, and no answer comes: {answer.reason}"
        return Check("http", url, CheckStatus.FAIL, message, SITUATIONS[code].remedy)
    status = answer.status
    if status == 407:
        return Check("http", url, CheckStatus.FAIL, "407: the proxy wants to know who asks.", "Correct metrix.proxy.")
    if 300 <= status < 400:
        return Check("http", url, CheckStatus.FAIL, f"{status}: a redirect.", _STRANGER.format(url=url))
    if status >= 500:
        return Check("http", url, CheckStatus.FAIL, f"{status}: Metrix, or a gateway, fails.", SITUATIONS["5xx"].remedy)
    if answer.is_page:
        what = f"{status} with a web page, where an API answers."
        if status < 300:
            return Check("http", url, CheckStatus.FAIL, what, _STRANGER.format(url=url))
        return Check("http", url, CheckStatus.WARN, what, _STRANGER.format(url=url))
    if status in (404, 405):
        return Check("http", url, CheckStatus.FAIL, f"{status}: no such function here.", SITUATIONS["404"].remedy)
    return Check("http", url, CheckStatus.PASS, f"{status}, as an answer to a request without credentials.")


def judge_clock(date: str | None, sent_at: datetime, answered_at: datetime) -> Check:
    """Compare this machine's clock with the `Date` of an answer (RFC 9110, section 6.6.1; whole seconds).

    Args:
        date: the header.
        sent_at: when the request was made, by this machine's clock.
        answered_at: when the answer was there.
    """
    theirs = _moment(date)
    if theirs is None:
        return Check("clock", "Date", CheckStatus.SKIP, "The answer has no readable Date to compare with.")
    off = max(sent_at - theirs - timedelta(seconds=1), theirs - answered_at, timedelta(0))
    ahead = "ahead of" if sent_at > theirs else "behind"
    if off < _CLOCK_WARNS:
        return Check("clock", "Date", CheckStatus.PASS, f"{iso_utc(answered_at)} here, {iso_utc(theirs)} there.")
    status = CheckStatus.FAIL if off >= _CLOCK_FAILS else CheckStatus.WARN
    message = f"This machine's clock is {_told(off)} {ahead} the server's: {iso_utc(answered_at)} here."
    return Check("clock", "Date", status, message, SITUATIONS["clock_wrong"].remedy)


def judge_credentials(without: Exchange, with_them: Exchange, app_id: str, url: str) -> Check:
    """Say what the answers without and with credentials tell of these.

    Args:
        without: to the request without any.
        with_them: to the same with them.
        app_id: APP_ID.
        url: of the API.
    """
    if isinstance(with_them, Failure):
        return Check(
            "credentials", app_id, CheckStatus.FAIL, with_them.reason, f"Try again. If it lasts, try `curl -v {url}/`."
        )
    status = with_them.status
    if status in (401, 403):
        remedy = SITUATIONS["credentials_refused"].remedy
        message = f"{status}: the key or APP_ID is wrong, or this machine's address is not on the IP white list."
        return Check("credentials", app_id, CheckStatus.FAIL, message, remedy)
    before = without.status if isinstance(without, Reply) else None
    if before in (401, 403) and status < 500:
        return Check(
            "credentials", app_id, CheckStatus.PASS, f"{status} with them, {before} without: they are accepted."
        )
    if status < 300:
        why = f"{status} with them and {before} without: the two cannot be told apart without sending."
    else:
        why = f"{status} with them and {before} without: Metrix seems to look at the body first."
    remedy = (
        f"Send yourself a message to be sure; see `metrix-channels explain {status if status in (400, 429) else 403}`."
    )
    return Check("credentials", app_id, CheckStatus.WARN, why, remedy)


def _moment(date: str | None) -> datetime | None:
    try:
        found = parsedate_to_datetime(date or "")
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _told(off: timedelta) -> str:
    parts = list(_parts(int(off.total_seconds())))
    return " ".join(parts[:2])


def _parts(seconds: int) -> Iterator[str]:
    for name, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        if seconds >= size:
            yield f"{seconds // size} {name}"
            seconds %= size

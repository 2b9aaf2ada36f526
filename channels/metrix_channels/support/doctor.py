"""Checks each layer between this machine and Metrix in turn, and says what to do about the first failure.

It follows Metrix's own page (Metrix documentation, API Troubleshooting, sections 1 and 4). It makes two requests
without a recipient, so nothing can be delivered: one without credentials and one with them. Metrix does not document
whether it checks credentials before the body; comparing the two answers shows it.
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

_REMEDIES: Final = {
    ReachFault.NO_ADDRESS: (
        "Run `dig {host}` or `nslookup {host}`. If they fail too, the name is misspelt or this machine's DNS resolver"
        " fails. If `dig {host} @1.1.1.1` works, the resolver fails."
    ),
    ReachFault.REFUSED: (
        "A server refused the connection. Check {setting} and its port, and whether a firewall rejects port {port}."
        " Run `telnet {host} {port}`."
    ),
    ReachFault.SILENT: (
        "A firewall probably drops the packets. Allow this machine to reach {host} on port {port}, and look for"
        " rejected requests in the network's logs. Run `telnet {host} {port}`."
    ),
    ReachFault.NO_ROUTE: (
        "This machine has no route to the server. Check its network and routes. Run `telnet {host} {port}`."
    ),
    ReachFault.STALLED: (
        "The connection opened, but then nothing arrived. A firewall that inspects TLS or an overloaded server causes"
        " this. Run `curl -v {url}/`."
    ),
    ReachFault.NO_TLS: "The server does not speak TLS: it may be a proxy, or the port is wrong. Run `curl -v {url}/`.",
    ReachFault.EXPIRED: (
        "Check this machine's clock first. If it is right, the certificate has really expired: that of the server, or"
        " of a proxy that inspects TLS. `curl -v {url}/` shows whose certificate it is."
    ),
    ReachFault.WRONG_HOST: (
        "Check {setting}: the certificate is for another name, which `curl -v {url}/` shows. A captive portal or a"
        " proxy may answer in Metrix's place."
    ),
    ReachFault.UNTRUSTED: (
        "The server's certificate is not trusted; `curl -v {url}/` shows who signed it. If your own proxy inspects TLS,"
        " set metrix.ca_file to the file of its certificate authority."
    ),
    ReachFault.CA_FILE: "Correct metrix.ca_file, or remove it to trust the common certificate authorities.",
}
_NOT_METRIX: Final = (
    "The answer does not come from Metrix, but from a proxy, a captive portal or a wrong base_url. Run"
    " `curl -v {url}/` to see it."
)


async def diagnose(config: Config) -> Findings:
    """Check every layer between this machine and Metrix.

    Args:
        config: has Metrix's address, the application and its key. A missing key is a failed check, not an error.

    Returns:
        One check for each of `LAYERS`, in that order. After a failed check, the layers that depend on it are skipped.
        Then a warning for each channel whose verification has expired or expires soon.
    """
    checks = [*await _check_connection(config)]
    if all(check.status is not CheckStatus.FAIL for check in checks):
        checks += await _check_answers(config)
    done = {check.id for check in checks}
    failed = next((check.id for check in checks if check.status is CheckStatus.FAIL), "")
    url = config.metrix.base_url
    checks += [
        Check(layer, url, CheckStatus.SKIP, f"Not checked, because {failed} failed.")
        for layer in LAYERS
        if layer not in done
    ]
    redactor = _redactor(config)
    shown = [evolve(check, message=redactor.clean(check.message, "finding")) for check in checks]
    shown.sort(key=lambda check: LAYERS.index(check.id))
    return Findings((*shown, *_check_verifications(config)))


def _check_verifications(config: Config) -> Iterator[Check]:
    """Warn about verifications that have expired or expire soon: Metrix answers, but nothing is sent."""
    try:
        app_id = config.metrix.resolve_app_id()
    except MetrixChannelsError:
        return  # the check of the credentials reports it
    for channel in config.channels.values():
        found = standing(channel, app_id, wall_clock.now())
        if found.code == "verification_expired":
            message = sentence(found.message)
            yield Check("channel.verified", channel.name, CheckStatus.WARN, message, found.remedy)
        elif found.announcement is not None:
            message = sentence(found.announcement)
            yield Check("channel.verification_ends", channel.name, CheckStatus.WARN, message, found.remedy)


def _redactor(config: Config) -> Redactor:
    """Return a redactor that knows the secrets of the connection; a missing key cannot be shown anyway."""
    settings = config.metrix
    secrets = Endpoint(settings.base_url, settings.proxy, settings.ca_file).secrets
    with suppress(MetrixChannelsError):
        secrets = (settings.resolve_api_key(), *secrets)
    return Redactor(*secrets)


# -- the connection


async def _check_connection(config: Config) -> list[Check]:
    settings = config.metrix
    url = settings.proxy or settings.base_url
    layers = await reach(url, settings.ca_file, settings.timeout)
    checks = [_judge_layer(layer, url, "metrix.proxy" if settings.proxy else "metrix.base_url") for layer in layers]
    if len(layers) == 2 and layers[-1].fault is None:
        why = "The proxy makes the secure connection." if settings.proxy else "Plain HTTP, for this machine only."
        checks.append(Check("tls", settings.base_url, CheckStatus.SKIP, why))
    return checks


def _judge_layer(layer: Layer, url: str, setting: str) -> Check:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if layer.fault is None:
        return Check(
            layer.id,
            f"{parts.hostname}:{port}",
            CheckStatus.PASS,
            layer.message + _show_address(layer.local_address),
        )
    remedy = _REMEDIES[layer.fault].format(
        host=parts.hostname, port=port, url=f"{parts.scheme}://{parts.hostname}:{port}", setting=setting
    )
    if layer.id == "tcp" and (name := _unused_proxy()):
        remedy += f" ${name} is set, but metrix-channels does not use it. If you need this proxy, set metrix.proxy."
    return Check(layer.id, f"{parts.hostname}:{port}", CheckStatus.FAIL, layer.message, remedy)


def _show_address(address: str | None) -> str:
    """Say which address Metrix sees, if this machine can know it."""
    if address is None:
        return ""
    found = ipaddress.ip_address(address.split("%")[0])
    if found.is_loopback:
        return ""
    if found.is_private or found.is_link_local:
        return (
            f" This machine is {address} in its own network; Metrix sees the public address of the network's gateway."
        )
    return f" Metrix sees the address {address}."


def _unused_proxy() -> str | None:
    return next(
        (name for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy") if os.environ.get(name)), None
    )


# -- the answers


async def _check_answers(config: Config) -> list[Check]:
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
    """Check whether an answer to a request without credentials may come from Metrix.

    Args:
        answer: the answer.
        url: the address of the API.
    """
    if isinstance(answer, Failure):
        code = "certificate_refused" if answer.stage is Stage.CERTIFICATE else "timeout"
        message = f"The connection opened, but no answer arrived: {answer.reason}"
        return Check("http", url, CheckStatus.FAIL, message, SITUATIONS[code].remedy)
    status = answer.status
    if status == 407:
        remedy = "Put the proxy's user and password into metrix.proxy: http://USER:PASSWORD@HOST:PORT."
        return Check("http", url, CheckStatus.FAIL, "407: the proxy requires credentials.", remedy)
    if 300 <= status < 400:
        return Check("http", url, CheckStatus.FAIL, f"{status}: a redirect.", _NOT_METRIX.format(url=url))
    if status >= 500:
        return Check("http", url, CheckStatus.FAIL, f"{status}: Metrix or a gateway failed.", SITUATIONS["5xx"].remedy)
    if answer.is_page:
        what = f"{status} with a web page instead of an API answer."
        if status < 300:
            return Check("http", url, CheckStatus.FAIL, what, _NOT_METRIX.format(url=url))
        return Check("http", url, CheckStatus.WARN, what, _NOT_METRIX.format(url=url))
    if status in (404, 405):
        return Check("http", url, CheckStatus.FAIL, f"{status}: this is not Metrix's API.", SITUATIONS["404"].remedy)
    return Check("http", url, CheckStatus.PASS, f"{status} to a request without credentials.")


def judge_clock(date: str | None, sent_at: datetime, answered_at: datetime) -> Check:
    """Compare this machine's clock with the `Date` of an answer (RFC 9110, section 6.6.1; whole seconds).

    Args:
        date: the header `Date`.
        sent_at: the time of the request, by this machine's clock.
        answered_at: the time of the answer, by this machine's clock.
    """
    theirs = _moment(date)
    if theirs is None:
        return Check("clock", "Date", CheckStatus.SKIP, "The answer has no readable header Date.")
    off = max(sent_at - theirs - timedelta(seconds=1), theirs - answered_at, timedelta(0))
    ahead = "ahead of" if sent_at > theirs else "behind"
    if off < _CLOCK_WARNS:
        here, there = iso_utc(answered_at), iso_utc(theirs)
        return Check("clock", "Date", CheckStatus.PASS, f"{here} on this machine, {there} on the server.")
    status = CheckStatus.FAIL if off >= _CLOCK_FAILS else CheckStatus.WARN
    message = f"This machine's clock ({iso_utc(answered_at)}) is {_format_duration(off)} {ahead} the server's."
    return Check("clock", "Date", status, message, SITUATIONS["clock_wrong"].remedy)


def judge_credentials(without: Exchange, with_them: Exchange, app_id: str, url: str) -> Check:
    """Compare the answers without and with credentials, to check the credentials.

    Args:
        without: the answer to the request without credentials.
        with_them: the answer to the same request with credentials.
        app_id: APP_ID.
        url: the address of the API.
    """
    if isinstance(with_them, Failure):
        return Check(
            "credentials", app_id, CheckStatus.FAIL, with_them.reason, f"Try again. If it fails, run `curl -v {url}/`."
        )
    status = with_them.status
    if status in (401, 403):
        remedy = SITUATIONS["credentials_refused"].remedy
        message = f"{status}: the key or APP_ID is wrong, or this machine's address is not on the IP white list."
        return Check("credentials", app_id, CheckStatus.FAIL, message, remedy)
    before = without.status if isinstance(without, Reply) else None
    if before in (401, 403) and status < 500:
        return Check(
            "credentials", app_id, CheckStatus.PASS, f"{status} with credentials, {before} without: they are accepted."
        )
    if status < 300:
        why = f"{status} with and {before} without credentials: only a real message can show whether they are right."
    else:
        why = f"{status} with and {before} without credentials: Metrix seems to check the body first."
    code = status if status in (400, 429) else 403
    remedy = f"Send a message to yourself to be sure; see `metrix-channels explain {code}`."
    return Check("credentials", app_id, CheckStatus.WARN, why, remedy)


def _moment(date: str | None) -> datetime | None:
    try:
        found = parsedate_to_datetime(date or "")
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _format_duration(off: timedelta) -> str:
    parts = list(_parts(int(off.total_seconds())))
    return " ".join(parts[:2])


def _parts(seconds: int) -> Iterator[str]:
    for name, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        if seconds >= size:
            yield f"{seconds // size} {name}"
            seconds %= size

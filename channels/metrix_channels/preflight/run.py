"""The whole preflight: files, then the ledger, then the connection to Metrix."""

from __future__ import annotations

from collections.abc import Sequence

from ..api.connectivity import reach
from ..checks import Check, CheckStatus
from ..config import Config, ConfigFile
from ..errors import MetrixChannelsError
from ..ledger import SendBook, open_database
from .files import WatchPreflight, check_files, check_private
from .result import Preflight


async def run_preflight(
    file: ConfigFile,
    names: Sequence[str],
    *,
    offline: bool,
    watch: WatchPreflight | None = None,
    of_campaigns: Sequence[str] | None = None,
) -> Preflight:
    """Check whether messages can be sent through some channels.

    Args:
        file: the configuration.
        names: the channels to check; empty means all channels, or with `of_campaigns` only those.
        offline: skip the connection to Metrix.
        watch: called after each template.
        of_campaigns: the channels of campaigns. Their templates are not checked here, because planning the campaigns
            does so; unknown names are ignored. None if no campaign is checked.
    """
    checks, config = await check_files(file, names, watch=watch, of_campaigns=of_campaigns)
    if config is not None:
        checks += await check_ledger(config)
        checks.append(await check_connection(config, offline=offline))
    return Preflight(tuple(checks))


async def check_ledger(config: Config) -> list[Check]:
    """Check that the ledger is writable, and that other users cannot read its file."""
    database = open_database(config)
    subject = database.label
    try:
        await SendBook(database).check_writable()
    except MetrixChannelsError as error:
        return [Check.failed("ledger.writable", subject, error)]
    finally:
        await database.close()
    writable = Check("ledger.writable", subject, CheckStatus.PASS, "It can be written.")
    return [writable] if database.file is None else [writable, check_private(database.file)]


async def check_connection(config: Config, *, offline: bool) -> Check:
    """Check that a TLS connection to Metrix can be made. No request is sent."""
    settings = config.metrix
    if offline:
        return Check("metrix.reachable", settings.base_url, CheckStatus.SKIP, "Skipped because of --offline.")
    if settings.proxy is not None:
        return Check("metrix.reachable", settings.base_url, CheckStatus.SKIP, "Skipped because the proxy connects.")
    layers = await reach(settings.base_url, settings.ca_file, settings.timeout)
    reached = layers[-1]
    if reached.fault is not None:
        return Check.failed_as("metrix.reachable", settings.base_url, reached.fault.code, reached.message)
    return Check("metrix.reachable", settings.base_url, CheckStatus.PASS, reached.message)

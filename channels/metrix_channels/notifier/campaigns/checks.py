"""Checks a campaign file before it is run: whether it can be read, and whether it can be planned."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from attrs import frozen

from ...campaign import CampaignPreview, Campaigns, describe_cost, describe_fallbacks, load_campaign
from ...checks import Check, CheckStatus
from ...errors import MetrixChannelsError


@frozen
class Loaded:
    """The result of reading a campaign file.

    Attributes:
        path: path of the file.
        check: whether the file could be read.
        channel: the channel in the file; None if it could not be read.
    """

    path: Path
    check: Check
    channel: str | None


def load_file(path: Path) -> Loaded:
    """Read a campaign file."""
    try:
        campaign = load_campaign(path)
    except MetrixChannelsError as error:
        return Loaded(path, Check.failed("campaign.valid", str(path), error), None)
    what = f"The campaign {campaign.name} sends {campaign.template} through {campaign.channel}."
    return Loaded(path, Check("campaign.valid", str(path), CheckStatus.PASS, what), campaign.channel)


async def check_plans(campaigns: Campaigns, files: Sequence[Loaded]) -> list[Check]:
    """Plan campaigns completely, without sending or keeping anything."""
    checks = []
    for file in files:
        if file.channel is None:
            continue
        try:
            found = await campaigns.check(file.path)
        except MetrixChannelsError as error:
            checks.append(Check.failed("campaign.plan", str(file.path), error))
        else:
            checks.append(_plan(file, found))
    return checks


def _plan(file: Loaded, found: CampaignPreview) -> Check:
    plan = found.plan()
    facts = f"Rows: {plan['audience']:,}, recipients: {plan['recipients']:,}, requests: {plan['batches']:,}"
    if plan["sms_parts"]:
        facts += f", SMS parts: {plan['sms_parts']:,}"
    if "cost" in plan:
        facts += f". {describe_cost(plan['cost']).removesuffix('.')}"
    cautions = [f"invalid rows: {count:,}" for reason, count in plan["skipped"].items() if reason == "invalid"]
    cautions += [f"recipients with an empty {name}: {count:,}" for name, count in plan["empty"].items()]
    cautions += [f"texts with the caution {code}: {count:,}" for code, count in plan["cautions"].items()]
    cautions += [note.removesuffix(".") for note in describe_fallbacks(plan)]
    status = CheckStatus.WARN if cautions else CheckStatus.PASS
    remedy = f"See `metrix-channels campaign run {file.path} --dry-run`." if cautions else None
    return Check("campaign.plan", str(file.path), status, f"{'; '.join([facts, *cautions])}.", remedy)

"""Campaigns as tables in a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from ...campaign import OF_ROWS, CampaignPreview, CampaignStatus, FailureCount, Outlook, describe_cost
from ...errors import problem
from .output import Output, counted, visible

_STYLES = {
    "accepted": "green",
    "rejected": "red",
    "unknown": "magenta",
    "pending": "yellow",
    "cancelled": "dim",
    "skipped": "dim",
}
_STATES = {
    "finished": "bold green",
    "finished_with_errors": "bold yellow",
    "running": "bold cyan",
    "planning": "bold cyan",
    "waiting": "bold cyan",
}

_LONGEST_MESSAGE = 600
"""Maximum characters of an example message before the confirmation."""
_NAMED = 3
"""How many recipients of a request a preview names."""


def show_plan(output: Output, planned: CampaignStatus) -> None:
    """Print the size of a plan, or the remainder of a run, on stderr before the confirmation."""
    if planned.requests:
        left = f"{planned.campaign} continues: {planned.accepted:,} accepted, {planned.pending:,} pending."
        output.err.print(Text(visible(left)))
        return
    facts = planned.facts
    requests = f"{counted(facts['batches'], 'request')}, {counted(facts['texts'], 'different text')}"
    lines = [f"{counted(planned.audience, 'row')}, {counted(planned.pending, 'recipient')}, {requests}."]
    if facts["sms_parts"]:
        lines.append(f"Billed: {counted(facts['sms_parts'], 'SMS part')}{_encodings(facts)}.")
    if "cost" in facts:
        lines.append(describe_cost(facts["cost"]))
    lines += [f"{_locale(name)}: {found}." for name, found in _by_locale(facts)]
    if planned.skipped:
        lines.append(f"Skipped: {', '.join(f'{reason} {count:,}' for reason, count in planned.skipped.items())}.")
    lines += [f"Empty {name}: {counted(count, 'recipient')}." for name, count in facts["empty"].items()]
    lines += [
        f"Caution {code}: {counted(count, 'text')}." for code, count in facts["cautions"].items() if code not in OF_ROWS
    ]
    lines += planned.notes
    if planned.outlook is not None:
        lines += _describe_first(planned.outlook)
    for line in lines:
        output.err.print(Text(visible(line)))
    for example in planned.outlook.messages if planned.outlook else ():
        locale = f", {_locale(example.locale)}" if example.locale else ""
        output.err.print(Text(visible(f"To {example.recipient}{locale}:"), style="bold"))
        output.err.print(Text(visible(_shorten(example.fields))))


def _describe_first(outlook: Outlook) -> list[str]:
    """Describe who is sent to first."""
    names = ", ".join(outlook.first)
    if not outlook.first_count:
        return [f"First to: {names}, …" if names else ""]
    more = ", …" if outlook.first_count > len(outlook.first) else ""
    then = (
        "Then the campaign waits for `campaign resume`."
        if outlook.waits
        else "Then the campaign continues with the others."
    )
    return [f"First to {counted(outlook.first_count, 'recipient')}: {names}{more}. {then}"]


def _shorten(fields: Mapping[str, Any]) -> str:
    """Format a message with one line per field and the body last, shortened."""
    lines = [f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in fields.items() if name != "body"]
    text = "\n".join([*lines, str(fields.get("body", ""))])
    return text if len(text) <= _LONGEST_MESSAGE else f"{text[:_LONGEST_MESSAGE]}…"


def show_preview(output: Output, found: CampaignPreview) -> None:
    """Print the first requests of a campaign with a few recipients each, and the findings of the plan."""
    plan = found.plan()
    for number, request in enumerate(found.requests, start=1):
        body: dict[str, Any] = request["body"]  # type: ignore[assignment]
        recipients = body["recipients"]
        more = f" and {len(recipients) - _NAMED:,} more" if len(recipients) > _NAMED else ""
        output.say(f"{number}. to {', '.join(recipients[:_NAMED])}{more}", "bold")
        output.say(json.dumps(body["message"], ensure_ascii=False, indent=2))
    if left := plan["batches"] - len(found.requests):
        output.say(f"… and {counted(left, 'more request')}.", "dim")
    _show_counts(output, plan)
    for note in found.notes:
        output.say(note)
    output.say("Nothing was sent.", "bold")


def _show_counts(output: Output, plan: Mapping[str, Any]) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    names = {"audience": "rows", "recipients": "recipients", "batches": "requests", "texts": "different texts"}
    for name, words in names.items():
        table.add_row(words, f"{plan[name]:,}")
    if plan["sms_parts"]:
        table.add_row("SMS parts", f"{plan['sms_parts']:,}{_encodings(plan)}")
    if "cost" in plan:
        for encoding, found in plan["cost"]["by_encoding"].items():
            table.add_row(f"cost: {encoding}", _money(found["cost"], plan))
        table.add_row("cost", _money(plan["cost"]["total"], plan))
    for name, found in _by_locale(plan):
        table.add_row(_locale(name), found)
    for reason, count in plan["skipped"].items():
        table.add_row(f"skipped: {reason}", f"{count:,}")
    for code, count in plan["cautions"].items():
        table.add_row(f"caution: {code}", f"{count:,}")
    for name, count in plan["empty"].items():
        table.add_row(visible(f"empty: {name}"), f"{count:,}")
    output.show(table)


def _encodings(facts: Mapping[str, Any]) -> str:
    parts = facts.get("sms_encodings", {})
    return f" ({', '.join(f'{encoding} {count:,}' for encoding, count in parts.items())})" if parts else ""


def _money(cost: float, facts: Mapping[str, Any]) -> str:
    return visible(f"{cost:,} {facts['cost']['currency']}")


def _by_locale(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the locales of a plan, each with its recipients, SMS parts and template file."""
    for name, found in facts.get("locales", {}).items():
        parts = f", {counted(found['sms_parts'], 'SMS part')}" if found["sms_parts"] else ""
        people = counted(found["recipients"], "recipient")
        yield name, f"{people}{parts} ({found['template']})"


def _locale(name: str) -> str:
    return f"locale {name}" if name else "no locale"


def show_status(output: Output, found: CampaignStatus, failed_attempts: Sequence[FailureCount]) -> None:
    """Print a campaign's counts, and what to do about those that are not accepted."""
    head = Text(visible(found.campaign), style="bold")
    head.append(f"  {found.state}", style=_STATES.get(found.state, "bold red"))
    output.say(head)
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_row("audience", f"{found.audience:,}")
    for name, style in _STYLES.items():
        count = sum(found.skipped.values()) if name == "skipped" else getattr(found, name)
        if count or name == "accepted":
            reasons = ", ".join(f"{reason} {count:,}" for reason, count in found.skipped.items())
            words = f"{name} ({reasons})" if name == "skipped" else name
            table.add_row(Text(words, style=style), f"{count:,}")
    if found.possible_duplicates:
        table.add_row(Text("possible duplicates", style="yellow"), f"{found.possible_duplicates:,}")
    table.add_row("requests", f"{found.requests:,}")
    output.show(table)
    if "cost" in found.facts:
        output.say(f"As planned: {describe_cost(found.facts['cost'])}")
    for note in found.notes:
        output.say(note)
    for each in failed_attempts:
        status = f" ({each.status_code})" if each.status_code else ""
        output.say(f"{counted(each.attempts, 'request')} failed{status}: {each.example}", indent=2)
    for remedy in _remedies(found):
        output.say(f"→ {remedy}")


def show_halt(output: Output, found: CampaignStatus) -> None:
    """Print why a campaign was halted, and what to do."""
    if found.halted_by is not None:
        output.say(f"{found.halted_by.message} [{found.halted_by.code}]", "red")
        output.say(f"→ {found.halted_by.remedy}")


def _remedies(found: CampaignStatus) -> Iterator[str]:
    name = found.campaign
    if found.unknown:
        yield (
            f"Unknown outcome: {found.unknown:,}. `metrix-channels campaign report {name} --csv FILE` lists them."
            f" {problem('outcome_unknown', '').remedy} `metrix-channels campaign retry {name} --unknown` sends again."
        )
    if found.rejected:
        yield f"Metrix rejected {counted(found.rejected, 'recipient')}. {problem('rejected', '').remedy}"


def show_list(output: Output, found: Sequence[CampaignStatus]) -> None:
    """Print campaigns as a table."""
    if not found:
        output.say("There are no campaigns yet.")
        return
    table = Table(box=None, pad_edge=False)
    for column in ("campaign", "state", "audience", "accepted", "rejected", "unknown", "pending", "started"):
        numeric = column in ("audience", "accepted", "rejected", "unknown", "pending")
        table.add_column(column, justify="right" if numeric else "left")
    for each in found:
        counts = (each.audience, each.accepted, each.rejected, each.unknown, each.pending)
        table.add_row(
            Text(visible(each.campaign)),
            Text(each.state, style=_STATES.get(each.state, "bold red")),
            *(f"{count:,}" for count in counts),
            each.started_at.strftime("%Y-%m-%d %H:%MZ"),
        )
    output.show(table)

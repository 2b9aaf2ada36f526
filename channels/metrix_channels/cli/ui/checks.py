"""Prints checks as a table."""

from __future__ import annotations

from collections import Counter

from rich.table import Table
from rich.text import Text

from ...checks import Check, CheckStatus, Findings, remedies_of
from .output import Output, nearby, visible

_STYLES = {CheckStatus.PASS: "green", CheckStatus.WARN: "yellow", CheckStatus.FAIL: "bold red", CheckStatus.SKIP: "dim"}
_LONGEST_LIST = 70
"""Maximum characters of a list of subjects."""
_MOST_ALIKE = 50
"""Maximum lines for failures and warnings of one check."""


def show_checks(output: Output, found: Findings) -> None:
    """Print failed, warning and skipped checks on one line each, passed checks together, then the remedies."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for _ in range(3):
        table.add_column(overflow="fold")
    alike: dict[tuple[str, CheckStatus], list[Check]] = {}
    for check in found.checks:
        alike.setdefault((check.id, check.status), []).append(check)
    places = Counter[tuple[str, CheckStatus]]()
    told: list[Check] = []
    for check in found.checks:
        kind = check.id, check.status
        place, several = places[kind], alike[kind]
        places[kind] += 1
        if check.status is CheckStatus.PASS and len(several) > 1:
            if place == 0:
                table.add_row(*_row(check.status, check.id, _join_subjects(several)))
        elif place < _MOST_ALIKE:
            table.add_row(*_row(check.status, check.id, f"{nearby(check.subject)}: {nearby(check.message)}"))
            if check.status is not CheckStatus.PASS:
                told.append(check)
        elif place == _MOST_ALIKE:
            more = f"{len(several) - place:,} more; --json lists all."
            table.add_row(*_row(check.status, check.id, more))
    output.show(table)
    for remedy in remedies_of(told):
        output.say(f"→ {remedy}")


def _row(status: CheckStatus, what: str, text: str) -> tuple[Text, Text, Text]:
    return Text(status.value, style=_STYLES[status]), Text(what), Text(visible(text))


def _join_subjects(checks: list[Check]) -> str:
    subjects = ", ".join(nearby(check.subject) for check in checks[:_LONGEST_LIST])
    return subjects if len(subjects) <= _LONGEST_LIST else f"{len(checks):,} checks passed."

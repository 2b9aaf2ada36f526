"""Checks as a table for people."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from ..checks import Check, Findings, Status
from .output import Output, nearby, visible

_STYLES = {Status.PASS: "green", Status.WARN: "yellow", Status.FAIL: "bold red", Status.SKIP: "dim"}
_LONGEST_LIST = 70


def show_checks(output: Output, found: Findings) -> None:
    """Print checks: in a line each what failed, warns or was left out; what passed together; what to do."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for _ in range(3):
        table.add_column(overflow="fold")
    for check in found.checks:
        alike = [other for other in found.checks if other.id == check.id and other.status is Status.PASS]
        if check.status is not Status.PASS or len(alike) == 1:
            table.add_row(*_row(check.status, check.id, f"{nearby(check.subject)}: {nearby(check.message)}"))
        elif check is alike[0]:
            table.add_row(*_row(check.status, check.id, _together(alike)))
    output.show(table)
    remedies = dict.fromkeys(check.remedy for check in found.checks if check.remedy and check.status is not Status.PASS)
    for remedy in remedies:
        output.say(f"→ {remedy}")


def _row(status: Status, what: str, text: str) -> tuple[Text, Text, Text]:
    return Text(status.value, style=_STYLES[status]), Text(what), Text(visible(text))


def _together(checks: list[Check]) -> str:
    subjects = ", ".join(nearby(check.subject) for check in checks)
    return subjects if len(subjects) <= _LONGEST_LIST else f"{len(checks)} checks passed."

"""Writes situations.md from the catalogue: `make docs`. A test checks that the page is up to date."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from metrix_channels.errors.answers import ANSWERS, QUESTIONS
from metrix_channels.errors.catalogue import CATALOGUE
from metrix_channels.errors.situation import Situation

PAGE = Path(__file__).with_name("situations.md")

_PARTS = (
    ("Answers from Metrix", "By HTTP status, or by what happened instead of an answer.", ANSWERS),
    ("Questions", "Situations without an error code, which people ask about or `doctor` finds.", QUESTIONS),
    ("Errors", "By the code in brackets at the end of a message; `.code` in Python.", CATALOGUE),
)


def page() -> str:
    """Return the whole page."""
    lines = [
        "# Errors and remedies",
        "",
        "What can happen between your code and Metrix, why, and what to do. `metrix-channels explain CODE` shows the",
        "same. `make docs` writes this page.",
    ]
    for title, about, situations in _PARTS:
        lines += ["", f"## {title}", "", about]
        for code, situation in situations.items():
            lines += ["", f"### `{code}`", "", *_entry(situation)]
    return "\n".join(lines) + "\n"


def _entry(situation: Situation) -> Iterator[str]:
    yield situation.summary
    if situation.reasons:
        yield ""
        yield from (f"{number}. {reason}" for number, reason in enumerate(situation.reasons, start=1))
    yield ""
    yield f"**What to do:** {situation.remedy}"
    notes = []
    if situation.leads_to:
        notes.append("Errors: " + ", ".join(f"[`{code}`](#{code})" for code in situation.leads_to) + ".")
    if situation.exit_status is not None:
        notes.append(f"Exit status {situation.exit_status}.")
    if situation.source:
        notes.append(f"Source: {situation.source}.")
    if notes:
        yield ""
        yield " ".join(notes)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

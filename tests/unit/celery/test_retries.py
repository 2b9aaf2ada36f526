"""Which failed tasks are tried again: those that cannot send anything twice."""

import random
from datetime import UTC, datetime

import pytest

from metrix_channels import OutcomeUnknown, Rejected, TemplateError, Unreachable
from metrix_channels.celery.retries import (
    FIRST_PAUSE_SECONDS,
    LONGEST_PAUSE_SECONDS,
    MOST_RETRIES,
    is_safe_to_repeat,
    pause_seconds,
)
from metrix_channels.errors import LedgerError, problem
from metrix_channels.outcomes import Outcome, Receipt

DAY = 86_400


def receipt(outcome, code):
    return Receipt("id", "sms", ("u1",), outcome, 1, None, False, datetime.now(UTC), problem(code, "It failed."))


@pytest.mark.parametrize(
    ("error", "is_safe"),
    [
        (Unreachable("No answer.", code="unreachable", receipts=[receipt(Outcome.NOT_SENT, "unreachable")]), True),
        (LedgerError("Another call sends.", code="key_busy"), True),
        (LedgerError("The disk is full.", code="ledger_unavailable"), True),
        (LedgerError("Another text.", code="key_reused"), False),
        (TemplateError("No template.", code="template_missing"), False),
        (Rejected("Refused.", code="rejected", receipts=[receipt(Outcome.REJECTED, "rejected")]), False),
        (
            OutcomeUnknown("Lost.", code="outcome_unknown", receipts=[receipt(Outcome.UNKNOWN, "outcome_unknown")]),
            False,
        ),
        # A refusal after a lost answer: its code says "not for now", but the message may have been taken.
        (
            Unreachable("403.", code="credentials_refused", receipts=[receipt(Outcome.UNKNOWN, "credentials_refused")]),
            False,
        ),
        # Of several recipients, those that were not sent to are tried again; the key keeps what the others came to.
        (
            OutcomeUnknown(
                "Lost.",
                code="outcome_unknown",
                receipts=[receipt(Outcome.UNKNOWN, "outcome_unknown"), receipt(Outcome.NOT_SENT, "unreachable")],
            ),
            True,
        ),
    ],
)
def test_a_task_is_repeated_where_nothing_was_taken(error, is_safe):
    """By what became of the recipients, whatever the class of the error."""
    assert is_safe_to_repeat(error) is is_safe


def test_the_pauses_grow_and_add_up_to_about_a_day():
    """An outage of a night is got over; two days later nobody wants the message."""
    rng = random.Random(7)
    pauses = [pause_seconds(retries, rng) for retries in range(MOST_RETRIES)]
    assert FIRST_PAUSE_SECONDS / 2 <= pauses[0] <= FIRST_PAUSE_SECONDS
    assert max(pauses) <= LONGEST_PAUSE_SECONDS
    assert DAY / 2 < sum(pauses) < 1.5 * DAY

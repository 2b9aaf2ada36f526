"""What went wrong, brought together by what it means."""

import pytest

from metrix_channels.campaign import FailureCount
from metrix_channels.campaign.report.overview import grouped
from metrix_channels.errors.answers import ANSWERS, answer_code


def test_attempts_of_one_meaning_stand_together():
    """502 and 503 are both a fault of Metrix; the most frequent comes first, with an example of its own."""
    found = grouped(
        [
            FailureCount("not_taken", 503, "Metrix answered 503.", 4),
            FailureCount("ambiguous", 502, "Metrix answered 502.", 3),
            FailureCount("refused", 400, "Metrix answered 400.", 5),
        ]
    )
    assert [(each.code, each.attempts, each.example) for each in found] == [
        ("5xx", 7, "Metrix answered 503."),
        ("400", 5, "Metrix answered 400."),
    ]
    assert found[0].situation is ANSWERS["5xx"]


@pytest.mark.parametrize(
    ("disposition", "code"), [("ambiguous", "timeout"), ("not_taken", "connection"), ("halt", "tls")]
)
def test_silence_is_explained_too(disposition, code):
    """By what such an attempt most likely met."""
    assert grouped([FailureCount(disposition, None, "…", 1)])[0].code == code


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (200, "200"),
        (204, "200"),
        (302, "3xx"),
        (400, "400"),
        (422, "400"),
        (429, "429"),
        (500, "5xx"),
        (None, "timeout"),
    ],
)
def test_an_answer_has_an_entry_in_the_catalogue(status, code):
    """Its own, or that of its family."""
    assert answer_code(status) == code
    assert code in ANSWERS

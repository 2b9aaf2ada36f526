"""What a plan says of rows by their lines: few words, however many rows."""

from pathlib import Path

import pytest

from metrix_channels.campaign.audience.rows import Chunk, Invalid
from metrix_channels.campaign.plan.findings import ALIKE, Findings, described
from metrix_channels.errors import CampaignError


def findings(*, refuses_damage=True):
    return Findings(Path("/data/audience.csv"), refuses_damage)


def damaged(lines):
    recipients = [f"{line}.0" for line in lines]
    return Chunk(lines, recipients, recipients, [()] * len(lines), [], list(range(len(lines))))


def test_invalid_rows_are_told_by_reason_with_the_first_lines():
    """In the order in which they were met."""
    found = findings()
    found.add_invalid([Invalid(line, "", "is empty") for line in range(2, 9)])
    found.add_invalid([Invalid(1_200, "", "has 1 field, but the header has 2")])
    assert described(found.facts()) == [
        "Invalid: 7 rows (lines 2, 3, 4, 5, 6, …): is empty.",
        "Invalid: 1 row (line 1,200): has 1 field, but the header has 2.",
    ]


def test_a_thousand_reasons_become_few():
    """Every row is counted all the same."""
    found = findings()
    found.add_invalid(Invalid(at, "", f"is no JSON at column {at}") for at in range(1_000))
    assert len(found.invalid) == 21
    assert sum(each["count"] for each in found.invalid.values()) == 1_000


def test_damage_is_refused_with_the_first_rows():
    """And with how many there are; the location is the first one's."""
    found = findings()
    found.require_no_damage(4)
    found.add_damaged(damaged([3, 4]))
    found.add_damaged(damaged([5, 6, 7, 8]))
    with pytest.raises(CampaignError) as caught:
        found.require_no_damage(9)
    assert (caught.value.code, caught.value.location) == ("ids_damaged", "/data/audience.csv:3:1")
    assert "6 ids look" in caught.value.message
    assert "line 7 ('7.0'), …" in caught.value.message
    assert "8.0" not in caught.value.message


def test_damage_that_the_campaign_wants_is_none():
    """`damaged_ids: send`."""
    found = findings(refuses_damage=False)
    found.add_damaged(damaged([3]))
    found.require_no_damage(1)


def test_of_ids_that_look_alike_the_first_pairs_are_told():
    """Places and no ids: what a plan found outlives the recipients that `ledger purge` forgets."""
    found = findings()
    found.add_alike(7, ((f"a.csv:{at}", f"a.csv:{at + 100}") for at in range(4)))
    found.add_alike(2, [("a.csv:8", "optout.csv:2"), ("a.csv:9", "optout.csv:3")])
    (told,) = described({**found.facts(), "cautions": {ALIKE: found.alike}})
    assert "9 ids look like another one" in told
    assert "a.csv:3 and a.csv:103, a.csv:8 and optout.csv:2, …" in told


@pytest.mark.parametrize(
    ("listed", "matched", "told"), [(0, 0, []), (40, 1, []), (40, 0, ["40 ids"]), (1, 0, ["1 id"])]
)
def test_lists_that_match_nobody_are_told(listed, matched, told):
    """They may hold addresses instead of ids; whoever opted out would be written to."""
    found = findings()
    found.listed, found.listed_in_audience = listed, matched
    assert described(found.facts()) == [
        f"No id on the suppression lists ({ids}) is in the audience. Do they hold the same kind of ids?" for ids in told
    ]


def test_a_plan_of_an_earlier_version_says_nothing():
    """Its facts know none of this."""
    assert described({}) == []

"""Lists of recipients who are never sent to: read whole, or refused."""

import pytest

from metrix_channels.campaign.exclusions.suppression import listed
from metrix_channels.errors import CampaignError


def on(path, content, id_column="customUserId"):
    path.write_text(content, encoding="utf-8")
    return set(listed(path, id_column))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "customUserId\nu1\nu2\n"),
        ("a.csv", "user_id,why\nu1,asked\nu2,bounced\n"),
        ("a.csv", "why,customUserId\nasked,u1\nbounced,u2\n"),
        ("a.tsv", "customUserId\twhy\nu1\tasked\nu2\tbounced\n"),
        ("a.jsonl", '{"customUserId": "u1"}\n{"customUserId": "u2"}\n'),
    ],
)
def test_everybody_on_a_list_is_found(tmp_path, name, content):
    """Under the audience's own id column, or else under customUserId."""
    assert on(tmp_path / name, content, "user_id" if "user_id" in content else "customUserId") == {"u1", "u2"}


def test_a_list_may_be_empty(tmp_path):
    """A header alone: nobody has asked to be left alone yet."""
    assert on(tmp_path / "a.csv", "customUserId\n") == set()


def test_a_space_that_an_export_has_given_saves_nobody(tmp_path):
    """Nor a field too many behind the id."""
    assert on(tmp_path / "a.csv", "customUserId\n u1\nu2 \nu3,x\n") == {"u1", "u2", "u3"}


@pytest.mark.parametrize("recipient", [" " + "u" * 300, "u\x071", "u\u202e1"], ids=["long", "bell", "turned"])
def test_an_id_that_is_none_is_refused(tmp_path, recipient):
    """Whom it means is not clear, and must not be sent to."""
    with pytest.raises(CampaignError, match="Row 2 of the list"):
        on(tmp_path / "a.csv", f"customUserId\nu0\n{recipient}\n")


def test_a_list_without_a_header_is_refused(tmp_path):
    """Its first line would be lost without a word."""
    with pytest.raises(CampaignError, match="no column 'customUserId'"):
        on(tmp_path / "a.csv", "u1\nu2\n")

"""The header of an audience: which column holds the ids, and what is said when none does."""

import io

import pytest

from metrix_channels.campaign.audience.header import id_column, named
from metrix_channels.campaign.audience.source import ByteSource
from metrix_channels.errors import CampaignError


def refused(columns, *names):
    with pytest.raises(CampaignError) as caught:
        id_column(ByteSource(None, io.BytesIO()), columns, names, 3)
    assert (caught.value.code, caught.value.location) == ("audience_invalid", "-:3:1")
    return caught.value


def test_the_first_name_that_is_there_counts():
    """A list may have the ids under several names."""
    source = ByteSource(None, io.BytesIO())
    assert id_column(source, ["recipient", "customUserId"], ["id", "customUserId", "recipient"]) == "customUserId"


def test_columns_without_a_name_are_ignored():
    """Wherever they are; two of them have no name in common."""
    source = ByteSource(None, io.BytesIO())
    assert named(["", "id", " ", "a", ""]) == ("id", "a")
    assert id_column(source, ["", "id", " ", "a", ""], ["id"]) == "id"
    assert "the columns are 'name', 'city'" in refused(["", "name", "", "city"], "id").message
    assert "no column has a name" in refused(["", ""], "id").message


@pytest.mark.parametrize("separator", [";", "\t", "|", ":", "^", "~"])
def test_a_header_in_one_column_names_the_delimiter_to_write(separator):
    """As the campaign file takes it; a suppression list has no such key."""
    error = refused([f"name{separator}id"], "id")
    assert repr(separator) in error.message
    assert "`delimiter: " in error.remedy
    assert "delimiter" not in refused([f"name{separator}id"], "id", "recipient").remedy


def test_columns_of_one_name_are_refused():
    """Nobody knows which of them is meant."""
    assert "columns 2 and 3" in refused(["id", "a", "a"], "id").message.lower()

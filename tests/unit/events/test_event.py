"""Profiles and events as the messages that Metrix documents."""

from datetime import date

import pytest

from metrix_channels.errors import EventInvalid
from metrix_channels.events import MetrixUser, body_of, occurrence, profile

NOW = 1_795_516_841_758


def test_a_profile_carries_what_is_known():
    """Under the names of the API, and nothing else."""
    event = profile(
        "user-42",
        {
            "email": "sara@example.com",
            "phone": "+989121234567",
            "first_name": "سارا",
            "gender": "Female",
            "birthday": date(1990, 5, 1),
            "attributes": {"level": 3},
        },
        NOW,
    )
    assert body_of(event.user, [event.message("1b4e28ba-2fa1-4d3b-a3f5-ef19b5a7633b", NOW)]) == {
        "customUserId": "user-42",
        "messages": [
            {
                "type": "user",
                "id": "1b4e28ba-2fa1-4d3b-a3f5-ef19b5a7633b",
                "time": NOW,
                "email": "sara@example.com",
                "phoneNumber": "+989121234567",
                "firstName": "سارا",
                "gender": "Female",
                "birthday": 641_520_000_000,
                "customAttributes": {"level": 3},
            }
        ],
    }


def test_an_event_is_an_action():
    """With its name and attributes."""
    event = occurrence("user-42", {"name": "order_paid", "attributes": {"new": True}}, NOW, None)
    assert (event.type, event.time) == ("action", None)
    assert event.fields == {"customName": "order_paid", "attributes": {"new": True}}


def test_an_event_with_a_revenue_is_one_of_revenue():
    """The troubleshooting page demands the name of it too."""
    event = occurrence("user-42", {"slug": "abcde", "revenue": 12, "extra": {"currency": "IRR"}}, NOW, None)
    assert event.type == "revenue"
    assert event.fields == {"name": "abcde", "revenue": 12.0, "currency": "IRR"}


def test_a_user_of_metrix_is_named_by_its_id():
    """When Metrix made the id."""
    assert occurrence(MetrixUser("m-1"), {"name": "x"}, NOW, None).user == ("metrixUserId", "m-1")


@pytest.mark.parametrize(
    "user", ["", " u", 42, None, MetrixUser(""), MetrixUser(None), "u\u200e\u202e", "u1\u200f", "u\u00ad1"]
)
def test_a_user_without_a_usable_id_is_refused(user):
    """Metrix would drop the event behind a 200."""
    for refused in (lambda: profile(user, {}, NOW), lambda: occurrence(user, {"name": "x"}, NOW, None)):
        with pytest.raises(EventInvalid) as raised:
            refused()
        assert raised.value.code == "user_invalid"


@pytest.mark.parametrize("gender", ["male", "", None, 1, ["Male"]])
def test_a_gender_is_one_of_three(gender):
    """As the documentation writes them."""
    with pytest.raises(EventInvalid) as raised:
        profile("u", {"gender": gender}, NOW)
    assert raised.value.code == "profile_invalid"
    assert "`gender`" in raised.value.message


def test_an_argument_that_there_is_none_of_is_a_type_error():
    """As with every function of Python."""
    with pytest.raises(TypeError, match="emial"):
        profile("u", {"emial": "a@example.com"}, NOW)
    with pytest.raises(TypeError, match="customName"):
        occurrence("u", {"customName": "x"}, NOW, None)

"""`POST /` demands what Metrix documents, and drops what Metrix drops."""

from typing import Any

import pytest

from metrix_channels.sandbox.bodies import BodyRefused
from metrix_channels.sandbox.events import check_batch, reason_to_drop

_ID = "6f1c1f0e-8f0b-4c53-9a4e-2d1a7f3b9c10"
_NOW = 1_795_000_000_000


def _action(**changes: Any) -> dict[str, Any]:
    return {"type": "action", "id": _ID, "time": _NOW, "customName": "order_paid", **changes}


def _message(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": kind, "id": _ID, "time": _NOW, **fields}


def _without(name: str) -> dict[str, Any]:
    return {key: value for key, value in _action().items() if key != name}


def _batch(*messages: Any, **user: Any) -> dict[str, Any]:
    return {**(user or {"customUserId": "u1"}), "messages": list(messages)}


@pytest.mark.parametrize(
    "message",
    [
        _action(attributes={"total": 12.5, "count": 3, "gift": True, "tags": ["a"], "box": {"x": 1}, "note": "y"}),
        _message("action", name="abcde"),
        _message("revenue", revenue=12.0),
        _message("businessEvent", anything=1),
        _message("user"),
        _message(
            "user", firstName="سارا", gender="Female", birthday=-14_182_940_000, customAttributes={"a": 1, "b": [1]}
        ),
    ],
)
def test_documented_messages_pass(message: dict[str, Any]) -> None:
    """Each type passes with what is documented for it."""
    assert check_batch(_batch(message)).messages == [message]


def test_either_user_id_will_do() -> None:
    """The user is named by customUserId, or by metrixUserId."""
    assert check_batch(_batch(_action())).user == ("customUserId", "u1")
    assert check_batch(_batch(_action(), metrixUserId="m1")).user == ("metrixUserId", "m1")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"messages": [_action()]}, "customUserId"),
        (_batch(_action(), customUserId=7), "customUserId"),
        (_batch(_action(), metrixUserId=None), "metrixUserId"),
        ({"customUserId": "u1"}, "messages"),
        (_batch(), "messages"),
        ({"customUserId": "u1", "messages": {}}, "messages"),
        (_batch(_action(), "x"), "messages[1]"),
        (_batch(_without("type")), "messages[0].type"),
        (_batch(_action(type="Action")), "messages[0].type"),
        (_batch(_action(type=[])), "messages[0].type"),
        (_batch(_without("id")), "messages[0].id"),
        (_batch(_action(id="1")), "messages[0].id"),
        (_batch(_action(id=f"{{{_ID}}}")), "messages[0].id"),
        (_batch(_without("time")), "messages[0].time"),
        (_batch(_action(time=1.5e12)), "messages[0].time"),
        (_batch(_action(time="1795000000000")), "messages[0].time"),
        (_batch(_action(time=True)), "messages[0].time"),
        (_batch(_action(time=2**63)), "messages[0].time"),
        (_batch(_without("customName")), "messages[0].name"),
        (_batch(_action(name="abcde")), "messages[0].name"),
        (_batch(_action(customName=1)), "messages[0].customName"),
        (_batch(_action(attributes=[])), "messages[0].attributes"),
        (_batch(_action(attributes={"a": None})), "messages[0].attributes.a"),
        (_batch(_message("revenue")), "messages[0].revenue"),
        (_batch(_message("revenue", revenue=12)), "messages[0].revenue"),
        (_batch(_message("revenue", revenue="12.0")), "messages[0].revenue"),
        (_batch(_message("user", email=1)), "messages[0].email"),
        (_batch(_message("user", gender="female")), "messages[0].gender"),
        (_batch(_message("user", birthday="1990-01-01")), "messages[0].birthday"),
        (_batch(_message("user", birthday=1.0)), "messages[0].birthday"),
        (_batch(_message("user", customAttributes={"vip": True})), "messages[0].customAttributes.vip"),
    ],
)
def test_everything_else_is_refused_with_its_place(body: dict[str, Any], field: str) -> None:
    """A refusal names the field at fault."""
    with pytest.raises(BodyRefused) as caught:
        check_batch(body)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("user", "message", "reason"),
    [
        ("u1", _action(), None),
        ("u1", _action(time=_NOW + 3_600_000), None),
        ("u1", _message("action", name="abcde"), None),
        (" ", _action(), "user id is empty"),
        ("u1", _action(time=_NOW // 1000), "looks like seconds"),
        ("u1", _message("user", time=_NOW // 1000), "looks like seconds"),
        ("u1", _action(time=_NOW * 1000), "in the future"),
        ("u1", _action(time=-1), "before the year 2000"),
        ("u1", _action(customName=""), "customName is empty"),
        ("u1", _action(customName="order_piad"), "taxonomy"),
        ("u1", _message("action", name=""), "slug"),
        ("u1", _message("action", name="order"), None),
        ("u1", _message("action", name="orders"), "slug"),
    ],
)
def test_what_is_dropped_behind_a_200(user: str, message: dict[str, Any], reason: str | None) -> None:
    """Wrong users, times and names are not refused; they are dropped, and the reason is known."""
    found = reason_to_drop(user, message, _NOW, ["order_paid"])
    assert found is None if reason is None else reason in (found or "")


def test_without_a_taxonomy_every_name_is_known() -> None:
    """The sandbox knows an application's names only when it was given them."""
    assert reason_to_drop("u1", _action(customName="anything"), _NOW, None) is None

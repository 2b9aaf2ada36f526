"""Faults are written in few words, and nothing else passes for one."""

import pytest

from metrix_channels.sandbox.faults import Fault, parse_fault


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("status:503", Fault("status:503", "status", status=503)),
        ("status:429;retry-after=3", Fault("status:429;retry-after=3", "status", status=429, retry_after="3")),
        (
            "status:503;retry-after=Wed, 21 Oct 2026 07:28:00 GMT",
            Fault(
                "status:503;retry-after=Wed, 21 Oct 2026 07:28:00 GMT",
                "status",
                status=503,
                retry_after="Wed, 21 Oct 2026 07:28:00 GMT",
            ),
        ),
        ("slow:0.25", Fault("slow:0.25", "slow", seconds=0.25)),
        ("hang", Fault("hang", "hang")),
    ],
)
def test_faults_are_read(text: str, fault: Fault) -> None:
    """Each form is understood."""
    assert parse_fault(text) == fault


@pytest.mark.parametrize(
    ("text", "takes"),
    [("hang", True), ("drop", True), ("truncate", True), ("slow:1", True), ("status:500", False), ("html", False)],
)
def test_which_faults_take_the_message(text: str, takes: bool) -> None:
    """A fault after the work leaves doubt; a fault in its place leaves none."""
    assert parse_fault(text).takes is takes


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Hang",
        "status:",
        "status:200",
        "status:99",
        "status:600",
        "status:503;retry-after=",
        "status:503;retry-after=1\r\nX: y",
        "slow:",
        "slow:-1",
        "slow:nan",
        "slow:10000",
        "drop ",
    ],
)
def test_anything_else_names_what_there_is(text: str) -> None:
    """The error lists the faults, and shows control characters escaped."""
    with pytest.raises(ValueError, match="Choose status:CODE") as caught:
        parse_fault(text)
    assert "\r" not in str(caught.value)

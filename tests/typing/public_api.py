"""What a type checker tells the users of the library; checked by mypy, never run."""

from typing import assert_type

from metrix_channels import (
    AsyncNotifier,
    CampaignHandle,
    CampaignProgress,
    CampaignStatus,
    Drained,
    EventReceipt,
    EventsReport,
    MetrixUser,
    Notifier,
    Outcome,
    Preflight,
    Receipt,
    Rejected,
)


def synchronous(notifier: Notifier) -> None:
    assert_type(notifier.send("sms", to="u1", template="otp", context={"code": "1"}, key="k"), Receipt)
    assert_type(notifier.send("sms", to=["u1", "u2"], template="otp"), tuple[Receipt, ...])
    assert_type(notifier.send("sms", to="u1", text="Your table is ready", deadline=3.0), Receipt)
    assert_type(notifier.send("push", to=["u1"], text="Your table is ready", title="Table 7"), tuple[Receipt, ...])
    notifier.send("sms", to="u1")  # type: ignore[call-overload]
    notifier.send("sms", to="u1", template="otp", text="Your table is ready")  # type: ignore[call-overload]
    notifier.dry_run("sms", to="u1", title="Table 7")  # type: ignore[call-overload]
    assert_type(notifier.preflight("sms", offline=True), Preflight)
    with Notifier.from_config() as opened:
        assert_type(opened, Notifier)


async def asynchronous(notifier: AsyncNotifier, one_or_more: str | list[str]) -> None:
    assert_type(await notifier.send("sms", to="u1", template="otp"), Receipt)
    assert_type(await notifier.send("sms", to=("u1",), template="otp"), tuple[Receipt, ...])
    assert_type(await notifier.send("sms", to=one_or_more, template="otp"), Receipt | tuple[Receipt, ...])
    assert_type(await notifier.send("sms", to=one_or_more, text="hello"), Receipt | tuple[Receipt, ...])
    assert_type(await notifier.enqueue("sms", to=one_or_more, text="hello", connection=object()), str)
    assert_type(await notifier.withdraw("k", connection=object()), bool)
    assert_type(await notifier.drain(), Drained)
    async with AsyncNotifier.from_config("channels.yaml") as opened:
        assert_type(opened, AsyncNotifier)


def users_and_events(notifier: Notifier) -> None:
    assert_type(notifier.identify("u1", email="sara@example.com", attributes={"level": 3}), EventReceipt)
    assert_type(notifier.track(MetrixUser("m1"), name="order_paid", revenue=12.5), EventReceipt)
    assert_type(notifier.track_many([{"user": "u1", "name": "order_paid"}]), EventsReport)
    notifier.track("u1", name="order_paid", revenue="12.5")  # type: ignore[arg-type]
    notifier.identify("u1", emial="sara@example.com")  # type: ignore[call-arg]


def campaigns(notifier: Notifier) -> None:
    assert_type(notifier.run_campaign("campaigns/welcome.yaml"), CampaignStatus)
    run = notifier.campaigns.start("campaigns/welcome.yaml")
    assert_type(run, CampaignHandle)
    assert_type(run.progress, CampaignProgress | None)
    assert_type(run.wait(), CampaignStatus)


def errors(error: Rejected) -> None:
    assert_type(error.code, str)
    assert_type(error.receipt, Receipt | None)
    if error.receipt is not None:
        assert_type(error.receipt.outcome, Outcome)

"""The cost of a campaign: its SMS parts by encoding, at the price of its channel."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ..config import Channel, read_yaml
from ..errors import CampaignError
from .definition import Campaign


def cost_of(parts: Mapping[str, int], channel: Channel) -> dict[str, Any] | None:
    """Return the JSON form of a cost; None if the price is not known.

    Args:
        parts: the billed parts by encoding.
        channel: with the price.
    """
    price = channel.price_per_part
    if price is None:
        return None
    return {
        "currency": channel.currency,
        "price_per_part": _number(price),
        "total": _number(price * sum(parts.values())),
        "by_encoding": {
            encoding: {"parts": count, "cost": _number(price * count)} for encoding, count in parts.items()
        },
    }


def require_price(campaign: Campaign, channel: Channel) -> None:
    """Refuse `max_cost` if the channel has no price.

    Raises:
        CampaignError: price_missing.
    """
    if campaign.limits.max_cost is not None and channel.price_per_part is None:
        raise CampaignError(
            f"limits.max_cost needs the price of the channel {channel.name!r}",
            code="price_missing",
            location=read_yaml(campaign.path).location(("limits", "max_cost"), key=True),
        )


def require_within_cost(campaign: Campaign, cost: Mapping[str, Any] | None) -> None:
    """Refuse a plan that costs more than its campaign allows.

    Args:
        campaign: with the limit.
        cost: from `cost_of`.

    Raises:
        CampaignError: cost_exceeded.
    """
    most = campaign.limits.max_cost
    if most is not None and cost is not None and Decimal(str(cost["total"])) > most:
        raise CampaignError(
            f"limits.max_cost is {_number(most):,} {cost['currency']}, and the plan costs more. {describe_cost(cost)}",
            code="cost_exceeded",
            location=read_yaml(campaign.path).location(("limits", "max_cost")),
        )


def describe_cost(cost: Mapping[str, Any]) -> str:
    """Return a sentence about the cost of a plan.

    Args:
        cost: from `cost_of`.
    """
    currency = cost["currency"]
    each = [
        f"{encoding}: {_parts(found['parts'])}, {found['cost']:,} {currency}"
        for encoding, found in cost["by_encoding"].items()
    ]
    return f"Cost: {cost['total']:,} {currency} at {cost['price_per_part']:,} {currency} a part ({'; '.join(each)})."


def _parts(count: int) -> str:
    return "1 part" if count == 1 else f"{count:,} parts"


def _number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)

"""What a touch costs, in millionths of the currency's unit, and whether a budget still covers it."""

from __future__ import annotations

from decimal import Decimal

from omnicli.model.literals import Money


def cost(price: Money | None, parts: int = 1) -> int:
    """The price of one part times the parts, in micro units; a channel without a price costs nothing (3.1)."""
    return 0 if price is None else price.micro * max(parts, 1)


def money(micro: int, currency: str) -> dict[str, str]:
    """Millionths as the JSON contract writes money: two places, more where a part of a cent is left."""
    amount = Decimal(micro).scaleb(-6)
    cents = amount.quantize(Decimal("0.01"))
    return {"amount": format(cents if amount == cents else amount.normalize(), "f"), "currency": currency}


def over(budget: Money | None, taken: int, cost: int) -> bool:
    """Whether a touch of this cost would take a campaign beyond its budget. `taken`: spent and reserved, micro units."""
    return budget is not None and taken + cost > budget.micro

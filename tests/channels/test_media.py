"""Each medium is one value that knows its parts, forms and budgets."""

from __future__ import annotations

from omnicli.channels import MEDIA, medium
from omnicli.model.project import CHANNELS


def test_every_channel_that_carries_messages_is_a_medium() -> None:
    assert set(MEDIA) == set(CHANNELS) - {"webhook"}
    assert medium("webhook") is None


def test_budgets_name_their_source() -> None:
    assert all(budget.source for one in MEDIA.values() for budget in one.budgets)


def test_who_has_an_address_has_a_consent() -> None:
    assert {name for name, one in MEDIA.items() if not one.has_address} == {"qr", "task"}
    assert all((one.consent is not None) is one.has_address for one in MEDIA.values())

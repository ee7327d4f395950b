"""Whether the account can carry what is asked of it: login, senders, templates, and whether Twilio knows where to tell us."""

from __future__ import annotations

from typing import TYPE_CHECKING

from omnicli.model.touch import Ready

if TYPE_CHECKING:
    from omnicli.providers.twilio.carrier import Twilio


def check(provider: Twilio, *, online: bool) -> list[Ready]:
    return []

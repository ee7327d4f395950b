"""SendGrid, both directions: batches of personalizations out; signed events, answers and lists of bars back.

The parts are loaded when they are used: a project that sends otherwise never imports SendGrid's client.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omnicli.providers.sendgrid.hearing import SendGridHearing
    from omnicli.providers.sendgrid.provider import SendGrid

__all__ = ["open_hearing", "open_sendgrid"]


def open_sendgrid(project: Any, settings: Mapping[str, Any], _root: Path, *, live: bool) -> SendGrid:
    """The provider of `providers.sendgrid`; OmniError names the setting that is missing or odd."""
    from omnicli.providers.sendgrid import provider, wishes

    return provider.SendGrid(wishes.read(settings), project=project)


def open_hearing(project: Any, settings: Mapping[str, Any], keys: Mapping[int, bytes], *, live: bool) -> SendGridHearing:
    """The way back of `providers.sendgrid`; `keys` are all signing keys that were ever used."""
    from omnicli.providers.sendgrid import hearing, wishes

    return hearing.SendGridHearing(wishes.read(settings, sending=False), keys)

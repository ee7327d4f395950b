"""Whether the messages that an edit changes say the same everywhere: each is rendered on all its channels and languages and compared."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from omnicli.lint.ground import Ground
from omnicli.lint.run import lint

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.campaigns.diff.compare import MessageChange

#: What depends on renderings: promises, personas, channels.
FAMILIES = ("M", "P", "C")


@dataclass(frozen=True, slots=True)
class Checked:
    """On how many channels and in how many languages a message was compared, and how many errors that found."""

    channels: int
    languages: int
    errors: int


def checked(loaded: Loaded, name: str, changed: Iterable[MessageChange], *, now: datetime) -> dict[str, Checked]:
    """Each message of the file's version that an edit added or changed → what its renderings say; those that the flow sends to nobody
    are left out. Nothing is asked of a campaign that cannot be read."""
    wanted = [one.name for one in changed if one.kind in ("added", "changed")]
    if loaded.errors(name):
        return {}
    found = {message: _checked(loaded, name, message, now) for message in wanted}
    return {message: one for message, one in found.items() if one.channels}


def _checked(loaded: Loaded, campaign: str, message: str, now: datetime) -> Checked:
    ground = Ground(loaded, now=now)
    ground.only = campaign, message
    report = lint(loaded, now=now, select=FAMILIES, ground=ground)
    cells = [cell for reading in ground.renderings(campaign, message) for cell in reading.cells]
    about = [f for f in report.findings if f.severity == "error" and f.code[0] in FAMILIES]
    return Checked(len({cell.channel for cell in cells}), len({cell.language for cell in cells}), len(about))

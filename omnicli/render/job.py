"""What is asked of the renderer: one touch, and the edition of a message that it shares with many others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from omnicli.model.campaign import Campaign
from omnicli.render.facts import ResolvedFacts


class Edition(NamedTuple):
    """One message by one channel, in one language, for one persona, at one step: what is the same for all its readers.

    `opens`: its readers agreed that openings are noted (asked only where `tracking.opens: consented`)."""

    campaign: Campaign
    message: str
    channel: str
    language: str
    persona: str | None = None
    step: str = ""
    purpose: str = "marketing"
    opens: bool = False

    @property
    def key(self) -> tuple[object, ...]:
        """What tells editions apart, the campaign by its identity."""
        return (id(self.campaign), *self[1:])

    @property
    def name(self) -> str:
        return f"{self.campaign.campaign}/{self.message} × {self.channel} × {self.language}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderJob:
    """One touch to render. `contact` maps attribute names to columns of the store or typed values; `touch` is its key in
    hexadecimal; `persona` the name, of the campaign's or the project's personas; `zone` the contact's working zone; `extra` what
    templates of work and print see as `touch.<name>` (texts, or lines such as an address). `opens`: this person agreed that
    openings are noted (asked only where `tracking.opens: consented`)."""

    campaign: Campaign
    message: str
    channel: str
    language: str
    touch: str
    at: datetime
    zone: str
    contact: Mapping[str, Any] = field(repr=False)
    facts: ResolvedFacts | None = field(default=None, repr=False)
    persona: str | None = None
    step: str = ""
    purpose: str = "marketing"
    country: str | None = None
    entered_at: datetime | None = None
    event: Mapping[str, Any] = field(default_factory=dict, repr=False)
    extra: Mapping[str, str | Sequence[str]] = field(default_factory=dict, repr=False)
    opens: bool = False

    @property
    def edition(self) -> Edition:
        return Edition(
            self.campaign, self.message, self.channel, self.language, self.persona, self.step, self.purpose, self.opens
        )


@dataclass(frozen=True, slots=True)
class RenderFailure:
    """Why this person gets no such message: a skip reason, and what to look at."""

    touch: str
    reason: str
    detail: str

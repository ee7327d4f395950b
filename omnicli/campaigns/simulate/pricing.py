"""What each touch costs, from real renderings: one for each (message, channel, language, persona), as a typical person would get it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from omnicli.engine.house import House
from omnicli.engine.pricing import cost
from omnicli.render.samples import job_for, sample
from omnicli.render.views import CannotRender

if TYPE_CHECKING:
    from omnicli.render.renderer import Renderer

Key = tuple[str, str, str, "str | None"]


class Prices:
    """Millionths a touch, by what is said, where, in which language, to which persona; None: it cannot be rendered."""

    def __init__(self, renderer: Renderer, now: datetime) -> None:
        self.renderer, self.now = renderer, now
        self.known: dict[Key, int | None] = {}
        self.parts: dict[Key, int] = {}

    def of(self, house: House, message: str, channel: str, language: str, persona: str | None) -> int | None:
        key = message, channel, language, persona
        if key not in self.known:
            self.known[key] = self._made(house, key)
        return self.known[key]

    def _made(self, house: House, key: Key) -> int | None:
        message, channel, language, persona = key
        if channel == "webhook" or message not in house.campaign.messages:
            return house.prices.get(channel, 0)
        person = sample(house.project, "typical", now=self.now)
        job = job_for(
            house.project,
            house.campaign,
            message,
            channel=channel,
            language=language,
            persona=persona,
            person=person,
            now=self.now,
        )
        try:
            rendered = self.renderer.render(job)
        except CannotRender:
            return None
        self.parts[key] = max(rendered.sms_parts, 1)
        settings = house.project.channels.get(channel)
        return cost(settings.price if settings else None, self.parts[key])

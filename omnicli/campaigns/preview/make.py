"""Gathers what a preview shows: the project's messages as asked for, its readers, and what lint has to say about each message."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from omnicli.campaignfile import Loaded
from omnicli.campaigns.preview.page import Preview
from omnicli.campaigns.preview.readings import Wish, readings
from omnicli.errors import OmniError
from omnicli.providers.pages import House
from omnicli.render.samples import SAMPLES, Sample, sample
from omnicli.texts import t


@dataclass(frozen=True, slots=True)
class Asked:
    """What the page is to show: which messages, and to whom (None: the four sample people)."""

    wish: Wish = Wish()
    contact: str | None = None


def make(loaded: Loaded, asked: Asked, *, now: datetime, live: bool = False, person: Sample | None = None) -> Preview:
    """Everything on the page. `person`: the contact of the store that is asked for."""
    project = loaded.project
    if project is None:
        raise OmniError(t("omni.yaml cannot be read", "omni.yaml est illisible"), hint="omni lint", code="no-project")
    readers = [person] if person else [sample(project, name, now=now) for name in SAMPLES if asked.contact in (None, name)]
    shown = readings(loaded, project, asked.wish, readers, now=now, live=live)
    return Preview(House.of(project), shown, [one.name for one in readers], now)

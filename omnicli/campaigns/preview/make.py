"""Gathers what a preview shows: the project's messages as asked for, their readers, and what lint has to say about each message."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from omnicli.campaignfile import Loaded
from omnicli.campaigns.preview.findings import FAMILIES, judged
from omnicli.campaigns.preview.page import Preview
from omnicli.campaigns.preview.readings import Wish, readings
from omnicli.channels import MEDIA
from omnicli.errors import OmniError
from omnicli.lint.ground import Ground
from omnicli.lint.run import lint
from omnicli.model.campaign import Campaign
from omnicli.model.project import Project
from omnicli.providers.pages import House
from omnicli.render.samples import SAMPLES, Sample, languages, personas, sample, unknown
from omnicli.texts import t


@dataclass(frozen=True, slots=True)
class Asked:
    """What the page is to show: which messages, and to whom (None: the four sample people)."""

    wish: Wish = field(default_factory=Wish)
    contact: str | None = None


def make(loaded: Loaded, asked: Asked, *, now: datetime, live: bool = False, person: Callable[[Campaign], Sample] | None = None) -> Preview:  # fmt: skip
    """Everything on the page. `person` makes the contact of the store that is asked for, as a campaign sees them."""
    project = loaded.project
    if project is None:
        raise OmniError(t("omni.yaml cannot be read", "omni.yaml est illisible"), hint="omni lint", code="no-project")
    check(loaded, project, asked.wish)
    names = [asked.contact] if asked.contact else list(SAMPLES)

    def readers(campaign: Campaign) -> Sequence[Sample]:
        return [person(campaign)] if person else [sample(project, name, now=now) for name in names]

    found = lint(loaded, now=now, profile="team", select=FAMILIES, ground=_ground(loaded, asked.wish, now)).findings
    shown = [judged(one, found, loaded) for one in readings(loaded, project, asked.wish, readers, now=now, live=live)]
    trouble = [f for f in loaded.findings if f.severity == "error"]
    return Preview(House.of(project), shown, names, now, trouble, project.project)


def _ground(loaded: Loaded, wish: Wish, now: datetime) -> Ground:
    """What lint looks at: the campaign and the message that are asked for."""
    wanted = {name: one for name, one in loaded.campaigns.items() if wish.campaign in (None, name)}
    ground = Ground(replace(loaded, campaigns=wanted), now=now)
    if wish.campaign and wish.message:
        ground.only = (wish.campaign, wish.message)
    return ground


def check(loaded: Loaded, project: Project, wish: Wish) -> None:
    """OmniError for a name that nothing here has."""
    campaigns = [c for c in loaded.campaigns.values() if wish.campaign in (None, c.campaign)]
    if not campaigns:
        raise unknown(t("campaign", "campagne"), str(wish.campaign), loaded.campaigns)
    messages = [name for c in campaigns for name in c.messages]
    spoken = {one for c in campaigns for one in languages(project, c)}
    known = {name for c in campaigns for name in personas(project, c)}
    for what, word, of in ((t("message", "message"), wish.message, messages), (t("channel", "canal"), wish.channel, [c for c in project.channels if c in MEDIA]),
                           (t("language", "langue"), wish.language, spoken), ("persona", wish.persona, known)):  # fmt: skip
        if word is not None and word not in of:
            raise unknown(what, word, of)

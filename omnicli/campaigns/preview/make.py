"""Gathers what a preview shows: the project's messages as asked for, their readers, and what lint has to say about each message."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from omnicli.campaignfile import Loaded
from omnicli.campaigns.preview.page import Preview
from omnicli.campaigns.preview.readings import Shown, Wish, readings
from omnicli.channels import MEDIA
from omnicli.errors import OmniError
from omnicli.lint.run import lint
from omnicli.model.campaign import Campaign
from omnicli.model.finding import Finding
from omnicli.model.project import Project
from omnicli.providers.pages import House
from omnicli.render.samples import SAMPLES, Sample, languages, personas, sample
from omnicli.text import did_you_mean
from omnicli.texts import t

#: Families of rules that speak about messages.
FAMILIES = ("M", "P", "I", "C", "R", "J", "S")


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

    shown = readings(loaded, project, asked.wish, readers, now=now, live=live)
    findings = lint(loaded, now=now, profile="team", select=FAMILIES).findings
    about = {f"{one.campaign.campaign}/{one.name}": [f for f in findings if _is_about(f, one, loaded)] for one in shown}
    trouble = [f for f in loaded.findings if f.severity == "error"]
    return Preview(House.of(project), shown, names, now, about, trouble, project.project)


def check(loaded: Loaded, project: Project, wish: Wish) -> None:
    """OmniError for a name that nothing here has."""
    campaigns = [c for c in loaded.campaigns.values() if wish.campaign in (None, c.campaign)]
    if not campaigns:
        _unknown(t("campaign", "campagne"), str(wish.campaign), loaded.campaigns)
    messages = [name for c in campaigns for name in c.messages]
    spoken = {one for c in campaigns for one in languages(project, c)}
    known = {name for c in campaigns for name in personas(project, c)}
    for what, word, of in ((t("message", "message"), wish.message, messages), (t("channel", "canal"), wish.channel, [c for c in project.channels if c in MEDIA]),
                           (t("language", "langue"), wish.language, spoken), ("persona", wish.persona, known)):  # fmt: skip
        if word is not None and word not in of:
            _unknown(what, word, of)


def _unknown(what: str, word: str, of: object) -> None:
    names = sorted(of)  # type: ignore[call-overload]
    raise OmniError(
        t("no {what} '{word}' here (known: {known}).", "pas de {what} « {word} » ici (connus : {known}).", what=what, word=word, known=", ".join(names))
        + did_you_mean(word, names), code="usage",
    )  # fmt: skip


def _is_about(finding: Finding, shown: Shown, loaded: Loaded) -> bool:
    """True for a finding that names this message, or stands in it."""
    said = finding.where.get("message")
    if said:
        campaign = finding.where.get("campaign", shown.campaign.campaign)
        inside = not finding.place.file.startswith("campaigns/") or finding.place.file == loaded.file_of(shown.campaign.campaign)
        return campaign == shown.campaign.campaign and inside and shown.name in ([said] if isinstance(said, str) else said)
    return finding.place.file == loaded.file_of(shown.campaign.campaign) and f"{finding.path}.".startswith(
        f"messages.{shown.name}."
    )

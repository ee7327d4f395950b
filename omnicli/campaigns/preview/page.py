"""The preview: one HTML file without network or script that shows every message to every kind of reader, and says whether it is all right.

Switches are radio buttons and style. A script only adds what is nice to have: pointing at a fact in an e-mail, a title for each value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from html import escape
from importlib import resources

from omnicli.campaigns.preview.frames import Stage, mark_rules
from omnicli.campaigns.preview.gallery import section
from omnicli.campaigns.preview.paint import Painter
from omnicli.campaigns.preview.readings import Shown
from omnicli.campaigns.preview.switches import colours, filters, reader_rules, toolbar
from omnicli.look import document, frames, symbols
from omnicli.model.finding import Finding
from omnicli.providers.pages import House
from omnicli.texts import t


@dataclass(frozen=True, slots=True)
class Preview:
    """All that a page shows: messages, their readers by name, the findings of each message (by `campaign/message`)."""

    house: House
    messages: Sequence[Shown]
    readers: Sequence[str]
    at: datetime
    findings: Mapping[str, Sequence[Finding]] = field(default_factory=dict)
    trouble: Sequence[Finding] = ()

    @property
    def facts(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for shown in self.messages for name in shown.facts))

    @property
    def personas(self) -> Mapping[str, str]:
        """Name → title, of all messages."""
        return {name: persona.title for shown in self.messages for name, persona in shown.personas.items()}

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(language for shown in self.messages for language in shown.languages))

    def findings_of(self, shown: Shown) -> Sequence[Finding]:
        return self.findings.get(f"{shown.campaign.campaign}/{shown.name}", ())


def page(preview: Preview, *, script: str = "") -> str:
    """The whole file."""
    painter = Painter(preview.facts, range(len(preview.readers)))
    stage = Stage(preview.house, painter, preview.house.local(preview.at))
    order = list(preview.personas)
    body = "".join(section(shown, n, stage, preview.findings_of(shown), order) for n, shown in enumerate(preview.messages))
    css = (
        frames.style()
        + _style()
        + mark_rules(range(len(preview.facts)))
        + colours(len(preview.facts))
        + reader_rules(len(preview.readers))
        + filters(preview)
    )
    return document(
        f"{preview.house.name} · {t('Preview', 'Aperçu')}",
        f'<svg width="0" height="0" style="position:absolute" aria-hidden="true">{symbols()}</svg>'
        f"{_masthead(preview)}{toolbar(preview)}<main>{body}</main>{_foot()}",
        css=css, script=_SCRIPT + script, primary=preview.house.primary, accent=preview.house.accent,
    ).replace("<head>", f"<head>{_POLICY}", 1)  # fmt: skip


#: Nothing is fetched; the page's own script may run, for the text of no message can become one (see `bare`).
_POLICY = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none';style-src 'unsafe-inline';img-src data:;script-src 'none';base-uri 'none';form-action 'none'\">"
_SCRIPT = ""


def _style() -> str:
    return resources.files("omnicli.campaigns.preview").joinpath("preview.css").read_text(encoding="utf-8")


def _masthead(preview: Preview) -> str:
    campaigns = list(dict.fromkeys(shown.campaign.title or shown.campaign.campaign for shown in preview.messages))
    title = campaigns[0] if len(campaigns) == 1 else preview.house.name
    links = (
        "".join(f'<a href="#m{n}">{escape(shown.name)}</a>' for n, shown in enumerate(preview.messages))
        if len(preview.messages) > 1
        else ""
    )
    return (
        f'<header class="top"><p class="eyebrow"><b>{escape(t("Preview", "Aperçu"))}</b>{escape(preview.house.name)}</p><h1>{escape(title)}</h1>'
        f"<nav>{links}</nav></header>"
    )


def _foot() -> str:
    said = t("Nothing was sent. Addresses lead nowhere; each text is what `omni message render` prints.",
             "Rien n’a été envoyé. Les adresses ne mènent nulle part ; chaque texte est celui de « omni message render ».")  # fmt: skip
    return f'<footer class="end">{escape(said)}</footer>'

"""The preview: one HTML file without network or script that shows every message to every kind of reader, and says whether it is all right.

Switches are radio buttons and style. A script only adds what is nice to have: pointing at a fact in an e-mail, a title for each value.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from html import escape
from importlib import resources

from omnicli.campaigns.preview.frames import Stage, mark_rules
from omnicli.campaigns.preview.gallery import section, told, verdict
from omnicli.campaigns.preview.paint import Painter
from omnicli.campaigns.preview.readings import Shown
from omnicli.campaigns.preview.script import SCRIPT
from omnicli.campaigns.preview.switches import colours, filters, reader_rules, toolbar
from omnicli.look import document, frames, symbols
from omnicli.look.frames import day_name
from omnicli.model.finding import Finding
from omnicli.providers.pages import House
from omnicli.texts import several, t


@dataclass(frozen=True, slots=True)
class Preview:
    """All that a page shows: messages, their readers by name, and errors of the project that stand in the way."""

    house: House
    messages: Sequence[Shown]
    readers: Sequence[str]
    at: datetime
    trouble: Sequence[Finding] = ()
    project: str = ""

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


def page(preview: Preview, *, script: str = "") -> str:
    """The whole file; `script` is added to the page's own."""
    painter = Painter(preview.facts, range(len(preview.readers)))
    stage = Stage(preview.house, painter, preview.house.local(preview.at), list(preview.personas))
    sections = "".join(section(shown, n, stage) for n, shown in enumerate(preview.messages))
    main = sections or f'<p class="nothing">{escape(t("There is no message to show.", "Il n’y a aucun message à montrer."))}</p>'
    bar = toolbar(preview) if preview.messages else ""
    body = f"{_masthead(preview)}{bar}<main>{main}</main>{_foot(preview)}"
    css = (
        mark_rules(range(len(preview.facts)))
        + colours(len(preview.facts))
        + reader_rules(len(preview.readers))
        + filters(preview)
    )
    return whole(f"{preview.house.name} · {t('Preview', 'Aperçu')}", body, css=css, script=script, house=preview.house)


def whole(title: str, body: str, *, css: str = "", script: str = "", house: House | None = None) -> str:
    """A page of the preview: its style and script around a body, and the policy by which nothing else is fetched or run."""
    code = SCRIPT + script
    made = document(
        title, f'<svg width="0" height="0" style="position:absolute" aria-hidden="true">{symbols()}</svg>{body}',
        css=frames.style() + _style() + css, script=code, colours=house.colours if house else {},
    )  # fmt: skip
    return made.replace(
        '<meta charset="utf-8">',
        f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{policy(code, serving=bool(script))}">',
        1,
    )


def policy(code: str, *, serving: bool = False) -> str:
    """Nothing is fetched, and no script runs but this one: by its hash, so that no text of a message can become one."""
    digest = b64encode(sha256(code.encode("utf-8")).digest()).decode("ascii")
    own = "; connect-src 'self'" if serving else ""
    return f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{digest}'{own}; base-uri 'none'; form-action 'none'"


def _style() -> str:
    return resources.files("omnicli.campaigns.preview").joinpath("preview.css").read_text(encoding="utf-8")


def _masthead(preview: Preview) -> str:
    campaigns = list(dict.fromkeys(shown.campaign.title or shown.campaign.campaign for shown in preview.messages))
    title = campaigns[0] if len(campaigns) == 1 else preview.house.name
    return (
        f'<header class="top"><p class="eyebrow"><b>{escape(t("Preview", "Aperçu"))}</b>{escape(preview.house.name)}</p><h1>{escape(title)}</h1>'
        f'<p class="sum">{escape(_sum(preview))}</p>{_contents(preview)}{told(preview.trouble)}</header>'
    )


def _sum(preview: Preview) -> str:
    """`2 messages · 5 channels · 3 personas · 2 languages · 4 readers: 168 renderings`."""
    channels = {channel for shown in preview.messages for channel in shown.channels}
    renderings = sum(len(cell.readings) for shown in preview.messages for cell in shown.cells)
    counts = [
        several(len(preview.messages), ("{n} message", "{n} messages"), ("{n} message", "{n} messages")),
        several(len(channels), ("{n} channel", "{n} channels"), ("{n} canal", "{n} canaux")),
        several(len(preview.personas), ("{n} persona", "{n} personas"), ("{n} persona", "{n} personas")),
        several(len(preview.languages), ("{n} language", "{n} languages"), ("{n} langue", "{n} langues")),
        several(len(preview.readers), ("{n} reader", "{n} readers"), ("{n} lecteur", "{n} lecteurs")),
    ]
    said = several(renderings, ("{n} rendering", "{n} renderings"), ("{n} rendu", "{n} rendus"))
    return f"{' × '.join(counts)}{t(':', ' :')} {said}"


def _contents(preview: Preview) -> str:
    """A way to each message, with a dot that says whether it is all right."""
    if len(preview.messages) < 2:
        return ""
    links = "".join(
        f'<a href="#m{n}"><i class="dot {verdict(shown)[0]}"></i>{escape(shown.name)}</a>'
        for n, shown in enumerate(preview.messages)
    )
    return f'<nav class="contents" aria-label="{escape(t("Messages", "Messages"))}">{links}</nav>'


def _foot(preview: Preview) -> str:
    said = t("Nothing was sent. Addresses lead nowhere; every text is what `omni message render` prints.",
             "Rien n’a été envoyé. Les adresses ne mènent nulle part ; chaque texte est celui de « omni message render ».")  # fmt: skip
    return f'<footer class="end">{escape(said)}<br>{escape(day_name(preview.house.local(preview.at).date(), long=True))} · {escape(preview.project)}</footer>'

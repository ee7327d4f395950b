"""omni message: what is said, by which channels and in which languages, and exactly what a person would receive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from omnicli.cli.frame import session
from omnicli.cli.options import AsOf, opt, page
from omnicli.cli.send_test import Dry, OneChannel, To
from omnicli.errors import OmniError
from omnicli.texts import several, t

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from rich.console import Console

    from omnicli.campaignfile import Loaded
    from omnicli.cli.frame import Session
    from omnicli.model.campaign import Campaign
    from omnicli.model.project import Project
    from omnicli.render.renderer import RenderJob
    from omnicli.render.samples import Sample
    from omnicli.render.trace import Traced

app = typer.Typer(
    help=page(
        "omni message render offre-bienvenue --channel sms",
        "Exactly what would be sent. Facts and words.",
        "Exactement ce qui partirait. Faits et mots.",
    ),
    no_args_is_help=True,
)

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help=t("a message, or campaign/message", "un message, ou campagne/message"), show_default=False
    ),
]
Channel = Annotated[str | None, opt("--channel", "only this channel", "ce canal seulement", metavar="C")]
Contact = Annotated[
    str,
    opt(
        "--contact",
        "a contact's id, or typical, longest, empty, foreign",
        "l'id d'un contact, ou typical, longest, empty, foreign",
        metavar="ID",
    ),
]
Language = Annotated[str | None, opt("--language", "only this language", "cette langue seulement", metavar="L")]
Persona = Annotated[str | None, opt("--persona", "as this persona reads it", "telle que ce persona la lit", metavar="P")]
Html = Annotated[bool, opt("--html", "the page itself (one channel, one language)", "la page elle-même (un canal, une langue)")]
Trace = Annotated[bool, opt("--trace", "where each value comes from", "d'où vient chaque valeur")]


@app.command(
    "list",
    help=page(
        "omni message list",
        "Messages with their facts, channels and languages, and where words are missing.",
        "Les messages, leurs faits, canaux et langues, et où manquent des textes.",
    ),
)
def list_() -> None:
    from omnicli.render.renderer import Renderer
    from omnicli.render.samples import channels

    s = session()
    loaded = s.loaded()
    project = _project(loaded)
    renderer = Renderer(loaded.root, project)
    rows: list[dict[str, Any]] = []
    for campaign in loaded.campaigns.values():
        for name, message in campaign.messages.items():
            taken = channels(project, campaign, name)
            lacking = _lacking(renderer, project, campaign, name, taken)
            rows.append({"campaign": campaign.campaign, "message": name, "facts": list(message.facts), "channels": list(taken),
                         "languages": list(message.say), "missing": lacking})  # fmt: skip

    def draw(console: Console) -> None:
        from omnicli.cli.rows import lay

        head = [
            t("campaign", "campagne"),
            t("message", "message"),
            t("channels", "canaux"),
            t("languages", "langues"),
            t("facts", "faits"),
        ]
        lay(console, [head, *([r["campaign"], r["message"], " ".join(r["channels"]), " ".join(r["languages"]), " ".join(r["facts"])] for r in rows)],
            shrink=4)  # fmt: skip
        for row in rows:
            for lack in row["missing"]:
                console.print(f"{row['campaign']}/{row['message']}: {lack['channel']} × {lack['language']}: {lack['reason']}")

    s.finish({"messages": rows}, show=draw)


def _lacking(renderer: Any, project: Project, campaign: Campaign, name: str, taken: tuple[str, ...]) -> list[dict[str, str]]:
    """The combinations that could not be written: no template, or a slot that is missing."""
    from omnicli.render.samples import languages, personas

    registers = dict.fromkeys(persona.tone.address for persona in personas(project, campaign).values()) or {None: None}
    found: list[dict[str, str]] = []
    for channel in taken:
        for language in languages(project, campaign):
            for register in registers:
                reason = renderer.usable(campaign.messages[name], channel, language, register, campaign=campaign.campaign)
                if reason:
                    found.append(
                        {"channel": channel, "language": f"{language}/{register}" if register else language, "reason": reason}
                    )
    return found


@app.command(
    help=page(
        "omni message render offre-bienvenue --channel email --contact longest",
        "Exactly what would be sent.",
        "Exactement ce qui partirait.",
    )
)
def render(
    name: Name, channel: Channel = None, contact: Contact = "typical", language: Language = None, persona: Persona = None,
    html: Html = False, trace: Trace = False, as_of: AsOf = None,
) -> None:  # fmt: skip
    from omnicli.cli.reader import person_of
    from omnicli.render.renderer import Renderer
    from omnicli.render.views import CannotRender

    s = session()
    loaded = s.loaded()
    project = _project(loaded)
    campaign, message = _the_message(loaded, name)
    if errors := loaded.errors(campaign.campaign):
        from omnicli.model.finding import foremost

        raise OmniError(
            several(len(errors), ("{file} has {n} error: nothing can be rendered", "{file} has {n} errors: nothing can be rendered"),
                    ("{file} a {n} erreur : rien ne peut être rendu", "{file} a {n} erreurs : rien ne peut être rendu"),
                    file=loaded.file_of(campaign.campaign)),
            hint=foremost(errors), code="findings", exit=1,
        )  # fmt: skip
    known = contact in ("typical", "longest", "empty", "foreign")
    if not known:
        s.store(create=False)
    now = s.now(as_of)
    person = _sample(project, contact, now) if known else person_of(s.store(create=False), loaded, campaign, contact, now=now)
    renderer = Renderer(loaded.root, project, live=s.live)
    found: list[dict[str, Any]] = []
    traced: dict[int, Traced] = {}
    for job in _jobs(project, campaign, message, person, now, channel=channel, language=language, persona=persona):
        try:
            found.append(_shown(renderer, job, trace=trace))
            if trace and not s.json:
                traced[len(found) - 1] = renderer.trace(job)
        except CannotRender as error:
            found.append(
                {
                    "channel": job.channel,
                    "language": job.language,
                    "persona": job.persona,
                    "reason": error.reason,
                    "detail": error.detail,
                }
            )
    if html:
        _print_page(s, found)
    result = {"campaign": campaign.campaign, "message": message, "contact": contact, "renderings": found}
    s.finish(result, show=lambda console: _draw(console, found, traced), exit=1 if any("reason" in one for one in found) else 0)


@app.command(
    "send-test",
    help=page(
        "omni message send-test offre-bienvenue --to ines@maisonlune.example --live",
        "One message to a colleague, marked [TEST], by the real provider; without --live into the outbox.",
        "Un message à un collègue, marqué [TEST], par le vrai prestataire ; sans --live, dans la boîte d'envoi.",
    ),
)
def send_test(
    name: Name,
    to: To,
    channel: OneChannel = "email",
    contact: Contact = "typical",
    language: Language = None,
    dry_run: Dry = False,
) -> None:
    from omnicli.cli.send_test import send_test as carry_out

    carry_out(name, to=to, channel=channel, contact=contact, language=language, dry=dry_run)


def _project(loaded: Loaded) -> Project:
    if loaded.project is None:
        raise OmniError(t("omni.yaml cannot be read", "omni.yaml est illisible"), hint="omni lint", code="no-project")
    return loaded.project


def _the_message(loaded: Loaded, name: str) -> tuple[Campaign, str]:
    """The campaign and message that a name means; `campaign/message` where two campaigns have it."""
    from omnicli.text import did_you_mean

    where, _, message = name.rpartition("/")
    holders = [c for c in loaded.campaigns.values() if message in c.messages and where in ("", c.campaign)]
    if len(holders) == 1:
        return holders[0], message
    if holders:
        choices = ", ".join(f"{c.campaign}/{message}" for c in holders)
        raise OmniError(t("'{name}' is in several campaigns: {choices}", "« {name} » est dans plusieurs campagnes : {choices}", name=name, choices=choices),
                        code="usage")  # fmt: skip
    known = [message for c in loaded.campaigns.values() for message in c.messages]
    raise OmniError(t("no message '{name}'.", "pas de message « {name} ».", name=name) + did_you_mean(message, known),
                    hint="omni message list", code="no-message")  # fmt: skip


def _sample(project: Project, name: str, now: datetime) -> Sample:
    from omnicli.render.samples import sample

    return sample(project, name, now=now)


def _jobs(
    project: Project,
    campaign: Campaign,
    message: str,
    person: Sample,
    now: datetime,
    *,
    channel: str | None,
    language: str | None,
    persona: str | None,
) -> list[RenderJob]:
    """One job a channel and language asked for; a contact of the store reads in their own language."""
    from omnicli.channels import MEDIA
    from omnicli.render.samples import channels, job_for, languages, personas, unknown

    known = personas(project, campaign)
    for what, word, of in ((t("channel", "canal"), channel, tuple(c for c in project.channels if c in MEDIA)), (t("language", "langue"), language, languages(project, campaign)),
                           ("persona", persona, tuple(known))):  # fmt: skip
        if word is not None and word not in of:
            raise unknown(what, word, of)
    own = person.language if person.language in languages(project, campaign) else None
    spoken = (
        (language,)
        if language
        else (own,)
        if own
        else languages(project, campaign)[:1]
        if person.persona
        else languages(project, campaign)
    )
    read_as = persona or person.persona or next((name for name, p in known.items() if p.match is None), next(iter(known), None))
    return [
        job_for(project, campaign, message, channel=one, language=tongue, persona=read_as, person=person, now=now)
        for one in ((channel,) if channel else channels(project, campaign, message))
        for tongue in spoken
    ]


def _shown(renderer: Any, job: RenderJob, *, trace: bool) -> dict[str, Any]:
    from omnicli.channels.sms import count_sms

    rendered = renderer.render(job)
    found: dict[str, Any] = {
        "channel": job.channel, "language": job.language, "persona": job.persona, "parts": dict(rendered.parts), "links": list(rendered.links),
    }  # fmt: skip
    if job.channel == "sms":
        count = count_sms(rendered.parts["body"])
        found["sms"] = {"encoding": count.encoding, "parts": count.parts, "units": count.units}
    if trace:
        from omnicli.cli.trace_view import values

        found["trace"] = values(renderer.trace(job))
    return found


def _origin_said(origin: str) -> str:
    """`fact price` as the language in use says it."""
    kind, _, rest = origin.partition(" ")
    said = {"fact": t("fact", "fait"), "link": t("link", "lien"), "value": t("value", "valeur"), "brand": t("brand", "marque"),
            "address": t("address", "adresse"), "picture": t("picture", "image"), "touch": t("touch", "envoi")}.get(kind, kind)  # fmt: skip
    return f"{said} {rest}".rstrip()


def _print_page(s: Session, found: list[dict[str, Any]]) -> None:
    """The HTML of the one rendering, byte for byte, on stdout."""
    pages = [one["parts"].get("html") or one["parts"].get("card") for one in found if "parts" in one]
    pages = [page for page in pages if page]
    if len(pages) != 1:
        raise OmniError(t("--html shows one page: choose --channel and --language", "--html montre une page : choisissez --channel et --language"),
                        code="usage")  # fmt: skip
    if not s.json:
        typer.echo(pages[0])
        s.close()
        raise typer.Exit(0)


def _draw(console: Console, found: list[dict[str, Any]], traced: Mapping[int, Traced]) -> None:
    from rich.text import Text

    from omnicli.cli import trace_view
    from omnicli.render.finish import to_text
    from omnicli.text import printable

    for n, one in enumerate(found):
        head = " × ".join(filter(None, (one["channel"], one["language"], one["persona"])))
        if "sms" in one:
            parts = one["sms"]["parts"]
            head += t(" · {encoding}, {n} part(s), {units} characters", " · {encoding}, {n} partie(s), {units} caractères",
                      encoding=one["sms"]["encoding"], n=parts, units=one["sms"]["units"])  # fmt: skip
        console.print(Text(f"── {head} " + "─" * max(3, 72 - len(head)), style="bold"))
        if "reason" in one:
            console.print(Text(f"{one['reason']}: {printable(one['detail'])}", style="red"))
            continue
        if n in traced and not console.no_color:
            trace_view.show(console, traced[n])
            console.print()
            continue
        parts = {part: text for part, text in one["parts"].items() if not (part == "html" and "text" in one["parts"])}
        for part, text in parts.items():
            shown = to_text(text) if part in ("html", "card") else text
            if len(parts) > 1:
                console.print(Text(part, style="dim"))
            console.print(Text("\n".join(printable(line) for line in shown.splitlines())))
        for mark in one.get("trace", ()):
            console.print(Text(f"  {mark['part']}: {printable(mark['value'])[:60]}  ← {_origin_said(mark['from'])}", style="dim"))
        console.print()

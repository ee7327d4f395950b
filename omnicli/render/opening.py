"""Opens the sheet of an edition: its words looked up, its views made, its templates at hand; CannotRender where words lack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parseaddr
from typing import Any

from omnicli.channels import MEDIA, Medium, Part
from omnicli.model.campaign import Message
from omnicli.model.project import Persona, Project
from omnicli.render import colours, links, required
from omnicli.render.job import Edition
from omnicli.render.reader import Reader
from omnicli.render.sheet import Made, Sheet
from omnicli.render.shelf import Shelf
from omnicli.render.skeleton import Recorder
from omnicli.render.views import (
    CannotRender,
    Constant,
    ContactView,
    FactView,
    Fields,
    Lacking,
    Link,
    Own,
    Picture,
    Printed,
    SayView,
    Slot,
    Today,
)
from omnicli.render.wording import look_up, persona_of
from omnicli.render.words import Placeholder, WordsError, parse_words
from omnicli.texts import t


@dataclass(frozen=True, slots=True)
class Opener:
    """What all sheets of a renderer have in common. `own`: where every link that people see stands."""

    project: Project
    shelf: Shelf
    recorder: Recorder
    signing: links.Signing
    own: str | None

    def sheet(self, edition: Edition) -> Sheet:
        """The sheet with its templates, compiled."""
        sheet = self.bare(edition)
        sheet.made = [one for one in (self._made(part, edition) for part in sheet.medium.parts) if one is not None]
        sheet.whole = self.shelf.whole([made.template.name or "" for made in sheet.made if made.template is not None])
        return sheet

    def bare(self, edition: Edition) -> Sheet:
        """The sheet with its words, its reader and what templates see, but no templates yet."""
        medium = MEDIA.get(edition.channel)
        if medium is None:
            raise CannotRender(
                "render_failed", t("no medium '{channel}'", "pas de support « {channel} »", channel=edition.channel)
            )
        message = self._message(edition)
        persona = persona_of(self.project, edition.campaign, edition.persona)
        words = self._words(edition, message, persona.tone.address if persona else None)
        tracked = medium.tracked and self.own is not None and self.project.tracking.clicks is not False
        reader = Reader(
            project=self.project, message=message, name=edition.message, medium=medium, language=edition.language,
            recorder=self.recorder, own=self.own, tracked=tracked, utm=self._utm(edition, medium), signing=self.signing,
            mailto=self._mailto(), size="",
        )  # fmt: skip
        variables, extra = self._variables(edition, reader, persona, words)
        return Sheet(medium, reader, variables, [], edition.name, extra, edition.persona, edition.language)

    def _message(self, edition: Edition) -> Message:
        message = edition.campaign.messages.get(edition.message)
        if message is None:
            raise CannotRender(
                "render_failed",
                t("campaign '{campaign}' has no message '{name}'", "la campagne « {campaign} » n'a pas de message « {name} »",
                  campaign=edition.campaign.campaign, name=edition.message),
            )  # fmt: skip
        return message

    def _words(self, edition: Edition, message: Message, register: str | None) -> Mapping[str, str]:
        words = look_up(message, edition.language, register)
        needs = self.shelf.needs(edition.channel, edition.campaign.campaign)
        if needs is None:
            raise CannotRender(
                "no_words",
                t("templates/{channel}.*.j2 does not exist", "templates/{channel}.*.j2 n'existe pas", channel=edition.channel),
            )
        if lacking := required.missing(needs, frozenset(words)):
            where = f"{edition.language}/{register}" if register else edition.language
            raise CannotRender(
                "no_words",
                t("'{name}' has no '{slot}' in {where}, which {template} needs",
                  "« {name} » n'a pas de « {slot} » en {where}, dont {template} a besoin",
                  name=edition.message, slot=lacking.slot, where=where, template=lacking.template or edition.channel),
            )  # fmt: skip
        return words

    def _made(self, part: Part, edition: Edition) -> Made | None:
        if part.slot is not None:
            return Made(part)
        name = self.shelf.template(edition.channel, part.ext or "txt", edition.campaign.campaign)
        return None if name is None else Made(part, *self.shelf.compiled(name))

    # -- addresses ---------------------------------------------------------------------------------------------------
    def _utm(self, edition: Edition, medium: Medium) -> tuple[tuple[str, str], ...]:
        utm = self.project.tracking.utm
        if utm is None:
            return ()
        source = utm.source or (self.project.brand.name if self.project.brand else self.project.project)
        words = (("utm_source", source), ("utm_medium", utm.mediums.get(edition.channel, medium.utm)),
                 ("utm_campaign", edition.campaign.campaign), ("utm_content", edition.message), ("utm_id", edition.step))  # fmt: skip
        return tuple((name, links.safe_word(value)) for name, value in words if value)

    def _mailto(self) -> str:
        """Where a reader without a web address can unsubscribe: a mail to the sender."""
        channel = self.project.channels.get("email")
        address = parseaddr((channel.reply_to or channel.from_ or "") if channel else "")[1]
        return f"mailto:{address}?subject=unsubscribe" if address else ""

    def _pixel(self, edition: Edition) -> Any:
        """The address of the picture that tells of an opening (rules CO-07): where openings are only counted it is the same for
        everybody and names nobody, where they are noted by person only whoever agreed has one."""
        how = self.project.tracking.opens
        if self.own is None or edition.channel != "email" or how == "off" or (how == "consented" and not edition.opens):
            return Lacking(_no_address("pixel"), name="pixel")
        if how == "consented":
            return Own("open", self.recorder)
        counted = links.token(self.signing, "opens", links.sum_key(edition.campaign.campaign, edition.message, edition.step))
        return Constant(f"{self.own}/{links.PATHS['opens']}/{counted}")

    # -- what templates see ------------------------------------------------------------------------------------------
    def _variables(
        self, edition: Edition, reader: Reader, persona: Persona | None, words: Mapping[str, str]
    ) -> tuple[dict[str, Any], Fields]:
        recorder = self.recorder
        extra = Fields("touch", {"size": Constant(self._size(edition.channel))})
        marketing = edition.purpose == "marketing"
        variables: dict[str, Any] = {
            "say": self._say(edition, reader, words), "facts": reader.facts_view,
            "contact": ContactView(frozenset(reader.kinds), recorder), "brand": self._brand(reader),
            "persona": _persona(persona, reader), "language": Constant(edition.language), "now": Today(recorder), "touch": extra,
            "message": Fields("message", {"name": Constant(edition.message), "purpose": Constant(edition.purpose)}),
            "stop": Constant(reader.folded(self._stop(edition))),
            "direction": Constant("rtl" if reader.locale.text_direction == "right-to-left" else "ltr"),
        }  # fmt: skip
        for purpose in ("unsubscribe", "preferences", "web_version"):
            offered = self.own is not None or (purpose == "unsubscribe" and bool(reader.mailto))
            wanted = marketing or purpose == "web_version"
            variables[purpose] = Own(purpose, recorder) if offered and wanted else Lacking(_no_address(purpose), name=purpose)
        variables["landing"] = Own("scan", recorder) if self.own is not None else Lacking(_no_address("landing"), name="landing")
        variables["pixel"] = self._pixel(edition)
        variables["link"], variables["qr"] = _link_function(recorder), _qr_function(recorder)
        return variables, extra

    def _say(self, edition: Edition, reader: Reader, words: Mapping[str, str]) -> SayView:
        slots: dict[str, Slot] = {}
        for slot, text in words.items():
            try:
                pieces = parse_words(text)
            except WordsError as error:
                raise CannotRender(
                    "render_failed", f"'{edition.message}', {slot}: {error.message} (column {error.column})"
                ) from None
            slots[slot] = Slot(
                [reader.fill(piece) if isinstance(piece, Placeholder) else reader.folded(piece) for piece in pieces],
                self.recorder,
            )
        where = t("'{name}' in {language}", "« {name} » en {language}", name=edition.message, language=edition.language)
        return SayView(slots, where)

    def _brand(self, reader: Reader) -> Fields:
        brand = self.project.brand
        given = {key: getattr(brand, key) for key in ("name", "legal_name", "address", "privacy", "logo")} if brand else {}
        values: dict[str, Any] = {key: Constant(reader.folded(text)) for key, text in given.items() if text is not None}
        values.setdefault("name", Constant(self.project.project))
        values["font"] = Constant(colours.font(brand.font if brand else None))
        values["colours"] = Fields(
            "brand.colours", {key: Constant(colour) for key, colour in colours.palette(brand.colours if brand else {}).items()}
        )
        if "logo" in values and not values["logo"].startswith("https://"):
            del values["logo"]  # a file of the project: nobody's mail program could fetch it
        return Fields("brand", values)

    def _size(self, channel: str) -> str:
        """How large a code is printed, in millimetres."""
        settings = self.project.channels.get(channel)
        return f"{float(settings.size.metres * 1000):g}mm" if settings is not None and settings.size is not None else "30mm"

    def _stop(self, edition: Edition) -> str:
        """The STOP words of a marketing SMS (rules FR-04, SM-07); nothing elsewhere."""
        if edition.purpose != "marketing" or edition.channel != "sms":
            return ""
        settings = self.project.channels.get("sms")
        number = settings.stop if settings else None
        french = edition.language.split("-")[0] == "fr"
        if number:
            return f"STOP au {number}" if french else f"STOP to {number}"
        return "Répondez STOP pour ne plus recevoir" if french else "Reply STOP to opt out"


def own_host(project: Project, *, live: bool) -> str | None:
    """Where every link that people see stands: `tracking.domain`, in live as that environment overrides it, else `public_url`."""
    there = project.environments["live"].tracking.domain if live and "live" in project.environments else None
    return str(there or project.tracking.domain or project.public_url or "").rstrip("/") or None


def _persona(persona: Persona | None, reader: Reader) -> Any:
    if persona is None:
        return Lacking(t("this contact has no persona", "ce contact n'a pas de persona"), name="persona")
    lists = {
        key: tuple(Constant(reader.folded(text)) for text in getattr(persona, key))
        for key in ("needs", "problems", "interests", "levers")
    }
    return Fields("persona", {"title": Constant(reader.folded(persona.title)), **lists})


def _link_function(recorder: Recorder) -> Any:
    made: dict[Any, Link] = {}

    def link(target: Any) -> Any:
        if isinstance(target, Lacking):
            return target
        if isinstance(target, Own):
            return target
        key = target.name if isinstance(target, FactView) else ("", str(target))
        if key not in made:
            made[key] = Link(target if isinstance(target, FactView) else Constant(str(target)), recorder)
        return made[key]

    link.for_templates = True  # type: ignore[attr-defined]
    return link


def _qr_function(recorder: Recorder) -> Any:
    def qr(target: Any) -> Any:
        if isinstance(target, Lacking):
            return target
        inner = target.target if isinstance(target, Link) else target
        return Picture(inner if isinstance(inner, Printed) else Constant(str(inner)), recorder, "qr")

    qr.for_templates = True  # type: ignore[attr-defined]
    return qr


def _no_address(purpose: str) -> str:
    return t("there is no {purpose} address here", "il n'y a pas d'adresse {purpose} ici", purpose=purpose)

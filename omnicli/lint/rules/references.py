"""Family R: what is named exists, once, and is used."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from importlib import resources

from omnicli.lint.ground import Chapter, Ground, Path_, rename
from omnicli.lint.rule import rule
from omnicli.lint.steps import at, channels_of, every_send, messages_sent, steps
from omnicli.model import literals as lit
from omnicli.model.campaign import Call, Go, Send
from omnicli.model.finding import Finding, Fix
from omnicli.model.written import unknown
from omnicli.text import did_you_mean, nearest
from omnicli.texts import t


def missing(
    ground: Ground, code: str, file: str, path: Path_, word: str, known: Iterable[str], message: str, *, key: bool = False
) -> Finding:
    """A finding about a word that names nothing, with the nearest known one as its safe fix."""
    names = [name for name in known if not unknown(name)]
    place = ground.place(file, path, key=key)
    near = nearest(word, names)
    fix = rename(place, near, title=t("rename it to '{near}'", "le renommer « {near} »", near=near)) if near else None
    help = "" if near or not names else t("known: {names}", "connus : {names}", names=", ".join(sorted(names)[:12]))
    return ground.finding(code, place, message + did_you_mean(word, names), path=path, fix=fix, help=help)


@rule("R001")
def unknown_message(ground: Ground) -> Iterator[Finding]:
    for chapter in ground.chapters:
        for path, step in steps(chapter.campaign):
            if isinstance(step, Send) and not unknown(step.send) and step.send not in chapter.campaign.messages:
                text = t("no message called '{m}'.", "pas de message « {m} ».", m=step.send)
                yield missing(ground, "R001", chapter.file, (*path, "send"), step.send, chapter.campaign.messages, text)
        for name, message in chapter.campaign.messages.items():
            if message.replaces and message.replaces not in chapter.campaign.messages:
                text = t("no message called '{m}'.", "pas de message « {m} ».", m=message.replaces)
                yield missing(
                    ground,
                    "R001",
                    chapter.file,
                    ("messages", name, "replaces"),
                    message.replaces,
                    chapter.campaign.messages,
                    text,
                )


@rule("R002")
def unknown_step(ground: Ground) -> Iterator[Finding]:
    for chapter in ground.chapters:
        ids = [step.id for _, step in steps(chapter.campaign) if step.id]
        for path, step in steps(chapter.campaign):
            if isinstance(step, Go) and step.go not in ids:
                text = t("no step called '{s}'.", "pas d'étape « {s} ».", s=step.go)
                yield missing(ground, "R002", chapter.file, (*path, "go"), step.go, ids, text)


@rule("R003")
def unknown_channel(ground: Ground) -> Iterator[Finding]:
    known = list(ground.project.channels)

    def judge(file: str, path: Path_, word: str, *, key: bool = False, also: tuple[str, ...] = ()) -> Iterator[Finding]:
        if word not in known and word not in also and not unknown(word):
            text = t("channel '{c}' is not set up in omni.yaml.", "le canal « {c} » n'est pas prévu dans omni.yaml.", c=word)
            yield missing(ground, "R003", file, path, word, [*known, *also], text, key=key)

    for name, persona in ground.project.personas.items():
        for index, channel in enumerate(persona.channels):
            yield from judge("omni.yaml", at(ground, "omni.yaml", ("personas", name, "channels"), index), channel)
    yield from _guardrail_channels(ground, "omni.yaml", ground.project.guardrails, judge)
    for chapter in ground.chapters:
        for path, step in steps(chapter.campaign):
            if isinstance(step, Send):
                yield from judge(chapter.file, (*path, "by"), step.by, also=("preferred",))
                for index, channel in enumerate(step.else_):
                    yield from judge(chapter.file, at(ground, chapter.file, (*path, "else"), index), channel)
        for name, message in chapter.campaign.messages.items():
            for channel in message.omit:
                yield from judge(chapter.file, ("messages", name, "omit", channel), channel, key=True)
            for index, channel in enumerate(message.channels or ()):
                yield from judge(chapter.file, at(ground, chapter.file, ("messages", name, "channels"), index), channel)
        if isinstance(chapter.campaign.personas, dict):
            for name, persona in chapter.campaign.personas.items():
                for index, channel in enumerate(persona.channels):
                    yield from judge(chapter.file, at(ground, chapter.file, ("personas", name, "channels"), index), channel)
        yield from _guardrail_channels(ground, chapter.file, chapter.campaign.guardrails, judge)


def _guardrail_channels(ground: Ground, file: str, guardrails: object, judge: object) -> Iterator[Finding]:
    for channel in getattr(guardrails, "cap", {}):
        yield from judge(file, ("guardrails", "cap", channel), channel, key=True, also=("all",))  # type: ignore[operator]
    source = ground.loaded.sources.get(file)
    windows = getattr(guardrails, "quiet_hours", {})
    for channel in windows:
        if channel != "all" and source is not None:
            yield from judge(file, ("guardrails", "quiet_hours", channel), channel, key=True)  # type: ignore[operator]


@rule("R004")
def unknown_segment_or_persona(ground: Ground) -> Iterator[Finding]:
    for chapter in ground.chapters:
        if isinstance(chapter.campaign.personas, tuple):
            for index, name in enumerate(chapter.campaign.personas):
                if name not in ground.project.personas:
                    text = t("no persona called '{x}'.", "pas de persona « {x} ».", x=name)
                    yield missing(
                        ground,
                        "R004",
                        chapter.file,
                        at(ground, chapter.file, ("personas",), index),
                        name,
                        ground.project.personas,
                        text,
                    )
        for message_name, message in chapter.campaign.messages.items():
            for fact_name, fact in message.facts.items():
                for persona in fact.by_persona or {}:
                    if persona != "default" and persona not in chapter.names.personas:
                        path = ("messages", message_name, "facts", fact_name, "by_persona", persona)
                        text = t("no persona called '{x}'.", "pas de persona « {x} ».", x=persona)
                        yield missing(ground, "R004", chapter.file, path, persona, chapter.names.personas, text, key=True)


@rule("R005")
def unknown_attribute(ground: Ground) -> Iterator[Finding]:
    for chapter in ground.chapters:
        attributes = chapter.names.attributes
        for path, step in steps(chapter.campaign):
            for name in getattr(step, "set", {}) or {}:
                if name not in attributes or name in ("id", "created"):
                    text = t("contacts have no attribute '{a}'.", "les contacts n'ont pas d'attribut « {a} ».", a=name)
                    yield missing(ground, "R005", chapter.file, (*path, "set", name), name, attributes, text, key=True)
        for message_name, message in chapter.campaign.messages.items():
            for fact_name, fact in message.facts.items():
                if fact.from_ and fact.from_.startswith("contact.") and fact.from_[8:] not in attributes:
                    text = t("contacts have no attribute '{a}'.", "les contacts n'ont pas d'attribut « {a} ».", a=fact.from_[8:])
                    path = ("messages", message_name, "facts", fact_name, "from")
                    yield missing(ground, "R005", chapter.file, path, fact.from_, [f"contact.{a}" for a in attributes], text)


@rule("R006")
def unused(ground: Ground) -> Iterator[Finding]:
    if any(f.severity == "error" for f in ground.loaded.findings):
        return  # what cannot be read may be what uses it
    used_segments = _words_of_conditions(ground)
    for chapter in ground.chapters:
        sent = messages_sent(chapter.campaign)
        for name in chapter.campaign.messages:
            if name not in sent:
                yield _unused(ground, chapter.file, ("messages", name), "message", name)
        for name in chapter.campaign.segments:
            if f"segment {name}" not in used_segments:
                yield _unused(ground, chapter.file, ("segments", name), "segment", name)
    for name in ground.project.segments:
        if f"segment {name}" not in used_segments:
            yield _unused(ground, "omni.yaml", ("segments", name), "segment", name)
    calls = {step.call for c in ground.chapters for _, step in steps(c.campaign) if isinstance(step, Call)}
    for name in ground.project.webhooks:
        if name not in calls:
            yield _unused(ground, "omni.yaml", ("webhooks", name), "webhook", name)
    teams = _teams_in_use(ground)
    for name, team in ground.project.teams.items():
        if name not in teams and not any("@" in member for member in team.members):  # with an address: for `message send-test`
            yield _unused(ground, "omni.yaml", ("teams", name), t("team", "équipe"), name)
    places = {s.place for c in ground.chapters for _, s in every_send(c.campaign) if s.place}
    nearest_asked = "nearest" in places or any(
        f.type == "place" for c in ground.chapters for m in c.campaign.messages.values() for f in m.facts.values()
    )
    for name in ground.project.places:
        if name not in places and not nearest_asked:
            yield _unused(ground, "omni.yaml", ("places", name), t("place", "lieu"), name)


def _unused(ground: Ground, file: str, path: Path_, kind: str, name: str) -> Finding:
    text = t("{kind} '{x}' is never used", "{kind} « {x} » : jamais employé", kind=kind, x=name)
    return ground.finding("R006", ground.place(file, path, key=True), text, path=path)


def _teams_in_use(ground: Ground) -> set[str | None]:
    found: set[str | None] = {c.team for c in ground.project.channels.values()} | {s.team for s in ground.project.sla.values()}
    found |= {p.team for p in ground.project.places.values()}
    return found | {s.team for c in ground.chapters for _, s in every_send(c.campaign)}


def _words_of_conditions(ground: Ground) -> set[str]:
    from omnicli.lint.conditions import every_condition

    found: set[str] = set()
    for _file, _path, text, _where, _names in every_condition(ground):
        found |= {f"{kind} {name}" for kind, name in re.findall(r"\b(segment|persona)\s+([\w-]+)", text, re.I)}
    return found


@rule("R007")
def duplicate_name(ground: Ground) -> Iterator[Finding]:
    project = ground.project
    for name in project.contacts.attributes:
        if name in project.events:
            first = ground.place("omni.yaml", ("contacts", "attributes", name), key=True)
            yield _twice(ground, "omni.yaml", ("events", name), name, t("an attribute", "un attribut"), first.line)
    for chapter in ground.chapters:
        yield from _names_of_campaign(ground, chapter)


def _names_of_campaign(ground: Ground, chapter: Chapter) -> Iterator[Finding]:
    seen: dict[str, tuple[str, int]] = {}
    for name in chapter.campaign.messages:
        seen[name] = (t("a message", "un message"), ground.place(chapter.file, ("messages", name), key=True).line)
    for path, step in steps(chapter.campaign):
        if step.id is None:
            continue
        if step.id in seen:
            what, line = seen[step.id]
            yield _twice(ground, chapter.file, (*path, "id"), step.id, what, line, key=False)
        else:
            seen[step.id] = (t("a step", "une étape"), ground.place(chapter.file, (*path, "id")).line)
    for name in chapter.campaign.segments:
        if name in ground.project.segments:
            line = ground.place("omni.yaml", ("segments", name), key=True).line
            yield _twice(
                ground, chapter.file, ("segments", name), name, t("a segment of omni.yaml", "un segment d'omni.yaml"), line
            )
    for name, message in chapter.campaign.messages.items():
        for fact in message.facts:
            if fact in ground.project.contacts.attributes:
                line = ground.place("omni.yaml", ("contacts", "attributes", fact), key=True).line
                yield _twice(
                    ground,
                    chapter.file,
                    ("messages", name, "facts", fact),
                    fact,
                    t("a contact attribute", "un attribut des contacts"),
                    line,
                )


def _twice(ground: Ground, file: str, path: Path_, name: str, what: str, line: int, *, key: bool = True) -> Finding:
    text = t("'{id}' is already {what} (line {n})", "« {id} » est déjà {what} (ligne {n})", id=name, what=what, n=line)
    return ground.finding("R007", ground.place(file, path, key=key), text, path=path)


@rule("R008")
def no_template(ground: Ground) -> Iterator[Finding]:
    told: set[str] = set()
    for chapter in ground.chapters:
        for path, step in every_send(chapter.campaign):
            for channel in channels_of(step, chapter, ground.project):
                if channel in told or channel not in ground.project.channels or channel == "webhook":
                    continue
                if any(
                    re.match(rf"templates/{re.escape(channel)}\.(?:[^/]+\.)?(?:html|txt|md)\.j2$", name)
                    for name in ground.templates
                ):
                    continue
                told.add(channel)
                fix = None
                if default := _shipped(channel):
                    title = t("create it from the default", "le créer d'après le modèle fourni")
                    fix = Fix(title, (), True, tuple((f"templates/{name}", text) for name, text in default.items()))
                text = t("templates/{c}.*.j2 does not exist", "templates/{c}.*.j2 n'existe pas", c=channel)
                where = (*path, "by") if step.by == channel else (*path, "else") if channel in step.else_ else (*path, "by")
                yield ground.finding("R008", ground.place(chapter.file, where), text, path=where, fix=fix)


def _shipped(channel: str) -> dict[str, str]:
    """The shipped templates of the channel: file name → text."""
    folder = resources.files("omnicli.render") / "shipped"
    return {entry.name: entry.read_text("utf-8") for entry in folder.iterdir() if entry.name.startswith(f"{channel}.")}


@rule("R010")
def unknown_campaign(ground: Ground) -> Iterator[Finding]:
    from omnicli.lint.conditions import problems

    for problem in problems(ground):
        if problem.code == "R010":
            yield problem


@rule("R011")
def unknown_date(ground: Ground) -> Iterator[Finding]:
    for chapter in ground.chapters:
        for path, step in steps(chapter.campaign):
            for key in ("at", "wait"):
                moment = getattr(step, key, None)
                moment = moment.moment if isinstance(moment, lit.Wait) else moment
                if isinstance(moment, lit.Moment) and moment.kind == "anchor":
                    yield from _anchor(ground, chapter, (*path, key), moment, entering=False)
        if chapter.campaign.enter.on is not None and chapter.campaign.enter.on.kind == "anchor":
            yield from _anchor(ground, chapter, ("enter", "on"), chapter.campaign.enter.on, entering=True)
        for name, message in chapter.campaign.messages.items():
            for fact, value in message.facts.items():
                if isinstance(value.value, lit.Moment) and value.value.kind == "anchor":
                    yield from _anchor(ground, chapter, ("messages", name, "facts", fact), value.value, entering=False)


def _anchor(ground: Ground, chapter: Chapter, path: Path_, moment: lit.Moment, *, entering: bool) -> Iterator[Finding]:
    anchor = moment.anchor or ""
    dates = {
        f"{m}.{f}": f
        for m, message in chapter.campaign.messages.items()
        for f, fact in message.facts.items()
        if fact.type == "date"
    }
    attributes = {f"contact.{a}" for a, kind in chapter.names.attributes.items() if kind.name in ("date", "time")}
    if anchor in attributes or (not entering and (anchor == "enter" or anchor in dates)):
        return
    bare = [full for full, fact in dates.items() if fact == anchor]
    if len(bare) == 1 and not entering:
        return
    place = ground.place(chapter.file, path)
    if len(bare) > 1:
        text = t(
            "'{x}' is a date of several messages: write {full}",
            "« {x} » est une date de plusieurs messages : écrivez {full}",
            x=anchor,
            full=bare[0],
        )
        yield ground.finding("R011", place, text, path=path)
        return
    known = [*attributes] if entering else ["enter", *dates, *dates.values(), *attributes]
    near = nearest(anchor, known)
    raw = str(ground.loaded.sources[chapter.file].scalar(path) or "") if near else ""
    fix = (
        rename(place, raw.replace(anchor, near), title=t("write '{near}'", "écrire « {near} »", near=near))
        if near and anchor in raw
        else None
    )
    text = t("'{x}' is no date fact.", "« {x} » n'est pas une date.", x=anchor) + did_you_mean(anchor, known)
    yield ground.finding("R011", place, text, path=path, fix=fix)


@rule("R012")
def unknown_language(ground: Ground) -> Iterator[Finding]:
    known = list(ground.project.languages)
    if not known or any(unknown(language) for language in known):
        return
    registers = ("tu", "vous", "formal", "informal")
    for chapter in ground.chapters:
        for index, language in enumerate(chapter.campaign.languages or ()):
            if language not in known and not unknown(language):
                text = t("'{l}' is not a language of the project.", "« {l} » n'est pas une langue du projet.", l=language)
                yield missing(
                    ground, "R012", chapter.file, at(ground, chapter.file, ("languages",), index), language, known, text
                )
        for name, message in chapter.campaign.messages.items():
            places = [("say", key) for key in message.say] + [("approved", key) for key in message.approved]
            for section, key in places:
                language = key.partition("/")[0]
                if language not in known:
                    text = t("'{l}' is not a language of the project.", "« {l} » n'est pas une langue du projet.", l=language)
                    yield missing(ground, "R012", chapter.file, ("messages", name, section, key), key,
                                  [*known, *(f"{k}/{r}" for k in known for r in registers)], text, key=True)  # fmt: skip


@rule("R013")
def unknown_fact(ground: Ground) -> Iterator[Finding]:
    for chapter in ground.chapters:
        for name, message in chapter.campaign.messages.items():
            for channel, facts in message.omit.items():
                for index, fact in enumerate(facts):
                    if fact not in message.facts and not unknown(fact) and not unknown(message.facts):
                        text = t(
                            "message '{m}' has no fact '{f}'.", "le message « {m} » n'a pas de fait « {f} ».", m=name, f=fact
                        )
                        path = at(ground, chapter.file, ("messages", name, "omit", channel), index)
                        yield missing(ground, "R013", chapter.file, path, fact, message.facts, text)


@rule("R014")
def channel_not_allowed(ground: Ground) -> Iterator[Finding]:
    for chapter in ground.chapters:
        for path, step in every_send(chapter.campaign):
            message = chapter.campaign.messages.get(step.send)
            named = [(step.by, (*path, "by"))]
            named += [(c, at(ground, chapter.file, (*path, "else"), i)) for i, c in enumerate(step.else_)]
            for channel, where in named:
                if channel == "webhook" or (
                    message and message.channels and channel != "preferred" and channel not in message.channels
                ):
                    text = t(
                        "'{m}' may not go by {c} (channels:)",
                        "« {m} » ne peut pas partir par {c} (channels:)",
                        m=step.send,
                        c=channel,
                    )
                    yield ground.finding("R014", ground.place(chapter.file, where), text, path=where)


@rule("R015")
def unknown_name(ground: Ground) -> Iterator[Finding]:
    project = ground.project

    def judge(file: str, path: Path_, word: str | None, known: Iterable[str], english: str, french: str) -> Iterator[Finding]:
        if word is not None and word not in known and not unknown(word) and not unknown(known):
            text = t("no {kind} called '{x}'.", "pas de {kind} « {x} ».", kind=t(english, french), x=word)
            yield missing(ground, "R015", file, path, word, known, text)

    for name, channel in project.channels.items():
        yield from judge("omni.yaml", ("channels", name, "team"), channel.team, project.teams, "team", "équipe")
    for name, sla in project.sla.items():
        yield from judge("omni.yaml", ("sla", name, "team"), sla.team, project.teams, "team", "équipe")
    for chapter in ground.chapters:
        yield from judge(chapter.file, ("topic",), chapter.campaign.topic, project.topics, "topic", "sujet")
        for path, step in steps(chapter.campaign):
            if isinstance(step, Call):
                yield from judge(chapter.file, (*path, "call"), step.call, project.webhooks, "webhook", "webhook")
            elif isinstance(step, Send):
                yield from judge(chapter.file, (*path, "team"), step.team, project.teams, "team", "équipe")
                place = None if step.place == "nearest" else step.place
                yield from judge(chapter.file, (*path, "place"), place, project.places, "place", "lieu")


@rule("R009")
def unknown_event(ground: Ground) -> Iterator[Finding]:
    from omnicli.lint.conditions import problems

    yield from (p for p in problems(ground) if p.code == "R009")

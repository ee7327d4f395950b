"""The rules that need numbers: they speak with a store beside the project, and say nothing otherwise."""

from __future__ import annotations

from collections.abc import Iterator

from omnicli.condition.check import MOST_AGGREGATES, check
from omnicli.lint.census import Said
from omnicli.lint.conditions import every_condition, is_key
from omnicli.lint.ground import Chapter, Ground
from omnicli.lint.rule import rule
from omnicli.lint.steps import every_send
from omnicli.model.campaign import Message
from omnicli.model.finding import Finding
from omnicli.model.written import unknown
from omnicli.texts import t

FEW = 20  # below this many people a share says nothing


@rule("A004")
def overlapping_personas(ground: Ground) -> Iterator[Finding]:
    if ground.census is None:
        return
    matches = [(name, persona.match) for name, persona in ground.project.personas.items() if persona.match]
    for index, (name, text) in enumerate(matches):
        for earlier, other in matches[:index]:
            both = ground.census.count(f"({other}) and ({text})", ground.names)
            if both:
                path = ("personas", name, "match")
                said = t("{n} contacts match both '{a}' and '{b}'; the first in the file wins", "{n} contacts sont à la fois « {a} » et « {b} » ; le premier du fichier l'emporte",
                         n=both, a=earlier, b=name)  # fmt: skip
                yield ground.finding("A004", ground.place("omni.yaml", path), said, path=path)


@rule("A005")
def nobody_fits(ground: Ground) -> Iterator[Finding]:
    personas = ground.project.personas
    if ground.census is None or not personas or "default" in personas:
        return
    anyone = " or ".join(f"({persona.match})" for persona in personas.values() if persona.match)
    fit = ground.census.count(anyone, ground.names)
    if fit is not None and fit < ground.census.total:
        share = round(100 * (ground.census.total - fit) / ground.census.total)
        said = t("{n} % match no persona", "{n} % ne correspondent à aucun persona", n=share)
        yield ground.finding("A005", ground.place("omni.yaml", ("personas",), key=True), said, path=("personas",))


@rule("A006")
def empty_segment(ground: Ground) -> Iterator[Finding]:
    if ground.census is None:
        return
    listed = [("omni.yaml", name, s.match, ground.names) for name, s in ground.project.segments.items()]
    listed += [(c.file, name, s.match, c.names) for c in ground.chapters for name, s in c.campaign.segments.items()]
    for file, name, text, names in listed:
        if ground.census.count(text, names) == 0:
            said = t(
                "'{name}' selects 0 of {n} contacts", "« {name} » choisit 0 contact sur {n}", name=name, n=ground.census.total
            )
            yield ground.finding("A006", ground.place(file, ("segments", name), key=True), said, path=("segments", name))


@rule("A010")
def leaves_out_missing(ground: Ground) -> Iterator[Finding]:
    if ground.census is None:
        return
    for file, path, text, where, names in every_condition(ground):
        if where == "event" or not isinstance(text, str):
            continue
        for attribute in check(text, names, where="flow" if where == "flow" else "elsewhere").uses.leaves_out:
            missing = ground.census.count(f"{attribute} is missing", names)
            if missing:
                said = t(
                    "'!=' leaves out {n} contacts without {a}",
                    "« != » laisse de côté {n} contacts sans {a}",
                    n=missing,
                    a=attribute,
                )
                yield ground.finding("A010", ground.place(file, path, key=is_key(path)), said, path=path)


@rule("A013")
def costly(ground: Ground) -> Iterator[Finding]:
    if ground.census is None:
        return
    for file, path, text, where, names in every_condition(ground):
        if where == "event" or not isinstance(text, str):
            continue
        uses = check(text, names, where="flow" if where == "flow" else "elsewhere").uses
        if uses.aggregates > MOST_AGGREGATES:
            said = t(
                "{n} aggregates a contact over {m} events",
                "{n} agrégats par contact sur {m} événements",
                n=uses.aggregates,
                m=ground.census.events(),
            )
            yield ground.finding("A013", ground.place(file, path, key=is_key(path)), said, path=path)


@rule("F012")
def no_fallback(ground: Ground) -> Iterator[Finding]:
    if ground.census is None:
        return
    for chapter in ground.chapters:
        entry = chapter.campaign.enter.if_ or "everyone"
        people = ground.census.count(entry, chapter.names)
        if not people or people < FEW or chapter.campaign.purpose != "marketing":
            continue
        for path, step in every_send(chapter.campaign):
            if (
                "choose" in path  # whoever comes there was asked before
                or step.else_
                or step.by not in ("email", "sms", "whatsapp", "messenger", "push", "letter")
                or step.by not in ground.project.channels
            ):
                continue
            reached = ground.census.count(f"({entry}) and reachable.{step.by}", chapter.names)
            if reached is not None and reached < people:
                share = round(100 * (people - reached) / people)
                if share >= 1:
                    said = t("{n} % of those who enter cannot be reached by {c}; add else:", "{n} % de ceux qui entrent sont hors d'atteinte par {c} ; ajoutez else:",
                             n=share, c=step.by)  # fmt: skip
                    yield ground.finding("F012", ground.place(chapter.file, (*path, "by")), said, path=(*path, "by"))


@rule("F016")
def overlap(ground: Ground) -> Iterator[Finding]:
    if ground.census is None:
        return
    for chapter in ground.chapters:
        inside = ground.census.standing(chapter.name)
        for other in ground.chapters:
            if other.name == chapter.name or inside < FEW:
                continue
            share = round(100 * ground.census.shared(chapter.name, other.name) / inside)
            if share >= 10:
                said = t(
                    "{n} % of its people are in '{other}' at the same time",
                    "{n} % de ses participants sont en même temps dans « {other} »",
                    n=share,
                    other=other.name,
                )
                yield ground.finding("F016", ground.place(chapter.file, ("enter",), key=True), said, path=("enter",))


@rule("T014")
def zones_missing(ground: Ground) -> Iterator[Finding]:
    if ground.census is None:
        return
    share = round(100 * (ground.census.missing("time_zone") or 0) / ground.census.total)
    if share > 5:
        said = t("{n} % of the contacts have no time zone: they are written to only when it is free time in every zone of their country",
                 "{n} % des contacts n'ont pas de fuseau : on ne leur écrit que s'il est permis dans tous les fuseaux de leur pays", n=share)  # fmt: skip
        yield ground.finding("T014", ground.place("omni.yaml", ("time_zone",)), said, path=("time_zone",))


@rule("M016")
def two_offers(ground: Ground) -> Iterator[Finding]:
    """Told at the later campaign's code, once a pair."""
    if ground.census is None:
        return
    offers = list(_codes(ground))
    for index, (chapter, name, code, said) in enumerate(offers):
        for other, _, before, told in offers[:index]:
            if other.name == chapter.name or before == code:
                continue
            count = ground.census.told_on_one_day(told, said)
            if count:
                path = ("messages", name, "facts", _code_fact(chapter.campaign.messages[name], code))
                text = t(
                    "{n} people would get {a} and {b} on one day",
                    "{n} personnes recevraient {a} et {b} le même jour",
                    n=count,
                    a=before,
                    b=code,
                )
                yield ground.finding("M016", ground.place(chapter.file, path), text, path=path)


def _codes(ground: Ground) -> Iterator[tuple[Chapter, str, str, Said]]:
    """Each code that a message states, with the steps that send it."""
    for chapter in ground.chapters:
        for name, message in chapter.campaign.messages.items():
            if unknown(message.facts):
                continue
            steps = tuple(node.id for node in chapter.flow.sends if getattr(node.step, "send", None) == name)
            for fact in message.facts.values():
                if not unknown(fact) and fact.type == "code" and isinstance(fact.value, str) and steps:
                    yield chapter, name, fact.value, Said(chapter.name, (name,), steps)


def _code_fact(message: Message, code: str) -> str:
    return next(name for name, fact in message.facts.items() if fact.value == code)

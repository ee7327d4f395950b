"""Family M, offers: the figures of an offer add up, stand in their places, and what was told yesterday still holds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from omnicli.lint.coherence.arithmetic import Mismatch, amount, mismatches
from omnicli.lint.coherence.causes import Causes
from omnicli.lint.coherence.grid import Cell, Reading, readable
from omnicli.lint.coherence.plainly import plainly
from omnicli.lint.coherence.told import shown
from omnicli.lint.coherence.visible import Seen
from omnicli.lint.coherence.where import place_of
from omnicli.lint.ground import Chapter, Ground, Path_
from omnicli.lint.rule import rule
from omnicli.model.campaign import Fact, Message, Send
from omnicli.model.finding import Finding
from omnicli.model.flow import Flow
from omnicli.model.literals import Moment
from omnicli.render.facts import Resolved, fixed_facts
from omnicli.render.samples import languages, personas
from omnicli.texts import t


@rule("M007")
def facts_do_not_add_up(ground: Ground) -> Iterator[Finding]:
    causes = Causes(ground, "M007")
    for chapter in ground.chapters:
        for name, message in chapter.campaign.messages.items():
            if not readable(message):
                continue
            for cell, facts in _told(ground, chapter, name, message):
                checks = {key: fact.check for key, fact in message.facts.items() if fact.check}
                for odd in mismatches(facts, checks):
                    path: Path_ = ("messages", name, "facts", odd.fact)
                    causes.add(ground.place(chapter.file, path), _sum_said(facts, odd), [cell], path=path, fact=odd.fact)
            for key, fact in message.facts.items():
                if _before_entry(fact):
                    path = ("messages", name, "facts", key)
                    text = t(
                        "{k} lies before entry: nobody could use it",
                        "{k} tombe avant l'entrée : personne ne pourrait en profiter",
                        k=key,
                    )
                    causes.add(ground.place(chapter.file, path), text, [], path=path, fact=key)
    yield from causes.findings()


def _told(ground: Ground, chapter: Chapter, name: str, message: Message) -> Iterator[tuple[Cell, Mapping[str, Resolved]]]:
    """The facts that are the same for all of a persona and language."""
    for language in languages(ground.project, chapter.campaign):
        for persona in (*personas(ground.project, chapter.campaign),) or (None,):
            yield Cell(name, "", persona, language, "typical"), fixed_facts(message, persona, language)


def _sum_said(facts: Mapping[str, Resolved], odd: Mismatch) -> str:
    """`price 39.92 EUR is not was 49.90 EUR - offer 25 % (37.43 EUR)`."""

    def spelled(name: str) -> str:
        kind, value = facts.get(name, ("", None))
        return f"{name} {value}{' %' if kind == 'percent' else ''}" if value is not None else name

    reckoning = re.sub(r"[A-Za-z_][\w-]*", lambda found: spelled(found[0]), odd.why)
    if odd.expected is None and odd.why == "price < was":
        return t(
            "{price} is not below {was}", "{price} n'est pas au-dessous de {was}", price=spelled("price"), was=spelled("was")
        )
    if odd.expected is None:
        return t("two currencies in one message: {why}", "deux monnaies dans un message : {why}", why=odd.why)
    expected = f"{odd.expected.value.normalize():f} {odd.expected.unit}".strip()
    return t(
        "{fact} is not {sum} ({expected})",
        "{fact} n'est pas {sum} ({expected})",
        fact=spelled(odd.fact),
        sum=reckoning,
        expected=expected,
    )


def _before_entry(fact: Fact) -> bool:
    moment = fact.value
    if not isinstance(moment, Moment) or moment.kind != "anchor" or moment.anchor != "enter":
        return False
    return moment.direction == "before" and moment.length is not None


# -- roles ---------------------------------------------------------------------------------------------------------------------
_INSTEAD_OF = re.compile(
    r"\b(?:au lieu (?:de |d')|contre |instead of |down from |reduced from |previously |statt |anstatt |anstelle von |en lugar de |en vez de "
    r"|invece di |anziche |in plaats van |em vez de |ao inves de )$"
)


@rule("M008")
def role_swapped(ground: Ground) -> Iterator[Finding]:
    causes = Causes(ground, "M008")
    for reading in ground.renderings():
        if reading.facts.get("was", ("", None))[1] is None:
            continue
        for seen in reading.seen.values():
            for number in _in_the_place_of_was(reading, seen):
                piece = seen.pieces[number]
                fact = str((piece.origin or ("", ""))[1])
                place, path = place_of(ground, reading, piece)
                text = t("'{v}' ({fact}) stands where 'was' ({was}) should", "« {v} » ({fact}) est à la place de « was » ({was})",
                         v=shown(reading, fact), fact=fact, was=shown(reading, "was"))  # fmt: skip
                causes.add(place, text, reading.cells, path=path, fact=fact)
    yield from causes.findings()


def _in_the_place_of_was(reading: Reading, seen: Seen) -> Iterator[int]:
    """Amounts other than `was` that are struck, or that follow 'instead of'."""
    for start, end in seen.struck:
        yield from (n for n in seen.within(start, end) if _other_amount(reading, seen, n))
    for start, _, number in seen.stretches:
        if _other_amount(reading, seen, number) and _INSTEAD_OF.search(plainly(seen.text[max(0, start - 24) : start]).folded):
            yield number


def _other_amount(reading: Reading, seen: Seen, number: int) -> bool:
    origin = seen.pieces[number].origin or ("",)
    return origin[0] == "fact" and origin[1] != "was" and reading.facts.get(origin[1], ("",))[0] == "money"


# -- over time -----------------------------------------------------------------------------------------------------------------
_PROMISES = ("percent", "money", "date", "code")


@rule("M015")
def promise_kept_elsewhere(ground: Ground) -> Iterator[Finding]:
    """Told once a pair of messages and fact, at the later message's fact."""
    causes = Causes(ground, "M015")
    for chapter in ground.chapters:
        promises = {name: _promises(message) for name, message in chapter.campaign.messages.items() if readable(message)}
        told: set[Path_] = set()
        for first, later in _one_after_the_other(chapter.flow):
            if first not in promises or later not in promises or chapter.campaign.messages[later].replaces == first:
                continue
            for fact, values in _different(promises[first], promises[later]):
                path: Path_ = ("messages", later, "facts", fact)
                if path in told:
                    continue
                told.add(path)
                text = t("'{m2}' says {k} = {v2} to people told {v1} by '{m1}'; say replaces: {m1}",
                         "« {m2} » dit {k} = {v2} à qui « {m1} » a dit {v1} ; dites replaces: {m1}",
                         m1=first, m2=later, k=fact, v1=values[0], v2=values[1])  # fmt: skip
                causes.add(ground.place(chapter.file, path), text, [], path=path, fact=fact)
    yield from causes.findings()


def _promises(message: Message) -> dict[str, tuple[Fact, Any]]:
    """The facts of a message that promise something, with their types and what they state, as they can be compared."""
    return {
        name: (fact, (fact.type, _stated(fact)))
        for name, fact in message.facts.items()
        if fact.type in _PROMISES and not fact.max_age
    }


def _different(one: dict[str, tuple[Fact, Any]], other: dict[str, tuple[Fact, Any]]) -> Iterator[tuple[str, tuple[str, str]]]:
    """Facts of one name and type with other values."""
    for name, (fact, stated) in other.items():
        before, was = one.get(name, (fact, stated))
        if stated != was and before.type == fact.type:
            yield name, (_said(before), _said(fact))


def _stated(fact: Fact) -> Any:
    """What a fact states, as it can be compared; amounts by their value."""
    if fact.value is not None:
        found = amount((fact.type, str(fact.value)))
        return (found.value, found.unit) if found is not None else str(fact.value)
    return (fact.from_, tuple((key, str(value)) for key, value in sorted((fact.by_persona or fact.by_language or {}).items())))


def _said(fact: Fact) -> str:
    values = (fact.by_persona or fact.by_language or {}).values()
    return str(fact.value) if fact.value is not None else fact.from_ or " / ".join(map(str, values))


def _one_after_the_other(flow: Flow) -> list[tuple[str, str]]:
    """Pairs of messages of which some path sends the first before the second."""
    found: dict[tuple[str, str], None] = {}
    for node in flow.sends:
        for later in _reachable(flow, node.id):
            step = flow[later].step
            if isinstance(step, Send) and isinstance(node.step, Send) and step.send != node.step.send:
                found.setdefault((node.step.send, step.send))
    return [pair for pair in found if (pair[1], pair[0]) not in found or _first_sent(flow, *pair)]


def _first_sent(flow: Flow, one: str, other: str) -> bool:
    """Where both orders occur, the message that the file sends first counts as the first."""
    order = [getattr(node.step, "send", "") for node in flow.sends]
    return order.index(one) < order.index(other)


def _reachable(flow: Flow, start: str) -> Iterator[str]:
    """Steps that can come after this one."""
    seen: set[str] = set()
    todo = [flow[start].next]
    while todo:
        here = todo.pop()
        if here is None or here in seen or here not in flow.nodes:
            continue
        seen.add(here)
        yield here
        node = flow[here]
        todo += [node.next, *(target for _, target in node.branches)]

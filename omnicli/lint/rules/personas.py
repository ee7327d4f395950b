"""Family P: nobody reads a word they must not, is called otherwise than they like, or is shouted at; template text counts too."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache

from omnicli.lint.coherence import tone
from omnicli.lint.coherence.causes import Causes
from omnicli.lint.coherence.grid import Cell, Reading
from omnicli.lint.coherence.registers import foreign_to
from omnicli.lint.coherence.visible import Seen
from omnicli.lint.coherence.where import place_of
from omnicli.lint.ground import Ground, Path_
from omnicli.lint.rule import rule
from omnicli.model.finding import Edit, Finding, Fix, Place
from omnicli.model.project import Persona
from omnicli.model.written import unknown
from omnicli.render import samples
from omnicli.text import fold
from omnicli.texts import t

Span = tuple[int, int]
Measure = Callable[[str], Iterator[Span]]

#: Above this many words a sentence is hard to read, or to say (own; plain-language guides aim at 15 to 20).
READ, SAID = 25, 20


def _readers(ground: Ground) -> Iterator[tuple[Reading, str, Persona, list[Cell]]]:
    """Each reading with each of its personas and the cells that are theirs."""
    for reading in ground.renderings():
        known = samples.personas(ground.project, reading.chapter.campaign)
        for name in dict.fromkeys(cell.persona for cell in reading.cells):
            if name is not None and name in known and not unknown(known[name]) and not unknown(known[name].tone):
                yield reading, name, known[name], [cell for cell in reading.cells if cell.persona == name]


def _written(reading: Reading, seen: Seen, at: int) -> bool:
    """True when this character was written by an author: in the words, or typed in a template that customers read."""
    kind = (seen.pieces[seen.at(at)[0]].origin or ("",))[0]
    return kind == "words" or (kind == "template" and reading.channel != "task")


def _place(ground: Ground, reading: Reading, seen: Seen, start: int, end: int) -> tuple[Place, Path_]:
    """Where a span of the visible text was written."""
    number, inner = seen.at(start)
    piece = seen.pieces[number]
    last = seen.offsets[end - 1] + 1 - seen.starts[number]
    return place_of(ground, reading, piece, inner, max(1, min(last, len(piece.text)) - inner))


@rule("P001")
def avoided_word(ground: Ground) -> Iterator[Finding]:
    causes = Causes(ground, "P001")
    for reading, name, persona, cells in _readers(ground):
        words = tuple(word for word in persona.tone.avoid if not unknown(word) and fold(word))
        for seen in reading.seen.values() if words else ():
            for start, end in _avoided(seen.text, words):
                if _written(reading, seen, start):
                    place, path = _place(ground, reading, seen, start, end)
                    said = t(
                        "{persona} must not read '{words}'",
                        "{persona} ne doit pas lire « {words} »",
                        persona=name,
                        words=seen.text[start:end],
                    )
                    causes.add(place, said, cells, path=path)
    yield from causes.findings()


@lru_cache(maxsize=2048)
def _avoided(text: str, words: tuple[str, ...]) -> tuple[Span, ...]:
    """Whole words and phrases of the list, whatever their case, accents and spaces."""
    from omnicli.lint.coherence.plainly import bare, plainly

    wanted = "|".join(r"\s+".join(map(re.escape, bare(word).split())) for word in words)
    plain = plainly(text)
    return tuple(plain.span(*match.span()) for match in re.finditer(rf"(?<!\w)(?:{wanted})(?!\w)", plain.folded))


@rule("P002")
def wrong_register(ground: Ground) -> Iterator[Finding]:
    causes = Causes(ground, "P002")
    for reading, name, persona, cells in _readers(ground):
        address = persona.tone.address
        pattern = foreign_to(reading.language, address) if address else None
        for seen in reading.seen.values() if pattern else ():
            for start, end in _foreign(seen.text, pattern):
                if _written(reading, seen, start):
                    place, path = _place(ground, reading, seen, start, end)
                    said = t("says '{word}', but {persona} is addressed as '{address}'", "dit « {word} », mais {persona} se fait appeler « {address} »",
                             word=seen.text[start:end], persona=name, address=address)  # fmt: skip
                    causes.add(place, said, cells, path=path)
    yield from causes.findings()


@lru_cache(maxsize=2048)
def _foreign(text: str, pattern: re.Pattern[str] | None) -> tuple[Span, ...]:
    return tuple(match.span() for match in pattern.finditer(text)) if pattern else ()


@rule("P003")
def emoji_budget(ground: Ground) -> Iterator[Finding]:
    causes = Causes(ground, "P003")
    for reading, name, persona, cells in _readers(ground):
        for seen, span, count in _over(reading, tone.emoji, persona.tone.emoji):
            place, path = _place(ground, reading, seen, *span)
            said = t(
                "{n} emoji; {persona} allows {k}",
                "{n} emoji ; {persona} en permet {k}",
                n=count,
                persona=name,
                k=persona.tone.emoji,
            )
            causes.add(place, said, cells, path=path)
    yield from causes.findings()


def _over(reading: Reading, measure: Measure, budget: int) -> Iterator[tuple[Seen, Span, int]]:
    """The first sign over the budget in each view of a message, with how many there are."""
    if unknown(budget):
        return
    for _, parts in reading.views:
        found = [(seen, span) for seen in parts for span in measure(seen.text) if _written(reading, seen, span[0])]
        if len(found) > budget:
            yield *found[budget], len(found)


@rule("P004")
def shouting(ground: Ground) -> Iterator[Finding]:
    causes = Causes(ground, "P004")
    for reading, name, persona, cells in _readers(ground):
        for seen, span, count in _over(reading, tone.exclamations, persona.tone.exclamation):
            place, path = _place(ground, reading, seen, *span)
            said = t(
                "{n} '!'; {persona} allows {k}",
                "{n} « ! » ; {persona} en permet {k}",
                n=count,
                persona=name,
                k=persona.tone.exclamation,
            )
            causes.add(place, said, cells, path=path, fix=_quieter(place, seen.text[: span[0]]))
        for seen in reading.seen.values():
            for start, end in tone.loud(seen.text):
                if _written(reading, seen, start):
                    place, path = _place(ground, reading, seen, start, end)
                    said = t(
                        "'{words}' in capitals: {persona} allows 0",
                        "« {words} » en capitales : {persona} en permet 0",
                        words=seen.text[start:end],
                        persona=name,
                    )
                    causes.add(place, said, cells, path=path, fix=_small(place, seen.text[start:end]))
    yield from causes.findings()


def _quieter(place: Place, before: str) -> Fix | None:
    """A point for the sign; nothing where another sign stands before it."""
    if place.end_column - place.column != 1:
        return None
    return Fix(
        t("end quietly", "finir sans bruit"),
        (Edit(place, "" if before.rstrip("\u00a0\u202f ").endswith(("!", "?", ".")) else "."),),
        safe=False,
    )


def _small(place: Place, words: str) -> Fix | None:
    if place.end_column - place.column != len(words):
        return None
    return Fix(t("write it small", "l'écrire en petites lettres"), (Edit(place, words.capitalize()),), safe=False)


@rule("P005")
def hard_to_read(ground: Ground) -> Iterator[Finding]:
    """Asked of what is written, once a text: placeholders count as a word."""
    for chapter in ground.chapters:
        for name, message in chapter.campaign.messages.items():
            for key, texts in message.say.items() if not unknown(message.say) else ():
                yield from _long(ground, chapter.file, ("messages", name, "say", key), texts)


def _long(ground: Ground, file: str, path: Path_, texts: Mapping[str, str]) -> Iterator[Finding]:
    for slot, text in texts.items() if not unknown(texts) else ():
        if unknown(text) or slot in ("subject", "preheader", "headline", "cta"):
            continue
        most = SAID if slot == "script" else READ
        average, _ = tone.words_a_sentence(re.sub(r"\{[^{}]*\}", " x ", text))
        if average > most:
            said = t(
                "sentences average {n} words (aim {k})",
                "les phrases font {n} mots en moyenne (visez {k})",
                n=round(average),
                k=most - 5,
            )
            yield ground.finding("P005", ground.place(file, (*path, slot)), said, path=(*path, slot))

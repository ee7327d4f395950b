"""Family I: every persona is spoken to in every language, with the same facts, in its own typography."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from omnicli.lint.coherence.scalars import span_of
from omnicli.lint.ground import Chapter, Ground
from omnicli.lint.rule import rule
from omnicli.lint.steps import say_names
from omnicli.model.campaign import Message
from omnicli.model.finding import Edit, Finding, Fix, Place
from omnicli.model.project import Persona
from omnicli.model.written import unknown
from omnicli.text import fold
from omnicli.texts import t


def personas_of(ground: Ground, chapter: Chapter) -> Mapping[str, Persona]:
    """The personas of the campaign, in order."""
    if isinstance(chapter.campaign.personas, dict):
        return chapter.campaign.personas
    shared = ground.project.personas
    return {name: shared[name] for name in (chapter.campaign.personas or shared) if name in shared}


def slot_text(message: Message, language: str, register: str | None, slot: str) -> str | None:
    """The text of a slot as it is looked up: `fr-CA/tu` → `fr-CA` → `fr/tu` → `fr` (docs/language 5.5)."""
    bare = language.split("-")[0]
    for key in (f"{language}/{register}", language, f"{bare}/{register}", bare):
        if slot in message.say.get(key, {}):
            return message.say[key][slot]
    return None


@rule("I001")
def missing_language(ground: Ground) -> Iterator[Finding]:
    for chapter in ground.chapters:
        registers: dict[str | None, str] = {
            p.tone.address: name for name, p in reversed(list(personas_of(ground, chapter).items()))
        } or {None: "–"}
        for name, message in chapter.campaign.messages.items():
            slots = list(dict.fromkeys(slot for texts in message.say.values() for slot in texts))
            missing: set[str] = set()
            for language in (tag for tag in chapter.campaign.languages or ground.project.languages if not unknown(tag)):
                for register, persona in registers.items():
                    lacking = [slot for slot in slots if slot_text(message, language, register, slot) is None]
                    key = f"{language}/{register}" if register and language.startswith("fr") else language
                    if lacking and key not in missing:
                        missing.add(key)
                        what = key if len(lacking) == len(slots) else f"{key}.{lacking[0]}"
                        text = t("{message}: no '{key}', needed by {persona}", "{message} : pas de « {key} », qu'il faut pour {persona}",
                                 message=name, key=what, persona=persona)  # fmt: skip
                        yield ground.finding(
                            "I001",
                            ground.place(chapter.file, ("messages", name, "say"), key=True),
                            text,
                            path=("messages", name, "say"),
                        )


@rule("I002")
def placeholder_mismatch(ground: Ground) -> Iterator[Finding]:
    for chapter in ground.chapters:
        for name, message in chapter.campaign.messages.items():
            first: dict[str, tuple[str, set[str]]] = {}
            for key, texts in message.say.items():
                for slot, text in texts.items():
                    if unknown(text) or unknown(message.facts):
                        continue
                    facts = {word for word, _ in say_names(text) if word in message.facts}
                    other, expected = first.setdefault(slot, (key, facts))
                    for lacking in sorted(expected - facts):
                        yield _mismatch(ground, chapter, name, key, slot, lacking, other)
                    for surplus in sorted(facts - expected):
                        yield _mismatch(ground, chapter, name, other, slot, surplus, key)


def _mismatch(ground: Ground, chapter: Chapter, name: str, key: str, slot: str, fact: str, other: str) -> Finding:
    path = ("messages", name, "say", key, slot)
    text = t(
        "'{key}' lacks {fact}, used in '{other}'",
        "« {key} » n'a pas {fact}, employé dans « {other} »",
        key=key,
        fact="{" + fact + "}",
        other=other,
    )
    return ground.finding("I002", ground.place(chapter.file, path), text, path=path)


@rule("I003")
def untranslated(ground: Ground) -> Iterator[Finding]:
    for chapter in ground.chapters:
        for name, message in chapter.campaign.messages.items():
            for key, texts in message.say.items():
                for slot, text in texts.items():
                    for other, others in message.say.items():
                        if other.split("/")[0] >= key.split("/")[0] or not (text and others.get(slot)):
                            continue
                        words = re.sub(r"\{[^}]*\}", " ", text)
                        if len(fold(words).split()) >= 3 and fold(others[slot]) == fold(text):
                            path = ("messages", name, "say", key, slot)
                            message_text = t("'{key}' equals '{other}'", "« {key} » est égal à « {other} »", key=key, other=other)
                            yield ground.finding("I003", ground.place(chapter.file, path), message_text, path=path)
                            break


#: Ways to write a number or a day by hand in a template: each reads wrongly in another language.
_FORMAT = re.compile(
    r"strftime|(?<!\{)%-?[dmYHMbBj](?=[/. :'\"-])|\bround\(|\|\s*(?:round|int|float)\b|\|\s*format\(|\.format\("
    r"|\.replace\(\s*['\"][.,]['\"]\s*,|\|\s*replace\(\s*['\"][.,]['\"]\s*,"
)
_CODE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_PRINTED = re.compile(r"\{\{-?\s*(facts\.\w+)\b[^{}]*\}\}")


@rule("I004")
def hard_coded_format(ground: Ground) -> Iterator[Finding]:
    """Asked of expressions, not of the text around them; a figure typed there is M002."""
    for file, text in ground.templates.items():
        for block in _CODE.finditer(text):
            if found := _FORMAT.search(block[0]):
                place = span_of(file, text, block.start() + found.start(), block.start() + found.end())
                said = t(
                    "'{x}' in a template: print the fact's form", "« {x} » dans un modèle : imprimez la forme du fait", x=found[0]
                )
                yield ground.finding("I004", place, said, fix=_fact_alone(file, text, block))


def _fact_alone(file: str, text: str, block: re.Match[str]) -> Fix | None:
    """The fact without what was done to it, where the expression prints one."""
    printed = _PRINTED.fullmatch(block[0])
    if printed is None or "\n" in block[0]:
        return None
    edit = Edit(span_of(file, text, *block.span()), "{{ " + printed[1] + " }}")
    return Fix(t("print {fact}", "imprimer {fact}", fact=printed[1]), (edit,), safe=False)


#: Signs of two parts without a space before them; `:` only between words, never in 10:00 or https:.
_TIGHT = re.compile(r"(?<=[\w»%€)])[;?!]+(?=[\s»]|$)|(?<=[^\W\d])(?<!https)(?<!http):(?= |$)")
_NARROW = "\u202f"


@rule("I006")
def french_typography(ground: Ground) -> Iterator[Finding]:
    """Two signs need a space before them in French; a plain one can break the line. Never asked of `short` (SMS)."""
    for chapter in ground.chapters:
        source = ground.loaded.sources[chapter.file]
        for name, message in chapter.campaign.messages.items():
            for key, texts in message.say.items():
                for slot, text in texts.items() if key.startswith("fr") else ():
                    path = ("messages", name, "say", key, slot)
                    found = None if unknown(text) or slot in ("short", "script") else _TIGHT.search(_without_placeholders(text))
                    if found:
                        place = source.within(path, found.start(), len(found[0]))
                        said = t("no-break space before '{x}'", "espace insécable avant « {x} »", x=found[0])
                        yield ground.finding("I006", place, said, path=path, fix=_spaced(place, found[0]))


def _without_placeholders(text: str) -> str:
    """The text with each placeholder as one word of the same length: nothing inside them is typography."""
    return re.sub(r"\{[^{}]*\}", lambda match: "x" * len(match[0]), text)


def _spaced(place: Place, sign: str) -> Fix | None:
    if place.end_column - place.column != len(sign) or place.end_line != place.line:
        return None
    space = "\u00a0" if sign == ":" else _NARROW
    return Fix(t("put a no-break space", "mettre une espace insécable"), (Edit(place, space + sign),), safe=False)

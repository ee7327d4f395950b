"""Family M, reaching: every fact of a message reaches every reader, whole, in sight, and nobody reads a hole."""

from __future__ import annotations

import re
from collections.abc import Iterator

from omnicli.lint.coherence.causes import Causes
from omnicli.lint.coherence.grid import Reading, once
from omnicli.lint.coherence.mentions import mentions
from omnicli.lint.coherence.told import allowed, reached, said, shown
from omnicli.lint.coherence.where import extent, key_of, place_of
from omnicli.lint.ground import Chapter, Ground, Path_
from omnicli.lint.rule import rule
from omnicli.model.campaign import Message
from omnicli.model.finding import Edit, Finding, Fix, Place
from omnicli.model.written import unknown
from omnicli.render.trace import Piece
from omnicli.render.words import Placeholder, WordsError, parse_words
from omnicli.texts import t


@rule("M001")
def missing_fact(ground: Ground) -> Iterator[Finding]:
    causes = Causes(ground, "M001")
    for reading in ground.renderings():
        cut = {fact for fact, *_ in cuts(reading)}
        for view in reading.views:
            there = reached(reading, view)
            for fact in _wanted(reading):
                if fact in there or fact in cut or fact in _in_pictures(reading):
                    continue
                _missing(ground, causes, reading, fact, view[0])
    yield from causes.findings()


def _wanted(reading: Reading) -> Iterator[str]:
    """The facts that this reader must be told."""
    return (fact for fact, (_, value) in reading.facts.items() if value is not None and fact not in reading.omitted)


def _missing(ground: Ground, causes: Causes, reading: Reading, fact: str, view: str) -> None:
    cell = reading.cells[0]
    plain = t(" (plain text)", " (texte brut)") if view == "text" and len(reading.views) > 1 else ""
    where = " × ".join(filter(None, (cell.channel + plain, cell.persona, cell.language)))
    text = t("fact '{k}' ({v}) never reaches the customer by {where}", "le fait « {k} » ({v}) n'atteint jamais le client par {where}",
             k=fact, v=shown(reading, fact), where=where)  # fmt: skip
    place, path = _gone_from(ground, reading, fact)
    names = sorted({piece.slot for pieces in reading.draft.parts.values() for piece in pieces if piece.slot})
    printed = ", ".join(f"say.{name}" for name in names)
    help = t("{file} prints {slots}: add {k} there, or leave it out on purpose: omit: {c}",
             "{file} imprime {slots} : ajoutez-y {k}, ou laissez-le de côté exprès : omit: {c}",
             file=next(iter(reading.draft.files.values()), reading.channel), slots=printed or "–", k="{" + fact + "}",
             c="{" + f"{reading.channel}: [{fact}]" + "}")  # fmt: skip
    causes.add(place, text, reading.cells, path=path, fact=fact, help=help, fix=_omit(ground, reading, fact))


def _gone_from(ground: Ground, reading: Reading, fact: str) -> tuple[Place, Path_]:
    """The text that says this fact in another language or register, but not here; else the fact itself."""
    slots = dict.fromkeys(piece.slot for pieces in reading.draft.parts.values() for piece in pieces if piece.slot)
    for slot in slots:
        key = key_of(reading.message, reading.language, reading.register, slot)
        others = [texts.get(slot, "") for other, texts in reading.message.say.items() if other != key]
        if (
            others
            and any(_says(text, fact) for text in others)
            and not _says(reading.message.say.get(key, {}).get(slot, ""), fact)
        ):
            path: Path_ = ("messages", reading.name, "say", key, slot)
            return ground.place(reading.chapter.file, path), path
    path = ("messages", reading.name, "facts", fact)
    return ground.place(reading.chapter.file, path), path


def _says(text: str, fact: str) -> bool:
    try:
        return any(isinstance(piece, Placeholder) and piece.name == fact for piece in parse_words(text))
    except WordsError:
        return False


def _omit(ground: Ground, reading: Reading, fact: str) -> Fix | None:
    """Leaving the fact out of this channel on purpose: one more word in a list that is there."""
    listed = reading.message.omit.get(reading.channel)
    source = ground.loaded.sources.get(reading.chapter.file)
    if not listed or source is None or not isinstance(source.find(("messages", reading.name, "omit", reading.channel)), list):
        return None
    last = ground.place(reading.chapter.file, ("messages", reading.name, "omit", reading.channel, len(listed) - 1))
    end = Place(last.file, last.line, last.end_column, last.line, last.end_column)
    return Fix(
        t("leave it out of {c} on purpose", "l'omettre exprès de {c}", c=reading.channel), (Edit(end, f", {fact}"),), safe=False
    )


@rule("M006")
def cut_fact(ground: Ground) -> Iterator[Finding]:
    causes = Causes(ground, "M006")
    for reading in ground.renderings():
        for fact, text, piece in cuts(reading):
            place, path = place_of(ground, reading, piece)
            message = t("fact '{k}' is cut ('{v}')", "le fait « {k} » est coupé (« {v} »)", k=fact, v=_short(text))
            causes.add(place, message, reading.cells, path=path, fact=fact)
    yield from causes.findings()


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 40 else f"…{line[-39:]}"


@once
def cuts(reading: Reading) -> tuple[tuple[str, str, Piece], ...]:
    """Facts whose mark is incomplete: (fact, what is left of it, the piece)."""
    return tuple(_cuts(reading))


def _cuts(reading: Reading) -> Iterator[tuple[str, str, Piece]]:
    for name, pieces in reading.draft.parts.items():
        page = any(part.name == name and part.kind == "html" for part in reading.medium.parts)
        yield from _cut_values(reading, pieces, page=page)
        for fact, text, piece in altered_words(reading, pieces, page=page):
            if not _still_said(reading, fact, text):
                yield fact, text, piece


def _cut_values(reading: Reading, pieces: tuple[Piece, ...], *, page: bool) -> Iterator[tuple[str, str, Piece]]:
    """A fact of which a filter or a slice left a piece, or into which one put a line end."""
    for piece in pieces:
        match piece.origin:
            case ("derived", "fact", str(fact)) | ("fact", str(fact), _, *_):
                text = said(piece, page=page)
                if is_cut(text, allowed(reading, fact)):
                    yield fact, text, piece


def is_cut(text: str, forms: frozenset[str]) -> bool:
    """True for a piece of one of the forms, or for a form broken over lines."""
    left = text.strip().rstrip(".… ")
    if not left or text in forms or left in forms:
        return False
    bare = "".join(left.split())
    return any(left in form and len(left) < len(form) for form in forms) or any(
        "\n" in text and bare == "".join(form.split()) for form in forms
    )


def reformatted(reading: Reading) -> Iterator[tuple[str, str, Piece]]:
    """Facts in words that a filter printed in another form, value and all."""
    for name, pieces in reading.draft.parts.items():
        page = any(part.name == name and part.kind == "html" for part in reading.medium.parts)
        for fact, text, piece in altered_words(reading, pieces, page=page):
            if _still_said(reading, fact, text):
                yield fact, text, piece


def _still_said(reading: Reading, fact: str, text: str) -> bool:
    whole = shown(reading, fact)
    if "".join(whole.split()) in "".join(text.split()):
        return False  # whole, but broken over lines
    if any(text.rstrip(" .…").endswith(whole[:n].rstrip(" .")) for n in range(len(whole) - 1, 3, -1)):
        return False  # the words end within it: "jusqu'au 3 avr" still names the day, and is cut all the same
    kind, value = reading.facts[fact]
    project = reading.renderer.project
    codes = (value,) if kind == "code" and value else ()
    return any(
        one.agrees(kind, value or "") for one in mentions(text, project.languages, countries=project.countries, codes=codes)
    )


@once
def altered_words(reading: Reading, pieces: tuple[Piece, ...], *, page: bool) -> tuple[tuple[str, str, Piece], ...]:
    """Words that a filter changed, so that a fact in them does not stand there as it should."""
    return tuple(_altered_words(reading, pieces, page=page))


def _altered_words(reading: Reading, pieces: tuple[Piece, ...], *, page: bool) -> Iterator[tuple[str, str, Piece]]:
    spans: dict[object, list[Piece]] = {}
    for piece in pieces:
        if piece.span is not None and not piece.span.typed and piece.slot is None:
            spans.setdefault(piece.span, []).append(piece)
    for group in spans.values():
        slot = next((piece.origin[1] for piece in group if piece.origin and piece.origin[0] == "words"), None)
        if slot is None:
            continue
        key = key_of(reading.message, reading.language, reading.register, slot)
        there = {piece.origin[1] for piece in group if piece.origin and piece.origin[0] == "fact"}
        text = "".join(said(piece, page=page) for piece in group)
        for fact in reading.facts:
            told = shown(reading, fact)
            if (
                fact not in there
                and told
                and told.casefold() not in text.casefold()
                and _says(reading.message.say.get(key, {}).get(slot, ""), fact)
            ):
                yield fact, text, group[0]


@rule("M012")
def below_the_fold(ground: Ground) -> Iterator[Finding]:
    """Only where a channel shows a part of the message unopened: a push."""
    causes = Causes(ground, "M012")
    for reading in ground.renderings():
        limit = next((b.limit for b in reading.medium.budgets if b.part == "body" and reading.channel == "push"), None)
        body = reading.seen.get("body")
        if limit is None or body is None:
            continue
        for fact, at in reached(reading, ("", (body,))).items():
            if (
                at < limit
                or reading.facts.get(fact, ("", None))[0] == "url"
                or fact in reached(reading, ("", tuple(s for s in reading.seen.values() if s is not body)))
            ):
                continue
            number = body.at(min(at, len(body.text) - 1))[0]
            place, path = place_of(ground, reading, body.pieces[number])
            text = t(
                "fact '{k}' is beyond the {n} characters shown",
                "le fait « {k} » est au-delà des {n} caractères montrés",
                k=fact,
                n=limit,
            )
            causes.add(place, text, reading.cells, path=path, fact=fact)
    yield from causes.findings()


@rule("M013")
def image_only_fact(ground: Ground) -> Iterator[Finding]:
    causes = Causes(ground, "M013")
    for reading in ground.renderings():
        for view in reading.views:
            there = reached(reading, view)
            for fact, piece in _in_pictures(reading).items():
                if fact in there or fact in reading.omitted:
                    continue
                place, path = place_of(ground, reading, piece)
                text = t(
                    "fact '{k}' is only in an image's alt text", "le fait « {k} » n'est que dans le texte alt d'une image", k=fact
                )
                causes.add(place, text, reading.cells, path=path, fact=fact)
    yield from causes.findings()


@once
def _in_pictures(reading: Reading) -> dict[str, Piece]:
    """Facts that stand whole in an `alt`."""
    found: dict[str, Piece] = {}
    for seen in reading.seen.values():
        for span in seen.alts:
            for number in seen.of_part(*span):
                piece = seen.pieces[number]
                if piece.origin and piece.origin[0] == "fact":
                    found.setdefault(piece.origin[1], piece)
    return found


# -- holes ---------------------------------------------------------------------------------------------------------------------
#: What stands in the place of a missing name: at the beginning of a text, and behind a greeting.
_INSTEAD = {
    "fr/tu": ("Bonjour", "à toi"), "fr/vous": ("Bonjour", "à vous"), "fr": ("Bonjour", "à vous"), "en": ("Hello", "there"),
    "es": ("Hola", "qué tal"), "it": ("Buongiorno", "a te"), "de": ("Hallo", "zusammen"), "nl": ("Hallo", "daar"), "pt": ("Olá", "tudo bem"),
}  # fmt: skip
_HOLE = re.compile(r"^[ \u00a0]*[,;.:!?]|(?<=[^\W\d_])[ \u00a0]+[,;.](?!\w)|(?<=\()\s*\)|\bNone\b|[ ]{2}(?=\S)")
_NAMES = ("first_name", "last_name", "name")


@rule("M011")
def empty_personalisation(ground: Ground) -> Iterator[Finding]:
    causes = Causes(ground, "M011")
    for chapter in ground.chapters:
        for name, message in chapter.campaign.messages.items():
            if unknown(message.say) or unknown(message.facts):
                continue
            for key, texts in message.say.items():
                for slot, text in () if unknown(texts) else texts.items():
                    if not unknown(text):
                        yield from _bare_names(ground, chapter, message, ("messages", name, "say", key, slot), text)
    for reading in ground.renderings():
        _template_holes(ground, causes, reading)
    yield from causes.findings()


def _bare_names(ground: Ground, chapter: Chapter, message: Message, path: Path_, text: str) -> Iterator[Finding]:
    """Placeholders of `say` for what can be missing: without `or "…"`, or with one that leaves a hole."""
    try:
        pieces = parse_words(text)
    except WordsError:
        return
    source = ground.loaded.sources.get(chapter.file)
    attributes = ground.project.contacts.attributes
    for nth, piece in enumerate(pieces):
        if isinstance(piece, str) or piece.name in message.facts or piece.name not in attributes or source is None:
            continue
        declared = attributes[piece.name]
        before = pieces[nth - 1] if nth else ""
        after = pieces[nth + 1] if nth + 1 < len(pieces) else ""
        around = (before if isinstance(before, str) else "x", after if isinstance(after, str) else "x")
        if unknown(declared) or declared.default is not None or not _leaves_hole(piece, *around):
            continue
        start, end = extent(text, nth)
        place = source.within(path, start, end - start)
        hole = f"{around[0][-12:]}{piece.instead or ''}{around[1][:6]}".strip() or "…"
        said_ = t(
            "'{hole}' when {name} is missing; add: or \"…\"",
            '« {hole} » quand {name} manque ; ajoutez : or "…"',
            hole=hole,
            name=piece.name,
        )
        yield ground.finding(
            "M011",
            place,
            said_,
            path=path,
            fix=_with_a_word(place, piece, str(path[3]), around[0], source.slice(source.span(path))[:1]),
        )


def _leaves_hole(piece: Placeholder, before: str, after: str) -> bool:
    if piece.instead is None:
        return not piece.plurals
    if piece.instead.strip():
        return False
    return bool(_HOLE.search(f"{before[-1:] and 'x' * (before[-1:] != ' ')}{before[-1:]}{after[:2]}")) or _joint(before, after)


def _joint(before: str, after: str) -> bool:
    """True when what is left and right of nothing leaves a hole between them."""
    return (after[:1] in (",", ";", ".", "!", "?", ":") and (not before.strip() or before.endswith((" ", "\u00a0")))) or (
        before.endswith(" ") and after.startswith(" ")
    )


def _with_a_word(place: Place, piece: Placeholder, key: str, before: str, quote: str) -> Fix | None:
    words = _INSTEAD.get(key) or _INSTEAD.get(key.split("/")[0].split("-")[0])
    if words is None or piece.name not in _NAMES or piece.instead is not None or quote == "'":
        return None
    word = words[1] if before.strip() else words[0]
    mark = '\\"' if quote == '"' else '"'
    form = f":{piece.form}" if piece.form else ""
    text = "{" + f"{piece.name}{form} or {mark}{word}{mark}" + "}"
    return Fix(t("say '{word}' then", "dire alors « {word} »", word=word), (Edit(place, text),))


def _template_holes(ground: Ground, causes: Causes, reading: Reading) -> None:
    """Holes that a template leaves around a contact's value when it is missing."""
    if all(cell.contact != "empty" for cell in reading.cells) or reading.cells[0].contact != "empty":
        return
    typical = next((other for other in ground.grid.of(reading.chapter, reading.name) if _twin(reading, other)), None)
    if typical is None:
        return
    for part, seen in typical.seen.items():
        empty = reading.seen[part].text
        for number, piece in enumerate(seen.pieces):
            if piece.slot is not None or not piece.origin or piece.origin[0] != "contact" or not piece.text:
                continue
            start = seen.starts[number]
            spots = [i for i, offset in enumerate(seen.offsets) if start <= offset < start + len(piece.text)]
            if not spots:
                continue
            before, after = seen.text[max(0, spots[0] - 12) : spots[0]], seen.text[spots[-1] + 1 : spots[-1] + 7]
            line = before.rsplit("\n", 1)[-1]
            if before + after in empty and after and _joint(line, after.split("\n")[0] or "x"):
                place, path = place_of(ground, reading, piece)
                text = t("'{hole}' when {name} is missing; add: or \"…\"", "« {hole} » quand {name} manque ; ajoutez : or \"…\"",
                         hole=(line + after.split("\n")[0]).strip(), name=piece.origin[1])  # fmt: skip
                causes.add(place, text, reading.cells, path=path)


def _twin(reading: Reading, other: Reading) -> bool:
    """The same for the typical contact."""
    return (reading.channel, reading.language) == (other.channel, other.language) and any(
        cell.persona == reading.persona and cell.contact == "typical" for cell in other.cells
    )

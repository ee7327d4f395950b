"""Family M, typed: figures that somebody typed where a fact should be printed, figures that contradict, and formats made by hand."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from omnicli.lint.coherence.causes import Causes
from omnicli.lint.coherence.grid import Reading, once
from omnicli.lint.coherence.links import targets
from omnicli.lint.coherence.mentions import Mention, mentions
from omnicli.lint.coherence.plainly import plainly
from omnicli.lint.coherence.told import allowed, said, shown
from omnicli.lint.coherence.visible import Seen
from omnicli.lint.coherence.where import in_template, place_of
from omnicli.lint.ground import Ground
from omnicli.lint.rule import rule
from omnicli.lint.rules.messages import is_cut, reformatted
from omnicli.model.finding import Edit, Finding, Fix, Place
from omnicli.render.trace import Piece
from omnicli.texts import t

_KINDS = {
    "percent": ("percent", "pourcentage"), "money": ("price", "prix"), "date": ("date", "date"), "code": ("code", "code"),
    "url": ("address", "adresse"), "phone": ("number", "numéro"),
}  # fmt: skip
#: Origins whose text nobody typed here.
_GIVEN = frozenset(
    ("fact", "contact", "plural", "link", "address", "picture", "brand", "persona", "message", "touch", "stop", "today", "pixel")
)


@dataclass(frozen=True, slots=True)
class Typed:
    """A mention that stands outside every mark, wholly or in part: the piece it begins in, and where; `agrees` the facts that say
    the same, `others` those of its kind that do not."""

    mention: Mention
    seen: Seen
    piece: Piece
    start: int
    width: int
    agrees: tuple[str, ...]
    others: tuple[str, ...]
    joined: bool


def typed(ground: Ground, reading: Reading) -> tuple[Typed, ...]:
    """Every typed mention of a reading that no `allow:` names."""
    return _all_typed(reading, ground)


@once
def _all_typed(reading: Reading, ground: Ground) -> tuple[Typed, ...]:
    return tuple(_each_typed(ground, reading))


def _each_typed(ground: Ground, reading: Reading) -> Iterator[Typed]:
    codes = tuple(sorted(value for kind, value in reading.facts.values() if kind == "code" and value))
    for part in reading.seen.values():
        for seen in (part, *part.asides):
            allowed_spans = tuple(_allowed_spans(seen.text, reading.message.allow)) if reading.message.allow else ()
            for one in mentions(seen.text, ground.languages, countries=ground.project.countries, codes=codes):
                found = _typed(reading, seen, one)
                if found is not None and not any(start <= one.start and one.end <= end for start, end in allowed_spans):
                    yield found


def _typed(reading: Reading, seen: Seen, one: Mention) -> Typed | None:
    numbers = seen.within(one.start, one.end)
    origins = [(seen.pieces[n].origin or ("template",))[0] for n in numbers]
    loose = [n for n, origin in zip(numbers, origins, strict=True) if origin not in _GIVEN]
    if not loose or any(origin == "derived" for origin in origins) or all(_filtered(reading, seen.pieces[n], one) for n in loose):
        return None
    same = [fact for fact, (kind, value) in reading.facts.items() if value is not None and kind == one.kind]
    agrees = tuple(fact for fact in same if one.agrees(one.kind, reading.facts[fact][1] or ""))
    given = [seen.pieces[n].origin for n in numbers if n not in loose]
    if given and (agrees or any(origin[0] != "fact" for origin in given if origin)):
        return None
    index = next(i for i in range(one.start, one.end) if seen.at(i)[0] == loose[0])
    number, start = seen.at(index)
    last = max(i for i in range(index, one.end) if seen.at(i)[0] == number)
    width = seen.offsets[last] - seen.offsets[index] + 1
    piece = seen.pieces[number]
    if piece.text[start + width - 1 : start + width] == "&":
        width = piece.text.find(";", start + width) + 1 - start
    return Typed(one, seen, piece, start, max(width, 1), agrees, tuple(fact for fact in same if fact not in agrees), bool(given))


def astray(reading: Reading, one: Typed) -> bool:
    """True for an address in a text that prints no link of the message: it stands in that link's place, and is M005's to tell."""
    return one.mention.kind == "url" and all(target.fact is None for target in targets(reading, one.seen))


def _filtered(reading: Reading, piece: Piece, one: Mention) -> bool:
    """True for a figure that nobody typed: a filter over the words made it of a fact (M004 or M006 say so)."""
    if piece.slot is not None or not piece.origin or piece.origin[0] != "words":
        return False
    return all(one.text not in texts.get(str(piece.origin[1]), "") for texts in reading.message.say.values())


def _allowed_spans(text: str, allow: Sequence[str] | dict[str, str]) -> Iterator[tuple[int, int]]:
    """Where the texts of `allow:` stand, spaces and letters folded."""
    plain = plainly(text)
    for word in allow:
        wanted = plainly(str(word)).folded.strip()
        pattern = r"\s*".join(re.escape(piece) for piece in re.split(r"\s+", wanted) if piece)
        for found in re.finditer(pattern, plain.folded) if pattern else ():
            yield plain.span(found.start(), found.end())


@rule("M002")
def hard_coded_fact(ground: Ground) -> Iterator[Finding]:
    causes = Causes(ground, "M002")
    for reading in ground.renderings():
        for one in typed(ground, reading):
            if one.joined or (one.others and not one.agrees):
                continue
            place, path = place_of(ground, reading, one.piece, one.start, one.width)
            kind = t(*_KINDS[one.mention.kind])
            text = t("{kind} '{v}' is typed; it will not follow the message", "{kind} « {v} » tapé en dur ; il ne suivra pas le message",
                     kind=kind, v=one.mention.text)  # fmt: skip
            causes.add(place, text, reading.cells, path=path, help=_instead(one), fix=_printed(reading, one, place))
        _copied_texts(ground, causes, reading)
    yield from causes.findings()


def _copied_texts(ground: Ground, causes: Causes, reading: Reading) -> None:
    """Facts of type text (`3 minutes`), typed word by word: they are no mention, so they are looked for as they stand."""
    for fact, (kind, value) in reading.facts.items():
        if kind not in ("text", "number") or value is None or len(value) < 3:
            continue
        wanted = re.compile(rf"(?<!\w){re.escape(plainly(value).folded)}(?!\w)")
        for seen in (one for part in reading.seen.values() for one in (part, *part.asides)):
            plain = plainly(seen.text)
            for found in wanted.finditer(plain.folded):
                _copied(ground, causes, reading, seen, fact, plain.span(*found.span()))


def _copied(ground: Ground, causes: Causes, reading: Reading, seen: Seen, fact: str, span: tuple[int, int]) -> None:
    numbers = seen.within(*span)
    if any((seen.pieces[n].origin or ("template",))[0] in _GIVEN for n in numbers):
        return
    if any(a <= span[0] and span[1] <= b for a, b in _allowed_spans(seen.text, reading.message.allow)):
        return
    number, start = seen.at(span[0])
    place, path = place_of(ground, reading, seen.pieces[number], start, seen.offsets[span[1] - 1] - seen.offsets[span[0]] + 1)
    text = t(
        "'{v}' is typed; it will not follow the message",
        "« {v} » tapé en dur ; il ne suivra pas le message",
        v=seen.text[slice(*span)],
    )
    causes.add(place, text, reading.cells, path=path, help=t("print the fact '{fact}'", "imprimez le fait « {fact} »", fact=fact))


def _instead(one: Typed) -> str:
    fact = f"facts.{one.agrees[0]}" if one.agrees else ""
    if fact and one.piece.slot is None:
        return t("print {fact}, or list the text under allow: with a reason if it is not about the offer",
                 "imprimez {fact}, ou mettez ce texte sous allow: avec une raison s'il ne parle pas de l'offre", fact="{{ " + fact + " }}")  # fmt: skip
    if fact:
        return t("write {fact}, or list the text under allow: with a reason if it is not about the offer",
                 "écrivez {fact}, ou mettez ce texte sous allow: avec une raison s'il ne parle pas de l'offre", fact="{" + one.agrees[0] + "}")  # fmt: skip
    return t("make it a fact of the message, or list the text under allow: with a reason",
             "faites-en un fait du message, ou mettez ce texte sous allow: avec une raison")  # fmt: skip


def _printed(reading: Reading, one: Typed, place: Place) -> Fix | None:
    """Writing the fact instead, where one fact says exactly this."""
    if len(one.agrees) != 1 or one.mention.text not in allowed(reading, one.agrees[0]):
        return None
    name = one.agrees[0]
    text = "{" + name + "}" if one.piece.slot is not None else "{{ facts." + name + " }}"
    return Fix(t("print {text}", "imprimer {text}", text=text), (Edit(place, text),), safe=False)


@rule("M003")
def contradicting_fact(ground: Ground) -> Iterator[Finding]:
    causes = Causes(ground, "M003")
    for reading in ground.renderings():
        for one in typed(ground, reading):
            if one.agrees or not one.others or astray(reading, one):
                continue
            place, path = place_of(ground, reading, one.piece, one.start, one.width)
            _contradiction(causes, reading, one.mention.text, one.others, place, path)
        for fact, text, piece in made(reading):
            if judge(ground, reading, fact, text) == "M003":
                place, path = place_of(ground, reading, piece)
                _contradiction(causes, reading, text.strip(), (fact,), place, path)
    yield from causes.findings()


def _contradiction(
    causes: Causes, reading: Reading, text: str, facts: Sequence[str], place: Place, path: tuple[str | int, ...]
) -> None:
    told = ", ".join(f"{fact} = {shown(reading, fact)}" for fact in facts)
    message = t("says {v}; the message says {told}", "dit {v} ; le message dit {told}", v=text, told=told)
    help = t("print the fact, or list the text under allow: with a reason if it is not about the offer",
             "imprimez le fait, ou mettez ce texte sous allow: avec une raison s'il ne parle pas de l'offre")  # fmt: skip
    causes.add(place, message, reading.cells, path=path, help=help)


@once
def made(reading: Reading) -> tuple[tuple[str, str, Piece], ...]:
    """What templates made of facts, and facts that came out changed: (fact, text, piece)."""
    return tuple(_made(reading))


def _made(reading: Reading) -> Iterator[tuple[str, str, Piece]]:
    for name, pieces in reading.draft.parts.items():
        page = any(part.name == name and part.kind == "html" for part in reading.medium.parts)
        whole = {piece.span for piece in pieces if piece.origin and piece.origin[0] == "fact" and piece.slot is None}
        for piece in pieces:
            match piece.origin:
                case ("derived", "fact", str(fact)) if piece.span not in whole and piece.text.strip():
                    yield fact, said(piece, page=page), piece
                case ("fact", str(fact), _, *_):
                    yield fact, said(piece, page=page), piece


def judge(ground: Ground, reading: Reading, fact: str, text: str) -> str:
    """The code of what is wrong with this text of a fact, or nothing."""
    kind, value = reading.facts.get(fact, ("", None))
    forms = allowed(reading, fact)
    if value is None or text in forms or kind in ("url", "place") or not forms or is_cut(text, forms):
        return ""
    if any(_even(text) == _even(form) for form in forms):
        return "M004"
    codes = (value,) if kind == "code" else ()
    found = mentions(text, ground.languages, countries=ground.project.countries, codes=codes)
    if any(one.agrees(kind, value) for one in found) or _same_number(text, value):
        return "M004"
    return "M003" if found or any(letter.isdigit() for letter in text) else "M004"


def _even(text: str) -> str:
    return "".join(plainly(text).folded.split())


def _same_number(text: str, value: str) -> bool:
    """`39.92` beside `39.92 EUR`: the figure is right, its form is not."""
    return text.strip().replace(",", ".") == value.split(" ")[0]


@rule("M004")
def wrong_locale_format(ground: Ground) -> Iterator[Finding]:
    causes = Causes(ground, "M004")
    for reading in ground.renderings():
        for fact, text, piece in made(reading):
            if judge(ground, reading, fact, text) != "M004":
                continue
            place, path = place_of(ground, reading, piece)
            message = t(
                "'{v}' should read '{good}'", "« {v} » devrait se lire « {good} »", v=text.strip(), good=shown(reading, fact)
            )
            causes.add(place, message, reading.cells, path=path, fact=fact, fix=_as_fact(reading, fact, piece))
        for fact, _, piece in reformatted(reading):
            place, path = place_of(ground, reading, piece)
            message = t(
                "a filter changes '{good}', the form of '{k}' here",
                "un filtre change « {good} », la forme de « {k} » ici",
                good=shown(reading, fact),
                k=fact,
            )
            causes.add(place, message, reading.cells, path=path, fact=fact)
    yield from causes.findings()


def _as_fact(reading: Reading, fact: str, piece: Piece) -> Fix | None:
    """Printing the fact as it is, where an expression made something of it alone."""
    if piece.span is None or piece.span.typed or piece.slot is not None or not piece.span.file:
        return None
    source = reading.renderer.template_text(piece.span.file)[piece.span.start : piece.span.end]
    if not re.fullmatch(r"\{\{-?\s*facts\.[\w.]+\s*\|.*\}\}", source, re.DOTALL):
        return None
    text = "{{ facts." + fact + " }}"
    return Fix(t("print {text}", "imprimer {text}", text=text), (Edit(in_template(reading, piece.span), text),))


# -- claims --------------------------------------------------------------------------------------------------------------------
_CLAIM = re.compile(
    r"\bn[°ºo]\.? ?1\b(?! ?[,.]?\d)|\bnumero (?:un|1)\b|\bleaders? (?:du marche|mondial\w*|europeen\w*|francais\w*)|\bles? moins chers?\b|\bprix les? plus bas\b"
    r"|\b(?:cliniquement|scientifiquement) prouve\w*|\bmeilleure? prix\b|#1\b|\bno\. ?1\b|\bnumber one\b|\bmarket leader|\bcheapest\b|\blowest prices?\b"
    r"|\bbest price\b|\b(?:clinically|scientifically) proven\b|\bworld'?s (?:best|leading)\b|\bnr\. ?1\b|\bmarktfuhrer|\bgunstigster? preis|\btestsieger\b"
    r"|\bnumero uno\b|\bel mas barato\b|\bil piu economico\b"
)


#: Each claim holds one of these: looking for them costs a tenth of the pattern, and few texts have one.
_IN_CLAIMS = (
    *(f"{mark}{between}1" for mark in "°ºor" for between in ("", " ", ".", ". ")), "#1", "numero un", "leader", "moins cher", "plus bas", "prouve", "eur prix", "eure prix",
    "number one", "cheapest", "lowest price", "best price", "proven", "world", "marktfuhrer", "gunstigste", "testsieger", "numero uno", "mas barato", "piu economico",
)  # fmt: skip


@rule("M017")
def claim_without_proof(ground: Ground) -> Iterator[Finding]:
    causes = Causes(ground, "M017")
    for reading in ground.renderings():
        for seen in reading.seen.values():
            plain = plainly(seen.text)
            if not any(word in plain.folded for word in _IN_CLAIMS):
                continue
            granted = tuple(_allowed_spans(seen.text, reading.message.allow)) if reading.message.allow else ()
            for found in _CLAIM.finditer(plain.folded):
                start, end = plain.span(found.start(), found.end())
                number, inner = seen.at(start)
                piece = seen.pieces[number]
                if (piece.origin or ("template",))[0] in _GIVEN or any(a <= start and end <= b for a, b in granted):
                    continue
                place, path = place_of(ground, reading, piece, inner, end - start)
                text = t(
                    "'{x}' is a claim; allow: it with its proof",
                    "« {x} » est une allégation ; mettez-la sous allow: avec sa preuve",
                    x=seen.text[start:end],
                )
                causes.add(place, text, reading.cells, path=path)
    yield from causes.findings()

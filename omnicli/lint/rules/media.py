"""Family C: what each channel carries and shows, for the contact with the longest values; budgets are data of the channel."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

from omnicli.channels import Budget
from omnicli.channels.sms import PLAINER, count_sms, foreign
from omnicli.lint.coherence import tone
from omnicli.lint.coherence.causes import Causes
from omnicli.lint.coherence.grid import Reading
from omnicli.lint.coherence.scalars import scalars, template_lines
from omnicli.lint.coherence.where import key_of, place_of
from omnicli.lint.ground import Ground, Path_
from omnicli.lint.rule import rule
from omnicli.model.finding import Edit, Finding, Fix, Place
from omnicli.model.literals import Money
from omnicli.texts import t

#: Words a minute of somebody who reads a script aloud on the telephone (own; docs/consistency 3).
SPEED = 150


def _budget(reading: Reading, part: str) -> Budget:
    return next(budget for budget in reading.medium.budgets if budget.part == part)


def _readings(ground: Ground, channel: str) -> Iterator[Reading]:
    for reading in ground.renderings():
        if reading.channel == channel:
            yield reading


def _of_words(ground: Ground, reading: Reading, part: str) -> tuple[Place, Path_]:
    """The slot that fills most of the part, else its template."""
    length: dict[str, int] = {}
    for piece in reading.draft.parts[part]:
        if piece.slot is not None:
            length[piece.slot] = length.get(piece.slot, 0) + len(piece.text)
    if length:
        slot = max(length, key=lambda name: length[name])
        path: Path_ = ("messages", reading.name, "say", key_of(reading.message, reading.language, reading.register, slot), slot)
        return ground.place(reading.chapter.file, path), path
    return Place.at(reading.draft.files.get(part, f"templates/{reading.channel}.txt.j2")), ()


@rule("C001")
def subject_length(ground: Ground) -> Iterator[Finding]:
    causes = Causes(ground, "C001")
    for reading in _readings(ground, "email"):
        length, limit = len(reading.longest["subject"]), _budget(reading, "subject").limit
        if length > limit:
            place, path = _of_words(ground, reading, "subject")
            said = t(
                "{n} characters; phones show about 40, limit {limit}",
                "{n} caractères ; les téléphones en montrent 40, limite {limit}",
                n=length,
                limit=limit,
            )
            causes.add(place, said, reading.cells, path=path)
    yield from causes.findings()


@rule("C010")
def sms_segments(ground: Ground) -> Iterator[Finding]:
    causes = Causes(ground, "C010")
    for reading in _readings(ground, "sms"):
        settings = ground.project.channels.get("sms")
        limit = settings.max_parts if settings is not None else _budget(reading, "body").limit
        count = count_sms(reading.longest["body"])
        if count.parts > limit:
            place, path = _of_words(ground, reading, "body")
            who = "longest" if any(cell.contact == "longest" for cell in reading.cells) else reading.cells[0].contact
            said = t(
                "worst case {n} parts ({contact}); limit {limit}",
                "au pire {n} parties ({contact}) ; limite {limit}",
                n=count.parts,
                contact=who,
                limit=limit,
            )
            causes.add(place, said, reading.cells, path=path)
    yield from causes.findings()


@rule("C011")
def sms_encoding(ground: Ground) -> Iterator[Finding]:
    """Asked of what authors write; a name with ê is the customer's own. Only where it costs a part."""
    causes = Causes(ground, "C011")
    for reading in _readings(ground, "sms"):
        written = "".join(piece.text for piece in reading.draft.parts["body"] if _is_written(piece.origin))
        wide = foreign(written)
        before, after = _parts_without(reading, wide) if wide else (1, 1)
        if after > before:
            first = wide[0]
            edits = tuple(_edits(ground, reading, wide))
            place, path = _first(ground, reading, first)
            said = t("'{letter}' makes {one} into {several}, about {cost}", "« {letter} » fait de {one} {several}, soit {cost}",
                     letter=first, one=_parts(before), several=_parts(after), cost=_cost(ground, after - before))  # fmt: skip
            fix = (
                Fix(t("write what every telephone knows", "écrire ce que tout téléphone connaît"), edits, safe=False)
                if edits
                else None
            )
            causes.add(place, said, reading.cells, path=path, fix=fix)
    yield from causes.findings()


def _is_written(origin: object) -> bool:
    return isinstance(origin, tuple) and origin[0] in ("words", "template")


def _parts_without(reading: Reading, wide: tuple[str, ...]) -> tuple[int, int]:
    """(parts with plainer letters, parts as written) of the contact for whom it costs most."""
    table = str.maketrans({letter: PLAINER.get(letter, "") for letter in wide})
    counted = [
        (count_sms(text.translate(table)).parts, count_sms(text).parts)
        for text in (reading.finished["body"], reading.longest["body"])
    ]
    return max(counted, key=lambda pair: pair[1] - pair[0])


def _parts(count: int) -> str:
    return t("{n} part", "{n} partie", n=count) if count == 1 else t("{n} parts", "{n} parties", n=count)


def _cost(ground: Ground, parts: int) -> str:
    settings = ground.project.channels.get("sms")
    price = settings.price if settings is not None else None
    if price is not None:
        return t("{cost} more a message", "{cost} de plus par message", cost=Money(price.amount * parts, price.currency))
    return t("{n} more to pay for", "{n} de plus à payer", n=_parts(parts))


def _first(ground: Ground, reading: Reading, letter: str) -> tuple[Place, Path_]:
    for piece in reading.draft.parts["body"]:
        at = piece.text.find(letter) if _is_written(piece.origin) else -1
        if at >= 0:
            return place_of(ground, reading, piece, at, 1)
    return _of_words(ground, reading, "body")


def _edits(ground: Ground, reading: Reading, wide: tuple[str, ...]) -> Iterator[Edit]:
    """One edit for each letter that has a plainer one."""
    for piece in reading.draft.parts["body"]:
        for at, letter in enumerate(piece.text) if _is_written(piece.origin) else ():
            place, _ = place_of(ground, reading, piece, at, 1) if letter in wide and letter in PLAINER else (None, ())
            if place is not None and place.end_column - place.column == 1:
                yield Edit(place, PLAINER[letter])


#: Shorteners that anybody may use, and so spammers do (rules LK-05).
SHORTENERS = ("bit.ly", "tinyurl.com", "t.co", "goo.gl", "ow.ly", "is.gd", "buff.ly", "cutt.ly", "shorturl.at", "lnkd.in", "t.ly", "rb.gy", "tiny.cc", "bl.ink", "urlz.fr", "s.id", "v.gd", "shorter.me", "u.to")  # fmt: skip
_SHORT = re.compile(rf"(?<![\w.-])(?:{'|'.join(map(re.escape, SHORTENERS))})(?![\w-]|\.\w)", re.IGNORECASE)


@rule("C012")
def public_shortener(ground: Ground) -> Iterator[Finding]:
    for source in ground.loaded.sources.values():
        for path, text in scalars(source):
            for match in _SHORT.finditer(text) if "." in text else ():
                yield _shortener(ground, source.within(path, match.start(), len(match[0])), match[0], path)
    for file, number, line in template_lines(ground):
        for match in _SHORT.finditer(line):
            yield _shortener(ground, Place.at(file, number, match.start() + 1, len(match[0])), match[0])


def _shortener(ground: Ground, place: Place, host: str, path: Path_ = ()) -> Finding:
    said = t("{host} links are often filtered", "les liens {host} sont souvent filtrés", host=host)
    hint = t(
        "write the address itself: tracking.domain shortens it", "écrivez l'adresse elle-même : tracking.domain la raccourcit"
    )
    return ground.finding("C012", place, said, path=path, help=hint)


@rule("C020")
def whatsapp_length(ground: Ground) -> Iterator[Finding]:
    causes = Causes(ground, "C020")
    for reading in _readings(ground, "whatsapp"):
        length, limit = len(reading.longest["body"]), _budget(reading, "body").limit
        if length > limit:
            place, path = _of_words(ground, reading, "body")
            causes.add(
                place, t("body {n}/{limit}", "corps {n}/{limit}", n=f"{length:,}", limit=f"{limit:,}"), reading.cells, path=path
            )
    yield from causes.findings()


@rule("C030")
def push_length(ground: Ground) -> Iterator[Finding]:
    causes = Causes(ground, "C030")
    for reading in _readings(ground, "push"):
        for part, name in (("title", t("title", "titre")), ("body", t("body", "corps"))):
            length, limit = len(reading.longest.get(part, "")), _budget(reading, part).limit
            if length > limit:
                place, path = _of_words(ground, reading, part)
                causes.add(
                    place,
                    t("{part} {n}/{limit} shown", "{part} {n}/{limit} affichés", part=name, n=length, limit=limit),
                    reading.cells,
                    path=path,
                )
    yield from causes.findings()


@rule("C040")
def script_length(ground: Ground) -> Iterator[Finding]:
    causes = Causes(ground, "C040")
    for reading in _readings(ground, "voice"):
        seconds, limit = tone.words(reading.longest["script"]) * 60 / SPEED, _budget(reading, "script").limit
        if seconds > limit:
            place, path = _of_words(ground, reading, "script")
            said = t("about {n} s to say; aim {limit} s", "environ {n} s à dire ; visez {limit} s", n=round(seconds), limit=limit)
            causes.add(place, said, reading.cells, path=path)
    yield from causes.findings()


@rule("C050")
def qr_density(ground: Ground) -> Iterator[Finding]:
    from omnicli.render.codes import modules

    settings = ground.project.channels.get("qr")
    if settings is None or settings.size is None:
        return
    causes = Causes(ground, "C050")
    for reading in _readings(ground, "qr"):
        for link in reading.draft.links:
            side = modules(_scanned(ground, link.address)) if link.purpose == "scan" and link.address else 0
            each = float(settings.size.metres) * 1000 / side if side else 1.0
            if each * 1000 < _budget(reading, "module").limit:
                path: Path_ = ("channels", "qr", "size")
                place = ground.place("omni.yaml", path if "size" in settings.model_fields_set else path[:2])
                said = t("{n} modules at {size}: {mm} mm each; shorten the link or print larger", "{n} modules à {size} : {mm} mm chacun ; raccourcissez le lien ou imprimez plus grand",
                         n=side, size=settings.size, mm=f"{each:.2f}")  # fmt: skip
                causes.add(place, said, reading.cells, path=path)
    yield from causes.findings()


def _scanned(ground: Ground, address: str) -> str:
    """What stands in the code: the house's own short address where it has one (a token of 24 letters), else the link itself."""
    from omnicli.render.renderer import own_host

    own = own_host(ground.project, live=False)
    return f"{own}/q/{'x' * 24}" if own else address


_ADDRESS = re.compile(r"<address\b[^>]*>(.*?)</address>", re.DOTALL | re.IGNORECASE)
_BREAK = re.compile(r"<br\b[^>]*>|</(?:span|div|p|li)>|\n", re.IGNORECASE)


@rule("C060")
def letter_address(ground: Ground) -> Iterator[Finding]:
    """The address block as the longest contact has it, and the addresses of places as they are written (NF Z10-011)."""
    causes = Causes(ground, "C060")
    for reading in _readings(ground, "letter"):
        lines, width = _budget(reading, "address").limit, _budget(reading, "address_line").limit
        for block in _ADDRESS.finditer(reading.longest["html"]):
            written = [
                line for part in _BREAK.split(block[1]) if (line := " ".join(unescape(re.sub(r"<[^>]+>", "", part)).split()))
            ]
            if said := _too_much(written, lines, width):
                file = reading.draft.files["html"]
                text = reading.renderer.template_text(file)
                at = max(text.find("<address"), 0)
                causes.add(Place.at(file, text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at), 8), said, reading.cells)
    yield from causes.findings()
    yield from _places(ground)


def _places(ground: Ground) -> Iterator[Finding]:
    from omnicli.channels import MEDIA

    width = next(budget.limit for budget in MEDIA["letter"].budgets if budget.part == "address_line")
    for name, place in ground.project.places.items() if "letter" in ground.project.channels else ():
        for key in ("name", "address", "city"):
            text = getattr(place, key) or ""
            if isinstance(text, str) and len(text) > width:
                path: Path_ = ("places", name, key)
                yield ground.finding("C060", ground.place("omni.yaml", path), _long_line(len(text), width), path=path)


def _too_much(written: list[str], lines: int, width: int) -> str:
    if len(written) > lines:
        return t(
            "{n} lines ({limit} lines of {width})",
            "{n} lignes ({limit} lignes de {width})",
            n=len(written),
            limit=lines,
            width=width,
        )
    longest = max(map(len, written), default=0)
    return _long_line(longest, width) if longest > width else ""


def _long_line(length: int, width: int) -> str:
    return t(
        "line of {n} characters (6 lines of {width})", "ligne de {n} caractères (6 lignes de {width})", n=length, width=width
    )

"""Family C, for e-mail: seen in every program, by every reader, in an inbox that shows one line of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources

from omnicli.lint.coherence.causes import Causes
from omnicli.lint.coherence.grid import Reading
from omnicli.lint.coherence.ink import Ink, printed
from omnicli.lint.coherence.scalars import span_of
from omnicli.lint.coherence.visible import Seen
from omnicli.lint.coherence.where import in_template, key_of, place_of
from omnicli.lint.ground import Ground, Path_
from omnicli.lint.rule import rule
from omnicli.model.finding import Edit, Finding, Fix, Place
from omnicli.texts import t

#: What a preheader should hold (rules CT-04), and the smallest text that all can read (CT-08); below 6 px nobody reads.
LEAST, SMALL, UNREADABLE = 40, 14, 6
_COMMENT = re.compile(r"\{#.*?#\}|<!--.*?-->", re.DOTALL)
_BODY = r"\{(?:[^{}]|\{\{[^{}]*\}\})*\}"
_AT_BLOCK = re.compile(rf"@(?:media|supports|font-face)[^{{;]*\{{(?:[^{{}}]|{_BODY})*\}}")
_STYLE = re.compile(r"<style\b[^>]*>(.*?)</style>|style\s*=\s*(\"[^\"]*\"|'[^']*')", re.DOTALL | re.IGNORECASE)
_IMAGE = re.compile(r"<img\b(?:\{\{.*?\}\}|\{%.*?%\}|[^>\"'{]|\"[^\"]*\"|'[^']*'|\{)*>", re.DOTALL | re.IGNORECASE)
_TABLE = re.compile(r"<table\b((?:\{\{.*?\}\}|\{%.*?%\}|[^>\"'{]|\"[^\"]*\"|'[^']*'|\{)*)>", re.DOTALL | re.IGNORECASE)
_NO_LABEL = re.compile(
    r"(?:click|tap) here|here|read more|more|cliquez ici|cliquer ici|ici|en savoir plus|lire la suite|plus|hier(?: klicken)?|klicken sie hier|mehr|(?:haz |haga )?clic aqu[ií]|aqu[ií]|m[aá]s|"
    r"clicca qui|qui|klik hier|meer",
    re.IGNORECASE,
)


def _templates(ground: Ground) -> Iterator[tuple[str, str, str]]:
    """File, text and the same with comments blanked of each e-mail template."""
    for file, text in ground.templates.items():
        if re.fullmatch(r"templates/email(\.[\w-]+)?\.html\.j2", file):
            yield file, text, _COMMENT.sub(_blank, text)


def _blank(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", match[0])


def _mails(ground: Ground) -> Iterator[Reading]:
    for reading in ground.renderings():
        if reading.channel == "email":
            yield reading


@rule("C002")
def no_preheader(ground: Ground) -> Iterator[Finding]:
    causes = Causes(ground, "C002")
    for reading in _mails(ground):
        key = key_of(reading.message, reading.language, reading.register, "subject")
        slots = reading.message.say.get(key, {})
        if any(piece.slot == "preheader" for piece in reading.draft.parts["html"]):
            _judge_preheader(ground, causes, reading)
        elif "subject" in slots:
            path: Path_ = ("messages", reading.name, "say", key)
            place = ground.place(reading.chapter.file, path, key=True)
            first = " ".join(reading.seen["html"].text.split())[:60]
            said = t(
                "no preheader: the inbox will show '{words}'",
                "pas de preheader : la boîte de réception montrera « {words} »",
                words=first,
            )
            causes.add(place, said, reading.cells, path=path, fix=_with_preheader(ground, reading, path))
    yield from causes.findings()


def _judge_preheader(ground: Ground, causes: Causes, reading: Reading) -> None:
    key = key_of(reading.message, reading.language, reading.register, "preheader")
    path: Path_ = ("messages", reading.name, "say", key, "preheader")
    text = "".join(piece.text for piece in reading.draft.parts["html"] if piece.slot == "preheader").strip()
    most = next(budget.limit for budget in reading.medium.budgets if budget.part == "preheader")
    if text == reading.finished["subject"]:
        said = t("the preheader repeats the subject", "le preheader répète l'objet")
    elif not LEAST <= len(text) <= most:
        said = t(
            "a preheader of {n} characters: {least} to {most} are shown",
            "un preheader de {n} caractères : {least} à {most} se voient",
            n=len(text),
            least=LEAST,
            most=most,
        )
    else:
        return
    causes.add(ground.place(reading.chapter.file, path), said, reading.cells, path=path)


def _with_preheader(ground: Ground, reading: Reading, path: Path_) -> Fix | None:
    """The first sentences of the body below the subject, when that stands on a line of its own and the template prints one."""
    body = reading.message.say.get(str(path[-1]), {}).get("body", "")
    place = ground.place(reading.chapter.file, (*path, "subject"), key=True)
    line = ground.loaded.sources[reading.chapter.file].lines[place.line - 1]
    words = _beginning(body)
    value = ground.place(reading.chapter.file, (*path, "subject"))
    if (
        len(words) < LEAST
        or line[: place.column - 1].strip()
        or value.end_line != place.line
        or line[value.end_column - 1 :].strip()
    ):
        return None
    text = f"\n{line[: place.column - 1]}preheader: {json.dumps(words, ensure_ascii=False)}"
    at = Place(place.file, place.line, value.end_column, place.line, value.end_column)
    return Fix(t("begin with the body", "commencer par le corps"), (Edit(at, text),), safe=False)


def _beginning(body: str) -> str:
    words = " ".join(body.split())
    if len(words) <= 90:
        return words
    cut = words[:90].rsplit(" ", 1)[0]
    return cut if cut.count("{") == cut.count("}") else cut[: cut.rindex("{")].rstrip()


@rule("C003")
def html_weight(ground: Ground) -> Iterator[Finding]:
    causes = Causes(ground, "C003")
    for reading in _mails(ground):
        most = next(budget.limit for budget in reading.medium.budgets if budget.part == "html")
        if len(reading.draft.text("html")) * 2 < most:
            continue
        weight = len(reading.longest["html"].encode())
        if weight > most:
            said = t("{n} KB; some mail programs cut near {most} KB, and with it the unsubscribe link", "{n} ko ; des messageries coupent vers {most} ko, et le désabonnement avec",
                     n=round(weight / 1000), most=round(most / 1000))  # fmt: skip
            causes.add(Place.at(reading.draft.files["html"]), said, reading.cells)
    yield from causes.findings()


@rule("C004")
def no_alt(ground: Ground) -> Iterator[Finding]:
    for file, text, bare in _templates(ground):
        for match in _IMAGE.finditer(bare):
            if not re.search(r"\salt\s*=", match[0], re.IGNORECASE):
                place = span_of(file, text, *match.span())
                end = span_of(file, text, match.start() + 4, match.start() + 5)
                insert = Place(file, end.line, end.column, end.line, end.column)
                fix = Fix(
                    t("say that it is a decoration", "dire que c'est une décoration"), (Edit(insert, ' alt=""'),), safe=False
                )
                yield ground.finding("C004", place, t("image without alt text", "image sans texte alternatif"), fix=fix)


@dataclass(frozen=True, slots=True)
class _Lack:
    """A feature, how it is found, and the programs that leave it out."""

    name: str
    find: re.Pattern[str]
    fails: tuple[str, ...]


@cache
def _lacks() -> tuple[_Lack, ...]:
    import yaml

    text = (resources.files("omnicli.lint.coherence") / "css_support.yaml").read_text("utf-8")
    rows = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return tuple(_Lack(row["name"], re.compile(row["find"], re.IGNORECASE), tuple(row["fails"])) for row in rows)


@rule("C005")
def css_support(ground: Ground) -> Iterator[Finding]:
    """Asked of the style sheets and style attributes outside `@media` and `@supports`, where it is an extra for those who can."""
    for file, text, bare in _templates(ground):
        always = _AT_BLOCK.sub(_blank, bare)
        stretches = [
            (match.start(1), match[1]) if match[1] is not None else (match.start(2), match[2])
            for match in _STYLE.finditer(always)
        ]
        for lack in _lacks():
            where = [(0, always)] if lack.find.pattern.startswith("<") else stretches
            for start, style in where:
                for match in lack.find.finditer(style):
                    place = span_of(file, text, start + match.start(), start + match.end())
                    said = t(
                        "'{name}' fails in {programs}",
                        "« {name} » échoue dans {programs}",
                        name=lack.name,
                        programs=", ".join(lack.fails),
                    )
                    yield ground.finding("C005", place, said)


@rule("C006")
def no_text_part(ground: Ground) -> Iterator[Finding]:
    for file, _, _ in _templates(ground):
        beside = file.replace(".html.j2", ".txt.j2")
        if (
            beside not in ground.templates
            and "templates/email.txt.j2" not in ground.templates
            and any(True for _ in _mails(ground))
        ):
            said = t("no plain-text part; one is made from the HTML", "pas de partie texte ; elle est tirée du HTML")
            shipped = (resources.files("omnicli.render") / "shipped" / "email.txt.j2").read_text("utf-8")
            fix = Fix(t("create {file}", "créer {file}", file=beside), (), safe=False, create=((beside, shipped),))
            yield ground.finding("C006", Place.at(file), said, fix=fix)


def _runs(ground: Ground) -> Iterator[tuple[Reading, str, Ink]]:
    """Each stretch of printed text of each message, once a template and language: colours do not hang on who reads."""
    seen: set[tuple[str, str, str, str]] = set()
    for reading in _mails(ground):
        key = (reading.chapter.name, reading.name, reading.language, reading.draft.files["html"])
        if key not in seen:
            seen.add(key)
            yield from ((reading, text, ink) for text, ink in printed(reading.finished["html"]))


@rule("C007")
def hidden_text(ground: Ground) -> Iterator[Finding]:
    causes = Causes(ground, "C007")
    for reading, text, ink in _runs(ground):
        if (ink.contrast is not None and ink.contrast < 1.1) or (ink.size is not None and ink.size < UNREADABLE):
            why = t("size", "la taille") if ink.size is not None and ink.size < UNREADABLE else t("colour", "la couleur")
            said = t("text hidden by {why}: '{text}'", "texte caché par {why} : « {text} »", why=why, text=text[:40])
            _tell(ground, causes, reading, text, said)
    yield from causes.findings()


def _tell(ground: Ground, causes: Causes, reading: Reading, text: str, said: str) -> None:
    """The finding where the template prints or types this text, else at the template."""
    seen: Seen = reading.seen["html"]
    at = seen.text.find(text)
    place = Place.at(reading.draft.files["html"])
    if at >= 0:
        number, inner = seen.at(at)
        piece = seen.pieces[number]
        typed = piece.origin == ("template",)
        if piece.span is not None and piece.span.file:
            place = (
                in_template(reading, piece.span, inner, min(len(text), len(piece.text) - inner))
                if typed
                else in_template(reading, piece.span)
            )
    causes.add(place, said, reading.cells)


@rule("C008")
def accessibility(ground: Ground) -> Iterator[Finding]:
    for file, text, bare in _templates(ground):
        yield from _of_the_page(ground, file, text, bare)
    causes = Causes(ground, "C008")
    for reading, text, ink in _runs(ground):
        if ink.contrast is not None and 1.1 <= ink.contrast < ink.wanted:
            said = t("contrast {ratio}:1 of '{text}' ({colour} on {ground}), {wanted}:1 is readable", "contraste {ratio}:1 de « {text} » ({colour} sur {ground}), {wanted}:1 se lit",
                     ratio=f"{ink.contrast:.1f}", text=text[:40], colour=ink.colour, ground=ink.ground, wanted=f"{ink.wanted:g}")  # fmt: skip
            _tell(ground, causes, reading, text, said)
        elif ink.size is not None and UNREADABLE <= ink.size < SMALL:
            said = t(
                "text of {n} px: below {least} px it is hard to read",
                "texte de {n} px : sous {least} px, il se lit mal",
                n=f"{ink.size:g}",
                least=SMALL,
            )
            _tell(ground, causes, reading, text, said)
    for reading in _mails(ground):
        _labels(ground, causes, reading)
    yield from causes.findings()


def _of_the_page(ground: Ground, file: str, text: str, bare: str) -> Iterator[Finding]:
    """What the page itself lacks: a language, a title, the role of tables that only lay out."""
    page = re.search(r"<html\b([^>]*)>", bare, re.IGNORECASE)
    if page and not re.search(r"\blang\s*=", page[1], re.IGNORECASE):
        yield _lacking(ground, file, text, page.start(), 5, t("no lang", "pas de lang"), ' lang="{{ language }}"')
    if page and not re.search(r"<title\b", bare, re.IGNORECASE):
        yield ground.finding("C008", span_of(file, text, *page.span()), t("no title", "pas de title"))
    for table in _TABLE.finditer(bare):
        end = bare.find("</table", table.end())
        headed = "<th" in bare[table.end() : end if end >= 0 else len(bare)]
        if not re.search(r"\brole\s*=", table[1], re.IGNORECASE) and not headed:
            yield _lacking(ground, file, text, table.start(), 6, t("table without role: screen readers count its cells", "tableau sans role : les lecteurs d'écran en comptent les cases"),
                           ' role="presentation"')  # fmt: skip


def _lacking(ground: Ground, file: str, text: str, start: int, width: int, said: str, what: str) -> Finding:
    """A tag that lacks an attribute, and the fix that puts it behind the tag's name."""
    place = span_of(file, text, start, start + width)
    behind = Place(file, place.end_line, place.end_column, place.end_line, place.end_column)
    return ground.finding(
        "C008", place, said, fix=Fix(t("add{what}", "ajouter{what}", what=what), (Edit(behind, what),), safe=False)
    )


def _labels(ground: Ground, causes: Causes, reading: Reading) -> None:
    """Links that say nothing when they are read out alone."""
    seen = reading.seen["html"]
    for anchor in seen.anchors:
        start, end = anchor.label
        label = seen.text[start:end].strip(" \n\u00a0›»→>.!")
        if label and _NO_LABEL.fullmatch(label):
            at = seen.text.index(label, start)
            number, inner = seen.at(at)
            place, path = place_of(ground, reading, seen.pieces[number], inner, len(label))
            causes.add(
                place,
                t("link '{label}' says nothing by itself", "le lien « {label} » ne dit rien à lui seul", label=label),
                reading.cells,
                path=path,
            )

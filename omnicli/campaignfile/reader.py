"""Bytes to a `Source`: whatever stands in the file, an answer and a place, never a traceback (docs/language, section 2).

A syntax error with one likely cause is mended in memory, its value unknown, so that what stands behind it is read too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from omnicli.campaignfile.build import Build, SyntaxTrouble, cannot_read, too_big
from omnicli.campaignfile.catalogue import finding
from omnicli.campaignfile.invisible import invisible_characters
from omnicli.campaignfile.source import BREAK, Source
from omnicli.errors import OmniError
from omnicli.model.finding import Edit, Finding, Fix, Place
from omnicli.text import system_said
from omnicli.texts import t

BYTES = 1 << 20
REPAIRS = 20
LONG_LINE = 5_000

_UNREADABLE = re.compile("[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_ENTRY = re.compile(r"^(?P<head>\s*(?:- +)*(?:\"[^\"]*\"|'[^']*'|[^\s\"'#&*!|>%@`{\[][^:#]*?)\s*:[ \t]+)(?P<value>\S.*?)[ \t]*$")


def raw(root: Path, file: str) -> bytes:
    """The bytes of a file below a folder; OmniError (exit 2) when it cannot be opened."""
    try:
        return (root / file).read_bytes()
    except OSError as error:
        raise OmniError(
            t("cannot open {file}: {why}", "impossible d'ouvrir {file} : {why}", file=file, why=system_said(error)),
            hint=t("omni reads every file of campaigns/: move away what is none", "omni lit chaque fichier de campaigns/ : déplacez ce qui n'en est pas un")
            if file.startswith("campaigns/") else "", code="unreadable-file",
        ) from None  # fmt: skip


def read_source(file: str, raw: bytes) -> tuple[Source, tuple[Finding, ...]]:
    """The file as positioned values, and what is wrong with its YAML (families Y, and S002 for a lost comma)."""
    if len(raw) > BYTES:
        place = Place.at(file)
        return Source(file, ""), (too_big(place, t("the file", "le fichier"), t("1 MiB", "1 Mio")),)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        return _not_utf8(file, raw, error)
    source = Source(file, text.removeprefix("\ufeff"))
    return source, tuple(_Reader(source).read())


def _not_utf8(file: str, raw: bytes, error: UnicodeDecodeError) -> tuple[Source, tuple[Finding, ...]]:
    before = raw[: error.start].decode("utf-8")
    line = len(BREAK.findall(before)) + 1
    column = len(BREAK.split(before)[-1]) + 1
    message = t(
        "cannot read this line: byte 0x{byte} is not UTF-8. Usual cause: the file was saved in another encoding; save it as UTF-8",
        "cette ligne est illisible : l'octet 0x{byte} n'est pas de l'UTF-8. Cause habituelle : fichier enregistré dans un autre "
        "encodage ; enregistrez-le en UTF-8",
        byte=f"{raw[error.start]:02X}",
    )
    text = raw.decode("utf-8", errors="replace").removeprefix("\ufeff")
    return Source(file, text), (finding("Y001", Place.at(file, line, column), message),)


@dataclass
class _Reader:
    source: Source
    findings: list[Finding] = field(default_factory=list)
    repaired: dict[tuple[int, int], Finding] = field(default_factory=dict)
    shifts: dict[int, int] = field(default_factory=dict)

    def read(self) -> list[Finding]:
        text = _UNREADABLE.sub(" ", self.source.text)
        found: list[Finding] = []
        for _ in range(REPAIRS):
            build = Build(self.source, self.repaired, self.shifts)
            try:
                build.run(text)
            except SyntaxTrouble as error:
                mended, problem = self._mend(text, error)
                found.append(problem)
                if mended is None:
                    return self._invisible(found)
                text = mended
            else:
                self.source.root, self.source.long_spans = build.root, tuple(build.long_spans)
                return self._invisible(found + build.findings)
        return self._invisible(found)

    def _invisible(self, found: list[Finding]) -> list[Finding]:
        found.extend(invisible_characters(self.source))
        return found

    def _mend(self, text: str, error: SyntaxTrouble) -> tuple[str | None, Finding]:
        """A text in which this syntax error is gone (same lines, same columns), or None; and the finding."""
        lines = BREAK.split(text)
        at = lines[error.line][error.column : error.column + 1] if error.line < len(lines) else ""
        if (at == "\t" or "tab character" in error.problem) and not self.shifts:
            return self._mend_tabs(text)
        for line in dict.fromkeys((error.line, error.context_line)):
            if line is None or line >= len(lines):
                continue
            advice = _advice(lines[line])
            if advice is None:
                continue
            column, width, reason = advice
            place = Place.at(self.source.file, line + 1, column + 1, width)
            problem = finding("Y001", place, cannot_read(_spoken(error.problem), reason))
            if width < 2 or (line, column) in self.repaired:
                return None, problem
            self.repaired[line, column] = problem
            return _replace(text, line, column, width, '"' + "x" * (width - 2) + '"'), problem
        where = min(error.line, max(len(lines) - 1, 0))
        place = Place.at(self.source.file, where + 1, error.column + 1)
        return None, finding("Y001", place, cannot_read(_spoken(error.problem), _cause(error, lines)))

    def _mend_tabs(self, text: str) -> tuple[str | None, Finding]:
        indents = {
            n: found.group()
            for n, line in enumerate(BREAK.split(text))
            if (found := re.match(r"[ \t]*(?=\S)", line)) and "\t" in found.group()
        }
        if not indents:
            return None, self._tab(self.findings_place(text), ())
        best, unit = _untabbed(text, indents, 2), 2
        for width in (2, 4, 8):
            candidate = _untabbed(text, indents, width)
            try:
                Build(self.source, {}, {}).run(candidate)
            except SyntaxTrouble:
                continue
            best, unit = candidate, width
            break
        self.shifts.update({n: len(_spaces(indent, unit)) - len(indent) for n, indent in indents.items()})
        first = min(indents)
        place = Place.at(self.source.file, first + 1, indents[first].index("\t") + 1, indents[first].count("\t"))
        edits = tuple(
            Edit(Place(self.source.file, n + 1, 1, n + 1, len(indent) + 1), _spaces(indent, unit))
            for n, indent in indents.items()
        )
        return best, self._tab(place, edits)

    def findings_place(self, text: str) -> Place:
        """The first tab of the file."""
        before = text[: max(text.find("\t"), 0)]
        return Place.at(self.source.file, len(BREAK.findall(before)) + 1, len(BREAK.split(before)[-1]) + 1)

    def _tab(self, place: Place, edits: Sequence[Edit]) -> Finding:
        fix = Fix(t("indent with spaces", "indenter par des espaces"), tuple(edits)) if edits else None
        message = t("tabs cannot indent YAML; use spaces", "les tabulations ne peuvent pas indenter du YAML ; mettez des espaces")
        return finding("Y002", place, message, fix=fix)


def _spaces(indent: str, unit: int) -> str:
    return indent.replace("\t", " " * unit)


def _untabbed(text: str, indents: Mapping[int, str], unit: int) -> str:
    parts = re.split(r"(\r\n|\r|\n)", text)
    for n, indent in indents.items():
        parts[2 * n] = _spaces(indent, unit) + parts[2 * n][len(indent) :]
    return "".join(parts)


def _replace(text: str, line: int, column: int, width: int, by: str) -> str:
    parts = re.split(r"(\r\n|\r|\n)", text)
    parts[2 * line] = parts[2 * line][:column] + by + parts[2 * line][column + width :]
    return "".join(parts)


def _advice(line: str) -> tuple[int, int, str] | None:
    """Why the value of this `key: value` line cannot be read: (column, width, usual cause), or None."""
    found = _ENTRY.match(line) if len(line) <= LONG_LINE else None
    if not found:
        return None
    value = re.sub(r"[ \t]+#.*$", "", found["value"])
    column = found.start("value")
    first = value[0]
    if first == "{" and not value.endswith("}") and "}" in value:
        reason = t("a text that begins with '{' must be quoted", "un texte qui commence par « { » doit être mis entre guillemets")
    elif first == "[" and not value.endswith("]") and "]" in value:
        reason = t("a text that begins with '[' must be quoted", "un texte qui commence par « [ » doit être mis entre guillemets")
    elif first in "@`%|>*&!,":
        reason = t(
            "a text that begins with '{c}' must be quoted",
            "un texte qui commence par « {c} » doit être mis entre guillemets",
            c=first,
        )
    elif first in "\"'" and not _closed(value):
        if value.count(first) == 1:
            return None
        reason = t("text stands behind the closing quote; quote the whole text",
                   "du texte suit le guillemet fermant ; mettez tout le texte entre guillemets")  # fmt: skip
    elif first not in "\"'{[" and re.search(r":(\s|$)", value):
        reason = t("a ': ' inside a text; quote the text", "un « : » dans un texte ; mettez le texte entre guillemets")
    else:
        return None
    return column, len(value), reason


def _closed(value: str) -> bool:
    if value[0] == '"':
        return re.fullmatch(r'"(?:[^"\\]|\\.)*"', value) is not None
    return re.fullmatch(r"'(?:[^']|'')*'", value) is not None


def _cause(error: SyntaxTrouble, lines: Sequence[str]) -> str:
    if "quoted scalar" in error.problem or "end of stream" in error.problem:
        line = (error.context_line if error.context_line is not None else error.line) + 1
        return t(
            "the quote or bracket opened in line {n} is never closed",
            "le guillemet ou crochet ouvert à la ligne {n} n'est jamais fermé",
            n=line,
        )
    if "expected ','" in error.problem:
        line = (error.context_line if error.context_line is not None else error.line) + 1
        return t("the bracket opened in line {n} is not closed", "le crochet ouvert à la ligne {n} n'est pas fermé", n=line)
    if "escape" in error.problem:
        return t(
            "write '\\\\' for a backslash, or use single quotes",
            "écrivez « \\\\ » pour une barre oblique inverse, ou des guillemets simples",
        )
    return t("the indentation does not fit the line above, or a ':' or a quote is missing",
             "le retrait ne correspond pas à la ligne précédente, ou il manque « : » ou un guillemet")  # fmt: skip


_FRENCH = {
    "mapping values are not allowed in this context": "un « : » n'est pas permis ici",
    "did not find expected key": "une clé était attendue",
    "found character that cannot start any token": "ce caractère ne peut rien commencer",
    "found unexpected end of stream": "le fichier se termine trop tôt",
    "could not find expected ':'": "« : » était attendu",
    "did not find expected ',' or ']'": "« , » ou « ] » était attendu",
    "did not find expected ',' or '}'": "« , » ou « } » était attendu",
    "did not find expected '-' indicator": "un tiret était attendu",
}


def _spoken(problem: str) -> str:
    return t("{p}", "{f}", p=problem, f=_FRENCH.get(problem, problem))

"""YAML text as positioned values: every scalar is its raw text with line and column, and every trap is a finding.

`read_source` never raises for what stands in a file. It reads libyaml's event stream in one pass, so that size, depth
(40), nodes (100,000) and expanded aliases (1,000) are bounded before anything is built (docs/language, section 2).
Mappings are `Map` (a dict), lists `Seq` (a list), scalars plain `str`; nothing is ever typed by YAML.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import yaml

from omnicli.campaignfile.catalogue import finding
from omnicli.model.finding import Edit, Finding, Fix, Place
from omnicli.model.written import UNKNOWN, Empty, Null
from omnicli.texts import t

BYTES, NODES, DEPTH, ALIASED = 1 << 20, 100_000, 40, 1_000
REPAIRS = 20

KeyPath = tuple[str | int, ...]

_BREAK = re.compile(r"\r\n|\r|\n")
_UNREADABLE = re.compile("[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_SUSPECT = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufffe\uffff\ue000-\ue002\U000e0000-\U000e007f]"
)
_JOINERS = "\u200c\u200d"
_DIRECTION_MARKS = "\u200e\u200f\u061c"
_ESCAPE = re.compile(r"\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|\r?\n[ \t]*|.)", re.DOTALL)
_SIMPLE_ESCAPES = {
    "0": "\0", "a": "\a", "b": "\b", "t": "\t", "\t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r", "e": "\x1b", " ": " ",
    '"': '"', "/": "/", "\\": "\\", "N": "\x85", "_": "\xa0", "L": "\u2028", "P": "\u2029",
}  # fmt: skip
_ENTRY = re.compile(r"^(?P<head>\s*(?:- +)*(?:\"[^\"]*\"|'[^']*'|[^\s\"'#&*!|>%@`{\[][^:#]*?)\s*:[ \t]+)(?P<value>\S.*?)[ \t]*$")


class Span(NamedTuple):
    """Where a node stands: lines and columns from 0, the end exclusive; `style` is `'' ' " | >`, `{` or `[` for flow
    collections, `block` for the others."""

    line: int
    column: int
    end_line: int
    end_column: int
    style: str


class Map(dict[str, Any]):
    """A mapping as written: its values, where each key and each value stands, and how many nodes it holds."""

    __slots__ = ("keys_at", "size", "span", "values_at")

    def __init__(self, span: Span) -> None:
        self.span = span
        self.keys_at: dict[str, Span] = {}
        self.values_at: dict[str, Span] = {}
        self.size = 1


class Seq(list[Any]):
    """A list as written, with the place of each element."""

    __slots__ = ("size", "span", "values_at")

    def __init__(self, span: Span) -> None:
        self.span = span
        self.values_at: list[Span] = []
        self.size = 1


@dataclass
class Source:
    """One file as it lies on the disk. `root` is None when its YAML cannot be read."""

    file: str
    text: str
    root: Any = None
    long_spans: tuple[Span, ...] = ()

    @cached_property
    def lines(self) -> tuple[str, ...]:
        """The lines without their ends; a byte-order mark is not part of the first."""
        return tuple(_BREAK.split(self.text))

    @cached_property
    def line_ends(self) -> str:
        """What ends a line in this file: CRLF or LF."""
        return "\r\n" if "\r\n" in self.text else "\n"

    @cached_property
    def comments(self) -> tuple[tuple[int, int, str], ...]:
        """Every comment as (line from 1, column from 1, text from its `#` on)."""
        return tuple(_comments(self.lines, self.long_spans))

    def find(self, path: KeyPath) -> Any:
        """The value at a key path, or None."""
        here = self.root
        for part in path:
            if isinstance(here, Map) and part in here:
                here = here[str(part)]
            elif isinstance(here, Seq) and isinstance(part, int) and -len(here) <= part < len(here):
                here = here[part]
            else:
                return None
        return here

    def scalar(self, path: KeyPath) -> str | None:
        """The raw text of the scalar at the path, or None when no scalar stands there."""
        value = self.find(path)
        return str(value) if isinstance(value, str) else None

    def span(self, path: KeyPath, *, key: bool = False) -> Span:
        """The span of the value (or key) at the path, else of the nearest thing around it."""
        here, found = self.root, _whole(self.root)
        for n, part in enumerate(path):
            last = n == len(path) - 1
            if isinstance(here, Map) and part in here.keys_at:
                name = str(part)
                found = here.keys_at[name] if key and last else here.values_at[name]
                if found.style == "block" and not (isinstance(here.get(name), Map | Seq) and not last):
                    found = here.keys_at[name]
                here = here.get(name)
            elif isinstance(here, Seq) and isinstance(part, int) and part < len(here.values_at):
                found = here.values_at[part]
                here = here[part]
            else:
                break
        if found.style == "block" and isinstance(here, Map) and here.keys_at:
            return next(iter(here.keys_at.values()))
        return found

    def place(self, path: KeyPath, *, key: bool = False) -> Place:
        """The position of the value (or key) at the path; of what surrounds it when nothing stands there."""
        return self.at(self.span(path, key=key))

    def at(self, span: Span) -> Place:
        """A span as a place; one that runs over several lines ends with its first."""
        if span.end_line != span.line:
            width = len(self.lines[span.line]) if span.line < len(self.lines) else 0
            return Place.at(self.file, span.line + 1, span.column + 1, max(width - span.column, 1))
        return Place.at(self.file, span.line + 1, span.column + 1, span.end_column - span.column)

    def slice(self, span: Span) -> str:
        """The raw text of a span, quotes included."""
        return self.text[self._offset(span.line, span.column) : self._offset(span.end_line, span.end_column)]

    def exact(self, span: Span) -> Place:
        """The whole span, over several lines too: what an edit replaces."""
        return Place(self.file, span.line + 1, span.column + 1, span.end_line + 1, span.end_column + 1)

    def within(self, path: KeyPath, start: int, width: int = 1) -> Place:
        """The place of `width` characters from `start` (from 0) of the scalar's value, in the file's own text."""
        span = self.span(path)
        value = self.scalar(path)
        if value is None or span.style in ("block", "{", "["):
            return self.at(span)
        offsets = _aligned(self.slice(span), span.style)
        before = sum(1 for c in value[:start] if not c.isspace())
        inside = sum(1 for c in value[start : start + max(width, 1)] if not c.isspace())
        if not offsets or before + max(inside, 1) > len(offsets):
            return self.at(span)
        base = self._offset(span.line, span.column)
        first, last = offsets[before], offsets[before + max(inside, 1) - 1]
        line, column = self._line_column(base + first[0])
        end_line, end_column = self._line_column(base + last[1])
        if end_line != line:
            end_line, end_column = line, len(self.lines[line])
        return Place(self.file, line + 1, column + 1, end_line + 1, max(end_column, column + 1) + 1)

    @cached_property
    def _starts(self) -> tuple[int, ...]:
        return (0, *(m.end() for m in _BREAK.finditer(self.text)))

    def _offset(self, line: int, column: int) -> int:
        return self._starts[line] + column if line < len(self._starts) else len(self.text)

    def _line_column(self, offset: int) -> tuple[int, int]:
        line = bisect_right(self._starts, offset) - 1
        return line, offset - self._starts[line]

    def offset(self, line: int, column: int) -> int:
        """The index in `text` of a line and column counted from 1 (as in `Place`)."""
        return self._offset(line - 1, column - 1)


def read_source(file: str, raw: bytes) -> tuple[Source, tuple[Finding, ...]]:
    """The file as positioned values, and what is wrong with its YAML (families Y, and S002 for a lost comma)."""
    if len(raw) > BYTES:
        place = Place.at(file)
        return Source(file, ""), (_too_big(place, t("the file", "le fichier"), t("1 MiB", "1 Mio")),)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        return _not_utf8(file, raw, error)
    source = Source(file, text.removeprefix("\ufeff"))
    return source, tuple(_Reader(source).read())


def _not_utf8(file: str, raw: bytes, error: UnicodeDecodeError) -> tuple[Source, tuple[Finding, ...]]:
    before = raw[: error.start].decode("utf-8")
    line = len(_BREAK.findall(before)) + 1
    column = len(_BREAK.split(before)[-1]) + 1
    message = t(
        "cannot read this line: byte 0x{byte} is not UTF-8. Usual cause: the file was saved in another encoding; save it as UTF-8",
        "cette ligne est illisible : l'octet 0x{byte} n'est pas de l'UTF-8. Cause habituelle : fichier enregistré dans un autre "
        "encodage ; enregistrez-le en UTF-8",
        byte=f"{raw[error.start]:02X}",
    )
    text = raw.decode("utf-8", errors="replace").removeprefix("\ufeff")
    return Source(file, text), (finding("Y001", Place.at(file, line, column), message),)


def _too_big(place: Place, what: str, limit: object) -> Finding:
    return finding("Y010", place, t("{what} above {limit}", "{what} au-delà de {limit}", what=what, limit=limit))


class _Syntax(Exception):
    """libyaml cannot go on: its words and where (lines and columns from 0)."""

    def __init__(self, problem: str, line: int, column: int, context_line: int | None) -> None:
        super().__init__(problem)
        self.problem, self.line, self.column, self.context_line = problem, line, column, context_line


class _Stop(Exception):
    """A limit is passed: the finding is written, nothing more is read."""


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
            build = _Build(self.source, self.repaired, self.shifts)
            try:
                build.run(text)
            except _Syntax as error:
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
        found.extend(_invisible_characters(self.source))
        return found

    def _mend(self, text: str, error: _Syntax) -> tuple[str | None, Finding]:
        """A text in which this syntax error is gone (same lines, same columns), or None; and the finding."""
        lines = _BREAK.split(text)
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
            problem = finding("Y001", place, _cannot_read(_spoken(error.problem), reason))
            if width < 2 or (line, column) in self.repaired:
                return None, problem
            self.repaired[line, column] = problem
            return _replace(text, line, column, width, '"' + "x" * (width - 2) + '"'), problem
        where = min(error.line, max(len(lines) - 1, 0))
        place = Place.at(self.source.file, where + 1, error.column + 1)
        return None, finding("Y001", place, _cannot_read(_spoken(error.problem), _cause(error, lines)))

    def _mend_tabs(self, text: str) -> tuple[str | None, Finding]:
        indents = {
            n: found.group()
            for n, line in enumerate(_BREAK.split(text))
            if (found := re.match(r"[ \t]*(?=\S)", line)) and "\t" in found.group()
        }
        if not indents:
            return None, self._tab(self.findings_place(text), ())
        best, unit = _untabbed(text, indents, 2), 2
        for width in (2, 4, 8):
            candidate = _untabbed(text, indents, width)
            try:
                _Build(self.source, {}, {}).run(candidate)
            except _Syntax:
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
        return Place.at(self.source.file, len(_BREAK.findall(before)) + 1, len(_BREAK.split(before)[-1]) + 1)

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
    found = _ENTRY.match(line)
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


def _cause(error: _Syntax, lines: Sequence[str]) -> str:
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


def _cannot_read(problem: str, cause: str) -> str:
    return t("cannot read this line: {problem}. Usual cause: {cause}",
             "cette ligne est illisible : {problem}. Cause habituelle : {cause}", problem=problem, cause=cause)  # fmt: skip


class _Build:
    """One pass over the events of one text: the tree, the findings, and no recursion."""

    def __init__(self, source: Source, repaired: Mapping[tuple[int, int], Finding], shifts: Mapping[int, int]) -> None:
        self.source = source
        self.repaired = repaired
        self.shifts = shifts
        self.root: Any = None
        self.findings: list[Finding] = []
        self.long_spans: list[Span] = []
        self.anchors: dict[str, Any] = {}
        self.nodes = 0
        self.aliased = 0
        self.stack: list[Map | Seq] = []
        self.keys: list[tuple[str, Span] | None] = []
        self.alias_reported = False

    def run(self, text: str) -> None:
        loader = yaml.CBaseLoader(text)
        try:
            self._events(loader.get_event)
        except _Stop:
            self.root = None
        except yaml.MarkedYAMLError as error:
            mark, context = error.problem_mark or error.context_mark, error.context_mark
            raise _Syntax(
                error.problem or str(error),
                mark.line if mark else 0,
                mark.column if mark else 0,
                context.line if context else None,
            ) from None
        except yaml.reader.ReaderError as error:
            raise _Syntax(error.reason, 0, 0, None) from None
        finally:
            loader.dispose()

    def _span(self, event: Any, style: str) -> Span:
        start, end = event.start_mark, event.end_mark
        line, column, end_line, end_column = start.line, start.column, end.line, end.column
        if self.shifts:
            column = max(column - self.shifts.get(line, 0), 0)
            end_column = max(end_column - self.shifts.get(end_line, 0), 0)
        return Span(line, column, end_line, end_column, style)

    def _events(self, get_event: Any) -> None:
        documents = 0
        scalar, alias = yaml.ScalarEvent, yaml.AliasEvent
        starts, ends = (yaml.MappingStartEvent, yaml.SequenceStartEvent), (yaml.MappingEndEvent, yaml.SequenceEndEvent)
        while True:
            event = get_event()
            kind = type(event)
            if kind is scalar:
                self._scalar(event)
            elif kind in ends:
                self._close(event)
            elif kind in starts:
                self._open(event, kind)
            elif kind is alias:
                self._alias(event)
            elif kind is yaml.DocumentStartEvent:
                documents += 1
                if documents == 2:
                    self._second_document(event)
                    return
            elif kind is yaml.StreamEndEvent:
                return

    def _scalar(self, event: Any) -> None:
        style: str = event.style
        span = self._span(event, style)
        text: Any = event.value
        self._count(span)
        if event.tag is not None:
            self._tag(event.tag, span)
        if style:
            self.long_spans.append(span)
            if style in "|>":
                span = self._trimmed(span)
        elif text == "" and event.anchor is None:
            text = Empty()
        elif text in ("~", "null", "Null", "NULL"):
            text = Null(text)
        else:
            self._cut_by_comment(text, span)
        if self.repaired and (span.line, span.column) in self.repaired:
            text = UNKNOWN
        if event.anchor is not None:
            self.anchors[event.anchor] = text
        self._put(text, span)

    def _trimmed(self, span: Span) -> Span:
        """A block scalar without the empty lines behind it."""
        end = min(span.end_line - (span.end_column == 0), len(self.source.lines) - 1)
        while end > span.line and not self.source.lines[end].strip():
            end -= 1
        return Span(span.line, span.column, end, len(self.source.lines[end]), span.style)

    def _cut_by_comment(self, text: str, span: Span) -> None:
        """A plain text with an open quote and ` #` behind it has lost its end to a comment."""
        if '"' not in text and "'" not in text:
            return
        line = self.source.lines[span.end_line] if span.end_line < len(self.source.lines) else ""
        rest = line[span.end_column :]
        if re.match(r"[ \t]+#", rest) and (text.count('"') % 2 or re.search(r"(?<!\w)'[^']*$", text)):
            self.cuts.append((span, len(rest) - len(rest.lstrip()) + span.end_column))

    @cached_property
    def cuts(self) -> list[tuple[Span, int]]:
        return []

    def _open(self, event: Any, kind: type) -> None:
        mapping = kind is yaml.MappingStartEvent
        flow = event.flow_style
        span = self._span(event, ("{" if mapping else "[") if flow else "block")
        self._count(span)
        if event.tag is not None:
            self._tag(event.tag, span)
        node: Map | Seq = Map(span) if mapping else Seq(span)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        if len(self.stack) >= DEPTH:
            place = self.source.at(span)
            self.findings.append(_too_big(place, t("nesting", "l'imbrication"), DEPTH))
            raise _Stop
        self._put(node, span)
        self.stack.append(node)
        self.keys.append(None)

    def _close(self, event: Any) -> None:
        node = self.stack.pop()
        self.keys.pop()
        if node.span.style != "block":
            end = self._span(event, "")
            node.span = Span(node.span.line, node.span.column, end.end_line, end.end_column, node.span.style)
            self._settle_span(node)
        if isinstance(node, Map) and node.span.style == "{":
            self._lost_commas(node)
        if self.stack:
            self.stack[-1].size += node.size

    def _settle_span(self, node: Map | Seq) -> None:
        """Now that the end of a flow collection is known, tell its parent."""
        if not self.stack:
            return
        parent = self.stack[-1]
        if isinstance(parent, Seq):
            if parent and parent[-1] is node:
                parent.values_at[-1] = node.span
            return
        for name in reversed(parent):
            if parent[name] is node:
                parent.values_at[name] = node.span
            break

    def _alias(self, event: Any) -> None:
        span = self._span(event, "*")
        value = self.anchors.get(event.anchor)
        place = self.source.at(span)
        if value is None:
            problem = t("'*{a}' names nothing", "« *{a} » ne désigne rien", a=event.anchor)
            cause = t(
                "a text that begins with '*' must be quoted", "un texte qui commence par « * » doit être mis entre guillemets"
            )
            self.findings.append(finding("Y001", place, _cannot_read(problem, cause)))
            self._put(UNKNOWN, span)
            return
        if any(value is node for node in self.stack):
            message = t(
                "'*{a}' stands inside what it names: a circle",
                "« *{a} » se trouve dans ce qu'il désigne : un cercle",
                a=event.anchor,
            )
            self.findings.append(finding("Y004", place, message))
            self._put(UNKNOWN, span)
            return
        size = value.size if isinstance(value, Map | Seq) else 1
        self.aliased += size
        if self.aliased > ALIASED:
            if not self.alias_reported:
                message = t("{n} nodes by alias (limit 1,000)", "{n} nœuds par alias (limite 1 000)", n=self.aliased)
                self.findings.append(finding("Y004", place, message))
                self.alias_reported = True
            self._put(UNKNOWN, span)
            return
        if self.stack:
            self.stack[-1].size += size
        self._put(value, span)

    def _put(self, value: Any, span: Span) -> None:
        """A value into the collection that is open: as the next key, the value of the last key, or an element."""
        if not self.stack:
            self.root = value
            return
        parent = self.stack[-1]
        if isinstance(parent, Seq):
            parent.append(value)
            parent.values_at.append(span)
            return
        waiting = self.keys[-1]
        if waiting is None:
            self.keys[-1] = (self._key(value, span), span)
            return
        self.keys[-1] = None
        name, key_span = waiting
        if name in parent:
            self._duplicate(parent, name, key_span)
        elif name == "<<" and not key_span.style:
            message = t("merge keys '<<' are not supported; name the thing and refer to it",
                        "les clés de fusion « << » ne sont pas acceptées ; nommez la chose et faites-y référence")  # fmt: skip
            self.findings.append(finding("Y004", self.source.at(key_span), message))
        elif name:
            parent[name] = value
            parent.keys_at[name] = key_span
            parent.values_at[name] = span

    def _key(self, value: Any, span: Span) -> str:
        if isinstance(value, str) and value and not isinstance(value, Empty):
            return str(value)
        problem = t("a key must be a word", "une clé doit être un mot")
        cause = t(
            "a '?' or ':' or '{' at the beginning of a text; quote it",
            "un « ? », « : » ou « { » au début d'un texte ; mettez des guillemets",
        )
        self.findings.append(finding("Y001", self.source.at(span), _cannot_read(problem, cause)))
        return ""

    def _duplicate(self, parent: Map, name: str, span: Span) -> None:
        line = parent.keys_at[name].line + 1
        message = t(
            "'{key}' is here twice; the first is in line {n}",
            "« {key} » figure deux fois ; la première est à la ligne {n}",
            key=name,
            n=line,
        )
        self.findings.append(finding("Y003", self.source.at(span), message))

    def _count(self, span: Span) -> None:
        self.nodes += 1
        if self.stack:
            self.stack[-1].size += 1
        if self.nodes > NODES:
            self.findings.append(_too_big(self.source.at(span), t("the number of values", "le nombre de valeurs"), "100,000"))
            raise _Stop

    def _tag(self, tag: str, span: Span) -> None:
        shown = tag if tag.startswith("!") else "!!" + tag.removeprefix("tag:yaml.org,2002:")
        message = t("'{tag}': tags are not read; a text that begins with '!' must be quoted",
                    "« {tag} » : les étiquettes ne sont pas lues ; un texte qui commence par « ! » doit être mis entre guillemets", tag=shown)  # fmt: skip
        self.findings.append(finding("Y007", self.source.at(span), message))

    def _second_document(self, event: Any) -> None:
        line = event.start_mark.line + 1
        message = t(
            "one document a file; the second begins in line {n}",
            "un document par fichier ; le second commence à la ligne {n}",
            n=line,
        )
        self.findings.append(finding("Y008", Place.at(self.source.file, line, 1, 3), message))

    def _lost_commas(self, node: Map) -> None:
        """`{at_cap: wait up to 2 days, else skip}`: the part behind the comma stands there as a key without value."""
        previous: str | None = None
        for name in list(node):
            key, value = node.keys_at[name], node.values_at[name]
            bare = isinstance(node[name], Empty) and not key.style and ":" not in self.source.slice(_between(key, value))
            if bare and previous is not None and isinstance(node[previous], str) and not node.values_at[previous].style:
                first = node.values_at[previous]
                message = t("unknown key '{k}' in '{{…}}'; quote this: inside {{ }} a comma ends the value",
                            "clé inconnue « {k} » dans « {{…}} » ; mettez des guillemets : entre {{ }} une virgule termine la valeur", k=name)  # fmt: skip
                whole = Span(first.line, first.column, key.end_line, key.end_column, "")
                text = self.source.slice(whole)
                quoted = "'" + text.replace("'", "''") + "'" if '"' in text else f'"{text}"'
                fix = Fix(t("quote it", "mettre des guillemets"), (Edit(self.source.exact(whole), quoted),))
                self.findings.append(finding("S002", self.source.at(key), message, fix=fix))
                node[previous] = UNKNOWN
                del node[name]
                continue
            previous = name


def _between(key: Span, value: Span) -> Span:
    return Span(key.end_line, key.end_column, value.line, value.column, "")


def _whole(root: Any) -> Span:
    return root.span if isinstance(root, Map | Seq) else Span(0, 0, 0, 1, "")


def _comments(lines: Sequence[str], spans: Sequence[Span]) -> Iterator[tuple[int, int, str]]:
    inside: dict[int, list[tuple[int, int]]] = {}
    for span in spans:
        first = span.line + 1 if span.style in "|>" else span.line
        for line in range(first, span.end_line + 1):
            start = 0 if line > span.line else span.column
            inside.setdefault(line, []).append((start, span.end_column if line == span.end_line else 1 << 30))
    for n, line in enumerate(lines):
        for found in re.finditer(r"(?:^|(?<=[ \t]))#", line):
            if not any(start <= found.start() < end for start, end in inside.get(n, ())):
                yield n + 1, found.start() + 1, line[found.start() :]
                break


def _aligned(raw: str, style: str) -> list[tuple[int, int]]:
    """For each character of the value that is no white space, where it begins and ends in the raw text."""
    found: list[tuple[int, int]] = []
    start, end = 0, len(raw)
    if style in ("'", '"') and style:
        start, end = 1, len(raw) - 1
    elif style in ("|", ">") and style:
        start = len(raw.split("\n", 1)[0])
    i = start
    while i < end:
        width, letter = 1, raw[i]
        if style == '"' and letter == "\\" and (escape := _ESCAPE.match(raw, i)):
            width, letter = len(escape.group()), _unescaped(escape.group())
        elif style == "'" and raw.startswith("''", i):
            width = 2
        if letter and not letter.isspace():
            found.append((i, i + width))
        i += width
    return found


def _unescaped(escape: str) -> str:
    code = escape[1:]
    if code[0] in "xuU" and len(code) > 1:
        return chr(int(code[1:], 16))
    return "" if code.lstrip("\r").startswith("\n") else _SIMPLE_ESCAPES.get(code, code)


def _invisible_characters(source: Source) -> Iterator[Finding]:
    """Y009 for every character that nobody can see: raw ones anywhere, escaped ones in double quotes."""
    if _SUSPECT.search(source.text):
        for found in _SUSPECT.finditer(source.text):
            line, column = source._line_column(found.start())
            if not _welcome(source, line, column, found.start()):
                yield _invisible(source, line, column, found.group(), 1)
    for span in source.long_spans:
        if span.style != '"':
            continue
        raw = source.slice(span)
        if "\\" not in raw:
            continue
        base = source._offset(span.line, span.column)
        for escape in _ESCAPE.finditer(raw):
            letter = _unescaped(escape.group())
            if letter and letter not in "\t\n\r" and _SUSPECT.match(letter):
                if letter in _JOINERS and _in_words(source, span.line, span.column):
                    continue
                line, column = source._line_column(base + escape.start())
                yield _invisible(source, line, column, letter, len(escape.group()))


def _invisible(source: Source, line: int, column: int, letter: str, width: int) -> Finding:
    place = Place.at(source.file, line + 1, column + 1, width)
    message = t("invisible character U+{code}", "caractère invisible U+{code}", code=f"{ord(letter):04X}")
    if unicodedata.category(letter) == "Co":
        message = t("character U+{code} is reserved: it marks facts in renderings", "le caractère U+{code} est réservé : il marque les faits dans les rendus",
                    code=f"{ord(letter):04X}")  # fmt: skip
    return finding("Y009", place, message, fix=Fix(t("remove it", "l'enlever"), (Edit(place, ""),)))


def _welcome(source: Source, line: int, column: int, offset: int) -> bool:
    """In `say`: joiners beside emoji and letters that need them, direction marks in right-to-left text, tags of flags."""
    letter = source.text[offset]
    around = source.text[max(offset - 1, 0) : offset] + source.text[offset + 1 : offset + 2]
    if letter in _JOINERS:
        fits = len(around) == 2 and any(ord(c) > 0x2FF for c in around)
    elif letter in _DIRECTION_MARKS:
        fits = any(unicodedata.bidirectional(c) in ("R", "AL") for c in source.lines[line])
    elif "\U000e0020" <= letter <= "\U000e007f":
        before = source.text[:offset].rstrip("".join(map(chr, range(0xE0020, 0xE0080))))
        fits = before.endswith("\U0001f3f4")
    else:
        return False
    return fits and _in_words(source, line, column)


def _in_words(source: Source, line: int, column: int) -> bool:
    """Whether the position lies in a `say` text of a message."""
    messages = source.find(("messages",))
    if not isinstance(messages, Map):
        return False
    for message in messages.values():
        say = message.get("say") if isinstance(message, Map) else None
        for slots in say.values() if isinstance(say, Map) else ():
            for span in slots.values_at.values() if isinstance(slots, Map) else ():
                if (span.line, span.column) <= (line, column) < (span.end_line, span.end_column):
                    return True
    return False

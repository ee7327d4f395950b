"""libyaml's event stream to positioned values in one pass, without recursion: depth (40), nodes (100,000) and expanded
aliases (1,000) are bounded before anything is built (docs/language, section 2)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from omnicli.campaignfile.catalogue import finding
from omnicli.campaignfile.source import Map, Seq, Source, Span
from omnicli.model.finding import Edit, Finding, Fix, Place
from omnicli.model.written import UNKNOWN, Empty, Null
from omnicli.texts import t

NODES, DEPTH, ALIASED = 100_000, 40, 1_000

BLOCKS = ("|", ">")
NULLS = ("~", "null", "Null", "NULL")
ODD = frozenset(("", *NULLS))


class SyntaxTrouble(Exception):
    """libyaml cannot go on: its words and where (lines and columns from 0)."""

    def __init__(self, problem: str, line: int, column: int, context_line: int | None) -> None:
        super().__init__(problem)
        self.problem, self.line, self.column, self.context_line = problem, line, column, context_line


class _Stop(Exception):
    """A limit is passed: the finding is written, nothing more is read."""


def too_big(place: Place, what: str, limit: object) -> Finding:
    return finding("Y010", place, t("{what} above {limit}", "{what} au-delà de {limit}", what=what, limit=limit))


def cannot_read(problem: str, cause: str) -> str:
    return t("cannot read this line: {problem}. Usual cause: {cause}",
             "cette ligne est illisible : {problem}. Cause habituelle : {cause}", problem=problem, cause=cause)  # fmt: skip


class Build:
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
        self.names: list[str] = []
        self.alias_reported = False

    def run(self, text: str) -> None:
        loader = yaml.CBaseLoader(text)
        try:
            self._events(loader.get_event)
        except _Stop:
            self.root = None
        except yaml.MarkedYAMLError as error:
            mark, context = error.problem_mark or error.context_mark, error.context_mark
            raise SyntaxTrouble(
                error.problem or str(error),
                mark.line if mark else 0,
                mark.column if mark else 0,
                context.line if context else None,
            ) from None
        except yaml.reader.ReaderError as error:
            raise SyntaxTrouble(error.reason, 0, 0, None) from None
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
        """All events; the scalars of a plain mapping, nine of ten, are put in place right here, for speed."""
        documents = 0
        scalar, keys, stack = yaml.ScalarEvent, self.keys, self.stack
        starts, ends = (yaml.MappingStartEvent, yaml.SequenceStartEvent), (yaml.MappingEndEvent, yaml.SequenceEndEvent)
        plain = not self.shifts and not self.repaired
        make = tuple.__new__
        while True:
            event = get_event()
            kind = type(event)
            if kind is scalar:
                text: Any = event.value
                start, end, style = event.start_mark, event.end_mark, event.style
                if not plain or not stack or style in BLOCKS or text in ODD or event.tag is not None or event.anchor is not None:
                    self._scalar(event)
                    continue
                span: Span = make(Span, (start.line, start.column, end.line, end.column, style))
                if style:
                    self.long_spans.append(span)
                elif ('"' in text or "'" in text) and self._cut_by_comment(text, span):
                    text = UNKNOWN
                self.nodes += 1
                parent = stack[-1]
                if type(parent) is Map and self.nodes < NODES:
                    waiting = keys[-1]
                    if waiting is None:
                        if text is not UNKNOWN:
                            keys[-1] = (text, span)
                            continue
                    elif (name := waiting[0]) and name not in parent and name != "<<":
                        keys[-1] = None
                        parent[name] = text
                        parent.keys_at[name] = waiting[1]
                        parent.values_at[name] = span
                        continue
                self._count(span, 0)
                self._put(text, span)
            elif kind in ends:
                self._close(event)
            elif kind in starts:
                self._open(event, kind)
            elif kind is yaml.AliasEvent:
                self._alias(event)
            elif kind is yaml.DocumentStartEvent:
                documents += 1
                if documents > 1:
                    self._second_document(event)
                if documents > 1 and not isinstance(self.root, Map):
                    return
            elif kind is yaml.StreamEndEvent:
                return

    def _scalar(self, event: Any) -> None:
        style: str = event.style
        span = self._span(event, style)
        self._count(span)
        if style:
            span = self._trimmed(span) if style in "|>" else span
            self.long_spans.append(span)
        text = self._text(event, span)
        if event.anchor is not None:
            self.anchors[event.anchor] = text
        self._put(text, span)

    def _text(self, event: Any, span: Span) -> Any:
        """The scalar as a text; empty and null ones are told apart, unreadable ones are unknown."""
        text: str = event.value
        if event.tag is not None:
            self._tag(event.tag, span)
            return UNKNOWN
        if self.repaired and (span.line, span.column) in self.repaired:
            return UNKNOWN
        if span.style:
            return text
        if text == "" and event.anchor is None:
            return Empty()
        if text in NULLS:
            return Null(text)
        return UNKNOWN if self._cut_by_comment(text, span) else text

    def _trimmed(self, span: Span) -> Span:
        """A block scalar without the empty lines behind it."""
        end = min(span.end_line - (span.end_column == 0), len(self.source.lines) - 1)
        while end > span.line and not self.source.lines[end].strip():
            end -= 1
        return Span(span.line, span.column, end, len(self.source.lines[end]), span.style)

    def _cut_by_comment(self, text: str, span: Span) -> bool:
        """Whether a plain text with an open quote lost its end to a ` #`; if so, the finding is written."""
        if '"' not in text and "'" not in text:
            return False
        line = self.source.lines[span.end_line] if span.end_line < len(self.source.lines) else ""
        rest = line[span.end_column :]
        if not re.match(r"[ \t]+#", rest) or not (text.count('"') % 2 or re.search(r"(?<!\w)'[^']*$", text)):
            return False
        place = Place.at(self.source.file, span.end_line + 1, span.end_column + len(rest) - len(rest.lstrip()) + 1)
        if self._asks():
            message = t("' #' starts a comment: quote the whole condition", "« # » après un blanc commence un commentaire : mettez toute la condition entre guillemets")  # fmt: skip
            self.findings.append(finding("A001", place, message))
        else:
            problem = t("the quote in this text is not closed", "le guillemet de ce texte n'est pas fermé")
            cause = t(
                "' #' starts a comment: quote the whole text",
                "« # » après un blanc commence un commentaire : mettez tout le texte entre guillemets",
            )
            self.findings.append(finding("Y001", place, cannot_read(problem, cause)))
        return True

    def _asks(self) -> bool:
        """Whether the value that is read next is a condition."""
        waiting = self.keys[-1] if self.keys else None
        return (waiting is not None and waiting[0] in ("if", "match", "when", "measure")) or "segments" in self.names[-1:]

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
            self.findings.append(too_big(place, t("nesting", "l'imbrication"), DEPTH))
            raise _Stop
        self.names.append(waiting[0] if self.keys and (waiting := self.keys[-1]) else "")
        if mapping and not self.stack and isinstance(self.root, Map):
            node = self.root  # a second document: its keys are read as if the '---' were not there
        else:
            self._put(node if event.tag is None else UNKNOWN, span)
        self.stack.append(node)
        self.keys.append(None)

    def _close(self, event: Any) -> None:
        node = self.stack.pop()
        self.keys.pop()
        self.names.pop()
        if node.span.style != "block":
            end = self._span(event, "")
            node.span = Span(node.span.line, node.span.column, end.end_line, end.end_column, node.span.style)
            self._settle_span(node)
        if isinstance(node, Map) and node.span.style == "{":
            self._lost_commas(node)

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
        if self.keys and self.keys[-1] is not None and self.keys[-1][0] == "<<":
            self._put(UNKNOWN, span)
            return
        if value is None:
            problem = t("'*{a}' names nothing", "« *{a} » ne désigne rien", a=event.anchor)
            cause = t(
                "a text that begins with '*' must be quoted", "un texte qui commence par « * » doit être mis entre guillemets"
            )
            self.findings.append(finding("Y001", place, cannot_read(problem, cause)))
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
        self.aliased += _size(value)
        if self.aliased > ALIASED:
            if not self.alias_reported:
                message = t("{n} nodes by alias (limit 1,000)", "{n} nœuds par alias (limite 1 000)", n=self.aliased)
                self.findings.append(finding("Y004", place, message))
                self.alias_reported = True
            self._put(UNKNOWN, span)
            return
        self._put(value, span)

    def _put(self, value: Any, span: Span) -> None:
        """A value into the collection that is open: as the next key, the value of the last key, or an element."""
        if not self.stack:
            self.root = value if self.root is None else self.root
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
        if value is UNKNOWN:
            return ""
        problem = t("a key must be a word", "une clé doit être un mot")
        cause = t(
            "a '?' or ':' or '{' at the beginning of a text; quote it",
            "un « ? », « : » ou « { » au début d'un texte ; mettez des guillemets",
        )
        self.findings.append(finding("Y001", self.source.at(span), cannot_read(problem, cause)))
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

    def _count(self, span: Span, by: int = 1) -> None:
        self.nodes += by
        if self.nodes > NODES:
            self.findings.append(too_big(self.source.at(span), t("the number of values", "le nombre de valeurs"), "100,000"))
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


def _size(value: Any) -> int:
    """How many nodes an alias stands for, counted no further than the limit."""
    count, waiting = 0, [value]
    while waiting and count <= ALIASED:
        one = waiting.pop()
        count += 1
        if isinstance(one, dict):
            count += len(one)
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
    return count

"""For every character of a message, where it comes from: a fact, the person, a link, the words of `say`, the house, the template.

The same templates, words and values as in production; joined, the pieces of a part are the plain rendering byte for byte
(docs/consistency 2). What a finding or a preview needs is read from here and never guessed from the text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, Protocol

from omnicli.channels import Part
from omnicli.model.touch import Rendered
from omnicli.render.align import align, align_text
from omnicli.render.facts import Resolved
from omnicli.render.reader import Reader
from omnicli.render.skeleton import Origin, escape
from omnicli.render.tracing import Span, Spot, Tracing, flat, marked, pieces
from omnicli.render.views import Constant, FactView, Fields, Link, Own, Picture, Printed, SayView, Slot, Value, make_hooks


class Piece(NamedTuple):
    """A stretch of text of one origin. Origins: `("fact", name, form)`, `("contact", name, form)`, `("link", n)`,
    `("address", purpose)`, `("picture", kind, n)`, `("words", slot)`, `("brand", key)`, `("persona", key)`, `("message", key)`,
    `("touch", key)`, `("stop",)`, `("language",)`, `("today",)`, `("plural", name, …)`, `("template",)`, and
    `("derived", kind, name)` for what a template made of a value (`truncate`, a slice, a sum). `span`: where in which template; `slot` and `nth`: the slot of `say` that it stands in, and its
    number among the constants and placeholders of that slot (from 0)."""

    text: str
    origin: Origin
    span: Span | None = None
    slot: str | None = None
    nth: int = 0


@dataclass(frozen=True, slots=True)
class LinkTo:
    """A link of a message: where it leads (with its UTM words), the fact it is, or None; `click` or `scan`."""

    address: str
    fact: str | None
    purpose: str = "click"


@dataclass(frozen=True, slots=True)
class Draft:
    """A message as its templates print it, before style sheets are in-lined and lines are tidied: part → pieces."""

    parts: Mapping[str, tuple[Piece, ...]] = field(repr=False)
    links: tuple[LinkTo, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)

    def text(self, part: str) -> str:
        return "".join([piece.text for piece in self.parts[part]])


@dataclass(frozen=True, eq=False)
class Traced:
    """One message traced. `rendered` is what would be sent; `parts` its texts in pieces; `draft` the same before finishing;
    `facts` what was resolved: name → (type, plain spelling or None); `template` the file of its first part."""

    channel: str
    language: str
    persona: str | None
    template: str
    facts: Mapping[str, Resolved]
    links: tuple[LinkTo, ...]
    draft: Draft = field(repr=False)
    rendered: Rendered = field(repr=False)
    html: frozenset[str] = frozenset()

    @cached_property
    def parts(self) -> Mapping[str, tuple[Piece, ...]]:
        """Part → pieces; joined, exactly `rendered.parts`."""
        return {name: self._pieces(name, text) for name, text in self.rendered.parts.items()}

    def _pieces(self, name: str, text: str) -> tuple[Piece, ...]:
        if name in self.draft.parts:
            return align(text, self.draft.parts[name], html=name in self.html)
        return align_text(text, self.draft.parts.get("html", ()))


class _Open(Protocol):
    """What the tracer is given of a message: the sheet of the renderer."""

    reader: Reader
    variables: dict[str, Any]
    extra: Fields


class Tracer:
    """Traces the messages of one renderer, one at a time."""

    def __init__(self, environment: Callable[[Callable[[Any, bool, Spot], str]], Tracing]) -> None:
        self.environment = environment(self._show)
        self._plain = make_hooks(self.environment.recorder)
        self._origins: list[tuple[Origin, Span | None, str | None, int]] = []
        self._links: list[LinkTo] = []
        self._names: dict[int, Origin] = {}
        self._known: dict[int, tuple[_Open, dict[int, Origin]]] = {}
        self._chunks: dict[str, list[Piece]] = {}
        self._sheet: Any = None

    def draft(self, sheet: _Open, parts: Sequence[tuple[Part, str | None]]) -> Draft:
        """The pieces of each part; `parts` name their templates, None for a part that is a slot or the brand's name."""
        self._origins, self._links, self._sheet = [], [], sheet
        self._names = self._named(sheet)
        recorder = self.environment.recorder
        recorder.begin(sheet.reader, marking=False)
        self.environment.begin()
        made = {part.name: self._part(part, name) for part, name in parts}
        files = {part.name: f"templates/{name}" for part, name in parts if name is not None}
        return Draft(made, tuple(self._links), files)

    def _named(self, sheet: _Open) -> dict[int, Origin]:
        known = self._known.get(id(sheet))
        if known is None:
            known = self._known[id(sheet)] = sheet, dict(_named(sheet.variables))
        return known[1]

    def _part(self, part: Part, name: str | None) -> tuple[Piece, ...]:
        variables = self._sheet.variables
        if part.slot is not None:
            chunks = [self._show(variables["say"].look(part.slot), False, Spot(Span("", 0, 0)))]
        elif name is None:
            chunks = [self._show(variables["brand"].values_["name"], False, Spot(Span("", 0, 0)))]
        else:
            template = self.environment.get_template(name)
            context = template.new_context(variables, shared=True)
            run = template.blocks.get(part.block or "", template.root_render_func)
            chunks = list(run(context))
        return self._whole(chunks) or tuple(self._cut("".join(chunks)))

    def _whole(self, chunks: Sequence[str]) -> tuple[Piece, ...] | None:
        """The pieces of chunks each of which is whole; None where a filter has put marks into marks, or cut a typed text in two. A
        chunk that a template types is the same text for every reader, so it is cut once."""
        found: list[Piece] = []
        for chunk in chunks:
            known = self._chunks.get(chunk)
            if known is None and (known := self._whole_chunk(chunk)) is None:
                return None
            found += known
        return tuple(found)

    def _whole_chunk(self, chunk: str) -> list[Piece] | None:
        cut = flat(chunk)
        if cut is None:
            return None
        made: list[Piece] = []
        for said, n in cut:
            if n % 2:
                made.append(Piece(said, *self._origins[n // 2]))
                continue
            piece, behind = self._as_typed(said, n, 0)
            if behind:
                return None
            made.append(piece)
        if all(n % 2 == 0 for _, n in cut):
            self._chunks[chunk] = made
        return made

    def _cut(self, text: str) -> Iterator[Piece]:
        """The pieces of marked text. A number below the spots' is typed text, the others are what `_show` printed."""
        at: dict[int, int] = {}
        for said, n in pieces(text):
            if n < 0:
                yield Piece(said, ("template",))
            elif n % 2 == 0:
                piece, at[n] = self._as_typed(said, n, at.get(n, 0))
                yield piece
            else:
                yield Piece(said, *self._origins[n // 2])

    def _as_typed(self, said: str, n: int, start: int) -> tuple[Piece, int]:
        """The piece of a text that a template prints by itself, and where in its place the next one begins."""
        span = self.environment.spots[n // 2].span
        inner = span.inner(start, start + len(said))
        typed = span.typed and self.environment.texts.get(span.file, "")[inner.start : inner.end] == said
        behind = start + len(said) if typed and inner.end < span.end else 0
        return Piece(said, ("template",), inner if typed else span if span.file else None), behind

    # -- what is printed ---------------------------------------------------------------------------------------------
    def _mark(self, text: str, origin: Origin, spot: Spot, slot: str | None = None, nth: int = 0) -> str:
        self._origins.append((origin, spot.span if spot.span.file else None, slot, nth))
        return marked(text, (len(self._origins) - 1) * 2 + 1) if text else ""

    def _show(self, value: Any, html: bool, spot: Spot) -> str:
        if isinstance(value, str) and "\ue000" in value and not isinstance(value, Constant):
            return value if not html or hasattr(value, "__html__") else escape(value)
        if isinstance(value, Slot):
            return self._slot(value, html, spot)
        text = self._plain[0 if html else 1](value)
        origin = self._origin(value)
        if origin is not None:
            return self._mark(text, origin, spot)
        return self._derived(text, html, spot)

    def _slot(self, slot: Slot, html: bool, spot: Spot) -> str:
        name = self._names.get(id(slot)) or ("words", "")
        fills = iter(slot.origins)
        out: list[str] = []
        for nth, piece in enumerate(slot.html_pieces if html else slot.text_pieces):
            text, origin = (piece, name) if isinstance(piece, str) else (piece(html), next(fills))
            out.append(self._mark(text, origin, spot, name[1], nth))
        return "".join(out)

    def _origin(self, value: Any) -> Origin:
        """Where a view comes from; None for what was made from values."""
        match value:
            case FactView():
                return value.key
            case Link():
                return ("link", self._link(value.target, "click"))
            case Own():
                return ("address", value.purpose)
            case Picture():
                if isinstance(value.target, (FactView, Constant)):
                    return ("picture", value.kind, self._link(value.target, "scan"))
                return ("picture", value.kind)
            case Value():
                return value.origin or ("template",)
            case Printed():
                return self._names.get(id(value), ("template",))
        return None

    def _link(self, target: Any, purpose: str) -> int:
        reader = self._sheet.reader
        fact = target.name if isinstance(target, FactView) else None
        address = reader.facts.get(fact, ("", None))[1] or "" if fact else str(target)
        for n, known in enumerate(self._links):
            if known.address == address and known.fact == fact and known.purpose == purpose:
                return n
        self._links.append(LinkTo(address, fact, purpose))
        return len(self._links) - 1

    # -- what a template made of values ------------------------------------------------------------------------------
    def _derived(self, text: str, html: bool, spot: Spot) -> str:
        """Text without a view: the values that its expression names are looked for in it, whole."""
        if not text:
            return ""
        named = spot.names
        found = self._whole_facts(text, [word for kind, word in named if kind in ("facts", "say")], html)
        rest = self._rest(named, text)
        out: list[str] = []
        at = 0
        for start, end, origin in found:
            out += [self._mark(text[at:start], rest, spot), self._mark(text[start:end], origin, spot)]
            at = end
        out.append(self._mark(text[at:], rest, spot))
        return "".join(out)

    def _whole_facts(self, text: str, names: Sequence[str], html: bool) -> list[tuple[int, int, Origin]]:
        """Where a fact named by the expression, or standing in a slot that it names, stands complete in the text."""
        wanted: dict[str, Origin] = {}
        reader = self._sheet.reader
        for name in names:
            slot = self._sheet.variables["say"].slots.get(name)
            keys = [("fact", name, "")] if name in reader.message.facts else []
            keys += [key for key in (slot.origins if slot else ()) if key[0] == "fact"]
            for key in keys:
                if reader.has_fact(key[1]):
                    wanted[reader.fact(key[1], key[2], html)] = ("fact", key[1], key[2])
        found: list[tuple[int, int, Origin]] = []
        for said, origin in sorted(wanted.items(), key=lambda item: -len(item[0])):
            at = text.find(said)
            if said and at >= 0 and all(at >= end or at + len(said) <= start for start, end, _ in found):
                found.append((at, at + len(said), origin))
        return sorted(found)

    def _rest(self, named: Sequence[tuple[str, str]], text: str) -> Origin:
        kinds = {"facts": "fact", "contact": "contact", "say": "words", "brand": "brand", "persona": "persona", "touch": "touch"}
        facts = [name for owner, name in named if owner == "facts"]
        if facts:
            return ("derived", "fact", facts[0])
        contact = next((name for owner, name in named if owner == "contact"), None)
        if contact is not None and self._sheet.reader.contact.get(contact) not in (None, ""):
            return ("contact", contact, "")
        if contact is not None:
            return ("template",)
        slots = self._sheet.variables["say"].slots
        for owner, name in named:
            if owner in kinds and (owner != "say" or name in slots):
                return ("words", name) if owner == "say" else (kinds[owner], name)
        if known := self._personal(text):
            return known
        return ("template",)

    def _personal(self, text: str) -> Origin:
        """The contact's attribute or the touch's word that a loop or a name has brought here."""
        reader = self._sheet.reader
        for name, value in reader.contact.items():
            words = value if isinstance(value, (list, tuple)) else [value]
            if any(isinstance(word, str) and word and reader.cleaned(word) in (text, text.strip()) for word in words):
                return ("contact", name, "")
        for name, value in self._sheet.extra.values_.items():
            if text in (value if isinstance(value, (list, tuple)) else (value,)):
                return ("touch", name)
        return None


def _named(variables: Mapping[str, Any]) -> Iterator[tuple[int, Origin]]:
    """The identity of every constant and slot that templates see, with its name."""
    for name, value in variables.items():
        match value:
            case SayView():
                yield from ((id(slot), ("words", key)) for key, slot in value.slots.items())
            case Fields():
                yield from _fields(name, value)
            case Constant():
                yield id(value), (name,)


def _fields(name: str, fields: Fields) -> Iterator[tuple[int, Origin]]:
    for key, value in fields.items():
        if isinstance(value, Fields):
            yield from ((id(one), (name, f"{key}.{inner}")) for inner, one in value.items())
        elif isinstance(value, Constant):
            yield id(value), (name, key)
        elif isinstance(value, tuple):
            yield from ((id(one), (name, key)) for one in value)


__all__ = ["Draft", "LinkTo", "Piece", "Span", "Traced", "Tracer"]

"""What a template sees: views on one person at a time, made once a message, that the hook knows how to print.

A view never holds a person's value. It asks the recorder for the person being written to, so the same few objects serve
everybody and the constant chunks between values stay the same objects too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from jinja2 import StrictUndefined, TemplateError, Undefined
from markupsafe import Markup

from omnicli.render.skeleton import CAPTURED, MARKS, Recorder, TooManyValues, escape
from omnicli.texts import t


class CannotRender(Exception):
    """This message cannot be written for this person: `reason` is the skip reason, `detail` names the field."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


#: What a rendering may raise: a person's values, or an author's mistake.
MISTAKES = (TemplateError, TooManyValues, RuntimeError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError)
FAILURES = (CannotRender, *MISTAKES)


class Lacking(Undefined):
    """A value that this person does not have: false and empty, an error when printed (`default` or `or "…"` helps)."""

    __slots__ = ()
    reason = "render_failed"

    def __str__(self) -> str:
        raise CannotRender(self.reason, self._undefined_message)


class NoWords(Lacking):
    """A slot that is not written in this language and register."""

    __slots__ = ()
    reason = "no_words"


class Printed:
    """A view that can be printed. `show` leaves a mark (or the text, when nothing is marked) in the output; `plain` is
    what filters and comparisons see."""

    __slots__ = ()

    def show(self, recorder: Recorder, *, html: bool) -> str:
        raise NotImplementedError

    def plain(self) -> Any:
        raise NotImplementedError

    def __str__(self) -> str:
        return str(self.plain())

    def __html__(self) -> str:
        return escape(str(self.plain()))

    def __len__(self) -> int:
        return len(str(self.plain()))

    def __bool__(self) -> bool:
        return bool(self.plain())

    def __eq__(self, other: object) -> bool:
        return bool(self.plain() == (other.plain() if isinstance(other, Printed) else other))

    def __lt__(self, other: Any) -> bool:
        return bool(self.plain() < (other.plain() if isinstance(other, Printed) else other))

    def __gt__(self, other: Any) -> bool:
        return bool(self.plain() > (other.plain() if isinstance(other, Printed) else other))

    def __le__(self, other: Any) -> bool:
        return not self > other

    def __ge__(self, other: Any) -> bool:
        return not self < other

    def __contains__(self, other: Any) -> bool:
        return (str(other) if isinstance(other, Printed) else other) in str(self.plain())

    def __getitem__(self, index: slice) -> str:
        return str(self)[index]

    def __hash__(self) -> int:
        return hash(self.plain())


class Constant(str, Printed):
    """A text of the house or the author: the same for everybody, so it is part of the skeleton."""

    __slots__ = ("escaped",)
    escaped: str

    def __new__(cls, text: str) -> Constant:
        made = super().__new__(cls, text)
        made.escaped = escape(text)
        return made

    def show(self, recorder: Recorder, *, html: bool) -> str:
        return self.escaped if html else str.__str__(self)

    def plain(self) -> str:
        return str.__str__(self)


Fill = Callable[[bool], str]


class Slot(Printed):
    """A slot of `say`: its constant pieces, escaped once, and what fills its placeholders for this person.

    When it is printed the constants and the marks between them are one prebuilt text per first mark number.
    """

    __slots__ = ("_chunks", "fills", "html_pieces", "origins", "recorder", "text_pieces")

    def __init__(self, pieces: Sequence[str | tuple[Fill, tuple[Any, ...]]], recorder: Recorder) -> None:
        self.recorder = recorder
        self.text_pieces = tuple(piece if isinstance(piece, str) else piece[0] for piece in pieces)
        self.html_pieces = tuple(escape(piece) if isinstance(piece, str) else piece for piece in self.text_pieces)
        self.fills = tuple(piece[0] for piece in pieces if not isinstance(piece, str))
        self.origins = tuple(piece[1] for piece in pieces if not isinstance(piece, str))
        self._chunks: dict[tuple[int, bool], str] = {}

    def show(self, recorder: Recorder, *, html: bool) -> str:
        if not recorder.marking:
            pieces = self.html_pieces if html else self.text_pieces
            return "".join([piece if isinstance(piece, str) else piece(html) for piece in pieces])
        values = recorder.values
        start = len(values)
        for fill in self.fills:
            values.append(fill(html))
        if recorder.origins is not None:
            recorder.origins.extend(self.origins)
        chunk = self._chunks.get((start, html))
        return chunk if chunk is not None else self._chunk(start, html)

    def _chunk(self, start: int, html: bool) -> str:
        marks = iter(MARKS[start : start + len(self.fills)])
        pieces = self.html_pieces if html else self.text_pieces
        return self._chunks.setdefault(
            (start, html), "".join([piece if isinstance(piece, str) else next(marks) for piece in pieces])
        )

    def plain(self) -> str:
        return "".join([piece if isinstance(piece, str) else piece(False) for piece in self.text_pieces])


class FactView(Printed):
    """`facts.price`, and `facts.price.short`: the fact as this channel prints it."""

    __slots__ = ("form", "key", "name", "recorder")

    def __init__(self, name: str, form: str, recorder: Recorder) -> None:
        self.name, self.form, self.recorder = name, form, recorder
        self.key = ("fact", name, form)

    def show(self, recorder: Recorder, *, html: bool) -> str:
        return recorder.put(recorder.person.fact(self.name, self.form, html), self.key)

    def plain(self) -> str:
        return str(self.recorder.person.fact(self.name, self.form, False))


class Value(Printed):
    """A typed value of a contact, or a date: printed in the reader's language, compared as what it is."""

    __slots__ = ("form", "kind", "origin", "recorder", "written")

    def __init__(
        self, kind: str, written: str, recorder: Recorder, *, form: str = "", origin: tuple[Any, ...] | None = None
    ) -> None:
        self.kind, self.written, self.form, self.recorder, self.origin = kind, written, form, recorder, origin

    def show(self, recorder: Recorder, *, html: bool) -> str:
        text = recorder.person.formed(self.kind, self.written, self.form)
        return recorder.put(escape(text) if html else text, self.origin)

    def plain(self) -> Any:
        match self.kind:
            case "number" | "percent" | "distance" | "duration":
                return Decimal(self.written)
            case "money":
                return Decimal(self.written.split()[0])
            case "yes or no":
                return self.written == "yes"
        return self.written

    def __str__(self) -> str:
        return str(self.recorder.person.formed(self.kind, self.written, self.form))


class Today(Value):
    """`now`: the touch's local date, looked up only when a template asks for it."""

    __slots__ = ()

    def __init__(self, recorder: Recorder) -> None:
        self.kind, self.form, self.recorder, self.origin = "date", "", recorder, ("today",)

    @property
    def written(self) -> str:  # type: ignore[override]
        return str(self.recorder.person.today())


class Link(Printed):
    """`link(facts.link)`: the tracked address when clicks are tracked, else the address itself."""

    __slots__ = ("recorder", "target")

    def __init__(self, target: str | FactView, recorder: Recorder) -> None:
        self.target, self.recorder = target, recorder

    def __bool__(self) -> bool:
        return True

    def show(self, recorder: Recorder, *, html: bool) -> str:
        person = recorder.person
        head, own, origin = person.link(self.target)
        if html:
            head, own = escape(head), escape(own)
        if not own:
            return str(head)
        return str(person.join(head, recorder.put(own, origin)))

    def plain(self) -> str:
        head, own, _ = self.recorder.person.link(self.target)
        return str(head + own)


class Own(Printed):
    """`unsubscribe`, `preferences`, `web_version`: an address that is this touch's own."""

    __slots__ = ("purpose", "recorder")

    def __init__(self, purpose: str, recorder: Recorder) -> None:
        self.purpose, self.recorder = purpose, recorder

    def show(self, recorder: Recorder, *, html: bool) -> str:
        person = recorder.person
        head, own = person.own_address(self.purpose)
        if not own:
            return escape(head) if html else str(head)
        return str(person.join(escape(head) if html else head, recorder.put(own, ("address", self.purpose))))

    def plain(self) -> str:
        return "".join(self.recorder.person.own_address(self.purpose))

    def __bool__(self) -> bool:
        return True


class Picture(Printed):
    """`qr(facts.link)`: the code as inline SVG, each person's own."""

    __slots__ = ("kind", "recorder", "target")

    def __init__(self, target: Printed, recorder: Recorder, kind: str) -> None:
        self.target, self.recorder, self.kind = target, recorder, kind

    def show(self, recorder: Recorder, *, html: bool) -> str:
        return recorder.put(recorder.person.qr(self.target, self.kind), ("picture", self.kind))

    def plain(self) -> str:
        return ""

    def __bool__(self) -> bool:
        return True


class Fields(Mapping[str, Any]):
    """A frozen mapping of constants, reached by name: `brand`, `persona`, `message`."""

    __slots__ = ("name", "values_")

    def __init__(self, name: str, values: Mapping[str, Any]) -> None:
        self.name, self.values_ = name, dict(values)

    def look(self, attribute: str) -> Any:
        found = self.values_.get(attribute)
        if found is not None:
            return found
        return Lacking(
            t("there is no {name}.{attribute}", "il n'y a pas de {name}.{attribute}", name=self.name, attribute=attribute),
            name=attribute,
        )

    def __getitem__(self, key: str) -> Any:
        return self.values_[key]

    def __iter__(self) -> Any:
        return iter(self.values_)

    def __len__(self) -> int:
        return len(self.values_)


class SayView:
    """`say`: the slots written in this language and register."""

    __slots__ = ("slots", "where")

    def __init__(self, slots: Mapping[str, Slot], where: str) -> None:
        self.slots, self.where = dict(slots), where

    def look(self, attribute: str) -> Any:
        found = self.slots.get(attribute)
        return (
            found
            if found is not None
            else NoWords(
                t("{where} has no '{slot}'", "{where} n'a pas de « {slot} »", where=self.where, slot=attribute), name=attribute
            )
        )


class FactsView:
    """`facts`: those that the message declares; one that this person lacks is false, and an error when printed."""

    __slots__ = ("names", "omitted", "recorder", "views")

    def __init__(self, names: tuple[str, ...], recorder: Recorder, omitted: frozenset[str] = frozenset()) -> None:
        self.names, self.recorder, self.omitted = names, recorder, omitted
        self.views: dict[tuple[str, str], FactView] = {(name, ""): FactView(name, "", recorder) for name in names}

    def look(self, attribute: str) -> Any:
        view = self.views.get((attribute, ""))
        if view is None:
            return Lacking(
                t("the message has no fact '{fact}'", "le message n'a pas de fait « {fact} »", fact=attribute), name=attribute
            )
        if attribute in self.omitted:
            return Lacking(
                t("the fact '{fact}' is left out of this channel", "le fait « {fact} » est omis sur ce canal", fact=attribute),
                name=attribute,
            )
        if not self.recorder.person.has_fact(attribute):
            return Lacking(
                t(
                    "the fact '{fact}' is not known for this contact",
                    "le fait « {fact} » n'est pas connu pour ce contact",
                    fact=attribute,
                ),
                name=attribute,
            )
        return view

    def form(self, name: str, form: str) -> FactView:
        return self.views.setdefault((name, form), FactView(name, form, self.recorder))


class ContactView:
    """`contact`: the attributes of the person being written to."""

    __slots__ = ("known", "recorder")

    def __init__(self, known: frozenset[str], recorder: Recorder) -> None:
        self.known, self.recorder = known, recorder

    def look(self, attribute: str) -> Any:
        if attribute not in self.known:
            return UnknownName(
                t("contacts have no attribute '{name}'", "les contacts n'ont pas d'attribut « {name} »", name=attribute),
                name=attribute,
            )
        found = self.recorder.person.attribute(attribute)
        return (
            found
            if found is not None
            else Lacking(t("contact.{name} is missing", "contact.{name} manque", name=attribute), name=attribute)
        )


class UnknownName(StrictUndefined):
    """A name that nobody has: an error whatever is done with it."""

    __slots__ = ()


def _fact_form(view: FactView, attribute: str) -> Any:
    kind = view.recorder.person.kind_of_fact(view.name)
    from omnicli.render.forms import FORMS

    if attribute in FORMS.get(kind, ()):
        return view.recorder.person.facts_view.form(view.name, attribute)
    return UnknownName(
        t(
            "the fact '{fact}' has no form '{form}' (known: {known})",
            "le fait « {fact} » n'a pas de forme « {form} » (connues : {known})",
            fact=view.name,
            form=attribute,
            known=", ".join(FORMS.get(kind, ())),
        ),
        name=attribute,
    )


def _value_form(view: Value, attribute: str) -> Any:
    from omnicli.render.forms import FORMS

    if view.kind == "date" and attribute in ("year", "month", "day"):
        return int(view.written.split("-")[("year", "month", "day").index(attribute)])
    if attribute in FORMS.get(view.kind, ()):
        return Value(
            view.kind, view.written, view.recorder, form=attribute, origin=(*view.origin, attribute) if view.origin else None
        )
    return UnknownName(
        t("a {kind} has no form '{form}'", "pas de forme « {form} » pour {kind}", kind=view.kind, form=attribute), name=attribute
    )


def _nothing(view: Any, attribute: str) -> Any:
    return UnknownName(t("'{name}' is not known here", "« {name} » n'est pas connu ici", name=attribute), name=attribute)


#: How an attribute of each view is reached; what is not here has none.
ACCESS: Mapping[type, Callable[[Any, str], Any]] = {
    SayView: SayView.look, FactsView: FactsView.look, ContactView: ContactView.look, Fields: Fields.look, FactView: _fact_form,
    Value: _value_form,
    Today: _value_form, Constant: _nothing, Slot: _nothing, Link: _nothing, Own: _nothing, Picture: _nothing, str: _nothing,
    Markup: _nothing,
}  # fmt: skip


def make_hooks(recorder: Recorder) -> tuple[Callable[[Any], str], Callable[[Any], str]]:
    """The two functions that the compiled template calls around each printed expression: in HTML, and elsewhere."""

    def html(value: Any) -> str:
        if isinstance(value, Printed):
            return value.show(recorder, html=True)
        if isinstance(value, Markup):
            return value if value[:1] == CAPTURED else recorder.put(str(value))
        return recorder.put(escape(_text(value, recorder)))

    def text(value: Any) -> str:
        if isinstance(value, Printed):
            return value.show(recorder, html=False)
        if isinstance(value, str) and value[:1] == CAPTURED:
            return value
        return recorder.put(_text(value, recorder))

    return html, text


def _text(value: Any, recorder: Recorder) -> str:
    if type(value) is str:
        return str(recorder.person.folded(value))
    if isinstance(value, Undefined):
        return str(value)
    if value is None:
        raise CannotRender("render_failed", t("nothing to print: a value is empty", "rien à imprimer : une valeur est vide"))
    if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
        return str(recorder.person.formed("number", format(value, "f") if isinstance(value, Decimal) else str(value), ""))
    if isinstance(value, (date, datetime)):
        return str(recorder.person.formed("date", value.isoformat()[:10], ""))
    if isinstance(value, (list, tuple)):
        return str(recorder.person.listed([str(word) for word in value]))
    if isinstance(value, bool):
        return str(value)
    raise CannotRender(
        "render_failed",
        t(
            "{what} cannot be printed: name one of its fields",
            "{what} ne s'imprime pas : nommez un de ses champs",
            what=_called(value),
        ),
    )


def _called(value: Any) -> str:
    """What an author calls a view that is not a text."""
    names = {SayView: "say", FactsView: "facts", ContactView: "contact"}
    return names.get(type(value)) or (value.name if isinstance(value, Fields) else "this")

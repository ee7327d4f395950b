"""Checks a condition against the names in force: gives what it asks with every default written out, or every problem it has.

Bad input never stops at the first problem: each predicate is checked by itself, and an unknown name silences only what
depends on it. Rules and wording: docs/language 6, docs/lint families A and R.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal

from omnicli.condition import meaning as m
from omnicli.condition import syntax as s
from omnicli.condition.problem import ConditionError, Problem
from omnicli.model.literals import MINOR_DIGITS, Duration
from omnicli.model.vocabulary import Kind, Vocabulary
from omnicli.text import fold, nearest
from omnicli.texts import t

#: Most predicates of a condition with its segments and personas written out (SQLite's expression depth is 1,000).
MOST_WRITTEN_OUT = 800
MOST_AGGREGATES = 4

#: Built-in events that answer a touch: `since enter` means those of this pass only (6.4).
ANSWERS = frozenset(
    (
        "delivered", "opened", "clicked", "replied", "scanned", "answered", "voicemail", "no_answer", "refused", "callback",
        "done", "bounced", "failed", "complained", "unsubscribed",
    )
)  # fmt: skip
_NUMBER, _TIME, _YES_NO = Kind("number"), Kind("time"), Kind("yes or no")
_ORDERED = frozenset({"number", "percent", "distance", "duration", "money"})
_TEXTS = frozenset({"text", "code"})
_PERMISSIONS = ("consent", "address", "suppressed", "reachable")


@dataclass(frozen=True, slots=True)
class Uses:
    """What a condition speaks of, its segments' and personas' own words included. `leaves_out`: attributes asked with `!=`
    or `not in`, whose missing values make it false. `finest`: the shortest duration or unit of time in it."""

    attributes: frozenset[str] = frozenset()
    events: frozenset[str] = frozenset()
    segments: frozenset[str] = frozenset()
    personas: frozenset[str] = frozenset()
    messages: frozenset[str] = frozenset()
    steps: frozenset[str] = frozenset()
    campaigns: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    enrolled: frozenset[str] = frozenset()
    leaves_out: frozenset[str] = frozenset()
    speaks_of_time: bool = False
    speaks_of_enter: bool = False
    finest: Duration | None = None
    aggregates: int = 0

    def with_(self, other: Uses) -> Uses:
        """Both together."""
        finest = min((d for d in (self.finest, other.finest) if d), key=lambda d: d.about, default=None)
        return Uses(
            **{name: getattr(self, name) | getattr(other, name) for name in _SETS},
            speaks_of_time=self.speaks_of_time or other.speaks_of_time,
            speaks_of_enter=self.speaks_of_enter or other.speaks_of_enter,
            finest=finest,
            aggregates=self.aggregates + other.aggregates,
        )


_SETS = ("attributes", "events", "segments", "personas", "messages", "steps", "campaigns", "channels", "enrolled", "leaves_out")


@dataclass(frozen=True, slots=True)
class Checked:
    """`tree` is None when the condition cannot be asked; `problems` in order of column."""

    tree: m.Meaning | None
    problems: tuple[Problem, ...]
    uses: Uses
    term: m.EventTerm | None = None

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(p for p in self.problems if p.error)


def check(text: str, vocabulary: Vocabulary, *, where: str = "elsewhere", within: str | None = None) -> Checked:
    """What the condition asks. `where` is `flow` for texts of flow, exit and goal, else `elsewhere`; `within` names the
    segment or persona (`segment a`, `persona b`) whose own text this is, so that a circle is told from its start."""
    try:
        node = s.parse(text)
    except ConditionError as error:
        return Checked(None, (error.problem,), Uses())
    checker = _Checker(text, vocabulary, flow=where == "flow", path=(within,) if within else ())
    return checker.whole(node)


def check_event(text: str, vocabulary: Vocabulary) -> Checked:
    """An event term (`when`, `for`, `measure`): one occurrence without a window; `term` is the answer."""
    try:
        node = s.parse(text)
    except ConditionError as error:
        return Checked(None, (error.problem,), Uses())
    checker = _Checker(text, vocabulary, flow=True, path=())
    return checker.event(node)


class _Unknown(Exception):
    """A predicate that cannot be asked; its problem is already noted."""


@dataclass
class _Checker:
    """One text under check. `path` is the chain of segments and personas that led to it."""

    text: str
    names: Vocabulary
    flow: bool
    path: tuple[str, ...]
    problems: list[Problem] = field(default_factory=list)
    uses: Uses = field(default_factory=Uses)
    written_out: int = 0
    known: dict[str, tuple[m.Meaning, int, Uses] | None] = field(default_factory=dict)

    # --- the whole -------------------------------------------------------------------------------------------------
    def whole(self, node: s.Node) -> Checked:
        tree = self.node(node, None)
        self._mixed(node)
        if self.uses.aggregates > MOST_AGGREGATES:
            self.note(
                "A013",
                node.at,
                t("{n} aggregates a contact are costly", "{n} agrégats par contact coûtent cher", n=self.uses.aggregates),
            )
        if tree is not None:
            self._always(node, tree)
        return self._answer(tree)

    def event(self, node: s.Node) -> Checked:
        term: m.EventTerm | None = None
        try:
            if not isinstance(node, s.Occurrence):
                raise self.failed(
                    "A002",
                    node.at,
                    t(
                        "an event stands here, such as 'clicked' or 'purchase where (value > 10 EUR)'",
                        "ici se tient un événement, comme « clicked » ou « purchase where (value > 10 EUR) »",
                    ),
                )
            if node.window is not None:
                raise self.failed(
                    "A002",
                    node.window.at,
                    t("an event stands here without a window", "ici l'événement se tient sans fenêtre"),
                    "",
                )
            term = self._event_term(node.path, node.of, node.where, None, node.at)
        except _Unknown:
            pass
        checked = self._answer(m.Happened(term) if term else None)
        return replace(checked, term=term if checked.tree is not None else None)

    def _answer(self, tree: m.Meaning | None) -> Checked:
        problems = tuple(sorted(dict.fromkeys(self.problems), key=lambda p: (p.column, p.width)))
        broken = tree is None or any(p.error for p in problems)
        return Checked(None if broken else tree, problems, self.uses)

    def note(self, code: str, at: s.Span, message: str, fix: str | None = None) -> None:
        self.problems.append(Problem(code, at[0] + 1, at[1] - at[0], message, fix))

    def failed(self, code: str, at: s.Span, message: str, fix: str | None = None) -> _Unknown:
        """Notes the problem and gives what to raise."""
        self.note(code, at, message, fix)
        return _Unknown()

    def use(self, **names: Iterable[str]) -> None:
        self.uses = self.uses.with_(Uses(**{key: frozenset(value) for key, value in names.items()}))  # type: ignore[arg-type]

    def time(self, length: Duration | None) -> None:
        self.uses = self.uses.with_(Uses(speaks_of_time=True, finest=length))

    def source(self, at: s.Span) -> str:
        return self.text[at[0] : at[1]]

    # --- shapes ----------------------------------------------------------------------------------------------------
    def node(self, node: s.Node, event: str | None) -> m.Meaning | None:
        """What the node asks; None when a part of it is unknown. `event`: inside its `where ( … )`."""
        match node:
            case s.Junction(word=word, parts=parts):
                found = [self.node(part, event) for part in parts]
                whole = tuple(part for part in found if part is not None)
                if len(whole) < len(found):
                    return None
                return m.All(whole) if word == "and" else m.AnyOf(whole)
            case s.Negation(part=part):
                inner = self.node(part, event)
                return m.Not(inner) if inner is not None else None
            case s.Group(part=part):
                return self.node(part, event)
        self.written_out += 1
        try:
            return self._predicate(node, event)
        except _Unknown:
            return None

    def _predicate(self, node: s.Node, event: str | None) -> m.Meaning:
        match node:
            case s.Everyone():
                return m.Constant(True)
            case s.Named():
                if event:
                    raise self.failed("A002", node.at, _only_fields(event))
                return self._named(node)
            case s.Comparison():
                return self._comparison(node, event)
            case s.Membership():
                return self._membership(node, event)
            case s.Presence(left=term, known=known):
                left = self.left(term, event)
                return m.Known(left) if known else m.Not(m.Known(left))
            case s.Ordering():
                return self._ordering(node, event)
            case s.Nearness(left=term, window=window):
                return self._near(self.left(term, event), window, term.at)
            case s.Occurrence():
                return self._bare(node, event)
        raise AssertionError(node)

    # --- names -----------------------------------------------------------------------------------------------------
    def left(self, term: s.Term, event: str | None) -> m.Left:
        if isinstance(term, s.Aggregate):
            if event:
                raise self.failed("A002", term.at, _only_fields(event))
            return self._measure(term)
        self._no_word_of_the_language(term)
        return self._field(term, event) if event else self._attribute(term)

    def _no_word_of_the_language(self, path: s.Path) -> None:
        for word in path.words:
            if word.text.lower() in s.WORDS:
                raise self.failed(
                    "A001",
                    word.at,
                    t(
                        "'{word}' is a word of the language and cannot be a name",
                        "« {word} » est un mot du langage, pas un nom",
                        word=word.text,
                    ),
                )

    def _field(self, path: s.Path, event: str) -> m.Field:
        fields = self.names.events[event]
        if path.text == "at":
            return m.Field("at", _TIME)
        if path.text in fields:
            return m.Field(path.text, fields[path.text])
        known = (*fields, "at")
        if path.words[0].text == "contact" or path.text in self.names.attributes:
            raise self.failed("A002", path.at, _only_fields(event))
        close = nearest(path.text, known)
        raise self.failed(
            "R005",
            path.at,
            t(
                "'{event}' has no field '{name}' (known: {known})",
                "« {event} » n'a pas de champ « {name} » (connus : {known})",
                event=event,
                name=path.text,
                known=_some(known),
            )
            + _meant(close),
            close,
        )

    def _attribute(self, path: s.Path) -> m.Left:
        first, *rest = (word.text for word in path.words)
        if first in _PERMISSIONS and rest:
            return self._permission(path, first)
        if first == "contact" and rest:
            return self._known_attribute(".".join(rest), (path.words[1].at[0], path.at[1]))
        if first in self.names.events and first not in self.names.attributes:
            self._event_as_attribute(path, first, rest)
        return self._known_attribute(path.text, path.at)

    def _event_as_attribute(self, path: s.Path, event: str, rest: list[str]) -> None:
        if rest:
            said = t(
                "'{event}' is an event: write sum({path}), max({path}) or last({path})",
                "« {event} » est un événement : écrire sum({path}), max({path}) ou last({path})",
                event=event,
                path=path.text,
            )
        else:
            said = t(
                "'{event}' is an event: write count({event}), or '{event}' alone",
                "« {event} » est un événement : écrire count({event}), ou « {event} » seul",
                event=event,
            )
        raise self.failed("A002", path.at, said)

    def _permission(self, path: s.Path, what: str) -> m.Permission:
        channel = ".".join(word.text for word in path.words[1:])
        at = (path.words[1].at[0], path.at[1])
        if channel not in self.names.channels:
            close = nearest(channel, self.names.channels)
            raise self.failed(
                "R003",
                at,
                t("channel '{name}' is not set up", "le canal « {name} » n'est pas déclaré", name=channel) + _meant(close),
                close,
            )
        self.use(channels=[channel])
        return m.Permission(what, channel, _YES_NO)

    def _known_attribute(self, name: str, at: s.Span) -> m.Attribute:
        kind = self.names.attributes.get(name)
        if kind is None:
            close = nearest(name, self.names.attributes)
            known = "" if close else t(" (known: {known})", " (connus : {known})", known=_some(self.names.attributes))
            raise self.failed(
                "R005",
                at,
                t("contacts have no attribute '{name}'", "les contacts n'ont pas d'attribut « {name} »", name=name)
                + known
                + _meant(close),
                close,
            )
        assert kind is not None
        if kind.sensitive:
            self.note(
                "L010",
                at,
                t(
                    "'{name}' is sensitive; no condition may use it",
                    "« {name} » est sensible ; aucune condition ne peut s'en servir",
                    name=name,
                ),
            )
        self.use(attributes=[name])
        return m.Attribute(name, kind)

    # --- segments, personas, campaigns -----------------------------------------------------------------------------
    def _named(self, node: s.Named) -> m.Meaning:
        name, at = node.name.text, node.name.at
        if node.kind == "enrolled":
            return self._enrolled(name, at)
        known: Mapping[str, str | None] = self.names.segments if node.kind == "segment" else self.names.personas
        if name not in known:
            close = nearest(name, known)
            what = t("segment", "segment") if node.kind == "segment" else "persona"
            raise self.failed(
                "R004",
                at,
                t("no {what} called '{name}'", "aucun {what} nommé « {name} »", what=what, name=name) + _meant(close),
                close,
            )
        if node.kind == "segment":
            self.use(segments=[name])
            return m.Use("segment", name, self._written_out("segment", name, node.at))
        self.use(personas=[name])
        if self.flow:
            return m.PersonaIs(name)
        earlier = [m.Not(self._written_out("persona", other, node.at)) for other in _before(self.names.personas, name)]
        own = self._written_out("persona", name, node.at)
        return m.Use("persona", name, m.All((*earlier, own)) if earlier else own)

    def _enrolled(self, name: str, at: s.Span) -> m.Meaning:
        known = {*self.names.campaigns, *([self.names.campaign] if self.names.campaign else [])}
        if name not in known:
            close = nearest(name, known)
            raise self.failed(
                "R010",
                at,
                t("no campaign called '{name}'", "aucune campagne nommée « {name} »", name=name) + _meant(close),
                close,
            )
        self.use(enrolled=[name])
        return m.Enrolled(name)

    def _written_out(self, kind: str, name: str, at: s.Span) -> m.Meaning:
        """The text of a segment or a persona as it is meant where it is written: outside the flow."""
        text = self.names.segments[name] if kind == "segment" else self.names.personas[name]
        label = f"{kind} {name}"
        if text is None:
            return m.Constant(True)
        if label in self.path:
            chain = [*self.path[self.path.index(label) :], label]
            shown = " > ".join(link.removeprefix("segment ") for link in chain)
            raise self.failed(
                "A008",
                at,
                t(
                    "{kind} {name} uses itself: {chain}",
                    "{kind} {name} s'utilise lui-même : {chain}",
                    kind=kind,
                    name=name,
                    chain=shown,
                ),
            )
        if label not in self.known:
            self.known[label] = self._expand(text, label, at)
        found = self.known[label]
        if found is None:
            raise _Unknown
        tree, size, uses = found
        self.uses = self.uses.with_(uses)
        self.written_out += size
        if self.written_out > MOST_WRITTEN_OUT or len(self.path) > s.MOST_LEVELS:
            raise self.failed(
                "A001",
                at,
                t(
                    "with its segments written out this asks more than {n} questions",
                    "segments compris, cela pose plus de {n} questions",
                    n=MOST_WRITTEN_OUT,
                ),
            )
        return tree

    def _expand(self, text: str, label: str, at: s.Span) -> tuple[m.Meaning, int, Uses] | None:
        try:
            node = s.parse(text)
        except ConditionError:
            return None
        inner = _Checker(text, self.names, flow=False, path=(*self.path, label), known=self.known)
        tree = inner.node(node, None)
        for problem in inner.problems:
            if problem.code == "A008" or (problem.code == "A001" and inner.written_out > MOST_WRITTEN_OUT):
                self.note(problem.code, at, problem.message)
        if tree is None or any(problem.error for problem in inner.problems):
            return None
        return tree, inner.written_out, inner.uses

    # --- events ----------------------------------------------------------------------------------------------------
    def _event_term(
        self, path: s.Path, of: s.Word | None, where: s.Node | None, since: m.Since | None, at: s.Span
    ) -> m.EventTerm:
        self._no_word_of_the_language(path)
        name = path.text
        if name not in self.names.events:
            flags = [a for a, kind in self.names.attributes.items() if kind.name == "yes or no"]
            close = nearest(name, [*self.names.events, *flags]) or _stem(name, self.names.events)
            raise self.failed(
                "R009",
                path.at,
                t(
                    "no event or yes/no attribute called '{name}'",
                    "aucun événement ni attribut oui/non nommé « {name} »",
                    name=name,
                )
                + _meant(close),
                close,
            )
        self.use(events=[name])
        touched = self._touched(of) if of is not None else None
        asked = None
        if where is not None:
            asked = self.node(where, name)
            if asked is None:
                raise _Unknown
        ours = touched is None or self.names.campaign is None or touched.campaign == self.names.campaign
        return m.EventTerm(name, touched, asked, since, of_pass=name in ANSWERS and ours)

    def _touched(self, of: s.Word) -> m.Touched:
        name, names = of.text, self.names
        if name.lower() in s.WORDS:
            raise self.failed("A001", of.at, t("'{word}' does not fit here", "« {word} » n'a pas sa place ici", word=name))
        campaign, slash, message = name.partition("/")
        if slash:
            if campaign not in names.campaigns:
                close = nearest(campaign, names.campaigns)
                raise self.failed(
                    "R010",
                    (of.at[0], of.at[0] + len(campaign)),
                    t("no campaign called '{name}'", "aucune campagne nommée « {name} »", name=campaign) + _meant(close),
                    close,
                )
            if message not in names.campaigns[campaign]:
                close = nearest(message, names.campaigns[campaign])
                raise self.failed(
                    "R001",
                    (of.at[0] + len(campaign) + 1, of.at[1]),
                    t(
                        "campaign '{campaign}' has no message '{name}'",
                        "la campagne « {campaign} » n'a pas de message « {name} »",
                        campaign=campaign,
                        name=message,
                    )
                    + _meant(close),
                    close,
                )
            self.use(messages=[name], campaigns=[campaign])
            return m.Touched(campaign, message=message)
        if names.campaign and name in names.messages:
            self.use(messages=[name])
            return m.Touched(names.campaign, message=name)
        if names.campaign and name in names.steps:
            self.use(steps=[name])
            return m.Touched(names.campaign, step=name)
        if name in names.campaigns or name == names.campaign:
            self.use(campaigns=[name])
            return m.Touched(name)
        close = nearest(name, [*names.messages, *names.steps, *names.campaigns])
        raise self.failed(
            "R001",
            of.at,
            t("no message or step called '{name}'", "aucun message ni étape nommé « {name} »", name=name) + _meant(close),
            close,
        )

    def _since(self, window: s.Span_ | None, *, default: str) -> m.Since:
        if window is None:
            if default == "enter":
                self.uses = self.uses.with_(Uses(speaks_of_enter=True))
            return m.Since(default)
        match window.kind:
            case "within":
                assert window.length is not None
                length = self.duration(window.length)
                self.time(length)
                return m.Since("within", length)
            case "next":
                raise self.failed(
                    "A002",
                    window.at,
                    t(
                        "'within next' is asked of dates; events lie in the past",
                        "« within next » se demande à une date ; un événement est passé",
                    ),
                )
            case "enter":
                self._entered(window.at)
        return m.Since(window.kind)

    def _entered(self, at: s.Span) -> None:
        if not self.flow:
            raise self.failed(
                "A007",
                at,
                t(
                    "'{words}' has no meaning here: nobody has entered yet",
                    "« {words} » n'a pas de sens ici : personne n'est encore entré",
                    words=self.source(at),
                ),
            )
        self.uses = self.uses.with_(Uses(speaks_of_enter=True))

    def _bare(self, node: s.Occurrence, event: str | None) -> m.Meaning:
        """`clicked …`, a bare yes-or-no, or a date with `within`."""
        path, name = node.path, node.path.text
        plain = node.of is None and node.where is None
        is_event = not event and name in self.names.events
        if not is_event and (event or plain or path.words[0].text in ("contact", *_PERMISSIONS) or name in self.names.attributes):
            known = (
                event
                or name in self.names.attributes
                or (len(path.words) > 1 and path.words[0].text in ("contact", *_PERMISSIONS))
            )
            if known:
                return self._bare_attribute(node, self.left(path, event))
        if not is_event and len(path.words) > 1 and path.words[0].text in self.names.events:
            self._event_as_attribute(path, path.words[0].text, [w.text for w in path.words[1:]])
        window = self._since(node.window, default="enter" if self.flow else "ever") if name in self.names.events else None
        return m.Happened(self._event_term(path, node.of, node.where, window, node.at))

    def _bare_attribute(self, node: s.Occurrence, left: m.Left) -> m.Meaning:
        name = node.path.text
        if node.of is not None or node.where is not None:
            at = node.of.at if node.of is not None else node.path.at
            raise self.failed(
                "A002",
                at,
                t(
                    "'{name}' is {kind}, no event",
                    "« {name} » est {kind}, pas un événement",
                    name=name,
                    kind=described(left.kind),
                ),
            )
        if node.window is not None:
            return self._near(left, node.window, node.path.at)
        if left.kind.name == "yes or no":
            return m.Yes(left, True)
        raise self.failed(
            "A002",
            node.path.at,
            t(
                "{name} is {kind}: compare it with something",
                "{name} est {kind} : le comparer à quelque chose",
                name=name,
                kind=described(left.kind),
            ),
        )

    def _near(self, left: m.Left, window: s.Span_, at: s.Span) -> m.Meaning:
        if left.kind.name not in ("date", "time"):
            raise self.failed(
                "A002",
                window.at,
                t(
                    "{name} is {kind}; 'within' is asked of dates and events",
                    "{name} est {kind} ; « within » se demande aux dates et aux événements",
                    name=self.source(at),
                    kind=described(left.kind),
                ),
            )
        if window.length is None:
            raise self.failed(
                "A002",
                window.at,
                t("'{words}' is asked of events", "« {words} » se demande aux événements", words=self.source(window.at)),
            )
        assert window.length is not None
        length = self.duration(window.length)
        self.time(length)
        return m.Near(left, window.kind == "next", length)

    def _measure(self, node: s.Aggregate) -> m.Measure:
        """`count sum min max first last`: the event, the field it is of, and the type of the answer."""
        words = node.path.words
        self._no_word_of_the_language(node.path)
        self.uses = self.uses.with_(Uses(aggregates=1))
        event = s.Path(words[:1], words[0].at)
        fn = node.function
        default = "enter" if self.flow and fn not in ("first", "last") else "ever"
        since = self._since(node.window, default=default) if words[0].text in self.names.events else None
        term = self._event_term(event, node.of, node.where, since, node.at)
        field_ = None
        if len(words) > 1:
            field_ = self._field(s.Path(words[1:], (words[1].at[0], node.path.at[1])), term.name)
        return m.Measure(fn, term, field_, self._measured(node, term, field_))

    def _measured(self, node: s.Aggregate, term: m.EventTerm, field_: m.Field | None) -> Kind:
        fn, at = node.function, node.path.at
        kind = field_.kind if field_ else None
        if fn == "count":
            if field_:
                raise self.failed(
                    "A002",
                    at,
                    t(
                        "count counts events: write count({event})",
                        "count compte des événements : écrire count({event})",
                        event=term.name,
                    ),
                    term.name,
                )
            return _NUMBER
        if kind is None:
            if fn in ("first", "last"):
                return _TIME
            good = [f"{term.name}.{name}" for name, k in self.names.events[term.name].items() if k.name in _ORDERED]
            said = t(
                "{fn} of what? name a field: {fn}({path})",
                "{fn} de quoi ? nommer un champ : {fn}({path})",
                fn=fn,
                path=(good or [f"{term.name}.…"])[0],
            )
            raise self.failed("A002", at, said, good[0] if len(good) == 1 else None)
        assert kind is not None
        wanted = _ORDERED if fn == "sum" else _ORDERED | {"date", "time"}
        if fn in ("sum", "min", "max") and kind.name not in wanted:
            raise self.failed(
                "A002",
                at,
                t(
                    "{path} is {kind}: {fn} wants a figure",
                    "{path} est {kind} : {fn} demande un nombre",
                    path=node.path.text,
                    kind=described(kind),
                    fn=fn,
                ),
            )
        return kind

    # --- comparisons -----------------------------------------------------------------------------------------------
    def _comparison(self, node: s.Comparison, event: str | None) -> m.Meaning:
        left = self.left(node.left, event)
        kind, op = left.kind, node.operator
        self._operator(node, left)
        if isinstance(left, m.Attribute) and op == "!=":
            self.use(leaves_out=[left.name])
        if kind.name in ("date", "time"):
            return (
                m.OnDay(left, self._day(node.value, left, event))
                if not self._is_attribute(node.value)
                else self._same(node, left, event)
            )
        if kind.name == "yes or no":
            return self._yes_no(node, left)
        if self._is_attribute(node.value):
            return self._same(node, left, event)
        value = self.value(node.value, left, self.source(node.left.at))
        match op:
            case "contains":
                return m.Has(left, str(value)) if kind.name == "list" else m.Contains(left, str(value))
            case "starts with":
                return m.Starts(left, str(value))
        return m.Compare(left, op, value)

    def _operator(self, node: s.Comparison, left: m.Left) -> None:
        kind, op, name = left.kind.name, node.operator, self.source(node.left.at)
        if op in _OPERATORS[kind]:
            if op in ("=", "!=") and isinstance(left, m.Measure) and left.function == "sum" and kind not in ("money",):
                raise self.failed(
                    "A002",
                    node.operator_at,
                    t(
                        "sums of decimals are not exact: write >= or <=",
                        "une somme de décimaux n'est pas exacte : écrire >= ou <=",
                    ),
                )
            return
        said = t(
            "{name} is {kind}: '{op}' is not asked of it",
            "{name} est {kind} : « {op} » ne se demande pas",
            name=name,
            kind=described(left.kind),
            op=op,
        )
        fix = None
        if kind == "list":
            said = t("a list is asked with 'contains'", "une liste se demande avec « contains »")
            fix = "contains" if op == "=" else None
        elif kind in ("date", "time") and op in ("<", ">", "<=", ">="):
            side = "before" if op.startswith("<") else "after"
            said = t("write '{side}'", "écrire « {side} »", side=side)
            fix = side if op in ("<", ">") else None
        elif kind in ("date", "time") and op == "!=":
            said = t("write not {name} = …", "écrire not {name} = …", name=name)
        elif kind in ("text", "code", "choice") and op in ("<", ">", "<=", ">="):
            said = t(
                "texts have no order: {name} is {kind}",
                "les textes n'ont pas d'ordre : {name} est {kind}",
                name=name,
                kind=described(left.kind),
            )
        elif kind in _ORDERED and op in ("contains", "starts with"):
            said = t(
                "{name} is {kind}: compare it with = or <",
                "{name} est {kind} : le comparer avec = ou <",
                name=name,
                kind=described(left.kind),
            )
        raise self.failed("A002", node.operator_at, said, fix)

    def _is_attribute(self, value: s.Value) -> bool:
        return value.path is not None and len(value.path.words) > 1 and value.path.words[0].text == "contact"

    def _same(self, node: s.Comparison, left: m.Left, event: str | None) -> m.Meaning:
        """`city = contact.home_city`: both of one type."""
        assert node.value.path is not None
        if event:
            raise self.failed("A002", node.value.at, _only_fields(event))
        right = self._attribute(node.value.path)
        if (right.kind.name, right.kind.currency) != (left.kind.name, left.kind.currency) and {
            right.kind.name,
            left.kind.name,
        } != {"code", "choice"}:
            raise self.failed(
                "A002",
                node.value.at,
                t(
                    "{left} is {kind}; {right} is {other}",
                    "{left} est {kind} ; {right} est {other}",
                    left=self.source(node.left.at),
                    kind=described(left.kind),
                    right=node.value.path.text,
                    other=described(right.kind),
                ),
            )
        if node.operator not in ("=", "!=", "<", "<=", ">", ">="):
            raise self.failed(
                "A002", node.operator_at, t("'{op}' wants a value", "« {op} » demande une valeur", op=node.operator)
            )
        return m.Compare(left, node.operator, right)

    def _yes_no(self, node: s.Comparison, left: m.Left) -> m.Meaning:
        word = node.value.text.lower() if node.value.kind in ("word", "text") else ""
        if word in ("yes", "no"):
            return m.Yes(left, (word == "yes") == (node.operator == "="))
        fix = {"true": "yes", "oui": "yes", "1": "yes", "false": "no", "non": "no", "0": "no"}.get(word or node.value.text)
        raise self.failed(
            "A002",
            node.value.at,
            t(
                "{name} is a yes or no: write '= yes' or '= no'",
                "{name} est un oui ou non : écrire « = yes » ou « = no »",
                name=self.source(node.left.at),
            ),
            fix,
        )

    def _membership(self, node: s.Membership, event: str | None) -> m.Meaning:
        left = self.left(node.left, event)
        kind, name = left.kind.name, self.source(node.left.at)
        if kind == "list":
            raise self.failed("A002", node.at, t("a list is asked with 'contains'", "une liste se demande avec « contains »"))
        if kind in ("date", "time", "yes or no"):
            raise self.failed(
                "A002",
                node.at,
                t(
                    "{name} is {kind}: 'in' is not asked of it",
                    "{name} est {kind} : « in » ne se demande pas",
                    name=name,
                    kind=described(left.kind),
                ),
            )
        if isinstance(left, m.Measure) and left.function == "sum" and kind != "money":
            raise self.failed(
                "A002",
                node.at,
                t("sums of decimals are not exact: write >= or <=", "une somme de décimaux n'est pas exacte : écrire >= ou <="),
            )
        values: list[m.Stored] = []
        for value in node.values:
            if self._is_attribute(value):
                raise self.failed(
                    "A002",
                    value.at,
                    t("a list holds values, not attributes", "une liste contient des valeurs, pas des attributs"),
                )
            try:
                values.append(self.value(value, left, name))
            except _Unknown:
                continue
        if len(values) < len(node.values):
            raise _Unknown
        if isinstance(left, m.Attribute) and node.negated:
            self.use(leaves_out=[left.name])
        return m.OneOf(left, tuple(dict.fromkeys(values)), node.negated)

    # --- values ----------------------------------------------------------------------------------------------------
    def value(self, value: s.Value, left: m.Left, name: str) -> m.Stored:
        """The value as the store keeps it, or the problem that it has beside this term."""
        kind = left.kind
        if value.kind == "word" and value.text.lower() in s.WORDS:
            raise self.failed(
                "A001",
                value.at,
                t(
                    "'{word}' is a word of the language: quote it",
                    "« {word} » est un mot du langage : le mettre entre guillemets",
                    word=value.text,
                ),
                f'"{value.text}"',
            )
        match kind.name:
            case "text" | "code" | "list":
                return self._text(value, kind, name)
            case "choice":
                return self._choice(value, kind, name)
            case "number" if value.kind == "number":
                return self._figure(value)
            case "percent" if value.kind == "percent":
                return self._figure(value)
            case "money":
                return self._money(value, kind, name)
            case "distance" if value.kind == "distance":
                return _plain(Decimal(value.text) * (1000 if value.unit == "km" else 1))
            case "duration" if value.kind == "length":
                assert value.length is not None
                return int(self.duration(value.length).about.total_seconds()) // 60
        raise self._wrong_type(value, kind, name)

    def _wrong_type(self, value: s.Value, kind: Kind, name: str) -> _Unknown:
        fix = None
        said = t(
            "{name} is {kind}; {value} is {other}",
            "{name} est {kind} ; {value} est {other}",
            name=name,
            kind=described(kind),
            value=f"'{value.text}'" if value.kind in ("word", "text") else self.source(value.at),
            other=_written(value),
        )
        if value.kind == "word" and value.text in self.names.attributes:
            fix = f"contact.{value.text}"
            said += t("; the attribute is {fix}", " ; l'attribut s'écrit {fix}", fix=fix)
        elif kind.name == "percent" and value.kind == "number":
            fix = f"{value.text} %"
            said = t("{name} is a percentage: write {fix}", "{name} est un pourcentage : écrire {fix}", name=name, fix=fix)
        elif kind.name == "distance" and value.kind == "number":
            said = t(
                "{name} is a distance: write {value} km or {value} m",
                "{name} est une distance : écrire {value} km ou {value} m",
                name=name,
                value=value.text,
            )
        elif kind.name == "duration" and value.kind == "number":
            said = t(
                "{name} is a duration: write {value} days",
                "{name} est une durée : écrire {value} days",
                name=name,
                value=value.text,
            )
        return self.failed("A002", value.at, said, fix)

    def _text(self, value: s.Value, kind: Kind, name: str) -> str:
        if value.kind not in ("text", "word", "number", "date", "datetime"):
            raise self._wrong_type(value, kind, name)
        if value.kind == "word" and value.text in self.names.attributes and self.names.attributes[value.text].name == kind.name:
            self.note(
                "A014",
                value.at,
                t(
                    "'{name}' is read as a text; the attribute is contact.{name}",
                    "« {name} » est lu comme un texte ; l'attribut est contact.{name}",
                    name=value.text,
                ),
                f"contact.{value.text}",
            )
        return value.text if kind.name == "code" else fold(value.text)

    def _choice(self, value: s.Value, kind: Kind, name: str) -> str:
        if value.kind in ("text", "word", "number"):
            for choice in kind.choices:
                if choice == value.text or fold(choice) == fold(value.text):
                    return choice
            close = nearest(value.text, kind.choices)
            raise self.failed(
                "A002",
                value.at,
                t(
                    "'{value}' is not one of {choices}",
                    "« {value} » ne fait pas partie de {choices}",
                    value=value.text,
                    choices=_some(kind.choices),
                )
                + _meant(close, join=";"),
                close,
            )
        raise self._wrong_type(value, kind, name)

    def _money(self, value: s.Value, kind: Kind, name: str) -> int:
        if value.kind == "number":
            raise self.failed(
                "S005",
                value.at,
                t(
                    "which currency? write {value} {currency}",
                    "quelle devise ? écrire {value} {currency}",
                    value=value.text,
                    currency=kind.currency or "EUR",
                ),
                f"{value.text} {kind.currency or 'EUR'}",
            )
        if value.kind != "money":
            raise self._wrong_type(value, kind, name)
        if value.unit != kind.currency:
            raise self.failed(
                "A002",
                value.at,
                t("{name} is in {currency}", "{name} est en {currency}", name=name, currency=kind.currency or "?"),
            )
        self._figure(value)
        minor = Decimal(value.text).scaleb(MINOR_DIGITS.get(value.unit, 2))
        if minor != minor.to_integral_value():
            digits = MINOR_DIGITS.get(value.unit, 2)
            raise self.failed(
                "A002", value.at, t("{currency} has {n} decimals", "{currency} a {n} décimales", currency=value.unit, n=digits)
            )
        return int(minor)

    def _figure(self, value: s.Value) -> int | float:
        if len(value.text.strip("-").replace(".", "")) > 15:
            raise self.failed("A002", value.at, t("a number has at most 15 digits", "un nombre a au plus 15 chiffres"))
        return _plain(Decimal(value.text))

    def duration(self, length: s.Length) -> Duration:
        """A whole number above 0, and not beyond two hundred years."""
        if not length.count.isdigit() or int(length.count) < 1 or len(length.count) > 9:
            raise self.failed(
                "A001",
                length.at,
                t(
                    "a duration is a whole number above 0, such as '3 days'",
                    "une durée est un nombre entier positif, comme « 3 days »",
                ),
            )
        found = Duration(int(length.count), length.unit)
        if (
            int(length.count) * {"minute": 1, "hour": 60, "day": 1440, "week": 10080, "month": 43200, "year": 525600}[length.unit]
            > 200 * 525600
        ):
            raise self.failed("A001", length.at, t("a duration is at most 200 years", "une durée est d'au plus 200 ans"))
        return found

    # --- instants --------------------------------------------------------------------------------------------------
    def _day(self, value: s.Value, left: m.Left, event: str | None) -> m.Point:
        match value.kind:
            case "today":
                self.time(Duration(1, "day"))
                return m.Point("today")
            case "date":
                return m.Point("date", text=self._calendar(value.text, value.at))
            case "datetime":
                raise self.failed(
                    "A002",
                    value.at,
                    t("'=' asks for a day: write {day}", "« = » demande un jour : écrire {day}", day=value.text[:10]),
                    value.text[:10],
                )
        name = self.text[: value.at[0]].rstrip("= \t\r\n").rsplit(" ", 1)[-1]
        raise self._wrong_type(value, left.kind, name)

    def _calendar(self, text: str, at: s.Span) -> str:
        try:
            found = date.fromisoformat(text)
        except ValueError:
            found = date.min
        if not 1900 <= found.year <= 9000:
            raise self.failed("A001", at, t("there is no day {day}", "il n'y a pas de jour {day}", day=text))
        return text

    def _ordering(self, node: s.Ordering, event: str | None) -> m.Meaning:
        left = self.left(node.left, event)
        name = self.source(node.left.at)
        if left.kind.name not in ("date", "time"):
            raise self.failed(
                "A002",
                node.left.at,
                t(
                    "{name} is {kind}; '{side}' is asked of dates",
                    "{name} est {kind} ; « {side} » se demande aux dates",
                    name=name,
                    kind=described(left.kind),
                    side=node.side,
                ),
            )
        point = self._point(node.instant, event)
        self._one_calendar(left.kind, point, node)
        if point.kind not in ("left", "beside"):
            self.time(
                point.length
                or (Duration(1, "minute") if point.kind == "now" and left.kind.name == "time" else Duration(1, "day"))
            )
        return m.Ordered(left, node.side, point)

    def _one_calendar(self, kind: Kind, point: m.Point, node: s.Ordering) -> None:
        """A calendar day and an instant of a person are not compared: which zone's day would it be?"""
        origin = point.origin or point
        other = origin.left.kind.name if origin.left else ("time" if origin.kind == "enter" else None)
        if other is not None and other != kind.name:
            words = {"date": t("a calendar day", "un jour"), "time": t("an instant", "un instant")}
            raise self.failed(
                "A002",
                node.instant.at,
                t(
                    "{name} is {kind}, {other} is {words}: compare days with days",
                    "{name} est {kind}, {other} est {words} : comparer des jours avec des jours",
                    name=self.source(node.left.at),
                    kind=words[kind.name],
                    other=self.source(node.instant.at),
                    words=words[other],
                ),
            )

    def _point(self, node: s.Instant, event: str | None) -> m.Point:
        match node.kind:
            case "now" | "today":
                return m.Point(node.kind)
            case "date":
                return m.Point("date", text=self._calendar(node.text, node.at))
            case "datetime":
                return m.Point("datetime", text=self._minute(node))
            case "enter":
                self._entered(node.at)
                return m.Point("enter")
            case "ago" | "from_now":
                assert node.length is not None
                return m.Point(node.kind, length=self.duration(node.length))
            case "beside":
                return self._beside(node, event)
        return self._own_instant(node, event)

    def _minute(self, node: s.Instant) -> str:
        self._calendar(node.text[:10], node.at)
        text = node.text.replace("T", " ")
        try:
            datetime.fromisoformat(text)
        except ValueError:
            said = t("there is no time {time}", "il n'y a pas d'heure {time}", time=node.text[11:])
            raise self.failed("A001", node.at, said) from None
        return text

    def _own_instant(self, node: s.Instant, event: str | None) -> m.Point:
        """A date attribute, a field inside `where`, or an aggregate (inside `where` too)."""
        assert node.term is not None
        if isinstance(node.term, s.Aggregate):
            left: m.Left = self._measure(node.term)
        else:
            left = self.left(node.term, event)
        if left.kind.name not in ("date", "time"):
            raise self.failed(
                "A002",
                node.at,
                t(
                    "{name} is {kind}; a date stands here",
                    "{name} est {kind} ; ici se tient une date",
                    name=self.source(node.at),
                    kind=described(left.kind),
                ),
            )
        return m.Point("left", left=left)

    def _beside(self, node: s.Instant, event: str | None) -> m.Point:
        assert node.length is not None
        assert node.origin is not None
        length = self.duration(node.length)
        origin = self._point(node.origin, event)
        if length.unit in ("month", "year"):
            raise self.failed(
                "A002",
                node.length.at,
                t(
                    "beside a person's own instant count in days or weeks",
                    "à côté d'un instant propre à la personne, compter en jours ou en semaines",
                ),
            )
        if origin.left is not None and origin.left.kind.name == "date" and length.elapsed:
            raise self.failed(
                "A002",
                node.length.at,
                t("beside a calendar day count in days or weeks", "à côté d'un jour, compter en jours ou en semaines"),
            )
        return m.Point("beside", length=length, side=node.side, origin=origin)

    # --- warnings --------------------------------------------------------------------------------------------------
    def _mixed(self, node: s.Node) -> None:
        """A009: `and` beside `or` without parentheses; the fix puts them around each `and`."""
        for part in s.walk(node):
            if isinstance(part, s.Junction) and part.word == "or":
                for inner in part.parts:
                    if isinstance(inner, s.Junction):
                        self.note(
                            "A009",
                            inner.at,
                            t(
                                "'and' binds before 'or'; parentheses make it sure",
                                "« and » lie avant « or » ; des parenthèses lèvent le doute",
                            ),
                            f"({self.source(inner.at)})",
                        )

    def _always(self, node: s.Node, tree: m.Meaning) -> None:
        from omnicli.condition.always import always

        truth = always(tree)
        if truth is not None and not isinstance(node, s.Everyone):
            word = t("true", "vraie") if truth else t("false", "fausse")
            self.note("A003", node.at, t("this condition is always {truth}", "cette condition est toujours {truth}", truth=word))


_OPERATORS: Mapping[str, frozenset[str]] = {
    "text": frozenset({"=", "!=", "contains", "starts with"}),
    "code": frozenset({"=", "!=", "contains", "starts with"}),
    "choice": frozenset({"=", "!="}),
    "list": frozenset({"contains"}),
    "yes or no": frozenset({"=", "!="}),
    "date": frozenset({"="}),
    "time": frozenset({"="}),
    **{kind: frozenset({"=", "!=", "<", "<=", ">", ">="}) for kind in _ORDERED},
}


def described(kind: Kind) -> str:
    """The type in words: `a number`."""
    match kind.name:
        case "text":
            return t("a text", "un texte")
        case "code":
            return t("a code", "un code")
        case "choice":
            return t("a choice of words", "un choix de mots")
        case "list":
            return t("a list", "une liste")
        case "number":
            return t("a number", "un nombre")
        case "percent":
            return t("a percentage", "un pourcentage")
        case "money":
            return t("an amount in {currency}", "un montant en {currency}", currency=kind.currency or "?")
        case "distance":
            return t("a distance", "une distance")
        case "duration":
            return t("a duration", "une durée")
        case "date":
            return t("a date", "une date")
        case "time":
            return t("an instant", "un instant")
    return t("a yes or no", "un oui ou non")


def _written(value: s.Value) -> str:
    match value.kind:
        case "text" | "word":
            return t("a text", "un texte")
        case "number":
            return t("a number", "un nombre")
        case "percent":
            return t("a percentage", "un pourcentage")
        case "money":
            return t("an amount of money", "un montant")
        case "distance":
            return t("a distance", "une distance")
        case "length":
            return t("a duration", "une durée")
    return t("a date", "une date")


def _only_fields(event: str) -> str:
    return t(
        "inside where ( … ) stand only fields of '{event}', and 'at'",
        "dans where ( … ) ne se tiennent que les champs de « {event} », et « at »",
        event=event,
    )


def _meant(close: str | None, *, join: str = ".") -> str:
    if not close:
        return ""
    return t("; did you mean '{close}'?", " ; vouliez-vous dire « {close} » ?", close=close)


def _some(names: Iterable[str], most: int = 12) -> str:
    listed = list(names)
    return ", ".join(listed[:most]) + (", …" if len(listed) > most else "")


def _stem(name: str, events: Iterable[str]) -> str | None:
    """`click`, `buy-click`: the event whose name begins so (`clicked`)."""
    return next((event for event in events if len(name) > 2 and event.startswith(name)), None)


def _before(personas: Mapping[str, str | None], name: str) -> list[str]:
    listed = list(personas)
    return listed[: listed.index(name)]


def _plain(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)

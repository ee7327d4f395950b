"""Checks a condition against the names in force: gives what it asks with every default written out, or every problem it has.

Bad input never stops at the first problem: each predicate is checked by itself, and an unknown name silences only what
depends on it. Rules and wording: docs/language 6, docs/lint families A and R.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from omnicli.condition import meaning as m
from omnicli.condition import syntax as s
from omnicli.condition.notes import Unknown, Uses, described, meant
from omnicli.condition.problem import ConditionError, Problem
from omnicli.condition.terms import ORDERED, PERMISSIONS, Terms, only_fields
from omnicli.model.literals import Duration
from omnicli.model.vocabulary import Kind, Vocabulary
from omnicli.text import nearest
from omnicli.texts import t

#: Most predicates of a condition with its segments and personas written out (SQLite's expression depth is 1,000).
MOST_WRITTEN_OUT = 800
MOST_AGGREGATES = 4


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


@dataclass
class _Checker(Terms):
    """The whole of one text. `known` keeps what segments and personas were found to mean."""

    known: dict[str, tuple[m.Meaning, int, Uses] | None] = field(default_factory=dict)
    too_much: bool = False

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
        except Unknown:
            pass
        checked = self._answer(m.Happened(term) if term else None)
        return replace(checked, term=term if checked.tree is not None else None)

    def _answer(self, tree: m.Meaning | None) -> Checked:
        problems = tuple(sorted(dict.fromkeys(self.problems), key=lambda p: (p.column, p.width)))
        broken = tree is None or any(p.error for p in problems)
        return Checked(None if broken else tree, problems, self.uses)

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
        except Unknown:
            return None

    def _predicate(self, node: s.Node, event: str | None) -> m.Meaning:
        match node:
            case s.Everyone():
                return m.Constant(True)
            case s.Named():
                if event:
                    raise self.failed("A002", node.at, only_fields(event))
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
                t("no {what} called '{name}'", "aucun {what} nommé « {name} »", what=what, name=name) + meant(close),
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
                t("no campaign called '{name}'", "aucune campagne nommée « {name} »", name=name) + meant(close),
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
        if len(self.path) >= s.MOST_LEVELS:
            raise self._too_much(at)
        if label not in self.known:
            self.known[label] = self._expand(text, label, at)
        found = self.known[label]
        if found is None:
            raise Unknown
        tree, size, uses = found
        self.uses = self.uses.with_(uses)
        self.written_out += size
        if self.written_out > MOST_WRITTEN_OUT:
            raise self._too_much(at)
        return tree

    def _too_much(self, at: s.Span) -> Unknown:
        self.too_much = True
        said = t(
            "with its segments written out this asks more than {n} questions",
            "segments compris, cela pose plus de {n} questions",
            n=MOST_WRITTEN_OUT,
        )
        return self.failed("A001", at, said)

    def _expand(self, text: str, label: str, at: s.Span) -> tuple[m.Meaning, int, Uses] | None:
        """Its meaning, its predicates, what it speaks of; None when it cannot be asked, which is told at its own place: only
        circles and sizes, which show where things are used, are told here."""
        try:
            node = s.parse(text)
        except ConditionError:
            return None
        inner = _Checker(text, self.names, flow=False, path=(*self.path, label), known=self.known)
        tree = inner.node(node, None)
        for problem in inner.problems:
            if problem.code == "A008":
                self.note("A008", at, problem.message)
        if inner.too_much:
            self.known[label] = None
            raise self._too_much(at)
        if tree is None or any(problem.error for problem in inner.problems):
            return None
        return tree, inner.written_out, inner.uses

    def _bare(self, node: s.Occurrence, event: str | None) -> m.Meaning:
        """`clicked …`, a bare yes-or-no, or a date with `within`."""
        path, name = node.path, node.path.text
        plain = node.of is None and node.where is None
        is_event = not event and name in self.names.events
        if not is_event and (event or plain or path.words[0].text in ("contact", *PERMISSIONS) or name in self.names.attributes):
            known = (
                event
                or name in self.names.attributes
                or (len(path.words) > 1 and path.words[0].text in ("contact", *PERMISSIONS))
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
        elif kind in ORDERED and op in ("contains", "starts with"):
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
            raise self.failed("A002", node.value.at, only_fields(event))
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
            except Unknown:
                continue
        if len(values) < len(node.values):
            raise Unknown
        if isinstance(left, m.Attribute) and node.negated:
            self.use(leaves_out=[left.name])
        return m.OneOf(left, tuple(dict.fromkeys(values)), node.negated)

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
    **{kind: frozenset({"=", "!=", "<", "<=", ">", ">="}) for kind in ORDERED},
}


def _before(personas: Mapping[str, str | None], name: str) -> list[str]:
    listed = list(personas)
    return listed[: listed.index(name)]

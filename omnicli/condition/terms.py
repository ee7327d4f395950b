"""The left side: what a name, an event term and an aggregate mean, and of which type they are."""

from __future__ import annotations

from collections.abc import Iterable

from omnicli.condition import meaning as m
from omnicli.condition import syntax as s
from omnicli.condition.notes import Unknown, Uses, described, meant, some
from omnicli.condition.values import Values
from omnicli.model.vocabulary import Kind
from omnicli.text import nearest
from omnicli.texts import t

#: Built-in events that answer a touch: `since enter` means those of this pass only (6.4).
ANSWERS = frozenset(
    (
        "delivered", "opened", "clicked", "replied", "scanned", "answered", "voicemail", "no_answer", "refused", "callback",
        "done", "bounced", "failed", "complained", "unsubscribed",
    )
)  # fmt: skip
ORDERED = frozenset({"number", "percent", "distance", "duration", "money"})
PERMISSIONS = ("consent", "address", "suppressed", "reachable")
_NUMBER, _TIME, _YES_NO = Kind("number"), Kind("time"), Kind("yes or no")


class Terms(Values):
    """Looks names up."""

    def node(self, node: s.Node, event: str | None) -> m.Meaning | None:
        """What a whole condition asks (`check.py`); here for what stands inside `where ( … )`."""
        raise NotImplementedError

    def left(self, term: s.Term, event: str | None) -> m.Left:
        if isinstance(term, s.Aggregate):
            if event:
                raise self.failed("A002", term.at, only_fields(event))
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
            raise self.failed("A002", path.at, only_fields(event))
        close = nearest(path.text, known)
        raise self.failed(
            "R005",
            path.at,
            t(
                "'{event}' has no field '{name}' (known: {known})",
                "« {event} » n'a pas de champ « {name} » (connus : {known})",
                event=event,
                name=path.text,
                known=some(known),
            )
            + meant(close),
            close,
        )

    def _attribute(self, path: s.Path) -> m.Left:
        first, *rest = (word.text for word in path.words)
        if first in PERMISSIONS and rest:
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
                t("channel '{name}' is not set up", "le canal « {name} » n'est pas déclaré", name=channel) + meant(close),
                close,
            )
        self.use(channels=[channel])
        return m.Permission(what, channel, _YES_NO)

    def _known_attribute(self, name: str, at: s.Span) -> m.Attribute:
        kind = self.names.attributes.get(name)
        if kind is None:
            close = nearest(name, self.names.attributes)
            known = "" if close else t(" (known: {known})", " (connus : {known})", known=some(self.names.attributes))
            raise self.failed(
                "R005",
                at,
                t("contacts have no attribute '{name}'", "les contacts n'ont pas d'attribut « {name} »", name=name)
                + known
                + meant(close),
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
                + meant(close),
                close,
            )
        self.use(events=[name])
        touched = self._touched(of) if of is not None else None
        asked = None
        if where is not None:
            asked = self.node(where, name)
            if asked is None:
                raise Unknown
        ours = touched is None or self.names.campaign is None or touched.campaign == self.names.campaign
        return m.EventTerm(name, touched, asked, since, of_pass=name in ANSWERS and ours)

    def _touched(self, of: s.Word) -> m.Touched:
        name, names = of.text, self.names
        if name.lower() in s.WORDS:
            raise self.failed("A001", of.at, t("'{word}' does not fit here", "« {word} » n'a pas sa place ici", word=name))
        campaign, slash, message = name.partition("/")
        if slash:
            known = {**names.campaigns, **({names.campaign: names.messages} if names.campaign else {})}
            if campaign not in known:
                close = nearest(campaign, known)
                raise self.failed(
                    "R010",
                    (of.at[0], of.at[0] + len(campaign)),
                    t("no campaign called '{name}'", "aucune campagne nommée « {name} »", name=campaign) + meant(close),
                    close,
                )
            if message not in known[campaign]:
                close = nearest(message, known[campaign])
                raise self.failed(
                    "R001",
                    (of.at[0] + len(campaign) + 1, of.at[1]),
                    t(
                        "campaign '{campaign}' has no message '{name}'",
                        "la campagne « {campaign} » n'a pas de message « {name} »",
                        campaign=campaign,
                        name=message,
                    )
                    + meant(close),
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
            t("no message or step called '{name}'", "aucun message ni étape nommé « {name} »", name=name) + meant(close),
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
            good = [f"{term.name}.{name}" for name, k in self.names.events[term.name].items() if k.name in ORDERED]
            said = t(
                "{fn} of what? name a field: {fn}({path})",
                "{fn} de quoi ? nommer un champ : {fn}({path})",
                fn=fn,
                path=(good or [f"{term.name}.…"])[0],
            )
            raise self.failed("A002", at, said, good[0] if len(good) == 1 else None)
        assert kind is not None
        wanted = ORDERED if fn == "sum" else ORDERED | {"date", "time"}
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


def only_fields(event: str) -> str:
    return t(
        "inside where ( … ) stand only fields of '{event}', and 'at'",
        "dans where ( … ) ne se tiennent que les champs de « {event} », et « at »",
        event=event,
    )


def _stem(name: str, events: Iterable[str]) -> str | None:
    """`click`, `buy-click`: the event whose name begins so (`clicked`)."""
    return next((event for event in events if len(name) > 2 and event.startswith(name)), None)

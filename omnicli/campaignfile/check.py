"""What the keys of one file must agree on, beyond the kind of each (family S): told at the key that is at fault.

References between things (does this message exist?) are lint's. Nothing is said of a place that is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from omnicli.campaignfile.catalogue import finding
from omnicli.campaignfile.source import KeyPath, Source
from omnicli.campaignfile.validate import dotted
from omnicli.model import literals as lit
from omnicli.model.campaign import Branch, Campaign, Choose, Exit, Message, Send, Set, Split, WaitStep
from omnicli.model.finding import Edit, Finding, Fix
from omnicli.model.project import (
    CHANNEL_SETTINGS,
    CHANNELS,
    PROVIDER_CHANNELS,
    RESERVED_WORDS,
    Attribute,
    Channel,
    Persona,
    Project,
    read_as,
)  # fmt: skip
from omnicli.model.written import Loose, unknown
from omnicli.plugins import Registry
from omnicli.text import did_you_mean, nearest
from omnicli.texts import t

#: Levels need no limit of their own: 40 levels of YAML are fewer than 20 of steps.
STEPS = 500

#: What people write for the past participles that events are called by (3.3).
PRESENT = {
    "deliver": "delivered", "open": "opened", "opens": "opened", "click": "clicked", "clicks": "clicked", "reply": "replied",
    "replies": "replied", "scan": "scanned", "scans": "scanned", "answer": "answered", "refuse": "refused", "bounce": "bounced",
    "bounces": "bounced", "fail": "failed", "fails": "failed", "complain": "complained", "unsubscribe": "unsubscribed",
    "convert": "converted", "no-answer": "no_answer", "call_back": "callback",
}  # fmt: skip

_ORDERED_KINDS = ("number", "money", "percent", "distance", "duration")
_COMMON_SETTINGS = ("provider", "price", "rate", "from_", "on_unknown")


def check_project(project: Project, source: Source, *, media: Iterable[str] = CHANNELS) -> list[Finding]:
    """Family S of `omni.yaml`. `media`: the channels there are, plug-ins' included."""
    check = Check(source)
    known = tuple(media)
    for name, channel in _known(project.channels):
        _channel(check, name, channel, project, known)
    for name, environment in _known(project.environments):
        if name != "live":
            check.unknown_key(("environments", name), ("live",), t("environments", "environments"))
        for medium, override in _known(environment.channels):
            check.money(("environments", name, "channels", medium, "price"), override.price, project)
    for name, attribute in _known(project.contacts.attributes):
        check.reserved(("contacts", "attributes", name))
        _attribute(check, ("contacts", "attributes", name), attribute)
    for name, payload in _known(project.events):
        check.reserved(("events", name))
        for item, attribute in _known(payload):
            check.reserved(("events", name, item), more=("at",))
            _attribute(check, ("events", name, item), attribute)
    for name, _ in _known(project.segments):
        check.reserved(("segments", name))
    _personas(check, project.personas)
    _database(check, project)
    return check.findings


def check_campaign(campaign: Campaign, source: Source, project: Project | None) -> list[Finding]:
    """Family S of a campaign file; without a project, what needs none."""
    check = Check(source)
    _enter(check, campaign)
    _exits(check, campaign)
    for name, _ in _known(campaign.segments):
        check.reserved(("segments", name))
    if isinstance(campaign.personas, dict):
        _personas(check, campaign.personas)
    for name, message in _known(campaign.messages):
        _facts(check, name, message)
    if campaign.guardrails.approve_above and project:
        check.money(("guardrails", "approve_above"), campaign.guardrails.approve_above.money, project)
    if project:
        check.money(("guardrails", "budget"), campaign.guardrails.budget, project)
    declared = frozenset(project.events) | frozenset(project.contacts.attributes) if project else frozenset()
    for path, term in _terms(campaign):
        check.participle(path, term, declared)
    steps = list(_steps(campaign.flow, ("flow",)))
    for path, step in steps:
        _step(check, path, step, project)
    if len(steps) > STEPS:
        check.say("Y010", steps[STEPS][0], t("the number of steps above {n}", "le nombre d'étapes au-delà de {n}", n=STEPS))
    return check.findings


def none_to_name(value: str, *, none: str = "") -> str:
    """Of a word that must name something where nothing of the kind is there; `none` says what could be made to be there."""
    begin = t(
        "there is no '{v}', nor any other to name here: ", "il n'y a pas de « {v} », ni rien d'autre à nommer ici : ", v=value
    )
    return begin + (none or t("declare it, or take it away", "déclarez-le, ou retirez-le"))


@dataclass
class Check:
    """Findings about one file, at the key or value that is at fault."""

    source: Source
    findings: list[Finding] = field(default_factory=list)

    def say(self, code: str, path: KeyPath, message: str, *, key: bool = False, fix: Fix | None = None) -> None:
        self.findings.append(finding(code, self.source.place(path, key=key), message, path=dotted(path), fix=fix))

    def write(self, path: KeyPath, text: str, *, key: bool = False) -> Fix | None:
        """A safe fix that writes `text` over the scalar at the path."""
        span = self.source.span(path, key=key)
        if span.line != span.end_line or span.style not in ("", "'", '"'):
            return None
        quote = span.style
        return Fix(t("write '{x}'", "écrire « {x} »", x=text), (Edit(self.source.exact(span), f"{quote}{text}{quote}"),))

    def unknown_key(self, path: KeyPath, expected: Iterable[str], where: str) -> None:
        known, name = tuple(expected), str(path[-1])
        close = nearest(name, known)
        message = t("unknown key '{k}' in {where}. Expected: {keys}.", "clé inconnue « {k} » dans {where}. Attendu : {keys}.",
                    k=name, where=where, keys=", ".join(known))  # fmt: skip
        self.say(
            "S002", path, message + did_you_mean(name, known), key=True, fix=self.write(path, close, key=True) if close else None
        )

    def unknown_value(self, path: KeyPath, value: str, known: Iterable[str], *, key: bool = False) -> None:
        words = tuple(known)
        close = nearest(value, words)
        message = t("'{v}' is not one of {known}.", "« {v} » ne fait pas partie de : {known}.", v=value, known=", ".join(words))
        if not words:
            message = none_to_name(value)
        message += did_you_mean(value, words)
        self.say("S004", path, message, key=key, fix=self.write(path, close, key=key) if close else None)

    def reserved(self, path: KeyPath, *, more: tuple[str, ...] = ()) -> None:
        """S004 for a name that is a word of the condition language."""
        name = str(path[-1])
        if name in RESERVED_WORDS or name in more:
            self.say("S004", path, t("'{v}' is a reserved word", "« {v} » est un mot réservé", v=name), key=True)

    def money(self, path: KeyPath, money: lit.Money | None, project: Project) -> None:
        """S009: what is counted is counted in the project's currency."""
        if money and project.currency and money.currency != project.currency:
            message = t("{price} is in {c}; the project counts in {p}", "{price} est en {c} ; le projet compte en {p}",
                        price=money, c=money.currency, p=project.currency)  # fmt: skip
            self.say("S009", path, message)

    def both(self, path: KeyPath, first: str, second: str, meaning: str) -> None:
        """S007 for two keys of which one may stand."""
        message = t(
            "{meaning}: found both '{a}' and '{b}'",
            "{meaning} : « {a} » et « {b} » s'y trouvent",
            meaning=meaning,
            a=first,
            b=second,
        )
        self.say("S007", (*path, second), message, key=True)

    def participle(self, path: KeyPath, term: str, declared: frozenset[str]) -> None:
        """S004 for `click` where the event is called `clicked`."""
        word = term.split()[0] if term else ""
        right = PRESENT.get(word.lower())
        if right is None or word in declared:
            return
        key = "for" in path[-2:-1]
        span = self.source.span(path, key=key)
        if key:
            fix = self.write(path, right + term[len(word) :], key=True)
            place = self.source.at(span)
        else:
            place = self.source.within(path, 0, len(word))
            fix = Fix(t("write '{x}'", "écrire « {x} »", x=right), (Edit(place, right),))
        message = t(
            "'{v}' is no event. Did you mean '{x}'?",
            "« {v} » n'est pas un événement. Vouliez-vous dire « {x} » ?",
            v=word,
            x=right,
        )
        self.findings.append(finding("S004", place, message, path=dotted(path), fix=fix))


def _known(mapping: Any) -> Iterator[tuple[str, Any]]:
    """The entries of a mapping that are known."""
    if isinstance(mapping, Mapping):
        yield from ((name, value) for name, value in mapping.items() if not unknown(value) and not isinstance(name, Loose))


def _channel(check: Check, name: str, channel: Channel, project: Project, media: tuple[str, ...]) -> None:
    path: KeyPath = ("channels", name)
    if name not in media and name not in Registry("channels", {}).names():
        check.unknown_value(path, name, media, key=True)
        return
    carries = PROVIDER_CHANNELS.get(channel.provider)
    named = isinstance(channel.provider, str) and not channel.provider.startswith("${")
    if carries is None and named and channel.provider not in Registry("providers", {}).names():
        check.unknown_value((*path, "provider"), channel.provider, PROVIDER_CHANNELS)
    if carries is not None and name in CHANNELS and name not in carries:
        able = ", ".join(provider for provider, channels in PROVIDER_CHANNELS.items() if name in channels)
        message = t("{provider} cannot carry {channel}; one of {able} can", "{provider} ne peut pas acheminer {channel} ; possible : {able}",
                    provider=channel.provider, channel=name, able=able)  # fmt: skip
        check.say("S004", (*path, "provider"), message)
    if name in CHANNEL_SETTINGS:
        allowed = (*_COMMON_SETTINGS, *CHANNEL_SETTINGS[name])
        for setting in sorted(channel.model_fields_set - set(allowed)):
            expected = [s.rstrip("_") for s in allowed]
            check.unknown_key((*path, setting), expected, f"'{dotted(path)}'")
    check.money((*path, "price"), channel.price, project)
    if channel.price is None and name != "webhook":
        message = t(
            "{channel} has no price: costs and budgets leave it out",
            "{channel} n'a pas de prix : coûts et budgets l'ignorent",
            channel=name,
        )
        check.say("S010", path, message, key=True)


def _attribute(check: Check, path: KeyPath, attribute: Attribute) -> None:
    """The default and the example are values of the type."""
    if unknown(attribute.type):
        return
    for key in ("default", "example"):
        written = getattr(attribute, key)
        if written is None or unknown(written) or attribute.kind == "list":
            continue
        typed(check, (*path, key), attribute, written)


def typed(check: Check, path: KeyPath, attribute: Attribute, written: str) -> None:
    try:
        read_as(attribute, written)
    except lit.LiteralError as error:
        name = str(path[-1])
        if error.code == "S004":
            check.unknown_value(path, written, attribute.choices)
            return
        fix = check.write(path, error.fix) if error.fix else None
        message = t(
            "'{k}' wants {wanted}, got '{v}'", "« {k} » demande {wanted}, et non « {v} »", k=name, wanted=error.wanted, v=written
        )
        if error.code == "S005":
            message = t("'{v}': {asked}", "« {v} » : {asked}", v=written, asked=error.note)
        check.say(error.code, path, message, fix=fix)


def _personas(check: Check, personas: Mapping[str, Persona]) -> None:
    """All but `default` have a match; `default` has none and comes last (5.2)."""
    names = list(personas) if isinstance(personas, dict) else []
    for name, persona in _known(personas):
        path: KeyPath = ("personas", name)
        if name == "default" and persona.match is not None:
            check.say("S002", (*path, "match"), t("persona 'default' takes the rest: it has no 'match'",
                                                   "le persona « default » prend le reste : il n'a pas de « match »"), key=True)  # fmt: skip
        if name != "default" and persona.match is None:
            message = t("{where} needs '{key}' ({meaning})", "{where} : il manque « {key} » ({meaning})", where=f"'{dotted(path)}'", key="match",
                        meaning=t("who belongs to it", "qui en fait partie"))  # fmt: skip
            check.say("S001", path, message, key=True)
    if "default" in names[:-1]:
        message = t("persona 'default' must come last: those behind it are never asked",
                    "le persona « default » doit venir en dernier : les suivants ne sont jamais essayés")  # fmt: skip
        check.say("S003", ("personas", "default"), message, key=True)


def _database(check: Check, project: Project) -> None:
    """In the project PostgreSQL only: SQLite is what stands there by itself (section 3)."""
    url = project.database
    if url and not url.startswith(("postgresql://", "postgresql+psycopg://", "postgres://", "${")):
        wanted = t("a postgresql:// address (SQLite needs none)", "une adresse postgresql:// (SQLite n'en demande pas)")
        check.say("S003", ("database",), t("'{k}' wants {wanted}, got '{v}'", "« {k} » demande {wanted}, et non « {v} »",
                                           k="database", wanted=wanted, v=url.split("@")[-1]))  # fmt: skip


def _enter(check: Check, campaign: Campaign) -> None:
    enter = campaign.enter
    if unknown(enter):
        return
    ways = [key for key in ("when", "on", "at", "every") if getattr(enter, key) is not None]
    for second in ways[1:]:
        check.both(("enter",), ways[0], second, t("there is one way in", "il n'y a qu'une entrée"))
    if not ways and enter.if_ is None:
        message = t("{where} needs '{key}' ({meaning})", "{where} : il manque « {key} » ({meaning})", where="'enter'", key="when",
                    meaning=t("or on, at, every, if: who enters, and when", "ou on, at, every, if : qui entre, et quand"))  # fmt: skip
        check.say("S001", ("enter",), message, key=True)
    if enter.yearly and enter.on is None:
        check.say("S002", ("enter", "yearly"), t("'yearly' goes with 'on'", "« yearly » va avec « on »"), key=True)


def _exits(check: Check, campaign: Campaign) -> None:
    for n, rule in enumerate(campaign.exit):
        if unknown(rule):
            continue
        path: KeyPath = ("exit", n) if not isinstance(check.source.find(("exit",)), dict) else ("exit",)
        if rule.when is not None and rule.if_ is not None:
            check.both(path, "when", "if", t("an exit rule asks one thing", "une règle de sortie ne demande qu'une chose"))
        elif rule.when is None and rule.if_ is None:
            message = t("{where} needs '{key}' ({meaning})", "{where} : il manque « {key} » ({meaning})", where=f"'{dotted(path)}'", key="if",
                        meaning=t("or when: what ends the pass", "ou when : ce qui met fin au parcours"))  # fmt: skip
            check.say("S001", path, message)
        if rule.as_ == "goal":
            _goal_is_reserved(check, (*path, "as"))


def _goal_is_reserved(check: Check, path: KeyPath) -> None:
    message = t(
        "'goal' is a reserved word: the reason of a pass that reached 'goal:'",
        "« goal » est un mot réservé : la raison d'un parcours qui a atteint « goal: »",
    )
    check.say("S004", path, message)


def _facts(check: Check, name: str, message: Message) -> None:
    for fact_name, fact in _known(message.facts):
        path: KeyPath = ("messages", name, "facts", fact_name)
        ways = [key for key, value in (("value", fact.value), ("from", fact.from_), ("by_persona", fact.by_persona),
                                       ("by_language", fact.by_language)) if value is not None]  # fmt: skip
        for second in ways[1:]:
            check.both(path, ways[0], second, t("a fact has one source", "un fait n'a qu'une source"))
        if not ways:
            message_text = t("{where} needs '{key}' ({meaning})", "{where} : il manque « {key} » ({meaning})", where=f"'{dotted(path)}'",
                             key="value", meaning=t("or from, by_persona, by_language", "ou from, by_persona, by_language"))  # fmt: skip
            check.say("S001", path, message_text)
        if fact.max_age is not None and fact.from_ is None:
            check.say("S002", (*path, "max_age"), t("'max_age' goes with 'from'", "« max_age » va avec « from »"), key=True)


def _terms(campaign: Campaign) -> Iterator[tuple[KeyPath, str]]:
    """Every event term with its path; for the keys of `for`, the path of the key."""
    for key, terms in (("enter", campaign.enter.when), ("goal", campaign.goal.when if campaign.goal else None)):
        for n, term in enumerate(terms or ()):
            if isinstance(term, str):
                yield (key, "when", n), term
    for n, rule in enumerate(campaign.exit):
        if isinstance(rule.when, str):
            yield ("exit", n, "when"), rule.when
    for path, step in _steps(campaign.flow, ("flow",)):
        if isinstance(step, WaitStep) and isinstance(step.for_, dict):
            yield from (((*path, "for", term), term) for term in step.for_)
        if isinstance(step, Split) and isinstance(step.measure, str):
            yield (*path, "measure"), step.measure


def _steps(steps: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    """Every known step with its path, parents first."""
    for n, step in enumerate(steps or ()):
        if unknown(step):
            continue
        here = (*path, n)
        yield here, step
        match step:
            case WaitStep(for_=dict() as answers):
                for term, inner in answers.items():
                    yield from _steps(inner, (*here, "for", term))
            case Choose(choose=tuple() as branches):
                for i, branch in enumerate(branches):
                    if isinstance(branch, Branch):
                        yield from _steps(branch.do, (*here, "choose", i, "do"))
                        yield from _steps(branch.else_, (*here, "choose", i, "else"))
            case Split(split=dict() as arms):
                for arm, one in arms.items():
                    yield from _steps(one.do, (*here, "split", arm, "do"))


def _step(check: Check, path: KeyPath, step: Any, project: Project | None) -> None:
    match step:
        case Send():
            _send(check, path, step)
        case WaitStep():
            _wait(check, path, step)
        case Choose():
            _choose(check, path, step)
        case Split():
            if isinstance(step.split, dict) and len(step.split) < 2:
                check.say(
                    "S003", (*path, "split"), t("a split wants at least 2 arms", "un split demande au moins 2 branches"), key=True
                )
        case Set():
            _set(check, path, step, project)
        case Exit():
            if step.exit == "goal":
                _goal_is_reserved(check, (*path, "exit"))


def _send(check: Check, path: KeyPath, step: Send) -> None:
    """`team`, `due` and `kind` are for tasks and calls; `place` for what is handed over or written (8.1)."""
    ways = {step.by, *step.else_}
    if not all(isinstance(way, str) for way in ways) or "preferred" in ways or any(way not in CHANNELS for way in ways):
        return
    for key, channels in (
        ("team", ("task", "voice")),
        ("due", ("task", "voice")),
        ("kind", ("task", "voice")),
        ("place", ("qr", "letter", "task")),
    ):
        if getattr(step, key) is not None and not ways & set(channels):
            message = t("'{k}' is for {channels}; this goes by {ways}", "« {k} » est pour {channels} ; ceci part par {ways}",
                        k=key, channels=", ".join(channels), ways=", ".join(way for way in (step.by, *step.else_)))  # fmt: skip
            check.say("S002", (*path, key), message, key=True)


def _wait(check: Check, path: KeyPath, step: WaitStep) -> None:
    if not isinstance(step.wait, lit.Wait):
        return
    if step.wait.kind == "up to" and step.for_ is None:
        message = t("{where} needs '{key}' ({meaning})", "{where} : il manque « {key} » ({meaning})", where=f"'{dotted(path)}'", key="for",
                    meaning=t("what to wait for; without an answer to wait for, write '{x}'", "ce qu'on attend ; sans réponse à attendre, écrivez « {x} »",
                              x=step.wait.length))  # fmt: skip
        check.say("S001", path, message)
    if step.for_ is not None and step.wait.kind != "up to":
        fix = check.write((*path, "wait"), f"up to {step.wait.length}") if step.wait.kind == "length" else None
        message = t(
            "'wait' with 'for' wants 'up to 3 days', got '{v}'",
            "« wait » avec « for » demande « up to 3 days », et non « {v} »",
            v=step.wait,
        )
        check.say("S003", (*path, "wait"), message, fix=fix)


def _choose(check: Check, path: KeyPath, step: Choose) -> None:
    branches = step.choose if isinstance(step.choose, tuple) else None
    if branches is not None and not branches:
        check.say(
            "S003", (*path, "choose"), t("choose wants at least one branch", "choose demande au moins une branche"), key=True
        )
    for n, branch in enumerate(branches or ()):
        here = (*path, "choose", n)
        if not isinstance(branch, Branch):
            continue
        if branch.else_ is not None and (branch.if_ is not None or branch.do is not None):
            first = "if" if branch.if_ is not None else "do"
            check.both(
                here,
                first,
                "else",
                t("a branch is either 'if' and 'do', or 'else'", "une branche est soit « if » et « do », soit « else »"),
            )
        elif branch.else_ is None:
            for key, value in (("if", branch.if_), ("do", branch.do)):
                if value is None:
                    message = t("{where} needs '{key}' ({meaning})", "{where} : il manque « {key} » ({meaning})", where=f"'{dotted(here)}'", key=key,
                                meaning=t("a branch is 'if' and 'do', or 'else'", "une branche est « if » et « do », ou « else »"))  # fmt: skip
                    check.say("S001", here, message)
        elif n != len(branches or ()) - 1:
            check.say("S003", (*here, "else"), t("'else' is the last branch", "« else » est la dernière branche"), key=True)


def _set(check: Check, path: KeyPath, step: Set, project: Project | None) -> None:
    """Values are of the attribute's type; only what is ordered can be added to. Unknown attributes are R005."""
    declared = project.contacts.attributes if project else {}
    for name, change in _known(step.set):
        attribute = declared.get(name) if isinstance(declared, dict) else None
        if not isinstance(attribute, Attribute) or unknown(attribute.type) or not isinstance(change, lit.Change):
            continue
        here = (*path, "set", name)
        if (change.kind == "=" and attribute.kind != "list") or (change.kind in "+-" and attribute.kind == "number"):
            typed(check, here, attribute, change.value)
        elif change.kind in "+-" and attribute.kind not in _ORDERED_KINDS:
            message = t("'{v}': {k} is no number", "« {v} » : {k} n'est pas un nombre", v=change, k=name)
            check.say("S003", here, message)
        elif change.kind in "+-":
            typed(check, here, attribute, change.value)

"""Taking notes while a condition is checked: its problems so far, what it speaks of, and the words for its types."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from omnicli.condition import syntax as s
from omnicli.condition.problem import Problem
from omnicli.model.literals import Duration
from omnicli.model.vocabulary import Kind, Vocabulary
from omnicli.texts import t

_SETS = ("attributes", "events", "segments", "personas", "messages", "steps", "campaigns", "channels", "enrolled", "leaves_out")


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


class Unknown(Exception):
    """A predicate that cannot be asked; its problem is already noted."""


@dataclass
class Notes:
    """One text under check: the names in force, where it stands, and what was found so far. `path` is the chain of segments
    and personas that led to it; `written_out` counts its predicates with those of its segments."""

    text: str
    names: Vocabulary
    flow: bool
    path: tuple[str, ...] = ()
    problems: list[Problem] = field(default_factory=list)
    uses: Uses = field(default_factory=Uses)
    written_out: int = 0

    def note(self, code: str, at: s.Span, message: str, fix: str | None = None) -> None:
        self.problems.append(Problem(code, at[0] + 1, at[1] - at[0], message, fix))

    def failed(self, code: str, at: s.Span, message: str, fix: str | None = None) -> Unknown:
        """Notes the problem and gives what to raise."""
        self.note(code, at, message, fix)
        return Unknown()

    def use(self, **names: Iterable[str]) -> None:
        self.uses = self.uses.with_(Uses(**{key: frozenset(value) for key, value in names.items()}))  # type: ignore[arg-type]

    def time(self, length: Duration | None) -> None:
        self.uses = self.uses.with_(Uses(speaks_of_time=True, finest=length))

    def source(self, at: s.Span) -> str:
        return self.text[at[0] : at[1]]


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


def meant(close: str | None, *, join: str = ".") -> str:
    if not close:
        return ""
    return t("; did you mean '{close}'?", " ; vouliez-vous dire « {close} » ?", close=close)


def some(names: Iterable[str], most: int = 12) -> str:
    listed = list(names)
    return ", ".join(listed[:most]) + (", …" if len(listed) > most else "")

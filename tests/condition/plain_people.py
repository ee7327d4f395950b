"""A small invented base, and what conditions mean over it in plain Python: the judge of the SQL, sharing no code with it.

`base(seed)` makes people with gaps; `conditions(flow=…)` is a Hypothesis strategy of `Said`: a condition as text beside the
function that says whether a person fulfils it. Meanings are written from docs/language 6, not from the compiler.
"""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from hypothesis import strategies as st

from omnicli.model.vocabulary import BUILT_IN_KINDS, RESPONSE_FIELDS, Kind, Vocabulary

PARIS = ZoneInfo("Europe/Paris")
MS = timedelta(milliseconds=1)
EUR = Kind("money", "EUR")
SOURCES = ("instagram", "tiktok", "Boutique en ligne")
SEGMENTS = {
    "nouveaux": "signup within 7 days and orders = 0",
    "fideles": "count(purchase) >= 2 or vip",
    "sans-ville": "city is missing and not segment nouveaux",
}
PERSONAS = {"camille": "source = instagram and orders >= 1", "h": "orders >= 2 or vip", "default": None}
VOCABULARY = Vocabulary(
    attributes={
        **BUILT_IN_KINDS,
        "city": Kind("text"), "home-city": Kind("text"), "postcode": Kind("code"), "source": Kind("choice", choices=SOURCES),
        "interests": Kind("list"), "orders": Kind("number"), "visits": Kind("number"), "rate": Kind("percent"), "basket": EUR,
        "credit": EUR, "store_distance": Kind("distance"), "stay": Kind("duration"), "renewal": Kind("date"), "signed": Kind("date"),
        "seen": Kind("time"), "vip": Kind("yes or no"),
    },
    events={
        "clicked": RESPONSE_FIELDS, "replied": RESPONSE_FIELDS,
        "signup": {"form": Kind("text")},
        "purchase": {"value": EUR, "category": Kind("text"), "quantity": Kind("number"), "due": Kind("date"), "gift": Kind("yes or no"),
                     "road": Kind("choice", choices=SOURCES)},
    },
    channels=frozenset({"email", "sms"}), segments=SEGMENTS, personas=PERSONAS,
    campaigns={"bienvenue": frozenset({"offre", "guide"}), "panier": frozenset({"rappel"})}, campaign="bienvenue",
    messages=frozenset({"offre", "guide"}), steps=frozenset({"j0", "j3"}), time_zone="Europe/Paris",
)  # fmt: skip


# --- people -----------------------------------------------------------------------------------------------------------
@dataclass
class Event:
    name: str
    at: datetime
    fields: dict[str, Any] = field(default_factory=dict)
    campaign: str | None = None
    message: str | None = None
    step: str | None = None
    channel: str | None = None
    of_pass: bool = False
    machine: bool = False


@dataclass
class Person:
    id: int
    created: datetime
    attributes: dict[str, Any]
    reach: dict[str, dict[str, Any]]
    events: list[Event]
    entered_at: datetime
    persona: str | None
    open_in: str | None


@dataclass(frozen=True)
class Base:
    now: datetime
    people: tuple[Person, ...]


NOWS = (
    datetime(2027, 3, 29, 8, 0, tzinfo=UTC),  # the day after the clocks went forward in Paris
    datetime(2026, 10, 26, 0, 30, tzinfo=UTC),  # the night after they went back
    datetime(2028, 3, 31, 21, 59, 59, 999000, tzinfo=UTC),  # the last instant of a leap year's March in Paris
    datetime(2026, 11, 20, 12, 0, tzinfo=UTC),
)
CITIES = ("Orléans", "orleans", "Lyon", "SAINT-Étienne", "L’Haÿ les Roses", "Œting")
DURATIONS = (
    (1, "minute"),
    (3, "hour"),
    (36, "hour"),
    (1, "day"),
    (2, "day"),
    (7, "day"),
    (30, "day"),
    (2, "week"),
    (1, "month"),
    (1, "year"),
)


def base(seed: int) -> Base:
    """Fourteen people, half of every value missing, instants on and beside every boundary that a condition can draw."""
    dice = random.Random(seed)
    now = NOWS[seed % len(NOWS)]
    instants = [
        edge + shift
        for n, unit in DURATIONS
        for edge in (step(now, n, unit, -1), step(now, n, unit, 1))
        for shift in (-MS, 0 * MS, MS)
    ]
    instants += [midnight(day(now) + timedelta(days=n)) + shift for n in (-1, 0, 1, 2) for shift in (-MS, 0 * MS, MS)]
    instants += [now - MS, now, now + MS]
    days = sorted({day(instant) for instant in instants})
    return Base(now, tuple(_person(dice, n, now, instants, days) for n in range(1, 15)))


def _person(dice: random.Random, n: int, now: datetime, instants: Sequence[datetime], days: Sequence[date]) -> Person:
    entered = min(dice.choice([i for i in instants if i <= now]) for _ in range(2))
    values: dict[str, Callable[[], Any]] = {
        "city": lambda: dice.choice(CITIES), "home-city": lambda: dice.choice(CITIES), "postcode": lambda: dice.choice(("01000", "1000", "1E10", "Ab")),
        "source": lambda: dice.choice(SOURCES), "interests": lambda: tuple(dice.sample(("Bougies", "déco", "thé vert"), dice.randrange(3))),
        "orders": lambda: dice.choice((0, 1, 2, 2.5, -1)), "visits": lambda: dice.choice((0, 1, 2)), "rate": lambda: dice.choice((0, 12.5, 20)),
        "basket": lambda: dice.choice((0, 3992, 10000, -500)), "credit": lambda: dice.choice((0, 3992)),
        "store_distance": lambda: dice.choice((500, 9999.5, 10000)), "stay": lambda: dice.choice((30, 1440, 43200)),
        "renewal": lambda: dice.choice(days), "signed": lambda: dice.choice(days), "seen": lambda: dice.choice(instants),
        "vip": lambda: dice.random() < 0.5, "language": lambda: dice.choice(("fr", "en")),
    }  # fmt: skip
    attributes = {name: make() for name, make in values.items() if dice.random() < 0.6}
    reach = {channel: _reach(dice, now) for channel in ("email", "sms") if dice.random() < 0.7}
    edges = [step(now, n, unit, -1) for n, unit in DURATIONS] + [midnight(day(now) + timedelta(days=n)) for n in (-1, 0, 1)]
    moments = lambda: dice.choice((edges, edges, instants, (entered, entered + MS, now)))  # noqa: E731
    events = [_event(dice, dice.choice(moments()), days) for _ in range(dice.randrange(9))]
    return Person(n, dice.choice(instants), attributes, reach, events, entered, dice.choice((None, "camille", "h")),
                  dice.choice((None, "bienvenue", "panier")))  # fmt: skip


def _reach(dice: random.Random, now: datetime) -> dict[str, Any]:
    until = dice.choice((None, now, now + MS, now - MS))
    return {
        "address": dice.random() < 0.8, "granted": dice.choice((None, True, True, False)), "until": until,
        "bad": dice.choice((None, None, "bounced")), "bar": dice.choice((None, None, "stop")), "bar_until": dice.choice((None, now, now + MS)),
    }  # fmt: skip


def _event(dice: random.Random, at: datetime, days: Sequence[date]) -> Event:
    name = dice.choice(("purchase", "purchase", "signup", "clicked", "clicked", "replied"))
    found = Event(name, at, machine=dice.random() < 0.15)
    if name == "purchase":
        values = {"value": dice.choice((0, 1000, 10001, 30000)), "category": dice.choice(CITIES), "quantity": dice.choice((1, 2.5)),
                  "due": dice.choice(days), "gift": dice.random() < 0.5, "road": dice.choice(SOURCES)}  # fmt: skip
    elif name == "signup":
        values = {"form": dice.choice(CITIES)}
    else:
        values = {"keyword": dice.choice(("oui", "Stop", "1")), "link": dice.choice(("A1", "b2"))}
        campaign, message, step_ = dice.choice(
            ((None, None, None), ("bienvenue", "offre", "j0"), ("bienvenue", "guide", "j3"), ("panier", "rappel", "r1"))
        )
        found = Event(name, at, {}, campaign, message, step_, dice.choice(("email", "sms", None)),
                      of_pass=campaign == "bienvenue" and dice.random() < 0.7, machine=found.machine)  # fmt: skip
    found.fields = {key: value for key, value in values.items() if dice.random() < 0.75}
    return found


# --- time, once more --------------------------------------------------------------------------------------------------
def day(instant: datetime) -> date:
    return instant.astimezone(PARIS).date()


def midnight(of: date) -> datetime:
    return datetime(of.year, of.month, of.day, tzinfo=PARIS).astimezone(UTC)


def step(instant: datetime, n: int, unit: str, sign: int) -> datetime:
    if unit in ("minute", "hour"):
        return instant + sign * timedelta(**{f"{unit}s": n})
    local = instant.astimezone(PARIS).replace(tzinfo=None)
    moved = step_day(local.date(), n, unit, sign)
    return datetime.combine(moved, local.time()).replace(tzinfo=PARIS).astimezone(UTC)


def step_day(of: date, n: int, unit: str, sign: int) -> date:
    if unit in ("day", "week"):
        return of + sign * timedelta(days=n * (7 if unit == "week" else 1))
    months = of.year * 12 + of.month - 1 + sign * n * (12 if unit == "year" else 1)
    for last in (of.day, 30, 29, 28):
        try:
            return date(months // 12, months % 12 + 1, min(of.day, last))
        except ValueError:
            continue
    raise AssertionError


def plain(text: str) -> str:
    """Folding, once more."""
    for letter, other in (("œ", "oe"), ("Œ", "oe"), ("’", "'")):
        text = text.replace(letter, other)
    bare = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return " ".join(bare.casefold().split())


# --- what is said, and what it means ----------------------------------------------------------------------------------
@dataclass(frozen=True)
class Ctx:
    """Of whom and when it is asked; `flow`: where the text stands."""

    person: Person
    now: datetime
    flow: bool


Truth = Callable[[Any, Ctx], bool]


@dataclass(frozen=True)
class Said:
    text: str
    true: Truth

    def __repr__(self) -> str:
        return self.text


Get = Callable[[Any, Ctx], Any]
OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b, "!=": lambda a, b: a != b, "<": lambda a, b: a < b, "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b, ">=": lambda a, b: a >= b,
}  # fmt: skip


def attribute(name: str) -> Get:
    if name == "created":
        return lambda person, ctx: person.created
    return lambda person, ctx: person.attributes.get(name)


def payload(name: str) -> Get:
    if name == "at":
        return lambda event, ctx: event.at
    if name in ("campaign", "message", "step", "channel"):
        return lambda event, ctx: getattr(event, name)
    return lambda event, ctx: event.fields.get(name)


FIGURES: dict[str, tuple[tuple[str, float], ...]] = {
    "number": (("0", 0), ("1", 1), ("2", 2), ("2.5", 2.5), ("-1", -1)),
    "percent": (("0 %", 0), ("12.5%", 12.5), ("20 %", 20)),
    "money": (("0 EUR", 0), ("39.92 EUR", 3992), ("100 EUR", 10000), ("-5 EUR", -500), ("100.01 EUR", 10001), ("300 EUR", 30000)),
    "distance": (("10 km", 10000), ("500 m", 500), ("9.9995 km", 9999.5)),
    "duration": (("30 minutes", 30), ("1 day", 1440), ("1 month", 43200), ("24 hours", 1440)),
}


@st.composite
def figures(draw: st.DrawFn, name: str, kind: str, get: Get, *, exact: bool = True) -> Said:
    """Comparisons and `in` of figures."""
    if exact and draw(st.integers(0, 4)) == 0:
        values = draw(st.lists(st.sampled_from(FIGURES[kind]), min_size=1, max_size=3))
        wanted = {value for _, value in values}
        negated = draw(st.booleans())
        return Said(f"{name} {'not ' if negated else ''}in ({', '.join(text for text, _ in values)})",
                    lambda row, ctx: (v := get(row, ctx)) is not None and (v in wanted) != negated)  # fmt: skip
    text, value = draw(st.sampled_from(FIGURES[kind]))
    operator = draw(st.sampled_from([op for op in OPERATORS if exact or op not in ("=", "!=")]))
    return Said(f"{name} {operator} {text}", lambda row, ctx: (v := get(row, ctx)) is not None and OPERATORS[operator](v, value))


@st.composite
def texts(draw: st.DrawFn, name: str, words: Sequence[str], get: Get, *, exact: bool = False) -> Said:
    """`= != in contains starts with` of texts, codes (`exact`) and choices."""
    alike: Callable[[str], str] = (lambda t: t) if exact else plain
    word = draw(st.sampled_from(words))
    if not exact:
        word = draw(st.sampled_from((word, word.upper(), plain(word))))
    kinds = ["=", "!=", "in", "not in"] + ([] if words is SOURCES else ["contains", "starts with"])
    match draw(st.sampled_from(kinds)):
        case "=" | "!=" as op:
            return Said(
                f'{name} {op} "{word}"',
                lambda row, ctx: (v := get(row, ctx)) is not None and (alike(v) == alike(word)) == (op == "="),
            )
        case "in" | "not in" as op:
            more = draw(st.sampled_from(words))
            return Said(f'{name} {op} ("{word}", "{more}")',
                        lambda row, ctx: (v := get(row, ctx)) is not None and (alike(v) in (alike(word), alike(more))) == (op == "in"))  # fmt: skip
        case "contains":
            part = word[1:4].strip()
            return Said(
                f'{name} contains "{part}"', lambda row, ctx: (v := get(row, ctx)) is not None and alike(part) in alike(v)
            )
    part = word[:3]
    return Said(
        f'{name} starts with "{part}"', lambda row, ctx: (v := get(row, ctx)) is not None and alike(v).startswith(alike(part))
    )


def presence(name: str, get: Get) -> st.SearchStrategy[Said]:
    return st.sampled_from((
        Said(f"{name} is known", lambda row, ctx: get(row, ctx) is not None),
        Said(f"{name} is missing", lambda row, ctx: get(row, ctx) is None),
    ))  # fmt: skip


def flags(name: str, get: Get) -> st.SearchStrategy[Said]:
    return st.sampled_from((
        Said(name, lambda row, ctx: get(row, ctx) is True),
        Said(f"{name} = yes", lambda row, ctx: get(row, ctx) is True),
        Said(f"{name} = no", lambda row, ctx: get(row, ctx) is False),
        Said(f"{name} != yes", lambda row, ctx: get(row, ctx) is False),
    ))  # fmt: skip


def written(n: int, unit: str) -> str:
    return f"{n} {unit}{'s' if n > 1 else ''}"


def _compare(side: str, value: Any, low: Any, high: Any) -> bool:
    """Strictly before the beginning, strictly after the end of what stands on the right."""
    return bool(value < low) if side == "before" else bool(value > high)


@st.composite
def dates(draw: st.DrawFn, name: str, get: Get, others: Sequence[tuple[str, Get]] = ()) -> Said:
    """Calendar days: before, after, within, within next, `=`."""
    n, unit = draw(st.sampled_from(DURATIONS))
    side = draw(st.sampled_from(("before", "after")))
    shape = draw(
        st.sampled_from(
            ("today", "now", "ago", "from now", "literal", "=", "= today", "within", "within next", "other", "beside")
        )
    )
    if shape in ("other", "beside") and not others:
        shape = "today"

    def against(text: str, right: Callable[[Any, Ctx], date | None]) -> Said:
        def true(row: Any, ctx: Ctx) -> bool:
            left, there = get(row, ctx), right(row, ctx)
            return left is not None and there is not None and _compare(side, left, there, there)

        return Said(f"{name} {side} {text}", true)

    match shape:
        case "today" | "now":
            return against(shape, lambda row, ctx: day(ctx.now))
        case "ago" | "from now":
            return against(
                f"{written(n, unit)} {shape}", lambda row, ctx: day(step(ctx.now, n, unit, -1 if shape == "ago" else 1))
            )
        case "literal" | "=":
            fixed = draw(st.sampled_from((date(2027, 3, 28), date(2026, 10, 26), date(2028, 3, 31), date(2026, 11, 20))))
            if shape == "literal":
                return against(str(fixed), lambda row, ctx: fixed)
            return Said(f"{name} = {fixed}", lambda row, ctx: get(row, ctx) == fixed)
        case "= today":
            return Said(f"{name} = today", lambda row, ctx: get(row, ctx) == day(ctx.now))
        case "within":
            return Said(f"{name} within {written(n, unit)}",
                        lambda row, ctx: (v := get(row, ctx)) is not None and day(step(ctx.now, n, unit, -1)) <= v <= day(ctx.now))  # fmt: skip
        case "within next":
            return Said(f"{name} within next {written(n, unit)}",
                        lambda row, ctx: (v := get(row, ctx)) is not None and day(ctx.now) <= v <= day(step(ctx.now, n, unit, 1)))  # fmt: skip
    other, theirs = draw(st.sampled_from(list(others)))
    if shape == "other":
        return against(other, theirs)
    weeks, sign = draw(st.integers(1, 4)), draw(st.sampled_from((-1, 1)))
    return against(f"{weeks} weeks {'before' if sign < 0 else 'after'} {other}",
                   lambda row, ctx: None if (v := theirs(row, ctx)) is None else v + sign * timedelta(weeks=weeks))  # fmt: skip


@st.composite
def instants(draw: st.DrawFn, name: str, get: Get, others: Sequence[tuple[str, Get]] = ()) -> Said:
    """Instants: the same questions; a plain day on the right is the whole day."""
    n, unit = draw(st.sampled_from(DURATIONS))
    side = draw(st.sampled_from(("before", "after")))
    shape = draw(
        st.sampled_from(("today", "now", "ago", "from now", "day", "wall", "=", "within", "within next", "other", "beside"))
    )
    if shape in ("other", "beside") and not others:
        shape = "ago"

    def against(text: str, right: Callable[[Any, Ctx], tuple[datetime | None, datetime | None]]) -> Said:
        def true(row: Any, ctx: Ctx) -> bool:
            left, (low, high) = get(row, ctx), right(row, ctx)
            return left is not None and low is not None and _compare(side, left, low, high)

        return Said(f"{name} {side} {text}", true)

    def whole(of: date) -> tuple[datetime, datetime]:
        return midnight(of), midnight(of + timedelta(days=1)) - MS

    fixed = draw(st.sampled_from((date(2027, 3, 28), date(2026, 10, 25), date(2028, 3, 31), date(2026, 11, 20))))
    match shape:
        case "today":
            return against(shape, lambda row, ctx: whole(day(ctx.now)))
        case "now":
            return against(shape, lambda row, ctx: (ctx.now, ctx.now))
        case "ago" | "from now":

            def there(ctx: Ctx) -> datetime:
                return step(ctx.now, n, unit, -1 if shape == "ago" else 1)

            return against(f"{written(n, unit)} {shape}", lambda row, ctx: (there(ctx), there(ctx)))
        case "day":
            return against(str(fixed), lambda row, ctx: whole(fixed))
        case "wall":
            wall = datetime(fixed.year, fixed.month, fixed.day, 2, 30, tzinfo=PARIS).astimezone(UTC)
            return against(f"{fixed} 02:30", lambda row, ctx: (wall, wall))
        case "=":
            of, text = draw(st.sampled_from(((None, "today"), (fixed, str(fixed)))))
            return Said(f"{name} = {text}", lambda row, ctx: (v := get(row, ctx)) is not None and day(v) == (of or day(ctx.now)))
        case "within":
            return Said(f"{name} within {written(n, unit)}",
                        lambda row, ctx: (v := get(row, ctx)) is not None and step(ctx.now, n, unit, -1) <= v <= ctx.now)  # fmt: skip
        case "within next":
            return Said(f"{name} within next {written(n, unit)}",
                        lambda row, ctx: (v := get(row, ctx)) is not None and ctx.now <= v <= step(ctx.now, n, unit, 1))  # fmt: skip
    other, theirs = draw(st.sampled_from(list(others)))
    if shape == "other":
        return against(other, lambda row, ctx: (theirs(row, ctx), theirs(row, ctx)))
    hours, sign = draw(st.sampled_from((1, 36))), draw(st.sampled_from((-1, 1)))

    def beside(row: Any, ctx: Ctx) -> tuple[datetime | None, datetime | None]:
        origin = theirs(row, ctx)
        there = None if origin is None else origin + sign * timedelta(hours=hours)
        return there, there

    return against(f"{written(hours, 'hour')} {'before' if sign < 0 else 'after'} {other}", beside)


# --- events -----------------------------------------------------------------------------------------------------------
Rows = Callable[[Ctx], list[Event]]
TOUCHED: tuple[tuple[str, Callable[[Event], bool], bool], ...] = (
    ("offre", lambda e: e.campaign == "bienvenue" and e.message == "offre", True),
    ("bienvenue/guide", lambda e: e.campaign == "bienvenue" and e.message == "guide", True),
    ("j0", lambda e: e.campaign == "bienvenue" and e.step == "j0", True),
    ("bienvenue", lambda e: e.campaign == "bienvenue", True),
    ("panier", lambda e: e.campaign == "panier", False),
    ("panier/rappel", lambda e: e.campaign == "panier" and e.message == "rappel", False),
)
FIELDS = {"purchase": ("value", "category", "quantity", "due", "gift", "road"), "signup": ("form",), "clicked": ("link", "channel", "campaign"),
          "replied": ("keyword", "link")}  # fmt: skip


def fields(event: str) -> st.SearchStrategy[Said]:
    """One question about the payload, inside `where ( … )`."""
    at = payload("at")
    firsts = [
        (f"first({other})", _aggregate(lambda ctx, other=other: _seen(ctx, other), "first", None))
        for other in ("clicked", "purchase")
    ]
    choices: list[st.SearchStrategy[Said]] = [instants("at", at, firsts)]
    for name in FIELDS[event]:
        get, kind = payload(name), VOCABULARY.events[event][name]
        choices.append(presence(name, get))
        match kind.name:
            case "money" | "number":
                choices.append(figures(name, kind.name, get))
            case "text":
                choices.append(texts(name, (*CITIES, "oui", "stop", "1"), get))
            case "choice":
                choices.append(texts(name, SOURCES, get))
            case "code":
                choices.append(texts(name, ("A1", "b2", "email", "bienvenue", "panier"), get, exact=True))
            case "date":
                choices.append(dates(name, get))
            case "yes or no":
                choices.append(flags(name, get))
    return st.one_of(choices)


def _seen(ctx: Ctx, name: str) -> list[Event]:
    """Events of the name that a condition may see, oldest first."""
    return sorted((e for e in ctx.person.events if e.name == name and not e.machine and e.at <= ctx.now), key=lambda e: e.at)


@st.composite
def terms(
    draw: st.DrawFn, *, flow: bool, windows: Sequence[str], default: str
) -> tuple[str, str, str, Callable[[Ctx], list[Event]]]:
    """(event, the rest of the term, the window in words, the events it stands for)."""
    name = draw(st.sampled_from(("purchase", "signup", "clicked", "replied")))
    rest, tests, ours = "", [], True
    if name in ("clicked", "replied") and draw(st.booleans()):
        of, test, ours = draw(st.sampled_from(TOUCHED))
        rest += f" {of}"
        tests.append(lambda e, ctx: test(e))
    if draw(st.integers(0, 2)) == 0:
        asked = draw(st.lists(fields(name), min_size=1, max_size=2))
        rest += f" where ({' and '.join(s.text for s in asked)})"
        tests += [said.true for said in asked]
    window = draw(st.sampled_from(list(windows)))
    n, unit = draw(st.sampled_from(DURATIONS))
    kind = window or default

    def rows(ctx: Ctx) -> list[Event]:
        found = [e for e in _seen(ctx, name) if all(test(e, ctx) for test in tests)]
        if kind == "within":
            return [e for e in found if e.at >= step(ctx.now, n, unit, -1)]
        if kind == "since enter":
            answers = name in ("clicked", "replied") and ours
            return [e for e in found if e.at > ctx.person.entered_at and (e.of_pass or not answers)]
        return found

    return name, rest, written(n, unit) if window == "within" else window, rows


@st.composite
def occurrences(draw: st.DrawFn, *, flow: bool) -> Said:
    windows = ("", "within", "ever", *(["since enter"] if flow else []))
    name, rest, window, rows = draw(terms(flow=flow, windows=windows, default="since enter" if flow else "ever"))
    tail = f" within {window}" if window[:1].isdigit() else f" {window}" if window else ""
    return Said(f"{name}{rest}{tail}", lambda person, ctx: bool(rows(ctx)))


def _aggregate(rows: Rows, function: str, get: Get | None) -> Get:
    def answer(row: Any, ctx: Ctx) -> Any:
        events = rows(ctx)
        if function == "count":
            return len(events)
        values = [e.at if get is None else get(e, ctx) for e in events]
        if function in ("first", "last") and get is not None:
            return (values[0] if function == "first" else values[-1]) if values else None
        known = [v for v in values if v is not None]
        if function == "sum":
            return sum(known)
        if not known:
            return None
        return min(known) if function in ("min", "first") else max(known)

    return answer


@st.composite
def aggregates(draw: st.DrawFn, *, flow: bool) -> Said:
    function = draw(st.sampled_from(("count", "count", "sum", "min", "max", "first", "last")))
    late = function in ("first", "last")
    windows = ("", "within", "ever", *(["since enter"] if flow else []))
    name, rest, window, rows = draw(terms(flow=flow, windows=windows, default="ever" if late or not flow else "since enter"))
    tail = f", {window}" if window else ""
    if function == "count":
        return draw(figures(f"count({name}{rest}{tail})", "number", _aggregate(rows, "count", None)))
    if late:
        said = f"{function}({name}{rest}{tail})"
        get = _aggregate(rows, function, None)
        others = [("created", attribute("created")), ("last(signup)", _aggregate(lambda ctx: _seen(ctx, "signup"), "last", None))]
        return draw(st.one_of(instants(said, get, others), presence(said, get)))
    if name != "purchase":
        return Said("everyone", lambda person, ctx: True)
    field_, kind = draw(
        st.sampled_from((("value", "money"), ("quantity", "number"), *([("due", "date")] if function != "sum" else [])))
    )
    said, get = f"{function}({name}.{field_}{rest}{tail})", _aggregate(rows, function, payload(field_))
    if kind == "date":
        return draw(st.one_of(dates(said, get), presence(said, get)))
    return draw(st.one_of(figures(said, kind, get, exact=kind == "money" or function != "sum"), presence(said, get)))


# --- permissions, names -----------------------------------------------------------------------------------------------
def _consent(channel: str) -> Get:
    def get(person: Person, ctx: Ctx) -> bool | None:
        reach = person.reach.get(channel)
        if reach is None or reach["granted"] is None:
            return None
        return bool(reach["granted"]) and (reach["until"] is None or ctx.now < reach["until"])

    return get


def _address(channel: str) -> Get:
    return lambda person, ctx: (r := person.reach.get(channel)) is not None and r["address"] and r["bad"] is None


def _suppressed(channel: str) -> Get:
    def get(person: Person, ctx: Ctx) -> bool:
        reach = person.reach.get(channel)
        return reach is not None and (
            reach["bad"] is not None
            or (reach["bar"] is not None and (reach["bar_until"] is None or ctx.now < reach["bar_until"]))
        )

    return get


def _reachable(channel: str) -> Get:
    return lambda person, ctx: (
        bool(_address(channel)(person, ctx)) and _consent(channel)(person, ctx) is True and not _suppressed(channel)(person, ctx)
    )


def permissions() -> st.SearchStrategy[Said]:
    found: list[st.SearchStrategy[Said]] = []
    for channel in ("email", "sms"):
        for what, make in (("consent", _consent), ("address", _address), ("suppressed", _suppressed), ("reachable", _reachable)):
            found += [flags(f"{what}.{channel}", make(channel)), presence(f"{what}.{channel}", make(channel))]
    return st.one_of(found)


def _nouveaux(person: Person, ctx: Ctx) -> bool:
    week = step(ctx.now, 7, "day", -1)
    return any(e.at >= week for e in _seen(ctx, "signup")) and person.attributes.get("orders") == 0


def _fideles(person: Person, ctx: Ctx) -> bool:
    return len(_seen(ctx, "purchase")) >= 2 or person.attributes.get("vip") is True


def _camille(person: Person) -> bool:
    return person.attributes.get("source") == "instagram" and (person.attributes.get("orders") or 0) >= 1


def _persona_now(person: Person) -> str:
    if _camille(person):
        return "camille"
    return "h" if (person.attributes.get("orders") or 0) >= 2 or person.attributes.get("vip") is True else "default"


def names() -> st.SearchStrategy[Said]:
    segments = (
        Said("segment nouveaux", _nouveaux), Said("segment fideles", _fideles), Said("everyone", lambda person, ctx: True),
        Said("segment sans-ville", lambda person, ctx: person.attributes.get("city") is None and not _nouveaux(person, ctx)),
    )  # fmt: skip
    personas = tuple(
        Said(f"persona {name}", lambda person, ctx, name=name: (person.persona if ctx.flow else _persona_now(person)) == name)
        for name in PERSONAS
    )
    enrolled = tuple(
        Said(f"enrolled {name}", lambda person, ctx, name=name: person.open_in == name) for name in ("bienvenue", "panier")
    )
    return st.sampled_from((*segments, *personas, *enrolled))


# --- whole conditions -------------------------------------------------------------------------------------------------
def attributes() -> st.SearchStrategy[Said]:
    signed = [("contact.signed", attribute("signed"))]
    created = [("created", attribute("created"))]
    found: list[st.SearchStrategy[Said]] = [
        texts("city", CITIES, attribute("city")), texts("contact.home-city", CITIES, attribute("home-city")),
        texts("postcode", ("01000", "1000", "1E10", "ab"), attribute("postcode"), exact=True), texts("source", SOURCES, attribute("source")),
        texts("language", ("fr", "en"), attribute("language"), exact=True),
        dates("renewal", attribute("renewal"), signed), instants("seen", attribute("seen"), created), instants("created", attribute("created")),
        flags("vip", attribute("vip")),
        st.sampled_from((
            Said("orders > contact.visits", lambda p, c: _both(p, "orders", "visits", lambda a, b: a > b)),
            Said("basket != contact.credit", lambda p, c: _both(p, "basket", "credit", lambda a, b: a != b)),
            Said("city = contact.home-city", lambda p, c: _both(p, "city", "home-city", lambda a, b: plain(a) == plain(b))),
            Said("count(purchase, ever) > contact.visits", lambda p, c: (v := p.attributes.get("visits")) is not None and len(_seen(c, "purchase")) > v),
        )),
        st.sampled_from(("Bougies", "deco", "THE vert", "the")).map(
            lambda word: Said(f'interests contains "{word}"', lambda p, c: plain(word) in [plain(w) for w in p.attributes.get("interests", ())])
        ),
    ]  # fmt: skip
    known = VOCABULARY.attributes
    found += [figures(n, known[n].name, attribute(n)) for n in ("orders", "visits", "rate", "basket", "store_distance", "stay")]
    found += [presence(n, attribute(n)) for n in ("city", "interests", "orders", "renewal", "seen", "vip", "source", "created")]
    return st.one_of(found)


def _both(person: Person, left: str, right: str, compare: Callable[[Any, Any], bool]) -> bool:
    a, b = person.attributes.get(left), person.attributes.get(right)
    return a is not None and b is not None and compare(a, b)


@st.composite
def entered(draw: st.DrawFn) -> Said:
    """`enter` as an instant, in the flow alone."""
    return draw(st.sampled_from((
        Said("seen after enter", lambda p, c: (v := p.attributes.get("seen")) is not None and v > p.entered_at),
        Said("last(purchase) before 36 hours after enter",
             lambda p, c: bool(rows := _seen(c, "purchase")) and rows[-1].at < p.entered_at + timedelta(hours=36)),
    )))  # fmt: skip


def conditions(*, flow: bool) -> st.SearchStrategy[Said]:
    leaves = [attributes(), occurrences(flow=flow), aggregates(flow=flow), permissions(), names(), *([entered()] if flow else [])]
    return st.recursive(st.one_of(leaves), _joined, max_leaves=5)


def _joined(part: st.SearchStrategy[Said]) -> st.SearchStrategy[Said]:
    def both(parts: list[Said], word: str) -> Said:
        decide = all if word == "and" else any
        return Said("(" + f" {word} ".join(p.text for p in parts) + ")", lambda row, ctx: decide(p.true(row, ctx) for p in parts))

    several = st.lists(part, min_size=2, max_size=3)
    return st.one_of(
        several.map(lambda parts: both(parts, "and")), several.map(lambda parts: both(parts, "or")),
        part.map(lambda p: Said(f"not {p.text}", lambda row, ctx: not p.true(row, ctx))),
        st.tuples(part, part, part).map(lambda p: Said(
            f"({p[0].text} or {p[1].text} and not {p[2].text})",
            lambda row, ctx: p[0].true(row, ctx) or (p[1].true(row, ctx) and not p[2].true(row, ctx)),
        )),
    )  # fmt: skip


# --- into a store ----------------------------------------------------------------------------------------------------
def ms(instant: datetime) -> int:
    return round((instant - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000)


def insert(connection: sa.Connection, table: str, values: dict[str, Any]) -> None:
    marks = ", ".join("?" if connection.dialect.name == "sqlite" else "%s" for _ in values)
    connection.exec_driver_sql(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", tuple(values.values()))

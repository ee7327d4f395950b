"""Where a campaign's conditions change their answer: values of attributes and of event fields, counts, and ages of events.

Every condition that the campaign can ask is checked as lint checks it, and the checked tree is read; so a new predicate of the
language shows up here as soon as it compares something.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from omnicli.condition import meaning as m
from omnicli.condition.check import check, check_event
from omnicli.model.flow import Flow
from omnicli.model.literals import MINOR_DIGITS, Duration
from omnicli.model.vocabulary import Kind, Vocabulary, vocabulary

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.model.campaign import Campaign


@dataclass
class Edges:
    """By attribute and by (event, field): raw values, the one at the edge between its neighbours. `counts` are how often an event is
    counted, `ages` how old one may be, `events` what is waited for, or ends, or starts: name → the message or step it must answer."""

    attributes: dict[str, dict[str, None]] = field(default_factory=dict)
    fields: dict[tuple[str, str], dict[str, None]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    ages: dict[str, dict[Duration, None]] = field(default_factory=dict)
    asked: dict[str, None] = field(default_factory=dict)


def edges(loaded: Loaded, campaign: Campaign, today: date) -> Edges:
    """The edges of everything that this campaign asks; `today` is where `ago` and `within` are counted from."""
    assert loaded.project is not None
    known = vocabulary(loaded.project, campaign, loaded.campaigns)
    found = _Edges(known, today)
    for text, event in texts(campaign, known):
        checked = (check_event if event else check)(text, known, **({} if event else {"where": "flow"}))
        for tree in (checked.tree, checked.term):
            found.walk(tree, None)
    return found.edges


def texts(campaign: Campaign, known: Vocabulary) -> Iterator[tuple[str, bool]]:
    """Every condition of a campaign and of its personas, and whether it is an event term."""
    enter, goal = campaign.enter, campaign.goal
    yield from ((term, True) for term in (*(enter.when or ()), *(goal.when if goal else ())))
    yield from ((text, False) for text in (enter.if_, *(match for match in known.personas.values())) if text)
    for rule in campaign.exit:
        yield from ((text, event) for text, event in ((rule.if_, False), (rule.when, True)) if text)
    for node in Flow.of(campaign):
        yield from ((text, False) for text in (getattr(node.step, "if_", None),) if text)
        yield from ((term, True) for term in (getattr(node.step, "for_", None) or ()) if term != "nothing")
        yield from ((option.if_, False) for option in getattr(node.step, "choose", ()) if option.if_)


class _Edges:
    def __init__(self, known: Vocabulary, today: date) -> None:
        self.known, self.today, self.edges = known, today, Edges()

    def walk(self, node: Any, event: str | None) -> None:
        """Every node of a tree; `event` is the one whose payload a `where` is about."""
        match node:
            case m.EventTerm(name=name, since=since):
                self.edges.asked[name] = None
                if since is not None and since.length is not None:
                    self._age(name, since.length)
                event = name
            case m.Compare(left=left, right=right) if isinstance(right, (int, float, str)):
                self._compared(left, right, event)
            case m.OneOf(left=left, values=values):
                for value in values:
                    self._value(left, value, event)
            case m.Has(left=left, value=value) | m.Contains(left=left, value=value) | m.Starts(left=left, value=value):
                self._value(left, value, event)
            case m.Ordered(left=left, point=point) | m.OnDay(left=left, point=point):
                self._dated(left, point.length, ahead=point.kind == "from_now")
            case m.Near(left=left, length=length, ahead=ahead):
                self._dated(left, length, ahead=ahead)
            case _:
                pass
        self._below(node, event)

    def _below(self, node: Any, event: str | None) -> None:
        if is_dataclass(node) and not isinstance(node, (Kind, Duration)):
            for part in fields(node):
                value = getattr(node, part.name)
                for one in value if isinstance(value, tuple) else (value,):
                    self.walk(one, event) if is_dataclass(one) else None

    def _compared(self, left: m.Left, right: Any, event: str | None) -> None:
        if isinstance(left, m.Measure) and left.function == "count":
            self.edges.counts[left.term.name] = max(int(right), self.edges.counts.get(left.term.name, 0))
        elif isinstance(left, m.Measure) and left.field is not None:
            self._value(left.field, right, left.term.name)
        else:
            self._value(left, right, event)

    def _value(self, left: Any, value: Any, event: str | None) -> None:
        around = [value - 1, value, value + 1] if isinstance(value, (int, float)) else [value]
        for one in around:
            if isinstance(left, m.Attribute):
                self.edges.attributes.setdefault(left.name, {})[spelled(left.kind, one)] = None
            elif isinstance(left, m.Field) and event is not None:
                self.edges.fields.setdefault((event, left.name), {})[spelled(left.kind, one)] = None

    def _dated(self, left: m.Left, length: Duration | None, *, ahead: bool) -> None:
        if length is None:
            return
        if isinstance(left, m.Attribute) and left.kind.name == "date":
            day = length.shift(self.today, length.count if ahead else -length.count)
            for off in (-1, 0, 1):
                self.edges.attributes.setdefault(left.name, {})[(day + timedelta(days=off)).isoformat()] = None
        elif isinstance(left, m.Measure):
            self._age(left.term.name, length)

    def _age(self, event: str, length: Duration) -> None:
        self.edges.ages.setdefault(event, {})[length] = None


def spelled(kind: Kind, stored: Any) -> str:
    """A stored value as a file writes it."""
    match kind.name:
        case "money":
            currency = kind.currency or "EUR"
            return f"{stored / 10 ** MINOR_DIGITS.get(currency, 2):.{MINOR_DIGITS.get(currency, 2)}f} {currency}"
        case "distance":
            return f"{stored:g} m" if stored == int(stored) else f"{stored} m"
        case "duration":
            return f"{max(1, int(stored))} minutes"
        case "percent":
            return f"{stored:g} %"
        case "number":
            return f"{stored:g}"
        case "yes or no":
            return "yes" if stored else "no"
    return str(stored)

"""What a checked condition asks: every name looked up, every value typed, every default written out.

Values are as the store keeps them (model/vocabulary.Kind): texts folded, codes exact, money in minor units, distances in
metres, durations in minutes, dates `YYYY-MM-DD`, percentages as the figure before the sign.
"""

from __future__ import annotations

from dataclasses import dataclass

from omnicli.model.literals import Duration
from omnicli.model.vocabulary import Kind

Stored = str | int | float


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute of the contact, declared or built in."""

    name: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the payload of the event that `where` is about; `at` is its instant."""

    name: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Permission:
    """`what` is `consent`, `address`, `suppressed` or `reachable`; yes or no, and for consent missing too."""

    what: str
    channel: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Touched:
    """Which touches an event answers: one message, one step, or any message of a campaign."""

    campaign: str
    message: str | None = None
    step: str | None = None


@dataclass(frozen=True, slots=True)
class Since:
    """`kind`: `within` (with `length`), `enter`, `ever`."""

    kind: str
    length: Duration | None = None


@dataclass(frozen=True, slots=True)
class EventTerm:
    """An event, what it answers, what it must carry, since when. `of_pass`: since enter, only answers to this pass count."""

    name: str
    touched: Touched | None
    where: Meaning | None
    since: Since | None
    of_pass: bool


@dataclass(frozen=True, slots=True)
class Measure:
    """`count sum min max first last` of an event, or of one field of it."""

    function: str
    term: EventTerm
    field: Field | None
    kind: Kind


Left = Attribute | Field | Permission | Measure


@dataclass(frozen=True, slots=True)
class Point:
    """An instant. `kind`: `now today date datetime ago from_now enter left beside`; `text` as ISO, `left` a term of type
    date or time, `beside` a `length` `side` (before, after) its `origin`."""

    kind: str
    text: str = ""
    length: Duration | None = None
    left: Left | None = None
    side: str = ""
    origin: Point | None = None


@dataclass(frozen=True, slots=True)
class All:
    parts: tuple[Meaning, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    parts: tuple[Meaning, ...]


@dataclass(frozen=True, slots=True)
class Not:
    part: Meaning


@dataclass(frozen=True, slots=True)
class Constant:
    truth: bool


@dataclass(frozen=True, slots=True)
class Use:
    """A segment, or a persona outside the flow, written out."""

    kind: str
    name: str
    part: Meaning


@dataclass(frozen=True, slots=True)
class PersonaIs:
    """The persona fixed at entry."""

    name: str


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A pass through this campaign is open."""

    campaign: str


@dataclass(frozen=True, slots=True)
class Compare:
    """`operator`: `= != < <= > >=`; false when either side is missing."""

    left: Left
    operator: str
    right: Stored | Left


@dataclass(frozen=True, slots=True)
class OneOf:
    left: Left
    values: tuple[Stored, ...]
    negated: bool


@dataclass(frozen=True, slots=True)
class Known:
    left: Left


@dataclass(frozen=True, slots=True)
class Has:
    """A list holds the (folded) element."""

    left: Left
    value: str


@dataclass(frozen=True, slots=True)
class Contains:
    left: Left
    value: str


@dataclass(frozen=True, slots=True)
class Starts:
    left: Left
    value: str


@dataclass(frozen=True, slots=True)
class Ordered:
    """`side`: `before` or `after`, strictly."""

    left: Left
    side: str
    point: Point


@dataclass(frozen=True, slots=True)
class OnDay:
    """A date is this day, an instant lies in it."""

    left: Left
    point: Point


@dataclass(frozen=True, slots=True)
class Near:
    """Within the `length` before now, or (`ahead`) after now; both ends included."""

    left: Left
    ahead: bool
    length: Duration


@dataclass(frozen=True, slots=True)
class Yes:
    """A yes-or-no is `wanted`."""

    left: Left
    wanted: bool


@dataclass(frozen=True, slots=True)
class Happened:
    term: EventTerm


Meaning = (
    All
    | AnyOf
    | Not
    | Constant
    | Use
    | PersonaIs
    | Enrolled
    | Compare
    | OneOf
    | Known
    | Has
    | Contains
    | Starts
    | Ordered
    | OnDay
    | Near
    | Yes
    | Happened
)

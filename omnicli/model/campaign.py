"""A campaign file as frozen values (docs/language, sections 4 to 8). The model is also the JSON Schema."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag
from pydantic_core import PydanticCustomError

from omnicli.model import literals as lit
from omnicli.model.project import Guardrails, Persona, Segment
from omnicli.model.written import (
    Again, Authored, Ceiling, Change, Condition, DayTime, Decide, Duration, EventTerm, Every, Moment, Money, Name,
    OneOrMore, Percent, Rate, Text, Wait, YesNo,
)  # fmt: skip

PURPOSES = ("marketing", "transactional", "service")
FACT_TYPES = ("percent", "money", "date", "code", "url", "phone", "place", "number", "text")
VERBS = ("send", "wait", "choose", "split", "set", "call", "go", "exit")

Purpose = Literal["marketing", "transactional", "service"]

# What a fact's value may be once typed. Dates relative to the pass are Moments (`26 days after enter`).
FactValue = lit.Percent | lit.Money | lit.Moment | Decimal | str | date


class Fact(Authored):
    """What must be identical on every channel (5.4). Exactly one of `value`, `from`, `by_persona`, `by_language`.

    Values are typed by `type` (the loader reads the type from the shape of a short form): percent → literals.Percent,
    money → literals.Money, date → literals.Moment (kind `date` or `anchor`), number → Decimal, the others → str.
    """

    type: Literal["percent", "money", "date", "code", "url", "phone", "place", "number", "text"]
    value: Any = None
    from_: Text | None = Field(default=None, alias="from")
    by_persona: dict[str, Any] | None = None
    by_language: dict[str, Any] | None = None
    max_age: Duration | None = None
    check: Text | None = None


class Message(Authored):
    """5.3; `say` maps `fr`, `fr/tu`, `en` … to slot → text (raw, with its placeholders)."""

    facts: dict[Name, Fact] = Field(default_factory=dict)
    say: dict[str, dict[str, str]]
    omit: dict[str, Annotated[tuple[Text, ...], OneOrMore]] = Field(default_factory=dict)
    allow: dict[str, Text] = Field(default_factory=dict)
    channels: Annotated[tuple[Text, ...] | None, OneOrMore] = None
    approved: dict[str, Text] = Field(default_factory=dict)
    replaces: Name | None = None
    purpose: Purpose | None = None


class Goal(Authored):
    when: Annotated[tuple[EventTerm, ...], OneOrMore]
    within: Duration | None = None
    target: Percent | None = None
    value: Text | None = None
    then: Literal["exit", "continue"] = "exit"


class Enter(Authored):
    """4.4: exactly one of `when`, `on`, `at`, `every`, or only `if`."""

    when: Annotated[tuple[EventTerm, ...] | None, OneOrMore] = None
    on: Moment | None = None
    yearly: YesNo = False
    at: DayTime | None = None
    every: Every | None = None
    if_: Condition | None = Field(default=None, alias="if")
    again: Again = lit.Again("never")
    limit: Rate | None = None

    @property
    def form(self) -> str:
        """`when on at every if`."""
        for key in ("when", "on", "at", "every"):
            if getattr(self, key) is not None:
                return key
        return "if"


class ExitRule(Authored):
    when: EventTerm | None = None
    if_: Condition | None = Field(default=None, alias="if")
    as_: Text | None = Field(default=None, alias="as")


class CampaignGuardrails(Guardrails):
    budget: Money | None = None
    approve_above: Ceiling | None = None


class Step(Authored):
    """What all steps share; `verb` names the kind."""

    id: Name | None = None

    @property
    def verb(self) -> str:
        return VERB_OF[type(self)]


class Send(Step):
    send: Name
    by: Text
    else_: Annotated[tuple[Text, ...], OneOrMore] = Field(default=(), alias="else")
    at: Moment = lit.Moment("now")
    if_: Condition | None = Field(default=None, alias="if")
    max_delay: Duration | None = None
    team: Name | None = None
    due: Duration | None = None
    kind: Literal["call", "visit", "counter", "other"] | None = None
    place: Text | None = None


class WaitStep(Step):
    """`for_` maps event terms, in file order, and `nothing` (required) to steps."""

    wait: Wait
    for_: dict[str, Steps] | None = Field(default=None, alias="for")


class Branch(Authored):
    """One entry of `choose`: `{if, do}` or the last `{else: steps}`."""

    if_: Condition | None = Field(default=None, alias="if")
    do: Steps | None = None
    else_: Steps | None = Field(default=None, alias="else")


class Choose(Step):
    choose: tuple[Branch, ...]


class Arm(Authored):
    share: Percent
    do: Steps = ()


class Split(Step):
    split: dict[Name, Arm]
    measure: EventTerm | None = None
    decide: Decide | None = None


class Set(Step):
    set: dict[str, Change]


class Call(Step):
    call: Name
    with_: dict[str, Text] = Field(default_factory=dict, alias="with")
    on_failure: Literal["continue", "exit"] = "continue"


class Go(Step):
    go: Name


class Exit(Step):
    exit: Text


VERB_OF: dict[type, str] = {
    Send: "send", WaitStep: "wait", Choose: "choose", Split: "split", Set: "set", Call: "call", Go: "go", Exit: "exit",
}  # fmt: skip


def _verb(value: Any) -> str | None:
    if isinstance(value, Step):
        return value.verb
    if not isinstance(value, dict):
        raise PydanticCustomError("S003", "wants {wanted}, got {got}", {"wanted": "a step", "got": str(value), "fix": "", "note": ""})
    found = [key for key in value if key in VERBS]
    if len(found) == 1:
        return str(found[0])
    raise PydanticCustomError("S007", "a step does one thing: found {found}", {"found": " and ".join(f"'{v}'" for v in found) or "no verb"})


AnyStep = Annotated[
    Annotated[Send, Tag("send")]
    | Annotated[WaitStep, Tag("wait")]
    | Annotated[Choose, Tag("choose")]
    | Annotated[Split, Tag("split")]
    | Annotated[Set, Tag("set")]
    | Annotated[Call, Tag("call")]
    | Annotated[Go, Tag("go")]
    | Annotated[Exit, Tag("exit")],
    Discriminator(_verb),
]
Steps = tuple[AnyStep, ...]


class Migrate(Authored):
    from_: Annotated[tuple[Text, ...], OneOrMore] = Field(alias="from")
    people: dict[str, Text] = Field(default_factory=dict)
    facts: dict[str, Literal["keep", "new"]] = Field(default_factory=dict)
    timers: dict[str, Literal["keep", "shorten"]] = Field(default_factory=dict)


class Campaign(Authored):
    """The whole of a campaign file. `personas`: a tuple of names of shared ones, or local definitions."""

    campaign: Name
    title: Text
    why: Text | None = None
    owner: Text | None = None
    languages: Annotated[tuple[Text, ...] | None, OneOrMore] = None
    purpose: Purpose = "marketing"
    goal: Goal | None = None
    holdout: Percent | None = None
    topic: Name | None = None
    priority: int = 5
    enter: Enter
    exit: tuple[ExitRule, ...] = ()
    guardrails: CampaignGuardrails = Field(default_factory=CampaignGuardrails)
    segments: dict[Name, Segment] = Field(default_factory=dict)
    personas: tuple[Name, ...] | dict[Name, Persona] | None = None
    messages: dict[Name, Message]
    flow: Steps
    migrate: Migrate | None = None


for _model in (WaitStep, Branch, Choose, Arm, Split, Campaign):
    _model.model_rebuild()

_ = (Rate, YesNo)

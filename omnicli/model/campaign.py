"""A campaign file as frozen values (docs/language, sections 4 to 8). The model is also the JSON Schema."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import (
    Discriminator,
    Field,
    PlainValidator,
    SerializerFunctionWrapHandler,
    Tag,
    ValidationInfo,
    WrapValidator,
    field_serializer,
    field_validator,
)

from omnicli.model import literals as lit
from omnicli.model.project import Guardrails, Persona, Segment
from omnicli.model.written import (
    UNKNOWN,
    Again,
    Authored,
    Ceiling,
    Change,
    Condition,
    DayTime,
    Decide,
    Duration,
    Empty,
    EventTerm,
    Every,
    Language,
    Listing,
    Moment,
    Money,
    Name,
    Named,
    Null,
    Percent,
    Rate,
    Text,
    Wait,
    Words,
    WordsKey,
    YesNo,
    brace_advice,
    no_value,
    refuse,
    whole,
    words,
    wrong,
)  # fmt: skip
from omnicli.texts import t

PURPOSES = ("marketing", "transactional", "service")
FACT_TYPES = ("percent", "money", "date", "code", "url", "phone", "place", "number", "text")
VERBS = ("send", "wait", "choose", "split", "set", "call", "go", "exit")
TASK_KINDS = ("call", "visit", "counter", "other")

Purpose = Literal["marketing", "transactional", "service"]

_DATED = re.compile(r"\d{4}-\d{2}-\d{2}([ T]\S+)?|\d+ ?[a-z]+ (before|after) [a-z][\w.-]*( at \S+)?")
_URL = re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)
_PHONE = re.compile(r"\+[0-9][0-9 .()-]{5,20}")
_CODE = re.compile(r"(?=.*[A-Z])[A-Z0-9]{3,40}|(?=.*[A-Z0-9])[A-Z0-9]+(?:[-_][A-Z0-9]+)+|[0-9]+[A-Z][A-Z0-9]*")
_SLASHED = re.compile(r"[0-9]{1,2}[/.][0-9]{1,2}[/.][0-9]{2,4}")


def shape(text: str) -> str:
    """The type that a short form's shape says (5.4); raises `LiteralError` for a figure that could mislead."""
    words_ = " ".join(text.split())
    if re.fullmatch(r"-?[0-9]+([.,][0-9]+)?\s*%", words_):
        return "percent"
    if re.fullmatch(r"-?[0-9]+([.,][0-9]+)?\s*[A-Z]{3}", words_) or (
        re.fullmatch(r"([€$£¥]\s*)?[0-9][0-9 .,\u00a0\u202f]*(\s*[€$£¥])?", words_) and (set(words_) & set("€$£¥"))
    ):
        return "money"
    if _DATED.fullmatch(words_) or _SLASHED.fullmatch(words_):
        return "date"
    if _URL.fullmatch(words_):
        return "url"
    if _PHONE.fullmatch(words_):
        return "phone"
    if re.fullmatch(r"-?[0-9]+([.,][0-9]+)?", words_):
        if re.fullmatch(r"-?[0-9]+[.,][0-9]{2}", words_):
            lit.Money.parse(words_.replace(",", "."))  # 29.90 reads like a price: which currency?
        return "number"
    return "code" if _CODE.fullmatch(text) else "text"


def fact_value(kind: str, value: Any) -> Any:
    """A fact's written value as its type wants it: Percent, Money, Moment, Decimal or str."""
    if value is UNKNOWN or not isinstance(value, str):
        if value is UNKNOWN or isinstance(value, lit.Percent | lit.Money | lit.Moment | Decimal):
            return value
        raise wrong("S003", t("a {kind}", "une valeur de type {kind}", kind=kind), value, note=brace_advice(value))
    if isinstance(value, Empty | Null) or not value.strip():
        raise no_value(value, t("a {kind}", "une valeur de type {kind}", kind=kind))
    text = " ".join(value.split(" ")).strip()
    try:
        match kind:
            case "percent":
                return lit.Percent.parse(text)
            case "money":
                return lit.Money.parse(text)
            case "date":
                moment = lit.Moment.parse(text)
                if moment.kind in ("date", "anchor"):
                    return moment
                raise lit.LiteralError("S003", t("a date such as 2027-01-31 or '26 days after enter'", "une date telle que 2027-01-31 ou « 26 days after enter »"), text)  # fmt: skip
            case "number":
                return lit.parse_number(text)
            case "url":
                if not _URL.fullmatch(text):
                    raise lit.LiteralError(
                        "S003", t("an address such as https://example.com/x", "une adresse telle que https://example.com/x"), text
                    )
            case "phone":
                if not _PHONE.fullmatch(text):
                    raise lit.LiteralError(
                        "S003", t("a phone number such as +33639980012", "un numéro tel que +33639980012"), text
                    )
    except lit.LiteralError as error:
        raise refuse(error) from None
    return text


class Fact(Authored):
    """What must be identical on every channel (5.4). Exactly one of `value`, `from`, `by_persona`, `by_language`.

    Values are typed by `type` (read from the shape of a short form): percent → literals.Percent, money →
    literals.Money, date → literals.Moment (kind `date` or `anchor`), number → Decimal, the others → str.
    """

    type: Annotated[
        Literal["percent", "money", "date", "code", "url", "phone", "place", "number", "text"], *words(*FACT_TYPES)
    ] = Field(description="What kind of fact it is; a short form's shape says it.")  # fmt: skip
    value: Any = Field(default=None, description="The fact itself.", examples=["20 %", "39.92 EUR"])
    from_: Text | None = Field(default=None, alias="from", description="Where it comes from: contact.x, event.x or nearest.")
    by_persona: dict[str, Any] | None = Field(default=None, description="Persona → value; 'default' for the rest.")
    by_language: dict[str, Any] | None = Field(default=None, description="Language → value.")
    max_age: Duration | None = Field(default=None, description="Live: read again for each touch; older than this it is stale.")
    check: Text | None = Field(default=None, description="Arithmetic over other facts that must hold.", examples=["was - price"])

    @classmethod
    def wanted(cls) -> str:
        return t("a fact such as '20 %', '39.92 EUR' or a date", "un fait tel que « 20 % », « 39.92 EUR » ou une date")

    @classmethod
    def from_short(cls, text: str) -> Any:
        try:
            return {"type": shape(text), "value": text}
        except lit.LiteralError as error:
            raise refuse(error) from None

    @classmethod
    def from_mapping(cls, values: dict[str, Any]) -> dict[str, Any]:
        return _typed_fact(values)

    @field_validator("value", mode="plain")
    @classmethod
    def _value(cls, value: Any, info: ValidationInfo) -> Any:
        return value if value is None else fact_value(info.data.get("type", "text"), value)

    @field_validator("by_persona", "by_language", mode="plain")
    @classmethod
    def _by(cls, value: Any, info: ValidationInfo) -> Any:
        if value is None or value is UNKNOWN:
            return value
        if not isinstance(value, dict) or not value:
            raise wrong("S003", t("a mapping (name: value)", "un dictionnaire (nom : valeur)"), value)
        typed: dict[str, Any] = {}
        for key, one in value.items():
            try:
                typed[str(key)] = fact_value(info.data.get("type", "text"), one)
            except Exception as error:
                context = getattr(error, "context", None)
                if context is None:
                    raise
                raise wrong(error.type, **{**context, "at": [str(key)]}) from None  # type: ignore[attr-defined]
        return typed

    @field_serializer("value", "by_persona", "by_language", mode="wrap")
    def _spelled(self, value: Any, _handler: SerializerFunctionWrapHandler) -> Any:
        if isinstance(value, dict):
            return {key: str(one) for key, one in value.items()}
        return None if value is None else str(value)


def _typed_fact(value: dict[str, Any]) -> dict[str, Any]:
    """A long form without `type`: the shape of its first value says it."""
    if "type" in value:
        return value
    candidates = [
        value.get("value"),
        *(list(v.values()) if isinstance(v := value.get(k), dict) else [] for k in ("by_persona", "by_language")),
    ]
    for candidate in candidates:
        one = candidate[0] if isinstance(candidate, list) and candidate else candidate
        if isinstance(one, str) and not isinstance(one, Empty | Null):
            try:
                return {"type": shape(one), **value}
            except lit.LiteralError as error:
                raise refuse(error) from None
    return value


class Message(Authored):
    """5.3; `say` maps `fr`, `fr/tu`, `en` … to slot → text (raw, with its placeholders)."""

    facts: Named[Name, Fact] = Field(
        default_factory=dict, description="What must be identical on every channel.", examples=[{"offer": "20 %"}]
    )
    say: Named[WordsKey, Named[Name, Words]] = Field(description="The words: language or language/register → slot → text.")
    omit: Named[Text, Listing[Text]] = Field(default_factory=dict, description="Channel → facts left out there on purpose.")
    allow: Named[Text, Text] = Field(default_factory=dict, description="Figure that may stand in the words → why.")
    channels: Listing[Text] | None = Field(default=None, description="The only channels this message may take.")
    approved: Named[WordsKey, Text] = Field(default_factory=dict, description="Language → WhatsApp template approved for it.")
    replaces: Name | None = Field(default=None, description="The message whose offer this one supersedes.")
    purpose: Annotated[Purpose | None, *words(*PURPOSES)] = Field(
        default=None, description="When less promotional than the campaign."
    )


class Goal(Authored):
    """4.2; reaching it is one conversion of the pass."""

    when: Listing[EventTerm] = Field(description="The event that is the goal, or several.", examples=["purchase"])
    within: Duration | None = Field(default=None, description="Counted from entry; default: without end.")
    target: Percent | None = Field(default=None, description="The share you hope for.")
    value: Text | None = Field(default=None, description="Payload field that the report sums.")
    then: Annotated[Literal["exit", "continue"], *words("exit", "continue")] = Field(
        default="exit", description="Whether the pass ends."
    )


class Enter(Authored):
    """4.4: exactly one of `when`, `on`, `at`, `every`, or only `if`."""

    when: Listing[EventTerm] | None = Field(default=None, description="Whoever has this event enters at its instant.")
    on: Moment | None = Field(
        default=None, description="Each contact on this moment.", examples=["7 days before contact.renewal"]
    )
    yearly: YesNo = Field(default=False, description="With on: every year.")
    at: DayTime | None = Field(default=None, description="Once, at this instant (project's zone).")
    every: Every | None = Field(default=None, description="At each occurrence (project's zone).")
    if_: Condition | None = Field(default=None, alias="if", description="Only who fulfils this.")
    again: Again = Field(default=lit.Again("never"), description="Whether the same person may enter again.")
    limit: Rate | None = Field(default=None, description="How many may enter: a ramp.", examples=["500 per day"])

    @property
    def form(self) -> str:
        """`when on at every if`."""
        for key in ("when", "on", "at", "every"):
            if getattr(self, key) is not None:
                return key
        return "if"


class ExitRule(Authored):
    """4.5: an event or a condition that ends the pass."""

    when: EventTerm | None = Field(default=None, description="Ends the pass when this happens.")
    if_: Condition | None = Field(default=None, alias="if", description="Ends the pass when this is true.")
    as_: Text | None = Field(default=None, alias="as", description="The reason in reports.")


class CampaignGuardrails(Guardrails):
    """Tightens the project's guardrails."""

    budget: Money | None = Field(default=None, description="Most that this campaign may cost, all versions together.")
    approve_above: Ceiling | None = Field(default=None, description="More than this in one run needs an approved plan.")


class Step(Authored):
    """What all steps share; `verb` names the kind."""

    id: Name | None = Field(default=None, description="Name of the step, unique in the campaign.")

    @classmethod
    def wanted(cls) -> str:
        return t("a step such as '- send: …'", "une étape telle que « - send: … »")

    @property
    def verb(self) -> str:
        return VERB_OF[type(self)]


class Send(Step):
    """One message, one channel."""

    send: Name = Field(description="The message.")
    by: Text = Field(description="The channel, or 'preferred'.")
    else_: Listing[Text] = Field(
        default=(), alias="else", description="Channels tried in order when the one before cannot be reached."
    )
    at: Moment = Field(default=lit.Moment("now"), description="When it is due.")
    if_: Condition | None = Field(default=None, alias="if", description="False at the due moment: skipped.")
    max_delay: Duration | None = Field(default=None, description="Held longer than this: skipped as expired.")
    team: Name | None = Field(default=None, description="Task and voice: who works it.")
    due: Duration | None = Field(default=None, description="Task and voice: its deadline in the team's hours.")
    kind: Annotated[Literal["call", "visit", "counter", "other"] | None, *words(*TASK_KINDS)] = Field(
        default=None, description="What the task is."
    )
    place: Text | None = Field(default=None, description="qr, letter, task: 'nearest' or a code of places.")


class WaitStep(Step):
    """`for_` maps event terms, in file order, and `nothing` (required) to steps."""

    wait: Wait = Field(description="How long; 'up to …' waits for an answer.")
    for_: Named[EventTerm, Steps] | None = Field(
        default=None, alias="for", description="Event → steps, and nothing: when nobody answers."
    )


class Branch(Authored):
    """One entry of `choose`: `{if, do}` or the last `{else: steps}`."""

    if_: Condition | None = Field(default=None, alias="if", description="Taken when true.")
    do: Steps | None = Field(default=None, description="The steps.")
    else_: Steps | None = Field(default=None, alias="else", description="The steps when nothing was true; last.")


class Choose(Step):
    """The first true branch."""

    choose: Annotated[tuple[Branch, ...], Field()] = Field(description="Branches, asked in order.")

    @field_validator("choose", mode="wrap")
    @classmethod
    def _branches(cls, value: Any, handler: Any) -> Any:
        return _steps_of(value, handler, t("a list of branches", "une liste de branches"))


class Arm(Authored):
    """One arm of a split."""

    share: Percent = Field(description="Its share; all arms make 100 %.")
    do: Steps = Field(default=(), description="The steps; none: a control arm.")


class Split(Step):
    """Arms by chance that is no chance."""

    split: Named[Name, Arm] = Field(description="Arm → share and steps.")
    measure: EventTerm | None = Field(default=None, description="What the report compares.")
    decide: Decide | None = Field(default=None, description="The earliest verdict.")


class Set(Step):
    """Writes contact attributes."""

    set: Named[Text, Change] = Field(description="Attribute → value, +5, -5 or clear.")


class Call(Step):
    """A signed POST to a webhook."""

    call: Name = Field(description="Name of a webhook of omni.yaml.")
    with_: Named[Text, Text] = Field(default_factory=dict, alias="with", description="Key → fact or attribute.")
    on_failure: Annotated[Literal["continue", "exit"], *words("continue", "exit")] = Field(
        default="continue", description="When it cannot be called."
    )


class Go(Step):
    """To a later step."""

    go: Name = Field(description="Id of a later step.")


class Exit(Step):
    """Ends the pass."""

    exit: Text = Field(description="The reason in reports.")


VERB_OF: dict[type[Authored], str] = {
    Send: "send", WaitStep: "wait", Choose: "choose", Split: "split", Set: "set", Call: "call", Go: "go", Exit: "exit",
}  # fmt: skip


def _verb(value: Any) -> str:
    """Which of the tags below: the one verb that stands there, else `<odd>`, which says what is wrong."""
    if isinstance(value, Step):
        return f"<{value.verb}>"
    found = [key for key in value if key in VERBS] if isinstance(value, dict) else []
    return f"<{found[0]}>" if len(found) == 1 else "<odd>"


def _odd(value: Any) -> Any:
    """A step without one verb: unknown, no step at all (S003), two things in one (S007), or a mistyped verb (S002)."""
    if value is UNKNOWN:
        return value
    if not isinstance(value, dict):
        raise wrong("S003", Step.wanted(), value)
    found = [key for key in value if key in VERBS]
    if found:
        message = t("a step does one thing: found both {found}", "une étape ne fait qu'une chose : {found} s'y trouvent",
                    found=t(" and ", " et ").join(f"'{v}'" for v in found))  # fmt: skip
        [first] = [model for model, verb in VERB_OF.items() if verb == found[0]]
        raise wrong("S007", "", "", message=message, at=[found[1]], key=True, keep=sorted(first.keys()[0]))
    from omnicli.text import nearest

    for key in value:
        if close := nearest(str(key), VERBS):
            raise wrong("S002", ", ".join(VERBS), key, fix=close, at=[str(key)], key=True, where=t("a step", "une étape"))
    message = t("a step needs one verb: {verbs}", "une étape demande un verbe : {verbs}", verbs=", ".join(VERBS))
    raise wrong("S007", "", "", message=message)


def _steps(value: Any, handler: Any) -> Any:
    return _steps_of(value, handler, t("a list of steps", "une liste d'étapes"))


def _steps_of(value: Any, handler: Any, wanted: str) -> Any:
    if isinstance(value, list | tuple):
        return handler(value)
    if value is UNKNOWN:
        return value
    if isinstance(value, Empty):
        return handler([])
    note = t("put '- ' before the step", "mettez « - » devant l'étape") if isinstance(value, dict) else ""
    raise wrong("S003", wanted, value, note=note)


AnyStep = Annotated[
    Annotated[Send, Tag("<send>")]
    | Annotated[WaitStep, Tag("<wait>")]
    | Annotated[Choose, Tag("<choose>")]
    | Annotated[Split, Tag("<split>")]
    | Annotated[Set, Tag("<set>")]
    | Annotated[Call, Tag("<call>")]
    | Annotated[Go, Tag("<go>")]
    | Annotated[Exit, Tag("<exit>")]
    | Annotated[Exit, PlainValidator(_odd), Tag("<odd>")],
    Discriminator(_verb),
]
Steps = Annotated[tuple[AnyStep, ...], WrapValidator(_steps)]


class Migrate(Authored):
    """9.3; read by `omni campaign migrate` alone."""

    from_: Listing[Text] = Field(alias="from", description="Version, or versions, that people leave.", examples=["3f9a1c7"])
    people: Named[Text, Text] = Field(default_factory=dict, description="Old step → new step, next or exit.")
    facts: Named[Text, Annotated[Literal["keep", "new"], *words("keep", "new")]] = Field(
        default_factory=dict, description="Message → keep what people were told, or new."
    )
    timers: Named[Text, Annotated[Literal["keep", "shorten"], *words("keep", "shorten")]] = Field(
        default_factory=dict, description="Step → keep the old timer, or shorten."
    )


def _people_form(value: Any) -> str:
    return "<own>" if isinstance(value, dict) else "<names>"


class Campaign(Authored):
    """The whole of a campaign file. `personas`: a tuple of names of shared ones, or local definitions."""

    campaign: Name = Field(description="Name of the campaign; equals the file's name.")
    title: Text = Field(description="What people call it.")
    why: Text | None = Field(default=None, description="Why it exists: the first line of the report.")
    owner: Text | None = Field(default=None, description="Who answers for it.")
    languages: Listing[Language] | None = Field(default=None, description="Languages it is written in; default: the project's.")
    purpose: Annotated[Purpose, *words(*PURPOSES)] = Field(default="marketing", description="What it is in the eyes of the law.")
    goal: Goal | None = Field(default=None, description="How you will know that it worked.")
    holdout: Percent | None = Field(
        default=None, description="Share of people who live the flow in silence, to measure its effect."
    )
    topic: Name | None = Field(default=None, description="What leaving means for this campaign.")
    priority: Annotated[int, *whole(1, 9)] = Field(
        default=5, description="Who goes first when a cap leaves room for one; 1 is first."
    )
    enter: Enter = Field(description="Who enters, and when.")
    exit: Listing[ExitRule] = Field(default=(), description="What ends a pass early.")
    guardrails: CampaignGuardrails = Field(default_factory=CampaignGuardrails, description="Tightens the project's guardrails.")
    segments: Named[Name, Segment] = Field(default_factory=dict, description="Named conditions of this campaign.")
    personas: (
        Annotated[
            Annotated[Listing[Name], Tag("<names>")] | Annotated[Named[Name, Persona], Tag("<own>")], Discriminator(_people_form)
        ]
        | None
    ) = Field(default=None, description="Shared personas to use, in order; or personas of this campaign.")  # fmt: skip
    messages: Named[Name, Message] = Field(description="What is said.")
    flow: Steps = Field(description="What happens, step by step.")
    migrate: Migrate | None = Field(default=None, description="How people of older versions move to this one.")

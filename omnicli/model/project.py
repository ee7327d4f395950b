"""`omni.yaml` as frozen values: what the house is (docs/language, section 3). The model is also the JSON Schema."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from omnicli.model import literals as lit
from omnicli.model.written import (
    AtCap, Authored, Condition, Distance, Duration, Money, Name, OneOrMore, Percent, Rate, Text, TimeOfDay, Window, YesNo,
)  # fmt: skip

CHANNELS = ("email", "sms", "whatsapp", "messenger", "voice", "push", "letter", "qr", "task", "webhook")
ATTRIBUTE_KINDS = ("text", "code", "list", "number", "percent", "distance", "duration", "date", "time", "yes or no")
BUILT_IN_ATTRIBUTES = ("id", "language", "country", "time_zone", "preferred_channel", "place", "created")
BUILT_IN_EVENTS = (
    "delivered", "opened", "clicked", "replied", "scanned", "answered", "voicemail", "no_answer", "refused", "callback",
    "done", "bounced", "failed", "complained", "unsubscribed", "entered", "converted", "exited",
)  # fmt: skip


class Brand(Authored):
    """What templates see as `brand.*`."""

    name: Text
    legal_name: Text | None = None
    address: Text | None = None
    privacy: Text | None = None
    logo: Text | None = None
    colours: dict[str, Text] = Field(default_factory=dict)
    font: Text | None = None


class Channel(Authored):
    """Settings of one medium (3.1)."""

    provider: Text
    price: Money | None = None
    rate: Rate | None = None
    from_: Text | None = Field(default=None, alias="from")
    on_unknown: Literal["park", "resend", "drop"] | None = None
    reply_to: Text | None = None
    list_id: Text | None = None
    warm_up: Text | None = None
    stop: Text | None = None
    max_parts: Text | None = None
    daily_limit: Text | None = None
    ttl: Duration | None = None
    team: Name | None = None
    voice: Text | None = None
    attempts: Text | None = None
    lead_time: Duration | None = None
    size: Distance | None = None


class Attribute(Authored):
    """A declared contact attribute: `type` is a word of `ATTRIBUTE_KINDS`, `money EUR`, or a closed list of words."""

    type: Text | Annotated[list[Text], Field(min_length=1)]
    default: Text | None = None
    example: Text | None = None
    sensitive: YesNo = False
    title: Text | None = None

    @property
    def kind(self) -> str:
        """`text code choice list number percent distance duration money date time yes or no`."""
        if isinstance(self.type, list):
            return "choice"
        return "money" if self.type.startswith("money ") else self.type

    @property
    def currency(self) -> str | None:
        return self.type[6:] if isinstance(self.type, str) and self.type.startswith("money ") else None

    @property
    def choices(self) -> tuple[str, ...]:
        return tuple(self.type) if isinstance(self.type, list) else ()


class Contacts(Authored):
    attributes: dict[str, Attribute] = Field(default_factory=dict)


class Guardrails(Authored):
    """Section 7; `caps` and `quiet_hours` are normalised to channel (or `all`) → tuple."""

    cap: dict[str, tuple[Rate, ...]] = Field(default_factory=dict)
    min_gap: Duration | None = None
    at_cap: AtCap | None = None
    quiet_hours: dict[str, tuple[Window, ...]] = Field(default_factory=dict)
    max_delay: Duration | None = None


class CampaignGuardrails(Guardrails):
    budget: Money | None = None
    approve_above: Annotated[Any, Field()] = None  # a literals.Ceiling; typed in campaignfile


class Team(Authored):
    members: Annotated[tuple[Text, ...], OneOrMore] = ()
    hours: Annotated[tuple[Window, ...], OneOrMore] = ()
    capacity: Rate | None = None
    lead: Text | None = None


class Place(Authored):
    name: Text
    address: Text | None = None
    city: Text | None = None
    hours: Annotated[tuple[Window, ...], OneOrMore] = ()
    team: Name | None = None


class Sla(Authored):
    first_response: Duration | None = None
    resolve: Duration | None = None
    team: Name | None = None
    escalate: Annotated[tuple[Percent, ...], OneOrMore] = ()


class Tone(Authored):
    address: Literal["tu", "vous", "formal", "informal"] | None = None
    emoji: int = 1
    exclamation: int = 1
    avoid: Annotated[tuple[Text, ...], OneOrMore] = ()


class Persona(Authored):
    """5.2; the name is the key of the mapping. `match` is None only for `default`."""

    title: Text
    match: Condition | None = None
    needs: Annotated[tuple[Text, ...], OneOrMore] = ()
    problems: Annotated[tuple[Text, ...], OneOrMore] = ()
    interests: Annotated[tuple[Text, ...], OneOrMore] = ()
    levers: Annotated[tuple[Text, ...], OneOrMore] = ()
    channels: Annotated[tuple[Text, ...], OneOrMore] = ()
    tone: Tone = Field(default_factory=Tone)


class Segment(Authored):
    """5.1; a bare condition is `{match: condition}`."""

    match: Condition
    title: Text | None = None


class Utm(Authored):
    source: Text | None = None
    mediums: dict[str, Text] = Field(default_factory=dict)


class Tracking(Authored):
    domain: Text | None = None
    clicks: YesNo | None = None
    opens: Literal["off", "aggregate", "consented"] = "aggregate"
    utm: Utm | None = None


class Topic(Authored):
    title: Text
    description: Text | None = None


class Webhook(Authored):
    url: Text
    secret: Text | None = None
    timeout: Duration = lit.Duration(10, "minute")
    idempotent: YesNo = False


class Schedule(Authored):
    every: Duration = lit.Duration(15, "minute")
    catch_up: Duration = lit.Duration(12, "hour")
    spread: Duration = lit.Duration(30, "minute")


class ProjectHoldout(Authored):
    share: Percent
    rotate: Duration | None = None


class LintIgnore(Authored):
    rule: Text
    because: Text | None = None
    owner: Text | None = None
    until: Text | None = None
    path: Text | None = None


class LintSettings(Authored):
    profile: Literal["draft", "team", "production"] = "team"
    ignore: tuple[LintIgnore, ...] = ()


class Environment(Authored):
    database: Text | None = None
    channels: dict[str, dict[str, Any]] = Field(default_factory=dict)
    tracking: dict[str, Any] = Field(default_factory=dict)


class Project(Authored):
    """The whole of `omni.yaml`."""

    project: Name
    languages: Annotated[tuple[Text, ...], OneOrMore]
    countries: Annotated[tuple[Text, ...], OneOrMore] = ()
    time_zone: Text
    currency: Text = "EUR"
    send_time: TimeOfDay = lit.TimeOfDay(600)
    brand: Brand | None = None
    channels: dict[str, Channel]
    contacts: Contacts = Field(default_factory=Contacts)
    events: dict[str, dict[str, Attribute]] = Field(default_factory=dict)
    webhooks: dict[str, Webhook] = Field(default_factory=dict)
    guardrails: Guardrails = Field(default_factory=Guardrails)
    teams: dict[str, Team] = Field(default_factory=dict)
    places: dict[str, Place] = Field(default_factory=dict)
    sla: dict[str, Sla] = Field(default_factory=dict)
    segments: dict[str, Segment] = Field(default_factory=dict)
    personas: dict[str, Persona] = Field(default_factory=dict)
    database: Text | None = None
    tracking: Tracking = Field(default_factory=Tracking)
    topics: dict[str, Topic] = Field(default_factory=dict)
    providers: dict[str, dict[str, Any]] = Field(default_factory=dict)
    public_url: Text | None = None
    schedule: Schedule = Field(default_factory=Schedule)
    holdout: ProjectHoldout | None = None
    environments: dict[str, Environment] = Field(default_factory=dict)
    lint: LintSettings = Field(default_factory=LintSettings)

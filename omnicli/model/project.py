"""`omni.yaml` as frozen values: what the house is (docs/language, section 3). The model is also the JSON Schema."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from omnicli.model import literals as lit
from omnicli.model.written import (
    AtCap,
    Authored,
    Condition,
    Country,
    Currency,
    Day,
    Distance,
    Duration,
    Empty,
    Language,
    Listing,
    Name,
    Named,
    Percent,
    Price,
    Rate,
    Text,
    TimeOfDay,
    Timeout,
    Url,
    Window,
    YesNo,
    attribute_type,
    whole,
    words,
)  # fmt: skip
from omnicli.texts import t

CHANNELS = ("email", "sms", "whatsapp", "messenger", "voice", "push", "letter", "qr", "task", "webhook")
ATTRIBUTE_KINDS = ("text", "code", "list", "number", "percent", "distance", "duration", "date", "time", "yes or no")
BUILT_IN_ATTRIBUTES = ("id", "language", "country", "time_zone", "preferred_channel", "place", "created")
BUILT_IN_EVENTS = (
    "delivered", "opened", "clicked", "replied", "scanned", "answered", "voicemail", "no_answer", "refused", "callback",
    "done", "bounced", "failed", "complained", "unsubscribed", "entered", "converted", "exited",
)  # fmt: skip

#: Words of the condition language: no attribute, event or segment may be called so (6.1).
RESERVED_WORDS = frozenset(
    [
        "and",
        "or",
        "not",
        "in",
        "is",
        "known",
        "missing",
        "contains",
        "starts",
        "with",
        "before",
        "after",
        "within",
        "next",
        "since",
        "enter",
        "ever",
        "where",
        "now",
        "today",
        "ago",
        "from",
        "everyone",
        "segment",
        "persona",
        "enrolled",
    ]
)

#: Who can carry what (docs/providers 1); `sandbox` carries everything.
PROVIDER_CHANNELS: dict[str, tuple[str, ...]] = {
    "smtp": ("email",), "sendgrid": ("email",), "twilio": ("sms", "whatsapp", "messenger", "voice"), "push": ("push",),
    "file": ("letter", "qr"), "task": ("task", "voice"), "webhook": ("webhook",), "sandbox": CHANNELS,
}  # fmt: skip

#: Settings that only these media have (3.1).
CHANNEL_SETTINGS: dict[str, tuple[str, ...]] = {
    "email": ("reply_to", "list_id", "warm_up"), "sms": ("stop", "max_parts"), "whatsapp": ("daily_limit",), "messenger": (),
    "push": ("ttl",), "voice": ("team", "voice", "attempts"), "letter": ("lead_time",), "qr": ("size",), "task": ("team",), "webhook": (),
}  # fmt: skip


class Brand(Authored):
    """What templates see as `brand.*`."""

    name: Text = Field(description="The name that people know you by.", examples=["Maison Lune"])
    legal_name: Text | None = Field(default=None, description="The company behind the brand.", examples=["Maison Lune SAS"])
    address: Text | None = Field(default=None, description="Postal address, printed where the law asks for it.")
    privacy: Url | None = Field(
        default=None, description="Address of the privacy notice.", examples=["https://www.example.com/privacy"]
    )
    logo: Text | None = Field(default=None, description="Path of the logo in the project.", examples=["assets/logo.png"])
    colours: Named[Text, Text] = Field(
        default_factory=dict, description="Name → colour, for templates.", examples=[{"primary": "#2b2350"}]
    )
    font: Text | None = Field(default=None, description="Font stack for templates.", examples=["Georgia, serif"])


class Channel(Authored):
    """Settings of one medium (3.1)."""

    provider: Text = Field(
        description="Who carries this channel: smtp, sendgrid, twilio, push, file, task, webhook or a plug-in."
    )
    price: Price | None = Field(default=None, description="Price of one part; costs and budgets count it.")
    rate: Rate | None = Field(default=None, description="How fast at most; default: the provider's.")
    from_: Text | None = Field(default=None, alias="from", description="The sender as people see it.")
    on_unknown: Annotated[Literal["park", "resend", "drop"] | None, *words("park", "resend", "drop")] = Field(
        default=None, description="What becomes of a touch whose fate is unknown; default park, for push drop."
    )
    reply_to: Text | None = Field(default=None, description="E-mail: where answers go.")
    list_id: Text | None = Field(default=None, description="E-mail: the List-Id header.")
    warm_up: Day | None = Field(
        default=None, description="E-mail: first day of a new sending domain; volume then grows day by day."
    )
    stop: Text | None = Field(default=None, description="SMS: short number of the STOP text.", examples=["36180"])
    max_parts: Annotated[int, *whole(1, 10)] = Field(default=2, description="SMS: most parts of one message.")
    daily_limit: Annotated[int, *whole(1, 10_000_000)] = Field(default=250, description="WhatsApp: conversations a day.")
    ttl: Duration | None = Field(default=None, description="Push: how long a device that is off may still get it.")
    team: Name | None = Field(default=None, description="Task and voice: the team that works it.")
    voice: Text | None = Field(default=None, description="Voice: the machine's voice; without it a team calls.")
    attempts: Annotated[int, *whole(1, 10)] = Field(default=3, description="Voice: a person's tries within one task.")
    lead_time: Duration = Field(default=lit.Duration(4, "day"), description="Letter: from acceptance to the letter box.")
    size: Distance = Field(default=lit.Distance(Decimal("0.03"), "cm"), description="QR: printed size of the code.")


class ChannelOverride(Channel):
    """What the live environment changes of a channel: any of its settings."""

    provider: Text | None = Field(default=None, description="Another provider in the live environment.")  # type: ignore[assignment]


class Attribute(Authored):
    """A declared contact attribute: `type` is a word of `ATTRIBUTE_KINDS`, `money EUR`, or a closed list of words."""

    type: Annotated[str | tuple[str, ...], *attribute_type(ATTRIBUTE_KINDS)] = Field(
        description="A type such as number or 'money EUR', or the list of allowed words."
    )
    default: Text | None = Field(default=None, description="Stored at import, so that the attribute is never missing.")
    example: Text | None = Field(default=None, description="What previews and checks show.")
    sensitive: YesNo = Field(default=False, description="yes: no condition may use it.")
    title: Text | None = Field(default=None, description="What people see instead of the name.")

    @classmethod
    def wanted(cls) -> str:
        return t("a type such as number, 'money EUR' or [a, b]", "un type tel que number, « money EUR » ou [a, b]")

    @classmethod
    def from_short(cls, text: str) -> Any:
        return {"type": text}

    @classmethod
    def from_list(cls, values: list[Any]) -> Any:
        return {"type": values}

    @property
    def kind(self) -> str:
        """`text code choice list number percent distance duration money date time yes or no`."""
        if isinstance(self.type, list | tuple):
            return "choice"
        return "money" if self.type.startswith("money ") else self.type

    @property
    def currency(self) -> str | None:
        return self.type[6:] if isinstance(self.type, str) and self.type.startswith("money ") else None

    @property
    def choices(self) -> tuple[str, ...]:
        return tuple(self.type) if isinstance(self.type, list | tuple) else ()

    def read(self, text: str) -> Any:
        """The typed value of a written one; `LiteralError` when it is not of this type."""
        return read_as(self, text)


def read_as(attribute: Attribute, text: str) -> Any:
    """A written value as the attribute's type wants it; raises `literals.LiteralError`."""
    match attribute.kind:
        case "number":
            return lit.parse_number(text)
        case "percent":
            return lit.Percent.parse(text)
        case "distance":
            return lit.Distance.parse(text)
        case "duration":
            return lit.Duration.parse(text)
        case "money":
            money = lit.Money.parse(text)
            if money.currency != attribute.currency:
                wanted = t("money in {c}", "un montant en {c}", c=attribute.currency)
                raise lit.LiteralError("S003", wanted, text)
            return money
        case "date":
            return lit.parse_date(text)
        case "time":
            return lit.parse_date_time(text)
        case "yes or no":
            return lit.parse_yes_no(text)
        case "choice":
            if text not in attribute.choices:
                from omnicli.text import nearest

                expected = ", ".join(attribute.choices)
                raise lit.LiteralError("S004", expected, text, fix=nearest(text, attribute.choices))
    return text


class Contacts(Authored):
    """What is known of people."""

    attributes: Named[Name, Attribute] = Field(default_factory=dict, description="Attribute → type (3.2).")


def _for_all(value: Any) -> Any:
    """A bare rate, window or list of them applies to all channels."""
    if isinstance(value, str) and not isinstance(value, Empty):
        return {"all": [value]}
    return {"all": value} if isinstance(value, list | tuple) else value


class Guardrails(Authored):
    """Section 7; `cap` and `quiet_hours` are normalised to channel (or `all`) → tuple."""

    cap: Annotated[Named[Text, Listing[Rate]], BeforeValidator(_for_all)] = Field(
        default_factory=dict, description="Most accepted marketing touches a person, by channel or 'all'; all campaigns together.",
        examples=[{"all": "3 per week", "sms": "2 per month"}],
    )  # fmt: skip
    min_gap: Duration | None = Field(default=None, description="Shortest time between two marketing touches to one person.")
    at_cap: AtCap | None = Field(default=None, description="What becomes of a touch that meets cap or min_gap.")
    quiet_hours: Annotated[Named[Text, Listing[Window]], BeforeValidator(_for_all)] = Field(
        default_factory=dict, description="When nothing leaves: windows, or channel → windows.", examples=[["20:00-09:00", "sunday", "holidays"]],
    )  # fmt: skip
    max_delay: Duration | None = Field(
        default=None, description="A touch held longer than this after it was due is skipped as expired; 3 days."
    )


class Team(Authored):
    """Who works tasks and cases."""

    members: Listing[Text] = Field(default=(), description="Names, or 'name <e-mail>' for those who get tests and alerts.")
    hours: Listing[Window] = Field(default=(), description="When the team works.", examples=[["monday-friday 10:00-13:00"]])
    capacity: Rate | None = Field(default=None, description="How much the team can take.", examples=["30 per day"])
    lead: Text | None = Field(default=None, description="Who answers for the team.")


class Place(Authored):
    """A shop: what place facts and `place:` print."""

    name: Text = Field(description="What people call it.")
    address: Text | None = Field(default=None, description="Street and number.")
    city: Text | None = Field(default=None, description="Town.")
    hours: Listing[Window] = Field(default=(), description="Opening hours.")
    team: Name | None = Field(default=None, description="The team that works there.")


class Sla(Authored):
    """Deadlines of inbound cases of one kind, in the team's hours."""

    first_response: Duration | None = Field(default=None, description="Until somebody answers.")
    resolve: Duration | None = Field(default=None, description="Until the case is closed.")
    team: Name | None = Field(default=None, description="Who works these cases.")
    escalate: Listing[Percent] = Field(
        default=(), description="Parts of the time after which somebody is told.", examples=[["50 %", "80 %"]]
    )


class Tone(Authored):
    """How a persona is spoken to."""

    address: Annotated[Literal["tu", "vous", "formal", "informal"] | None, *words("tu", "vous", "formal", "informal")] = Field(
        default=None, description="Picks the register of say."
    )
    emoji: Annotated[int, *whole(0, 100)] = Field(default=1, description="Most emoji in one message.")
    exclamation: Annotated[int, *whole(0, 100)] = Field(default=1, description="Most '!' in one message.")
    avoid: Listing[Text] = Field(default=(), description="Words that this persona must not read.")


class Persona(Authored):
    """5.2; the name is the key of the mapping. `match` is None only for `default`."""

    title: Text = Field(description="What people call this persona.")
    match: Condition | None = Field(default=None, description="Who belongs to it; the first persona in the file that fits wins.")
    needs: Listing[Text] = Field(default=(), description="What they need.")
    problems: Listing[Text] = Field(default=(), description="What holds them back.")
    interests: Listing[Text] = Field(default=(), description="What they like.")
    levers: Listing[Text] = Field(default=(), description="What moves them.")
    channels: Listing[Text] = Field(default=(), description="Channel order for 'by: preferred'.")
    tone: Tone = Field(default_factory=Tone, description="How they are spoken to.")


class Segment(Authored):
    """5.1; a bare condition is `{match: condition}`."""

    match: Condition = Field(description="Who belongs to it.")
    title: Text | None = Field(default=None, description="What people call it.")

    @classmethod
    def wanted(cls) -> str:
        return t("a condition such as 'orders = 0'", "une condition telle que « orders = 0 »")

    @classmethod
    def from_short(cls, text: str) -> Any:
        return {"match": text}


class Utm(Authored):
    """What is added to links for web analytics."""

    source: Text | None = Field(default=None, description="utm_source.")
    mediums: Named[Text, Text] = Field(default_factory=dict, description="Channel → utm_medium.")


class Tracking(Authored):
    """How links and openings are followed."""

    domain: Url | None = Field(default=None, description="https address on which every link that people see stands.")
    clicks: YesNo | None = Field(default=None, description="Follow clicks; default yes with a domain.")
    opens: Annotated[Literal["off", "aggregate", "consented"], *words("off", "aggregate", "consented")] = Field(
        default="aggregate", description="Count openings: not at all, in sums only, or by person where consented."
    )
    utm: Utm | None = Field(default=None, description="Analytics words for links.")


#: The word for all topics at once; a project without `topics` has only this one.
EVERYTHING = "everything"


class Topic(Authored):
    """What a person can leave without leaving all."""

    title: Text = Field(description="What the preference page shows.")
    description: Text | None = Field(default=None, description="One line more.")

    @classmethod
    def from_short(cls, text: str) -> Any:
        return {"title": text}


class Webhook(Authored):
    """A target of `call`."""

    url: Url = Field(description="https address.")
    secret: Text | None = Field(default=None, description="Key of the signature; always ${NAME}.", examples=["${CRM_SECRET}"])
    timeout: Timeout = Field(default=lit.Duration(10, "second"), description="How long to wait.")
    idempotent: YesNo = Field(default=False, description="yes: the receiver knows a repeated Idempotency-Key.")


class Schedule(Authored):
    """What cron calls, and how gently."""

    every: Duration = Field(default=lit.Duration(15, "minute"), description="How often a tick runs.")
    catch_up: Duration = Field(
        default=lit.Duration(12, "hour"), description="How late a tick may still send what came due meanwhile."
    )
    spread: Duration = Field(
        default=lit.Duration(30, "minute"), description="Over how long touches leave when a quiet window opens."
    )


class ProjectHoldout(Authored):
    """People whom no marketing campaign reaches, to measure the whole."""

    share: Percent = Field(description="How many.")
    rotate: Duration | None = Field(default=None, description="When others take their place.")


class LintIgnore(Authored):
    """One rule that this project does without."""

    rule: Text = Field(description="Code or name.", examples=["C005"])
    because: Text | None = Field(default=None, description="Why.")
    owner: Text | None = Field(default=None, description="Who answers for it.")
    until: Day | None = Field(default=None, description="When it ends; at most a year ahead for rules of law.")
    path: Text | None = Field(default=None, description="Only in these files.", examples=["templates/*"])


class LintSettings(Authored):
    """What `omni lint` asks of this project."""

    profile: Annotated[Literal["draft", "team", "production"], *words("draft", "team", "production")] = Field(
        default="team", description="How strict."
    )
    ignore: Listing[LintIgnore] = Field(default=(), description="Rules that this project does without.")


class EnvironmentTracking(Authored):
    """Where links stand in the live environment."""

    domain: Url | None = Field(default=None, description="https address for links in the live environment.")


class Environment(Authored):
    """What differs in the live environment; nothing else may."""

    database: Text | None = Field(default=None, description="URL of the live store.", examples=["${OMNI_DATABASE}"])
    channels: Named[Text, ChannelOverride] = Field(default_factory=dict, description="Settings of channels that differ.")
    tracking: EnvironmentTracking = Field(default_factory=EnvironmentTracking, description="Only its domain may differ.")


class Project(Authored):
    """The whole of `omni.yaml`."""

    project: Name = Field(
        description="Name of the project: it appears in paths, click tokens and locks.", examples=["maison-lune"]
    )
    languages: Listing[Language] = Field(description="Languages you write in; the first is the default.", examples=[["fr", "en"]])
    countries: Listing[Country] = Field(
        default=(), description="Where your people live: chooses law, operators and holidays.", examples=[["FR", "BE"]]
    )
    time_zone: Text = Field(description="The project's time zone.", examples=["Europe/Paris"])
    currency: Currency = Field(default="EUR", description="What budgets, costs and reports count in.", examples=["EUR"])
    send_time: TimeOfDay = Field(default=lit.TimeOfDay(600), description="When a date stands without a time of day.")
    brand: Brand | None = Field(default=None, description="Who you are: what templates see as brand.*")
    channels: Named[Text, Channel] = Field(description="The channels you use and who carries them.")
    contacts: Contacts = Field(default_factory=Contacts, description="What is known of people.")
    events: Named[Name, Named[Text, Attribute]] = Field(default_factory=dict, description="Event → the types of its payload.")
    webhooks: Named[Name, Webhook] = Field(default_factory=dict, description="Targets of call steps.")
    guardrails: Guardrails = Field(default_factory=Guardrails, description="What holds touches back, in every campaign.")
    teams: Named[Name, Team] = Field(default_factory=dict, description="Who works tasks and cases.")
    places: Named[Text, Place] = Field(default_factory=dict, description="Shops: code → what place facts print.")
    sla: Named[Name, Sla] = Field(default_factory=dict, description="Deadlines of inbound cases by kind.")
    segments: Named[Name, Segment] = Field(default_factory=dict, description="Named conditions, shared by all campaigns.")
    personas: Named[Name, Persona] = Field(default_factory=dict, description="Who you write for, shared by all campaigns.")
    database: Text | None = Field(default=None, description="PostgreSQL address; default: one SQLite file an environment.")
    tracking: Tracking = Field(default_factory=Tracking, description="How links and openings are followed.")
    topics: Named[Name, Topic] = Field(default_factory=dict, description="What a person can leave without leaving all.")
    providers: Named[Text, Named[Text, Any]] = Field(
        default_factory=dict, description="Settings of providers; secrets are ${NAME}."
    )
    public_url: Url | None = Field(default=None, description="https address where 'omni serve' can be reached.")
    schedule: Schedule = Field(default_factory=Schedule, description="How often ticks run, and how gently they send.")
    holdout: ProjectHoldout | None = Field(default=None, description="People whom no marketing campaign reaches.")
    environments: Named[Text, Environment] = Field(default_factory=dict, description="What differs in the live environment.")
    lint: LintSettings = Field(default_factory=LintSettings, description="What lint asks of this project.")

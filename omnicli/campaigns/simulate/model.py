"""How people answer, as a file says it: every figure an assumption, every key checked at its line and column.

The default model (`default.yaml` beside this file) has the orders of magnitude of docs/measurement 10. A file needs to say only what
it knows better: whatever it leaves out is the default's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import Field

from omnicli.errors import Exit, OmniError
from omnicli.model import literals as lit
from omnicli.model.finding import Finding
from omnicli.model.written import Authored, Country, Duration, Language, Named, Number, Percent, Text, TimeOfDay
from omnicli.text import did_you_mean
from omnicli.texts import t

#: What people can do after a touch, in the order in which it is drawn and shown.
ANSWERS = (
    "opened", "clicked", "replied", "scanned", "answered", "voicemail", "no_answer", "refused", "callback", "done", "unsubscribed",
    "complained",
)  # fmt: skip
#: What the goal can follow from: the touch itself, or an answer to it.
CAUSES = ("accepted", *ANSWERS[:5], "callback", "done")


class Answer(Authored):
    """`{share: 4 %, half: 6 hours}`; a single `4 %` is its share."""

    share: Percent = Field(description="How many of those reached do it.")
    half: Duration = Field(default=lit.Duration(6, "hour"), description="Half of them within this time; the others later.")

    @classmethod
    def from_short(cls, text: str) -> Any:
        return {"share": text}

    @classmethod
    def wanted(cls) -> str:
        return t("{share: 4 %, half: 6 hours}, or a share such as 4 %", "{share: 4 %, half: 6 hours}, ou une part telle que 4 %")


class Carrying(Authored):
    """One channel: what providers do with a touch, and what people do after it."""

    refused: Percent = Field(default=lit.Percent(Decimal(0)), description="Refused by the provider before acceptance.")
    bounced: Percent = Field(
        default=lit.Percent(Decimal(0)), description="Accepted, then returned for good: the address is dead."
    )
    lost: Percent = Field(default=lit.Percent(Decimal(0)), description="Accepted, never delivered, for no fault of the address.")
    answers: Named[Text, Answer] = Field(default_factory=dict, description="What people do after it.")


class Goal(Authored):
    """What brings the campaign's goal about."""

    alone: Percent = Field(default=lit.Percent(Decimal(4)), description="Reach the goal by themselves, without any touch.")
    within: Duration = Field(default=lit.Duration(30, "day"), description="So long after entry those are spread.")
    after: Named[Text, Answer] = Field(
        default_factory=dict, description="How many more reach it after a touch, or an answer to it."
    )
    value: Named[Text, Text] = Field(default_factory=dict, description="Payload of the goal's event: field → value.")


class Arrivals(Authored):
    """Who has the event that lets people in, and when."""

    share: Percent = Field(default=lit.Percent(Decimal(100)), description="How many of the base have it.")
    within: Duration = Field(default=lit.Duration(60, "day"), description="Spread over so long from the first day.")
    payload: Named[Text, Text] = Field(default_factory=dict, description="Payload of that event: field → value.")


class Awake(Authored):
    """The hours in which people do things, on their own clocks."""

    begin: TimeOfDay = Field(default=lit.TimeOfDay.parse("07:00"), alias="from", description="From this time of day.")
    end: TimeOfDay = Field(default=lit.TimeOfDay.parse("23:00"), alias="until", description="Until this one.")


class Reached(Authored):
    """An invented base on one channel."""

    address: Percent = Field(description="How many have an address there.")
    consent: Percent = Field(default=lit.Percent(Decimal(100)), description="How many of those agreed.")


class Invented(Authored):
    """What invented people are like, beyond what the project declares."""

    countries: Named[Country, Percent] = Field(
        default_factory=dict, description="Where they live; default: the project's, alike."
    )
    languages: Named[Language, Percent] = Field(
        default_factory=dict, description="What they speak; default: the project's, the first most."
    )
    reach: Named[Text, Reached] = Field(default_factory=dict, description="Addresses and consents by channel.")
    attributes: Named[Text, Named[Text, Percent]] = Field(
        default_factory=dict, description="Values of attributes and their shares."
    )


class Model(Authored):
    """The whole file."""

    arrivals: Arrivals = Field(default_factory=Arrivals, description="Who has the event that lets people in, and when.")
    awake: Awake = Field(default_factory=Awake, description="The hours in which people do things.")
    channels: Named[Text, Carrying] = Field(default_factory=dict, description="What providers and people do, by channel.")
    steps: Named[Text, Named[Text, Percent]] = Field(default_factory=dict, description="Other shares at a step: answer → share.")
    personas: Named[Text, Named[Text, Number]] = Field(
        default_factory=dict, description="Factors on all answers: channel → factor."
    )
    tired: Percent = Field(
        default=lit.Percent(Decimal(100)), description="What each touch of the last 30 days leaves of the answers."
    )
    goal: Goal = Field(default_factory=Goal, description="What brings the goal about.")
    people: Invented = Field(default_factory=Invented, description="What invented people are like.")


# --- reading --------------------------------------------------------------------------------------------------------
@lru_cache(maxsize=1)
def default_text() -> str:
    """The default model as it is documented."""
    return resources.files("omnicli.campaigns.simulate").joinpath("default.yaml").read_text(encoding="utf-8")


def read_model(path: Path | None = None) -> Model:
    """The model of a file laid over the default one; every problem of the file in one OmniError, each at its line and column."""
    from omnicli.campaignfile.reader import raw

    base, _ = _parsed("default.yaml", default_text().encode())
    assert base is not None
    if path is None:
        return base
    found, wrong = _parsed(path.name, raw(path.parent, path.name))
    if wrong or found is None:
        raise refused(path.name, wrong)
    laid: Model = _laid(base, found)
    return laid


def _parsed(name: str, raw: bytes) -> tuple[Model | None, list[Finding]]:
    from omnicli.campaignfile.reader import read_source
    from omnicli.campaignfile.validate import validate

    source, findings = read_source(name, raw)
    if source.root is None:
        return (Model(), []) if not findings else (None, list(findings))
    model, wrong = validate(Model, source)
    wrong = [*findings, *wrong]
    if isinstance(model, Model):
        wrong += [_unknown_word(source, *one) for one in _words(model)]
    return model if isinstance(model, Model) else None, [f for f in wrong if f.severity == "error"]


def _words(model: Model) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """(path, what may stand there) of every word of the file that is none of ours."""
    from omnicli.model.project import CHANNELS

    for channel, carrying in model.channels.items():
        if channel not in CHANNELS:
            yield ("channels", channel), CHANNELS
        yield from ((("channels", channel, "answers", name), ANSWERS) for name in carrying.answers if name not in ANSWERS)
    for step, answers in model.steps.items():
        yield from ((("steps", step, name), ANSWERS) for name in answers if name not in ANSWERS)
    for persona, factors in model.personas.items():
        yield from ((("personas", persona, name), (*CHANNELS, "all")) for name in factors if name not in (*CHANNELS, "all"))
    yield from ((("goal", "after", name), CAUSES) for name in model.goal.after if name not in CAUSES)
    yield from ((("people", "reach", name), CHANNELS) for name in model.people.reach if name not in CHANNELS)


def _unknown_word(source: Any, path: tuple[str, ...], known: tuple[str, ...]) -> Finding:
    from omnicli.campaignfile.catalogue import finding

    message = t("'{w}' is not one of {known}.", "« {w} » ne fait pas partie de : {known}.", w=path[-1], known=", ".join(known))
    return finding("S002", source.place(path, key=True), message + did_you_mean(path[-1], known), path=".".join(path))


def refused(name: str, findings: list[Finding]) -> OmniError:
    """A model that cannot be used: its problems, one a line, each at its place."""
    lines = [f"{f.place.file}:{f.place.line}:{f.place.column}: {f.message}" for f in findings] or [name]
    return OmniError("\n".join(lines), hint=t("omni campaign simulate --model default shows every key", "omni campaign simulate --model default montre toutes les clés"),
                     code="model", exit=Exit.USAGE)  # fmt: skip


def _laid(base: Any, over: Any) -> Any:
    """`over` where it says something, else `base`; mappings are laid key by key."""
    if isinstance(over, Model | Carrying | Answer | Goal | Arrivals | Awake | Invented | Reached) and type(base) is type(over):
        said = over.model_fields_set
        return base.model_copy(update={name: _laid(getattr(base, name), getattr(over, name)) for name in said})
    if isinstance(base, Mapping) and isinstance(over, Mapping):
        return {**base, **{key: _laid(base.get(key), value) for key, value in over.items()}}
    return over


def fitting(
    model: Model, *, steps: Mapping[str, object], personas: Mapping[str, object], attributes: Mapping[str, object]
) -> list[str]:
    """What the model speaks of that this campaign does not have: it changes nothing, and that is worth a word."""
    found: list[str] = []
    for kind, said, known in (("steps", model.steps, steps), ("personas", model.personas, personas),
                              ("people.attributes", model.people.attributes, attributes)):  # fmt: skip
        found += [f"{kind}.{name}" + did_you_mean(name, known) for name in said if name not in known]
    return found


def minutes(length: lit.Duration) -> float:
    """A duration in minutes; months have 30 days."""
    return length.about / timedelta(minutes=1)

"""Builders for tests of the engine: a house from a flow in YAML, a standing from a few changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import cache
from textwrap import dedent
from typing import Any

import yaml

from omnicli import clock
from omnicli.engine import premises
from omnicli.engine.calendar import Calendar
from omnicli.engine.decide import Answers, decide
from omnicli.engine.guard import merge_guardrails
from omnicli.engine.house import House
from omnicli.engine.pricing import cost
from omnicli.model.campaign import Campaign
from omnicli.model.contact import ChannelReach
from omnicli.model.decision import Decision, Settled, Standing, Tally
from omnicli.model.flow import Flow
from omnicli.model.ids import contact_uid, enrollment_key
from omnicli.model.pack import Pack
from omnicli.model.project import Project
from omnicli.packs import holidays_of, load

PROJECT = """
project: maison
languages: [fr, en]
countries: [FR]
time_zone: Europe/Paris
channels:
  email: {provider: smtp, price: 0.001 EUR}
  sms: {provider: twilio, price: 0.05 EUR}
  whatsapp: {provider: twilio, price: 0.08 EUR}
  voice: {provider: task, team: conseil}
  letter: {provider: file, lead_time: 4 days}
  qr: {provider: file}
  task: {provider: task, team: conseil}
contacts: {attributes: {renewal: date, orders: number, city: text}}
events: {signup: {form: text}, purchase: {value: money EUR}}
webhooks: {crm: {url: https://crm.example/hook}}
teams: {conseil: {members: [ines], hours: [monday-friday 09:00-18:00]}}
personas:
  camille: {title: C, match: orders = 0, channels: [whatsapp, email], tone: {address: tu}}
  default: {title: D, channels: [email, sms]}
"""
#: Monday 4 January 2027, 11:30 in Paris: free on every channel.
NOW = "2027-01-04 11:30"
EVERYWHERE = ("email", "sms", "whatsapp", "voice", "letter")


def at(text: str) -> datetime:
    """`2027-01-04 11:30` on the clocks of Paris."""
    return clock.read_instant(text, "Europe/Paris")


@cache
def _packs(countries: tuple[str, ...]) -> Mapping[str, Pack]:
    return load(countries, at(NOW).date())


def a_house(flow: str, *, extra: str = "", messages: str = "", guardrails: str = "", usable: Mapping[tuple[str, str], str] | None = None,
            **changes: Any) -> House:  # fmt: skip
    """A house with this flow and one message `offre`; `guardrails` are the project's, `extra` more of the campaign;
    `usable` maps (channel, language) to why nothing can be said there."""
    text = dedent(
        """
        campaign: bienvenue
        title: T
        enter: {when: signup}
        messages:
          offre:
            facts: {deadline: 26 days after enter}
            say: {fr: {body: Bonjour}}
            approved: {fr: offre_fr}
        """
    )
    if messages:
        text += "".join(f"  {line}\n" for line in dedent(messages).strip().splitlines())
    text += dedent(extra) + "\nflow:\n" + "".join(f"  {line}\n" for line in dedent(flow).strip().splitlines())
    campaign = Campaign.model_validate(yaml.load(text, yaml.CBaseLoader))
    project = Project.model_validate(yaml.load(PROJECT + dedent(guardrails), yaml.CBaseLoader))
    packs = _packs(project.countries)
    guarding = merge_guardrails(project, campaign, packs)
    calendar = Calendar.of(project.time_zone, project.countries, guarding.quiet, packs, holidays_of, own=guarding.quiet_own)
    refused = usable or {}
    return House(
        project, campaign, Flow.of(campaign), guarding, calendar, lambda message, channel, language, register: refused.get((channel, language)),
        prices={name: cost(c.price) for name, c in project.channels.items()}, personas=project.personas, **changes,
    )  # fmt: skip


def a_standing(step: str | None = None, *, consent: tuple[str, ...] = EVERYWHERE, now: str = NOW, **changes: Any) -> Standing:
    """Somebody who has just come to `step` (None: who has just entered), reachable by `consent`."""
    uid = contact_uid("maison", changes.pop("who", "lea"))
    standing = Standing(
        id=1, key=enrollment_key("maison", "bienvenue", uid, 1), contact_id=7, contact_uid=uid, number=1, entered_at=at(NOW), language="fr",
        persona=None, held_out=False, step=step, since=at(now), due_at=at(now), country="FR", time_zone="Europe/Paris",
        reach={channel: ChannelReach(True, True) for channel in consent}, hours={}, attributes={"renewal": None},
    )  # fmt: skip
    return replace(standing, **changes)


def came(step: str, moment: str = NOW, **changes: Any) -> Standing:
    """Somebody who stands at a `send` whose moment is `moment`."""
    return a_standing(step, wait_until=at(moment), due_at=at(moment), **changes)


def after(
    step: str, state: str = "accepted", *, channel: str = "email", reason: str | None = None, when: str = NOW, **changes: Any
) -> Standing:
    """Somebody whose touch of this `send` has just ended."""
    return came(step, settled=Settled(state, at(when), channel, reason), **changes)


def answer(house: House, standing: Standing, now: str = NOW, *, tally: Tally | None = None) -> Decision:
    """The decision; and for everything that is decided in these tests, that a turn which remembers its answers gives the same to
    this person, to a neighbour of whom the same is known, and to this person again; and that its premises, read again, are what
    it was taken on."""
    tally = tally or Tally()
    decision = decide(standing, house, tally, at(now))
    neighbour = replace(standing, id=standing.id + 1, contact_id=standing.contact_id + 1, number=standing.number + 1,
                        contact_uid=contact_uid("maison", "neighbour"), key=enrollment_key("maison", house.name, b"n" * 16, 9))  # fmt: skip
    remembering = Answers(house, at(now))
    for person in (standing, neighbour, standing):
        found = remembering.decide(person, tally)
        assert found == decide(person, house, tally, at(now))
        if found.told:
            assert again(found, person, house, tally).standing == person
    return decision


def line(decision: Decision) -> str:
    """The decision in one line: touches, then where the pass stands, in the zone of Paris."""
    from zoneinfo import ZoneInfo

    def local(instant: datetime | None) -> str:
        return f"{instant.astimezone(ZoneInfo('Europe/Paris')):%m-%d %H:%M}" if instant else "touch"

    touches = [f"{t.step} {t.channel} {t.state}{': ' + t.reason if t.reason else ''}" for t in decision.touches]
    if decision.stand is None:
        return " · ".join([*touches, f"ended {decision.ended}"])
    stand = decision.stand
    held = f" held {stand.held_by}" if stand.held_by else ""
    again = " again" if decision.again else ""
    return " · ".join([*touches, f"{decision.kind} at {stand.step} until {local(stand.due_at)}{held}{again}"])


def reasons(decision: Decision) -> dict[str, Any]:
    """Why each channel was passed over."""
    return {k: v for why in decision.why if why.rule == "channels" for k, v in why.values.items()}


def again(decision: Decision, standing: Standing, house: House, tally: Tally) -> premises.Given:
    """The premises as the store would give them back."""
    assert decision.premises is not None
    given = premises.read(
        decision.premises, campaign=house.name, identity={name: getattr(standing, name) for name in premises.IDENTITY}
    )
    assert given.tally.given.get(standing.contact_id) == tally.given.get(standing.contact_id)
    return given

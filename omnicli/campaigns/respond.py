"""What came back becomes what is known: inbox rows are folded into the ledger of events, once each, in any order.

The fold is a function of the set of responses: ranks of delivery never fall, the newest answer names the last human channel, a
bar is never undone by an older word. Whoever answered is brought up at once; passes that ended may still convert (4.2).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from omnicli import clock, faults
from omnicli.campaigns.turn import Houses
from omnicli.engine.deadline import deadline
from omnicli.engine.decide import conversion
from omnicli.engine.house import topic_of
from omnicli.engine.questions import Questions
from omnicli.model.contact import OPEN_COMPLAINT
from omnicli.model.project import BUILT_IN_EVENTS, EVERYTHING, Project
from omnicli.model.response import HUMAN, Response
from omnicli.store import campaigns, consents, turns
from omnicli.store import tables as tb
from omnicli.store.columns import ValueRefused, payload_columns
from omnicli.store.inbox import Arrival, fold_done, read_raw
from omnicli.text import fold as folded

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.model.campaign import Campaign
    from omnicli.store.connection import Store

#: Arrivals a transaction.
BATCH = 2000
#: A sender's clock may run ahead by so much; what is later still has not happened yet and stays in the inbox.
SKEW = timedelta(minutes=5)
#: After a spoken refusal nobody calls again for so long (rules.md FR-08).
REFUSED_FOR = timedelta(days=60)

#: Whole messages, folded and without punctuation, that end or resume marketing on their channel (delivery 17).
STOP = frozenset({"stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout", "remove", "arret", "desabo"})
START = frozenset({"start", "yes", "unstop", "oui"})

#: `delivery_state` by event, with its rank: it only ever rises (delivery 2). Flags stick.
DELIVERY = {"delivered": ("delivered", 5), "bounced": ("bounced", 6), "failed": ("undelivered", 6)}
RANKS = {
    "none": 0,
    "processed": 1,
    "queued": 2,
    "sent": 3,
    "deferred": 4,
    "delivered": 5,
    "bounced": 6,
    "dropped": 6,
    "undelivered": 6,
}
FLAGS = frozenset({"opened", "clicked", "replied", "complained", "unsubscribed"})

#: Events that answer a touch, and the media by which each can come back when it does not say.
_WRITTEN = ("email", "sms", "whatsapp", "messenger", "push")
_SPOKEN = ("voice", "task")
ANSWERS: Mapping[str, tuple[str, ...] | None] = {
    "delivered": None, "opened": ("email",), "clicked": (*_WRITTEN, "qr", "letter"), "replied": _WRITTEN, "scanned": ("qr", "letter"),
    "answered": _SPOKEN, "voicemail": _SPOKEN, "no_answer": _SPOKEN, "refused": _SPOKEN, "callback": _SPOKEN, "done": ("task", "voice"),
    "bounced": None, "failed": None, "complained": None, "unsubscribed": None,
}  # fmt: skip


@dataclass
class Folded:
    """What a fold did: `events` new in the ledger, `unmatched` responses of people whom the store does not know, `refused`
    ones whose payload is not what its event declares, contacts `woken`, `opted_out`, `cases` opened, passes `converted`."""

    events: int = 0
    unmatched: int = 0
    refused: int = 0
    woken: int = 0
    opted_out: int = 0
    cases: int = 0
    converted: int = 0


@dataclass(frozen=True, slots=True)
class Touched:
    """The touch that a response answers."""

    id: int
    key: bytes
    contact_id: int
    enrollment_id: int
    campaign: str
    message: str
    step: str
    channel: str
    state: str
    settled_at: int
    version_id: int


@dataclass(frozen=True, slots=True)
class Heard:
    """One response, understood: whose it is, which touch it answers, when it happened; of an `unsubscribed`, what it leaves:
    a topic or `everything`, where it says so itself or by the campaign that it names."""

    arrival: Arrival
    contact_id: int
    at: datetime
    touch: Touched | None
    columns: Mapping[str, Any]
    leaves: str | None = None

    @property
    def response(self) -> Response:
        return self.arrival.response

    @property
    def channel(self) -> str | None:
        if self.response.name == "unsubscribed" and (not self.response.touch or self.leaves == EVERYTHING):
            return self.response.channel  # who leaves without saying what leaves everything: a guess may not narrow it
        return self.response.channel or (self.touch.channel if self.touch else None)

    @property
    def payload(self) -> dict[str, Any]:
        """What the ledger keeps: what was said, and what was left by it."""
        said = dict(self.response.payload)
        return {**said, "topic": self.leaves} if self.leaves is not None else said

    @property
    def order(self) -> tuple[Any, ...]:
        return self.at, self.arrival.received_at, self.arrival.provider, self.arrival.dedup_key


def fold(store: Store, loaded: Loaded, *, now: datetime, batch: int = BATCH) -> Folded:
    """Fold whatever the inbox holds that has happened by `now`, a batch a transaction; a repeat changes nothing."""
    assert loaded.project is not None
    done = Folded()
    after: tuple[int, str, bytes] | None = None
    while True:
        with store.read() as connection:
            arrivals = _waiting(connection, now=now, limit=batch, after=after)
        if not arrivals:
            return done
        last = arrivals[-1]
        after = clock.to_ms(last.received_at), last.provider, last.dedup_key
        ripe = [a for a in arrivals if a.response.at <= now + SKEW]
        if ripe:
            with store.write() as connection:
                _Fold(connection, loaded, loaded.project, now, done).fold(ripe)
                faults.point("F15")


def bar_at_once(connection: sa.Connection, loaded: Loaded, arrivals: Sequence[Arrival], *, now: datetime) -> int:
    """The bars that these arrivals carry, before they are folded (T4); people hit. A word that undoes a bar waits for the fold."""
    assert loaded.project is not None
    carrying = [a for a in arrivals if a.response.name in ("unsubscribed", "complained", "refused", "bounced", "replied")]
    if not carrying:
        return 0
    done = Folded()
    folding = _Fold(connection, loaded, loaded.project, now, done)
    heard, _ = folding._understand(carrying)
    folding._opt_outs([h for h in heard if h.response.name != "replied"])
    for h in heard:
        if h.response.name == "replied" and h.channel is not None and _bare(_text(h.response.payload)) in STOP:
            bars = consents.bars_of(connection, h.contact_id, h.channel, "stop", at=h.at, source="keyword")
            done.opted_out += len(consents.suppress(connection, bars, now=now))
    return done.opted_out


def _waiting(connection: sa.Connection, *, now: datetime, limit: int, after: tuple[int, str, bytes] | None) -> list[Arrival]:
    """Unfolded arrivals in a fixed order, after that position."""
    i = tb.inbox.c
    query = sa.select(i.provider, i.dedup_key, i.raw, i.received_at).where(i.folded_at.is_(None))
    if after is not None:
        query = query.where(sa.tuple_(i.received_at, i.provider, i.dedup_key) > sa.tuple_(*after))
    query = query.order_by(i.received_at, i.provider, i.dedup_key).limit(limit)
    return [Arrival(p, k, read_raw(raw), clock.from_ms(at)) for p, k, raw, at in connection.execute(query)]


def keyword(text: str) -> str:
    """The first word of an answer, folded, without punctuation: what `replied where (keyword = oui)` asks."""
    words = _bare(text).split()
    return words[0] if words else ""


def _bare(text: str) -> str:
    return " ".join("".join(letter if letter.isalnum() else " " for letter in folded(text)).split())


class _Fold:
    """One batch: T5."""

    def __init__(self, connection: sa.Connection, loaded: Loaded, project: Project, now: datetime, done: Folded) -> None:
        self.connection, self.loaded, self.project, self.now, self.done = connection, loaded, project, now, done
        self.ms = clock.to_ms(now)
        self._houses: Houses | None = None

    def fold(self, arrivals: Sequence[Arrival]) -> None:
        heard, outcomes = self._understand(arrivals)
        heard.sort(key=lambda h: h.order)
        self._ledger(heard)
        self._people(heard)
        self._touches(heard)
        self._opt_outs(heard)
        self._cases(heard)
        contacts = sorted({h.contact_id for h in heard if not h.response.machine})
        turns.wake(self.connection, contacts, self.now)
        self._late_goals(contacts)
        fold_done(self.connection, outcomes, now=self.now)
        self.done.events += len(heard)
        self.done.woken += len(contacts)

    # --- who, and which touch -----------------------------------------------------------------------------------
    def _understand(self, arrivals: Sequence[Arrival]) -> tuple[list[Heard], list[tuple[Arrival, str]]]:
        people = self._contacts({a.response.contact for a in arrivals})
        named = self._named({a.response.touch for a in arrivals if a.response.touch})
        asked = {people[a.response.contact] for a in arrivals if a.response.contact in people and self._answers(a.response)}
        sent = self._sent(sorted(asked))
        heard: list[Heard] = []
        outcomes: list[tuple[Arrival, str]] = []
        for arrival in arrivals:
            response = arrival.response
            touch = named.get(_key(response.touch))
            contact_id = people.get(response.contact) if response.contact or touch is None else touch.contact_id
            if contact_id is None:
                self.done.unmatched += 1
                outcomes.append((arrival, "unmatched"))
                continue
            at = min(response.at, max(arrival.received_at, self.now)) if response.at > self.now else response.at
            if touch is None and self._answers(response):
                touch = _latest(sent.get(contact_id, ()), response, clock.to_ms(at))
            try:
                columns = payload_columns(self.project, response.name, _payload(response))
            except ValueRefused as refused:
                self.done.refused += 1
                outcomes.append((arrival, f"refused: {refused}"))
                continue
            heard.append(Heard(arrival, contact_id, at, touch, columns, self._leaves(response, touch)))
            outcomes.append((arrival, "event"))
        return heard, outcomes

    def _answers(self, response: Response) -> bool:
        return response.touch is None and response.name in ANSWERS

    def _leaves(self, response: Response, touch: Touched | None) -> str | None:
        """What an `unsubscribed` leaves: the topic that it says, else that of the message or campaign it names (EM-06, SU-06).

        Everything, when it says so or speaks of a topic that is none of ours; None says nothing: all marketing on its channel.
        A touch that is only guessed narrows nothing.
        """
        if response.name != "unsubscribed":
            return None
        topics = self.project.topics
        if _said(response, "scope") == EVERYTHING:
            return EVERYTHING
        said = _said(response, "topic")
        if said:
            return said if said in topics and said != EVERYTHING else EVERYTHING
        campaign = None
        if topics and response.touch and touch is not None:
            campaign = self.houses.tree(touch.version_id)
        elif topics and response.campaign:
            campaign = self._campaign(response.campaign)
        topic = topic_of(campaign) if campaign is not None else None
        return topic if topic in topics else None

    def _campaign(self, name: str) -> Campaign | None:
        """The campaign as it is applied, else as its file says, else None."""
        row = campaigns.find(self.connection, name)
        if row is not None and row.version_id is not None:
            return self.houses.tree(row.version_id)
        return self.loaded.campaigns.get(name)

    @property
    def houses(self) -> Houses:
        if self._houses is None:
            self._houses = Houses(self.connection, self.loaded, now=self.now)
        return self._houses

    def _contacts(self, names: Iterable[str]) -> dict[str, int]:
        c = tb.contact.c
        query = sa.select(c.source_id, c.id).where(c.source_id.in_(sorted(n for n in names if n)), c.erased_at.is_(None))
        return {row[0]: row[1] for row in self.connection.execute(query)}

    def _touch_query(self) -> sa.Select[Any]:
        x, e = tb.touch.c, tb.enrollment.c
        return (
            sa.select(x.id, x.touch_key, x.contact_id, x.enrollment_id, tb.campaign.c.name, x.message, x.step, x.channel, x.send_state,
                      sa.func.coalesce(x.settled_at, x.due_at), x.version_id)
            .join(tb.enrollment, e.id == x.enrollment_id)
            .join(tb.campaign, tb.campaign.c.id == e.campaign_id)
        )  # fmt: skip

    def _named(self, keys: Iterable[str | None]) -> dict[bytes | None, Touched]:
        """Touches by their key, as a provider or a link names them."""
        wanted = sorted(k for k in (_key(key) for key in keys) if k is not None)
        if not wanted:
            return {}
        found = self.connection.execute(self._touch_query().where(tb.touch.c.touch_key.in_(wanted)))
        return {row[1]: Touched(*row) for row in found}

    def _sent(self, contacts: Sequence[int]) -> dict[int, list[Touched]]:
        """What these people were sent, or may have been."""
        found: dict[int, list[Touched]] = {}
        if contacts:
            states = ("accepted", "sending", "unknown", "parked")
            query = self._touch_query().where(tb.touch.c.contact_id.in_(contacts), tb.touch.c.send_state.in_(states))
            for row in self.connection.execute(query):
                found.setdefault(row[2], []).append(Touched(*row))
        return found

    # --- ledger -------------------------------------------------------------------------------------------------
    def _ledger(self, heard: Sequence[Heard]) -> None:
        fixed = (
            "contact_id",
            "name",
            "at",
            "enrollment_id",
            "campaign",
            "message",
            "step",
            "channel",
            "machine",
            "payload",
            "received_at",
        )
        grouped: dict[tuple[str, ...], list[tuple[Any, ...]]] = {}
        for h in heard:
            r, touch = h.response, h.touch
            names = tuple(sorted(h.columns))
            row = (
                h.contact_id, r.name, clock.to_ms(h.at), touch.enrollment_id if touch else None,
                touch.campaign if touch else r.campaign, touch.message if touch else r.message, touch.step if touch else r.step,
                h.channel, int(r.machine), json.dumps(h.payload, ensure_ascii=False, separators=(",", ":")) if h.payload else None,
                clock.to_ms(h.arrival.received_at), *(h.columns[name] for name in names),
            )  # fmt: skip
            grouped.setdefault(names, []).append(row)
        for names, rows in grouped.items():
            columns = (*fixed, *names)
            listed, marks = ", ".join(columns), ", ".join(f":{c}" for c in columns)
            turns.Bulk(f"INSERT INTO event ({listed}) VALUES ({marks})", *columns)(self.connection, rows)

    def _people(self, heard: Sequence[Heard]) -> None:
        """The newest human answer names the last channel; whoever did something has changed."""
        newest: dict[int, tuple[int, str]] = {}
        for h in heard:
            if h.response.name in HUMAN and not h.response.machine and h.channel is not None:
                newest[h.contact_id] = max(newest.get(h.contact_id, (0, "")), (clock.to_ms(h.at), h.channel))
        _last_human(self.connection, [(channel, at, id_) for id_, (at, channel) in sorted(newest.items())])
        _changed(self.connection, [(self.ms, id_) for id_ in sorted({h.contact_id for h in heard if not h.response.machine})])

    def _touches(self, heard: Sequence[Heard]) -> None:
        """`delivery_state` rises, flags stick, and a touch of unknown fate that answers was accepted."""
        states: dict[int, tuple[int, str]] = {}
        flags: dict[int, set[str]] = {}
        doubtful: dict[int, Heard] = {}
        for h in heard:
            if h.touch is None:
                continue
            if h.response.name in DELIVERY:
                state, rank = DELIVERY[h.response.name]
                states[h.touch.id] = max(states.get(h.touch.id, (0, "")), (rank, state))
            if h.response.name in FLAGS and not h.response.machine:
                flags.setdefault(h.touch.id, set()).add(h.response.name)
            if h.touch.state in ("unknown", "parked"):
                doubtful.setdefault(h.touch.id, h)
        ids = sorted({*states, *flags})
        x = tb.touch.c
        known = (
            {row[0]: row for row in self.connection.execute(sa.select(x.id, x.delivery_state, x.flags).where(x.id.in_(ids)))}
            if ids
            else {}
        )
        rows = []
        for id_, row in sorted(known.items()):
            now = max((RANKS.get(row[1], 0), row[1]), states.get(id_, (0, "none")))[1]
            rows.append((now, " ".join(sorted({*row[2].split(), *flags.get(id_, ())})), id_))
        _delivery(self.connection, rows)
        self._settle(doubtful)

    def _settle(self, doubtful: Mapping[int, Heard]) -> None:
        if not doubtful:
            return
        from omnicli.campaigns.recover import accept
        from omnicli.store.outbox import doubts

        for doubt in doubts(self.connection):
            if doubt.id in doubtful:
                accept(self.connection, doubt, ref=f"event-{doubtful[doubt.id].response.id}", now=self.now)

    # --- permissions --------------------------------------------------------------------------------------------
    def _opt_outs(self, heard: Sequence[Heard]) -> None:
        """Unsubscribing, STOP, complaints, refusals and dead addresses bar; START undoes a STOP before it, and nothing else."""
        bars: list[consents.Bar] = []
        dead: set[int] = set()
        said: set[tuple[int, str]] = set()
        for h in heard:
            if h.response.machine:
                continue
            name = h.response.name
            if name == "unsubscribed":
                bars += self._bars(h, "unsubscribed", self._channels(h), scope=_scope(h.leaves))
            elif name == "complained":
                bars += self._bars(h, "complained", [h.channel or "email"])
            elif name == "refused":
                bars += self._bars(h, "refused", ["voice"], until=h.at + REFUSED_FOR)
            elif name == "replied" and h.channel is not None and _bare(_text(h.response.payload)) in STOP | START:
                said.add((h.contact_id, h.channel))
            elif name == "bounced" and h.channel is not None and str(h.response.payload.get("kind", "hard")) != "soft":
                consents.mark_bad(self.connection, h.contact_id, h.channel, "bounced")
                dead.add(h.contact_id)
        for contact_id, channel in sorted(said):
            bars += self._keywords(contact_id, channel)
        if bars:
            self.done.opted_out += len(consents.suppress(self.connection, bars, now=self.now))
        if dead:
            consents.refold_reach(self.connection, sorted(dead), now=self.now)

    def _channels(self, h: Heard) -> list[str]:
        """One channel when the response says which; else everything this person can be reached by."""
        if h.channel is not None:
            return [h.channel]
        a = tb.address.c
        return list(
            self.connection.execute(sa.select(a.channel).where(a.contact_id == h.contact_id).order_by(a.channel)).scalars()
        )

    def _bars(self, h: Heard, reason: str, channels: Iterable[str], *, until: datetime | None = None,
              scope: str = "marketing") -> list[consents.Bar]:  # fmt: skip
        found: list[consents.Bar] = []
        for channel in channels:
            found += consents.bars_of(
                self.connection, h.contact_id, channel, reason, at=h.at, scope=scope, until=until, source=h.arrival.provider
            )
        return found

    def _keywords(self, contact_id: int, channel: str) -> list[consents.Bar]:
        """The bar that all STOPs and STARTs of this person on the channel leave: the first STOP since the last START."""
        stopped: datetime | None = None
        e = tb.event.c
        query = sa.select(e.at, e.payload).where(
            e.contact_id == contact_id, e.name == "replied", e.channel == channel, e.machine == 0
        )
        for at, payload in self.connection.execute(query.order_by(e.at, e.payload)):
            word = _bare(_text(json.loads(payload or "{}")))
            if word in START:
                stopped = None
            elif word in STOP and stopped is None:
                stopped = clock.from_ms(at)
        mine = consents.bars_of(self.connection, contact_id, channel, "stop", at=stopped or self.now, source="keyword")
        consents.lift(self.connection, mine, now=self.now)
        return mine if stopped is not None else self._others(contact_id, channel)

    def _others(self, contact_id: int, channel: str) -> list[consents.Bar]:
        """Bars that a STOP may have stood before, which START does not undo."""
        e = tb.event.c
        found: list[consents.Bar] = []
        query = sa.select(e.name, e.at, e.payload).where(
            e.contact_id == contact_id, e.machine == 0,
            sa.or_(sa.and_(e.name.in_(("complained", "unsubscribed")), e.channel == channel),
                   sa.and_(e.name == "unsubscribed", e.channel.is_(None))),
        )  # fmt: skip
        first: dict[str, int] = {}
        for name, at, payload in self.connection.execute(query.order_by(e.at)):
            if name == "complained" or _scope(json.loads(payload or "{}").get("topic")) == "marketing":
                first.setdefault(name, at)
        for name, at in sorted(first.items()):
            found += consents.bars_of(self.connection, contact_id, channel, name, at=clock.from_ms(at), source="ledger")
        return found

    # --- cases --------------------------------------------------------------------------------------------------
    def _cases(self, heard: Sequence[Heard]) -> None:
        """The kinds of `sla` open a case with deadlines in the team's hours; an open complaint keeps marketing away."""
        zone = ZoneInfo(self.project.time_zone)
        complained: set[int] = set()
        for h in heard:
            sla = self.project.sla.get(h.response.name)
            if sla is None or h.response.machine:
                continue
            hours = self.project.teams[sla.team].hours if sla.team in self.project.teams else ()
            first, resolve = (
                clock.to_ms(deadline(h.at, length, hours=hours, zone=zone)) if length is not None else None
                for length in (sla.first_response, sla.resolve)
            )
            text = h.response.payload.get("text") or h.response.payload.get("about")
            self.connection.execute(
                sa.insert(tb.case).values(
                    contact_id=h.contact_id, kind=h.response.name, opened_at=clock.to_ms(h.at), first_due=first, resolve_due=resolve,
                    team=sla.team, state="open", channel=h.channel, text=str(text) if text is not None else None,
                )
            )  # fmt: skip
            self.done.cases += 1
            if h.response.name == "complaint":
                complained.add(h.contact_id)
        _complaint(self.connection, [(clock.to_ms(OPEN_COMPLAINT), id_) for id_ in sorted(complained)])

    # --- goals of passes that ended -----------------------------------------------------------------------------
    def _late_goals(self, contacts: Sequence[int]) -> None:
        """Passes that ended without converting still convert until `within` is over."""
        if not contacts:
            return
        e = tb.enrollment.c
        query = sa.select(e.id, e.version_id).where(e.contact_id.in_(contacts), e.state == "ended", e.converted_at.is_(None),
                                                    e.reason != "erased")  # fmt: skip
        groups: dict[int, list[int]] = {}
        for id_, version_id in self.connection.execute(query):
            groups.setdefault(version_id, []).append(id_)
        if not groups:
            return
        houses = self.houses
        goals = []
        for version_id, ids in sorted(groups.items()):
            house = houses[version_id]
            if not house.goal_terms:
                continue
            asked = Questions(firsts=tuple(("enter", term) for term in house.goal_terms))
            gather = turns.Gather(house, asked, houses.compiler(version_id), now=self.now)
            for standing in gather(self.connection, sorted(ids)):
                zone = house.calendar.zone(standing.country, standing.time_zone, standing.region)
                at = conversion(standing.firsts, house, standing.entered_at, zone)
                if at is not None:
                    goals.append((standing, house, at))
        turns.convert(self.connection, sorted(goals, key=lambda g: g[0].key), now=self.now)
        self.done.converted += len(goals)


def _key(text: str | None) -> bytes | None:
    try:
        return bytes.fromhex(text) if text else None
    except ValueError:
        return None


def _payload(response: Response) -> dict[str, Any]:
    """The payload with what the fold adds: the keyword of a reply."""
    payload = dict(response.payload)
    if response.name == "replied" and payload.get("text") and not payload.get("keyword"):
        payload["keyword"] = keyword(str(payload["text"]))
    return payload


def _said(response: Response, field: str) -> str:
    return str(response.payload.get(field) or "").strip().lower()


def _scope(leaves: str | None) -> str:
    """The scope of the bar that leaving this raises."""
    return "marketing" if leaves is None or leaves == EVERYTHING else consents.TOPIC + leaves


def _text(payload: Mapping[str, Any]) -> str:
    return str(payload.get("text") or "")


def _latest(sent: Sequence[Touched], response: Response, at: int) -> Touched | None:
    """The newest touch before the response that it can answer: what it says must fit, its medium must be able to."""
    media = ANSWERS[response.name]

    def fits(touch: Touched) -> bool:
        said = (
            (response.campaign, touch.campaign),
            (response.message, touch.message),
            (response.step, touch.step),
            (response.channel, touch.channel),
        )
        if any(wanted is not None and wanted != own for wanted, own in said):
            return False
        return touch.settled_at <= at and (response.channel is not None or media is None or touch.channel in media)

    return max((touch for touch in sent if fits(touch)), key=lambda touch: (touch.settled_at, touch.key), default=None)


_last_human = turns.Bulk(
    "UPDATE contact SET last_human_channel = :channel, last_human_at = :at WHERE id = :id AND (last_human_at IS NULL OR last_human_at < :at "
    "OR (last_human_at = :at AND last_human_channel < :channel))", "channel", "at", "id"
)  # fmt: skip
_changed = turns.Bulk("UPDATE contact SET changed_at = :now WHERE id = :id AND changed_at < :now", "now", "id")
_delivery = turns.Bulk("UPDATE touch SET delivery_state = :state, flags = :flags WHERE id = :id", "state", "flags", "id")
_complaint = turns.Bulk("UPDATE contact SET complaint_until = :until WHERE id = :id", "until", "id")

assert set(ANSWERS) <= set(BUILT_IN_EVENTS)

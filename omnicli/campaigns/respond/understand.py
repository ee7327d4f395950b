"""What came back, understood: whose it is, which touch and attempt it answers, when it happened, what it leaves.

A response names its contact, or a touch by our signed id, or only an address: then it is of whoever was last touched there. A
touch that is only guessed narrows nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from omnicli import clock
from omnicli.campaigns.respond.keywords import keyword
from omnicli.campaigns.turn import Houses
from omnicli.engine.house import topic_of
from omnicli.model.project import BUILT_IN_EVENTS, EVERYTHING, Project
from omnicli.model.response import RECEIPT, Response
from omnicli.store import campaigns
from omnicli.store import tables as tb
from omnicli.store.columns import ValueRefused, payload_columns
from omnicli.store.inbox import Arrival

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.model.campaign import Campaign

#: Events that answer a touch, and the media by which each can come back when it does not say.
_WRITTEN = ("email", "sms", "whatsapp", "messenger", "push")
_SPOKEN = ("voice", "task")
ANSWERS: Mapping[str, tuple[str, ...] | None] = {
    "delivered": None, "opened": ("email",), "clicked": (*_WRITTEN, "qr", "letter"), "replied": _WRITTEN, "scanned": ("qr", "letter"),
    "answered": _SPOKEN, "voicemail": _SPOKEN, "no_answer": _SPOKEN, "refused": _SPOKEN, "callback": _SPOKEN, "done": ("task", "voice"),
    "bounced": None, "failed": None, "complained": None, "unsubscribed": None,
}  # fmt: skip
assert set(ANSWERS) <= set(BUILT_IN_EVENTS)
#: Touches that may have reached somebody.
LEFT = ("accepted", "sending", "unknown", "parked")
ROWS = 900


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
    """One response, understood. `contact_id` None: nobody of the store, but its address may still be barred. `named`: the response
    itself says which touch it answers. `leaves`, of an `unsubscribed`: a topic or `everything`, where it or what it names says so."""

    arrival: Arrival
    contact_id: int | None
    at: datetime
    touch: Touched | None
    columns: Mapping[str, Any]
    leaves: str | None = None

    @property
    def response(self) -> Response:
        return self.arrival.response

    @property
    def named(self) -> bool:
        return self.touch is not None and bool(self.response.touch)

    @property
    def channel(self) -> str | None:
        if self.response.name == "unsubscribed" and (not self.response.touch or self.leaves == EVERYTHING):
            return self.response.channel  # who leaves without saying what leaves everything: a guess may not narrow it
        return self.response.channel or (self.touch.channel if self.touch else None)

    @property
    def payload(self) -> dict[str, Any]:
        """What the ledger keeps: what was said, and what was left by it."""
        heard = dict(self.response.payload)
        return {**heard, "topic": self.leaves} if self.leaves is not None else heard

    @property
    def order(self) -> tuple[Any, ...]:
        return self.at, self.arrival.received_at, self.arrival.provider, self.arrival.dedup_key


@dataclass(frozen=True, slots=True)
class Understood:
    """Of one batch: what goes into the ledger, receipts, touches that nobody here knows though our own key signed their names,
    responses of nobody, and why others were refused."""

    heard: Sequence[Heard] = ()
    receipts: Sequence[Heard] = ()
    strange: Sequence[Arrival] = ()
    nobody: Sequence[Heard] = ()
    refused: Sequence[tuple[Arrival, str]] = ()


class Understanding:
    """Reads a batch of arrivals against the store."""

    def __init__(self, connection: sa.Connection, loaded: Loaded, *, now: datetime) -> None:
        assert loaded.project is not None
        self.connection, self.loaded, self.now = connection, loaded, now
        self.project: Project = loaded.project
        self._houses: Houses | None = None

    @property
    def houses(self) -> Houses:
        if self._houses is None:
            self._houses = Houses(self.connection, self.loaded, now=self.now)
        return self._houses

    def __call__(self, arrivals: Sequence[Arrival]) -> Understood:
        self.people = self._contacts({a.response.contact for a in arrivals})
        self.named = self._named({a.response.touch for a in arrivals if a.response.touch})
        self.reached = self._at_addresses([a.response for a in arrivals if _only_address(a.response)])
        asked = {id_ for a in arrivals if self._answers(a.response) for id_ in self._candidates(a.response)}
        self.sent = self._sent(sorted(asked))
        heard: list[Heard] = []
        receipts: list[Heard] = []
        nobody: list[Heard] = []
        strange: list[Arrival] = []
        refused: list[tuple[Arrival, str]] = []
        for arrival in arrivals:
            try:
                found = self._one(arrival)
            except ValueRefused as why:
                refused.append((arrival, f"refused: {why}"))
                continue
            if found.contact_id is None and _signed(arrival.response):
                strange.append(arrival)
            elif found.contact_id is None:
                nobody.append(found)
            else:
                (receipts if arrival.response.name == RECEIPT else heard).append(found)
        return Understood(sorted(heard, key=lambda h: h.order), sorted(receipts, key=lambda h: h.order), strange, nobody, refused)

    def _one(self, arrival: Arrival) -> Heard:
        response = arrival.response
        at = min(response.at, max(arrival.received_at, self.now)) if response.at > self.now else response.at
        touch = self.named.get(touch_key(response.touch))
        contact_id = self._whose(response, touch, clock.to_ms(at))
        if contact_id is None:
            return Heard(arrival, None, at, None, {})
        if touch is None and self._answers(response):
            touch = _latest(self.sent.get(contact_id, ()), response, clock.to_ms(at))
        if response.name == RECEIPT:
            return Heard(arrival, contact_id, at, touch, {})
        return Heard(arrival, contact_id, at, touch, payload_columns(self.project, response.name, _payload(response)),
                     self._leaves(response, touch))  # fmt: skip

    # --- whose it is ------------------------------------------------------------------------------------------------
    def _whose(self, response: Response, touch: Touched | None, at: int) -> int | None:
        if response.contact:
            return self.people.get(response.contact)
        if touch is not None:
            return touch.contact_id
        if not _only_address(response):
            return None

        def last(contact_id: int) -> tuple[int, str]:
            before = (t.settled_at for t in self.sent.get(contact_id, ()) if t.channel == response.channel and t.settled_at <= at)
            return max(before, default=-1), self.names[contact_id]

        return max(self._candidates(response), key=last, default=None)

    def _candidates(self, response: Response) -> Sequence[int]:
        if response.contact:
            found = self.people.get(response.contact)
            return () if found is None else (found,)
        return self.reached.get((response.channel or "", normal(response.address)), ())

    def _contacts(self, names: Iterable[str]) -> dict[str, int]:
        wanted = sorted(n for n in names if n)
        return {row[0]: row[1] for row in self.connection.execute(_CONTACTS, {"names": wanted})} if wanted else {}

    def _at_addresses(self, responses: Sequence[Response]) -> dict[tuple[str, str], list[int]]:
        """(channel, normalised address) → everybody there; `names` keeps what they are called."""
        self.names: dict[int, str] = {}
        found: dict[tuple[str, str], list[int]] = {}
        places = sorted({(r.channel or "", normal(r.address)) for r in responses})
        a, c = tb.address.c, tb.contact.c
        for start in range(0, len(places), ROWS):
            some = places[start : start + ROWS]
            query = sa.select(a.channel, a.norm, c.id, c.source_id).join(tb.contact, c.id == a.contact_id)
            query = query.where(
                a.channel.in_({ch for ch, _ in some}), a.norm.in_({norm for _, norm in some}), c.erased_at.is_(None)
            )
            for channel, norm, id_, name in self.connection.execute(query):
                found.setdefault((channel, norm), []).append(id_)
                self.names[id_] = name
        return found

    # --- which touch ------------------------------------------------------------------------------------------------
    def _answers(self, response: Response) -> bool:
        return response.touch is None and (response.name in ANSWERS or _only_address(response))

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
        wanted = sorted(k for k in (touch_key(key) for key in keys) if k is not None)
        if not wanted:
            return {}
        found = self.connection.execute(self._touch_query().where(tb.touch.c.touch_key.in_(wanted)))
        return {row[1]: Touched(*row) for row in found}

    def _sent(self, contacts: Sequence[int]) -> dict[int, list[Touched]]:
        """What these people were sent, or may have been."""
        found: dict[int, list[Touched]] = {}
        if contacts:
            query = self._touch_query().where(tb.touch.c.contact_id.in_(contacts), tb.touch.c.send_state.in_(LEFT))
            for row in self.connection.execute(query):
                found.setdefault(row[2], []).append(Touched(*row))
        return found

    # --- what it leaves ---------------------------------------------------------------------------------------------
    def _leaves(self, response: Response, touch: Touched | None) -> str | None:
        """What an `unsubscribed` leaves: the topic that it says, else that of the message or campaign it names (EM-06, SU-06).

        Everything, when it says so or speaks of a topic that is none of ours; None says nothing: all marketing on its channel.
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


def touch_key(text: str | None) -> bytes | None:
    try:
        return bytes.fromhex(text) if text else None
    except ValueError:
        return None


def normal(address: str | None) -> str:
    """The form in which addresses are compared: numbers in E.164 already are, e-mail is folded by case."""
    text = (address or "").strip()
    return text.lower() if "@" in text else text


def _only_address(response: Response) -> bool:
    return not response.contact and not response.touch and bool(response.address and response.channel)


def _signed(response: Response) -> bool:
    """Whether our own signed id named the touch (a provider's hearing read it): then we must know that touch."""
    return bool(response.touch) and response.attempt is not None and not response.contact


def _payload(response: Response) -> dict[str, Any]:
    """The payload with what the fold adds: the keyword of a reply."""
    payload = dict(response.payload)
    if response.name == "replied" and payload.get("text") and not payload.get("keyword"):
        payload["keyword"] = keyword(str(payload["text"]))
    return payload


def _said(response: Response, field: str) -> str:
    return str(response.payload.get(field) or "").strip().lower()


def _latest(sent: Sequence[Touched], response: Response, at: int) -> Touched | None:
    """The newest touch before the response that it can answer: what it says must fit, its medium must be able to."""
    media = ANSWERS.get(response.name)

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


_CONTACTS = sa.select(tb.contact.c.source_id, tb.contact.c.id).where(
    tb.contact.c.source_id.in_(sa.bindparam("names", expanding=True)), tb.contact.c.erased_at.is_(None)
)

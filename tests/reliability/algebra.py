"""Stories of what comes back about one message, and a crowd in which every person hears one story in an order of its own.

A story is at most six receipts. Each person of the crowd has the same message behind them and hears the same receipts, in one of their
720 orders and with repeats; what is known of each in the end must be the same (docs/delivery 15, docs/tests R8).
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import sqlalchemy as sa

sys.path.insert(0, str(Path(__file__).parents[1] / "campaigns"))
from sizes import SIZES
from stage import OMNI, Stage, a_campaign, paris

from omnicli.campaigns.hear import hear
from omnicli.campaigns.respond import fold
from omnicli.model.response import Receipt, Response
from omnicli.store.connection import Store
from omnicli.store.consents import fingerprint, pepper

TOPICS = OMNI + "topics:\n  nouveautes: Les nouveautés\n  soldes: Les soldes\n"
SENT = "2027-01-04 08:00"
#: How many of the 720 orders are told: all of them, but in a hurry.
PEOPLE = int(SIZES["algebra_people"])


@dataclass(frozen=True)
class Said:
    """One receipt of a story: what, how many minutes after the message, of which attempt (0: it names an address only)."""

    name: str
    after: float
    attempt: int = 1
    channel: str = "email"
    machine: bool = False
    payload: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Story:
    """`attempts`: what the store holds of the touch's attempts, the last one first decides its state."""

    title: str
    said: Sequence[Said]
    state: str = "accepted"
    attempts: Sequence[str] = ("accepted",)


DAY = 24 * 60.0
STORIES = (
    Story("a message is delivered, opened by a machine and a person, and clicked", (
        Said("receipt", 1, payload={"state": "processed"}), Said("receipt", 2, payload={"state": "deferred"}), Said("delivered", 3),
        Said("opened", 3, machine=True), Said("opened", 10), Said("clicked", 11, payload={"link": "https://example.com/a"}))),
    Story("a bounce comes after the delivery", (
        Said("receipt", 1, payload={"state": "processed"}), Said("delivered", 2), Said("opened", 5), Said("clicked", 6),
        Said("bounced", 90, payload={"kind": "hard", "code": "5.1.1"}), Said("clicked", 95))),
    Story("the provider drops it, since it holds the address for dead", (
        Said("receipt", 1, payload={"state": "processed"}), Said("receipt", 2, payload={"state": "deferred"}), Said("opened", 3, machine=True),
        Said("receipt", 4, payload={"state": "dropped", "suppress": "hard"}), Said("receipt", 5, payload={"state": "deferred"}), Said("clicked", 6))),
    Story("a complaint, a leaving, and what was opened before", (
        Said("delivered", 1), Said("opened", 2), Said("clicked", 3), Said("complained", 4), Said("unsubscribed", 5), Said("clicked", 6))),
    Story("stop, start, stop again", (
        Said("replied", 10, 0, "sms", payload={"text": "STOP"}), Said("replied", 20, 0, "sms", payload={"text": "Start"}),
        Said("replied", 30, 0, "sms", payload={"text": "arrêt"}), Said("replied", 31, 0, "sms", payload={"text": "aide"}),
        Said("replied", 25, 0, "sms", payload={"text": "merci"}), Said("replied", 5, 0, "sms", payload={"text": "unstop"}))),
    Story("a doubt and a refusal, both taken back, and a complaint that is not", (
        Said("replied", 10, 0, "sms", payload={"text": "plus de sms"}), Said("replied", 12, 0, "sms", payload={"text": "c'est du spam ?"}),
        Said("replied", 20, 0, "sms", payload={"text": "oui"}), Said("complained", 11, 0, "sms"), Said("delivered", 1),
        Said("replied", 20, 0, "sms", payload={"text": "St0p"}))),
    Story("nobody knew whether it had left", (
        Said("receipt", 1, payload={"state": "processed"}), Said("delivered", 2), Said("opened", 3), Said("clicked", 4),
        Said("replied", 5, payload={"text": "Oui !"}), Said("receipt", 2, payload={"state": "deferred"})), "unknown", ("unknown",)),
    Story("somebody took the risk of a second copy, and both arrived", (
        Said("delivered", 1, 1), Said("opened", 2, 1), Said("delivered", 70, 2), Said("opened", 71, 2), Said("receipt", 69, 2, payload={"state": "processed"}),
        Said("clicked", 72, 2)), "unknown", ("waived", "unknown")),
    Story("the first copy had arrived before the second began", (
        Said("delivered", 1, 1), Said("opened", 2, 1), Said("clicked", 3, 1), Said("receipt", 1, 1, payload={"state": "processed"}),
        Said("unsubscribed", 4, 1, payload={"topic": "soldes"}), Said("opened", 9, 1, machine=True)), "retry", ("waived",)),
    Story("an address that keeps bouncing softly, once with a delivery between", (
        *(Said("bounced", n * 4 * DAY, 0, payload={"kind": "soft", "code": "4.2.2"}) for n in range(1, 6)), Said("delivered", 18 * DAY, 0))),
    Story("a handset that is off, then a number that is gone", (
        *(Said("failed", n * DAY, 0, "sms", payload={"code": "30003"}) for n in range(1, 4)), Said("delivered", 1.5 * DAY, 0, "sms"),
        Said("failed", 5 * DAY, 0, "sms", payload={"code": "30005"}), Said("failed", 4 * DAY, 0, "sms", payload={"code": "21610"}))),
    Story("an attempt that the store calls unsent had arrived", (
        Said("delivered", 1), Said("opened", 2), Said("receipt", 3, payload={"state": "deferred"}), Said("unsubscribed", 4, payload={"scope": "everything"}),
        Said("clicked", 5), Said("bounced", 6, payload={"kind": "block"})), "retry", ("not_sent",)),
)  # fmt: skip


class Crowd:
    """720 people, each with one touch in the state of the story, in one store in memory."""

    def __init__(self, folder: Path) -> None:
        self.stage = Stage(folder, a_campaign("- {send: offre, id: j0, by: email}\n- {wait: 300 days, id: w}"), omni=TOPICS)
        self.names = [f"p{n:03}" for n in range(PEOPLE)]
        for name in self.names:
            self.stage.person(name, consent=("email", "sms"))
            self.stage.says(name, "signup")
        self.stage.now = paris(SENT)
        self.stage.fold()
        self.stage.enter()
        self.stage.turn()
        self.key = pepper(self.stage.store, self.stage.loaded.project.project)
        with self.stage.store.writer.connect() as connection:
            self.bytes = connection.connection.driver_connection.serialize()

    def begin(self, story: Story) -> None:
        """A fresh copy of the crowd, with the attempts of this story."""
        self.stage.store.close()
        self.stage.store = Store.memory()
        with self.stage.store.writer.connect() as connection:
            connection.connection.driver_connection.deserialize(self.bytes)
        ms = int(paris(SENT).timestamp() * 1000)
        steps = {
            "accepted": ("claimed", "sending", "accepted"),
            "unknown": ("claimed", "sending", "unknown"),
            "retry": ("claimed", "sending", "retry"),
        }
        with self.stage.store.write() as connection:
            connection.execute(
                sa.text(
                    "INSERT INTO handover (id, provider, account, size, started_at, outcome) VALUES (1, 'sendgrid', '', 1, :at, 'x')"
                ),
                {"at": ms},
            )
            for state in steps[story.state]:
                lease = "'w'" if state in ("claimed", "sending") else "NULL"
                connection.execute(
                    sa.text(f"UPDATE touch SET send_state = '{state}', lease_by = {lease}, attempts = {len(story.attempts)}")
                )
            if story.state == "accepted":
                connection.execute(sa.text("UPDATE touch SET settled_at = :at"), {"at": ms})
            rows = connection.execute(
                sa.text("SELECT x.id, x.touch_key, c.source_id FROM touch x JOIN contact c ON c.id = x.contact_id")
            ).all()
            self.touches = {name: key.hex() for _, key, name in rows}
            connection.execute(
                sa.text("INSERT INTO attempt (touch_id, n, handover_id, fence, outcome, provider_ref, address_hash, body_sha256, started_at, waived_by)"
                        " VALUES (:t, :n, 1, 0, :o, :ref, :h, x'', :at, :who)"),
                [{"t": id_, "n": n, "o": outcome, "ref": "r" if outcome == "accepted" else None, "at": ms,
                  "h": fingerprint(self.key, "email", f"{name}@email"), "who": "policy" if outcome == "waived" else None}
                 for id_, _, name in rows for n, outcome in enumerate(story.attempts, 1)],
            )  # fmt: skip

    def receipt(self, name: str, number: int, said: Said, *, fresh_id: bool = False) -> Receipt:
        """The receipt of this person; `fresh_id`: the provider gives its repeat another id, so only what it says tells it."""
        key = hashlib.blake2b(f"{name} {number}".encode(), digest_size=16).digest()
        at = paris(SENT) + timedelta(minutes=said.after)
        named = {"touch": self.touches[name], "attempt": said.attempt} if said.attempt else {"address": f"{name}@{said.channel}"}
        response = Response(
            f"{name}-{number}",
            "",
            said.name,
            at,
            source="sendgrid",
            channel=said.channel,
            machine=said.machine,
            payload=said.payload,
            **named,
        )
        return Receipt("sendgrid", key, b"{}", response, event_id=f"{name}-{number}{'-again' if fresh_id else ''}")

    # --- hearing ----------------------------------------------------------------------------------------------------
    def tell(self, story: Story, orders: Sequence[Sequence[int]], *, fold_each: bool) -> None:
        """Everybody hears the story in their own order, each receipt again later, half of the repeats under another id."""
        now = paris(SENT) + timedelta(days=60)
        for place in range(len(story.said)):
            receipts = []
            for name, order in zip(self.names[: len(orders)], orders, strict=True):
                receipts.append(self.receipt(name, order[place], story.said[order[place]]))
                again = order[place // 2]
                receipts.append(self.receipt(name, again, story.said[again], fresh_id=place % 2 == 0))
            for start in range(0, len(receipts), 500):
                hear(self.stage.store, self.stage.loaded, receipts[start : start + 500], now=now)
            if fold_each:
                fold(self.stage.store, self.stage.loaded, now=now)
            now += timedelta(seconds=1)
        fold(self.stage.store, self.stage.loaded, now=now)

    # --- what is known of each ----------------------------------------------------------------------------------------
    def known(self) -> dict[str, Any]:
        """Of each person all that a fold may have changed, without numbers of rows and instants of hearing."""
        asked: dict[str, str] = {
            "events": "SELECT c.source_id, e.name, e.at, e.channel, e.campaign, e.step, e.machine, e.payload FROM event e JOIN contact c ON c.id = e.contact_id"
                      " WHERE e.name NOT IN ('signup', 'entered')",
            "person": "SELECT c.source_id, c.reach, c.last_human_channel, c.last_human_at, c.complaint_until FROM contact c",
            "touch": "SELECT c.source_id, x.send_state, x.delivery_state, x.flags FROM touch x JOIN contact c ON c.id = x.contact_id",
            "attempts": "SELECT c.source_id, a.n, a.outcome FROM attempt a JOIN touch x ON x.id = a.touch_id JOIN contact c ON c.id = x.contact_id",
            "evidence": "SELECT DISTINCT c.source_id, v.n, v.kind FROM evidence v JOIN touch x ON x.id = v.touch_id JOIN contact c ON c.id = x.contact_id",
            "bars": "SELECT c.source_id, s.channel, s.scope, s.reason, s.at, s.until FROM suppression s JOIN address a ON a.hmac = s.norm_hmac"
                    " JOIN contact c ON c.id = a.contact_id",
            "addresses": "SELECT c.source_id, a.channel, a.bad FROM address a JOIN contact c ON c.id = a.contact_id",
            "cases": "SELECT c.source_id, k.kind, k.opened_at, k.channel FROM inbox_case k JOIN contact c ON c.id = k.contact_id",
            "consents": "SELECT c.source_id, g.channel, g.state, g.at, g.source FROM consent_log g JOIN contact c ON c.id = g.contact_id",
        }  # fmt: skip
        found: dict[str, dict[str, list[Any]]] = {name: {} for name in self.names}
        with self.stage.store.read() as connection:
            for what, query in asked.items():
                for name, *row in connection.execute(sa.text(query)):
                    found[name].setdefault(what, []).append(tuple(row))
        return {name: {what: sorted(rows, key=repr) for what, rows in all_.items()} for name, all_ in found.items()}


ORDERS: tuple[tuple[int, ...], ...] = tuple(permutations(range(6)))[:: 720 // PEOPLE][:PEOPLE]

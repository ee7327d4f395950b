"""Whoever left is left alone: unsubscribing, STOP, complaints, refusals and dead addresses become bars; only START undoes, and only STOP.

The same bars are raised when a webhook is stored (T4) and when it is folded, so that nothing starts in between; a word that undoes
waits for the fold. A bar hits the address that was used, whoever has it (rules.md SU).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from omnicli.campaigns.respond import history, keywords
from omnicli.campaigns.respond.understand import Heard, normal
from omnicli.model.project import EVERYTHING, Project
from omnicli.store import consents
from omnicli.store import tables as tb
from omnicli.store.consents import Bar

if TYPE_CHECKING:
    from omnicli.store.connection import Store

#: After a spoken refusal nobody calls again for so long; in France never again (rules.md FR-08, FR-10, SU-10).
REFUSED_FOR = timedelta(days=60)
FOR_EVER = frozenset({"FR"})
#: Error codes of SMS that say: this address is dead (SU-01), or: this person stopped us (SU-11).
DEAD_CODES = frozenset({"30005", "30006", "21211", "21614", "5.1.1", "5.1.2", "5.1.10", "5.4.1"})
STOPPED_CODES = frozenset({"21610"})
#: What a provider calls the bar that it holds, where that means a dead address.
DEAD = frozenset({"hard", "bounced", "dead", "invalid"})
#: Where a bar comes from that a provider held and we did not know: this and the provider's name.
MIRROR = "mirror:"
#: Channels whose address is a place where somebody can be reached.
ADDRESSED = frozenset({"email", "sms", "whatsapp", "messenger", "push", "voice", "letter"})
#: Names of responses that may carry a bar: the rest is not even looked at when a webhook is stored.
CARRYING = frozenset({"unsubscribed", "complained", "refused", "bounced", "replied", "failed"})


@dataclass(frozen=True, slots=True)
class Place:
    """An address by its fingerprint, and by its text where that is known."""

    channel: str
    mark: bytes
    norm: str | None = None


@dataclass
class Left:
    """Of one batch: people whom its bars hit, and bars that a provider held and we did not (SU-11)."""

    people: int = 0
    mirrored: int = 0


def carries(h_name: str, payload: Mapping[str, object]) -> bool:
    """Whether a response of this name and payload may carry a bar."""
    return h_name in CARRYING or bool(payload.get("suppress"))


_IDS: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)
_PLACES = sa.select(tb.address.c.contact_id, tb.address.c.channel, tb.address.c.hmac, tb.address.c.norm).where(
    tb.address.c.contact_id.in_(_IDS), tb.address.c.hmac.is_not(None)
)
_COUNTRIES = sa.select(tb.contact.c.id, tb.contact.c.country).where(tb.contact.c.id.in_(_IDS))
_DEAD = sa.text("UPDATE address SET bad = :why WHERE channel = :c AND norm = :n AND hmac = :h AND bad IS NULL")


class OptOuts:
    """Raises the bars of one batch. `at_once`: the transaction that stores a webhook; the ledger does not know its words yet."""

    def __init__(self, store: Store, connection: sa.Connection, project: Project, *, now: datetime) -> None:
        self.store, self.connection, self.project, self.now = store, connection, project, now

    @cached_property
    def pepper(self) -> bytes:
        return consents.pepper(self.store, self.project.project)

    def raise_bars(self, heard: Sequence[Heard], *, at_once: bool) -> Left:
        """The bars of these responses, of people known and unknown."""
        words = [h for h in heard if not h.response.machine and carries(h.response.name, h.response.payload)]
        if not words:
            return Left()
        self._look(words)
        left = Left()
        bars: list[Bar] = []
        for h in words:
            bars += self._of(h, left)
            if h.response.name == "replied" and (at_once or h.contact_id is None):
                bars += self._stopped(h)
        self._kill([bar for bar in bars if bar.scope == "all"])
        if not at_once:
            left.people += self._keywords([h for h in words if h.response.name == "replied" and h.contact_id is not None])
        if bars:
            left.people += len(consents.suppress(self.connection, bars, now=self.now))
        return left

    # --- what is looked up, once a batch ----------------------------------------------------------------------------
    def _look(self, words: Sequence[Heard]) -> None:
        ids = sorted({h.contact_id for h in words if h.contact_id is not None})
        self.places: dict[int, dict[str, Place]] = {}
        self.countries: dict[int, str | None] = {}
        for start in range(0, len(ids), consents.ROWS):
            some = {"ids": ids[start : start + consents.ROWS]}
            for id_, channel, mark, norm in self.connection.execute(_PLACES, some):
                self.places.setdefault(id_, {})[channel] = Place(channel, bytes(mark), norm)
            self.countries.update((row[0], row[1]) for row in self.connection.execute(_COUNTRIES, some))
        self.used = self._used([h for h in words if h.named and h.response.attempt])

    def _used(self, words: Sequence[Heard]) -> dict[tuple[int, int], bytes]:
        """(touch, attempt) → the fingerprint of the address that it went to, which may no longer be the contact's."""
        t = tb.attempt.c
        touches = sorted({h.touch.id for h in words if h.touch is not None})
        found: dict[tuple[int, int], bytes] = {}
        for start in range(0, len(touches), consents.ROWS):
            query = sa.select(t.touch_id, t.n, t.address_hash).where(t.touch_id.in_(touches[start : start + consents.ROWS]))
            found.update({(touch, n): bytes(mark) for touch, n, mark in self.connection.execute(query) if mark})
        return found

    # --- what each says ---------------------------------------------------------------------------------------------
    def _of(self, h: Heard, left: Left) -> list[Bar]:
        name, payload = h.response.name, h.response.payload
        found: list[Bar] = []
        if name == "unsubscribed":
            found += self._bars(h, "unsubscribed", self._channels(h), scope=scope_of(h.leaves))
        elif name == "complained":
            found += self._bars(h, "complained", [h.channel or "email"])
        elif name == "refused":
            found += self._bars(h, "refused", ["voice"], until=self._refused_until(h))
        elif _dead(h) and h.channel is not None:
            found += self._bars(h, "bounced", [h.channel], scope="all", only_used=True)
        held = str(
            payload.get("suppress") or ("stop" if name == "failed" and str(payload.get("code")) in STOPPED_CODES else "")
        ).lower()
        if held and h.channel is not None and held not in DEAD:
            left.mirrored += 1
            found += self._bars(h, held, [h.channel], source=f"mirror:{h.arrival.provider}")
        elif held:
            left.mirrored += 1
        return found

    def _refused_until(self, h: Heard) -> datetime | None:
        country = self.countries.get(h.contact_id or 0) or (self.project.countries[0] if self.project.countries else None)
        return None if country in FOR_EVER else h.at + REFUSED_FOR

    def _stopped(self, h: Heard) -> list[Bar]:
        """A STOP or a doubt that the ledger does not hold, or not yet."""
        word = keywords.of_payload(h.response.payload)
        return self._bars(h, word, [h.channel], source="keyword") if word in ("stop", "doubt") and h.channel is not None else []

    def _channels(self, h: Heard) -> list[str]:
        """One channel when the response says which; else everything this person can be reached by."""
        return [h.channel] if h.channel is not None else sorted(self.places.get(h.contact_id or 0, ()))

    def _bars(self, h: Heard, reason: str, channels: Iterable[str], *, until: datetime | None = None, scope: str = "marketing",
              source: str | None = None, only_used: bool = False) -> list[Bar]:  # fmt: skip
        return [
            Bar(place.channel, place.mark, reason, h.at, scope, until, source or h.arrival.provider, place.norm)
            for channel in channels
            for place in self._where(h, channel, only_used=only_used)
        ]

    def _where(self, h: Heard, channel: str, *, only_used: bool) -> list[Place]:
        """Where it hits: the address that the touch used, the one that the response names, the one that the contact has now.
        A dead address is the one that was used, where that is known."""
        now = self.places.get(h.contact_id or 0, {}).get(channel)
        found: dict[bytes, Place] = {}
        mark = self.used.get((h.touch.id, h.response.attempt or 0)) if h.touch is not None and h.named else None
        if mark is not None and h.touch is not None and h.touch.channel == channel and channel in ADDRESSED:
            found[mark] = now if now is not None and now.mark == mark else Place(channel, mark)
        if h.response.address and channel == (h.response.channel or channel):
            norm = normal(h.response.address)
            place = Place(channel, consents.fingerprint(self.pepper, channel, norm), norm)
            found[place.mark] = place
        if now is not None and not (only_used and found):
            found[now.mark] = now
        return list(found.values())

    # --- dead addresses ---------------------------------------------------------------------------------------------
    def _kill(self, bars: Sequence[Bar]) -> None:
        """Say at the addresses themselves that they are dead; conditions ask there."""
        rows = [{"c": bar.channel, "h": bar.norm_hmac, "n": bar.norm, "why": bar.reason} for bar in bars]
        if known := [row for row in rows if row["n"] is not None]:
            self.connection.execute(_DEAD, known)

    # --- STOP and START ---------------------------------------------------------------------------------------------
    def _keywords(self, replies: Sequence[Heard]) -> int:
        """Addresses that somebody has are told by the ledger; at others only the word itself is known, and it cannot be undone."""
        spoken = [
            h for h in replies if h.channel is not None and keywords.of_payload(h.response.payload) in ("stop", "start", "doubt")
        ]
        places = {p for h in spoken for p in self._where(h, h.channel or "", only_used=False)}
        owned = history.owners(self.connection, places)
        mine = sorted((p for p in places if (p.channel, p.mark) in owned), key=lambda p: (p.channel, p.mark))
        lost = [bar for h in spoken for bar in self._stopped(h) if (bar.channel, bar.norm_hmac) not in owned]
        hit = consents.suppress(self.connection, lost, now=self.now) if lost else set()
        return len(hit) + history.refold(self.connection, mine, owned, now=self.now)


def _held(h: Heard) -> str:
    """The bar that the provider says it holds, or nothing."""
    code = str(h.response.payload.get("code") or "")
    stopped = h.response.name == "failed" and code in STOPPED_CODES
    return str(h.response.payload.get("suppress") or ("stop" if stopped else "")).lower()


def scope_of(leaves: str | None) -> str:
    """The scope of the bar that leaving this raises."""
    return "marketing" if leaves is None or leaves == EVERYTHING else consents.TOPIC + leaves


def _dead(h: Heard) -> bool:
    """Whether it says that the address is dead (SU-01): a hard bounce, a code, or that the provider holds it for dead. A block is
    the sender's fault (SU-04), a soft bounce may pass (SU-03)."""
    payload, name = h.response.payload, h.response.name
    if _held(h) in DEAD:
        return True
    if name == "bounced":
        return str(payload.get("kind") or "hard") == "hard"
    return name == "failed" and (str(payload.get("kind") or "") == "hard" or str(payload.get("code") or "") in DEAD_CODES)

"""What the words of one sender leave, told by all of them in the order in which they were written: never by the order of hearing.

STOP and clear refusals bar, doubt bars until a person has looked, START undoes both and nothing else (docs/delivery 17).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from omnicli import clock
from omnicli.campaigns.respond import keywords
from omnicli.store import consents
from omnicli.store import tables as tb
from omnicli.store.consents import Bar, Permission

if TYPE_CHECKING:
    from omnicli.campaigns.respond.optout import Place

REASONS = ("stop", "doubt")
SOURCE = "keyword"


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a sender: when, which, by which contact of that address."""

    at: int
    word: keywords.Word
    contact_id: int

    @property
    def order(self) -> tuple[int, bool]:
        """Of two at one instant the refusal stands."""
        return self.at, self.word != "start"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a sender's words leave: since when stopped or in doubt, the last START, and every START that had something to undo."""

    stopped: int | None = None
    doubted: int | None = None
    started: int | None = None
    resumed: tuple[Word, ...] = ()


def judge(words: Iterable[Word]) -> Verdict:
    """The first STOP and the first doubt since the last START. A pure function of the set of words."""
    stopped: int | None = None
    doubted: int | None = None
    started: int | None = None
    refused = False
    resumed: list[Word] = []
    for word in sorted(words, key=lambda w: w.order):
        if word.word == "start":
            if refused:
                resumed.append(word)
            stopped, doubted, started = None, None, word.at
        elif word.word == "stop":
            stopped, refused = word.at if stopped is None else stopped, True
        elif word.word == "doubt":
            doubted, refused = word.at if doubted is None else doubted, True
    return Verdict(stopped, doubted, started, tuple(resumed))


Owners = Mapping[tuple[str, bytes], Sequence[int]]


def owners(connection: sa.Connection, places: Iterable[Place]) -> Owners:
    """(channel, fingerprint) → who has that address now; nobody is left out."""
    a = tb.address.c
    known = [p for p in places if p.norm is not None]
    wanted = {(p.channel, p.mark) for p in known}
    found: dict[tuple[str, bytes], list[int]] = {}
    for start in range(0, len(known), consents.ROWS):
        some = known[start : start + consents.ROWS]
        query = sa.select(a.contact_id, a.channel, a.hmac).where(
            a.channel.in_({p.channel for p in some}), a.norm.in_({p.norm for p in some})
        )
        for id_, channel, mark in connection.execute(query):
            if mark is not None and (channel, bytes(mark)) in wanted:
                found.setdefault((channel, bytes(mark)), []).append(id_)
    return found


def refold(connection: sa.Connection, places: Sequence[Place], owned: Owners, *, now: datetime) -> int:
    """Make the keyword bars of these addresses, which somebody has, what all their words say; people hit by those that stand."""
    if not places:
        return 0
    words = _words(connection, owned)
    standing = _standing(connection, places)
    raise_: list[Bar] = []
    lift: list[Bar] = []
    said: list[tuple[str, Word]] = []
    for place in places:
        verdict = judge(words.get((place.channel, place.mark), ()))
        said += [(place.channel, word) for word in verdict.resumed]
        for reason, since in (("stop", verdict.stopped), ("doubt", verdict.doubted)):
            wanted = (
                None
                if since is None
                else Bar(place.channel, place.mark, reason, clock.from_ms(since), source=SOURCE, norm=place.norm)
            )
            there = standing.get((place.channel, place.mark, reason))
            if there is not None and _gone(there, verdict, since):
                until = clock.from_ms(
                    max(0, (verdict.started or 0) - 1)
                )  # a doubt at that instant stands, and one after it may still come
                lift.append(Bar(place.channel, place.mark, reason, until, norm=place.norm, source=SOURCE))
            if wanted is not None:
                raise_.append(wanted)
    consents.lift(connection, lift, now=now)
    _consented(connection, said, now)
    return len(consents.suppress(connection, raise_, now=now))


def _gone(there: tuple[int, str | None], verdict: Verdict, since: int | None) -> bool:
    """Whether a bar that stands is not what the words say: ours by another instant, or another's that a later START undid."""
    at, source = there
    if source == SOURCE:
        return at != since
    return verdict.started is not None and verdict.started > at


def _words(connection: sa.Connection, owned: Owners) -> dict[tuple[str, bytes], list[Word]]:
    """All that was written from each address, by whichever contact has it."""
    e = tb.event.c
    place = {(id_, channel): (channel, mark) for (channel, mark), ids in owned.items() for id_ in ids}
    ids = sorted({id_ for id_, _ in place})
    found: dict[tuple[str, bytes], list[Word]] = {}
    for start in range(0, len(ids), consents.ROWS):
        rows = connection.execute(
            sa.select(e.contact_id, e.channel, e.at, e.payload).where(
                e.contact_id.in_(ids[start : start + consents.ROWS]), e.name == "replied", e.machine == 0, e.channel.is_not(None)
            )
        )
        for id_, channel, at, payload in rows:
            where = place.get((id_, channel))
            word = keywords.of_payload(json.loads(payload or "{}")) if where is not None else None
            if where is not None and word is not None and word != "help":
                found.setdefault(where, []).append(Word(at, word, id_))
    return found


def _standing(connection: sa.Connection, places: Sequence[Place]) -> dict[tuple[str, bytes, str], tuple[int, str | None]]:
    s = tb.suppression.c
    found: dict[tuple[str, bytes, str], tuple[int, str | None]] = {}
    marks = [p.mark for p in places]
    for start in range(0, len(marks), consents.ROWS):
        query = sa.select(s.channel, s.norm_hmac, s.reason, s.at, s.source).where(
            s.norm_hmac.in_(marks[start : start + consents.ROWS]), s.scope == "marketing", s.reason.in_(REASONS)
        )
        found.update(
            {(channel, bytes(mark), reason): (at, source) for channel, mark, reason, at, source in connection.execute(query)}
        )
    return found


def _consented(connection: sa.Connection, said: Sequence[tuple[str, Word]], now: datetime) -> None:
    """START is a statement of the person: a line in the log of consents. What was permitted before stands as it stood."""
    lines = [
        Permission(word.contact_id, channel, True, clock.from_ms(word.at), source=SOURCE, proof="START") for channel, word in said
    ]
    consents.note_permissions(connection, lines, now=now)

"""What must always hold (docs/tests 1): asked of a live store and of the fakes' own logs, by one function.

The store is read as a file and the logs as lines; nothing of omni is imported, so that a defect cannot vouch for itself.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
import sqlite3
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from omnicli.store.inbox import event_hash

ENDS = frozenset({"accepted", "rejected", "skipped", "held_out"})
SHOWN = frozenset({"unknown", "parked"})
WAITING = frozenset({"planned", "retry"})


@dataclass(frozen=True)
class Seen:
    """The store as it stands, and what reached people. `now` in milliseconds of the trial's clock; `before` counts the rows of
    the logs at an earlier look; `posted` are the ids of webhook events that were answered 2xx."""

    store: Path | str  # a SQLite file, or the address of a database
    log: Sequence[Mapping[str, Any]]
    now: int
    people: int | None = None
    caps: Mapping[str, int] = field(default_factory=dict)
    quiet: Callable[[datetime], bool] | None = None
    zone: str = "Europe/Paris"
    steps: Sequence[tuple[str, int]] = ()  # step and the milliseconds that must lie between it and the one before
    before: Mapping[str, int] = field(default_factory=dict)
    posted: Sequence[str] = ()
    status: Mapping[str, Any] | None = None  # what `omni status --json` says of this moment
    at_rest: bool = False  # everything that can end has ended: nothing may wait, be claimed or under way
    attempts: int = 5

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        return asked(self.store, query, *values)

    @cached_property
    def touches(self) -> dict[str, tuple[Any, ...]]:
        """key → (state, reason, due_at, lease_until, enrollment_id, step, purpose, channel, id)."""
        found = self.rows(
            "SELECT lower(hex(touch_key)), send_state, reason, due_at, lease_until, enrollment_id, step, purpose, channel, id FROM touch"
        )
        return {row[0]: row[1:] for row in found}

    @cached_property
    def tries(self) -> dict[str, list[tuple[Any, ...]]]:
        """key → (n, outcome, started_at, fence, provider_ref, free) of its attempts in order."""
        found: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        query = (
            "SELECT lower(hex(t.touch_key)), a.n, a.outcome, a.started_at, a.fence, a.provider_ref, a.free FROM attempt a "
            "JOIN touch t ON t.id = a.touch_id ORDER BY 1, 2"
        )
        for row in self.rows(query):
            found[row[0]].append(row[1:])
        return found

    @cached_property
    def archive(self) -> dict[str, dict[str, str]]:
        """key → part → text, put together again from what the store keeps of it, by a reader of the judge's own."""
        query = (
            'SELECT lower(hex(t.touch_key)), s.parts, r."values" FROM rendering r JOIN skeleton s ON s.id = r.skeleton_id '
            "JOIN touch t ON t.id = r.touch_id"
        )
        return {key: _put_together(parts, values) for key, parts, values in self.rows(query)}

    @cached_property
    def reached(self) -> Counter[str]:
        return Counter(str(line["touch"]) for line in self.log)


_MARK = re.compile("\ue000([0-9]+)\ue001")
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "'": "&#39;", '"': "&#34;"}
_AGAIN: Mapping[str, Callable[[str], str]] = {
    "=": str,
    "<": lambda text: text.translate(str.maketrans(_ESCAPES)),
    ">": html.unescape,
}


def _put_together(parts: bytes, kept: bytes) -> dict[str, str]:
    """The message of a skeleton and its values, as the format (1) is written down."""
    skeleton = json.loads(zlib.decompress(parts).decode("utf-8", "surrogatepass"))
    packed = (zlib.decompress(kept) if kept[:1] == b"\x78" else kept).decode("utf-8", "surrogatepass")
    differs, _, text = packed.partition("\x1f")
    own = iter(json.loads(text[1:]) if text.startswith("\x1e") else text.split("\x1f"))
    values: dict[int, str] = {}
    for n, digit, usual in zip(skeleton["kept"], f"{int(differs, 16):b}"[1:], skeleton["sample"], strict=True):
        values[n] = next(own) if digit == "1" else usual
    for n, (first, how) in skeleton["twins"].items():
        values[int(n)] = _AGAIN[how](values[first])
    return {name: _MARK.sub(lambda mark: values[int(mark[1])], text) for name, text in skeleton["parts"].items()}


def breaches(seen: Seen) -> list[str]:
    """Every invariant that does not hold, `I1: …` each."""
    return [f"{name}: {said}" for name, check in CHECKS.items() for said in check(seen)]


def _no_doubles(seen: Seen) -> list[str]:
    waived = {key for key, tries in seen.tries.items() if any(one[1] == "waived" for one in tries)}
    return [f"{key} reached somebody {n} times" for key, n in seen.reached.items() if n > 1 and key not in waived]


def _nothing_lost(seen: Seen) -> list[str]:
    found = []
    for key, (state, reason, due, lease, *_rest) in seen.touches.items():
        if state in ENDS:
            if state in ("skipped", "rejected") and not reason:
                found.append(f"{key} is {state} without a reason")
        elif state in SHOWN:
            continue
        elif seen.at_rest or (state in WAITING and due is None) or (state not in WAITING and lease is None):
            found.append(f"{key} is {state}, and nothing says until when")
    return found


def _no_call_after_an_opt_out(seen: Seen) -> list[str]:
    query = (
        "SELECT lower(hex(t.touch_key)), a.started_at, s.at, s.reason FROM attempt a JOIN touch t ON t.id = a.touch_id "
        "JOIN address d ON d.contact_id = t.contact_id AND d.channel = t.channel "
        "JOIN suppression s ON s.norm_hmac = d.hmac AND s.channel = d.channel "
        "WHERE a.started_at > s.at AND t.purpose = 'marketing' AND s.scope IN ('all', 'marketing')"
    )
    return [f"{key} was called at {at}, after {why} at {since}" for key, at, since, why in seen.rows(query)]


def _caps_hold(seen: Seen) -> list[str]:
    query = "SELECT contact_id, local_date, rule, count(*) FROM cap_slot GROUP BY 1, 2, 3"
    return [f"contact {c} got {n} of {rule} on {day}" for c, day, rule, n in seen.rows(query) if n > seen.caps.get(rule, 100)]


def _quiet_is_quiet(seen: Seen) -> list[str]:
    if seen.quiet is None:
        return []
    zone = ZoneInfo(seen.zone)
    marketing = {key for key, row in seen.touches.items() if row[6] == "marketing"}
    return [
        f"{key} was called at {at}" for key in marketing for n, _outcome, started, *_ in seen.tries.get(key, ())
        if seen.quiet(at := datetime.fromtimestamp(started / 1000, UTC).astimezone(zone))
    ]  # fmt: skip


def _steps_in_order(seen: Seen) -> list[str]:
    if len(seen.steps) < 2:
        return []
    passes: dict[int, dict[str, str]] = defaultdict(dict)
    for key, row in seen.touches.items():
        passes[row[4]][row[5]] = key
    found = []
    for steps in passes.values():
        for (first, _), (second, apart) in zip(seen.steps, seen.steps[1:], strict=False):
            if second in steps and first in steps and seen.tries.get(steps[second]):
                began = seen.tries[steps[first]][-1][2] if seen.tries.get(steps[first]) else None
                if seen.touches[steps[first]][0] not in ENDS:
                    found.append(f"{steps[second]} was called while {first} was {seen.touches[steps[first]][0]}")
                elif began is not None and seen.tries[steps[second]][0][2] < began + apart:
                    found.append(f"{steps[second]} came too soon after {first}")
    return found


def _accepted_is_known(seen: Seen) -> list[str]:
    person = {
        row[0]
        for row in seen.rows(
            "SELECT lower(hex(t.touch_key)) FROM evidence e JOIN touch t ON t.id = e.touch_id WHERE e.source LIKE 'person:%'"
        )
    }
    found = [
        f"{key} is accepted, and nobody got it"
        for key, row in seen.touches.items()
        if row[0] == "accepted" and key not in seen.reached and key not in person
    ]
    found += [f"{key} reached somebody, and the store does not know it" for key in seen.reached if key not in seen.touches]
    return found + [
        f"{key} reached somebody, and is {seen.touches[key][0]}" for key in seen.reached
        if key in seen.touches and seen.touches[key][0] in ("rejected", "planned", "claimed", "skipped", "held_out") and seen.touches[key][1] != "dropped"
    ]  # fmt: skip


def _acknowledged_is_kept(seen: Seen) -> list[str]:
    kept = {row[0] for row in seen.rows("SELECT provider_event_id FROM inbox")}
    return [
        f"event {event} was answered 2xx and is not there" for event in seen.posted if event_hash("sendgrid", event) not in kept
    ]


def _same_events_same_state(seen: Seen) -> list[str]:
    """A touch stands where the highest word said of it puts it, in whatever order the words came; and each word counted once."""
    query = (
        "SELECT t.id, t.delivery_state, e.kind FROM touch t LEFT JOIN evidence e ON e.touch_id = t.id "
        "AND e.source IN ('sendgrid', 'twilio', 'smtp', 'push')"
    )
    said: dict[tuple[int, str], set[int]] = defaultdict(set)
    for id_, state, kind in seen.rows(query):
        said[id_, state].add(RANKS.get(kind, 0))
    found = [f"touch {id_} is {state}" for id_, state in said if state not in RANKS]
    found += [
        f"touch {id_} is {state}, and more was said" for (id_, state), ranks in said.items() if RANKS.get(state, 0) < max(ranks)
    ]
    twice = (
        "SELECT touch_id, kind, count(*) FROM evidence WHERE source IN ('sendgrid', 'twilio') AND n > 0 "
        "GROUP BY touch_id, n, source, kind, at, detail HAVING count(*) > 1"
    )
    return found + [f"touch {id_}: {kind} counted {n} times" for id_, kind, n in seen.rows(twice)]


#: Where a touch stands by what was said of it: the highest wins.
RANKS = {
    "none": 0, "processed": 1, "queued": 2, "sent": 3, "deferred": 4, "delivered": 5, "bounced": 6, "dropped": 6, "undelivered": 6,
    "failed": 6, "read": 5,
}  # fmt: skip


def _everybody_is_accounted_for(seen: Seen) -> list[str]:
    if seen.people is None:
        return []
    contacts = seen.rows("SELECT count(*) FROM contact")[0][0]
    refused = seen.rows("SELECT count(DISTINCT row_no) FROM import_row WHERE outcome = 'refused'")[0][0]
    found = (
        []
        if contacts + refused == seen.people
        else [f"{seen.people} people came, {contacts} are here and {refused} were refused"]
    )
    twice = seen.rows(
        "SELECT contact_id, campaign_id, count(*) FROM enrollment WHERE state = 'open' GROUP BY 1, 2 HAVING count(*) > 1"
    )
    return found + [f"contact {c} is in campaign {g} {n} times" for c, g, n in twice]


def _paused_is_paused(seen: Seen) -> list[str]:
    query = (
        "SELECT lower(hex(t.touch_key)), a.started_at, c.name FROM attempt a JOIN touch t ON t.id = a.touch_id "
        "JOIN enrollment e ON e.id = t.enrollment_id JOIN campaign c ON c.id = e.campaign_id "
        "WHERE (c.state = 'paused' AND coalesce(c.pause_people, 'hold') = 'hold' AND a.started_at > c.paused_at) "
        "OR (c.state = 'stopped' AND a.started_at > c.stopped_at)"
    )
    return [f"{key} was called at {at}, {name} stood still" for key, at, name in seen.rows(query)]


def _each_got_his_own(seen: Seen) -> list[str]:
    """What a fake saw went to the person of that touch, and its words are those that the archive gives again."""
    query = "SELECT lower(hex(t.touch_key)), lower(d.norm) FROM touch t JOIN address d ON d.contact_id = t.contact_id AND d.channel = t.channel"
    owner = dict(seen.rows(query))
    return [
        f"{line['touch']} went to {line['to']}" for line in seen.log
        if line["touch"] in owner and str(line["to"]).lower().rpartition(":")[2] != owner[line["touch"]]
    ] + [f"{line['touch']} read otherwise than it is kept" for line in seen.log if _reads_otherwise(seen, line)]  # fmt: skip


def _reads_otherwise(seen: Seen, line: Mapping[str, Any]) -> bool:
    """Whether the hash that the fake took of what a person read differs from that of the archived words; asked of a touch's newest
    attempt, for the archive keeps that one."""
    key = str(line["touch"])
    kept, tries = seen.archive.get(key), seen.tries.get(key)
    if kept is None or not tries or line.get("attempt") != tries[-1][0]:
        return False
    said = "read" if "read" in line else "hash"
    words = kept["body"] if "body" in kept else "\n".join(kept.get(part, "") for part in ("subject", "text", "html"))
    return said in line and str(line[said]) != hashlib.sha256(words.encode()).hexdigest()


def _fences_grow(seen: Seen) -> list[str]:
    found = [key for key, tries in seen.tries.items() if [one[3] for one in tries] != sorted(one[3] for one in tries)]
    open_ = {key: sum(one[1] in ("intent", "unknown", "accepted") for one in tries) for key, tries in seen.tries.items()}
    return [f"{key}: its fences fall" for key in found] + [f"{key}: {n} attempts are open" for key, n in open_.items() if n > 1]


def asked(store: Path | str, query: str, *values: Any) -> list[tuple[Any, ...]]:
    """What the store answers, by a connection of the judge's own."""
    if isinstance(store, str):
        from houses_shared import rows_of

        return rows_of(store, query, *values)
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True, timeout=10)) as connection:
        return connection.execute(query, values).fetchall()


def counts(store: Path | str) -> dict[str, int]:
    """How many rows the tables hold that only grow."""
    return {name: asked(store, f"SELECT count(*) FROM {name}")[0][0] for name in GROWING}


GROWING = ("event", "evidence", "consent_log", "suppression_log", "decision", "attempt")


def _logs_only_grow(seen: Seen) -> list[str]:
    after = counts(seen.store) if seen.before else {}
    return [f"{name} shrank from {n} to {after[name]}" for name, n in seen.before.items() if after[name] < n]


def _sums_agree(seen: Seen) -> list[str]:
    states = Counter(row[0] for row in seen.touches.values())
    accepted = sum(any(one[1] == "accepted" for one in tries) for tries in seen.tries.values())
    found = [] if states["accepted"] == accepted else [f"{states['accepted']} touches are accepted, {accepted} attempts are"]
    size, rows = seen.rows("SELECT (SELECT coalesce(sum(size), 0) FROM handover), (SELECT count(*) FROM attempt)")[0]
    found += [] if size == rows else [f"handovers hold {size} touches, there are {rows} attempts"]
    return found + _told(seen, states)


#: What `status` tells of each campaign → the rows that it sums.
SUMS = {
    "entered": "SELECT count(*) FROM enrollment WHERE campaign_id = ?",
    "in_flight": "SELECT count(*) FROM enrollment WHERE campaign_id = ? AND state = 'open'",
    "unknown": "SELECT count(*) FROM touch t JOIN enrollment e ON e.id = t.enrollment_id WHERE e.campaign_id = ? AND t.send_state IN ('unknown','parked')",
}  # fmt: skip


def _told(seen: Seen, states: Mapping[str, int]) -> list[str]:
    """Each total that is told against the sum over its rows."""
    if seen.status is None:
        return []
    ids = dict(seen.rows("SELECT name, id FROM campaign"))
    pairs = [
        (f"{campaign['name']}: {name}", campaign[name], seen.rows(query, ids[campaign["name"]])[0][0])
        for campaign in seen.status["campaigns"] if campaign["name"] in ids for name, query in SUMS.items()
    ]  # fmt: skip
    pairs += [
        ("contacts", seen.status["contacts"], seen.rows("SELECT count(*) FROM contact")[0][0]),
        ("unknown", seen.status["unknown"], states.get("unknown", 0) + states.get("parked", 0)),
        ("unfolded", seen.status["unfolded"], seen.rows("SELECT count(*) FROM inbox WHERE folded_at IS NULL")[0][0]),
    ]
    return [f"{name} is told as {told}, there are {summed}" for name, told, summed in pairs if told != summed]


def _few_attempts_one_request_each(seen: Seen) -> list[str]:
    many = [
        f"{key} was tried {n} times"
        for key, tries in seen.tries.items()
        if (n := sum(not one[5] for one in tries)) > seen.attempts
    ]
    wire = Counter((str(line["touch"]), line.get("attempt")) for line in seen.log)
    return many + [f"attempt {n} of {key} made {count} requests" for (key, n), count in wire.items() if count > 1]


def _integrity(seen: Seen) -> list[str]:
    if isinstance(seen.store, str):
        return []  # a server checks its own pages
    said = [row[0] for row in seen.rows("PRAGMA integrity_check")]
    orphans = seen.rows("PRAGMA foreign_key_check")
    return [f"the file: {line}" for line in said if line != "ok"] + [f"orphans: {row}" for row in orphans[:3]]


CHECKS: Mapping[str, Callable[[Seen], list[str]]] = {
    "I1": _no_doubles, "I2": _nothing_lost, "I3": _no_call_after_an_opt_out, "I4": _caps_hold, "I5": _quiet_is_quiet, "I6": _steps_in_order,
    "I7": _accepted_is_known, "I8": _acknowledged_is_kept, "I9": _same_events_same_state, "I10": _everybody_is_accounted_for,
    "I11": _paused_is_paused, "I12": _each_got_his_own, "I13": _fences_grow, "I14": _logs_only_grow, "I15": _sums_agree,
    "I16": _few_attempts_one_request_each, "file": _integrity,
}  # fmt: skip

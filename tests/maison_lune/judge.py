"""What must hold after any season, asked of the store's rows, of the wire and of the contact file by plain Python.

Nothing of omni is used here but the names of tables and columns: hours, holidays, caps, chance, waits and flows are reckoned
anew. Every function gives the list of breaches it found, as sentences; an empty list is a season that went well.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from season import BEGIN, CONTACTS, STORY, Season

REASONS = frozenset(
    [
        "unreachable",
        "condition",
        "capped",
        "expired",
        "budget",
        "no_date",
        "no_words",
        "barred_by_law",
        "complaint_open",
        "duplicate",
        "ended",
        "stopped",
        "render_failed",
        "refused",
    ]
)
#: Zones of the countries of the base, and which comes first in tzdata's zone.tab.
ZONES = {
    "FR": ("Europe/Paris",), "RE": ("Indian/Reunion",), "GB": ("Europe/London",),
    "CA": ("America/St_Johns", "America/Halifax", "America/Toronto", "America/Winnipeg", "America/Regina", "America/Edmonton",
           "America/Vancouver", "America/Whitehorse"),
}  # fmt: skip
#: Public holidays between 21 September and 20 November 2026.
HOLIDAYS = {
    "FR": {date(2026, 11, 1), date(2026, 11, 11)}, "RE": {date(2026, 11, 1), date(2026, 11, 11)}, "CA": set(), "GB": set(),
}  # fmt: skip
CAPS = {
    "all": [(3, 7)],
    "email": [(1, 1), (2, 7)],
    "sms": [(2, 30)],
    "whatsapp": [(1, 7)],
    "letter": [(1, 30)],
    "voice": [(1, 30)],
    "push": [(1, 1)],
}
DAY = timedelta(days=1)

# --- the flows, said again in plain values -----------------------------------------------------------------------------
# ("send", id, moment) · ("wait", id, days, hours) · ("answer", id, days, {term: steps}) · ("choose", id, {answer: steps}) ·
# ("split", id, [(arm, share, steps)])
_RELANCE = [("send", "r1", "12:00")]
FLOWS: dict[tuple[str, int], list[Any]] = {
    ("automne", 1): [
        ("send", "a0", "10:00"),
        ("answer", "a-rep", 3, {
            "clicked": [("send", "a-clic", None)],
            "replied where (keyword in (oui, yes))": [("send", "a-oui", "11:00")],
            "replied": [("send", "a-autre", None)],
            "nothing": [("split", "a-bras", [
                ("sms", 50, [("send", "a-sms", None)]),
                ("lettre", 30, [("send", "a-lettre", None), ("answer", "a-scan", 6, {"scanned": [], "nothing": [("send", "a-muet", None)]})]),
                ("temoin", 20, []),
            ])],
        }),
        ("wait", "a-pause", 4, 0),
        ("choose", "a-choix", {True: [("send", "a-appel", None)], False: [("send", "a-fin", None)]}),
        ("wait", "a-repos", 10, 0),
        ("send", "a-adieu", "10:00"),
    ],
    ("panier", 1): [
        ("wait", "p-souffle", 0, 3), ("send", "p1", None), ("answer", "p-rep", 2, {"clicked": [], "nothing": [("send", "p2", None)]}),
        ("wait", "p-fin", 2, 0), ("send", "p3", None),
    ],
    ("relance", 1): [
        *_RELANCE, ("answer", "r-rep", 4, {"replied": [], "nothing": [("send", "r2", None)]}), ("wait", "r-repos", 12, 0), ("send", "r3", None),
    ],
    ("relance", 2): [*_RELANCE, ("wait", "r-long", 6, 0), ("send", "r4", None)],
    ("merci", 1): [("send", "m1", None)],
}  # fmt: skip
#: By which channels each step may go beside the one that the person prefers.
CHANNELS = {
    "a0": ("email", "sms", "whatsapp"), "a-clic": ("email", "sms"), "a-oui": ("whatsapp", "sms", "email"), "a-autre": ("email",),
    "a-sms": ("sms", "whatsapp"), "a-lettre": ("letter", "push"), "a-muet": ("push", "email"), "a-appel": ("voice", "letter"),
    "a-fin": ("email",), "a-adieu": ("email", "sms", "whatsapp"), "p1": ("email", "push"), "p2": ("push", "sms", "email"),
    "p3": ("email", "sms"), "r1": ("sms", "whatsapp", "email"), "r2": ("email", "sms"), "r3": ("email",), "r4": ("email", "whatsapp"),
    "m1": (),
}  # fmt: skip
GOALS = {"automne": 45, "panier": 14, "relance": 30}


def instant(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def millis(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def days_later(at: datetime, days: int, zone: ZoneInfo) -> datetime:
    """So many calendar days later at the same time on the clocks of the zone."""
    return (at.astimezone(zone) + timedelta(days=days)).astimezone(UTC)


def hashed(scale: int, *names: str) -> int:
    return int.from_bytes(hashlib.sha256("\x1f".join(names).encode()).digest()[:8], "big") % scale


@dataclass(frozen=True)
class Told:
    """A response as the test sent it, with the tick that first had it in its inbox."""

    who: str
    name: str
    at: datetime
    received: datetime
    channel: str | None
    text: str
    machine: bool
    place: str


class Judge:
    def __init__(self, season: Season) -> None:
        self.s = season
        self.people = {r["source_id"]: r for r in season.rows("SELECT * FROM contact")}
        self.by_id = {r["id"]: r for r in self.people.values()}
        self.touches = season.rows("SELECT t.*, c.source_id who, k.name campaign, e.held_out held, e.pass, v.number version FROM touch t "
                                   "JOIN enrollment e ON e.id = t.enrollment_id JOIN contact c ON c.id = t.contact_id "
                                   "JOIN campaign k ON k.id = e.campaign_id JOIN campaign_version v ON v.id = e.version_id ORDER BY t.id")  # fmt: skip
        self.by_key = {r["touch_key"].hex(): r for r in self.touches}
        self.passes = season.rows("SELECT e.*, k.name campaign, c.source_id who, v.number version FROM enrollment e JOIN campaign k ON k.id = e.campaign_id "
                                  "JOIN contact c ON c.id = e.contact_id JOIN campaign_version v ON v.id = e.version_id ORDER BY e.id")  # fmt: skip
        self.of_pass: dict[int, list[Any]] = defaultdict(list)
        for touch in self.touches:
            self.of_pass[touch["enrollment_id"]].append(touch)
        self.marketing = [(at, one) for at, one in season.wire.handed if one.purpose == "marketing"]
        self.ticks = sorted({report.now for report in season.reports})
        self.last = self.ticks[-1]

    # --- zones ------------------------------------------------------------------------------------------------------
    def zones(self, who: str) -> tuple[ZoneInfo, ...]:
        row = self.people[who]
        if row["time_zone"]:
            return (ZoneInfo(row["time_zone"]),)
        return tuple(map(ZoneInfo, ZONES[row["country"]] if row["country"] else {z for zs in ZONES.values() for z in zs}))

    def zone(self, who: str) -> ZoneInfo:
        row = self.people[who]
        return ZoneInfo(row["time_zone"] or (ZONES[row["country"]][0] if row["country"] else "Europe/Paris"))

    # --- what left --------------------------------------------------------------------------------------------------
    def wire(self) -> Iterator[str]:
        """I1, I7: what left was accepted once, and what was accepted left; the sandbox's pages are the same list."""
        count = Counter(one.touch for _, one in self.s.wire.handed)
        for key, n in count.items():
            row = self.by_key.get(key)
            if n != 1:
                yield f"{key} left {n} times"
            if row is None or row["send_state"] != "accepted":
                yield f"{key} left and is {row['send_state'] if row else 'unknown to the store'}"
        for at, one in self.s.wire.handed:
            row = self.by_key[one.touch]
            if (row["who"], row["step"], row["channel"], row["settled_at"]) != (one.contact, one.step, one.channel, millis(at)):
                yield f"{one.touch} left as {one.contact} {one.step} {one.channel} {at} but stands as {tuple(row.values())}"
        for key, row in self.by_key.items():
            if row["send_state"] == "accepted" and key not in count:
                yield f"{key} is accepted and never left"
        accepted = {
            r["touch_key"].hex()
            for r in self.s.rows(
                "SELECT t.touch_key FROM attempt a JOIN touch t ON t.id = a.touch_id WHERE a.outcome = 'accepted'"
            )
        }
        if accepted != set(count):
            yield "attempts and wire disagree"
        if self.s.wire.behind is not None:
            pages = Counter(page["touch"] for page in self.s.pages())
            if pages != count:
                yield f"the outbox lists {len(pages)} messages of {len(count)}"

    def hours(self) -> Iterator[str]:
        """I5: not at night, not on Sunday, not on a holiday; in every zone where the person may be. Calls as French law wants."""
        for at, one in self.marketing:
            country = self.people[one.contact]["country"]
            for zone in self.zones(one.contact):
                local = at.astimezone(zone)
                free = (
                    time(9) <= local.time() < time(20) and local.weekday() != 6 and local.date() not in HOLIDAYS[country or "FR"]
                )
                if one.channel == "voice" and country == "FR":
                    free = (
                        free
                        and local.weekday() < 5
                        and (time(10) <= local.time() < time(13) or time(14) <= local.time() < time(20))
                    )
                if not free:
                    yield f"{one.contact} got {one.step} by {one.channel} at {local} ({zone.key})"

    def caps(self) -> Iterator[str]:
        """I4: on no run of consecutive local dates more than the cap, all campaigns together."""
        dates: dict[tuple[str, str], list[date]] = defaultdict(list)
        for at, one in self.marketing:
            for rule in ("all", one.channel):
                dates[one.contact, rule].append(at.astimezone(self.zone(one.contact)).date())
        for (who, rule), found in dates.items():
            found.sort()
            for most, length in CAPS.get(rule, ()):
                for first in found:
                    n = sum(first <= day < first + timedelta(days=length) for day in found)
                    if n > most:
                        yield f"{who}: {n} by {rule} within {length} days from {first}"

    def gaps(self) -> Iterator[str]:
        """`min_gap`: sixteen hours between any two."""
        left: dict[str, list[datetime]] = defaultdict(list)
        for at, one in self.marketing:
            left[one.contact].append(at)
        for who, found in left.items():
            found.sort()
            yield from (f"{who}: {a} and {b}" for a, b in pairwise(found) if b - a < timedelta(hours=16))

    def consents(self) -> Iterator[str]:
        """D1: the contact file itself says yes to this channel, before the day of sending."""
        said: dict[str, dict[str, str]] = {}
        for row in csv.DictReader(io.StringIO(CONTACTS.read_text(encoding="utf-8"))):
            said.setdefault(row["id"], row)
        for at, one in self.marketing:
            row = said[one.contact]
            yes = ("yes", "") if one.channel == "letter" else ("yes",)  # letters ask for no consent, they stop at an objection
            if row[f"{one.channel}_consent"] not in yes or row[f"{one.channel}_consent_on"] > at.date().isoformat():
                yield f"{one.contact} got {one.step} by {one.channel} without consent: {row[f'{one.channel}_consent']!r}"

    def excuses(self) -> Iterator[str]:
        """Nobody is left out for nothing: each reason that a touch was skipped for was true when it was given."""
        left: dict[str, list[tuple[datetime, str]]] = defaultdict(list)
        for at, one in self.marketing:
            left[one.contact].append((at, one.channel))
        clicked = {
            (e["enrollment_id"], e["message"]) for e in self.s.rows("SELECT * FROM event WHERE name = 'clicked' AND machine = 0")
        }
        complained = {told.who for told in self.told if told.name == "complaint"}
        for row in self.touches:
            if row["send_state"] != "skipped":
                continue
            at, who, what = (
                instant(row["created_at"]),
                row["who"],
                f"{row['step']} of {row['who']} at {instant(row['created_at'])}",
            )
            match row["reason"]:
                case "capped" if not self._full(left[who], who, row["channel"], at, row["campaign"]):
                    yield f"{what} by {row['channel']} was no cap and no gap: {left[who]}"
                case "unreachable":
                    reach = json.loads(self.people[who]["reach"])
                    open_ = [c for c in CHANNELS[row["step"]] if self._reachable(reach.get(c), c)]
                    if open_:
                        yield f"{what} could be reached by {open_}"
                case "complaint_open" if who not in complained:
                    yield f"{what} had not complained"
                case "condition" if (row["enrollment_id"], row["message"]) not in clicked:
                    yield f"{what} had not clicked"
                case "expired" if at <= instant(row["due_at"]) + 3 * DAY:
                    yield f"{what} was due {instant(row['due_at'])}"
                case "budget" if row["campaign"] != "relance":
                    yield f"{what} has no budget"

    def _full(self, left: list[tuple[datetime, str]], who: str, channel: str, at: datetime, campaign: str) -> bool:
        """One of the step's channels was full, or the gap not over, at that instant (its own turn's touches included)."""
        if any(timedelta(0) <= at - one < timedelta(hours=16) for one, _ in left):
            return True
        zone = self.zone(who)
        own = {"email": [(1, 5)]} if campaign == "panier" else {}
        for rule, caps in [*CAPS.items(), *own.items()]:
            days = [one.astimezone(zone).date() for one, by in left if rule in ("all", by) and one <= at]
            if any(
                sum(at.astimezone(zone).date() - day < timedelta(days=length) for day in days) >= most for most, length in caps
            ):
                return True
        return False

    @staticmethod
    def _reachable(entry: Any, channel: str) -> bool:
        """`[address, granted, until, bad, bar, bar_until]`, as it stands at the end: whoever can be reached then could before."""
        if not entry or not entry[0] or entry[3] or entry[4]:
            return False
        return bool(entry[1] or (channel == "letter" and entry[1] is None))

    def prompt(self) -> Iterator[str]:
        """Whoever nothing holds gets it at the first tick after it was due."""
        held = {(r["enrollment_id"], line["step"]) for r in self.s.rows("SELECT enrollment_id, why FROM decision WHERE why IS NOT NULL")
                for line in json.loads(r["why"]) if line["answer"] == "held"}  # fmt: skip
        for row in self.touches:
            if row["send_state"] != "accepted" or row["campaign"] == "panier" or (row["enrollment_id"], row["step"]) in held:
                continue
            due = max(instant(row["due_at"]), instant(row["created_at"]))
            first = self.ticks[bisect_left(self.ticks, due)]
            if instant(row["settled_at"]) != first or first - instant(row["due_at"]) > timedelta(hours=24):
                yield f"{row['step']} of {row['who']} was due {instant(row['due_at'])}, made {instant(row['created_at'])}, left {instant(row['settled_at'])}"

    # --- what was said ----------------------------------------------------------------------------------------------
    @cached_property
    def told(self) -> list[Told]:
        found: dict[tuple[str, str], Told] = {}
        for received, r in self.s.arrived:
            found.setdefault((r.source, r.id), Told(r.contact, r.name, r.at, received, r.channel, str(r.payload.get("text", "")), r.machine,
                                                    str(r.payload.get("place", ""))))  # fmt: skip
        return [told for told in found.values() if told.who in self.people]

    def refusals(self) -> Iterator[str]:
        """D2, I3: after a STOP, an unsubscription, a spam complaint or a dead address nothing on that channel, nor to that
        address under another name; after leaving all, or an open complaint, nothing at all."""
        address = {
            (r["contact_id"], r["channel"]): r["norm"] for r in self.s.rows("SELECT contact_id, channel, norm FROM address")
        }
        barred: dict[tuple[str, str], datetime] = {}
        silent: dict[str, datetime] = {}
        for told in self.told:
            if told.machine:
                continue
            word = "".join(c for c in told.text.lower() if c.isalpha())
            stops = told.name in ("unsubscribed", "complained", "bounced") or (
                told.name == "replied" and word in ("stop", "arret", "unsubscribe")
            )
            channels = [told.channel] if told.channel else ["email", "sms", "whatsapp", "messenger", "voice", "push", "letter"]
            for channel in channels if stops else ():
                norm = address.get((self.people[told.who]["id"], channel))
                if norm is not None and (told.name != "bounced"):
                    barred[channel, norm] = min(barred.get((channel, norm), told.received), told.received)
                elif norm is not None:
                    silent[f"{told.who} {channel}"] = min(silent.get(f"{told.who} {channel}", told.received), told.received)
            if told.name == "complaint" or (told.name == "unsubscribed" and told.channel is None):
                silent[told.who] = min(silent.get(told.who, told.received), told.received)
        assert len(barred) > 10
        for at, one in self.marketing:
            norm = address.get((self.people[one.contact]["id"], one.channel), "")
            for since in (barred.get((one.channel, norm)), silent.get(one.contact), silent.get(f"{one.contact} {one.channel}")):
                if since is not None and at >= since:
                    yield f"{one.contact} got {one.step} by {one.channel} at {at}, barred since {since}"

    # --- hold-out ---------------------------------------------------------------------------------------------------
    def holdout(self) -> Iterator[str]:
        """D8: a tenth by hash, the same on every pass, gets nothing, costs nothing, and counts nowhere."""
        project = self.s.loaded.project.project
        for row in self.passes:
            uid = self.by_id[row["contact_id"]]["uid"]
            wanted = row["campaign"] != "merci" and hashed(1_000_000, project, row["campaign"], uid.hex()) < 100_000
            if bool(row["held_out"]) != wanted:
                yield f"{row['who']} in {row['campaign']}: held_out {row['held_out']}, the hash says {wanted}"
        for row in self.touches:
            if row["held"] and (row["send_state"] not in ("held_out", "skipped") or row["cost"] or row["attempts"]):
                yield f"{row['who']} is held out and {row['step']} is {row['send_state']}, cost {row['cost']}"
            if not row["held"] and row["send_state"] == "held_out":
                yield f"{row['who']} is not held out and {row['step']} is"
        for table in ("cap_slot", "rendering", "attempt"):
            n = self.s.rows(
                f"SELECT count(*) n FROM {table} x JOIN touch t ON t.id = x.touch_id JOIN enrollment e ON e.id = t.enrollment_id WHERE e.held_out = 1"
            )[0]["n"]
            if n:
                yield f"{n} rows of {table} for held-out people"

    # --- dispositions -----------------------------------------------------------------------------------------------
    def dispositions(self) -> Iterator[str]:
        """I2, D4: every touch is at one end, with a reason of the closed list; whoever is inside waits for something to come."""
        now = millis(self.last)
        for row in self.touches:
            state = row["send_state"]
            if state == "skipped" and row["reason"] not in REASONS:
                yield f"{row['step']} of {row['who']} was skipped for {row['reason']!r}"
            if state not in ("skipped", "accepted", "held_out") and not (state == "planned" and row["due_at"] > now):
                yield f"{row['step']} of {row['who']} is {state}, due {instant(row['due_at'])}"
            if state == "accepted" and row["purpose"] == "marketing" and row["settled_at"] > row["expires_at"]:
                yield f"{row['step']} of {row['who']} left {instant(row['settled_at'])}, expired {instant(row['expires_at'])}"
            if state == "accepted" and row["settled_at"] < row["due_at"]:
                yield f"{row['step']} of {row['who']} left before it was due"
            if (
                state == "accepted"
                and row["purpose"] == "marketing"
                and instant(row["settled_at"]) > instant(row["due_at"]) + 4 * DAY
            ):
                yield f"{row['step']} of {row['who']} left {instant(row['settled_at'])}, was due {instant(row['due_at'])}"
        for row in self.passes:
            if row["state"] == "open" and (row["due_at"] is None or row["due_at"] <= now) and row["touch_id"] is None:
                yield f"{row['who']} stands at {row['step']} of {row['campaign']} since {instant(row['since'])}, due {row['due_at']}, held {row['held_by']}"
            if (row["state"] == "ended") != (row["reason"] is not None) or (row["ended_at"] is None) != (row["state"] == "open"):
                yield f"{row['who']} in {row['campaign']}: {row['state']} {row['reason']} {row['ended_at']}"

    # --- the flow ---------------------------------------------------------------------------------------------------
    def paths(self) -> Iterator[str]:
        """I6, D5: each pass goes the way its own version writes, one branch a wait, no step before the last is settled."""
        ledger: dict[int, list[tuple[int, dict[str, Any]]]] = defaultdict(list)
        for row in self.s.rows("SELECT enrollment_id, at, why FROM decision WHERE why IS NOT NULL ORDER BY id"):
            ledger[row["enrollment_id"]] += [(row["at"], line) for line in json.loads(row["why"])]
        answers: dict[int, list[Any]] = defaultdict(list)
        for row in self.s.rows(
            "SELECT * FROM event WHERE enrollment_id IS NOT NULL AND machine = 0 ORDER BY at, received_at, id"
        ):
            answers[row["enrollment_id"]].append(row)
        for row in self.passes:
            walk = Walk(self, row, self.of_pass[row["id"]], ledger[row["id"]], answers[row["id"]])
            yield from (f"{row['who']} in {row['campaign']}/{row['pass']}: {breach}" for breach in walk.breaches())

    def goals(self) -> Iterator[str]:
        """A purchase ends the pass at the tick that hears of it, and converts it, also when it ended before."""
        bought: dict[str, list[Told]] = defaultdict(list)
        for told in self.told:
            if told.name == "purchase":
                bought[told.who].append(told)
        left: dict[int, list[datetime]] = defaultdict(list)
        for at, one in self.s.wire.handed:
            left[self.by_key[one.touch]["enrollment_id"]].append(at)
        entered = {r["enrollment_id"]: r["at"] for r in self.s.rows("SELECT enrollment_id, min(at) at FROM decision GROUP BY 1")}
        seen = 0
        for row in self.passes:
            within = GOALS.get(row["campaign"])
            if within is None:
                continue
            start = instant(row["entered_at"])
            end = days_later(start, within, self.zone(row["who"]))
            counted = [t for t in bought[row["who"]] if start < t.at <= end]
            open_until = instant(row["ended_at"]) if row["ended_at"] else None
            heard = min((max(t.received, instant(entered[row["id"]])) for t in counted), default=None)
            if heard is None:
                if row["converted_at"] is not None or row["reason"] == "goal":
                    yield f"{row['who']} in {row['campaign']} converted at {row['converted_at']} without a purchase"
                continue
            seen += 1
            if open_until is None or open_until > heard or (open_until == heard and row["reason"] not in ("goal", "stopped")):
                yield f"{row['who']} in {row['campaign']} bought, heard {heard}, ended {open_until} for {row['reason']}"
            known = [t for t in counted if t.received <= max(heard, heard)]
            first = min(t.at for t in known)
            if row["converted_at"] != millis(first):
                yield f"{row['who']} in {row['campaign']} converted at {row['converted_at']}, bought at {millis(first)}"
            yield from (
                f"{row['who']} got {row['campaign']} at {at}, had bought by {heard}" for at in left[row["id"]] if at >= heard
            )
        if not seen:
            yield "nobody bought"

    # --- people's deeds ---------------------------------------------------------------------------------------------
    def deeds(self) -> Iterator[str]:
        """I11: a paused or stopped campaign is silent; an edited one keeps those inside on their version."""
        when = {
            deed: (BEGIN + timedelta(days=day)).replace(hour=hour, minute=minute).astimezone(UTC)
            for (day, (hour, minute)), (deed, _) in STORY.items()
        }
        if self.last < when["stop"]:
            return
        for at, one in self.s.wire.handed:
            if one.campaign == "panier" and (when["pause"] <= at < when["resume"] or at >= when["stop"]):
                yield f"panier wrote to {one.contact} at {at}"
        for row in self.passes:
            at = instant(min(line["at"] for line in self._entries[row["id"]]))
            if row["campaign"] == "panier" and (when["pause"] <= at < when["resume"] or at >= when["stop"]):
                yield f"{row['who']} entered panier at {at}"
            if row["campaign"] == "relance" and row["version"] != (2 if at >= when["edit"] else 1):
                yield f"{row['who']} entered relance at {at} with version {row['version']}"
            if row["campaign"] == "panier" and row["state"] == "open":
                yield f"{row['who']} is inside a stopped campaign"
        steps = Counter((row["step"], row["version"]) for row in self.touches if row["campaign"] == "relance")
        if steps["r4", 1] or steps["r2", 2] or steps["r3", 2] or not steps["r3", 1] or not steps["r4", 2]:
            yield f"steps by version: {steps}"

    @cached_property
    def _entries(self) -> dict[int, list[Any]]:
        found: dict[int, list[Any]] = defaultdict(list)
        for row in self.s.rows("SELECT enrollment_id, at FROM decision WHERE kind = 'enter'"):
            found[row["enrollment_id"]].append(row)
        return found

    def passes_apart(self) -> Iterator[str]:
        """`again:` one pass at a time, and not before its time; each entry by an event of its own, after the start."""
        apart = {"automne": None, "panier": 10, "relance": 21, "merci": 0}
        mine: dict[tuple[str, str], list[Any]] = defaultdict(list)
        for row in self.passes:
            mine[row["who"], row["campaign"]].append(row)
        for (who, campaign), rows in mine.items():
            rows.sort(key=lambda r: r["pass"])
            for a, b in pairwise(rows):
                days = apart[campaign]
                if days is None or instant(b["entered_at"]) < days_later(instant(a["entered_at"]), days, self.zone(who)):
                    yield f"{who} entered {campaign} again {instant(b['entered_at'])} after {instant(a['entered_at'])}"
                if a["ended_at"] is None or a["ended_at"] > self._entries[b["id"]][0]["at"]:
                    yield f"{who} has two open passes through {campaign}"
            events = [r["entered_event"] for r in rows]
            if campaign in ("panier", "merci") and (None in events or len(set(events)) != len(events)):
                yield f"{who} entered {campaign} by {events}"

    def budget(self) -> Iterator[str]:
        spent = sum(r["cost"] for r in self.touches if r["campaign"] == "relance" and r["send_state"] == "accepted")
        if spent > self.s.budget * 1_000_000:
            yield f"relance spent {spent} of {self.s.budget} EUR"

    # --- reports ----------------------------------------------------------------------------------------------------
    def totals(self) -> Iterator[str]:
        """I10, I15: every total of the reports is the sum over rows."""
        reports = self.s.reports
        OWN = "SELECT count(*) n FROM event WHERE name NOT IN ('entered', 'converted', 'exited')"
        states = Counter(r["send_state"] for r in self.touches)
        channels = Counter(one.channel for _, one in self.s.wire.handed)
        told: Counter[str] = Counter()
        entered: Counter[str] = Counter()
        silent: Counter[tuple[str, str]] = Counter()
        for report in reports:
            told.update(report.by_channel)
            entered.update(report.entered)
            silent.update({key: n for key, n in report.outcomes.items() if key[0] == "held_out"})
        pairs = [
            ("accepted", sum(r.accepted for r in reports), states["accepted"]),
            ("by channel", {k: n for k, n in told.items() if n}, dict(channels)),
            ("entered", dict(entered), dict(Counter(r["campaign"] for r in self.passes))),
            ("cost", sum(r.cost for r in reports), sum(r["cost"] for r in self.touches if r["send_state"] == "accepted")),
            ("held out", dict(silent), dict(Counter(("held_out", r["channel"]) for r in self.touches if r["send_state"] == "held_out"))),
            ("folded", sum(r.folded for r in reports), self.s.rows(OWN)[0]["n"]),
            ("responses", len(self.told), self.s.rows(OWN)[0]["n"]),
            ("skipped", sum(n for r in reports for key, n in r.outcomes.items() if key[0] == "skipped"),
             states["skipped"] - sum(r["reason"] == "stopped" for r in self.touches)),
        ]  # fmt: skip
        yield from (f"{what}: reports say {said}, rows say {found}" for what, said, found in pairs if said != found)
        for report in reports:
            if report.unknown or report.retried or report.render_failed or report.problems or report.doubtful:
                yield f"{report.now}: {report.unknown} unknown, {report.retried} retried, {report.render_failed} unreadable {report.problems}"


class Walk:
    """One pass, walked again beside its rows."""

    def __init__(
        self, judge: Judge, row: Any, touches: list[Any], ledger: list[tuple[int, dict[str, Any]]], answers: list[Any]
    ) -> None:
        self.judge, self.row, self.ledger, self.answers = judge, row, ledger, answers
        self.zone = judge.zone(row["who"])
        self.at: dict[str, list[Any]] = defaultdict(list)
        for touch in touches:
            self.at[touch["step"]].append(touch)
        self.count = len(touches)
        self.seen = 0
        self.reached = instant(ledger[0][0])  # no timer led to the first step: it is reached at the turn that let the person in
        self.clock: datetime | None = self.reached  # from which the next wait counts
        self.silence = (self.reached, self.reached, 0)
        self.after_send = False
        self.over = False
        self.found: list[str] = []

    def breaches(self) -> list[str]:
        self.go(FLOWS[self.row["campaign"], self.row["version"]])
        if self.seen != self.count:
            self.found.append(
                f"{self.count} touches, its way explains {self.seen}: {[(s, [t['send_state'] for t in ts]) for s, ts in self.at.items()]}"
            )
        if not self.over and self.row["state"] == "open":
            self.found.append("went through and is still open")
        return self.found

    def go(self, steps: list[Any]) -> None:
        for kind, name, *rest in steps:
            if self.over:
                return
            getattr(self, kind)(name, *rest)

    def send(self, name: str, moment: str | None) -> None:
        touches = self.at.get(name)
        if not touches:
            self.over = True
            return
        self.seen += len(touches)
        previous = self.reached
        for touch in touches:
            made = instant(touch["created_at"])
            if made < previous:
                self.found.append(f"{name} was made at {made}, its step was not reached before {previous}")
            if touch["send_state"] in ("accepted", "skipped", "held_out"):
                previous = max(made, instant(touch["settled_at"])) if touch["settled_at"] else made
        last = touches[-1]
        if len(touches) > 1 and any(t["send_state"] not in ("skipped", "rejected") for t in touches[:-1]):
            self.found.append(f"{name} went on to another channel after {[t['send_state'] for t in touches]}")
        if len({t["channel"] for t in touches}) != len(touches):
            self.found.append(f"{name} twice on one channel")
        if moment is not None and last["send_state"] == "accepted":
            left = instant(last["settled_at"]).astimezone(self.zone)
            if left.strftime("%H:%M") < moment or left <= self.reached:
                self.found.append(f"{name} left {left}, reached {self.reached}")
        if last["send_state"] not in ("accepted", "skipped", "held_out"):
            self.over = True
            return
        self.reached = self.clock = previous
        if last["send_state"] == "accepted" and last["channel"] == "letter":
            self.clock = days_later(previous, 4, self.zone)
        if last["send_state"] != "accepted":  # when it would have left: between its due instant and the turn that said so
            self.clock = None
            lead = 4 if last["send_state"] == "held_out" and last["channel"] == "letter" else 0
            self.silence = min(instant(last["due_at"]), previous), previous, lead
            self.reached = self.silence[0]
        self.after_send = True

    def _window(self, name: str, days: int, hours: int) -> tuple[datetime, datetime] | None:
        start = self.clock if self.after_send else self.reached
        line = next(
            (
                line
                for _, line in self.ledger
                if line["step"] == name and line["rule"] == "wait" and "until" in line.get("values", {})
            ),
            None,
        )
        if line is None and start is None and days_later(self.silence[0], days, self.zone) <= self.silence[1]:
            first = self.silence[0]  # it began when the touch was due that was skipped, and was over when that was said
            return first, days_later(first, days, self.zone)
        if line is None:
            self.over = True  # the pass ended before
            return None
        noted = tuple(datetime.fromisoformat(line["values"][key]) for key in ("from", "until"))
        if start is None:
            start = noted[0]
            first, last, lead = self.silence
            if not days_later(first, lead, self.zone) <= start <= days_later(last, lead, self.zone) + timedelta(seconds=1):
                self.found.append(f"{name} waits from {start}, a silent touch of {first} to {last}, {lead} days on its way")
        end = days_later(start, days, self.zone) + timedelta(hours=hours)
        if any(abs(a - b) >= timedelta(seconds=1) for a, b in zip(noted, (start, end), strict=True)):
            self.found.append(f"{name} waits {noted}, should {start} to {end}")
        return start, end

    def _left(self, name: str) -> tuple[datetime, str] | None:
        lines = [
            (at, line)
            for at, line in self.ledger
            if line["step"] == name and line["rule"] == "wait" and "until" not in line.get("values", {})
        ]
        if len(lines) > 1:
            self.found.append(f"{name} was left {len(lines)} times: {lines}")
        return (instant(lines[0][0]), lines[0][1]["answer"]) if lines else None

    def wait(self, name: str, days: int, hours: int) -> None:
        window = self._window(name, days, hours)
        if window is None:
            return
        self.reached, self.after_send = window[1], False
        later = [t for ts in self.at.values() for t in ts if instant(t["created_at"]) >= window[1]]
        if self.row["step"] == name and self.row["state"] == "open" and later:
            self.found.append(f"stands at {name} and has touches after it")

    def answer(self, name: str, days: int, branches: dict[str, list[Any]]) -> None:
        window = self._window(name, days, 0)
        if window is None:
            return
        start, end = window
        left = self._left(name)
        until = left[0] if left else (instant(self.row["ended_at"]) if self.row["ended_at"] else self.judge.last)
        heard = []
        for event in self.answers:
            at = instant(event["at"])
            term = next((t for t in branches if t != "nothing" and self._is(event, t)), None)
            if term is not None and start <= at <= end and instant(event["received_at"]) <= until:
                heard.append((at, list(branches).index(term), term, instant(event["received_at"])))
        if left is None:
            self.over = True
            if heard and self.row["state"] == "open" and not self._paused():
                self.found.append(f"stands at {name} though {heard[0]} came")
            return
        when, branch = left
        wanted = min(heard)[2] if heard else "nothing"
        if branch != wanted:
            self.found.append(f"{name} took {branch!r} at {when}, should {wanted!r}: {heard} in {start} to {end}")
        if branch == "nothing" and when < end:
            self.found.append(f"{name} gave up at {when}, its window ends {end}")
        self.reached = end if branch == "nothing" else when
        self.after_send = False
        self.go(branches[branch])

    def _paused(self) -> bool:
        return bool(self.row["campaign"] == "panier")

    @staticmethod
    def _is(event: Any, term: str) -> bool:
        name, _, rest = term.partition(" ")
        return event["name"] == name and (not rest or event["p_keyword"] in ("oui", "yes"))

    def choose(self, name: str, branches: dict[bool, list[Any]]) -> None:
        taken = [branch for branch in branches if any(step[1] in self.at for step in branches[branch])]
        rich = (self.judge.people[self.row["who"]]["a_spend"] or 0) >= 1200
        if taken and taken != [rich]:
            self.found.append(f"{name} took {taken}, spend says {rich}")
        self.go(branches[rich])

    def split(self, name: str, arms: list[tuple[str, int, list[Any]]]) -> None:
        uid = self.judge.by_id[self.row["contact_id"]]["uid"].hex()
        drawn = hashed(10_000, self.judge.s.loaded.project.project, self.row["campaign"], name, uid, str(self.row["pass"]))
        edges = [sum(share for _, share, _ in arms[: n + 1]) * 100 for n in range(len(arms))]
        arm, _, steps = arms[bisect_left(edges, drawn + 1)]
        noted = next((line["answer"] for _, line in self.ledger if line["step"] == name and line["rule"] == "split"), None)
        if noted is not None and noted != arm:
            self.found.append(f"{name} drew {noted}, the hash says {arm}")
        self.go(steps)

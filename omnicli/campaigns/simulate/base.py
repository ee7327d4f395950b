"""A base to simulate on, in memory: the store's own people, copied, or invented ones that follow what the project declares.

A base can be had in parts: part k of n holds the people whose uid falls there, so that n processes live n lives at once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from omnicli import clock
from omnicli.campaigns.scenario.edges import edges
from omnicli.campaigns.simulate.chances import draw, fraction
from omnicli.campaigns.simulate.model import Model
from omnicli.model import ids
from omnicli.model.contact import ChannelReach, write_reach
from omnicli.store import consents, triggers
from omnicli.store.columns import attribute_column, folded_column, kind_of, to_column
from omnicli.store.connection import Store
from omnicli.store.preparing import prepare

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.model.project import Attribute, Project

#: Rows that belong to what was, not to the people: a simulation begins with nobody in any campaign.
FORGOTTEN = (
    "attempt", "evidence", "rendering", "skeleton", "handover", "task", "inbox_case", "inbox", "touch", "decision", "enrollment",
    "occurrence", "campaign_version", "campaign", "audit", "import_row", "import_job", "account",
)  # fmt: skip
#: Rows of people: those of other parts are left out.
PERSONAL = ("address", "consent", "consent_log", "event", "cap_slot")
#: Indexes that serve questions which no simulation asks, or which SQLite likes better than it should.
NEEDLESS = ("ix_enrollment_campaign", "ix_event_name_at_contact_id", "ix_cap_slot_touch_id", "ix_decision_enrollment_id_at")
CHUNK = 5000


@dataclass(frozen=True, slots=True)
class Part:
    """Part `k` of `n`."""

    k: int = 0
    n: int = 1

    def holds(self, uid: bytes) -> bool:
        return uid[-1] % self.n == self.k


def raw(store: Store) -> sqlite3.Connection:
    """The driver's own connection of a store in memory (there is one)."""
    with store.read() as connection:
        found: Any = connection.connection.driver_connection
    assert isinstance(found, sqlite3.Connection)
    return found


def copied(source: sqlite3.Connection, project: Project, part: Part) -> Store:
    """The people of a store with their events, consents and bars, without their campaigns."""
    store = Store.memory()
    target = raw(store)
    source.backup(target)
    _quicken(store)
    prepare(store, project)
    with store.write() as connection:
        triggers.drop(connection)
    target.execute("BEGIN")
    for table in FORGOTTEN:
        target.execute(f"DELETE FROM {table}")
    if part.n > 1:
        target.create_function("mine", 1, lambda uid: part.holds(uid), deterministic=True)
        target.execute("DELETE FROM contact WHERE NOT mine(uid)")
        for table in PERSONAL:
            target.execute(f"DELETE FROM {table} WHERE contact_id NOT IN (SELECT id FROM contact)")
    target.execute("COMMIT")
    return store


def shares_addresses(source: sqlite3.Connection) -> bool:
    """Whether some address belongs to several people: then one's leaving bars the other, and they must live together."""
    query = "SELECT 1 FROM address GROUP BY channel, norm HAVING count(*) > 1 LIMIT 1"
    return source.execute(query).fetchone() is not None


def invented(loaded: Loaded, model: Model, count: int, *, seed: str, now: datetime, part: Part) -> Store:
    """`count` people of whom everything is drawn by hashes of (seed, number)."""
    assert loaded.project is not None
    store = Store.memory()
    _quicken(store)
    prepare(store, loaded.project)
    with store.write() as connection:
        triggers.drop(connection)
    people = _People(store, loaded.project, model, seed, now, _asked(loaded, now))
    target = raw(store)
    wanted = (n for n in range(1, count + 1) if part.holds(people.uid(n)))
    for some in _chunks(wanted, CHUNK):
        people.insert(target, some)
    return store


def _quicken(store: Store) -> None:
    target = raw(store)
    for pragma in ("foreign_keys=OFF", "synchronous=OFF", "journal_mode=OFF", "temp_store=MEMORY", "cache_size=-262144"):
        target.execute(f"PRAGMA {pragma}")


def lighten(store: Store) -> None:
    """Take away what only slows: indexes for questions that nobody asks here."""
    target = raw(store)
    for name in NEEDLESS:
        target.execute(f"DROP INDEX IF EXISTS {name}")


def _chunks(values: Iterator[int], size: int) -> Iterator[list[int]]:
    some: list[int] = []
    for value in values:
        some.append(value)
        if len(some) == size:
            yield some
            some = []
    if some:
        yield some


class _People:
    """Rows of invented people."""

    def __init__(
        self, store: Store, project: Project, model: Model, seed: str, now: datetime, asked: Mapping[str, Collection[str]]
    ) -> None:
        self.project, self.seed = project, seed
        self.ms = clock.to_ms(now - timedelta(days=30))
        self.pepper = consents.pepper(store, project.project)
        self.countries = _shares(
            {c: fraction(s) for c, s in model.people.countries.items()} or dict.fromkeys(project.countries or (None,), 1.0)
        )
        self.languages = _shares(
            {one: fraction(s) for one, s in model.people.languages.items()}
            or {one: (len(project.languages) if n == 0 else 1.0) for n, one in enumerate(project.languages)}
        )
        self.reach = {
            c: (fraction(r.address), fraction(r.consent)) for c, r in model.people.reach.items() if c in project.channels
        }
        self.values = {
            name: _values(declared, model.people.attributes.get(name), project, asked.get(name, ()))
            for name, declared in project.contacts.attributes.items()
        }
        self.columns = ["id", "uid", "source_id", "language", "country", "created_at", "changed_at", "attributes_at", "reach"]
        for name, (values, has_copy) in self.values.items():
            if values:
                self.columns += [attribute_column(name), *([folded_column(name)] if has_copy else [])]

    def uid(self, n: int) -> bytes:
        return ids.contact_uid(self.project.project, f"sim-{n:07d}")

    def insert(self, target: sqlite3.Connection, numbers: Sequence[int]) -> None:
        contacts: list[tuple[Any, ...]] = []
        addresses: list[tuple[Any, ...]] = []
        agreed: list[tuple[Any, ...]] = []
        for n in numbers:
            who = str(n)
            reach: dict[str, ChannelReach] = {}
            for channel, (has, says_yes) in self.reach.items():
                first, second = draw(self.seed, who, "reach", channel)
                if first < has:
                    norm = f"{channel}-{n}"
                    reach[channel] = ChannelReach(True, second < says_yes)
                    addresses.append((n, channel, norm, norm, consents.fingerprint(self.pepper, channel, norm)))
                    agreed.append((n, channel, "marketing", int(second < says_yes), self.ms, "invented"))
            country, language = (
                _pick(self.countries, draw(self.seed, who, "country")[0]),
                _pick(self.languages, draw(self.seed, who, "language")[0]),
            )
            row: list[Any] = [n, self.uid(n), f"sim-{n:07d}", language, country, self.ms, self.ms, self.ms, write_reach(reach)]
            for name, (values, has_copy) in self.values.items():
                if values:
                    value, copy = _pick(values, draw(self.seed, who, "attribute", name)[0])
                    row += [value, copy] if has_copy else [value]
            contacts.append(tuple(row))
        target.execute("BEGIN")
        target.executemany(
            f"INSERT INTO contact ({', '.join(self.columns)}) VALUES ({', '.join('?' * len(self.columns))})", contacts
        )
        target.executemany("INSERT INTO address (contact_id, channel, value, norm, hmac) VALUES (?, ?, ?, ?, ?)", addresses)
        target.executemany(
            "INSERT INTO consent (contact_id, channel, purpose, granted, at, source) VALUES (?, ?, ?, ?, ?, ?)", agreed
        )
        target.execute("COMMIT")


def _shares(shares: dict[Any, float]) -> list[tuple[float, Any]]:
    """Cumulative shares of 1."""
    whole, edge = sum(shares.values()) or 1.0, 0.0
    found: list[tuple[float, Any]] = []
    for value, share in shares.items():
        edge += share / whole
        found.append((edge, value))
    return found


def _pick(shares: Sequence[tuple[float, Any]], drawn: float) -> Any:
    return next((value for edge, value in shares if drawn < edge), shares[-1][1])


def _asked(loaded: Loaded, now: datetime) -> dict[str, Collection[str]]:
    """The values at the edges of what the campaigns ask, by attribute: so that invented people go every way."""
    found: dict[str, dict[str, None]] = {}
    for _, campaign in sorted(loaded.campaigns.items()):
        for name, values in edges(loaded, campaign, now.date()).attributes.items():
            found.setdefault(name, {}).update(values)
    return dict(found)


def _values(declared: Attribute, said: Any, project: Project, asked: Collection[str]) -> tuple[list[tuple[float, Any]], bool]:
    """(stored value, folded copy) by cumulative share: what the model says, else each choice alike, the default or example, else the
    values at the edges of what is asked, else none."""
    kind = kind_of(declared)
    texts: dict[Any, float] = {value: fraction(share) for value, share in (said or {}).items()}
    if not texts and declared.choices:
        texts = dict.fromkeys(declared.choices, 1.0)
    elif not texts and (declared.default is not None or declared.example is not None):
        texts = {declared.default if declared.default is not None else declared.example: 1.0}
    if not texts:
        texts = dict.fromkeys(sorted(asked), 1.0)
    if not texts:
        return [], False
    stored = {to_column(kind, value, zone=project.time_zone): share for value, share in texts.items()}
    has_copy = any(copy is not None for _, copy in stored)
    left = 1.0 - sum(stored.values()) if said else 0.0
    return _shares({**stored, **({(None, None): left} if left > 1e-9 else {})}), has_copy

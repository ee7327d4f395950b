"""What a file's version means to those who are under way: their past decisions taken again, their place, what they were promised.

Under the version they lived every decision must come out as it did; a difference there is a defect of omni (docs/scenarios 6).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from omnicli.campaignfile import resolve, revive
from omnicli.campaigns import life
from omnicli.campaigns.replay import Again, Bench, taken
from omnicli.lint import passages
from omnicli.lint.passages import Promise
from omnicli.model.campaign import Campaign
from omnicli.store import campaigns, positions

if TYPE_CHECKING:
    import sqlalchemy as sa

    from omnicli.campaignfile import Loaded
    from omnicli.store.connection import Store


@dataclass
class Difference:
    """Decisions that would be others in one way: the step, what was decided and what would be, how many people, and who first."""

    step: str
    then: str
    now: str
    first: str
    at: datetime
    people: set[int] = field(default_factory=set, repr=False)


@dataclass
class Replayed:
    """What became of one campaign's people under way. `defects` differ under the version that was lived; `otherwise` under the
    file's, where `version` is its hash (None: it is the applied one); `unasked` need what nobody asked then, by what it is. `untold` are
    people under way of whom no decision can be taken again: what they rest on was not kept then."""

    campaign: str
    applied: str
    version: str | None
    people: int = 0
    decisions: int = 0
    untold: int = 0
    defects: list[Difference] = field(default_factory=list)
    otherwise: list[Difference] = field(default_factory=list)
    unasked: dict[str, int] = field(default_factory=dict)
    stranded: dict[str, int] = field(default_factory=dict)
    promises: tuple[Promise, ...] = ()

    @property
    def fails(self) -> bool:
        """A decision would be another, somebody has no place, or a promise would be broken."""
        return bool(self.defects or self.otherwise or self.stranded or self.promises)


def replay(
    store: Store, loaded: Loaded, names: tuple[str, ...], *, progress: Callable[[int], None] | None = None, drawn: bool = False
) -> tuple[Replayed, ...]:
    """Every decision about people who are in flight in these campaigns, taken again; reads only. Campaigns that nobody started are
    left out. `drawn`: the store was read from a file without ids (unnamed), so that arms are the ledger's."""
    with store.read() as connection:
        bench = Bench(connection, drawn=drawn)
        return tuple(one for name in names if (one := _campaign(connection, bench, loaded, name, progress)) is not None)


def _campaign(
    connection: sa.Connection, bench: Bench, loaded: Loaded, name: str, progress: Callable[[int], None] | None
) -> Replayed | None:
    assert loaded.project is not None
    row = campaigns.find(connection, name)
    if row is None or row.version_id is None:
        return None
    file = resolve(life.authored(loaded, name), loaded.project)
    applied = campaigns.version(connection, row.version_id)
    new = revive(file.tree) if file.hash != applied.hash else None
    found = Replayed(name, applied.label, file.hash if new is not None else None)
    people: set[int] = set()
    for then in taken(connection, campaign=name, open_only=True):
        people.add(then.enrollment)
        found.decisions += 1
        _note(found.defects, bench.again(then))
        if new is not None:
            _compare(found, bench.again(then, new))
        if progress is not None:
            progress(1)
    found.people = len(people)
    found.untold = max(0, campaigns.passage(connection, row.id).open - len(people))
    _places(connection, row.id, found, new)
    return found


def _compare(found: Replayed, again: Again) -> None:
    if again.unknown:
        found.unasked[again.unknown] = found.unasked.get(again.unknown, 0) + 1
    else:
        _note(found.otherwise, again)


def _note(differences: list[Difference], again: Again) -> None:
    """Count a decision that comes out otherwise beside those that differ in the same way."""
    if again.same:
        return
    then, now = _told(again)
    for one in differences:
        if (one.step, one.then, one.now) == (again.then.step, then, now):
            one.people.add(again.then.enrollment)
            return
    differences.append(Difference(again.then.step, then, now, again.then.contact, again.then.at, {again.then.enrollment}))


def _told(again: Again) -> tuple[str, str]:
    """The lines in which the two differ, without their instants: what is the same for many people."""
    then, now = list(_lines(again.then.lines)), list(_lines(again.now))
    common = [line for line in then if line in now]
    before = [line for line in then if line not in common] or [again.then.kind]
    after = [line for line in now if line not in common] or [again.unknown or again.kind]
    return ", ".join(before), ", ".join(after)


def _lines(lines: tuple[object, ...]) -> Iterator[str]:
    for line in lines:
        assert isinstance(line, dict)
        yield f"{line['rule']} {line['answer']}"


def _places(connection: sa.Connection, campaign_id: int, found: Replayed, new: Campaign | None) -> None:
    """Who would have no place in the file's version, and whom it would tell otherwise."""
    if new is None:
        return
    groups = positions.groups(connection, campaign_id)
    trees = {v.hash: revive(campaigns.tree(connection, v.id)) for v in campaigns.versions(connection, campaign_id)}
    people = new.migrate.people if new.migrate is not None else {}
    found.stranded = dict(passages.stranded(groups, trees, new, people))
    found.promises = passages.promises(groups, trees, new)

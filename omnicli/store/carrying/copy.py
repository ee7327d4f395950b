"""One store copied into another, of any kind: in batches, resumed after a kill, counted and compared at the end, and never twice at work.

A copy of a live store is on HOLD: what it would send, the original sends too. A move makes the target the store and puts the source on
HOLD. Leases stay behind: what was claimed waits again, what was being sent is of unknown fate and will be looked after (docs/delivery 12).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import sqlalchemy as sa

from omnicli import faults
from omnicli.errors import Exit, OmniError
from omnicli.store import columns, holding, migrations, serial, setting, tables, triggers, whereabouts
from omnicli.store.carrying import foreign
from omnicli.store.carrying import progress as kept
from omnicli.store.carrying.progress import COPYING, Carried, Progress
from omnicli.store.carrying.rows import BATCH, Row, pages, pour, renumber
from omnicli.store.carrying.shape import AT_WORK, OWN, Shape, extra, shapes
from omnicli.store.preparing import SHAPE, prepare, version_of
from omnicli.store.preparing import shape as shape_of
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.model.project import Project
    from omnicli.store.connection import Store

#: Settings that say something of one store alone, where it stands or what is under way in it.
LOCAL = frozenset({COPYING, SHAPE, serial.COPIED_AT, whereabouts.STANDS, "project", "erasing", "recovering"})


class Mask(Protocol):
    """What makes people unknown on their way."""

    def leaves(self, table: str) -> bool:
        """Whether the table stays behind."""

    def mask(self, shape: Shape, rows: list[Row], source: sa.Connection) -> list[Row]:
        """The rows as the target gets them."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What was carried: rows and hash of each table; `resumed`: an earlier run had begun; `held`: the target waits for a person.
    `behind`: rows that a mask leaves behind, by table; `unheard`: those of the inbox among them that nobody has read yet."""

    tables: Mapping[str, Carried] = field(default_factory=dict)
    resumed: bool = False
    held: bool = False
    behind: Mapping[str, int] = field(default_factory=dict)
    unheard: int = 0

    @property
    def rows(self) -> int:
        return sum(one.rows for one in self.tables.values())


def copy(
    source: Store, target: Store, project: Project, *, mask: Mask | None = None, move: bool = False, batch: int = BATCH,
    step: Callable[[int], None] = lambda _n: None, command: str = "",
) -> Copied:  # fmt: skip
    """Carry everything. OmniError (exit 4) when the target holds other data, the source is of another version, is at work (a move),
    or the two are not the same in the end. `step` is told of rows as they arrive; `command` is what goes on with it after a kill."""
    _fit(source, project, move=move)
    prepare(target, project)
    name = f"{_identity(source)}{' masked' if mask is not None else ''}{' moved' if move else ''}"
    begun = _begin(target, name, command)
    resumed = begun is not None
    if move:
        _stop(source)
    while True:
        progress = begun or _fresh(target)
        with source.read() as reading:
            behind, unheard = _behind(reading, mask)
            wanted = _wanted(reading, target, mask)
            for shape in wanted:
                _carry(reading, target, shape, progress, mask, batch, step)
            settings = {row.key: row.value for row in reading.execute(sa.select(tables.setting))}
            changed = begun is not None and _went_on(reading, target, wanted, progress, mask)
        wrong = _different(target, wanted, progress)
        if not wrong and not changed:
            break
        if begun is None:
            raise _unlike(wrong)
        begun = None  # the source went on after the kill: all of it again, in one snapshot
        _empty(target, name, command)
    _end(source, target, settings, wanted, progress, move=move, masked=mask is not None)
    return Copied(progress.tables, resumed, target.live and not move, behind, unheard)


def size(source: Store, mask: Mask | None = None) -> int:
    """How many rows there are to carry."""
    with source.read() as connection:
        names = [name for name in shapes(connection) if _goes(name, mask)]
        return sum(int(connection.exec_driver_sql(f'SELECT count(*) FROM "{name}"').scalar_one()) for name in names)


# --- before ---------------------------------------------------------------------------------------------------------
def _fit(source: Store, project: Project, *, move: bool) -> None:
    standing = version_of(source)
    if standing is None:
        raise OmniError(t("there is no store to copy", "il n'y a pas de base à copier"), code="no-store", exit=Exit.REFUSED)
    if standing != migrations.HEAD:
        raise OmniError(
            t("the store to copy is of another version ({found}, omni writes {known})", "la base à copier est d'une autre version ({found}, omni écrit {known})",
              found=standing, known=migrations.HEAD),
            hint=t("omni db upgrade there first", "d'abord omni db upgrade sur celle-là"), code="migration_pending", exit=Exit.REFUSED,
        )  # fmt: skip
    with source.read() as connection:
        like = setting.get(connection, SHAPE) == shape_of(project)
    if not like:
        raise OmniError(t("the store to copy has other columns than omni.yaml declares, or is another project's", "la base à copier a d'autres colonnes que celles d'omni.yaml, ou est d'un autre projet"),
                        hint=t("OMNI_DATABASE=<its address> omni db upgrade", "OMNI_DATABASE=<son adresse> omni db upgrade"), code="shape", exit=Exit.REFUSED)  # fmt: skip
    if move:
        with source.read() as connection:
            held = holding.held(connection)
            busy = connection.scalar(
                sa.select(sa.func.count()).select_from(tables.touch).where(tables.touch.c.send_state == "sending")
            )
        if held not in (None, "moved"):
            raise holding.refusal(str(held), live=True)
        if busy:
            raise OmniError(t("{n} messages are being sent from there", "{n} messages en partent en ce moment", n=busy),
                            hint=t("stop cron, daemon, workers and serve; `omni schedule tick --live` settles what a dead one left",
                                   "arrêtez cron, démon, workers et serve ; `omni schedule tick --live` règle ce qu'un mort a laissé"),
                            code="busy", exit=Exit.LOCKED)  # fmt: skip


def _identity(store: Store) -> str:
    with store.read() as connection:
        own = serial.here(connection)
    return own.instance if own is not None else ""


def _begin(target: Store, name: str, command: str) -> Progress | None:
    """The copy that this one goes on with; None after a beginning of its own. OmniError when somebody else's data stands there."""
    with target.read() as connection:
        begun = kept.found(connection)
        own = [shape.name for shape in shapes(connection).values() if shape.name not in OWN | {"declared"}]
        full = next((one for one in own if connection.exec_driver_sql(f'SELECT 1 FROM "{one}" LIMIT 1').first()), None)
    if begun is not None and begun.of == name:
        return begun
    if begun is not None or full is not None:
        what = (
            t("another copy was begun there", "une autre copie y a été commencée")
            if begun is not None
            else t("it has rows in {table}", "elle a des lignes dans {table}", table=full)
        )
        raise OmniError(t("the target is not empty: {what}", "la cible n'est pas vide : {what}", what=what),
                        hint=t("an empty database or a file that is not there yet; omni db reset empties the sandbox",
                               "une base vide, ou un fichier qui n'existe pas encore ; omni db reset vide le bac à sable"), code="not_empty", exit=Exit.REFUSED)  # fmt: skip
    _empty(target, name, command)
    return None


def _empty(target: Store, name: str, command: str) -> None:
    """Nothing but what a prepared store holds; on HOLD while it is half of one."""
    with target.rebuild() as connection:
        connection.execute(sa.delete(tables.leader))  # first: whoever leads there already locks its row before any other
        triggers.drop(connection)
        for table in reversed(tables.metadata.sorted_tables):
            if table.name not in OWN:
                connection.execute(sa.delete(table))
        triggers.create(connection)
        earlier = kept.found(connection)
        Progress(name, command=command, foreign=foreign.take(connection) or (earlier.foreign if earlier else [])).keep(connection)
        if target.live:
            holding.hold(connection, "copying")


def _fresh(target: Store) -> Progress:
    """What `_empty` has kept."""
    with target.read() as connection:
        found = kept.found(connection)
    assert found is not None
    return found


def _stop(source: Store) -> None:
    """Nothing leaves from there any more."""
    with source.write() as connection:
        holding.hold(connection, "moved")


# --- the rows -------------------------------------------------------------------------------------------------------
def _goes(name: str, mask: Mask | None) -> bool:
    return name not in OWN | AT_WORK and not (mask is not None and mask.leaves(name))


def _behind(source: sa.Connection, mask: Mask | None) -> tuple[dict[str, int], int]:
    """How many rows the mask leaves behind, by table, and how many responses among them nobody has read yet."""
    names = [name for name in shapes(source) if mask is not None and mask.leaves(name)]
    counts = {name: int(source.exec_driver_sql(f'SELECT count(*) FROM "{name}"').scalar_one()) for name in names}
    unheard = sa.select(sa.func.count()).select_from(tables.inbox).where(tables.inbox.c.folded_at.is_(None))
    return {name: n for name, n in counts.items() if n}, int(source.scalar(unheard) or 0) if "inbox" in names else 0


def _wanted(source: sa.Connection, target: Store, mask: Mask | None) -> list[Shape]:
    """The tables to carry, each with what the target can hold: columns of the source that it lacks are made."""
    found = [shape for shape in shapes(source).values() if _goes(shape.name, mask)]
    with target.write() as connection:
        stand = {name: set(shape.columns) for name, shape in shapes(connection).items()}
        for shape in found:
            for column, kind in extra(shape):
                if column not in stand[shape.name]:
                    columns.add_column(connection, shape.name, column, kind)
                    stand[shape.name].add(column)
    return [shape.only(frozenset(stand[shape.name])) for shape in found]


def _carry(
    reading: sa.Connection, target: Store, shape: Shape, progress: Progress, mask: Mask | None, batch: int, step: Callable[[int], None]
) -> None:  # fmt: skip
    done = progress.of_table(shape.name)
    if done.done:
        return
    for page in pages(reading, shape, after=done.last, batch=batch):
        rows = _as_carried(reading, target, shape, page, mask)
        done.add(rows)
        done.last = [page[-1][place] for place in shape.key]
        with target.write() as connection:
            pour(connection, shape, rows)
            progress.keep(connection)
        faults.point("F31")
        step(len(rows))
    done.done = True
    with target.write() as connection:
        renumber(connection, shape)
        progress.keep(connection)


def _as_carried(reading: sa.Connection, target: Store, shape: Shape, page: list[Row], mask: Mask | None) -> list[Row]:
    """The rows of the source as the target gets them."""
    rows = _free(shape, _exact(shape, page, target.dialect))
    return rows if mask is None else mask.mask(shape, rows, reading)


def _exact(shape: Shape, rows: list[Row], dialect: str) -> list[Row]:
    """Values as the target's columns hold them: fractions, among which SQLite lets whole numbers stand; of any kind, texts on PostgreSQL."""
    real = {place for place, kind in enumerate(shape.kinds) if kind == "real"}
    mixed = {place for place, kind in enumerate(shape.kinds) if kind == "any"} if dialect == "postgresql" else set()
    if not real and not mixed:
        return rows

    def exact(place: int, value: Any) -> Any:
        if value is None:
            return None
        return float(value) if place in real else str(value) if place in mixed else value

    return [tuple([exact(n, v) for n, v in enumerate(row)]) for row in rows]


def _free(shape: Shape, rows: list[Row]) -> list[Row]:
    """Touches without their leases: who held them is not here."""
    if shape.name != "touch":
        return rows
    state, by, until = (shape.columns.index(name) for name in ("send_state", "lease_by", "lease_until"))

    def free(row: Row) -> Iterator[object]:
        for place, value in enumerate(row):
            if place == state:
                yield "planned" if value == "claimed" else value
            elif place == by:
                yield "copied" if row[state] == "sending" else None
            elif place == until:
                yield 0 if row[state] == "sending" else None
            else:
                yield value

    return [row if row[by] is None else tuple(free(row)) for row in rows]


# --- after ----------------------------------------------------------------------------------------------------------
def _went_on(reading: sa.Connection, target: Store, wanted: list[Shape], progress: Progress, mask: Mask | None) -> bool:
    """Whether the source is no longer what an earlier run has read of it."""
    for shape in wanted:
        stands = Carried()
        for page in pages(reading, shape):
            stands.add(_as_carried(reading, target, shape, page, mask))
        if not stands.same(progress.of_table(shape.name)):
            return True
    return False


def _different(target: Store, wanted: list[Shape], progress: Progress) -> list[str]:
    """Tables in which the target does not hold what was carried; reads all of it again."""
    wrong = []
    with target.read() as connection:
        for shape in wanted:
            stands = Carried()
            for page in pages(connection, shape):
                stands.add(page)
            if not stands.same(progress.of_table(shape.name)):
                wrong.append(shape.name)
    return wrong


def _unlike(wrong: list[str]) -> OmniError:
    return OmniError(
        t("the copy differs from what was read: {tables}", "la copie diffère de ce qui a été lu : {tables}", tables=", ".join(wrong[:5])),
        hint=t("somebody wrote into the target; empty it and copy again", "quelqu'un a écrit dans la cible ; videz-la et recopiez"), code="copy", exit=Exit.REFUSED,
    )  # fmt: skip


def _end(
    source: Store,
    target: Store,
    settings: Mapping[str, str],
    wanted: list[Shape],
    progress: Progress,
    *,
    move: bool,
    masked: bool,
) -> None:
    """The settings, who the store is, and whether it may send."""
    with source.read() as connection:
        own = serial.here(connection)
    same = source.live == target.live and not masked
    with target.write() as connection:
        foreign.give_back(connection, progress.foreign)
        for key, value in settings.items():
            if key not in LOCAL and same:
                setting.put(connection, key, value)
        connection.execute(sa.delete(tables.setting).where(tables.setting.c.key == COPYING))
        if move and own is not None:
            connection.execute(
                sa.update(tables.instance).values(id=own.instance, epoch=own.epoch + 1, serial=own.serial, hold=None)
            )
        elif target.live:
            connection.execute(sa.update(tables.instance).values(hold="twin"))
        now = serial.here(connection)
    if target.dialect == "postgresql":
        with target.write() as connection:
            connection.exec_driver_sql("ANALYZE " + ", ".join(f'"{shape.name}"' for shape in wanted))
    if move and now is not None:
        serial.adopt(target, now)

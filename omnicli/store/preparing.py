"""From no file, or an older one, to the tables of this program: Alembic's migrations, triggers, declared columns.

Nothing to do costs one SELECT and imports nothing. A store that is newer than the program is refused.
"""

from __future__ import annotations

import hashlib
import uuid
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from omnicli import faults
from omnicli.errors import Exit, OmniError
from omnicli.model.ids import digest
from omnicli.model.project import Project
from omnicli.store import columns, migrations, setting, tables, triggers
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.store.connection import Store

SHAPE = "shape"


def overtaken(connection: sa.Connection) -> OmniError | None:
    """What a program that has the store open is told when another omni has changed its tables meanwhile (docs/delivery 12)."""
    standing = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    if standing == migrations.HEAD:
        return None
    return OmniError(
        t("another omni changed the tables of the store meanwhile ({known} → {found})",
          "un autre omni a changé entre-temps les tables de la base ({known} → {found})", known=migrations.HEAD, found=standing),
        hint=t("start this one anew", "relancez celui-ci"), code="store_newer", exit=Exit.REFUSED,
    )  # fmt: skip


def prepare(store: Store, project: Project, *, upgrade: bool = True) -> list[str]:
    """Bring the store to the program's tables and the project's columns; what was done, in words, empty when nothing.

    With `upgrade=False` (the live store, docs/cli 7) a migration that is pending is refused with exit 4; a store that
    does not exist yet is made, and declared columns are added, either way.
    """
    wanted = shape(project)
    standing = version_of(store)
    if standing == migrations.HEAD and _setting(store, SHAPE) == wanted:
        return []
    if standing is not None and standing not in migrations.KNOWN:
        raise OmniError(
            t("the store is newer than this omni (its tables are {found}, omni knows {known})",
              "la base est plus récente que cet omni (ses tables : {found}, omni connaît {known})", found=standing, known=migrations.HEAD),
            hint=t("install the newer omni, or give another store", "installez l'omni plus récent, ou donnez une autre base"),
            code="store_newer", exit=Exit.REFUSED,
        )  # fmt: skip
    if standing is not None and (strange := of_another(store, project)) is not None:
        raise strange
    done: list[str] = []
    if standing != migrations.HEAD:
        if standing is not None and not upgrade:
            raise OmniError(t("the store waits for a migration ({found} → {known})", "la base attend une migration ({found} → {known})",
                              found=standing, known=migrations.HEAD), hint="omni db upgrade --live", code="migration_pending",
                            exit=Exit.REFUSED)  # fmt: skip
        _migrate(store)
        done.append(f"{standing or t('empty', 'vide')} → {migrations.HEAD}")
    with store.write() as connection:
        _in_turn(connection)
        _house(connection, project, live=store.live)
        done += columns.ensure_columns(connection, project)
        setting.put(connection, SHAPE, wanted)
    return done


def _in_turn(connection: sa.Connection) -> None:
    """Several workers may start at once with a new column: on PostgreSQL the second waits, then finds it there (`PostgresStore.rebuild`
    waits for the same word)."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('omni ' || current_schema()))")


def shape(project: Project) -> str:
    """The hash of the tables' version and the columns that the project declares."""
    lines = [migrations.HEAD, project.project, *(f"{o}.{n} {k}" for (o, n), k in sorted(columns.wanted_columns(project).items()))]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def version_of(store: Store) -> str | None:
    """The version of the store's tables, or None when it has none."""
    with store.read() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
        return None if found is None else str(found)


def _setting(store: Store, key: str) -> str | None:
    with store.read() as connection:
        return setting.get(connection, key)


def _house(connection: sa.Connection, project: Project, *, live: bool) -> None:
    """Whose store this is, written down once."""
    owner = setting.get(connection, "project")
    if (strange := _strange(owner, project, live=live, shared=connection.dialect.name == "postgresql")) is not None:
        raise strange
    if owner is None:
        setting.put(connection, "project", project.project)
        identity = uuid.uuid4().hex if live else digest(project.project, "sandbox").hex()[:32]
        connection.execute(sa.insert(tables.instance).values(id=identity, epoch=1, serial=0))


def of_another(store: Store, project: Project) -> OmniError | None:
    """What whoever is about to change, take away or count the store of another project is told; None when it is this one's or nobody's."""
    with store.read() as connection:
        if not sa.inspect(connection).has_table("setting"):
            return None
        owner = setting.get(connection, "project")
    return _strange(owner, project, live=store.live, shared=store.dialect == "postgresql")


def _strange(owner: str | None, project: Project, *, live: bool, shared: bool) -> OmniError | None:
    """The project's name goes into every hash, so another project's store is refused. `shared`: its owner may use it still."""
    if owner is None or owner == project.project:
        return None
    return OmniError(
        t("this store belongs to the project '{owner}', not to '{project}'", "cette base est celle du projet « {owner} », pas de « {project} »",
          owner=owner, project=project.project),
        hint=_back(live=live, shared=shared), code="other_project", exit=Exit.REFUSED,
    )  # fmt: skip


def _back(*, live: bool, shared: bool) -> str:
    if live:
        return t("the name goes into every id: give it back in omni.yaml, or give this project a database of its own",
                 "le nom entre dans chaque identifiant : remettez-le dans omni.yaml, ou donnez à ce projet une base à lui")  # fmt: skip
    if shared:
        return t("the name goes into every id: give it back in omni.yaml, give this project a database of its own, or, when nobody needs this one,"
                 " take it away by hand (DROP SCHEMA omni_sandbox CASCADE)",
                 "le nom entre dans chaque identifiant : remettez-le dans omni.yaml, donnez à ce projet une base à lui ou, si personne n'a besoin"
                 " de celle-ci, retirez-la à la main (DROP SCHEMA omni_sandbox CASCADE)")  # fmt: skip
    return t("the name goes into every id: give it back in omni.yaml, give this project a database of its own, or begin again (omni db reset)",
             "le nom entre dans chaque identifiant : remettez-le dans omni.yaml, donnez à ce projet une base à lui, ou recommencez (omni db reset)")  # fmt: skip


def _migrate(store: Store) -> None:
    if store.in_memory:
        with store.write() as connection:
            create_fresh(connection)
        return
    with store.rebuild() as connection:
        triggers_stand = sa.inspect(connection).has_table("touch_move")
        if triggers_stand:
            triggers.drop(connection)
        migrations.upgrade(connection)
        faults.point("F19")
        triggers.create(connection)


def create_fresh(connection: sa.Connection) -> None:
    """The newest tables without Alembic: stores in memory, and the test that compares both ways."""
    tables.metadata.create_all(connection)
    triggers.create(connection)
    connection.exec_driver_sql(
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
    )
    connection.execute(sa.text("INSERT INTO alembic_version (version_num) VALUES (:v)"), {"v": migrations.HEAD})


def pending_sql(store: Store) -> str:
    """The SQL that an upgrade of this store would run (`omni db upgrade -n`)."""
    standing: Any = version_of(store)
    return "" if standing == migrations.HEAD else migrations.sql(store.dialect, standing)

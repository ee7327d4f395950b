"""The tables of the queue of calls (Procrastinate's), in a schema of their own beside the store's: made, and made anew when another
version of it is installed. What lies in them may go at any time: whatever is due is called for again (store/wakeups).

The schema's comment says which version stands. Workers need rights on its rows and none to make tables, once `omni db upgrade` was there.
"""

from __future__ import annotations

import hashlib
from importlib import resources
from typing import TYPE_CHECKING, Any, Literal

import sqlalchemy as sa

from omnicli.errors import Exit, OmniError
from omnicli.store.wakeups import schema_of
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.store.connection import Store

State = Literal["missing", "other", "ready"]
_STANDING = """SELECT to_regclass(%s) IS NOT NULL, coalesce(obj_description(to_regnamespace(%s), 'pg_namespace'), '')"""
#: Everything in the schema, in an order in which it can go; the schema stays, for it may have been made for the role.
_EMPTY = """DO $omni$ DECLARE gone text; every text[]; BEGIN
  SELECT array_agg(said) INTO every FROM (
    SELECT format('DROP TABLE IF EXISTS %s CASCADE', oid::regclass) AS said FROM pg_class WHERE relnamespace = '{jobs}'::regnamespace AND relkind = 'r'
    UNION ALL SELECT format('DROP ROUTINE IF EXISTS %s CASCADE', oid::regprocedure) FROM pg_proc WHERE pronamespace = '{jobs}'::regnamespace
    UNION ALL SELECT format('DROP TYPE IF EXISTS %s CASCADE', t.oid::regtype) FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
      WHERE t.typnamespace = '{jobs}'::regnamespace AND (t.typtype = 'e' OR c.relkind = 'c')) AS found;
  FOREACH gone IN ARRAY coalesce(every, '{}') LOOP EXECUTE gone; END LOOP;
END $omni$;"""
#: Functions find their tables whatever the connection's search path says.
_BOUND = """DO $omni$ DECLARE own regprocedure; BEGIN
  FOR own IN SELECT oid FROM pg_proc WHERE pronamespace = '{jobs}'::regnamespace
  LOOP EXECUTE format('ALTER ROUTINE %s SET search_path = {jobs}, pg_temp', own); END LOOP;
END $omni$;"""


def ready(store: Store, schema: str, *, upgrade: bool) -> bool:
    """See to it that the queue stands; True when it was made. Of another version it is made anew with `upgrade`, else refused (exit 4),
    and so is a role that may not make it: `omni db upgrade` is for one that may."""
    if _state(store, schema) == "ready":
        return False
    try:
        return _make(store, schema, upgrade=upgrade)
    except Exception as error:  # SQLAlchemy's, or the driver's own
        if getattr(getattr(error, "orig", error), "sqlstate", "") != "42501":
            raise
        why = t(
            "this role may not make the tables of the queue (schema {jobs})",
            "ce rôle ne peut pas créer les tables de la file (schéma {jobs})",
            jobs=schema_of(schema),
        )
        raise _refused(why, store) from None


def pending_sql(store: Store, schema: str) -> str:
    """What `ready(upgrade=True)` would run; empty when the queue stands, or Procrastinate is not installed."""
    return "" if _wanted() is None or (state := _state(store, schema)) == "ready" else _sql(schema, state, there=False)


def _state(store: Store, schema: str) -> State:
    with store.read() as connection:
        return _standing(connection, schema)


def _standing(connection: sa.Connection, schema: str) -> State:
    jobs = schema_of(schema)
    there, note = connection.exec_driver_sql(_STANDING, (f"{jobs}.procrastinate_jobs", jobs)).one()
    return "missing" if not there else "ready" if note == _wanted() else "other"


def _make(store: Store, schema: str, *, upgrade: bool) -> bool:
    jobs = schema_of(schema)
    with store.write() as connection:
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext(%s))", (f"omni {jobs}",))
        state = _standing(connection, schema)
        if state == "ready":  # another was first
            return False
        if state == "other" and not upgrade:
            raise _refused(
                t(
                    "the queue's tables are of another version of Procrastinate",
                    "les tables de la file sont d'une autre version de Procrastinate",
                ),
                store,
            )
        there = connection.exec_driver_sql("SELECT to_regnamespace(%s) IS NOT NULL", (jobs,)).scalar_one()
        raw: Any = connection.connection.driver_connection
        raw.execute(_sql(schema, state, there=bool(there)))
        raw.execute(f"SET LOCAL search_path TO {schema}")
    return True


def _sql(schema: str, state: State, *, there: bool) -> str:
    jobs = schema_of(schema)
    return "\n".join(
        [
            *([] if there else [f"CREATE SCHEMA IF NOT EXISTS {jobs};"]),
            f"SET LOCAL search_path TO {jobs};",
            *([_EMPTY.replace("{jobs}", jobs)] if state == "other" else []),
            _text() or "",
            _BOUND.replace("{jobs}", jobs),
            f"COMMENT ON SCHEMA {jobs} IS '{_wanted()}';",
        ]
    )


def _text() -> str | None:
    try:
        return resources.files("procrastinate").joinpath("sql/schema.sql").read_text()
    except ModuleNotFoundError:
        return None


def _wanted() -> str | None:
    """What the comment of a schema of this version says; None where Procrastinate is not installed."""
    text = _text()
    return None if text is None else f"the queue of omni, Procrastinate {hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _refused(why: str, store: Store) -> OmniError:
    command = "omni db upgrade" + (" --live" if store.live else "")
    return OmniError(why, hint=t("{command}, by a role that owns the schemas (docs/postgresql.md 1)", "{command}, par un rôle à qui sont les schémas (docs/postgresql.md 1)", command=command),
                     code="queue", exit=Exit.REFUSED)  # fmt: skip

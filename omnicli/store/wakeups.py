"""Wake-up calls for workers: jobs of Procrastinate in a schema of their own beside the store's, laid down in the transaction that decides.

A job says "campaign X has something to decide" or "to send", never who or what: the truth is `due_at`. A lost, doubled or stuck one
changes nothing, because the next tick lays down what is due, and every claim is a row lock (docs/delivery 12).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

TURN, DISPATCH = "turn", "dispatch"
#: So many due are worth a call of their own, and so many calls of one kind wait for a campaign at most.
EACH, MOST = {TURN: 1000, DISPATCH: 100}, 16
#: Who has not said for so many seconds that it lives has left its jobs behind.
SILENT = 60


def schema_of(schema: str) -> str:
    """Where the jobs of the store in that schema stand."""
    return f"{schema}_jobs"


def wake(connection: sa.Connection, task: str, due: Mapping[int, int], *, soon: bool = False) -> None:
    """Call for as many workers as these are worth: version id → how many are due. One call of a place waits at a time. Nothing where
    there is no queue. The last thing of its transaction: whoever lays down the same waits for it. `soon`: in a second, so that what
    others lay down until then is one call."""
    if not due or connection.dialect.name != "postgresql" or (jobs := _queue(connection)) is None:
        return
    names: dict[str, int] = {}
    for version, name in connection.execute(_NAMES, {"versions": sorted(due)}):
        names[name] = names.get(name, 0) + due[version]
    if task == TURN:  # priorities of all campaigns are decided in their order
        names = {"": sum(names.values())}
    rows = [(name, f"{task}:{name}:{n}") for name in sorted(names) for n in range(min(MOST, 1 + names[name] // EACH[task]))]
    connection.exec_driver_sql(
        f"INSERT INTO {jobs}.procrastinate_jobs (queue_name, task_name, queueing_lock, args, scheduled_at)"
        " SELECT %s, %s, place, jsonb_build_object('campaign', name), now() + %s * interval '1 second' FROM unnest(%s::text[], %s::text[]) AS calls (name, place)"
        " ON CONFLICT DO NOTHING",
        (task, task, int(soon), [name for name, _ in rows], [place for _, place in rows]),
    )


_NAMES = sa.text(
    "SELECT v.id, k.name FROM campaign_version v JOIN campaign k ON k.id = v.campaign_id WHERE v.id IN :versions"
).bindparams(sa.bindparam("versions", expanding=True))


def _queue(connection: sa.Connection) -> str | None:
    """The schema of the queue, remembered with the connection once it stands."""
    if "omni_jobs" not in connection.info:
        schema = connection.exec_driver_sql("SELECT current_schema()").scalar()
        jobs = schema_of(str(schema))
        if connection.exec_driver_sql("SELECT to_regclass(%s)", (f"{jobs}.procrastinate_jobs",)).scalar() is None:
            return None
        connection.info["omni_jobs"] = jobs
    return str(connection.info["omni_jobs"])


def wake_all(connection: sa.Connection, now: int) -> int:
    """Call for everything that is due at that instant, in ms; how many campaigns' versions have anything."""
    found = 0
    for task, query in ((TURN, _TO_DECIDE), (DISPATCH, _TO_SEND)):
        due = {row[0]: row[1] for row in connection.execute(query, {"now": now, "most": EACH[task] * MOST})}
        wake(connection, task, due)
        found += len(due)
    return found


_TO_DECIDE = sa.text(
    "SELECT version_id, count(*) FROM (SELECT version_id FROM enrollment WHERE due_at IS NOT NULL AND state = 'open' AND due_at <= :now"
    " LIMIT :most) AS first GROUP BY 1"
)
_TO_SEND = sa.text(
    "SELECT version_id, count(*) FROM (SELECT version_id FROM touch WHERE send_state IN ('planned','retry') AND lease_by IS NULL"
    " AND settled_at IS NULL AND due_at <= :now"
    " UNION ALL SELECT version_id FROM touch WHERE lease_by IS NOT NULL OR send_state = 'unknown' LIMIT :most) AS first GROUP BY 1"
)


def sweep(connection: sa.Connection) -> int:
    """Take away jobs that killed workers left behind: what they were called for is due, and called for again. How many."""
    jobs = _queue(connection)
    if jobs is None:
        return 0
    silent = f"last_heartbeat < now() - interval '{SILENT} seconds'"
    connection.exec_driver_sql(f"DELETE FROM {jobs}.procrastinate_workers WHERE {silent}")
    gone = connection.exec_driver_sql(f"DELETE FROM {jobs}.procrastinate_jobs WHERE status <> 'todo' AND worker_id IS NULL")
    return int(gone.rowcount)


@dataclass(frozen=True, slots=True)
class Calls:
    """The queue by numbers: calls that wait, those in somebody's hand, those whose job raised; `oldest` call that waits, in seconds."""

    waiting: int = 0
    taken: int = 0
    failed: int = 0
    oldest: int = 0


def calls(connection: sa.Connection) -> Calls | None:
    """What lies in the queue; None where there is none."""
    if (jobs := _queue(connection)) is None:
        return None
    row = connection.exec_driver_sql(
        "SELECT count(*) FILTER (WHERE status = 'todo'), count(*) FILTER (WHERE status = 'doing'), count(*) FILTER (WHERE status NOT IN ('todo', 'doing')),"
        " coalesce(extract(epoch FROM now() - min(scheduled_at) FILTER (WHERE status = 'todo')), 0)::bigint"
        f" FROM {jobs}.procrastinate_jobs"
    ).one()
    return Calls(*map(int, row))


def waiting(connection: sa.Connection) -> int:
    """Calls that nobody has answered yet, or that somebody is answering."""
    jobs = _queue(connection)
    return 0 if jobs is None else int(connection.exec_driver_sql(f"SELECT count(*) FROM {jobs}.procrastinate_jobs").scalar() or 0)

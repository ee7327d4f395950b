"""What no program may do to the store, said in the store itself: forbidden moves, falling fences, rewritten history."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from omnicli import guards
from omnicli.model.touch import TOUCH_MOVES
from omnicli.store import tables

#: Tables that only grow (docs/delivery 7); erasure runs under the setting `erasing`, which its recorded job sets.
APPEND_ONLY = ("event", "evidence", "consent_log", "suppression_log", "decision")
_ERASING = "NOT EXISTS (SELECT 1 FROM setting WHERE key = 'erasing')"


def triggers() -> dict[str, tuple[str, str, str, str]]:
    """name → (table, `UPDATE OF …` or `DELETE`, condition, message): the same for both stores."""
    found = {
        "touch_moves": ("touch", "UPDATE OF send_state",
                        "OLD.send_state <> NEW.send_state AND NOT EXISTS "
                        "(SELECT 1 FROM touch_move m WHERE m.old = OLD.send_state AND m.new = NEW.send_state)",
                        "touch: this move of send_state is not allowed"),
        "touch_fence": ("touch", "UPDATE OF fence", "NEW.fence < OLD.fence", "touch: the fence never falls"),
    }  # fmt: skip
    if not guards.on("touch_move"):
        del found["touch_moves"]
    for table in APPEND_ONLY if guards.on("append_only") else ():
        message = f"{table}: only grows"
        # new columns of declared fields are filled from the payload of events that stand
        columns = ", ".join(column.name for column in tables.metadata.tables[table].columns)
        found[f"{table}_update"] = (table, f"UPDATE OF {columns}", _ERASING, message)
        found[f"{table}_delete"] = (table, "DELETE", _ERASING, message)
    return found


def create(connection: sa.Connection) -> None:
    """Make the triggers, and the rows of `touch_move` that they ask."""
    drop(connection)
    for name, (table, action, condition, message) in triggers().items():
        for statement in _statements(connection.dialect.name, name, table, action, condition, message):
            connection.exec_driver_sql(statement)
    moves: list[dict[str, Any]] = [{"old": old, "new": new} for old, new in TOUCH_MOVES]
    connection.execute(sa.delete(tables.touch_move))
    connection.execute(sa.insert(tables.touch_move), moves)


def drop(connection: sa.Connection) -> None:
    """Take the triggers away: a migration that rebuilds a table would lose them silently."""
    for name, (table, *_) in triggers().items():
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name} ON {table}")
        else:
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name}")


def _statements(dialect: str, name: str, table: str, action: str, condition: str, message: str) -> list[str]:
    if dialect != "postgresql":
        return [f"CREATE TRIGGER {name} BEFORE {action} ON {table} WHEN {condition} BEGIN SELECT RAISE(ABORT, '{message}'); END"]
    back, raised = "OLD" if action == "DELETE" else "NEW", f"RAISE EXCEPTION '{message}' USING ERRCODE = 'check_violation';"
    when = _WITHOUT_ASKING.get(name, "")
    body = raised if when else f"IF {condition} THEN {raised} END IF; RETURN {back};"
    return [
        f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$",
        f"CREATE TRIGGER {name} BEFORE {action} ON {table} FOR EACH ROW {when} EXECUTE FUNCTION {name}()",
    ]


#: Of rows that are written several times each, PostgreSQL judges the move itself and calls a function only to refuse it: a call a row
#: costs more than the row's own constraints. The same moves as stand in `touch_move`.
_WITHOUT_ASKING = {
    "touch_moves": "WHEN (OLD.send_state <> NEW.send_state AND OLD.send_state || ' ' || NEW.send_state <> ALL (ARRAY["
                   f"{', '.join(repr(f'{old} {new}') for old, new in TOUCH_MOVES)}]))",
    "touch_fence": "WHEN (NEW.fence < OLD.fence)",
}  # fmt: skip

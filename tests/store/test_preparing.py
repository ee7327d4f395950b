"""The store is brought to the program's tables, once, and refuses what would break its promise."""

from __future__ import annotations

import sqlite3

import pytest
import sqlalchemy as sa
from shelves import MS, a_contact, a_project, a_store, a_touch, sqlite_only
from stores import POSTGRESQL, blank_store, said

from omnicli.errors import Exit, OmniError
from omnicli.store import migrations, tables, triggers
from omnicli.store.connection import Store
from omnicli.store.preparing import create_fresh, prepare


def schema(store):
    if POSTGRESQL:
        return schema_of_postgresql(store)
    with store.read() as connection:
        found = connection.exec_driver_sql(
            "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' AND tbl_name <> 'alembic_version' ORDER BY type, name"
        )
        return [
            (kind, name, table, clauses(sql or "") if kind == "table" else " ".join((sql or "").split()))
            for kind, name, table, sql in found
        ]


def schema_of_postgresql(store):
    """Columns, constraints, indexes, triggers and their functions, as the catalog writes them."""
    asked = (
        "SELECT table_name, column_name, data_type, collation_name, is_nullable, column_default FROM information_schema.columns "
        "WHERE table_schema = current_schema() AND table_name <> 'alembic_version'",
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = current_schema()::regnamespace",
        "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema()",
        "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
        "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = current_schema()::regnamespace",
    )
    with store.read() as connection:
        return [sorted(tuple(row) for row in connection.exec_driver_sql(sql)) for sql in asked]


def clauses(sql):
    """Columns in their order, then constraints in any: Alembic sorts them, SQLAlchemy does not."""
    depth, parts, start = 0, [], sql.index("(") + 1
    for place in range(start, len(sql)):
        depth += {"(": 1, ")": -1}.get(sql[place], 0)
        if (sql[place] == "," and depth == 0) or depth < 0:
            parts.append(" ".join(sql[start:place].split()))
            start = place + 1
            if depth < 0:
                break
    constraints = sorted(part for part in parts if part.startswith("CONSTRAINT"))
    return [part for part in parts if not part.startswith("CONSTRAINT")], constraints, " ".join(sql[start:].split())


def test_migrating_an_empty_file_gives_the_very_schema_made_fresh(tmp_path):
    project = a_project(tmp_path)
    migrated, fresh = blank_store(tmp_path), blank_store(tmp_path / "fresh") if POSTGRESQL else Store.memory()
    if POSTGRESQL:
        with fresh.rebuild() as connection:
            create_fresh(connection)
    for store in (migrated, fresh):
        prepare(store, project)
    assert schema(migrated) == schema(fresh)


def test_the_versions_in_the_folder_are_those_the_program_knows():
    from alembic.script import ScriptDirectory

    script = ScriptDirectory.from_config(migrations._config(None))
    assert [revision.revision for revision in reversed(list(script.walk_revisions()))] == list(migrations.KNOWN)
    assert script.get_current_head() == migrations.HEAD


def test_the_migrations_make_what_the_tables_say(tmp_path):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    store = a_store(tmp_path, a_project(tmp_path, attributes="", events=""))
    with store.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        differences = [
            d for d in compare_metadata(context, tables.metadata) if not (d[0] == "remove_column" and d[3].name.startswith("p_"))
        ]
    assert differences == []


@sqlite_only("PostgreSQL knows no other tables than strict ones")
def test_every_table_is_strict_and_every_constraint_has_a_name(tmp_path):
    store = a_store(tmp_path, a_project(tmp_path))
    with store.read() as connection:
        loose = (
            connection.exec_driver_sql(
                "SELECT name FROM pragma_table_list WHERE strict = 0 AND type = 'table' AND schema = 'main'"
            )
            .scalars()
            .all()
        )
    assert set(loose) <= {"alembic_version", "sqlite_schema"}
    for table in tables.metadata.tables.values():
        assert all(constraint.name for constraint in table.constraints)


def test_nothing_to_do_is_nothing_done(tmp_path):
    project = a_project(tmp_path)
    store = a_store(tmp_path, project)
    before = schema(store)
    assert prepare(store, project) == []
    assert schema(store) == before


def test_a_store_newer_than_the_program_is_refused(tmp_path):
    project = a_project(tmp_path)
    store = a_store(tmp_path, project)
    with store.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(OmniError, match="newer than this omni") as error:
        prepare(store, project)
    assert error.value.exit == Exit.REFUSED


def test_a_pending_migration_of_the_live_store_waits_for_db_upgrade(tmp_path, monkeypatch):
    project = a_project(tmp_path)
    store = a_store(tmp_path, project)
    monkeypatch.setattr(migrations, "HEAD", "9000")
    monkeypatch.setattr(migrations, "KNOWN", (*migrations.KNOWN, "9000"))
    with pytest.raises(OmniError, match="waits for a migration") as error:
        prepare(store, project, upgrade=False)
    assert (error.value.exit, error.value.hint) == (Exit.REFUSED, "omni db upgrade --live")


def test_the_store_of_another_project_is_refused(tmp_path):
    store = a_store(tmp_path, a_project(tmp_path))
    with pytest.raises(OmniError, match="belongs to the project 'boutique'"):
        prepare(store, a_project(tmp_path / "other", name="autre"))


def test_the_store_of_another_project_is_not_migrated_first(tmp_path, monkeypatch):
    store = a_store(tmp_path, a_project(tmp_path))
    monkeypatch.setattr(migrations, "HEAD", "9000")
    monkeypatch.setattr(migrations, "KNOWN", (*migrations.KNOWN, "9000"))
    monkeypatch.setattr(migrations, "upgrade", lambda _connection: pytest.fail("migrated another project's store"))
    for upgrade in (True, False):
        with pytest.raises(OmniError, match="belongs to the project 'boutique'"):
            prepare(store, a_project(tmp_path / "other", name="autre"), upgrade=upgrade)


def test_the_sql_of_a_migration_can_be_printed():
    script = migrations.sql("sqlite", None)
    assert "CREATE TABLE touch" in script
    assert "STRICT" in script


# --- what the store itself forbids ----------------------------------------------------------------------------------
def refused(store, statement):
    with pytest.raises(sa.exc.IntegrityError) as error, store.write() as connection:
        connection.exec_driver_sql(statement)
    return str(error.value.orig)


@pytest.mark.guards("touch_move")
def test_a_touch_moves_only_along_the_table_of_moves(tmp_path):
    store = a_store(tmp_path, a_project(tmp_path))
    a_touch(store)
    assert "not allowed" in refused(store, "UPDATE touch SET send_state = 'unknown'")
    with store.write() as connection:
        connection.exec_driver_sql("UPDATE touch SET send_state = 'claimed', lease_by = 'w', fence = 1")
        connection.exec_driver_sql("UPDATE touch SET send_state = 'sending'")
    assert "not allowed" in refused(store, "UPDATE touch SET send_state = 'planned', lease_by = NULL")


def test_the_fence_never_falls(tmp_path):
    store = a_store(tmp_path, a_project(tmp_path))
    a_touch(store, fence=4)
    assert "never falls" in refused(store, "UPDATE touch SET fence = 3")


def test_one_touch_has_one_open_attempt(tmp_path):
    store = a_store(tmp_path, a_project(tmp_path))
    a_touch(store)
    one = said(
        "INSERT INTO attempt (touch_id, n, handover_id, fence, outcome, address_hash, body_sha256, started_at) VALUES (1, {n}, 1, 1, 'intent', x'', x'', 1)"
    )
    with store.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO handover (id, provider, account, size, started_at, outcome) VALUES (1, 'p', 'a', 1, 1, 'intent')"
        )
        connection.exec_driver_sql(one.format(n=1))
    assert "unique" in refused(store, one.format(n=2)).lower()


@pytest.mark.guards("append_only")
@pytest.mark.parametrize("table", triggers.APPEND_ONLY)
def test_history_only_grows(tmp_path, table):
    store = a_store(tmp_path, a_project(tmp_path))
    a_touch(store)
    rows = {
        "event": f"INSERT INTO event (contact_id, name, at, received_at) VALUES (1, 'purchase', {MS}, {MS})",
        "evidence": f"INSERT INTO evidence (touch_id, n, source, kind, at) VALUES (1, 1, 's', 'k', {MS})",
        "consent_log": f"INSERT INTO consent_log (contact_id, channel, purpose, state, at, recorded_at) VALUES (1, 'email', 'marketing', 'granted', {MS}, {MS})",
        "suppression_log": f"INSERT INTO suppression_log (channel, norm_hmac, scope, reason, state, at, recorded_at) VALUES ('email', x'00', 'all', 'r', 'barred', {MS}, {MS})",
        "decision": f"INSERT INTO decision (enrollment_id, at, step, kind) VALUES (1, {MS}, 'j0', 'send')",
    }
    with store.write() as connection:
        connection.exec_driver_sql(said(rows[table]))
    assert "only grows" in refused(store, f"DELETE FROM {table}")
    column = {"event": "name", "evidence": "kind", "consent_log": "state", "suppression_log": "reason", "decision": "kind"}[table]
    assert "only grows" in refused(store, f"UPDATE {table} SET {column} = 'x'")
    with store.write() as connection:  # a recorded erasure may
        connection.exec_driver_sql("INSERT INTO setting (key, value) VALUES ('erasing', 'job 1')")
        connection.exec_driver_sql(f"DELETE FROM {table}")


# --- declared columns -----------------------------------------------------------------------------------------------
def test_a_new_attribute_gets_its_column_and_everybody_its_default(tmp_path):
    store = a_store(tmp_path, a_project(tmp_path))
    a_contact(store)
    done = prepare(store, a_project(tmp_path, attributes="city: text, orders: {type: number, default: 3}, tag-name: [a, b]"))
    assert done == ["contact.a_orders", "contact.a_tag_name"]
    with store.read() as connection:
        assert connection.exec_driver_sql("SELECT a_orders, a_tag_name, f_tag_name FROM contact").first() == (3.0, None, None)


def test_a_changed_type_converts_what_converts_and_empties_the_rest(tmp_path):
    store = a_store(tmp_path, a_project(tmp_path, attributes="size: text"))
    for number, size in enumerate(("12", "12.5", "large"), 1):
        a_contact(store, number)
        with store.write() as connection:
            connection.exec_driver_sql(f"UPDATE contact SET a_size = '{size}' WHERE id = {number}")
    prepare(store, a_project(tmp_path, attributes="size: number"))
    with store.read() as connection:
        assert connection.exec_driver_sql("SELECT a_size FROM contact ORDER BY id").scalars().all() == [12.0, 12.5, None]
    prepare(store, a_project(tmp_path, attributes="size: text"))
    with store.read() as connection:
        assert connection.exec_driver_sql("SELECT a_size, f_size FROM contact ORDER BY id").fetchall() == [
            ("12", "12"),
            ("12.5", "12.5"),
            (None, None),
        ]


def test_an_event_field_that_is_declared_later_is_read_from_the_payloads_that_stand(tmp_path):
    store = a_store(tmp_path, a_project(tmp_path, events="purchase: {place: code}"))
    a_contact(store)
    with store.write() as connection:
        connection.exec_driver_sql(
            said("INSERT INTO event (contact_id, name, at, received_at, payload) VALUES (1, 'purchase', 1, 1, ?)"),
            ('{"value": "39.92 EUR", "place": "web"}',),
        )
    prepare(store, a_project(tmp_path, events="purchase: {place: code, value: money EUR}"))
    with store.read() as connection:
        assert connection.exec_driver_sql("SELECT p_value FROM event").scalar() == 3992


def test_one_field_name_may_be_text_in_one_event_and_money_in_another(tmp_path):
    store = a_store(tmp_path, a_project(tmp_path, events="purchase: {value: money EUR}, vote: {value: text}"))
    with store.read() as connection:
        asked = "SELECT data_type FROM information_schema.columns WHERE table_name = 'event' AND column_name = 'p_value'"
        asked = asked if POSTGRESQL else "SELECT type FROM pragma_table_info('event') WHERE name = 'p_value'"
        assert connection.exec_driver_sql(asked).scalars().all() == ["text" if POSTGRESQL else "ANY"]


def test_attributes_that_would_share_a_column_are_refused(tmp_path):
    with pytest.raises(OmniError, match="share one column"):
        a_store(tmp_path, a_project(tmp_path, attributes="a-b: text, a_b: text"))


# --- the connection -------------------------------------------------------------------------------------------------
@sqlite_only("rights of a file, and pragmas")
def test_the_file_is_for_its_owner_only_and_the_reader_cannot_write(tmp_path):
    store = a_store(tmp_path, a_project(tmp_path))
    assert oct(store.path.stat().st_mode)[-3:] == "600"
    with pytest.raises(sa.exc.OperationalError), store.read() as connection:
        connection.exec_driver_sql("DELETE FROM setting")
    with store.write() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "wal_autocheckpoint")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "wal_autocheckpoint": 0}


def test_a_write_in_a_write_raises_and_an_exception_rolls_back(tmp_path):
    store = a_store(tmp_path, a_project(tmp_path))
    with store.write(), pytest.raises(RuntimeError), store.write():
        pass
    with pytest.raises(sa.exc.IntegrityError), store.write() as connection:
        connection.execute(
            sa.text("INSERT INTO setting (key, value) VALUES (:k, :v)"), [{"k": "x", "v": "y"}, {"k": "x", "v": "z"}]
        )
    with store.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM setting WHERE key = 'x'").scalar() == 0


@sqlite_only("writers of PostgreSQL do not take turns")
@pytest.mark.guards("writer_lock")
def test_another_process_that_writes_is_waited_for_and_then_said(tmp_path):
    store, other = a_store(tmp_path, a_project(tmp_path)), Store.sqlite(tmp_path / "sandbox.db")
    with store.write(), pytest.raises(OmniError, match="busy") as error, other.write(wait=0.05):
        pass
    assert error.value.exit == Exit.LOCKED
    with other.write(wait=0.05) as connection:
        connection.exec_driver_sql("INSERT INTO setting (key, value) VALUES ('x', 'y')")


@sqlite_only("pragmas")
@pytest.mark.guards("full_sync", "foreign_keys")
@pytest.mark.parametrize("engine", ["writer", "reader"])
def test_each_connection_syncs_every_commit_and_heeds_foreign_keys(tmp_path, engine):
    store = a_store(tmp_path, a_project(tmp_path))
    with getattr(store, engine).connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        assert connection.exec_driver_sql("PRAGMA wal_autocheckpoint").scalar() == 0


@pytest.mark.guards("foreign_keys")
def test_nothing_points_at_nobody(tmp_path):
    store = a_store(tmp_path, a_project(tmp_path))
    with pytest.raises(sa.exc.IntegrityError), store.write() as connection:
        connection.exec_driver_sql("INSERT INTO address (contact_id, channel, value, norm) VALUES (99, 'email', 'x', 'x')")


@sqlite_only("PostgreSQL alters tables and never leaves foreign keys off")
def test_a_rebuild_checks_its_orphans_and_leaves_foreign_keys_on(tmp_path):
    store = a_store(tmp_path, a_project(tmp_path))
    with pytest.raises(OmniError, match="orphans"), store.rebuild() as connection:
        connection.exec_driver_sql("INSERT INTO address (contact_id, channel, value, norm) VALUES (99, 'email', 'a', 'a')")
    with pytest.raises(sa.exc.IntegrityError), store.write() as connection:
        connection.exec_driver_sql("INSERT INTO address (contact_id, channel, value, norm) VALUES (99, 'email', 'a', 'a')")


@sqlite_only("the WAL file of SQLite")
def test_a_log_is_taken_into_the_file_when_it_is_full_and_not_at_each_commit_from_then_on(tmp_path, monkeypatch):
    from omnicli.store import connection as way

    monkeypatch.setattr(way, "PASSIVE_ABOVE", 1_000_000)
    store = a_store(tmp_path, a_project(tmp_path))
    with store.write() as connection:
        connection.exec_driver_sql("CREATE TABLE heap (dirt BLOB)")
    taken, base = [], tmp_path / "sandbox.db"
    for _ in range(60):
        before = base.stat().st_mtime_ns
        with store.write() as connection:
            connection.exec_driver_sql("INSERT INTO heap VALUES (randomblob(100000))")
        taken.append(base.stat().st_mtime_ns > before)
    assert 3 <= sum(taken) <= 8
    assert (tmp_path / "sandbox.db-wal").stat().st_size < 1_200_000


@sqlite_only("the WAL file of SQLite")
def test_a_long_log_is_taken_back_into_the_file(tmp_path, monkeypatch):
    from omnicli.store import connection as way

    monkeypatch.setattr(way, "TRUNCATE_ABOVE", 1)
    monkeypatch.setattr(way, "PASSIVE_ABOVE", 1)
    store = a_store(tmp_path, a_project(tmp_path))
    a_contact(store)
    assert (tmp_path / "sandbox.db-wal").stat().st_size == 0
    with sqlite3.connect(f"file:{store.path}?mode=ro", uri=True) as raw:
        assert raw.execute("SELECT count(*) FROM contact").fetchone() == (1,)

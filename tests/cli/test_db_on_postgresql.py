"""The front door of a project on PostgreSQL: refusals without a password or a traceback, upkeep, HOLD after every way of being put elsewhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import postgres_server
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "store"))
from carrying_ground import a_database, on_postgresql

from omnicli.app import open_project, open_store, place
from omnicli.cli.main import run as omni
from omnicli.errors import OmniError
from omnicli.store import backups, dumps, holding, meeting, serial, whereabouts
from omnicli.store.preparing import prepare

pytestmark = pytest.mark.skipif(postgres_server.missing() is not None, reason=str(postgres_server.missing()))
OMNI = """
project: maison
languages: [fr]
time_zone: Europe/Paris
channels: {email: {provider: smtp, from: "Maison <bonjour@maisonlune.example>"}}
contacts: {attributes: {first_name: text, city: text}}
events: {signup: {form: text}}
"""
PEOPLE = "id,email,first_name\n" + "".join(f"c{n},anne{n}@boutique.example,Anne\n" for n in range(1, 13))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A database in which both environments are prepared for the project."""
    root = tmp_path_factory.mktemp("template")
    (root / "omni.yaml").write_text(OMNI)
    project = open_project(root).project
    assert project is not None
    with a_database() as made:
        for live in (False, True):
            store = on_postgresql(made, root / ".omni", live=live)
            prepare(store, project)
            store.close()
        yield made.rpartition("/")[2]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("OMNI_DATABASE", raising=False)
    (tmp_path / "omni.yaml").write_text(OMNI)
    return tmp_path


@pytest.fixture
def url(root: Path, template: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with a_database(template) as found:
        monkeypatch.setenv("OMNI_DATABASE", found.replace("://omni@", "://omni:geheim@"))
        yield found


def said(root: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, result or error, and everything that was printed."""
    code = omni(["-C", str(root), "--json", "--lang", "en", *words])
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert "geheim" not in out + err
    return code, dict(found.get("result") or found.get("error") or {}), out + err


# --- opening --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("address", "code", "words"),
    [
        ("postgresql://omni:geheim@127.0.0.1:1/x", 3, "127.0.0.1:1/x (omni_sandbox) cannot be reached"),
        ("postgresql://nobody:geheim@{server}/postgres", 4, "does not let this role in"),
        ("postgresql://omni:geheim@{server}/nowhere", 4, "no such database"),
        ("postgresql://omni:ge@heim@{server}/x", 2, "no address"),
        ("postgresql://omni:geheim@host:port/x", 2, "no address"),
        ("mysql://omni:geheim@127.0.0.1/x", 4, "'mysql'"),
        ("host=127.0.0.1 password=geheim", 4, "no address"),
        ("geheim@127.0.0.1/x", 4, "no address"),
        ("postgresql://omni:geheim@{server}/x?passwort=geheim", 2, "invalid connection option"),
        ("postgresql://omni:geheim@{server}/x?connect_timeout=soon", 2, "bad value for connect_timeout"),
        ("postgresql://omni:geheim@{server}/x?sslmode=on", 2, "invalid sslmode value"),
    ],
)
def test_a_server_that_cannot_be_had_is_told_without_the_password(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], address: str, code: int, words: str
) -> None:
    server = postgres_server.url().rpartition("@")[2]
    monkeypatch.setenv("OMNI_DATABASE", address.format(server=server))
    found = said(root, capsys, "db", "check")
    assert found[0] == code
    assert words in found[1]["message"]
    assert found[1]["hint"]
    assert ("CREATE DATABASE nowhere" in found[1]["hint"]) == address.endswith("nowhere")
    assert "Traceback" not in found[2]
    assert omni(["-C", str(root), "--lang", "en", "doctor"]) == 1  # a thing that is wrong, not the end of looking
    assert "geheim" not in "".join(capsys.readouterr())


def test_an_address_that_is_not_set_is_asked_of_the_environment_that_needs_it(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "omni.yaml").write_text(OMNI + "environments: {live: {database: '${SHOP_DB}'}}\n")
    monkeypatch.delenv("SHOP_DB", raising=False)
    code, error, _ = said(root, capsys, "db", "upgrade", "--live")
    assert (code, error["code"]) == (2, "S008")
    assert "SHOP_DB" in error["message"]
    assert not (root / ".omni" / "live.db").exists()
    assert said(root, capsys, "db", "upgrade")[0] == 0  # the sandbox is a file


def test_a_server_that_is_not_fit_is_refused_with_what_mends_it(url: str, tmp_path: Path) -> None:
    with closing(on_postgresql(url, tmp_path / ".omni")) as store:
        fit = meeting.meet(store)
        assert meeting.unfit(fit, store) is None
        assert meeting.careless(fit) is None
        for change, word in (
            ({"number": 120_000, "version": "12.0"}, "too old"), ({"encoding": "LATIN1"}, "UTF8"), ({"standby": True}, "standby"),
            ({"there": False, "may_create": False}, "CREATE SCHEMA"), ({"may_use": False}, "GRANT"),
        ):  # fmt: skip
            why = meeting.unfit(replace(fit, **change), store)
            assert why is not None
            assert word in f"{why.message} {why.hint}"
        for change in ({"fsync": "off"}, {"full_pages": "off"}, {"commits": "off"}):
            assert meeting.careless(replace(fit, **change)) is not None


def test_a_role_that_may_not_make_a_schema_is_told_how(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    role = f"omni_p2_{os.getpid()}"
    with a_database() as empty:
        postgres_server.command(f"CREATE ROLE {role} LOGIN")
        try:
            monkeypatch.setenv("OMNI_DATABASE", empty.replace("omni@", f"{role}@"))
            code, error, _ = said(root, capsys, "db", "upgrade")
        finally:
            postgres_server.command(f"DROP ROLE {role}")
    assert (code, error["hint"]) == (4, f"CREATE SCHEMA omni_sandbox AUTHORIZATION {role}")


def test_a_connection_that_is_lost_halfway_is_told_and_nothing_is_half_done(
    url: str, root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from omnicli.store import setting

    def cut(connection: Any, key: str, value: str) -> None:
        connection.exec_driver_sql("INSERT INTO audit (at, who, what) VALUES (1, 'x', 'half')")
        connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")

    with monkeypatch.context() as patch:
        patch.setattr(setting, "put", cut)
        (root / "omni.yaml").write_text(OMNI.replace("city: text", "city: text, street: text"))
        code, error, _ = said(root, capsys, "db", "upgrade")
    assert (code, error["code"]) == (3, "lost")
    with closing(on_postgresql(url, root / ".omni")) as store, store.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM audit").scalar_one() == 0


# --- upkeep ---------------------------------------------------------------------------------------------------------
def test_upgrade_check_and_reset_do_what_they_do_on_sqlite(url: str, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(root, capsys, "db", "upgrade")[0] == 0  # the queue of the workers
    assert said(root, capsys, "db", "upgrade", "-n")[1]["sql"] == ""
    (root / "people.csv").write_text(PEOPLE)
    assert said(root, capsys, "contact", "import", str(root / "people.csv"))[0] == 0
    code, found, _ = said(root, capsys, "db", "check")
    assert (code, found["ok"]) == (0, True)
    assert {"integrity", "constraints", "orphans", "triggers"} <= {check["name"] for check in found["checks"]}
    with closing(on_postgresql(url, root / ".omni")) as store, store.write() as connection:
        connection.exec_driver_sql("DROP INDEX one_open_attempt")
        connection.exec_driver_sql("ALTER TABLE touch DISABLE TRIGGER touch_moves")
        connection.exec_driver_sql("ALTER TABLE address DROP CONSTRAINT fk_address_contact_id")
        connection.exec_driver_sql("UPDATE address SET contact_id = 4711 WHERE contact_id = 1")
    bad = {check["name"]: check["detail"] for check in said(root, capsys, "db", "check")[1]["checks"] if check["wrong"]}
    assert bad["triggers"] == "touch_moves"
    assert bad["orphans"] == "address.contact_id"
    assert "one_open_attempt" in bad["constraints"]
    gone = said(root, capsys, "db", "reset", "--yes")[1]["removed"]
    assert "(omni_sandbox)" in gone[0]
    assert said(root, capsys, "db", "check")[1]["code"] == "no-store"
    assert said(root, capsys, "db", "upgrade")[0] == 0


def test_a_backup_is_one_moment_read_back_and_the_password_is_on_no_command_line(
    url: str, root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if dumps.shutil.which("pg_dump") is None:
        pytest.skip("no pg_dump here")
    called: list[tuple[list[str], str | None]] = []
    running = subprocess.run

    def watch(words: list[str], **more: Any) -> Any:
        called.append((words, (more.get("env") or {}).get("PGPASSWORD")))
        return running(words, **more)

    monkeypatch.setattr(dumps.subprocess, "run", watch)
    (root / "people.csv").write_text(PEOPLE)
    said(root, capsys, "contact", "import", str(root / "people.csv"))
    code, made, _ = said(root, capsys, "db", "backup")
    assert code == 0
    assert oct(Path(made["file"]).stat().st_mode)[-3:] == "600"
    manifest = backups.manifest_of(Path(made["file"]))
    assert (manifest["rows"]["contact"], manifest["of"].endswith("(omni_sandbox)")) == (12, True)
    assert not any("geheim" in word for words, _ in called for word in words)
    assert "geheim" in [secret for _, secret in called]
    monkeypatch.setattr(dumps.shutil, "which", lambda _name: None)
    assert said(root, capsys, "db", "backup")[1]["code"] == "pg_dump"


def test_the_doctor_counts_no_backup_of_the_file_that_the_store_was_before(
    url: str, root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def backed_up() -> tuple[str, str]:
        found = {sign["name"]: sign for sign in said(root, capsys, "doctor", "--live")[1]["signs"]}
        return found["backup"]["state"], found["backup"]["text"]

    (root / "people.csv").write_text(PEOPLE)
    with monkeypatch.context() as file:
        file.setenv("OMNI_DATABASE", "sqlite:///.omni/live.db")
        said(root, capsys, "contact", "import", str(root / "people.csv"), "--live")
        assert said(root, capsys, "db", "backup", "--live")[0] == 0
        assert backed_up() == ("well", "backed up today")
    said(root, capsys, "db", "recover", "--live", "--yes")
    assert backed_up() == ("note", "never backed up beside it")
    if dumps.shutil.which("pg_dump") is not None:
        assert said(root, capsys, "db", "backup", "--live")[0] == 0
        assert backed_up() == ("well", "backed up today")


# --- elsewhere ------------------------------------------------------------------------------------------------------
def _held(root: Path) -> str | None:
    with closing(open_store(open_project(root), live=True)) as store, store.read() as connection:
        return holding.held(connection)


def test_a_live_store_knows_when_it_was_restored_copied_or_taken_back(
    url: str, root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _held(root) is None
    own = url.rpartition("/")[2]
    with a_database(own) as twin:  # a database that was copied whole
        monkeypatch.setenv("OMNI_DATABASE", twin)
        assert _held(root) == "server"
    monkeypatch.setenv("OMNI_DATABASE", url)
    if dumps.shutil.which("pg_dump") is None:
        pytest.skip("no pg_dump here")
    file = said(root, capsys, "db", "backup", "--live")[1]["file"]
    assert _held(root) is None
    subprocess.run(
        ["pg_restore", "--clean", "--if-exists", "--no-owner", f"--dbname={url}", file], check=True, capture_output=True
    )
    assert _held(root) == "restored"
    monkeypatch.setenv("OMNI_SMTP_HOST", "127.0.0.1")
    assert said(root, capsys, "db", "recover", "--live", "--yes", "--offline")[0] == 0
    assert _held(root) is None
    with closing(
        place(open_project(root), live=True).open()
    ) as store:  # a recovery to a point in time, or a standby that took over
        with store.read() as connection:
            stands = whereabouts.here(connection)
        with store.write() as connection:
            connection.exec_driver_sql(
                "UPDATE setting SET value = %s WHERE key = 'stands'", (json.dumps({**stands, "timeline": "000000FF"}),)
            )
    assert _held(root) == "timeline"


def test_another_machine_joins_without_hold_and_a_mark_ahead_of_the_store_holds_it(url: str, root: Path) -> None:
    assert _held(root) is None
    with closing(place(open_project(root), live=True).open()) as store, store.write() as connection:
        connection.exec_driver_sql("UPDATE instance SET serial = 5")
    mark = root / ".omni" / "live.serial"
    mark.unlink()
    assert _held(root) is None
    found = serial.read(mark)
    assert found is not None
    assert found.serial == 5
    mark.write_bytes(json.dumps({"instance": found.instance, "epoch": found.epoch, "serial": 9}).encode())
    assert _held(root) == "older"


# --- from SQLite to PostgreSQL, as docs/postgresql.md says it ----------------------------------------------------------
def test_a_live_store_is_moved_from_a_file_to_postgresql_by_the_steps_of_the_docs(
    root: Path, template: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "people.csv").write_text(PEOPLE)
    assert said(root, capsys, "contact", "import", str(root / "people.csv"), "--live")[0] == 0
    with a_database() as url:
        monkeypatch.setenv("SHOP_DB", url.replace("://omni@", "://omni:geheim@"))
        code, error, _ = said(root, capsys, "db", "copy", "--from", "live", "--to", "${SHOP_DB}", "--move", "--yes")
        assert (code, error["hint"]) == (2, "--live")
        code, done, _ = said(root, capsys, "db", "copy", "--from", "live", "--to", "${SHOP_DB}", "--move", "--yes", "--live")
        assert (code, done["moved"], done["on_hold"], done["tables"]["contact"]["rows"]) == (0, True, False, 12)
        assert _held(root) == "moved"  # the file sends no more
        alerts = said(root, capsys, "status", "--live")[1]["alerts"]
        assert "database: in omni.yaml, or OMNI_DATABASE" in alerts[0]  # and not: release it, so that both send
        monkeypatch.setenv("OMNI_SMTP_HOST", "127.0.0.1")
        code, error, _ = said(root, capsys, "db", "recover", "--live", "--no-input")
        assert (code, "both send" in error["message"]) == (4, True)
        (root / "omni.yaml").write_text(OMNI + "database: ${SHOP_DB}\n")
        assert _held(root) is None
        code, found, _ = said(root, capsys, "db", "check", "--live")
        assert (code, found["ok"]) == (0, True)
        code, done, _ = said(root, capsys, "db", "copy", "--from", "live", "--to", "sandbox", "--mask")
        assert (code, done["masked"]) == (0, True)
        assert "boutique.example" not in said(root, capsys, "contact", "list", "--show-personal")[2]
        code, error, _ = said(root, capsys, "db", "copy", "--from", "sandbox", "--to", "live", "--live")
        assert code == 2
        code, error, _ = said(
            root, capsys, "db", "copy", "--from", "live", "--to", "postgresql://omni:secret@127.0.0.1/x", "--live"
        )
        assert error["code"] == "secret"
        assert "secret" not in error["message"]
        code, error, _ = said(root, capsys, "db", "copy", "--from", "live", "--to", "${SHOP_DB}", "--move", "--yes", "--live")
        assert (code, "--from sqlite:///.omni/live.db" in error["hint"]) == (2, True)  # live is the target by now
        back = ("db", "copy", "--from", "live", "--to", "sqlite:///.omni/back.db", "--move", "--yes", "--live")
        assert omni(["-C", str(root), "--lang", "en", *back]) == 0
        assert "take database: out of omni.yaml" in capsys.readouterr().out


def test_half_a_copy_is_never_released(root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(open_store(open_project(root), live=True)) as store, store.write() as connection:
        holding.hold(connection, "copying")
    monkeypatch.setenv("OMNI_SMTP_HOST", "127.0.0.1")
    code, error, _ = said(root, capsys, "db", "recover", "--live", "--yes", "--offline")
    assert (code, error["code"]) == (4, "hold")
    assert "omni db copy again" in error["hint"]


def test_a_worker_says_that_the_store_is_on_hold(
    url: str, root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(open_store(open_project(root), live=True)) as store, store.write() as connection:
        holding.hold(connection, "older")
    monkeypatch.setenv("OMNI_SMTP_HOST", "127.0.0.1")
    omni(["-C", str(root), "--lang", "en", "worker", "--live", "--once"])
    found = capsys.readouterr().err
    assert found.count("the store is on hold: more was sent than it knows of") == 1
    assert "omni db recover --live" in found


def test_a_relative_file_is_the_projects_from_whatever_folder(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = open_project(root)
    monkeypatch.setenv("OMNI_DATABASE", "sqlite:///data/live.db")
    (root / "elsewhere").mkdir()
    monkeypatch.chdir(root / "elsewhere")
    assert place(loaded, live=True).path == root / "data" / "live.db"
    monkeypatch.setenv("OMNI_DATABASE", "sqlite:////srv/shop/live.db")
    assert place(loaded, live=True).path == Path("/srv/shop/live.db")


def test_a_price_of_being_careless_is_refused_only_where_somebody_is_written_to(
    url: str, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from omnicli.campaigns import startup

    loaded = open_project(root)
    careless = meeting.ask
    monkeypatch.setattr(meeting, "ask", lambda connection, schema: replace(careless(connection, schema), fsync="off"))
    with closing(open_store(loaded, live=True)) as store, pytest.raises(OmniError, match="fsync=off"):
        startup.refuse(store, loaded)
    with closing(open_store(loaded, live=False)) as store:
        startup.refuse(store, loaded)

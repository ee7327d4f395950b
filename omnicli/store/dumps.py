"""A PostgreSQL store as a file of pg_dump: one snapshot, read back row by row, listed by a manifest that is written last.

The password goes to pg_dump in its environment, never on its command line, which every user of the machine can read. What is put back
from such a file stands in another schema, database or server than the one noted in it, so it sends nothing before `omni db recover`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from omnicli.errors import Exit, OmniError
from omnicli.store import room
from omnicli.store.carrying.shape import shapes
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.store.postgres import PostgresStore

#: The package that brings the programs, as Debian and others call it.
_PACKAGE = "apt install postgresql-client"


def dump(store: PostgresStore, part: Path, target: Path) -> dict[str, int]:
    """Write the schema to `part` (0600) and read it back; how many rows each table has. OmniError (exit 4) when pg_dump is missing,
    older than the server, or what it wrote is not what the snapshot held. `target` is what the file is called in messages."""
    with store.read() as connection:
        server = int(str(connection.exec_driver_sql("SHOW server_version_num").scalar_one()))
        program = _program("pg_dump", server // 10_000)
        _room_for(connection, target.parent)
        rows = {
            name: int(connection.exec_driver_sql(f'SELECT count(*) FROM "{name}"').scalar_one()) for name in shapes(connection)
        }
        snapshot = str(connection.exec_driver_sql("SELECT pg_export_snapshot()").scalar_one())
        os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        _run([program, "--format=custom", f"--schema={store.schema}", "--no-owner", "--no-privileges", f"--snapshot={snapshot}",
              f"--file={part}", f"--dbname={_without_password(store.url)}"], store, target)  # fmt: skip
    _read_back(part, rows, target)
    return rows


def _program(name: str, server: int) -> str:
    """Where the program is; it must not be older than the server."""
    found = shutil.which(name)
    if found is None:
        raise OmniError(
            t("{name} is not installed here", "{name} n'est pas installé ici", name=name),
            hint=_PACKAGE,
            code="pg_dump",
            exit=Exit.REFUSED,
        )
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout
    number = re.search(r"\b(\d+)(?:\.|\s|beta|rc|devel)", f"{said.rpartition(')')[0] and said.partition(')')[2]} ")
    if number is not None and int(number[1]) < server:
        raise OmniError(
            t("{name} {own} is older than the server ({server})", "{name} {own} est plus ancien que le serveur ({server})", name=name, own=number[1], server=server),
            hint=f"{_PACKAGE}-{server}", code="pg_dump", exit=Exit.REFUSED,
        )  # fmt: skip
    return found


def _without_password(url: str) -> str:
    """What libpq is told on the command line: everything but what is secret."""
    from psycopg.conninfo import make_conninfo

    address = sa.make_url(url)
    given = {"host": address.host, "port": address.port, "user": address.username, "dbname": address.database, **address.query}
    hidden = {"password", "sslpassword", "options", "prepare_threshold"}
    return make_conninfo("", **{name: str(value) for name, value in given.items() if value is not None and name not in hidden})


def _environment(url: str) -> dict[str, str]:
    address = sa.make_url(url)
    password = str(address.password or address.query.get("password", "") or "")
    return {**os.environ, "LC_ALL": "C", "PGCONNECT_TIMEOUT": "10", **({"PGPASSWORD": password} if password else {})}


def _run(words: list[str], store: PostgresStore, target: Path) -> None:
    done = subprocess.run(
        words, env=_environment(store.url), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        said = next((line for line in done.stderr.splitlines() if "error" in line.lower()), done.stderr.strip())[:200]
        raise OmniError(t("{file} was not made: {why}", "{file} n'a pas été faite : {why}", file=target, why=said),
                        hint=t("the role must own the tables; behind a pooler give the server's own address",
                               "le rôle doit posséder les tables ; derrière un répartiteur, donnez l'adresse du serveur même"),
                        code="pg_dump", exit=Exit.REFUSED)  # fmt: skip


def _read_back(part: Path, rows: dict[str, int], target: Path) -> None:
    """Every row that the snapshot held can be read from the file again: counted as pg_restore gives them."""
    program = _program("pg_restore", 0)
    found: dict[str, int] = {}
    table: str | None = None
    with subprocess.Popen(
        [program, "--data-only", "--file=-", str(part)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as reading:
        assert reading.stdout is not None
        for line in reading.stdout:
            if table is None:
                if line.startswith(b"COPY "):
                    table = line[5:].partition(b" (")[0].rpartition(b".")[2].strip(b'"').decode()
                    found[table] = 0
            elif line == b"\\.\n":
                table = None
            else:
                found[table] += 1
    if reading.returncode != 0 or any(found.get(name) != count for name, count in rows.items()):
        part.unlink(missing_ok=True)
        raise OmniError(t("the copy is not whole: {path}", "la copie n'est pas intacte : {path}", path=target), hint="omni db check",
                        code="backup", exit=Exit.REFUSED)  # fmt: skip


def _room_for(connection: sa.Connection, folder: Path) -> None:
    """The file is smaller than the tables: pg_dump packs it, and writes no index."""
    query = "SELECT coalesce(sum(pg_table_size(oid)), 0)::bigint FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'"
    room.wanted(folder, int(connection.exec_driver_sql(query).scalar_one()))

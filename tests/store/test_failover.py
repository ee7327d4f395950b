"""A standby takes over on real servers with streaming replication: what omni says at each moment, and that nothing is sent before a person has looked."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import postgres_server
import psycopg
import pytest

from omnicli.app import open_project, open_store
from omnicli.cli.main import run as omni
from omnicli.errors import OmniError

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        postgres_server.programs() is None or os.getuid() != 0, reason="makes servers of its own, as the user postgres"
    ),
]
OMNI = """
project: maison
languages: [fr]
time_zone: Europe/Paris
channels: {email: {provider: smtp, from: "Maison <bonjour@maisonlune.example>"}}
providers: {smtp: {host: 127.0.0.1, tls: none}}
contacts: {attributes: {first_name: text}}
events: {signup: {form: text}}
"""


@dataclass
class Server:
    """One PostgreSQL of the pair, in a folder of its own."""

    folder: Path
    port: int

    @property
    def data(self) -> str:
        return str(self.folder / "data")

    @property
    def url(self) -> str:
        return f"postgresql://omni:geheim@127.0.0.1:{self.port}/shop"

    def start(self) -> None:
        as_postgres("pg_ctl", "start", "-D", self.data, "-w", "-l", str(self.folder / "log"))

    def stop(self) -> None:
        as_postgres("pg_ctl", "stop", "-D", self.data, "-m", "immediate", "-w")

    def promote(self) -> None:
        as_postgres("pg_ctl", "promote", "-D", self.data, "-w")


def as_postgres(program: str, *words: str) -> None:
    folder = postgres_server.programs()
    assert folder is not None
    line = ["runuser", "-u", "postgres", "--", str(folder / program), *words]
    subprocess.run(line, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")


@pytest.fixture
def pair() -> Iterator[tuple[Server, Server]]:
    """A primary with the database `shop`, and a folder for its standby; both stopped and removed at the end."""
    memory = Path("/dev/shm")
    here = Path(tempfile.mkdtemp(prefix="omni-failover-", dir=memory if memory.is_dir() else None))
    shutil.chown(here, "postgres", "postgres")
    first, second = (Server(here / name, postgres_server._free_port()) for name in ("first", "second"))
    for one in (first, second):
        one.folder.mkdir()
        shutil.chown(one.folder, "postgres", "postgres")
    as_postgres("initdb", "-D", first.data, "-U", "omni", "-A", "trust", "--locale=C", "--encoding=UTF8", "--no-instructions")
    configure(first, here, wal_level="replica", shared_buffers="16MB", max_connections=30)
    try:
        first.start()
        with psycopg.connect(first.url.replace("/shop", "/postgres"), autocommit=True) as connection:
            connection.execute("CREATE DATABASE shop")
        yield first, second
    finally:
        for one in (first, second):
            if (one.folder / "data" / "postmaster.pid").exists():
                one.stop()
        shutil.rmtree(here, ignore_errors=True)


def configure(server: Server, sockets: Path, **more: object) -> None:
    options = {"listen_addresses": "127.0.0.1", "port": server.port, "unix_socket_directories": sockets, **more}
    with Path(server.data, "postgresql.auto.conf").open("a") as file:
        file.writelines(f"{name} = '{value}'\n" for name, value in options.items())


def follow(first: Server, second: Server) -> None:
    """The second begins as a copy of the first, and receives what it writes."""
    as_postgres(
        "pg_basebackup", "-d", first.url.replace("/shop", "/postgres"), "-D", second.data, "-R", "-X", "stream", "-c", "fast"
    )
    configure(second, first.folder.parent)
    second.start()


def caught_up(first: Server, second: Server) -> None:
    """What the first has committed is on the second."""
    with psycopg.connect(first.url, autocommit=True) as there, psycopg.connect(second.url, autocommit=True) as here:
        wanted = there.execute("SELECT pg_current_wal_lsn()").fetchone()
        while here.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", wanted).fetchone() != (True,):
            pass


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "omni.yaml").write_text(OMNI)
    (tmp_path / "people.csv").write_text("id,email,first_name\nc1,anne1@boutique.example,Anne\n")
    return tmp_path


def test_a_standby_takes_over_and_the_old_primary_never_sends_again(
    pair: tuple[Server, Server], root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = pair
    either = (
        f"postgresql://omni:geheim@/shop?host=127.0.0.1:{first.port}&host=127.0.0.1:{second.port}&target_session_attrs=read-write"
    )

    def said(address: str, *words: str) -> tuple[int, dict[str, Any]]:
        monkeypatch.setenv("OMNI_DATABASE", address)
        code = omni(["-C", str(root), "--json", "--lang", "en", *words, "--live"])
        out, err = capsys.readouterr()
        assert "geheim" not in out + err
        found = json.loads(out)
        return code, dict(found.get("result") or found.get("error") or {})

    assert said(first.url, "contact", "import", str(root / "people.csv"))[0] == 0
    follow(first, second)
    caught_up(first, second)
    code, error = said(second.url, "contact", "list")  # the wrong address
    assert (code, error["code"]) == (4, "server")
    assert "is a standby" in error["message"]
    assert said(either, "contact", "list")[0] == 0

    first.stop()  # the primary is gone, nobody has taken over yet
    for address in (first.url, either):
        code, error = said(address, "contact", "list")
        assert (code, error["code"]) == (3, "away"), error

    second.promote()
    assert said(either, "contact", "list")[0] == 0  # the same address finds the new primary: it is read, it sends nothing
    assert said(either, "status")[0] in (0, 3, 4)
    refused = may_send(root, either, monkeypatch)
    assert (refused.code, refused.hint) == ("hold", "omni db recover --live")
    assert "a standby took over" in refused.message
    code, found = said(either, "db", "recover", "--yes", "--offline")
    assert (code, found["why"]) == (0, "timeline")
    assert may_send(root, either, monkeypatch) is None
    assert said(either, "db", "check")[0] == 0

    first.start()  # somebody starts the old one again, and some machine still has its address
    refused = may_send(root, first.url, monkeypatch)
    assert refused.code == "hold"
    assert "more was sent than it knows of" in refused.message
    assert may_send(root, second.url, monkeypatch) is None


def may_send(root: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What a live run is told before its first call, or None."""
    from omnicli.campaigns import startup

    monkeypatch.setenv("OMNI_DATABASE", address)
    loaded = open_project(root)
    with closing(open_store(loaded, live=True)) as store:
        try:
            startup.refuse(store, loaded)
        except OmniError as error:
            return error
    return None

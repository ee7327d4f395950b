"""Behind a PgBouncer that hands sessions from one transaction to the next: settings hold in each of ours and in nobody else's."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import postgres_server
import psycopg
import pytest
from carrying_ground import a_database, lived, on_postgresql, rows
from shelves import a_project

from omnicli.store import meeting
from omnicli.store.connection import Store
from omnicli.store.rehearsal import rehearsal

PROGRAM = shutil.which("pgbouncer") or ("/usr/sbin/pgbouncer" if Path("/usr/sbin/pgbouncer").exists() else None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(postgres_server.missing() is not None, reason=str(postgres_server.missing())),
    pytest.mark.skipif(PROGRAM is None, reason="no PgBouncer here (apt install pgbouncer)"),
]


@pytest.fixture(params=["refuses", "ignores"])
def pooled(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty database behind a pooler in transaction mode, which refuses or ignores settings said at the opening."""
    with a_database() as direct, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        taken.close()
        parts = psycopg.conninfo.conninfo_to_dict(direct)
        folder = Path(f"/tmp/omni_pooler_{os.getpid()}_{port}")
        folder.mkdir(mode=0o777)
        folder.chmod(0o777)
        server = f"host={parts['host']} port={parts.get('port', 5432)} user={parts['user']}"
        if "password" in parts:
            server += f" password={parts['password']}"
        ignored = "ignore_startup_parameters = options\n" if request.param == "ignores" else ""
        (folder / "pgb.ini").write_text(
            f"[databases]\n* = {server}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = any\npool_mode = transaction\n"
            f"unix_socket_dir =\nlogfile = {folder}/log\npidfile = {folder}/pid\n{ignored}"
        )
        run = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        subprocess.run([*run, str(PROGRAM), "-q", "-d", str(folder / "pgb.ini")], check=True, capture_output=True)
        _listening(port)
        try:
            yield f"postgresql://{parts['user']}@127.0.0.1:{port}/{parts['dbname']}"
        finally:
            os.kill(int((folder / "pid").read_text()), signal.SIGTERM)
            shutil.rmtree(folder, ignore_errors=True)


def _listening(port: int) -> None:
    """Wait until it takes connections: it goes into the background before it does."""
    end = time.monotonic() + 10
    while True:
        with socket.socket() as trial:
            if trial.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert time.monotonic() < end, "the pooler does not listen"
        time.sleep(0.01)


def test_a_store_behind_a_pooler_is_the_same_store_and_leaves_no_setting_behind(pooled: str, tmp_path: Path) -> None:
    project = a_project(tmp_path, attributes="city: text, first_name: text, tier: [gold, silver], points: number")
    with closing(on_postgresql(pooled, tmp_path / "there")) as store:
        assert meeting.meet(store).path == "omni_sandbox"
        lived(store, project, people=12)
        with closing(lived(Store.sqlite(tmp_path / "sandbox.db"), project, people=12)) as plain:
            found = rows(store)
            assert found["address"] == rows(plain)["address"]
        with store.write() as connection:
            said = connection.exec_driver_sql(
                "SELECT current_setting('synchronous_commit'), current_setting('timezone'), current_setting('jit')"
            ).one()
            assert tuple(said) == ("on", "UTC", "off")
        with rehearsal(store) as copy:
            assert rows(copy)["touch"] == found["touch"]
        with psycopg.connect(pooled, prepare_threshold=None) as other:  # somebody else's program, in a session that was ours
            assert other.execute("SHOW search_path").fetchone() == ('"$user", public',)

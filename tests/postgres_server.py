"""The PostgreSQL server of this test process: the one of OMNI_TEST_POSTGRES, else one made from the system's own programs.

The own one has its folder in memory (/dev/shm, else the folder of temporary files), a free port on the loopback, `fsync` on and the
collation C; it is made when the first test asks and stopped with the process. root cannot run it: it runs as `postgres` then.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psycopg

_here: Path | None = None
_admin: psycopg.Connection | None = None


def programs() -> Path | None:
    """The folder with `initdb` and `postgres`, the newest installed."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if found:
        return max(found, key=lambda path: int(path.parent.name) if path.parent.name.isdigit() else 0)
    there = shutil.which("initdb")
    return Path(there).resolve().parent if there else None


def missing() -> str | None:
    """Why there is no server, or None."""
    if os.environ.get("OMNI_TEST_POSTGRES"):
        return None
    if programs() is None:
        return "no PostgreSQL here: neither OMNI_TEST_POSTGRES nor the system's programs (initdb, postgres)"
    if os.getuid() == 0 and (shutil.which("runuser") is None or not _is_user("postgres")):
        return "PostgreSQL does not run as root, and there is no user postgres"
    return None


@cache
def url() -> str:
    """`postgresql://user@host:port`, without a database."""
    given = os.environ.get("OMNI_TEST_POSTGRES")
    return given.rpartition("/")[0] if given else _start()


def address(database: str) -> str:
    return f"{url()}/{database}"


def command(sql: str) -> None:
    """One statement outside any transaction, in the database `postgres`."""
    global _admin
    if _admin is None or _admin.closed:
        import psycopg

        _admin = psycopg.connect(address("postgres"), autocommit=True)
    _admin.execute(sql)  # type: ignore[call-overload]


def stop() -> None:
    global _admin, _here
    if _admin is not None:
        _admin.close()
        _admin = None
    if _here is not None:
        _as_postgres("pg_ctl", "stop", "-D", str(_here / "data"), "-m", "immediate", "-w")
        shutil.rmtree(_here, ignore_errors=True)
        _here = None
        url.cache_clear()


def _start() -> str:
    global _here
    memory = Path("/dev/shm")
    _here = Path(tempfile.mkdtemp(prefix="omni-pg-", dir=memory if memory.is_dir() and os.access(memory, os.W_OK) else None))
    if os.getuid() == 0:
        shutil.chown(_here, "postgres", "postgres")
    data = _here / "data"
    _as_postgres("initdb", "-D", str(data), "-U", "omni", "-A", "trust", "--locale=C", "--encoding=UTF8", "--no-instructions")
    port = _free_port()
    options = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": _here, "shared_buffers": "128MB",
               "max_connections": 100, "max_wal_size": "512MB", "fsync": "on", "autovacuum": "on"}  # fmt: skip
    with (data / "postgresql.auto.conf").open("a") as file:
        file.writelines(f"{name} = '{value}'\n" for name, value in options.items())
    _as_postgres("pg_ctl", "start", "-D", str(data), "-w", "-l", str(_here / "log"))
    return f"postgresql://omni@127.0.0.1:{port}"


def _as_postgres(program: str, *words: str) -> None:
    folder = programs()
    assert folder is not None
    line = [str(folder / program), *words]
    if os.getuid() == 0:
        line = ["runuser", "-u", "postgres", "--", *line]
    subprocess.run(line, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _is_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True

"""A PostgreSQL of one's own in a folder: made, started, stopped at once, started again, thrown away. Standard library only.

The server's programs are looked for where Debian keeps them. A server refuses to run as root: then it runs as `postgres` or `nobody`.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def programs() -> Path | None:
    """The folder of initdb and pg_ctl; None where there is no server."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parent.name, reverse=True)
    found = shutil.which("initdb")
    folders = [*debian, *([Path(found).resolve().parent] if found else [])]
    return next((folder for folder in folders if (folder / "initdb").exists() and (folder / "pg_ctl").exists()), None)


class Cluster:
    """One server on a port of its own, listening on loopback alone, everybody trusted; synced as a server should be."""

    def __init__(self, folder: Path, **settings: str) -> None:
        found = programs()
        if found is None:
            raise FileNotFoundError("initdb (package postgresql)")
        self.programs, self.folder, self.data = found, folder, folder / "data"
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = int(free.getsockname()[1])
        self.settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(folder),
            **settings,
        }
        self._owner = _owner()
        if self._owner:
            shutil.chown(folder, self._owner)
        self._run("initdb", "-D", str(self.data), "-U", "omni", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-instructions")
        with (self.data / "postgresql.conf").open("a") as conf:
            conf.writelines(f"{name} = '{value}'\n" for name, value in self.settings.items())

    def start(self) -> None:
        self._run("pg_ctl", "-D", str(self.data), "-w", "-t", "60", "-l", str(self.folder / "log"), "start")

    def stop(self, mode: str = "fast") -> None:
        """`immediate`: nothing is finished, nothing written: what was promised must come out of the log."""
        self._run("pg_ctl", "-D", str(self.data), "-m", mode, "-w", "-t", "60", "stop")

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://omni@127.0.0.1:{self.port}/{database}"

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self.programs / program), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=self.folder, stdin=subprocess.DEVNULL,
                              user=self._owner, group=self._owner and pwd.getpwnam(self._owner).pw_gid, extra_groups=[] if self._owner else None)  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stdout}{done.stderr}")


def _owner() -> str | None:
    """Who runs the server where we are root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)


@contextmanager
def cluster(*, beside: Path | None = None, **settings: str) -> Iterator[Cluster]:
    """A running server in a new folder (of `beside`, else of the system's temporary one: a disk, mostly), gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="omni-postgresql-", dir=beside))
    try:
        made = Cluster(folder, **settings)
        made.start()
        try:
            yield made
        finally:
            with suppress(RuntimeError):
                made.stop("immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)

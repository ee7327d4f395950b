"""One run at a time a project and environment: the lock only saves work, the claim of each touch decides (docs/delivery 12)."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from omnicli.errors import Exit, OmniError
from omnicli.texts import t


def lock_path(root: Path, *, live: bool) -> Path:
    return root / ".omni" / ("live.lock" if live else "sandbox.lock")


@contextmanager
def project_lock(root: Path, *, live: bool) -> Iterator[None]:
    """Hold `.omni/<env>.lock`; OmniError with exit 5 when another run holds it. The kernel frees it with the process; a holder
    that was stopped (SIGSTOP, a debugger) keeps nobody from sending: its leases run out like those of the dead."""
    path = lock_path(root, live=live)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode(errors="replace").strip()
            if _stands_still(holder):
                yield
                return
            who = f" (pid {holder})" if holder.isdigit() else ""
            raise OmniError(
                t("another run is at work", "une autre exécution est en cours") + who,
                hint=t("it sends what is due; try again when it has ended", "elle envoie ce qui est dû ; réessayez ensuite"),
                code="locked", exit=Exit.LOCKED,
            ) from None  # fmt: skip
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _stands_still(holder: str) -> bool:
    """Whether the process of that id is stopped; False where the system does not say."""
    try:
        stat = Path(f"/proc/{int(holder)}/stat").read_text()
    except (OSError, ValueError):
        return False
    return stat.rpartition(")")[2].split()[0] in "Tt"

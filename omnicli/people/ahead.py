"""A large file is read, typed and hashed by a process of its own while this one writes; whatever that one cannot do, this one does itself.

That process opens no store. When it ends early (an unreadable place in the file, no memory) what it left is read here, so whoever
imports hears the same words about the same line either way.
"""

from __future__ import annotations

import gc
import os
import pickle
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from omnicli.model.ids import contact_uids
from omnicli.people.plan import Plan
from omnicli.people.sheet import Chunk, Packed
from omnicli.people.table import Table, read_chunk
from omnicli.store.consents import fingerprints
from omnicli.texts import language, use

#: Files of fewer bytes are read before another process has read its libraries.
LARGE = 4_000_000
#: What the pipe between the two holds where that can be said (Linux), in bytes: about a chunk.
_PIPE = 1 << 20


def read_all(plan: Plan, size: int, *, ahead: bool | None = None) -> Iterator[tuple[Chunk, Table]]:
    """Every chunk of the file with what stands in it. `ahead`: by another process, None where that is worth it."""
    done = 0
    if _worth_it(plan) if ahead is None else ahead:
        with suppress(OSError, EOFError, pickle.UnpicklingError), _another(plan, size) as other:
            for chunk in plan.sheet.chunks(size):  # until it has read its libraries
                if other.is_ready():
                    break
                yield chunk, read_chunk(plan, chunk)
                done = chunk.last_row
            else:
                return
            other.begin(done)
            while (found := other.next()) is not None:
                yield found
                done = found[0].last_row
            return
    for chunk in plan.sheet.chunks(size):
        if chunk.last_row > done:
            yield chunk, read_chunk(plan, chunk)


def _worth_it(plan: Plan) -> bool:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores > 1 and bool(sys.executable) and plan.sheet.path.stat().st_size >= LARGE


# --- here ---------------------------------------------------------------------------------------------------------------
class _Another:
    """The other process: OSError, EOFError or UnpicklingError when it is gone."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._in, self._out = process.stdin, process.stdout
        with suppress(ImportError, AttributeError, OSError):
            import fcntl

            fcntl.fcntl(self._out.fileno(), fcntl.F_SETPIPE_SZ, _PIPE)

    def say(self, message: object) -> None:
        pickle.dump(message, self._in)
        self._in.flush()

    def is_ready(self) -> bool:
        """Whether it waits to begin (or is gone); asks without waiting."""
        return bool(select.select([self._out], [], [], 0.0)[0])

    def begin(self, done: int) -> None:
        """It reads what stands behind that row."""
        pickle.load(self._out)
        self.say(done)

    def next(self) -> tuple[Chunk, Table] | None:
        """The next chunk; None behind the last."""
        found: tuple[Chunk, Table] | None = pickle.load(self._out)
        return found


@contextmanager
def _another(plan: Plan, size: int) -> Iterator[_Another]:
    code = f"import sys; sys.path[:] = {sys.path!r}; from omnicli.people.ahead import main; main()"
    pipe = subprocess.PIPE
    process = subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)
    try:
        other = _Another(process)
        other.say((language(), size, plan.given))
        yield other
    finally:
        process.kill()
        process.communicate()


# --- there --------------------------------------------------------------------------------------------------------------
def main() -> None:
    """Read what the pipe says, and say what stands in it; Ctrl-C is for whoever started this."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.disable()
    with os.fdopen(os.dup(1), "wb") as out:
        os.dup2(2, 1)  # whatever prints must not print into the pipe
        spoken, size, given = pickle.load(sys.stdin.buffer)
        use(spoken)
        plan = Plan(*given)
        pickle.dump("ready", out)
        out.flush()
        done = pickle.load(sys.stdin.buffer)
        for chunk in plan.sheet.chunks(size):
            if chunk.last_row <= done:
                continue
            table = read_chunk(plan, chunk)
            _hash(plan, table)
            chunk.cells = Packed(chunk.cells)  # type: ignore[assignment]
            pickle.dump((chunk, table), out, protocol=5)
            out.flush()
        pickle.dump(None, out)


def _hash(plan: Plan, table: Table) -> None:
    """The hashes that a new person needs, made before anybody knows who is new."""
    names = table.names(plan.key)
    if None not in names:
        table.uids = contact_uids(plan.project.project, names)  # type: ignore[arg-type]
    for channel, (_, norms) in table.addresses.items():
        table.marks[channel] = fingerprints(plan.pepper, channel, norms)

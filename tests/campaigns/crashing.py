"""One dispatch in a process of its own, so that it can be killed: `python crashing.py FOLDER sandbox|journal INSTANT`."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from stores import open_store

from omnicli import clock, faults
from omnicli.campaignfile import load_project
from omnicli.campaigns.dispatch import dispatch
from omnicli.model.touch import Handed, Outcome
from omnicli.providers import build, close
from omnicli.render.renderer import Renderer


@dataclass(frozen=True)
class Journal:
    """A provider that cannot take back what it took: each message is a synced line of a file, the judge of doubles."""

    path: Path
    name: str = "journal"
    channels: tuple[str, ...] = ("email",)
    batch: int = 1
    in_flight: int = 1
    account: str = "journal"

    def send(self, handed: Sequence[Handed], *, now: datetime) -> list[Outcome]:
        return [self._one(one) for one in handed]

    def _one(self, one: Handed) -> Outcome:
        faults.point("F08")
        with open(self.path, "a", encoding="utf-8") as journal:
            journal.write(f"{one.contact} {one.step}\n")
            journal.flush()
            os.fsync(journal.fileno())
        faults.point("F09")
        return Outcome("accepted", ref=f"line-{one.touch[:8]}")

    def close(self) -> None:
        """Nothing is open."""


def main(folder: Path, kind: str, at: int) -> dict[str, int]:
    loaded = load_project(folder)
    store = open_store(folder)
    carried = build(loaded, live=False) if kind == "sandbox" else {"email": Journal(folder / "journal.txt")}
    report = dispatch(store, loaded, Renderer(folder, loaded.project), carried, now=clock.from_ms(at))
    close(carried)
    return {"accepted": report.accepted, "unknown": report.unknown, "open": report.open_unknown}


def forked(folder: Path, kind: str, at: int, *, crash_at: str | None = None) -> dict[str, int] | None:
    """The same in a fork of this process, which has everything loaded; None when it was killed."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            faults._ARMED = crash_at or ""
            os.write(write, json.dumps(main(folder, kind, at)).encode())
        except BaseException as error:
            os.write(write, repr(error).encode())
            os._exit(1)
        os._exit(0)
    os.close(write)
    _, status = os.waitpid(child, 0)
    said = os.read(read, 65536).decode()
    os.close(read)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return None
    assert status == 0, said
    return json.loads(said)


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))))

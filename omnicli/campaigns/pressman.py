"""One rendering process: reads what it needs of a project from its pipe, prints batch after batch, and ends when the pipe does.

It opens no store and no socket. Ctrl-C is for whoever started it; the end of the pipe is the end of the work.
"""

from __future__ import annotations

import gc
import os
import signal
import threading
from pathlib import Path
from queue import SimpleQueue

from omnicli import clock, texts
from omnicli.campaigns.pressroom import Batch, Gone, Printed, Start, read, write
from omnicli.campaigns.printing import Copy, Printer, Slip, Spoilt
from omnicli.model.campaign import Campaign


def main() -> None:
    """Until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    inward, outward = os.dup(0), os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDWR), 1)  # whatever prints does not speak into the pipe
    try:
        man = Pressman(read(inward, None))
        write(outward, "ready", None)
        batches: SimpleQueue[Batch] = SimpleQueue()
        threading.Thread(target=_hear, args=(inward, batches), daemon=True).start()
        gc.set_threshold(100_000, 20, 100)
        while True:
            write(outward, man.answer(batches.get()), None)
    except (Gone, BrokenPipeError):
        os._exit(0)


def _hear(inward: int, batches: SimpleQueue[Batch]) -> None:
    """Take in what is sent while others are printed, so that no sender waits; at the end of the pipe nobody wants any of it."""
    while True:
        try:
            batches.put(read(inward, None))
        except Exception:
            os._exit(0)


class Pressman:
    """The printer of this process, with the campaigns and zones that it was told."""

    def __init__(self, start: Start) -> None:
        from omnicli.campaignfile.load import read_project
        from omnicli.render.links import Signing
        from omnicli.render.renderer import Renderer

        texts.use(start.language)
        project = read_project(start.project)
        assert project is not None
        self.campaigns: dict[int, Campaign] = {}
        self.zones: dict[tuple[object, ...], str] = {}
        self.renderer = Renderer(
            Path(), project, live=start.live, signing=Signing(*start.signing), sources=start.sources, disk=False
        )
        self.printer = Printer(self.renderer, now=clock.from_ms(start.now), campaign=self.campaigns.__getitem__,
                               zone=lambda *where: self.zones[where])  # fmt: skip
        self._sent: set[str] = set()

    def answer(self, batch: Batch) -> Printed | None:
        """The printed batch; None when this raises here: it is printed again where somebody hears of it."""
        from omnicli.campaignfile import revive

        try:
            self.campaigns.update((version, revive(tree)) for version, tree in batch.trees.items())
            self.zones.update(batch.zones)
            nothing: tuple[None, ...] = (None,) * (len(Slip._fields) - 16)
            slips = [
                Slip(*own, *batch.kinds[kind], *batch.words.get(n, nothing))
                for n, (own, kind) in enumerate(zip(batch.own, batch.kind, strict=True))
            ]
            return self._columns(self.printer.print(slips, batch.beside))
        except Exception:
            return None

    def _columns(self, made: list[Copy | Spoilt]) -> Printed:
        names: dict[str, int] = {}
        tellings: dict[str, int] = {}
        spoilt = {n: one for n, one in enumerate(made) if isinstance(one, Spoilt)}
        blank = Copy("", b"", bytes(16), 1, None)
        copies = [one if isinstance(one, Copy) else blank for one in made]
        which = [names.setdefault(one.skeleton, len(names)) for one in copies]
        told = [-1 if one.facts is None else tellings.setdefault(one.facts, len(tellings)) for one in copies]
        new = [name for name in names if name and name not in self._sent]
        self._sent.update(new)
        parts = [one.sms_parts for one in copies]
        return Printed(
            [self.renderer.skeleton(name).blob for name in new], list(names), which, [one.values for one in copies],
            b"".join([one.body_hash for one in copies]), parts if set(parts) != {1} else None, list(tellings), told, spoilt,
        )  # fmt: skip


if __name__ == "__main__":
    main()

"""The project as its files stand now and its store, for whoever stays awake: read again when a file was edited, kept when it cannot be read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from omnicli.errors import Exit, OmniError
from omnicli.store import whereabouts
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.store.connection import Store


@dataclass(slots=True)
class Standing:
    """What was read last and the open store; None before the first `now`."""

    root: Path
    live: bool
    loaded: Loaded | None = None
    store: Store | None = None
    seen: tuple[tuple[str, int, int], ...] = ()
    place: tuple[int | None, ...] = ()

    def now(self, say: Callable[[str], None]) -> tuple[Loaded, Store]:
        """`say` is told why files cannot be read, and the last good reading holds; OmniError when there was none yet, and when the store
        is no longer the one that was opened."""
        from omnicli.app import open_project, open_store

        seen = _fingerprint(self.root)
        if self.loaded is None or seen != self.seen:
            try:
                self.loaded, self.seen = open_project(self.root), seen
            except OmniError as error:
                if self.loaded is None:
                    raise
                say(error.message)
        if self.store is None:
            self.store = open_store(self.loaded, live=self.live)
            with self.store.read() as connection:
                self.place = whereabouts.seen(connection)
        else:
            self._same(self.store)
        return self.loaded, self.store

    def _same(self, store: Store) -> None:
        """OmniError when another store stands where this one was: what is known of versions and people is not known of that one."""
        if store.dialect != "postgresql":
            return  # the file is looked at by every write
        with store.read() as connection:
            found = whereabouts.seen(connection)
            if found == self.place:
                return
            if found[:-1] != self.place[:-1] or whereabouts.moved(connection) is not None:
                raise replaced()
        self.place = found  # the server was started anew


def replaced() -> OmniError:
    """Somebody reset, dropped, restored or copied over the store while it was open."""
    return OmniError(
        t("the store was taken away or replaced while it was open", "la base a été retirée ou remplacée pendant qu'elle était ouverte"),
        hint=t("start this command again", "relancez cette commande"), code="replaced", exit=Exit.REFUSED,
    )  # fmt: skip


def _fingerprint(root: Path) -> tuple[tuple[str, int, int], ...]:
    """Names, times and sizes of the project's files: what tells that something was edited."""
    files = [root / "omni.yaml", *sorted((root / "campaigns").glob("*.yaml"))]
    stats = [(str(f), f.stat()) for f in files if f.is_file()]
    return tuple((name, s.st_mtime_ns, s.st_size) for name, s in stats)

"""The project as its files stand now and its store, for whoever stays awake: read again when a file was edited, kept when it cannot be read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from omnicli.errors import OmniError

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

    def now(self, say: Callable[[str], None]) -> tuple[Loaded, Store]:
        """`say` is told why files cannot be read, and the last good reading holds; OmniError when there was none yet."""
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
        return self.loaded, self.store


def _fingerprint(root: Path) -> tuple[tuple[str, int, int], ...]:
    """Names, times and sizes of the project's files: what tells that something was edited."""
    files = [root / "omni.yaml", *sorted((root / "campaigns").glob("*.yaml"))]
    stats = [(str(f), f.stat()) for f in files if f.is_file()]
    return tuple((name, s.st_mtime_ns, s.st_size) for name, s in stats)

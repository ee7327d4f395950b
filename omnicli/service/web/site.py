"""What all routes share: the project, its store and keys, who understands webhooks, and the one thread that writes."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from omnicli import clock
from omnicli.campaigns import hear, versions
from omnicli.model.response import Hearing, Receipt
from omnicli.render.links import LANDING, Signing, open_token, token
from omnicli.render.renderer import own_host
from omnicli.service.web.bell import Bell
from omnicli.service.web.intake import Intake, Overloaded
from omnicli.store import keys as stored_keys
from omnicli.store import readers, room
from omnicli.store.readers import Named

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.model.campaign import Campaign
    from omnicli.model.project import Project
    from omnicli.store.connection import Store

#: How long a request waits for the writer's lock, in seconds.
BUSY = 2.0
#: How long an answer about the room on the disk is believed, in seconds.
_BELIEVED = 1.0


@dataclass
class Site:
    """One running service. `answers` counts what was answered: (route, status) → times."""

    store: Store
    loaded: Loaded
    live: bool
    hearings: Mapping[str, Hearing]
    signing: Signing
    verifying: Mapping[int, bytes] = field(repr=False)
    own: str | None = None
    present: Callable[[], datetime] = clock.now
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    intake: Intake = field(init=False)
    _openings: Counter[tuple[str, str]] = field(default_factory=Counter)
    _counting: threading.Lock = field(default_factory=threading.Lock)
    _trees: dict[int, Campaign] = field(default_factory=dict)
    _room: tuple[float, str | None] = (0.0, None)
    _bell: Bell | None = None

    def __post_init__(self) -> None:
        self.intake = Intake(lambda receipts: hear.hear(self.store, self.loaded, receipts, now=self.now(), wait=BUSY))

    @property
    def project(self) -> Project:
        assert self.loaded.project is not None
        return self.loaded.project

    @property
    def public_url(self) -> str | None:
        """What providers sign: from the settings, never from what a request says."""
        return str(self.project.public_url).rstrip("/") if self.project.public_url else None

    def now(self) -> datetime:
        """This instant; the sandbox's clock may stand in the future, and never runs backwards."""
        now = self.present()
        if self.live:
            return now
        from omnicli.store.setting import clock_of

        with self.store.read() as connection:
            return max(now, clock_of(connection) or now)

    # --- tokens -----------------------------------------------------------------------------------------------------
    def opened(self, text: str, *purposes: str) -> tuple[Named, int] | None:
        """The touch that the token names and its link number; None for a token that is not ours, was altered, was made for
        another purpose, or names a touch that the store does not have: nobody learns which."""
        for purpose in purposes:
            found = open_token(text, purpose, self.verifying)
            if found is not None:
                with self.store.read() as connection:
                    touch = readers.named(connection, found.touch_prefix)
                return (touch, found.number) if touch is not None else None
        return None

    def summed(self, text: str) -> bytes | None:
        """The key of the message that a token of sums names; None when it is not ours."""
        found = open_token(text, "opens", self.verifying)
        return found.touch_prefix if found is not None else None

    def address(self, purpose: str, touch: Named) -> str:
        """The path of another page of the same touch."""
        from omnicli.render.links import PATHS

        number = LANDING if purpose == "scan" else 0
        return f"/{PATHS[purpose]}/{token(self.signing, purpose, touch.key, number)}"

    def tree(self, version: int) -> Campaign:
        """The campaign as it stood at that version, which never changes."""
        if version not in self._trees:
            with self.store.read() as connection:
                self._trees[version] = versions.standing_tree(connection, version)
        return self._trees[version]

    # --- writing ----------------------------------------------------------------------------------------------------
    async def keep(self, receipts: Sequence[Receipt]) -> None:
        """Returns when they are on disk; Overloaded or NotStored when they are not. Whoever leaves by a page is heard while there is
        any room at all: nobody repeats that for them."""
        if not all(getattr(one.response, "name", None) == "unsubscribed" for one in receipts):
            self._check_room()
        await self._wait(self.intake.put(receipts))

    async def act(self, deed: Callable[[], Any]) -> Any:
        """Do something that writes, in turn with everything else that does."""
        self._check_room()
        return await self._wait(self.intake.act(deed))

    async def count_opening(self, key: str, day: str) -> None:
        """One more opening of that message on that day, nobody's. Those that come meanwhile are written together."""
        with self._counting:
            first = not self._openings
            self._openings[(key, day)] += 1
        if first:
            await self.act(self._write_openings)

    def _write_openings(self) -> None:
        with self._counting:
            counted, self._openings = self._openings, Counter()
        with self.store.write(wait=BUSY) as connection:
            readers.count_openings(connection, counted)

    async def _wait(self, promise: Future[Any]) -> Any:
        loop = asyncio.get_running_loop()
        if self._bell is None or self._bell.loop is not loop:
            self._bell = Bell(loop)
        return await self._bell.kept(promise)

    def _check_room(self) -> None:
        why = self.full()
        if why is not None:
            self.intake.counts.refused += 1
            raise Overloaded

    def full(self) -> str | None:
        """Why the disk has no room for more, asked at most once a second."""
        at, why = self._room
        if clock.monotonic() - at > _BELIEVED:
            why = room.room(self.store.path)
            self._room = (clock.monotonic(), why)
        return why

    def close(self) -> None:
        self.intake.close()


def open_site(store: Store, loaded: Loaded, *, live: bool, hearings: Mapping[str, Hearing] | None = None) -> Site:
    """The site of this project and environment; `hearings` None: those of the configured providers."""
    from omnicli import providers

    assert loaded.project is not None
    held = stored_keys.of_store(store, loaded.project.project)
    if hearings is None:
        hearings = providers.hearings(loaded, held.signing, live=live)
    return Site(store, loaded, live, hearings, Signing(held.key, held.current), held.signing, own_host(loaded.project, live=live))

"""From claimed touches to messages that may be handed over: those that need none of it set apart, the others printed, here or elsewhere.

A touch whose message cannot be made for this person is `Unfit`, by reason and field; its neighbours are not touched by it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from omnicli import clock
from omnicli.campaigns import pressroom
from omnicli.campaigns.handing import Prepared, Press, Unfit
from omnicli.campaigns.pressroom import Part, Pressroom
from omnicli.campaigns.printing import Beside, Copy, Printer, Row, Spoilt
from omnicli.campaigns.turn import houses
from omnicli.campaigns.windows import open_until
from omnicli.providers import channels_of
from omnicli.render.said import hashed
from omnicli.store import campaigns, columns, consents, keys, outbox, readers
from omnicli.store.outbox import Claimed
from omnicli.texts import t

if TYPE_CHECKING:
    import sqlalchemy as sa

    from omnicli.campaignfile import Loaded
    from omnicli.campaigns.turn import Houses
    from omnicli.render.renderer import Renderer
    from omnicli.render.skeleton import Skeleton
    from omnicli.store.connection import Store

__all__ = ["Order", "Prepared", "Press", "Presses", "Unfit"]


class Presses:
    """The presses of all versions in hand, and the renderer that they share. `processes` counts this one."""

    def __init__(self, store: Store, loaded: Loaded, renderer: Renderer, *, now: datetime, live: bool,
                 houses: Houses | None = None, processes: int = 1) -> None:  # fmt: skip
        assert loaded.project is not None
        self.processes = processes
        self.loaded, self.renderer, self.now = loaded, renderer, now
        self.project = loaded.project
        self.live = live
        self.channels = channels_of(self.project, live=live)
        self.keys = keys.of_store(store, self.project.project)
        self.pepper = self.keys.pepper
        self.columns = tuple(columns.attribute_column(name) for name in self.project.contacts.attributes)
        self._given = houses
        self.houses: Houses
        self.events: Mapping[int, outbox.Entering] = {}
        self.phones: Mapping[int, str] = {}
        self.windows: dict[tuple[int, str], datetime] = {}
        self.watched: set[int] = set()  # who agreed that openings are noted
        self.printer = Printer(renderer, now=now, campaign=lambda version: self.press(version).house.campaign,
                               zone=lambda version, *where: self.press(version).zone(*where))  # fmt: skip
        self._presses: dict[int, Press] = {}
        self._ways: dict[tuple[int, str, str], _Way] = {}
        self._archived: dict[str, int] = {}
        self._fresh: dict[str, int] = {}
        self._call_skeleton: Skeleton | None = None
        self._room: Pressroom | None = None
        self._trees: dict[int, str] = {}

    def learn(self, connection: sa.Connection) -> None:
        """The houses of this round, built as they are asked for, over the connection at hand."""
        known: Houses | None = getattr(self, "houses", self._given)
        self.houses = known.on(connection) if known is not None else houses(connection, self.loaded, now=self.now, live=self.live)

    def press(self, version: int) -> Press:
        found = self._presses.get(version)
        if found is None:
            found = self._presses[version] = Press(self, self.houses[version])
        return found

    def bring(self, connection: sa.Connection, claimed: Sequence[Claimed]) -> None:
        """Build the presses of these touches, and bring the entering events whose payload a fact quotes."""
        wanted = {c.entered_event for c in claimed if self.press(c.version_id).needs_event and c.entered_event is not None}
        self.events = outbox.entering(connection, wanted)
        self.phones = outbox.phones(connection, {c.contact_id for c in claimed if c.channel == "task"})
        self.windows |= open_until(connection, claimed, now=self.now)  # those of the batch before are still to be handed over
        if self.project.tracking.opens == "consented":
            self.watched = readers.agreed(connection, {c.contact_id for c in claimed if c.channel == "email"})
        if self._room is not None:
            for version in {c.version_id for c in claimed} - self._trees.keys():
                self._trees[version] = campaigns.tree(connection, version)

    # --- rendering --------------------------------------------------------------------------------------------------
    def staff(self, expected: int) -> None:
        """So many touches are about to be ordered: start the other processes when it pays. Nobody waits for them."""
        size = min(self.processes, pressroom.cores()) - 1
        if self._room is None and size > 0 and expected > pressroom.FEW:
            self._room = pressroom.Pressroom.of(self.loaded, self.renderer, now=self.now, size=size)

    def dismiss(self) -> None:
        """Nobody orders any more: the other processes end."""
        if self._room is not None:
            self._room.close()

    @property
    def busy(self) -> int:
        """Parts of orders that are being rendered elsewhere."""
        return self._room.busy if self._room is not None else 0

    @property
    def fallen(self) -> int:
        """Rendering processes that ended before they should."""
        return self._room.fallen if self._room is not None else 0

    def prepare(self, touches: Sequence[Claimed]) -> list[Prepared | Unfit]:
        """Each touch with its message, or why there is none; in order."""
        return self.order(touches).take()

    def order(self, touches: Sequence[Claimed]) -> Order:
        """Begin to prepare these touches; `Order.take` gives them."""
        ways = [self._ways.get((c.version_id, c.message, c.channel)) or self._way(c) for c in touches]
        apart = {
            n: made
            for n, (touch, way) in enumerate(zip(touches, ways, strict=True))
            if way.apart and (made := self._apart(touch, way))
        }
        if apart:
            left = [n for n in range(len(touches)) if n not in apart]
            touches_left, ways_left = [touches[n] for n in left], [ways[n] for n in left]
        else:
            touches_left, ways_left = list(touches), ways
        beside = Beside(self.events, self.phones, self.watched)
        return Order(self, touches_left, ways_left, beside, apart, self._parts(touches_left, beside))

    def _parts(self, touches: Sequence[Claimed], beside: Beside) -> list[Part]:
        """The parts of an order that other processes print; none without them, or when none is ready yet."""
        if self._room is None or not self._room.able or not touches:
            return []
        return self._room.give(touches, beside, self.printer.zone, self._trees)

    def copies(self, part: Part, touches: Sequence[Claimed], beside: Beside) -> list[Copy | Spoilt]:
        """What was printed of a part elsewhere; printed here where that process is gone."""
        printed = self._room.take(part) if self._room is not None else None
        if printed is None:
            return self.printer.print(touches[part.first : part.end], beside)
        for blob in printed.skeletons:
            self.renderer.learn(blob)
        return pressroom.copies(printed)

    def _way(self, touch: Claimed) -> _Way:
        press = self.press(touch.version_id)
        unknown = touch.channel != "webhook" and touch.message not in press.house.campaign.messages
        live = press.is_live(touch.message) and touch.channel != "webhook"
        way = _Way(press, press.house.prices.get(touch.channel, 0), live, unknown, live or unknown or touch.channel == "webhook")
        self._ways[(touch.version_id, touch.message, touch.channel)] = way
        return way

    def _apart(self, touch: Claimed, way: _Way) -> Prepared | Unfit | None:
        """What becomes of a touch that nobody renders; None of one that is rendered like the others."""
        if touch.channel == "webhook":
            return self._call(way.press, touch)
        if way.unknown:
            missing = t(
                "message '{name}' is not in this version",
                "le message « {name} » n'est pas dans cette version",
                name=touch.message,
            )
            return Unfit(touch, "render_failed", missing)
        old = way.press.stale(touch)
        return Unfit(touch, "stale", old) if old else None

    def prepared(self, touch: Claimed, way: _Way, copy: Copy | Spoilt) -> Prepared | Unfit:
        """A touch with what was printed for it."""
        if isinstance(copy, Spoilt):
            return Unfit(touch, *copy)
        skeleton, values, body_hash, parts, facts = copy
        return Prepared(
            touch, way.press, skeleton, values, touch.address_hmac or self._address_hash(touch), body_hash, way.price * (parts or 1), facts,
            way.press.fresh_until(touch) if way.live else None,
        )  # fmt: skip

    def _address_hash(self, touch: Claimed) -> bytes:
        return touch.address_hmac or consents.fingerprint(self.pepper, touch.channel, touch.address or touch.uid.hex())

    def _call(self, press: Press, touch: Claimed) -> Prepared:
        """The body of a `call` step: its names with their values, as JSON. Nothing of it is shared, so it is one value."""
        node = press.house.flow.nodes.get(touch.step)
        wanted: Mapping[str, str] = getattr(node.step, "with_", {}) if node else {}
        contact, told = Row(self.printer.places, touch.attributes), json.loads(touch.told) if touch.told else {}
        values = {key: _value_of(name, contact, told) for key, name in wanted.items()}
        body = json.dumps(
            {"campaign": press.house.name, "step": touch.step, "contact": touch.source_id, **values},
            ensure_ascii=False,
            default=str,
        )
        if self._call_skeleton is None:
            self._call_skeleton = _call_skeleton()
        skeleton = self._call_skeleton
        return Prepared(touch, press, skeleton.hash, skeleton.pack((body,)), self._address_hash(touch), hashed(body),
                        press.house.prices.get("webhook", 0))  # fmt: skip

    # --- the archive ------------------------------------------------------------------------------------------------
    def skeleton(self, name: str) -> Skeleton:
        call = self._call_skeleton
        return call if call is not None and call.hash == name else self.renderer.skeleton(name)

    def archive(self, connection: sa.Connection, prepared: Sequence[Prepared]) -> Mapping[str, int]:
        """Row ids of the skeletons of these messages; new ones are archived first, with the transaction that uses them."""
        missing = {p.skeleton for p in prepared} - self._archived.keys()
        if not missing:
            return self._archived
        wanted = {name: (s.channel, s.blob, s.template) for name in sorted(missing) for s in (self.skeleton(name),)}
        self._fresh = outbox.keep_skeletons(connection, wanted, now=clock.to_ms(self.now))
        return {**self._archived, **self._fresh}

    def keep(self) -> None:
        """The transaction that archived the newest skeletons was committed."""
        self._archived.update(self._fresh)
        self._fresh = {}

    def unsubscribe(self, touch: Claimed) -> str:
        """The https address at which one click unsubscribes, when a public address exists; else nothing."""
        from omnicli.render import links

        own = self.renderer.own
        if not own or not own.startswith("https://"):
            return ""
        return f"{own}/{links.PATHS['unsubscribe']}/{links.token(self.renderer.signing, 'unsubscribe', touch.key)}"


@dataclass(frozen=True, slots=True)
class _Way:
    """What touches of one message by one channel have in common: their price in millionths, and whether some of them are not rendered
    like the others (`apart`)."""

    press: Press
    price: int
    live: bool
    unknown: bool
    apart: bool


@dataclass(slots=True)
class Order:
    """Touches that are being prepared. `apart`: place → what was prepared at once; `parts` are printed elsewhere."""

    presses: Presses
    touches: Sequence[Claimed]
    ways: Sequence[_Way]
    beside: Beside
    apart: Mapping[int, Prepared | Unfit]
    parts: Sequence[Part] = ()

    @property
    def ready(self) -> bool:
        """Whether `take` would not wait for another process."""
        return all(part.mate is None or part.mate.has(part.number) for part in self.parts)

    def take(self) -> list[Prepared | Unfit]:
        """Each touch with its message, or why there is none; in order."""
        if self.parts:
            copies = [copy for part in self.parts for copy in self.presses.copies(part, self.touches, self.beside)]
        else:
            copies = self.presses.printer.print(self.touches, self.beside)
        made = list(map(self.presses.prepared, self.touches, self.ways, copies))
        for n, one in sorted(self.apart.items()):
            made.insert(n, one)
        return made


def _call_skeleton() -> Skeleton:
    from omnicli.render.skeleton import build

    return build("webhook", "", {"body": "\ue0000\ue001"}, origins=(None,), html=(False,), made={}, usual={}, links=())


def _value_of(name: str, contact: Mapping[str, Any], told: Mapping[str, Any]) -> Any:
    message, _, fact = name.rpartition(".")
    if message and message in told and fact in told[message]:
        return told[message][fact][1]
    for facts in told.values():
        if name in facts:
            return facts[name][1]
    return contact.get(name.removeprefix("contact."))

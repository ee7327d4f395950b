"""A virtual world: an in-memory store in which people live their campaigns by the fold, enter, turn, gate and press of `run`.

Only the clock, the chance of arms, who is held out and the providers are given. The world goes from one instant at which something is
due to the next; many people in one world share their instants, so a thousand lives cost little more than one.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from omnicli import clock
from omnicli.campaigns import life
from omnicli.campaigns.enter import ahead, passed_by
from omnicli.campaigns.run import RunReport, Tools, Work
from omnicli.campaigns.scenario import people, read
from omnicli.campaigns.scenario.carriers import Carriers
from omnicli.campaigns.scenario.read import Decided, Pass, Sent
from omnicli.campaigns.scenario.studio import Studio
from omnicli.campaigns.turn import Houses
from omnicli.engine.chance import Draws
from omnicli.model.ids import contact_uid
from omnicli.model.response import Response
from omnicli.model.story import Environment
from omnicli.store import consents, inbox, outbox
from omnicli.store import tables as tb

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded

__all__ = ["Decided", "Pass", "Sent", "Studio", "World"]


class World:
    """People, a clock and their campaigns, started at `start`. Use as a context, or `close` it, so that its store is used again.

    `arms` pins arms by split id (others are the hash's); `held_out`: nobody (False), everybody, those ids, or as the hash says (None).
    """

    def __init__(
        self, loaded: Loaded, campaigns: Sequence[str], *, start: datetime, arms: Mapping[str, str] | None = None,
        held_out: bool | Collection[str] | None = False, environment: Environment | None = None, studio: Studio | None = None,
    ) -> None:  # fmt: skip
        environment = environment or Environment()
        self.studio = studio or Studio.of(loaded, campaigns, budget=environment.budget_left)
        self.loaded, self.project, self.names = self.studio.loaded, self.studio.project, self.studio.campaigns
        self.now = self.start = start
        self.store = self.studio.borrow(start)
        self.ids: dict[str, int] = {}
        self.carriers = Carriers((*self.project.channels, "webhook"), environment.provider)
        self._draws = Draws(arms or {}, self._silence(held_out))
        self._tools = Tools(self.loaded, self.store, False, self.carriers, self.studio.renderer)
        self._houses: Houses | None = None
        self._pepper = consents.pepper(self.store, self.project.project)
        self._numbers = itertools.count(1)
        self._lived: int | None = None  # the instant that was lived to its rest, in milliseconds
        self._stirred = True  # something was said or changed at `now` that no instant has taken up yet
        self._doors: datetime | None = None
        self._looked = False
        self.problems: list[str] = []  # what the renderer and the outbox said of messages that could not be made
        self.afterwards: list[tuple[int, str, int]] = []  # what came after the touches of its own instant had left
        if environment.paused:
            for name in self.names[:1]:
                life.pause(self.store, name, now=start)

    def _silence(self, held_out: bool | Collection[str] | None) -> Callable[[bytes], bool] | None:
        if held_out is None:
            return None
        if isinstance(held_out, bool):
            return lambda _uid: held_out
        chosen = frozenset(contact_uid(self.project.project, who) for who in held_out)
        return chosen.__contains__

    def __enter__(self) -> World:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """The world ends; its store is lent to the next."""
        self.studio.give_back(self.store)

    # --- what happens -----------------------------------------------------------------------------------------------
    def add(self, contact: Mapping[str, Any], *, name: str | None = None) -> str:
        """Somebody who is there from `now` on, as a scenario file writes a contact; their id (`name`, the contact's `id`, or a
        number). Raises `ValueRefused` (or `channels.clean.Refused`) for a value that its declaration does not allow."""
        who = name or str(contact.get("id") or f"somebody-{len(self.ids) + 1}")
        self.add_all([(who, contact)])
        return who

    def add_all(self, contacts: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """Many at once: (id, contact) each; one statement a table."""
        with self.store.write() as connection:
            people.bring(connection, self.project, self._pepper, contacts, first=len(self.ids) + 1, now=self.now)
            new = connection.execute(
                sa.select(tb.contact.c.source_id, tb.contact.c.id).where(tb.contact.c.changed_at == clock.to_ms(self.now))
            )
            self.ids.update({row[0]: row[1] for row in new})
        self._stir()

    def event(
        self, who: str, name: str, payload: Mapping[str, Any] | None = None, *, of: str | None = None, touch: str | None = None, id: str | None = None,
        at: datetime | None = None,
    ) -> None:  # fmt: skip
        """This response or event happens `now` (or was at `at`, heard of now). `of` names the step or message that it answers, `touch` the key; without
        either the newest touch that can give it is meant. The same `id` twice is one response."""
        self.events([(who, name, payload or {}, of, touch, id, at)])

    def events(
        self, said: Iterable[tuple[str, str, Mapping[str, Any], str | None, str | None, str | None, datetime | None]]
    ) -> None:
        """Several at once: (who, name, payload, of, touch, id, at) each."""
        responses = [self._response(*one) for one in said]
        for response in responses:
            self._after_touches(self.ids[response.contact], response.name)
        with self.store.write() as connection:
            inbox.receive(connection, responses, now=self.now)
        self._stir(doors=False)

    def _response(
        self, who: str, name: str, payload: Mapping[str, Any], of: str | None, touch: str | None, id: str | None,
        at: datetime | None,
    ) -> Response:  # fmt: skip
        rest = {key: value for key, value in payload.items() if key != "channel"}
        steps = self._steps
        return Response(
            id or f"s{next(self._numbers)}", who, name, at or self.now, source="scenario", channel=payload.get("channel"),
            message=of if of not in steps else None, step=of if of in steps else None, touch=touch, payload=rest,
        )  # fmt: skip

    @property
    def _steps(self) -> Collection[str]:
        return self.studio.steps

    def change(self, who: str, values: Mapping[str, Any]) -> None:
        """Attributes and built-in columns of this person change now; None or `clear` empties one."""
        columns: dict[str, Any] = people.attributes(self.project, values)
        columns |= {key: values[key] for key in people.BUILT_IN if key in values}
        if not columns:
            return
        ms = clock.to_ms(self.now)
        named = ", ".join(f"{column} = :{column}" for column in columns)
        with self.store.write() as connection:
            connection.execute(
                sa.text(f"UPDATE contact SET {named}, changed_at = :now, attributes_at = :now WHERE id = :id"),
                {**columns, "now": ms, "id": self.ids[who]},
            )
        self._stir()

    def consent(self, who: str, said: Mapping[str, Any]) -> None:
        """Permissions given (`yes`) or taken back (`no`) now, by channel."""
        number = self.ids[who]
        self._after_touches(number, "consent")
        said_now = [
            consents.Permission(number, channel, yes, self.now, source="scenario", state="granted" if yes else "withdrawn")
            for channel, yes in people.granted(said).items()
        ]
        with self.store.write() as connection:
            consents.record_permissions(connection, said_now, now=self.now)
            consents.refold_reach(connection, [number], now=self.now)
        self._stir()

    def _after_touches(self, number: int, what: str) -> None:
        """Remember what is said in an instant that was lived already: the touches of it had left."""
        if self._lived == clock.to_ms(self.now):
            self.afterwards.append((number, what, self._lived))

    def _stir(self, *, doors: bool = True) -> None:
        self._stirred = True
        self._looked = self._looked and not (doors or self.studio.watchful)

    # --- time -------------------------------------------------------------------------------------------------------
    def next_due(self) -> datetime | None:
        """The next instant at which something may happen by itself; None when nothing ever does."""
        if self._stirred:
            return self.now
        after = self._lived if self._lived is not None else clock.to_ms(self.start) - 1
        with self.store.read() as connection:
            dues = connection.execute(_NEXT, {"after": after}).one()
        found = [clock.from_ms(at) for at in dues if at is not None]
        found += [at for at in self.carriers.late.values() if clock.to_ms(at) > after]
        if (door := self._door()) is not None and clock.to_ms(door) > after:
            found.append(door)
        return min(found, default=None)

    def _door(self) -> datetime | None:
        """When somebody may next come in without an event."""
        if not self.studio.doors:
            return None
        if not self._looked or (self._doors is not None and self._doors <= self.now):
            self._doors = ahead(self.store, self._homes(), now=self.now, campaigns=self.names)
            self._looked = True
        return self._doors

    def live_until(self, instant: datetime, *, inclusive: bool = True) -> None:
        """Let happen what falls due before `instant`, and at it when `inclusive`; the clock then stands there."""
        while (due := self.next_due()) is not None and (due < instant or (inclusive and due == instant)):
            self.live(due)
        self.now = max(self.now, instant)

    def live(self, instant: datetime) -> RunReport:
        """One instant to its rest: fold, enter, decide, deliver, as `omni campaign run` does it at that time."""
        self.now = max(self.now, instant)
        self._stirred = False
        self._arrive()
        if self.studio.watchful and (self._doors is None or self._doors > self.now):
            passed_by(self.store, self._homes(), now=self.now, campaigns=self.names)
        report = RunReport(self.now, self.names)
        Work(self.store, self.loaded, report, self._tools, _nothing, _nothing, False, False, houses=self._homes()).until_rest(
            None
        )
        self._lived = clock.to_ms(self.now)
        self._looked = self._looked and not self.studio.watchful
        self.problems += (line for line in report.problems if line not in self.problems)
        return report

    def _homes(self) -> Houses:
        """The houses as of now, kept from instant to instant as long as nothing that they rest on changes."""
        with self.store.read() as connection:
            if self._houses is None:
                self._houses = Houses(
                    connection, self.loaded, now=self.now, usable=self.studio.renderer.usable, draws=self._draws
                )
                self._houses.gathers, self._houses.doors = self.studio.gathers, self.studio.ways
            else:
                self._houses.later(connection, now=self.now)
        return self._houses

    def _arrive(self) -> None:
        """What slow providers took is known now."""
        ripe = sorted(key for key, at in self.carriers.late.items() if at <= self.now)
        if not ripe:
            return
        with self.store.write() as connection:
            for key in ripe:
                touch = outbox.touch_by_key(connection, bytes.fromhex(key))
                assert touch is not None
                n = self.carriers.handed[key].attempt
                outbox.proof(connection, touch, n, ref="scenario", source="scenario", now=clock.to_ms(self.now))
                del self.carriers.late[key]

    # --- what became of it ------------------------------------------------------------------------------------------
    def touches(self, who: str | None = None, *, after: int = 0) -> tuple[Sent, ...]:
        """Touches that have ended, held-out and skipped ones among them, in the order in which they did; of one person or all."""
        with self.store.read() as connection:
            return read.touches(connection, self.ids[who] if who is not None else None, after=after)

    def waiting(self, who: str) -> tuple[Sent, ...]:
        """Touches that are planned, held by the gate, or of unknown fate."""
        with self.store.read() as connection:
            return read.waiting(connection, self.ids[who])

    def standing(self, who: str) -> tuple[Pass, ...]:
        """Every pass of this person, oldest first."""
        with self.store.read() as connection:
            return read.passes(connection, self.ids[who])

    def decisions(self, who: str) -> tuple[Decided, ...]:
        """What was decided about this person, line by line, with the values behind each answer."""
        with self.store.read() as connection:
            return read.decisions(connection, self.ids[who])

    def zone(self, who: str) -> tzinfo:
        """The working zone of this person: by it days are counted and quiet hours told."""
        c, houses = tb.contact.c, self._homes()
        with self.store.read() as connection:
            row = connection.execute(sa.select(c.country, c.time_zone, c.region).where(c.id == self.ids[who])).one()
            return houses.on(connection)[next(iter(houses))].calendar.zone(*row)

    def problem(self, touch: Sent) -> str:
        """What was said of a message that could not be made."""
        return next((line.partition(": ")[2] for line in self.problems if line.startswith(touch.key[:8])), "")

    def text(self, touch: Sent) -> Mapping[str, str]:
        """The parts of the message as it left; empty when it did not."""
        one = self.carriers.handed.get(touch.key)
        return one.rendered.parts if one is not None and one.rendered is not None else {}


def _nothing(*_: object) -> None:
    """Nobody watches, and nobody interrupts."""


_NEXT = sa.text(
    "SELECT (SELECT min(due_at) FROM enrollment WHERE due_at IS NOT NULL AND state = 'open' AND due_at > :after), "
    "(SELECT min(due_at) FROM touch WHERE send_state IN ('planned','retry') AND lease_by IS NULL AND settled_at IS NULL AND due_at > :after)"
)

"""E-mail through one relay: each touch one transaction with an outcome of its own, connections reused between them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from queue import Empty, LifoQueue

from omnicli import clock, guards
from omnicli.model.touch import Doubtful, Evidence, Handed, Outcome, Ready
from omnicli.providers import mime
from omnicli.providers.smtp import envelope
from omnicli.providers.smtp.connection import Address, Connection, Envelope
from omnicli.texts import t

FRAMES = 512
#: Mails of one call, one transaction each: what its intents and outcomes share is a commit (docs/delivery 4).
BATCH = 4
#: Seconds of a call (by a clock that counts sleep) after which no further mail of it is begun.
FRESH = 5.0


@dataclass
class Smtp:
    """E-mail through one relay. Safe to call from several threads: each call takes a connection of its own."""

    address: Address
    bounce_domain: str | None = None
    name: str = "smtp"
    channels: tuple[str, ...] = ("email",)
    batch: int = BATCH
    in_flight: int = 4
    repeatable: bool = False
    connect: Callable[[Address], Connection] = Connection
    bounces: Path | None = None
    _idle: LifoQueue[Connection] = field(default_factory=LifoQueue)
    _frames: OrderedDict[tuple[str, str, str | None], mime.Frame] = field(default_factory=OrderedDict)

    @property
    def account(self) -> str:
        return f"{self.address.user or ''}@{self.address.host}:{self.address.port}"

    @property
    def read_timeout(self) -> float:
        """Seconds that a call may take: its last mail is begun while it is fresh, and has the timeout up to the dot and after it."""
        return FRESH + self.address.connect_timeout + 2 * self.address.read_timeout

    def send(self, handed: Sequence[Handed], *, now: datetime) -> list[Outcome]:
        begun = clock.awake()
        return [self._late() if _slept(begun) else self._one(one, now) for one in handed]

    def _late(self) -> Outcome:
        """Mails before this one took so long that the gate must be asked anew (docs/delivery 3)."""
        said = t("the server is slow: asked again first", "le serveur est lent : nouvelle vérification d'abord")
        return Outcome("not_sent", code="late", detail=said, free=True)

    def _one(self, one: Handed, now: datetime) -> Outcome:
        recipient = mime.one_address(one.address or "")
        if recipient is None:
            said = t("not one plain address", "pas une simple adresse")
            return Outcome("rejected", code="address", detail=said, bad_address=True)
        try:
            message = self._message(one, recipient, now)
        except mime.HeaderRefused as refused:
            return Outcome("rejected", code="header", detail=str(refused))
        except ValueError as error:
            return Outcome("not_sent", code="sender", detail=str(error), halt=True)
        outcome = self._deliver(
            Envelope(envelope.return_path(one, self.bounce_domain), recipient, envelope.mark_of(one)), message
        )
        if outcome.outcome != "accepted":
            return outcome
        return Outcome("accepted", ref=_ref(envelope.message_id(one), outcome.detail or ""))

    def _deliver(self, to: Envelope, message: bytes) -> Outcome:
        """On a kept connection, else a new one. A kept one that had died before it took anything is opened anew once."""
        connection, fresh = self._taken()
        while True:
            if fresh and (bad := connection.open()) is not None:
                connection.close()
                return bad
            if not to.recipient.isascii() and not connection.offers("smtputf8"):
                self._idle.put(connection)
                said = t("the server takes no address outside ASCII", "le serveur n'accepte que des adresses ASCII")
                return Outcome("rejected", code="smtputf8", detail=said)
            outcome = connection.deliver(to, message)
            if fresh or not (outcome.outcome == "not_sent" and connection.phase == "mail" and outcome.code in ("lost", "421")):
                break
            connection, fresh = self.connect(self.address), True
        self._kept(connection)
        return outcome

    def _kept(self, connection: Connection) -> None:
        if connection.stale():
            connection.quit()
        else:
            self._idle.put(connection)

    def _taken(self) -> tuple[Connection, bool]:
        while True:
            try:
                connection = self._idle.get_nowait()
            except Empty:
                return self.connect(self.address), True
            if not connection.stale():
                return connection, False
            connection.quit()

    def _message(self, one: Handed, recipient: str, now: datetime) -> bytes:
        headers = tuple(envelope.list_headers(one, self.bounce_domain))
        person = mime.Person(recipient, envelope.message_id(one), now, envelope.mark_of(one), headers)
        return mime.stuffed(self._frame(one, one.sender or "").fill(person, one.fills))

    def _frame(self, one: Handed, sender: str) -> mime.Frame:
        assert one.rendered is not None
        pieces: Mapping[str, Sequence[str | int]] = one.pieces or {name: (text,) for name, text in one.rendered.parts.items()}
        key = (one.rendered.skeleton, sender, one.reply_to)
        if not one.pieces or not key[0]:
            return mime.build_frame(pieces, sender=sender, reply_to=one.reply_to, seed=one.touch)
        found = self._frames.get(key)
        if found is None:
            found = self._frames[key] = mime.build_frame(pieces, sender=sender, reply_to=one.reply_to, seed=key[0])
            if len(self._frames) > FRAMES:
                self._frames.popitem(last=False)
        return found

    # --- what doctor and reconciliation ask -------------------------------------------------------------------------
    def reconcile(self, doubtful: Sequence[Doubtful], *, now: datetime) -> list[Evidence | None]:
        """A relay keeps no list that could be asked: only what comes back settles a doubt (docs/delivery 11)."""
        return [None] * len(doubtful)

    def check(self, *, online: bool) -> list[Ready]:
        """Whether the relay lets us in (`online`), and whether bounces can be read."""
        return [self._lets_in() if online else Ready("smtp login", None, self.account), self._reads_bounces()]

    def _lets_in(self) -> Ready:
        connection = self.connect(self.address)
        bad = connection.open()
        connection.quit()
        fix = t("look at providers.smtp in omni.yaml", "voyez providers.smtp dans omni.yaml")
        return Ready("smtp login", bad is None, self.account if bad is None else bad.detail or "", None if bad is None else fix)

    def _reads_bounces(self) -> Ready:
        if self.bounces is None:
            said = t("no mailbox is set: bounces go unread", "aucune boîte indiquée : les retours ne sont pas lus")
            return Ready("smtp bounces", None, said, "providers.smtp.bounces")
        there = self.bounces.exists()
        return Ready("smtp bounces", there, str(self.bounces), None if there else "providers.smtp.bounces")

    def close(self) -> None:
        while True:
            try:
                self._idle.get_nowait().quit()
            except Empty:
                return


def _slept(begun: float) -> bool:
    return clock.awake() - begun >= FRESH and guards.on("wake_check")


def _ref(message: str, said: str) -> str:
    """Our Message-ID, and the relay's queue id where it names one (`250 2.0.0 Ok: queued as 4XyZ`)."""
    queue = said.rpartition(" as ")[2][:60] if " as " in said else ""
    return f"{message} {queue}" if queue else message

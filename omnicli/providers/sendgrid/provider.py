"""Sends e-mail through SendGrid: one request a call, one outcome a person, and never a second try.

`send` does not raise for whatever may come back. What was observed decides: before the connection stood nothing was sent,
after it only an answer that was read whole can say (docs/delivery 9).
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from omnicli.model.response import Receipt
from omnicli.model.touch import Doubtful, Evidence, Handed, Outcome, Ready
from omnicli.providers.sendgrid import sift
from omnicli.providers.sendgrid.classify import LONGEST_WAIT, Answer, classify, words_for
from omnicli.providers.sendgrid.request import Overfull, build
from omnicli.providers.sendgrid.wishes import Wishes
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.providers.sendgrid.client import Api, Witness


@dataclass
class SendGrid:
    """E-mail through one SendGrid account. Safe to call from several threads: each has a client of its own.

    A call takes what may stand in one request (`alone` says who must go by oneself) and makes exactly one. Whoever does not fit
    into it is answered `not_sent`, free.
    """

    wishes: Wishes
    project: Any = None
    name: str = "sendgrid"
    channels: tuple[str, ...] = ("email",)
    repeatable: bool = False
    one_request: bool = True
    _local: threading.local = field(default_factory=threading.local, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _throttled: int = 0

    @property
    def batch(self) -> int:
        """People a request. One, where unknown batches would never be settled and nobody said that this is wanted."""
        return 1 if self.wishes.blind else self.wishes.batch

    @property
    def in_flight(self) -> int:
        return self.wishes.in_flight

    @property
    def read_timeout(self) -> float:
        return self.wishes.read_timeout

    @property
    def account(self) -> str:
        """The host and a mark of the key: another key is another account, and none of it is in the mark."""
        key = self.wishes.api_key.reveal() if self.wishes.api_key else ""
        return f"{urlsplit(self.wishes.base.url).netloc}/{hashlib.sha256(b'omni account ' + key.encode()).hexdigest()[:8]}"

    @staticmethod
    def alone(handed: Handed) -> bool:
        """Whether this one must be handed over by itself (values beyond 10,000 bytes, not marketing)."""
        return sift.alone(handed)

    def send(self, handed: Sequence[Handed], *, now: datetime) -> list[Outcome]:
        try:
            group, outcomes = sift.sift(handed, self.wishes)
            group, mail = self._written(group) if group is not None else (None, b"")
        except Exception as defect:  # nothing was sent yet: who brings it about is found by halving
            return [_defect(defect, len(handed))] * len(handed)
        if group is not None:
            answered = self._mail(mail, len(group.ones), now)
            if len(answered) == len(handed):
                return answered
            outcomes.update(zip(group.places, answered, strict=True))
        return [outcomes[n] if n in outcomes else sift.later() for n in range(len(handed))]

    def _written(self, group: sift.Group) -> tuple[sift.Group, bytes]:
        """The request, and who is in it: not those whose values are beyond the limit, unless there is nobody else."""
        try:
            return group, build(group, self.wishes)
        except Overfull as full:
            others = set(range(len(group.ones))) - full.places
            rest = group.without(full.places if others else set(range(1, len(group.ones))))
            return rest, build(rest, self.wishes)

    def _mail(self, mail: bytes, size: int, now: datetime) -> list[Outcome]:
        """One request, and what its answer, or the lack of one, means for each."""
        from omnicli.providers.sendgrid.client import TooLarge, Witness

        witness = Witness()
        try:
            answer = Answer.of(self.api().post_mail(mail, witness))
        except TooLarge:
            return self._too_large(size)
        except Exception as error:  # whatever it is, the witness knows how far it came
            return [_broken(witness, error)] * size
        return classify(answer, size, now=now, patience=self._patience(answer.status))

    def _too_large(self, size: int) -> list[Outcome]:
        detail = t("beyond the 30 MB of a request", "au-delà des 30 Mo d'une requête")
        if size == 1:
            return [Outcome("rejected", code="size", detail=detail)]
        return [Outcome("not_sent", code="size", detail=detail, free=True, halve=True)] * size

    def _patience(self, status: int) -> timedelta:
        """How long a 429 waits that does not say: one second, twice as long after each in a row."""
        with self._lock:
            self._throttled = self._throttled + 1 if status == 429 else 0
            return min(timedelta(seconds=2 ** min(max(self._throttled - 1, 0), 12)), LONGEST_WAIT)

    def api(self) -> Api:
        """The official client of this thread."""
        from omnicli.providers.sendgrid.client import Api

        found: Api | None = getattr(self._local, "api", None)
        if found is None:
            w = self.wishes
            found = self._local.api = Api(w.api_key.reveal() if w.api_key else "", w.base.url, connect_timeout=w.connect_timeout,
                                          read_timeout=w.read_timeout)  # fmt: skip
        return found

    def reconcile(self, doubtful: Sequence[Doubtful], *, now: datetime) -> list[Evidence | None]:
        """What the Email Activity of this account says, where the project says that it was bought; else None each."""
        from omnicli.providers.sendgrid import activity

        return activity.reconcile(self, doubtful) if self.wishes.email_activity else [None] * len(doubtful)

    def check(self, *, online: bool) -> list[Ready]:
        """What `doctor` and a live `start` ask; online also the account's key, webhook and groups."""
        from omnicli.providers.sendgrid import readiness

        return readiness.check(self, online=online)

    def lists(self, since: datetime | None = None) -> Iterator[Receipt]:
        """The account's lists of bars as receipts (`response sync`); only ever adds. OmniError when it cannot be asked."""
        from omnicli.providers.sendgrid import lists

        return lists.pull(self, since)

    def close(self) -> None:
        """Nothing is kept open between calls."""


def _defect(error: BaseException, size: int) -> Outcome:
    if size == 1:
        return Outcome("rejected", code="defect", detail=words_for(error))
    return Outcome("not_sent", code="defect", detail=words_for(error), free=True, halve=True)


def _broken(witness: Witness, error: BaseException) -> Outcome:
    """No whole answer: `unknown` once the connection stood, else `not_sent`."""
    if witness.connected:
        return Outcome("unknown", code="lost", detail=words_for(error))
    return Outcome("not_sent", code="connect", detail=words_for(error))

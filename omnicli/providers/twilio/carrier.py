"""Hands messages and calls to Twilio: one request a touch, an outcome whatever happens, the phase observed (docs/delivery 9)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from omnicli import clock, guards
from omnicli.model.response import Receipt
from omnicli.model.touch import Doubtful, Evidence, Handed, Outcome, Ready
from omnicli.providers.exchange import NotConnected
from omnicli.providers.twilio import codes, content, messages, numbers, voice
from omnicli.providers.twilio.account import Account
from omnicli.providers.twilio.voice import Speaker
from omnicli.providers.twilio.wire import ForeignHost, Lost, Wire
from omnicli.texts import t

if TYPE_CHECKING:
    from twilio.rest import Client

    from omnicli.model.campaign import Campaign
    from omnicli.providers.twilio.readiness import Wanted

CHANNELS = ("sms", "whatsapp", "messenger", "voice")
#: Seconds that a look at the templates may take before a message.
SLOW = 5.0


@dataclass
class Twilio:
    """SMS, WhatsApp, Messenger and calls by machine through one account. Safe to call from several threads."""

    account_settings: Account
    wire: Wire
    client: Client
    speaker: Speaker
    max_parts: int = 2
    name: str = "twilio"
    channels: tuple[str, ...] = CHANNELS
    batch: int = 1
    repeatable: bool = False
    one_request: bool = False
    senders: Mapping[str, str | None] = field(default_factory=dict)  # of the channels that it carries
    wanted: Sequence[Wanted] = ()
    unlisted: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.templates = content.Templates(self.client)

    @property
    def account(self) -> str:
        """The account, as breaker and rate know it."""
        return self.account_settings.sid

    @property
    def in_flight(self) -> int:
        return self.account_settings.in_flight

    @property
    def read_timeout(self) -> float:
        return self.account_settings.read_timeout

    def send(self, handed: Sequence[Handed], *, now: datetime) -> list[Outcome]:
        """An outcome a touch, in order; exactly one request each, none for those that are refused here."""
        return [self._one(one, now) for one in handed]

    def _one(self, one: Handed, now: datetime) -> Outcome:
        if one.channel != "messenger" and one.address and guards.on("country_list"):
            bar = numbers.refused(one.address, self.account_settings.countries)
            if bar is not None:
                return Outcome("rejected", code=bar[0], detail=bar[1], bad_address=bar[0] == "address")
        if one.channel == "voice":
            arguments = voice.call(one, self.account_settings, speaker=self.speaker)
            create: Callable[..., Any] = self.client.calls.create
        else:
            arguments = self._message(one, now)
            create = self.client.messages.create
        if isinstance(arguments, Outcome):
            return arguments
        return self._asked(create, arguments, now)

    def _message(self, one: Handed, now: datetime) -> messages.Arguments | Outcome:
        around = messages.frame(one, self.account_settings, now=now)
        if isinstance(around, Outcome):
            return around
        words = messages.free_words(one, max_parts=self.max_parts) if messages.open_window(one, now) else self._outside(one, now)
        return words if isinstance(words, Outcome) else {**around, **words}

    def _outside(self, one: Handed, now: datetime) -> messages.Arguments | Outcome:
        """Outside the window: the approved template, or nothing (an answer of 63016 without the question)."""
        if one.channel != "whatsapp" or not one.approved:
            why = t("the 24 hour window is closed", "la fenêtre de 24 heures est fermée")
            return Outcome("rejected", code="63016", detail=why)
        if one.purpose == "marketing" and (country := numbers.undelivered(one.address or "", now.date())) is not None:
            why = t("WhatsApp delivers no marketing templates in {country}", "WhatsApp ne remet pas de modèles publicitaires en {country}",
                    country=country)  # fmt: skip
            return Outcome("rejected", code="63049", detail=why)
        found = self._template(one.approved, now)
        return found if isinstance(found, Outcome) else content.fill(found, one.approved, messages.variables(one))

    def _template(self, name: str, now: datetime) -> content.Template | Outcome | None:
        """What Twilio knows of this template; None for one named by its sid that nobody could be asked about."""
        began = clock.awake()
        try:
            found = self.templates.find(name, now=now)
        except NotConnected as error:
            return _not_sent("connect", str(error), halt=error.trust)
        except Exception as error:  # nothing of this touch was sent: it is asked again
            return None if content.is_sid(name) else self._no_templates(error, now)
        if clock.awake() - began > SLOW:  # the gate was asked too long ago: it is asked again, at no cost
            return Outcome(
                "not_sent",
                code="late",
                detail=t("looking up templates took long", "chercher les modèles a pris du temps"),
                free=True,
            )
        if found is None and not content.is_sid(name):
            why = t("Twilio knows no template called '{name}'", "Twilio ne connaît pas de modèle « {name} »", name=name)
            return _not_sent("template", why, halt=True, halts="campaign")
        return found

    def _no_templates(self, error: Exception, now: datetime) -> Outcome:
        """The templates could not be asked for: nothing was sent, whatever the reason."""
        answer = self.wire.answer
        if answer is None:
            return _not_sent("content", str(error)[:120] or type(error).__name__)
        found = codes.classify(answer, now=now)
        return _not_sent(found.code or "content", found.detail or "", halt=found.halt)

    def _asked(self, create: Callable[..., Any], arguments: Mapping[str, Any], now: datetime) -> Outcome:
        """One request, and what its end means: by the answer where a whole one came, else by the phase."""
        self.wire.forget()
        try:
            create(**arguments)
        except NotConnected as error:
            return _not_sent("tls" if error.trust else "connect", str(error), halt=error.trust)
        except Lost as error:
            return Outcome("unknown", code="lost", detail=str(error))
        except ForeignHost as error:
            why = t("{host} is not where Twilio is reached", "{host} n'est pas l'adresse de Twilio", host=str(error))
            return _not_sent("host", why, halt=True)
        except Exception as error:  # the SDK raises for every answer outside 2xx, and for bodies it cannot read
            if self.wire.answer is None:
                return Outcome("unknown" if self.wire.connected else "not_sent", code="defect", detail=type(error).__name__)
        answer = self.wire.answer
        assert answer is not None
        found = codes.classify(answer, now=now)
        if new := codes.unlisted([found.code]):
            with self._lock:
                self.unlisted.update(new)
        return found

    def reconcile(self, doubtful: Sequence[Doubtful], *, now: datetime) -> list[Evidence | None]:
        """What Twilio's own lists say of attempts whose fate nobody knows; None where they could not be asked."""
        from omnicli.providers.twilio.reconcile import evidence

        return [evidence(self.client, one) for one in doubtful]

    def fates(self, known: Sequence[Doubtful], *, now: datetime) -> Iterator[Receipt]:
        """What became of accepted attempts (they carry `ref`) whose last callback may have been lost."""
        from omnicli.providers.twilio.fates import fates

        return fates(self.client, self.wire, known, now=now)

    def check(self, *, online: bool) -> list[Ready]:
        """Whether this account can carry what is asked of it; asks the network only when `online`."""
        from omnicli.providers.twilio.readiness import check

        return check(self, online=online)

    def expect(self, campaigns: Mapping[str, Campaign]) -> None:
        """What these campaigns name at Twilio, for `check`."""
        from omnicli.providers.twilio.readiness import wanted_of

        self.wanted = wanted_of(campaigns)

    def close(self) -> None:
        self.wire.close()


def _not_sent(code: str, why: str, *, halt: bool = False, halts: Any = "account") -> Outcome:
    return Outcome("not_sent", code=code, detail=why[:200], halt=halt, halts=halts)

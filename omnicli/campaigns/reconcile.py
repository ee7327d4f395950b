"""Touches whose fate nobody knows: what the provider's own records say of them, and when silence is an answer (docs/delivery 11).

Providers are asked outside any transaction, and what they say is kept as evidence. Nothing here ever sends: a policy at most puts a
touch back in line, after the old attempt was given up as `waived` with who took the risk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from omnicli import clock, faults, guards
from omnicli.campaigns import recover
from omnicli.engine import retry
from omnicli.model.touch import Doubtful, Evidence, Provider
from omnicli.store import outbox
from omnicli.store.outbox import Doubt, Looked

if TYPE_CHECKING:
    import sqlalchemy as sa

    from omnicli.campaignfile import Loaded
    from omnicli.store.connection import Store

#: A provider is asked when an attempt is so old, and again after `BETWEEN`, before "nothing there" counts.
ASK_AFTER, BETWEEN, TIMES = timedelta(minutes=1), timedelta(minutes=2), 2
#: Providers whose events come later: silence before this means nothing. `evidence_after` of a provider says otherwise.
EVIDENCE_AFTER = {"sendgrid": timedelta(minutes=15)}
#: Providers that keep a list of everything they took: "nothing there" counts, that they could not be asked does not.
LISTS = ("twilio",)
#: Silence is evidence only when so many others of that account, sent within a minute of it, have been heard of.
SPOKEN, AROUND = 20, timedelta(seconds=60)
#: Where silence proves nothing, doubts wait this long for the policy.
LONGEST = timedelta(hours=24)
#: A resend of an unknown touch waits so long.
RESEND_AFTER = timedelta(hours=1)


def reconcile(store: Store, loaded: Loaded, providers: Mapping[str, Provider], *, now: datetime) -> list[str]:
    """Ask about doubtful touches, settle those that are proved, apply the policy to those that nothing can settle any more.
    Lines for a person about providers that could not be asked."""
    with store.read() as connection:
        doubts = outbox.doubts(connection, ("unknown",))
        if not doubts:
            return []
        looked = outbox.looked(connection, [d.id for d in doubts])
        wanted = _to_ask(connection, loaded, doubts, looked, providers, now=now)
    answers, problems = _ask(wanted, now)
    faults.point("F16")
    with store.write() as connection:
        for doubt, provider, evidence in answers:
            _heard(connection, doubt, provider.name, evidence, now=now)
        cases = _Cases(connection, loaded, providers, now)
        for doubt in outbox.doubts(connection, ("unknown",), lock="skip"):
            cases.judge(doubt)
    return problems


# --- asking ---------------------------------------------------------------------------------------------------------
Wanted = dict[int, tuple[Provider, list[tuple[Doubt, Doubtful]]]]


def _to_ask(
    connection: sa.Connection, loaded: Loaded, doubts: Sequence[Doubt], looked: Mapping[int, Looked], providers: Mapping[str, Provider],
    *, now: datetime,
) -> Wanted:  # fmt: skip
    """Provider → those it is to be asked about now."""
    wanted: Wanted = {}
    for doubt in doubts:
        provider = _provider(providers, doubt)
        if provider is None or getattr(provider, "reconcile", None) is None:
            continue
        before = looked.get(doubt.id, Looked(0, 0))
        due = clock.from_ms(before.last) + BETWEEN if before.times else clock.from_ms(doubt.started_at) + ASK_AFTER
        if now >= due and before.times < TIMES:
            wanted.setdefault(id(provider), (provider, []))[1].append((doubt, _question(connection, loaded, doubt)))
    return wanted


def _provider(providers: Mapping[str, Provider], doubt: Doubt) -> Provider | None:
    provider = providers.get(doubt.channel)
    return provider if provider is not None and provider.name == doubt.provider else None


def _question(connection: sa.Connection, loaded: Loaded, doubt: Doubt) -> Doubtful:
    """What a provider needs to find the message among its own."""
    from omnicli.render.skeleton import restore

    assert loaded.project is not None
    declared = loaded.project.channels.get(doubt.channel)
    kept = outbox.archived(connection, doubt.id)
    return Doubtful(
        doubt.key.hex(), doubt.n, doubt.channel, clock.from_ms(doubt.started_at), address=outbox.written_to(connection, doubt.id, doubt.n),
        sender=declared.from_ if declared else None, ref=doubt.ref, parts=dict(restore(*kept)) if kept else {},
    )  # fmt: skip


def _ask(wanted: Wanted, now: datetime) -> tuple[list[tuple[Doubt, Provider, Evidence | None]], list[str]]:
    """What each provider says of each; one that fails has said nothing."""
    answers: list[tuple[Doubt, Provider, Evidence | None]] = []
    problems: list[str] = []
    for provider, asked in wanted.values():
        asking: Any = provider
        try:
            found = list(asking.reconcile([question for _, question in asked], now=now))
        except Exception as defect:
            problems.append(f"{provider.name}: {type(defect).__name__}")  # its message may quote a person or a key
            continue
        answers += [(doubt, provider, evidence) for (doubt, _), evidence in zip(asked, found, strict=False)]
    return answers, problems


def _heard(connection: sa.Connection, doubt: Doubt, source: str, evidence: Evidence | None, *, now: datetime) -> None:
    """Keep what was said; exactly one match is proof, several need a person."""
    if evidence is None:
        return
    ms = clock.to_ms(now)
    outbox.remember(connection, [(doubt.id, doubt.n, source, outbox.ASKED, ms, evidence.detail or f"found {evidence.found}")])
    if evidence.found == 1:
        outbox.proof(connection, doubt.id, doubt.n, ref=evidence.ref or source, source=source, now=ms)
    elif evidence.found > 1:
        outbox.park(connection, [doubt.id])


# --- when silence is an answer --------------------------------------------------------------------------------------
@dataclass
class _Cases:
    """Judges one doubt after the other, inside one transaction."""

    connection: sa.Connection
    loaded: Loaded
    providers: Mapping[str, Provider]
    now: datetime

    def judge(self, doubt: Doubt) -> None:
        age = self.now - clock.from_ms(doubt.started_at)
        if self._same_key(doubt):
            self._repeat(doubt)
            return
        provider = _provider(self.providers, doubt)
        asked = outbox.looked(self.connection, [doubt.id]).get(doubt.id, Looked(0, 0))
        if asked.times >= TIMES:
            self._policy(doubt, age, provider, sister=False)
            return
        if (asked.times or doubt.provider in LISTS) and age < LONGEST:
            return  # its records answer: while they cannot be asked, silence says nothing
        if getattr(provider, "reconcile", None) is not None and age < ASK_AFTER + BETWEEN:
            return
        sister, silent = self._silence(doubt, provider, age)
        if silent:
            self._policy(doubt, age, provider, sister=sister)

    def _silence(self, doubt: Doubt, provider: Provider | None, age: timedelta) -> tuple[bool, bool]:
        """Whether a sister of the same request was heard of, and whether silence about this one is an answer by now."""
        after: timedelta = getattr(provider, "evidence_after", None) or EVIDENCE_AFTER.get(doubt.provider, timedelta(0))
        sister = outbox.sister_arrived(self.connection, doubt)
        if age >= LONGEST:
            return sister, True
        if sister or age < after:
            return sister, False
        if not after or not guards.on("path_alive"):
            return False, True
        around = int(AROUND / timedelta(milliseconds=1))
        return False, outbox.spoken_of(self.connection, doubt, around=around) >= SPOKEN

    def _policy(self, doubt: Doubt, age: timedelta, provider: Provider | None, *, sister: bool) -> None:
        """Nothing can be looked up any more: parked, dropped, or (transactional and service only) sent again after an hour."""
        assert self.loaded.project is not None
        declared = self.loaded.project.channels.get(doubt.channel)
        policy = (declared.on_unknown if declared else None) or ("drop" if doubt.channel == "push" else "park")
        marketing = doubt.purpose == "marketing" and guards.on("park_marketing")
        again = not marketing and not sister and doubt.channel != "voice"  # nobody's phone rings twice by a policy
        if policy == "resend" and again:
            timeout = timedelta(seconds=float(getattr(provider, "read_timeout", 60.0)))
            if age >= max(RESEND_AFTER, timedelta(milliseconds=outbox.LEASE) + timeout + timedelta(seconds=60)):
                recover.waive(self.connection, doubt, by="policy: on_unknown resend", now=self.now)
        elif policy == "drop" and (doubt.purpose != "marketing" or doubt.channel == "push"):
            recover.drop(self.connection, doubt, now=self.now)
        else:
            outbox.park(self.connection, [doubt.id])

    # --- a receiver that knows the key ------------------------------------------------------------------------------
    def _same_key(self, doubt: Doubt) -> bool:
        """Whether doing it again with the same key is the same effect: the receiver says so (`idempotent: yes`)."""
        assert self.loaded.project is not None
        declared = self.loaded.project.webhooks.get(doubt.message) if doubt.channel == "webhook" else None
        return declared is not None and declared.idempotent

    def _repeat(self, doubt: Doubt) -> None:
        if doubt.n >= retry.MOST_ATTEMPTS:
            outbox.park(self.connection, [doubt.id])
            return
        recover.waive(
            self.connection, doubt, by="idempotent: same key", now=self.now, due=self.now + retry.jitter(doubt.n, doubt.key)
        )

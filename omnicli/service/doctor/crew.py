"""Who is at work on a shared store: each worker and what it leads, those that fell silent, and the calls that wait for them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import sqlalchemy as sa

from omnicli import clock
from omnicli.model.spoken import ago, number
from omnicli.service.doctor.sign import NOTE, WELL, WRONG, Patient, Sign, Signs
from omnicli.store import crew, wakeups
from omnicli.store.crew import ALIVE, FORGOTTEN, Member
from omnicli.store.leases import now_ms
from omnicli.store.postgres import PostgresStore
from omnicli.texts import several, t

#: A call that has waited for so many seconds while workers live is not answered.
PATIENCE = 300


def workers(patient: Patient, store: PostgresStore) -> Signs:
    """Each process that is not forgotten, who leads what, and the queue."""
    with store.read() as connection:
        now, members, led = now_ms(connection), crew.everybody(connection), crew.leading(connection)
        calls = wakeups.calls(connection)
    leads: dict[str, list[str]] = {}
    for task, holder, until in led:
        if until >= now:
            leads.setdefault(crew.process(holder), []).append(task)
    alive = [one for one in members if now - one.seen_at <= ALIVE]
    for one in members:
        yield _member(one, leads.pop(crew.process(one.name), []), now, bool(alive), patient.flag)
    yield from _others(leads)
    yield from _left(led, now)
    if calls is not None:
        yield _calls(calls, alive, patient.flag)


def _member(one: Member, leads: list[str], now: int, others: bool, flag: str) -> Sign:
    """A worker lives as long as it says so at its beats; what a silent one had claimed is planned again when its lease is over."""
    lives = now - one.seen_at <= ALIVE
    figures = {"host": one.host, "name": one.name, "threads": one.threads, "jobs": one.done, "leads": leads, "alive": lives,
               "seen_at": clock.iso(clock.from_ms(one.seen_at)), "started_at": clock.iso(clock.from_ms(one.started_at))}  # fmt: skip
    since = _since(now - one.seen_at)
    if not lives:
        said = t("worker {name} on {host} not seen for {since}: killed, frozen or cut off", "worker {name} sur {host} pas vu depuis {since} : tué, figé ou coupé",
                 name=_short(one.name), host=one.host, since=since)  # fmt: skip
        return Sign("worker", NOTE, said + _after(now - one.seen_at, others), "" if others else "omni worker" + flag, figures)
    said = t("worker {name} on {host}: seen {since} ago, {n} jobs", "worker {name} sur {host} : vu il y a {since}, {n} tâches",
             name=_short(one.name), host=one.host, since=since, n=number(one.done))  # fmt: skip
    return Sign(
        "worker", WELL, said + (t(", leads {tasks}", ", mène {tasks}", tasks=", ".join(leads)) if leads else ""), figures=figures
    )


def _after(silent: int, others: bool) -> str:
    """Who has the work of one that is silent, and when the word about it goes away."""
    if not others:
        return t("; nobody else is at work", " ; personne d'autre n'est au travail")
    minutes = -((silent - FORGOTTEN) // 60_000)  # those that begin count whole
    if minutes < 1:
        return t("; the others do its work, this line goes away at their next beat",
                 " ; les autres font son travail, cette ligne disparaît à leur prochain battement")  # fmt: skip
    return t("; the others do its work, this line goes away in {n} min",
             " ; les autres font son travail, cette ligne disparaît dans {n} min", n=minutes)  # fmt: skip


def _others(leads: dict[str, list[str]]) -> Iterator[Sign]:
    """Somebody leads who is no worker: `campaign run`, a tick, a recovery."""
    for holder, tasks in sorted(leads.items()):
        yield Sign("leader", WELL, t("{tasks} led by {name}, which is no worker", "{tasks} : mené par {name}, qui n'est pas un worker",
                                     tasks=", ".join(tasks), name=_short(holder)), figures={"name": holder, "leads": tasks})  # fmt: skip


def _left(led: list[tuple[str, str, int]], now: int) -> Iterator[Sign]:
    for task, holder, until in led:
        if until < now:
            said = t("{task} was led by {name}, whose lease is over since {since}: whoever works next takes it up",
                     "{task} : mené par {name}, dont le bail a pris fin il y a {since} ; le suivant au travail le reprend",
                     task=task, name=_short(holder), since=_since(now - until))  # fmt: skip
            yield Sign("leader", NOTE, said, figures={"name": holder, "leads": [task], "over_for": (now - until) // 1000})


def _calls(calls: wakeups.Calls, alive: list[Member], flag: str) -> Sign:
    figures = {"waiting": calls.waiting, "taken": calls.taken, "failed": calls.failed, "oldest": calls.oldest}
    said = several(calls.waiting, ("{n} call waits, {m} in hand", "{n} calls wait, {m} in hand"), ("{n} appel attend, {m} en main", "{n} appels attendent, {m} en main"),
                   n=number(calls.waiting), m=number(calls.taken))  # fmt: skip
    if calls.failed:
        said += several(
            calls.failed, (", {n} failed", ", {n} failed"), (", {n} en échec", ", {n} en échec"), n=number(calls.failed)
        )
    if calls.oldest > PATIENCE:
        said += t(", the oldest for {since}", ", le plus ancien depuis {since}", since=_since(calls.oldest * 1000))
    if not alive and calls.oldest > PATIENCE:
        return Sign("queue", WRONG, t("nobody answers: ", "personne ne répond : ") + said, "omni worker" + flag, figures)
    if calls.failed or calls.oldest > PATIENCE:
        return Sign("queue", NOTE, said, t("look at what the workers print", "regardez ce qu'écrivent les workers"), figures)
    return Sign("queue", WELL, said, figures=figures)


def _short(name: str) -> str:
    """A process as people find it: its number on its machine; the whole name stands in the figures."""
    parts = name.split(".")
    return parts[-2] if len(parts) > 2 else name


def _since(milliseconds: int) -> str:
    if milliseconds < 60_000:
        return f"{max(milliseconds, 0) // 1000} s"
    now = clock.from_ms(0) + timedelta(milliseconds=milliseconds)
    return ago(clock.from_ms(0), now)


def at_work(connection: sa.Connection) -> int:
    """How many workers live: they call the ticks themselves."""
    return len(crew.alive(connection)) if connection.dialect.name == "postgresql" else 0

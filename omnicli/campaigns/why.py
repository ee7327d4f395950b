"""Why this person did or did not get it: read from the ledger of decisions, their premises and the outbox, never reasoned out again.

Only for somebody who has not entered there is no ledger: then each part of the door (`enter`) is asked of the store now.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from omnicli import clock
from omnicli.campaigns import versions
from omnicli.campaigns.because import rests_on, said
from omnicli.campaigns.life import unknown
from omnicli.campaigns.replay import Bench, taken
from omnicli.errors import OmniError
from omnicli.model import spoken
from omnicli.model.campaign import Campaign
from omnicli.model.flow import Flow
from omnicli.store import campaigns, lived
from omnicli.store import tables as tb
from omnicli.text import did_you_mean
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.store.connection import Store


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was asked or that happened: when, at which step, the rule, its answer, the values behind it and those values
    in words (`because`). `good` is False where it kept a touch back."""

    at: datetime
    campaign: str
    step: str
    rule: str
    answer: str
    text: str
    values: Mapping[str, Any] = field(default_factory=dict)
    good: bool = True
    because: str = ""


@dataclass(frozen=True, slots=True)
class Explained:
    """The whole answer: a verdict in a sentence, the lines in order, where the person stands now."""

    contact: str
    verdict: str
    lines: tuple[Line, ...]
    next: str
    next_at: datetime | None
    zone: str


def why(
    store: Store, loaded: Loaded, contact_id: str, *, campaign: str | None = None, step: str | None = None, now: datetime | None = None,
    until: datetime | None = None,
) -> Explained:  # fmt: skip
    """Explain one person (the source's id), in one campaign or in all, at one step or at every one; with `until` only what had
    happened by then.

    Unknown contacts, campaigns and steps are OmniErrors (exit 2) with the nearest name.
    """
    assert loaded.project is not None
    with store.read() as connection:
        contact = connection.execute(sa.select(tb.contact).where(tb.contact.c.source_id == contact_id)).one_or_none()
        if contact is None:
            raise OmniError(
                t("no contact '{id}'", "pas de contact « {id} »", id=contact_id), hint="omni contact list", code="no-contact"
            )
        if campaign is not None:
            _known(connection, loaded, campaign, step)
        passes = _passes(connection, contact.id, campaign)
        lines = sorted((line for row in passes for line in _lived(connection, row, step)), key=lambda line: line.at)
        if until is not None:
            lines = [line for line in lines if line.at <= until]
        if not passes and campaign is not None:
            lines = list(_door(connection, loaded, campaign, contact.id, now or clock.now()))
        verdict = _verdict(contact_id, campaign, step, passes, lines)
        where, at = _next(passes)
    return Explained(contact_id, verdict, tuple(lines), where, at, contact.time_zone or loaded.project.time_zone)


def _known(connection: sa.Connection, loaded: Loaded, name: str, step: str | None) -> None:
    row = campaigns.find(connection, name)
    if row is None and name not in loaded.campaigns:
        names = {*loaded.campaigns, *(s.name for s in campaigns.known(connection))}
        raise unknown(name, names)
    if step is None:
        return
    steps = _steps(connection, loaded, name)
    if step not in steps:
        said = t("no step '{step}' in {name}.", "pas d'étape « {step} » dans {name}.", step=step, name=name)
        raise OmniError(said + did_you_mean(step, steps), code="no-step")


def _steps(connection: sa.Connection, loaded: Loaded, name: str) -> set[str]:
    row = campaigns.find(connection, name)
    trees = [versions.standing_tree(connection, v.id) for v in campaigns.versions(connection, row.id)] if row is not None else []
    trees += [loaded.campaigns[name]] if name in loaded.campaigns else []
    return {step for tree in trees for step in Flow.of(tree).nodes}


# --- somebody who has entered ---------------------------------------------------------------------------------------
def _passes(connection: sa.Connection, contact_id: int, campaign: str | None) -> list[Any]:
    e = tb.enrollment.c
    query = (
        sa.select(tb.enrollment, tb.campaign.c.name, tb.campaign.c.state.label("campaign_state"), tb.campaign_version.c.number)
        .join(tb.campaign, tb.campaign.c.id == e.campaign_id)
        .join(tb.campaign_version, tb.campaign_version.c.id == e.version_id)
        .where(e.contact_id == contact_id)
        .order_by(e.entered_at, e.id)
    )
    if campaign is not None:
        query = query.where(tb.campaign.c.name == campaign)
    return list(connection.execute(query))


def _lived(connection: sa.Connection, row: Any, step: str | None) -> list[Line]:
    """One pass in the order in which it was lived: at one instant a touch is settled right behind its decision."""
    lines = list(_pass(connection, row, step))
    for touch in _settlements(connection, row, step):
        decided = (
            n
            for n, line in enumerate(lines)
            if line.rule == "send" and (line.step, line.answer) == (touch.step, touch.values["channel"])
        )
        lines.insert(max(decided, default=len(lines) - 1) + 1, touch)
    return lines


def _pass(connection: sa.Connection, row: Any, step: str | None) -> Iterator[Line]:
    """Entry, decisions and the end of one pass."""
    first = lived.version_at(lived.moves(connection, [row.id]), row.id, 0, row.version_id)
    number = campaigns.version(connection, first).number
    entered = t("entered {name} v{n}", "entre dans {name} v{n}", name=row.name, n=number)
    if row.persona:
        entered += t(", as {persona}", ", comme {persona}", persona=row.persona)
    if row.held_out:
        entered += t(", held out: lives the flow in silence", ", groupe témoin : vit le parcours en silence")
    yield Line(clock.from_ms(row.entered_at), row.name, "", "enter", "entered", entered)
    bench = Bench(connection)
    d = tb.decision.c
    kept = {then.id: then for then in taken(connection, enrollment=row.id)}
    for id_, at, where, told in connection.execute(
        sa.select(d.id, d.at, d.step, d.why).where(d.enrollment_id == row.id).order_by(d.at, d.id)
    ):
        given = bench.given(kept[id_]) if id_ in kept else None
        for entry in json.loads(told) if told else ():
            if str(entry.get("rule", "")).startswith("enter"):
                continue  # said above, with the version
            if step is None or (entry.get("step") or where) == step:
                more = rests_on(entry, *given, clock.from_ms(at)) if given is not None else {}
                yield _line(clock.from_ms(at), row.name, entry.get("step") or where, entry, more)
    if row.state == "ended" and step is None and row.ended_at is not None:
        left = t("left: {reason}", "sort : {reason}", reason=spoken.named(str(row.reason)))
        yield Line(clock.from_ms(row.ended_at), row.name, "", "end", str(row.reason), left)


def _settlements(connection: sa.Connection, row: Any, step: str | None) -> Iterator[Line]:
    x = tb.touch.c
    query = sa.select(tb.touch).where(x.enrollment_id == row.id, x.send_state.not_in(("planned", "held_out"))).order_by(x.id)
    for touch in connection.execute(query):
        if step is not None and touch.step != step:
            continue
        if touch.send_state == "skipped" and touch.settled_at == touch.created_at:
            continue  # the decision itself says so
        at = clock.from_ms(touch.settled_at or touch.due_at)
        state = {"accepted": t("accepted", "accepté"), "rejected": t("refused", "refusé"), "skipped": t("not sent", "écarté")}
        text = f"{touch.channel} {state.get(touch.send_state) or spoken.word(touch.send_state)}"
        text = spoken.both(text, spoken.named(touch.reason)) if touch.reason else text
        yield Line(at, row.name, touch.step, "touch", touch.send_state, text, {"channel": touch.channel, "touch": touch.touch_key.hex()},
                   touch.send_state == "accepted")  # fmt: skip


def _line(at: datetime, campaign: str, step: str, entry: Mapping[str, Any], more: Mapping[str, Any]) -> Line:
    """One line of the ledger; `more` is what it rested on."""
    rule, answer, values = str(entry.get("rule", "")), str(entry.get("answer", "")), dict(entry.get("values") or {})
    return Line(
        at, campaign, step, rule, answer, _say(rule, answer, values), {**values, **more}, _good(rule, answer), said(rule, more)
    )


def _good(rule: str, answer: str) -> bool:
    return not (answer in ("held", "held_out") or rule in ("skip", "stop"))


def _say(rule: str, answer: str, values: Mapping[str, Any]) -> str:
    """One line of the ledger as a person reads it."""
    match rule:
        case "channels" if values:
            return " · ".join(spoken.both(channel, spoken.word(str(reason))) for channel, reason in values.items())
        case "send":
            return t("decided: {channel}", "décidé : {channel}", channel=answer)
        case "skip":
            return t("skipped: {reason}", "écarté : {reason}", reason=spoken.named(answer))
        case "at":
            return t("at {moment}", "quand : {moment}", moment=spoken.time(answer))
        case "else":
            return t("{what} → the next channel", "{what} → le canal suivant", what=_refusal(answer))
        case "split":
            return t("arm {arm}", "bras {arm}", arm=answer)
        case "choose":
            return t("branch: {what}", "branche : {what}", what=spoken.word(answer) if answer == "none" else answer)
        case "goal":
            return t("the goal was reached", "l'objectif est atteint")
        case "holdout":
            return t(
                "held out: {channel} is not sent", "groupe témoin : {channel} n'est pas envoyé", channel=values.get("channel", "")
            )
        case "stop":
            because = values.get("because")
            return t("the campaign was stopped", "la campagne a été arrêtée") + (f" (« {because} »)" if because else "")
        case "migrate":
            return _moved(answer, values)
        case "wait" if answer == "nothing":
            return t("nobody answered → branch nothing", "pas de réponse → branche « nothing »")
        case "wait" if "until" in values:
            return t("waits {what}", "attend {what}", what=spoken.time(answer))
        case "wait" if answer in ("no_date", "past"):
            return t("waits for nothing: {why}", "n'attend rien : {why}", why=spoken.word(answer))
        case "wait":
            return t("answered: {what}", "réponse : {what}", what=answer)
        case _ if answer == "held":
            return t("held by {guard}", "retenu : {guard}", guard=spoken.named(rule))
    if rule.startswith("exit: "):
        return t("an exit rule holds: {rule}", "une règle de sortie : {rule}", rule=rule.removeprefix("exit: "))
    return spoken.both(rule, answer)


def _moved(kind: str, values: Mapping[str, Any]) -> str:
    """A migration, as the person who asks about one contact reads it."""
    said = t("moved from {a} to {b}", "passe de {a} à {b}", a=values.get("from", "?"), b=values.get("to", "?"))
    if kind == "anew":
        said += t(", to {step}", ", à {step}", step=values.get("step") or "?")
    elif kind in ("exit", "end"):
        said += t(", and leaves", ", et sort")
    anew = values.get("told anew")
    return said + (t("; to be told anew: {x}", " ; à redire : {x}", x=", ".join(anew)) if anew else "")


def _refusal(written: str) -> str:
    """`sms rejected: refused` in the language in use."""
    settled, _, reason = written.partition(": ")
    channel, _, state = settled.partition(" ")
    return spoken.both(f"{channel} {spoken.word(state)}", spoken.word(reason))


# --- somebody who has not -------------------------------------------------------------------------------------------
def _door(connection: sa.Connection, loaded: Loaded, name: str, contact_id: int, now: datetime) -> Iterator[Line]:
    """Each part of `enter`, asked now: the events that would count, and the clauses of the condition."""
    row = campaigns.find(connection, name)
    tree = (
        versions.standing_tree(connection, row.version_id)
        if row is not None and row.version_id is not None
        else loaded.campaigns[name]
    )
    if row is None or row.state != "running":
        from omnicli.campaigns.life import state_word

        state = row.state if row is not None else "draft"
        yield Line(
            now,
            name,
            "",
            "campaign",
            state,
            t("the campaign is {state}", "la campagne est {state}", state=state_word(state)),
            {},
            False,
        )
    since = row.since if row is not None else None
    assert loaded.project is not None
    for term in tree.enter.when or ():
        yield _event(connection, name, term, contact_id, since, now, loaded.project.time_zone)
    if tree.enter.if_:
        yield from _clauses(connection, loaded, tree, contact_id, now)


def _wall(instant: datetime, zone: str) -> str:
    """As `--as-of` and `--since` read it."""
    return instant.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M")


def _event(
    connection: sa.Connection, name: str, term: str, contact_id: int, since: datetime | None, now: datetime, zone: str
) -> Line:
    e = tb.event.c
    query = sa.select(sa.func.max(e.at)).where(
        e.contact_id == contact_id, e.name == term.split()[0], e.machine == 0, e.at <= clock.to_ms(now)
    )
    last = connection.scalar(query)
    if last is None:
        return Line(now, name, "", "enter", "no", t("no {term} was recorded", "pas de {term} enregistré", term=term), {}, False)
    at = clock.from_ms(last)
    early = since is not None and at < since
    text = t("{term} at {at}", "{term} le {at}", term=term, at=_wall(at, zone))
    if early and since is not None:
        text += t(": before the campaign was started ({since})", " : avant le lancement ({since})", since=_wall(since, zone))
    return Line(now, name, "", "enter", "early" if early else "yes", text, {"at": at}, not early)


def _clauses(connection: sa.Connection, loaded: Loaded, tree: Campaign, contact_id: int, now: datetime) -> Iterator[Line]:
    from omnicli.condition.explain import clauses
    from omnicli.condition.sql import Compiler
    from omnicli.model.vocabulary import vocabulary

    assert loaded.project is not None
    assert tree.enter.if_ is not None
    for clause in clauses(tree.enter.if_):
        compiler = Compiler(vocabulary(loaded.project, tree, loaded.campaigns), campaign=tree.campaign)
        asked = (
            sa.select(compiler.predicate(clause, where="elsewhere")).select_from(tb.contact).where(tb.contact.c.id == contact_id)
        )
        truth = bool(connection.execute(asked, compiler.parameters(now)).scalar())
        yield Line(now, tree.campaign, "", "if", "yes" if truth else "no", clause, {}, truth)


# --- in a sentence --------------------------------------------------------------------------------------------------
def _verdict(contact: str, campaign: str | None, step: str | None, passes: list[Any], lines: list[Line]) -> str:
    if not passes:
        if campaign is None:
            return t("{c} has entered no campaign.", "{c} n'est entré dans aucune campagne.", c=contact)
        return t("{c} has not entered {n}.", "{c} n'est pas entré dans {n}.", c=contact, n=campaign)
    if step is None:
        return t("{c}: {n} passes.", "{c} : {n} passages.", c=contact, n=len(passes)) if len(passes) != 1 else t("{c}: one pass.", "{c} : un passage.", c=contact)  # fmt: skip
    if any(line.rule == "touch" and line.answer == "accepted" for line in lines):
        return t("{c} got {step}.", "{c} a reçu {step}.", c=contact, step=step)
    if not any(line.step == step for line in lines):
        return t("{c} has not come to {step}.", "{c} n'est pas arrivé à {step}.", c=contact, step=step)
    return t("{c} did not get {step}.", "{c} n'a pas reçu {step}.", c=contact, step=step)


def _next(passes: list[Any]) -> tuple[str, datetime | None]:
    """Where an open pass stands, and when it will be looked at."""
    for row in reversed(passes):
        if row.state == "open":
            at = clock.from_ms(row.wait_until or row.due_at) if row.wait_until or row.due_at else None
            held = t(", held by {guard}", ", retenu : {guard}", guard=spoken.named(row.held_by)) if row.held_by else ""
            waits = t(" (waits for its touch)", " (attend son envoi)") if row.due_at is None else ""
            return f"{row.step or t('the first step', 'la première étape')}{held}{waits}", at
    return "", None

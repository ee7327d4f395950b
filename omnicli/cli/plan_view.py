"""How a plan looks: when, which step, which channel, how many people, what it costs and why; what is held, and who is silent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from omnicli.cli import rows
from omnicli.cli.rows import Cell, number
from omnicli.cli.run_view import reason_word, reasons
from omnicli.engine.pricing import money
from omnicli.model import spoken
from omnicli.texts import t

if TYPE_CHECKING:
    from rich.console import Console

    from omnicli.campaigns.basis import Basis
    from omnicli.campaigns.plan import Plan, Planned

GROUPINGS = ("step", "day", "hour", "channel", "persona")
#: A table longer than this is drawn by hour, then by day.
MOST_ROWS = 40

_BARRIERS = {
    "no_address": ("no address", "pas d'adresse"), "bad_address": ("dead address", "adresse morte"), "suppressed": ("barred", "barré"),
    "no_consent": ("no consent", "pas d'accord"), "consent_expired": ("consent expired", "accord périmé"), "tried": ("refused", "refusé"),
    "capped": ("at the cap", "au plafond"), "no_words": ("no words", "pas de texte"), "no template": ("no template", "pas de gabarit"),
    "no_approved_template": ("no approved template", "pas de modèle approuvé"), "cap": ("at the cap", "au plafond"),
    "min_gap": ("too close", "trop rapproché"), "quiet_hours": ("quiet hours", "heures calmes"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """Touches that leave together for the same reason. `people` and `cost` are the most that it can be (nobody answers);
    `expected` and `expected_cost` count by what the forecast rests on."""

    when: str
    sort: tuple[Any, ...]
    step: str
    channel: str
    people: int
    cost: int
    why: str
    exact: bool
    expected: int
    expected_cost: int
    basis: Basis | None = None


def local(p: Planned) -> datetime:
    """When it leaves, on the contact's own clock."""
    return p.at.astimezone(ZoneInfo(p.zone))


def because(p: Planned) -> str:
    """Why this channel: the ones before it and what barred them."""
    barred: dict[str, str] = {}
    for line in p.why:
        if line.get("rule") == "channels":
            barred = dict(line.get("values") or {})
    barred.pop(p.channel, None)
    if not barred:
        return ""
    words = [spoken.both(channel, t(*_BARRIERS[r]) if r in _BARRIERS else reason_word(r)) for channel, r in barred.items()]
    return t("else, ", "sinon, ") + ", ".join(words)


def resting(basis: Basis) -> str:
    """`52 % were silent in v3`: what a forecast rests on."""
    share = rows.share(round(basis.share * 1000), 1000)
    if basis.version:
        return t("{p} were silent in v{v}", "{p} n'ont pas répondu en v{v}", p=share, v=basis.version)
    return t("{p} are silent in the model of simulate", "{p} ne répondent pas dans le modèle de simulate", p=share)


def forecast(p: Planned) -> str:
    """Why a forecast comes about: nobody answered, how often that is so, and why this channel."""
    silent = t("if nobody answers", "si personne ne répond")
    if p.basis is not None:
        silent += f" ({resting(p.basis)})"
    barred = because(p)
    return t("{a}; {b}", "{a} ; {b}", a=silent, b=barred) if barred else silent


def lines(touches: Iterable[Planned], by: str) -> list[Line]:
    """The rows of the table; `step` is by instant, step and channel, coarser when there would be too many."""
    chosen = list(touches)
    if by != "step":
        return _grouped(chosen, by, "minute")
    for grain in ("minute", "hour", "day"):
        found = _grouped(chosen, by, grain)
        if len(found) <= MOST_ROWS:
            break
    return found


def _grouped(touches: Sequence[Planned], by: str, grain: str) -> list[Line]:
    groups: dict[tuple[Any, ...], list[Planned]] = {}
    for p in touches:
        groups.setdefault(_key(p, by, grain), []).append(p)
    made: list[Line] = []
    for key, members in sorted(groups.items(), key=lambda kv: kv[0][0]):
        first = members[0]
        made.append(Line(key[1], key[0], first.step if by == "step" else "", first.channel if by in ("step", "channel") else "",
                         len({m.contact for m in members}), sum(m.cost for m in members), key[-1], all(m.exact for m in members),
                         expected(members), expected_cost(members), first.basis if by == "step" else None))  # fmt: skip
    return made


def expected(touches: Iterable[Planned]) -> int:
    """How many people these touches will reach, by what their forecasts rest on: each person once, at their likeliest."""
    likeliest: dict[str, float] = {}
    for p in touches:
        likeliest[p.contact] = max(p.odds, likeliest.get(p.contact, 0.0))
    return round(sum(likeliest.values()))


def expected_cost(touches: Iterable[Planned]) -> int:
    """What they will cost by the same, to a thousandth where chance is in it."""
    chosen = list(touches)
    cost = sum(p.cost * p.odds for p in chosen)
    return round(cost) if all(p.odds == 1 for p in chosen) else max(round(cost / 1000), 1 if cost else 0) * 1000


def _key(p: Planned, by: str, grain: str) -> tuple[Any, ...]:
    """(what sorts, what is shown as `when`, …, why)."""
    at = local(p)
    date = (at.year, at.month, at.day)
    if by == "channel":
        return (p.channel,), p.channel, ""
    if by == "persona":
        return (p.persona or "~",), p.persona or t("(none)", "(aucun)"), ""
    if by == "day":
        return date, rows.day(p.at, ZoneInfo(p.zone)), ""
    if by == "hour":
        return (*date, at.hour), f"{rows.day(p.at, ZoneInfo(p.zone))} {at:%H}:00", ""
    why = because(p) if p.exact else forecast(p)
    fine = {"minute": (at.hour, at.minute), "hour": (at.hour,), "day": ()}[grain]
    clock = {"minute": f" {at:%H:%M}", "hour": f" {at:%H}h", "day": ""}[grain]
    return (
        (*date, *fine, p.campaign, p.step, why != "", p.channel, why, p.exact),
        rows.day(p.at, ZoneInfo(p.zone)) + clock,
        p.exact,
        why,
    )


# --- JSON -----------------------------------------------------------------------------------------------------------
def as_json(plan: Plan, *, by: str, touches: bool, limit: int) -> dict[str, Any]:
    """`campaign plan --json`: totals, lines, held and silent people; every touch with `--why` or `--contact`."""
    found: dict[str, Any] = {
        "from": plan.now, "until": plan.until, "zone": plan.zone, "by": by,
        "campaigns": [{"name": s.name, "state": s.state, "version": s.version.number, "hash": s.version.hash, "would": s.announced}
                      for s in plan.subjects],
        "entering": dict(plan.entered),
        "people": len({p.contact for p in plan.sends}), "touches": len(plan.sends), "exact": sum(p.exact for p in plan.sends),
        "cost": money(plan.cost, plan.currency),
        "lines": [{"when": line.when, "step": line.step or None, "channel": line.channel or None, "people": line.people,
                   "cost": money(line.cost, plan.currency), "why": line.why or None, "exact": line.exact,
                   "expected": {"people": line.expected, "cost": money(line.expected_cost, plan.currency)}, "basis": _basis_json(line.basis)}
                  for line in lines(plan.sends, by)],
        "expected": {"people": expected(plan.sends), "cost": money(expected_cost(plan.sends), plan.currency)},
        "held": dict(Counter(w.guard for w in plan.held)), "not_sent": dict(Counter(p.reason or "" for p in plan.dropped)),
        "in_silence": len({p.contact for p in plan.silent}), "next": plan.next_due,
    }  # fmt: skip
    if touches:
        found["detail"] = [touch_json(p, plan.currency) for p in plan.touches[:limit]]
        found["held_detail"] = [{"contact": w.contact, "step": w.step, "guard": w.guard, "since": w.since, "until": w.until}
                                for w in plan.held[:limit]]  # fmt: skip
    return found


def touch_json(p: Planned, currency: str) -> dict[str, Any]:
    return {
        "touch": p.touch, "campaign": p.campaign, "contact": p.contact, "step": p.step, "message": p.message, "channel": p.channel,
        "at": p.at, "zone": p.zone, "state": p.state, "reason": p.reason, "cost": money(p.cost, currency), "persona": p.persona,
        "exact": p.exact, "basis": _basis_json(p.basis), "why": [dict(line) for line in p.why],
    }  # fmt: skip


def _basis_json(basis: Basis | None) -> dict[str, Any] | None:
    """At which wait, which share was silent, of how many people in which version (null: the model of simulate)."""
    if basis is None:
        return None
    return {"step": basis.step, "silent": round(basis.share, 4), "version": basis.version or None, "people": basis.people}


# --- the terminal ---------------------------------------------------------------------------------------------------
def show(
    console: Console, plan: Plan, *, by: str, who: bool, contact: str | None, limit: int, live: bool, names: Sequence[str],
    hints: Sequence[str] = (), until: str | None = None, kept: tuple[str, str] | None = None,
) -> None:  # fmt: skip
    """The page of `campaign plan`."""
    from rich.text import Text

    for s in plan.subjects:
        head = Text(s.name, "bold").append(f" {s.version.label}", "cyan")
        if s.announced:
            word = t("would be started", "serait lancée") if s.announced == "started" else t("file changed: would be applied", "fichier modifié : serait appliqué")  # fmt: skip
            head.append(f"  ({word})", "yellow")
        head.append("  live" if live else "", "bold red")
        console.print(head, soft_wrap=True)
    zone = ZoneInfo(plan.zone)
    ahead = plan.until > plan.now
    span = f"{rows.moment(plan.now, zone)}" + (f" → {rows.moment(plan.until, zone)}" if ahead else "")
    console.print(Text(span + (t(", everybody's own time", ", à l'heure de chacun") if ahead else ""), "dim"), soft_wrap=True)
    console.print()
    if contact is not None:
        _life_of(console, plan, contact)
    elif plan.sends:
        _table(console, plan, by)
    else:
        console.print(t("Nothing is due.", "Rien n'est dû."))
    for hint in hints:
        console.print(Text(f" {hint}", "yellow"), soft_wrap=True)
    _below(console, plan, listed=who or contact is not None)
    if who and contact is None:
        _who(console, plan, limit)
    console.print()
    if contact is None:
        _closing(console, plan, names, live=live, until=until, kept=kept)


def _closing(
    console: Console, plan: Plan, names: Sequence[str], *, live: bool, until: str | None, kept: tuple[str, str] | None
) -> None:
    """What comes next: carry it out, keep it, or look further. `kept` is the file that was written and what it binds."""
    from rich.text import Text

    flag, who = " --live" if live else "", " ".join(names)
    lines = [(t("Nothing was sent.", "Rien n'est parti."), "")]
    if kept is not None:
        file, said = kept
        console.print(Text(said, "green"), soft_wrap=True)
        lines = [
            (t("Then:", "Puis :"), f"omni campaign run {who} --plan {file}{flag}" + (f" --confirm {names[0]}" if live else ""))
        ]
    elif plan.sends or plan.entered:
        ahead = f" --until {until}" if until else ""
        lines.append((t("Do it:", "Le faire :"), f"omni campaign run {who}{flag}"))
        lines.append((t("Keep it:", "Le garder :"), f"omni campaign plan {who}{ahead}{flag} --out {names[0]}.plan"))
    if plan.until == plan.now and kept is None:
        lines.append((t("See further:", "Voir plus loin :"), "--until 7d"))
    first, *rest = lines
    console.print(Text(f"{first[0]}  {first[1]}".rstrip(), "dim"), soft_wrap=True)
    if rest:
        rows.lay(console, [[(word, "dim"), (command, "dim")] for word, command in rest], indent=2)


def _table(console: Console, plan: Plan, by: str) -> None:
    made = lines(plan.sends, by)
    label = {"step": t("When", "Quand"), "day": t("Day", "Jour"), "hour": t("Hour", "Heure"), "channel": t("Channel", "Canal"), "persona": "Persona"}  # fmt: skip
    full = by == "step"
    several = len({p.campaign for p in plan.sends}) > 1
    head: list[Cell] = [(label[by], "dim")]
    head += [(t("Step", "Étape"), "dim"), (t("Channel", "Canal"), "dim")] if full else []
    head += [(t("People", "Gens"), "dim"), (t("Cost", "Coût"), "dim"), (t("Why", "Pourquoi") if full else "", "dim")]
    body: list[list[Cell]] = []
    last = ("", "")
    for line in made:
        count = number(line.expected) if line.exact else f"~ {number(line.expected)}"
        row: list[Cell] = [line.when if line.when != last[0] else ""]
        row += [line.step if (line.when, line.step) != last else "", line.channel] if full else []
        row += [count, rows.cash(line.expected_cost, plan.currency), (line.why, "dim")]
        body.append(row)
        last = line.when, line.step
    budget = _budget(plan) if not several else ""
    total: list[Cell] = [(t("Total", "Total"), "bold"), *([("", ""), ("", "")] if full else []), (number(expected(plan.sends)), "bold"),
                         (rows.cash(expected_cost(plan.sends), plan.currency), "bold"), (budget, "dim")]  # fmt: skip
    n = 3 if full else 1
    rows.lay(console, [head, *body, total], right=(n, n + 1), shrink=n + 2, indent=1)


def _budget(plan: Plan) -> str:
    for s in plan.subjects:
        if s.budget:
            cost = expected_cost(plan.sends)
            said = t("{p} of the budget of {b}", "{p} du budget de {b}", p=_little(rows.share(cost, s.budget), cost), b=rows.cash(s.budget, plan.currency))  # fmt: skip
            if s.spent > plan.cost:
                said += t(", {p} with what was spent", ", {p} avec ce qui est dépensé", p=rows.share(s.spent, s.budget))
            return said
    return ""


def _little(share: str, cost: int) -> str:
    """`0.0 %` of something that costs is little, not nothing."""
    return "< 0.1 %" if cost and share.startswith("0.0") else "< 0,1 %" if cost and share.startswith("0,0") else share


def _below(console: Console, plan: Plan, *, listed: bool) -> None:
    """Held back, in silence, the dearest channel; and how to see who, unless they are `listed` below."""
    found: list[list[Cell]] = []
    named = "" if listed else t("     who: --why", "     qui : --why")
    if plan.held:
        found.append(
            [(t("Held back", "Retenus"), "yellow"), number(len(plan.held)), reasons(Counter(w.guard for w in plan.held)) + named]
        )
    if plan.dropped:
        found.append([(t("Not sent", "Écartés"), "yellow"), number(len(plan.dropped)), reasons(Counter(p.reason or "?" for p in plan.dropped)) + ("" if plan.held else named)])  # fmt: skip
    if plan.silent:
        found.append(
            [
                (t("In silence", "En silence"), "cyan"),
                number(len({p.contact for p in plan.silent})),
                t("held out", "groupe témoin"),
            ]
        )
    if dearest := _dearest(plan):
        found.append([(t("Dearest", "Le plus cher"), "dim"), "", (dearest, "dim")])
    if not plan.sends and plan.next_due is not None:
        found.append([(t("Next", "Ensuite"), "dim"), "", rows.moment(plan.next_due, ZoneInfo(plan.zone))])
    if found:
        console.print()
        rows.lay(console, found, right=(1,), shrink=2, indent=1)


def _dearest(plan: Plan) -> str:
    """`sms ×19 costs 50 × an e-mail`, when one channel costs at least five times the cheapest."""
    prices: dict[str, list[int]] = {}
    for p in plan.sends:
        if p.cost:
            prices.setdefault(p.channel, []).append(p.cost)
    if len(prices) < 2:
        return ""
    mean: Mapping[str, float] = {channel: sum(costs) / len(costs) for channel, costs in prices.items()}
    dear, cheap = max(mean, key=lambda c: mean[c]), min(mean, key=lambda c: mean[c])
    times = mean[dear] / mean[cheap]
    if times < 5:
        return ""
    return t("{dear} ×{n} costs {x} times {cheap}", "{dear} ×{n} coûte {x} fois {cheap}", dear=dear, n=number(len(prices[dear])), x=number(times), cheap=cheap)  # fmt: skip


def _who(console: Console, plan: Plan, limit: int) -> None:
    """Touch by touch, grouped by what becomes of it."""
    from rich.text import Text

    def heading(p: Planned) -> str:
        if p.state == "send":
            return t("Would get", "Recevraient")
        return (
            t("In silence", "En silence")
            if p.state == "held_out"
            else spoken.both(t("Not sent", "Écartés"), reason_word(p.reason or ""))
        )

    order = {"send": 0, "held_out": 1, "skipped": 2}
    chosen = sorted(plan.touches, key=lambda p: (order[p.state], p.reason or "", p.at))
    for title, members in groupby(chosen, key=heading):
        listed = list(members)
        console.print()
        console.print(Text(f" {title} ({number(len(listed))})", "bold"))
        rows.lay(console, [[p.contact, rows.moment(p.at, ZoneInfo(p.zone)), p.step, p.channel, (because(p), "dim")] for p in listed[:limit]], shrink=4, indent=2)  # fmt: skip
        if len(listed) > limit:
            console.print(
                Text(t("   and {n} more (--limit)", "   et {n} autres (--limit)", n=number(len(listed) - limit)), "dim")
            )
    if plan.held:
        console.print()
        console.print(Text(f" {t('Held back', 'Retenus')} ({number(len(plan.held))})", "bold"))
        zone = ZoneInfo(plan.zone)
        rows.lay(console, [[w.contact, w.step, reason_word(w.guard), t("until {x}", "jusqu'au {x}", x=rows.moment(w.until, zone)) if w.until else ""] for w in plan.held[:limit]], indent=2)  # fmt: skip


def _life_of(console: Console, plan: Plan, contact: str) -> None:
    """One person's next days, line by line."""
    if not plan.touches and not plan.held:
        console.print(t("Nothing is planned for {c}.", "Rien n'est prévu pour {c}.", c=contact))
        return
    body: list[list[Cell]] = []
    for p in plan.touches:
        what = {"send": p.channel, "held_out": t("in silence", "en silence"), "skipped": t("not sent: ", "écarté : ") + reason_word(p.reason or "")}  # fmt: skip
        tail = because(p) if p.exact else forecast(p)
        body.append(
            [
                rows.moment(p.at, ZoneInfo(p.zone)),
                "" if p.exact else "~",
                (p.step, "bold"),
                p.message,
                what[p.state],
                (tail, "dim"),
            ]
        )
    for w in plan.held:
        zone = ZoneInfo(plan.zone)
        body.append([rows.moment(plan.now, zone), "", (w.step, "bold"), "", t("held: ", "retenu : ") + reason_word(w.guard),
                     t("until {x}", "jusqu'au {x}", x=rows.moment(w.until, zone)) if w.until else ""])  # fmt: skip
    rows.lay(console, body, shrink=5, indent=1)

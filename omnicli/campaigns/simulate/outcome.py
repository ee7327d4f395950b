"""What a simulation found, as plain values: sums over what was counted, never a second calculation, and how each was counted.

Every mapping is sorted, every figure a whole number or a ratio of two, so that equal simulations are equal bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from omnicli import clock
from omnicli.campaigns.simulate.chances import MINUTE
from omnicli.campaigns.simulate.counts import HELD_OUT, TREATED, Counts
from omnicli.campaigns.simulate.simulate import Simulation
from omnicli.engine.pricing import money
from omnicli.measure.proportions import Interval, newcombe, pooled_z, wilson
from omnicli.model.campaign import Campaign, Send, Split, WaitStep
from omnicli.model.flow import Flow
from omnicli.texts import t

#: What becomes of a touch that a provider was asked to carry (docs/measurement 1); the rest never left.
LEFT = ("delivered", "bounced", "lost")


def outcome(simulation: Simulation, *, source: str) -> dict[str, Any]:
    """The whole result, ready for JSON; `source` says whose base it was (`store`, `invented`, a file's name)."""
    task, counts = simulation.task, simulation.counts
    assert task.loaded.project is not None
    campaign, currency = task.loaded.campaigns[task.name], task.loaded.project.currency
    zone = ZoneInfo(task.loaded.project.time_zone)
    return {
        "campaign": task.name, "title": campaign.title, "seed": task.seed, "from": task.start.astimezone(zone).isoformat(),
        "until": task.end.astimezone(zone).isoformat(), "days": task.days, "zone": task.loaded.project.time_zone, "currency": currency,
        "base": {"source": source, "people": counts.people, "reachable": _sorted(counts.reachable)},
        "entered": {"all": sum(counts.entered.values()), TREATED: counts.entered[TREATED], HELD_OUT: counts.entered[HELD_OUT],
                    "personas": _sorted(counts.personas), "by_week": _weeks(counts.entered_on.items())},
        "funnel": [_step(simulation, campaign, node.id, node.step) for node in Flow.of(campaign)],
        "touches": _touches(counts, None),
        "answers": _sorted(_answers(counts, None)),
        "channels": {channel: _channel(counts, channel, currency) for channel in sorted({c for _, c, _, _ in counts.touches})},
        "goal": _goal(campaign, counts),
        "experiment": _experiment(counts),
        "arms": _arms(campaign, counts),
        "load": [[*key, n] for key, n in sorted(counts.load.items())],
        "busiest": _busiest(simulation),
        "cost": _cost(simulation, currency),
        "pressure": _pressure(counts),
        "held": _held(counts),
        "skipped": _sorted(Counter(dict(_by_reason(counts).items()))),
        "ended": _sorted(counts.ended), "inside": _sorted(counts.inside),
        "branches": {f"{step}.{branch}": n for (step, branch), n in sorted(counts.branches.items())},
        "engine": {"decisions": counts.decisions},
        "how": how(),
    }  # fmt: skip


def how() -> dict[str, str]:
    """How each figure was counted."""
    return {
        "entered": t("passes opened by the campaign's own door; held-out ones live the flow in silence",
                     "passages ouverts par la porte de la campagne ; les témoins vivent le parcours en silence"),
        "touches": t("planned = skipped + held out + attempted; attempted = accepted + rejected; accepted = delivered + bounced + lost",
                     "prévus = écartés + témoins + tentés ; tentés = acceptés + refusés ; acceptés = remis + retournés + perdus"),
        "answers": t("answers of touches, as the model draws them by hashes of (seed, person, pass, step, channel, answer)",
                     "réponses aux envois, tirées du modèle par empreinte de (graine, personne, passage, étape, canal, réponse)"),
        "goal": t("passes with the goal's event inside its time after entry, by intention to treat; also those that had ended",
                  "passages ayant l'événement visé dans son délai après l'entrée, en intention de traiter ; aussi ceux déjà finis"),
        "experiment": t("difference of shares, treated less held out, with Newcombe's 95 % interval",
                        "différence des parts, traités moins témoins, avec l'intervalle de Newcombe à 95 %"),
        "arms": t("treated passes that drew the arm, and how many of them reached the goal", "passages traités ayant tiré la branche, et combien ont atteint le but"),
        "load": t("accepted touches by weekday and hour of the project's zone", "envois acceptés par jour et heure du fuseau du projet"),
        "cost": t("price × parts of one real rendering by message, channel, language and persona; accepted touches only",
                  "prix × parties d'un vrai rendu par message, canal, langue et persona ; envois acceptés seulement"),
        "pressure": t("accepted touches of each treated person who entered, over the whole time; the most in any 7 consecutive days",
                      "envois acceptés de chaque personne traitée entrée, sur toute la durée ; le maximum sur 7 jours consécutifs"),
        "held": t("how often a guard began to hold a touch; held touches left later or were skipped", "combien de fois une garde a commencé à retenir un envoi ; il est parti plus tard ou écarté"),
        "skipped": t("touches that ended without leaving, by reason", "envois finis sans partir, par motif"),
    }  # fmt: skip


def _sorted(counter: Mapping[str, int]) -> dict[str, int]:
    """Largest first, then by name."""
    return dict(sorted(counter.items(), key=lambda kv: (-kv[1], kv[0])))


def _weeks(days: Iterable[tuple[int, int]]) -> list[int]:
    weeks: Counter[int] = Counter()
    for day, n in days:
        weeks[day // 7] += n
    return [weeks[n] for n in range(max(weeks, default=-1) + 1)]


# --- the funnel -----------------------------------------------------------------------------------------------------
def _step(simulation: Simulation, campaign: Campaign, id_: str, step: Any) -> dict[str, Any]:
    counts = simulation.counts
    verb = type(step).__name__.removesuffix("Step").lower()
    found: dict[str, Any] = {"step": id_, "verb": verb}
    if isinstance(step, Send):
        found |= {"message": step.send, "touches": _touches(counts, id_), "answers": _sorted(_answers(counts, id_)),
                  "channels": dict(sorted(_left_by_channel(counts, id_).items())),
                  "cost": money(sum(v for (s, _, _), v in counts.cost.items() if s == id_), _currency(simulation))}  # fmt: skip
    if isinstance(step, WaitStep):
        found |= {"reached": counts.reached[id_]}
    branches = {branch: n for (s, branch), n in counts.branches.items() if s == id_}
    if branches and (isinstance(step, Split) or len(branches) > 0):
        found |= {"branches": _sorted(branches)}
    return found


def _currency(simulation: Simulation) -> str:
    assert simulation.task.loaded.project is not None
    return simulation.task.loaded.project.currency


def _touches(counts: Counts, step: str | None) -> dict[str, Any]:
    """One step's touches (None: all) by what became of them; the identities of docs/measurement 1 hold by construction of sums."""
    what: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for (s, _, state, reason), n in counts.touches.items():
        if step is None or s == step:
            what[state] += n
            if state in ("skipped", "render_failed"):
                reasons[reason or state] += n
    accepted = sum(what[state] for state in LEFT)
    attempted = accepted + what["rejected"]
    skipped = what["skipped"] + what["render_failed"]
    return {
        "planned": skipped + what["held_out"] + attempted, "skipped": skipped, "skipped_by_reason": _sorted(reasons), "held_out": what["held_out"],
        "attempted": attempted, "rejected": what["rejected"], "accepted": accepted, **{state: what[state] for state in LEFT},
    }  # fmt: skip


def _answers(counts: Counts, step: str | None) -> Counter[str]:
    found: Counter[str] = Counter()
    for (s, _, name), n in counts.answers.items():
        if step is None or s == step:
            found[name] += n
    return found


def _left_by_channel(counts: Counts, step: str) -> Counter[str]:
    found: Counter[str] = Counter()
    for (s, channel, state, _), n in counts.touches.items():
        if s == step and state in LEFT:
            found[channel] += n
    return found


def _channel(counts: Counts, channel: str, currency: str) -> dict[str, Any]:
    touches: Counter[str] = Counter()
    for (_, c, state, _), n in counts.touches.items():
        if c == channel:
            touches["accepted" if state in LEFT else state] += n
    answers: Counter[str] = Counter()
    for (_, c, name), n in counts.answers.items():
        if c == channel:
            answers[name] += n
    cost = sum(v for (_, c, _), v in counts.cost.items() if c == channel)
    return {**_sorted(touches), "answers": _sorted(answers), "cost": money(cost, currency)}


def _by_reason(counts: Counts) -> Counter[str]:
    found: Counter[str] = Counter()
    for (_, _, state, reason), n in counts.touches.items():
        if state in ("skipped", "render_failed"):
            found[reason or state] += n
    return found


# --- the goal and what was compared ---------------------------------------------------------------------------------
def _goal(campaign: Campaign, counts: Counts) -> dict[str, Any] | None:
    goal = campaign.goal
    if goal is None:
        return None
    days = sorted(counts.days_to_goal.items())
    return {
        "when": list(goal.when), "within": str(goal.within) if goal.within else None, "target": str(goal.target) if goal.target else None,
        "reached": sum(counts.converted.values()), TREATED: counts.converted[TREATED], HELD_OUT: counts.converted[HELD_OUT],
        "rate": _interval(wilson(counts.converted[TREATED], counts.entered[TREATED])),
        "days": [[day, n] for day, n in days], "median_days": _quantile(counts.days_to_goal, 50), "p90_days": _quantile(counts.days_to_goal, 90),
    }  # fmt: skip


def _quantile(counts: Mapping[int, int], percent: int) -> int | None:
    """The smallest value that so many per cent do not exceed."""
    whole, seen = sum(counts.values()), 0
    for value, n in sorted(counts.items()):
        seen += n
        if seen * 100 >= whole * percent:
            return value
    return None


def _interval(interval: Interval | None) -> dict[str, float] | None:
    if interval is None:
        return None
    return {"value": round(interval.value, 9), "low": round(interval.low, 9), "high": round(interval.high, 9)}


def _experiment(counts: Counts) -> dict[str, Any] | None:
    """Treated against held out; None without anybody held out."""
    of, out = counts.entered[TREATED], counts.entered[HELD_OUT]
    if not out or not of:
        return None
    hits, other = counts.converted[TREATED], counts.converted[HELD_OUT]
    difference = newcombe(hits, of, other, out)
    test = pooled_z(hits, of, other, out)
    return {
        TREATED: {"passes": of, "goal": hits, "rate": _interval(wilson(hits, of))},
        HELD_OUT: {"passes": out, "goal": other, "rate": _interval(wilson(other, out))},
        "difference": _interval(difference), "more": _interval(difference.times(of)) if difference else None,
        "p": round(test.p, 9) if test else None,
        "verdict": "none" if difference is None or difference.low <= 0 <= difference.high else "more" if difference.value > 0 else "less",
    }  # fmt: skip


def _arms(campaign: Campaign, counts: Counts) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for node in Flow.of(campaign):
        if isinstance(node.step, Split):
            arms = []
            for arm in node.step.split:
                passes, hits = counts.arms[node.id, arm, "passes"], counts.arms[node.id, arm, "converted"]
                arms.append({"arm": arm, "passes": passes, "goal": hits, "rate": _interval(wilson(hits, passes))})
            found.append({"split": node.id, "arms": arms})
    return found


# --- load, cost, pressure -------------------------------------------------------------------------------------------
def _busiest(simulation: Simulation) -> dict[str, Any] | None:
    counts = simulation.counts
    hours: Counter[int] = Counter()
    for (hour, _), n in counts.hours.items():
        hours[hour] += n
    if not hours:
        return None
    hour, most = min(hours.items(), key=lambda kv: (-kv[1], kv[0]))
    assert simulation.task.loaded.project is not None
    zone = ZoneInfo(simulation.task.loaded.project.time_zone)
    start = clock.to_ms(simulation.task.start.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0))
    at = clock.from_ms(start + hour * 60 * MINUTE).astimezone(zone)
    return {"at": at.isoformat(timespec="minutes"), "touches": most,
            "channels": {c: n for (h, c), n in sorted(counts.hours.items()) if h == hour}}  # fmt: skip


def _cost(simulation: Simulation, currency: str) -> dict[str, Any]:
    counts = simulation.counts
    by: dict[str, Counter[str]] = {"channel": Counter(), "step": Counter(), "month": Counter()}
    for (step, channel, month), micro in counts.cost.items():
        by["channel"][channel] += micro
        by["step"][step] += micro
        by["month"][month] += micro
    total = sum(by["channel"].values())
    weeks: dict[str, list[int]] = {}
    for (day, channel), micro in counts.spent_on.items():
        row = weeks.setdefault(channel, [0] * (simulation.task.days // 7 + 1))
        row[min(day // 7, len(row) - 1)] += micro
    goals = counts.converted[TREATED]
    return {
        "total": money(total, currency), "micro": total, "budget": money(simulation.budget, currency) if simulation.budget is not None else None,
        "budget_felt": simulation.felt, "of_budget": round(total / simulation.budget, 6) if simulation.budget else None,
        "a_goal": money(total // goals, currency) if goals else None,
        **{f"by_{name}": {key: money(v, currency) for key, v in (sorted(c.items()) if name == "month" else _sorted(c).items())} for name, c in by.items()},
        "by_week": dict(sorted(weeks.items())),
        "sms_parts": [[*(part or "" for part in key), n] for key, n in sorted(simulation.sms_parts.items(), key=str) if key[1] == "sms"],
    }  # fmt: skip


def _pressure(counts: Counts) -> dict[str, Any]:
    return {
        "touches": [[n, people] for n, people in sorted(counts.pressure.items())], "median": _quantile(counts.pressure, 50),
        "p90": _quantile(counts.pressure, 90), "most": max(counts.pressure, default=0),
        "week": [[n, people] for n, people in sorted(counts.week.items())], "most_in_a_week": max(counts.week, default=0),
    }  # fmt: skip


def _held(counts: Counts) -> list[dict[str, Any]]:
    by: dict[str, Counter[str]] = {}
    for (step, guard), n in counts.holds.items():
        by.setdefault(guard, Counter())[step] += n
    found = [{"guard": guard, "times": sum(steps.values()), "steps": _sorted(steps)} for guard, steps in by.items()]
    return sorted(found, key=lambda f: (-int(str(f["times"])), str(f["guard"])))


def differences(now: Mapping[str, Any], before: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The figures that two simulations of one seed are compared by: `(name, now, before)`, rates as shares, money as text."""
    rows: list[tuple[str, Any, Any]] = []

    def row(name: str, *path: str) -> None:
        rows.append((name, _at(now, path), _at(before, path)))

    row("entered", "entered", "all")
    for name in ("planned", "accepted", "delivered", "skipped", "rejected"):
        row(f"touches.{name}", "touches", name)
    row("goal.reached", "goal", "reached")
    row("goal.rate", "goal", "rate", "value")
    row("cost", "cost", "total", "amount")
    row("cost.a_goal", "cost", "a_goal", "amount")
    row("pressure.median", "pressure", "median")
    row("pressure.most_in_a_week", "pressure", "most_in_a_week")
    reasons = sorted({*now["skipped"], *before["skipped"]})
    rows += [(f"skipped.{reason}", now["skipped"].get(reason, 0), before["skipped"].get(reason, 0)) for reason in reasons]
    return [{"figure": name, "now": a, "before": b} for name, a, b in rows if a is not None or b is not None]


def _at(found: Any, path: tuple[str, ...]) -> Any:
    for part in path:
        if not isinstance(found, Mapping):
            return None
        found = found.get(part)
    return found

"""A simulation on one page for those who decide: funnel, hours, money, pressure, reasons, what was compared, and every assumption."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from html import escape
from importlib import resources
from typing import TYPE_CHECKING, Any

from omnicli.campaigns.simulate import charts, words
from omnicli.look import channel_name, document, eyebrow, icon
from omnicli.model.spoken import number
from omnicli.texts import several, t

if TYPE_CHECKING:
    from omnicli.model.project import Brand

Result = Mapping[str, Any]


def page(result: Result, brand: Brand | None, *, word: Callable[[str], str] = str) -> str:
    """The whole page. `word` says reasons and guards as people read them."""
    parts = [
        _head(result), _kpis(result), _funnel(result, word), _experiment(result), _hours(result), _money(result), _pressure(result), _reasons(result, word),
        _goal(result), _compare(result, word), _assumptions(result), _how(result),
    ]  # fmt: skip
    css = resources.files("omnicli.campaigns.simulate").joinpath("page.css").read_text(encoding="utf-8")
    title = f"{result['title']} · {t('simulation', 'simulation')}"
    return document(title, f"<main>{''.join(parts)}{_foot()}</main>", css=css, colours=brand.colours if brand else {})


def _section(title: str, how: str, body: str) -> str:
    return f'<section><h2>{escape(title)}</h2><p class="how">{escape(how)}</p>{body}</section>' if body else ""


def day(text: str) -> str:
    at = datetime.fromisoformat(text)
    months = t(
        "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec", "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc."
    ).split()
    return f"{at.day} {months[at.month - 1]} {at.year}"


def _month(written: str) -> str:
    """`2027-01` as `Jan 2027`."""
    return day(f"{written}-01T00:00:00Z").partition(" ")[2]


# --- the top --------------------------------------------------------------------------------------------------------
def _head(result: Result) -> str:
    known = {"store": t("people of the store", "personnes de la base"), "invented": t("invented people", "personnes inventées")}
    whose = known.get(result["base"]["source"], t("people of {file}", "personnes de {file}", file=result["base"]["source"]))
    line = t("{n} {whose} live {days} virtual days, {a} to {b}, through the campaign as it would run. Seed {seed}.",
             "{n} {whose} vivent {days} jours virtuels, du {a} au {b}, dans la campagne telle qu'elle tournerait. Graine {seed}.",
             n=number(result["base"]["people"]), whose=whose, days=result["days"], a=day(result["from"]), b=day(result["until"]), seed=result["seed"])  # fmt: skip
    return (
        f'<header class="top">{eyebrow("Simulation", result["campaign"])}<h1>{escape(result["title"])}</h1><p>{escape(line)}</p></header>'
        f'<p class="ribbon"><b>{escape(t("A simulation", "Une simulation"))}</b><span>{escape(words.note())}</span></p>'
    )


def _kpis(result: Result) -> str:
    goal, cost, busiest = result["goal"], result["cost"], result["busiest"]
    entered, touches = result["entered"], result["touches"]
    cards = [
        (
            number(entered["all"]),
            t("entered", "entrés"),
            t("{n} held out", "{n} témoins", n=number(entered["held_out"])) if entered["held_out"] else "",
        ),
        (
            number(touches["accepted"]),
            t("touches left", "envois partis"),
            t("{n} a person, median", "{n} par personne, médiane", n=result["pressure"]["median"] or 0),
        ),
    ]
    if goal:
        target = t("target {x}", "objectif {x}", x=goal["target"]) if goal["target"] else words.between(goal["rate"])
        cards.append(
            (words.percent(goal["rate"]["value"] if goal["rate"] else None), t("reach the goal", "atteignent le but"), target)
        )
    share = t("{p} of the budget", "{p} du budget", p=words.percent(cost["of_budget"])) if cost["of_budget"] is not None else ""
    cards.append((words.cash(cost["total"]), t("cost", "coût"), share))
    if cost["a_goal"]:
        cards.append(
            (
                words.cash(cost["a_goal"]),
                t("per goal reached", "par but atteint"),
                t("cost ÷ goals reached by those treated", "coût ÷ buts atteints par les traités"),
            )
        )
    if busiest:
        at = datetime.fromisoformat(busiest["at"])
        cards.append(
            (
                number(busiest["touches"]),
                t("in the busiest hour", "à l'heure la plus chargée"),
                f"{day(busiest['at'])}, {at:%H}:00",
            )
        )
    body = "".join(
        f'<div class="kpi"><b>{escape(a)}</b><span>{escape(b)}</span><small>{escape(c)}</small></div>' for a, b, c in cards
    )
    return f'<div class="kpis">{body}</div>'


# --- the funnel -----------------------------------------------------------------------------------------------------
def _funnel(result: Result, word: Callable[[str], str]) -> str:
    whole = max(result["entered"]["all"], 1)
    rows = [
        _line(t("entered", "entrés"), "", [("in", result["entered"]["all"])], whole, number(result["entered"]["all"]), "", "")
    ]
    rows += [_step(step, whole, word) for step in result["funnel"]]
    if result["goal"]:
        reached = result["goal"]["reached"]
        rows.append(
            _line(
                t("goal", "but"),
                ", ".join(result["goal"]["when"]),
                [("goal", reached)],
                whole,
                number(reached),
                words.percent(reached / whole),
                "",
            )
        )
    key = [("delivered", t("delivered", "remis")), ("failed", t("bounced or lost", "retournés ou perdus")), ("rejected", t("refused by the provider", "refusés")),
           ("held", t("held out, in silence", "témoins, en silence")), ("skipped", t("not sent", "écartés"))]  # fmt: skip
    legend = "".join(f'<li><i class="d-{kind}"></i>{escape(name)}</li>' for kind, name in key)
    return _section(
        t("The way through", "Le parcours"),
        result["how"]["touches"],
        f'<ul class="key">{legend}</ul><ol class="flow">{"".join(rows)}</ol>',
    )


def _line(
    name: str, small: str, parts: Sequence[tuple[str, int]], whole: int, n: str, share: str, more: str, quiet: bool = False
) -> str:
    stack = "".join(f'<i class="d-{kind}" style="width:{100 * v / whole:.3f}%"></i>' for kind, v in parts if v)
    middle = f'<span class="stack">{stack}</span>' if parts else f'<span class="side">{more}</span>'
    tail = f'<span class="more">{more}</span>' if more and parts else ""
    return (
        f'<li{" class=quiet" if quiet else ""}><span class="id">{escape(name)}<small>{escape(small)}</small></span>{middle}'
        f'<span class="n">{escape(n)}<small>{escape(share)}</small></span>{tail}</li>'
    )


def _step(step: Mapping[str, Any], whole: int, word: Callable[[str], str]) -> str:
    branches = " · ".join(f"{escape(words.branch(branch))} {number(n)}" for branch, n in step.get("branches", {}).items())
    if step["verb"] != "send":
        reached = step.get("reached")
        return _line(step["step"], _verb(step["verb"]), [], whole, number(reached) if reached else "", "", branches, quiet=True)
    touches = step["touches"]
    parts = [("delivered", touches["delivered"]), ("failed", touches["bounced"] + touches["lost"]), ("rejected", touches["rejected"]),
             ("held", touches["held_out"]), ("skipped", touches["skipped"])]  # fmt: skip
    said = [f"{channel_name(c)} {number(n)}" for c, n in step["channels"].items()]
    said += [
        f"{words.answer(name)} {number(n)}"
        for name, n in step["answers"].items()
        if name in ("clicked", "replied", "scanned", "answered", "unsubscribed")
    ]
    if touches["skipped"]:
        said.append(
            t("not sent: ", "écartés : ") + ", ".join(f"{word(r)} {number(n)}" for r, n in touches["skipped_by_reason"].items())
        )
    return _line(
        step["step"],
        step["message"],
        parts,
        whole,
        number(touches["accepted"]),
        words.cash(step["cost"]),
        escape(" · ".join(said)),
    )


def _verb(verb: str) -> str:
    known = {"wait": t("wait", "attente"), "choose": t("choice", "choix"), "split": t("split", "tirage"), "set": t("set", "affectation"),
             "call": t("call", "appel"), "go": t("go to", "aller à"), "exit": t("exit", "sortie")}  # fmt: skip
    return known.get(verb, verb)


# --- what was compared ----------------------------------------------------------------------------------------------
def _experiment(result: Result) -> str:
    found, target = result["experiment"], (result["goal"] or {}).get("target")
    share = float(target.removesuffix("%").strip()) / 100 if target else None
    body = ""
    if found:
        rows = [(t("treated", "traités"), found["treated"], ""), (t("held out", "témoins"), found["held_out"], "out")]
        chart = [
            (f"{name} ({number(g['passes'])})", g["rate"]["value"], g["rate"]["low"], g["rate"]["high"], kind)
            for name, g, kind in rows
        ]
        body += charts.intervals(
            chart, label=t("Goal rates with 95 % intervals", "Taux du but avec intervalles à 95 %"), target=share
        )
        body += f"<p>{escape(_verdict(found))}</p>"
    for split in result["arms"]:
        arms = [
            (f"{a['arm']} ({number(a['passes'])})", a["rate"]["value"], a["rate"]["low"], a["rate"]["high"], "")
            for a in split["arms"]
            if a["rate"]
        ]
        if arms:
            body += f"<h3>{escape(split['split'])}</h3>" + charts.intervals(arms, label=split["split"])
    return _section(
        t("Does it work? Goal rates", "Est-ce que ça marche ? Taux du but"),
        f"{result['how']['goal']} · {result['how']['experiment']}",
        body,
    )


def _verdict(found: Mapping[str, Any]) -> str:
    more = found["more"]
    if found["verdict"] == "none":
        return t("In this simulation the difference could be chance: with these figures a real test of this size would not show it.",
                 "Dans cette simulation l'écart pourrait être dû au hasard : à cette taille, un vrai test ne le montrerait pas.")  # fmt: skip
    return t("In this simulation the campaign brings {n} goals that would not have come by themselves ({low} to {high}).",
             "Dans cette simulation la campagne amène {n} buts qui ne seraient pas venus d'eux-mêmes (de {low} à {high}).",
             n=number(round(more["value"])), low=number(round(more["low"])), high=number(round(more["high"])))  # fmt: skip


def _compare(result: Result, word: Callable[[str], str]) -> str:
    found = result.get("compare")
    if not found:
        return ""
    rows = "".join(_compared(one, word) for one in found["figures"] if one["now"] != one["before"])
    head = f'<tr><th></th><th class="n">{escape(str(found["version"]))}</th><th class="n">{escape(t("now", "maintenant"))}</th><th class="n">±</th></tr>'
    how = t(
        "the same people, days and answers, lived with the older version",
        "mêmes gens, mêmes jours, mêmes tirages, avec l'ancienne version",
    )
    return _section(
        t("Against the older version", "Face à l'ancienne version"), how, f'<div class="scroll"><table>{head}{rows}</table></div>'
    )


def _compared(one: Mapping[str, Any], word: Callable[[str], str]) -> str:
    now, before = (Decimal(str(v or 0)) for v in (one["now"], one["before"]))
    rate = one["figure"].endswith("rate")

    def shown(value: Decimal) -> str:
        return words.percent(float(value)) if rate else number(value, 2 if value % 1 else 0)

    kind = "up" if now > before else "down"
    return (
        f"<tr><td>{escape(words.figure_name(one['figure'], word))}</td><td class=n>{escape(shown(before))}</td><td class=n>{escape(shown(now))}</td>"
        f'<td class="n {kind}">{"+" if now > before else "−"}{escape(shown(abs(now - before)))}</td></tr>'
    )


# --- hours, money, pressure, reasons --------------------------------------------------------------------------------
def _hours(result: Result) -> str:
    by: dict[str, dict[tuple[int, int], int]] = {}
    for weekday, hour, channel, n in result["load"]:
        by.setdefault(channel, {})[weekday, hour] = n
    days = t("Mon Tue Wed Thu Fri Sat Sun", "lun. mar. mer. jeu. ven. sam. dim.").split()
    body = ""
    for channel, cells in sorted(by.items(), key=lambda kv: (-sum(kv[1].values()), kv[0])):
        total = sum(cells.values())
        chart = charts.heat(
            cells,
            days=days,
            most=max(cells.values()),
            label=t("{c}: touches by weekday and hour", "{c} : envois par jour et heure", c=channel_name(channel)),
        )
        body += f'<div class="{escape(channel)}"><h3>{icon(channel)}{escape(channel_name(channel))}<span>{number(total)}</span></h3>{chart}</div>'
    return _section(
        t("When they leave", "Quand ils partent"), result["how"]["load"], f'<div class="heats">{body}</div>' if body else ""
    )


def _money(result: Result) -> str:
    cost = result["cost"]
    if not cost["micro"]:
        return ""
    channels = list(cost["by_channel"])
    weeks = max((len(row) for row in cost["by_week"].values()), default=0)
    columns = [[(c, float(cost["by_week"].get(c, [0] * weeks)[w])) for c in channels] for w in range(weeks)]
    while columns and not any(v for _, v in columns[-1]):
        columns.pop()
    most = max((sum(v for _, v in column) for column in columns), default=0)
    top = t(
        "most in a week: {x}",
        "maximum en une semaine : {x}",
        x=f"{number(Decimal(str(most)) / 1_000_000, 2)} {result['currency']}",
    )
    names = [f"{t('w', 's')}{n + 1}" for n in range(len(columns))]
    chart = charts.stacked(columns, names=names, label=t("Cost by week and channel", "Coût par semaine et canal"), top=top)
    key = "".join(
        f'<li><i class="{escape(c)}" style="background:var(--c)"></i>{escape(channel_name(c))} {escape(words.cash(cost["by_channel"][c]))}</li>'
        for c in channels
    )
    steps = [(s, round(float(m["amount"]) * 100), words.cash(m)) for s, m in cost["by_step"].items()]
    months = [(_month(m), round(float(v["amount"]) * 100), words.cash(v)) for m, v in cost["by_month"].items()]
    body = f'<ul class="key">{key}</ul>{chart}<div class="two"><div><h3>{escape(t("By step", "Par étape"))}</h3>{charts.bars(steps)}</div>'
    body += f"<div><h3>{escape(t('By month', 'Par mois'))}</h3>{charts.bars(months)}{_budget(cost)}</div></div>"
    return _section(t("What it costs", "Ce que ça coûte"), result["how"]["cost"], body)


def _budget(cost: Mapping[str, Any]) -> str:
    if not cost["budget"]:
        return ""
    felt = (
        t("it was reached, and held touches back", "il a été atteint et a retenu des envois")
        if cost["budget_felt"]
        else t("it was never felt", "il n'a jamais joué")
    )
    return f"<p>{escape(t('Budget {b}: {p} used; {felt}.', 'Budget {b} : {p} pris ; {felt}.', b=words.cash(cost['budget']), p=words.percent(cost['of_budget']), felt=felt))}</p>"


def _pressure(result: Result) -> str:
    found = result["pressure"]
    people = [
        (several(n, ("{n} touch", "{n} touches"), ("{n} envoi", "{n} envois")), count, number(count))
        for n, count in found["touches"]
    ]
    week = [(t("at most {n}", "au plus {n}", n=n), count, number(count)) for n, count in found["week"]]
    caps = {h["guard"]: h["times"] for h in result["held"] if h["guard"] in ("cap", "min_gap")}
    said = t("Touches held back by caps: {a}, by gaps: {b}; skipped at the cap: {c}.", "Retenus par les plafonds : {a}, par les écarts : {b} ; écartés au plafond : {c}.",
             a=number(caps.get("cap", 0)), b=number(caps.get("min_gap", 0)), c=number(result["skipped"].get("capped", 0)))  # fmt: skip
    body = (
        f'<div class="two"><div><h3>{escape(t("Over the whole time", "Sur toute la durée"))}</h3>{charts.bars(people)}</div>'
        f"<div><h3>{escape(t('In any seven days', 'Sur sept jours'))}</h3>{charts.bars(week)}</div></div><p>{escape(said)}</p>"
    )
    return _section(
        t("Pressure: touches a person", "Pression : envois par personne"), result["how"]["pressure"], body if people else ""
    )


def _reasons(result: Result, word: Callable[[str], str]) -> str:
    held = [(word(h["guard"]), h["times"], number(h["times"])) for h in result["held"]]
    skipped = [(word(reason), n, number(n)) for reason, n in result["skipped"].items()]
    nobody = f"<p>{escape(t('None.', 'Aucun.'))}</p>"
    body = (
        f'<div class="two"><div><h3>{escape(t("Held back for a while", "Retenus un temps"))}</h3>{charts.bars(held, kind="held") if held else nobody}</div>'
        f"<div><h3>{escape(t('Never sent', 'Jamais partis'))}</h3>{charts.bars(skipped, kind='skipped') if skipped else nobody}</div></div>"
    )
    ways = {"end": t("at the end", "arrivés au bout"), "goal": t("goal reached", "but atteint")}
    ended = " · ".join(f"{ways.get(reason) or word(reason)} {number(n)}" for reason, n in result["ended"].items())
    inside = sum(result["inside"].values())
    body += f"<p>{escape(t('Passes ended: {x}. Still inside: {n}.', 'Passages finis : {x}. Encore dedans : {n}.', x=ended or '–', n=number(inside)))}</p>"
    return _section(
        t("Held back, and never sent", "Retenus, et jamais partis"), f"{result['how']['held']} · {result['how']['skipped']}", body
    )


def _goal(result: Result) -> str:
    goal = result["goal"]
    if not goal or not goal["days"]:
        return ""
    days = Counter(dict(goal["days"]))
    columns = [[("d-goal", float(days[d]))] for d in range(max(days) + 1)]
    chart = charts.stacked(columns, names=[str(d) for d in range(len(columns))], top=t("most on one day: {n}", "maximum en un jour : {n}", n=number(max(days.values()))),
                           label=t("Days from entry to the goal", "Jours de l'entrée au but"))  # fmt: skip
    how = t("treated passes that reached it, by days since entry; half within {m}, nine in ten within {p}",
            "passages traités qui l'ont atteint, par jours depuis l'entrée ; moitié en {m}, neuf sur dix en {p}",
            m=_days(goal["median_days"]), p=_days(goal["p90_days"]))  # fmt: skip
    return _section(t("Time to the goal", "Temps jusqu'au but"), how, chart)


def _days(n: int | None) -> str:
    whole = (n or 0) + 1
    return t("{n} days", "{n} jours", n=whole) if whole > 1 else t("a day", "un jour")


def _assumptions(result: Result) -> str:
    rows = "".join(f"<tr><td>{escape(a)}</td><td>{escape(b)}</td></tr>" for a, b in result.get("assumptions", ()))
    how = t("Every answer above was drawn from these figures by hashes of names; another model gives other answers, the decisions stay the engine's.",
            "Chaque réponse ci-dessus est tirée de ces chiffres par empreinte ; un autre modèle donne d'autres réponses, les décisions restent celles du moteur.")  # fmt: skip
    return _section(
        t("The assumptions", "Les hypothèses"), how, f'<div class="scroll"><table>{rows}</table></div>' if rows else ""
    )


def _how(result: Result) -> str:
    rows = "".join(f"<dt>{escape(_figure(name))}</dt><dd>{escape(text)}</dd>" for name, text in result["how"].items())
    return _section(t("How it was counted", "Comment c'est compté"), "", f'<dl class="how">{rows}</dl>')


def _figure(name: str) -> str:
    known = {
        "entered": t("entered", "entrés"), "touches": t("touches", "envois"), "answers": t("answers", "réponses"), "goal": t("goal", "but"),
        "experiment": t("held out", "témoins"), "arms": t("arms", "branches"), "load": t("hours", "heures"), "cost": t("cost", "coût"),
        "pressure": t("pressure", "pression"), "held": t("held back", "retenus"), "skipped": t("never sent", "jamais partis"),
    }  # fmt: skip
    return known.get(name, name)


def _foot() -> str:
    return f"<footer>omni · {escape(t('a simulation: the answers are assumptions', 'une simulation : les réponses sont des hypothèses'))}</footer>"

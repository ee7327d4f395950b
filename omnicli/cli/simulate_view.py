"""A simulation in the terminal: the way through, what it costs, what was held, and whether it works; the page has the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from omnicli.campaigns.simulate import words
from omnicli.campaigns.simulate.page import day
from omnicli.campaigns.simulate.words import assumptions as assumptions
from omnicli.cli import rows
from omnicli.cli.rows import Cell, number
from omnicli.cli.run_view import reason_word
from omnicli.look import channel_name
from omnicli.texts import t

if TYPE_CHECKING:
    from rich.console import Console

Result = Mapping[str, Any]


def show(console: Console, result: Result, *, page: str | None) -> None:
    """The page of `campaign simulate`."""
    from rich.text import Text

    head = Text(result["campaign"], "bold").append(f"  {result['title']}", "dim")
    console.print(head, soft_wrap=True)
    base = t("{n} people · {a} → {b} · seed {s}", "{n} personnes · {a} → {b} · graine {s}", n=number(result["base"]["people"]), a=day(result["from"]),
             b=day(result["until"]), s=result["seed"])  # fmt: skip
    console.print(Text(base, "dim"), soft_wrap=True)
    console.print()
    _steps(console, result)
    console.print()
    _figures(console, result)
    if result.get("compare"):
        console.print()
        _compared(console, result["compare"])
    console.print()
    console.print(Text(words.note(), "dim"), soft_wrap=not console.is_terminal)
    if page is None:
        name = result["campaign"]
        console.print(
            Text(t("The page:  ", "La page :  ") + f"omni campaign simulate {name} -o {name}.html", "dim"), soft_wrap=True
        )


def _steps(console: Console, result: Result) -> None:
    """A row a step. Reasons are the longest, so they stand last, where they push nothing out of line and give way alone."""
    head: list[Cell] = [
        (w, "dim")
        for w in (t("Step", "Étape"), t("Left", "Partis"), t("Cost", "Coût"), t("Answers", "Réponses"), t("Not sent", "Écartés"))
    ]
    body: list[list[Cell]] = [
        [(t("entered", "entrés"), "bold"), number(result["entered"]["all"]), "", (_entered(result), "dim"), ""]
    ]
    for step in result["funnel"]:
        if step["verb"] == "send":
            touches = step["touches"]
            body.append([step["step"], number(touches["accepted"]), words.cash(step["cost"]), (_answers(step["answers"]), "dim"),
                         (_reasons(touches["skipped_by_reason"]), "dim")])  # fmt: skip
    touches = result["touches"]
    body.append([("Total", "bold"), (number(touches["accepted"]), "bold"), (words.cash(result["cost"]["total"]), "bold"), "",
                 number(touches["skipped"]) if touches["skipped"] else ""])  # fmt: skip
    narrow = console.is_terminal and console.width < 110
    table = [head, *body]
    rows.lay(
        console, [[*row[:3], row[4]] for row in table] if narrow else table, right=(1, 2), shrink=3 if narrow else 4, indent=1
    )


def _entered(result: Result) -> str:
    out = result["entered"]["held_out"]
    return t("{n} of them held out", "dont {n} témoins", n=number(out)) if out else ""


def _answers(found: Mapping[str, int]) -> str:
    return " · ".join(f"{words.answer(name)} {number(n)}" for name, n in found.items() if name != "opened")


def _reasons(found: Mapping[str, int]) -> str:
    return " · ".join(f"{reason_word(reason)} {number(n)}" for reason, n in found.items())


def _figures(console: Console, result: Result) -> None:
    """One line a figure."""
    lines: list[list[Cell]] = []
    goal, found, cost, busiest = result["goal"], result["experiment"], result["cost"], result["busiest"]
    if goal and goal["rate"]:
        target = t(", target {x}", ", objectif {x}", x=goal["target"]) if goal["target"] else ""
        lines.append(
            [(t("Goal", "But"), "bold"), f"{words.percent(goal['rate']['value'])} ({words.between(goal['rate'])}){target}"]
        )
    if found:
        lines.append([(t("Effect", "Effet"), "bold"), _effect(found)])
    for split in result["arms"]:
        arms = " · ".join(f"{a['arm']} {words.percent(a['rate']['value'])}" for a in split["arms"] if a["rate"])
        lines.append([(split["split"], "bold"), arms])
    if cost["of_budget"] is not None:
        felt = t("reached", "atteint") if cost["budget_felt"] else t("never felt", "jamais atteint")
        lines.append([("Budget", "bold"), f"{words.percent(cost['of_budget'])} / {words.cash(cost['budget'])} · {felt}"])
    if result["held"]:
        lines.append(
            [
                (t("Held back", "Retenus"), "yellow"),
                " · ".join(f"{reason_word(h['guard'])} {number(h['times'])}" for h in result["held"]),
            ]
        )
    pressure = result["pressure"]
    if pressure["median"] is not None:
        lines.append([(t("Pressure", "Pression"), "bold"), t("touches a person: median {m}, at most {p}; in 7 days at most {w}",
                      "envois par personne : médiane {m}, au plus {p} ; en 7 jours au plus {w}", m=pressure["median"], p=pressure["most"], w=pressure["most_in_a_week"])])  # fmt: skip
    if busiest:
        by = " · ".join(f"{channel_name(c)} {number(n)}" for c, n in busiest["channels"].items())
        lines.append([(t("Busiest", "Pointe"), "bold"), f"{day(busiest['at'])} {busiest['at'][11:16]} · {by}"])
    rows.lay(console, lines, shrink=1, indent=1)


def _effect(found: Mapping[str, Any]) -> str:
    groups = t(
        "held out {a}, treated {b}",
        "témoins {a}, traités {b}",
        a=words.percent(found["held_out"]["rate"]["value"]),
        b=words.percent(found["treated"]["rate"]["value"]),
    )
    if found["verdict"] == "none":
        return groups + t(": no difference that could not be chance", " : pas d'écart que le hasard n'explique")
    more = found["more"]
    return groups + t(": {n} goals more ({low} to {high})", " : {n} buts de plus ({low} à {high})", n=number(round(more["value"])), low=number(round(more["low"])),
                      high=number(round(more["high"])))  # fmt: skip


def _compared(console: Console, found: Mapping[str, Any]) -> None:
    head: list[Cell] = [("", ""), (str(found["version"]), "dim"), (t("now", "maintenant"), "dim")]
    body: list[list[Cell]] = []
    for one in found["figures"]:
        if one["now"] != one["before"]:
            shown = [
                words.percent(v) if one["figure"].endswith("rate") else str(v if v is not None else "–")
                for v in (one["before"], one["now"])
            ]
            body.append([words.figure_name(one["figure"], reason_word), *shown])
    rows.lay(console, [head, *body], right=(1, 2), indent=1)

"""How figures of a simulation are said: shares, money, answers, by page and by terminal alike."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from omnicli.look import channel_name
from omnicli.model.spoken import amount, number
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.campaigns.simulate.model import Model

_ANSWERS = {
    "opened": ("opened", "ouverts"), "clicked": ("clicked", "clics"), "replied": ("replied", "réponses"), "scanned": ("scanned", "scans"),
    "answered": ("answered", "décrochés"), "voicemail": ("voicemail", "messageries"), "no_answer": ("no answer", "sans réponse"),
    "refused": ("refused", "refus"), "callback": ("call back", "rappels"), "done": ("done", "faits"), "unsubscribed": ("unsubscribed", "désabonnés"),
    "complained": ("complained", "plaintes"), "accepted": ("the touch itself", "l'envoi lui-même"), "bounced": ("bounced", "retournés"),
}  # fmt: skip


def answer(name: str) -> str:
    return t(*_ANSWERS[name]) if name in _ANSWERS else name


def branch(name: str) -> str:
    """A branch as people call it: an answer, `nothing` or `else`; arms and conditions as they are written."""
    known = {"nothing": t("nothing", "rien"), "else": t("else", "sinon"), "none": t("none of them", "aucune")}
    return known.get(name) or answer(name)


def percent(share: float | None, places: int = 1) -> str:
    return "–" if share is None else f"{number(Decimal(str(round(share * 100, places))), places)} %"


def between(interval: Mapping[str, float] | None) -> str:
    """`3.1 – 4.9 %`."""
    return "" if interval is None else f"{number(Decimal(str(round(interval['low'] * 100, 1))), 1)} – {percent(interval['high'])}"


def cash(money: Mapping[str, str] | None) -> str:
    return "–" if money is None else amount(Decimal(money["amount"]), money["currency"])


def assumptions(model: Model) -> list[list[str]]:
    """The model as lines of (what, how much): every assumption that the figures rest on."""
    rows = [
        [
            t("Who comes", "Qui vient"),
            t("{share} of the base within {w}", "{share} de la base en {w}", share=model.arrivals.share, w=model.arrivals.within),
        ]
    ]
    for name, c in model.channels.items():
        said = [f"{answer(a)} {v.share}" + (f" ({t('half in', 'moitié en')} {v.half})" if a in ("clicked", "replied", "scanned", "answered") else "")
                for a, v in c.answers.items()]  # fmt: skip
        fate = [
            f"{word} {share}"
            for word, share in (
                (t("refused", "refusés"), c.refused),
                (t("bounced", "retournés"), c.bounced),
                (t("lost", "perdus"), c.lost),
            )
            if share.value
        ]
        rows.append([channel_name(name), " · ".join([*fate, *said])])
    rows += [
        [f"{t('at step', 'à l’étape')} {step}", " · ".join(f"{answer(a)} {share}" for a, share in said.items())]
        for step, said in model.steps.items()
    ]
    rows += [
        [f"persona {name}", " · ".join(f"{channel} × {factor}" for channel, factor in factors.items())]
        for name, factors in model.personas.items()
    ]
    rows.append(
        [
            t("Tiredness", "Lassitude"),
            t(
                "each touch of the last 30 days leaves {share} of the answers",
                "chaque envoi des 30 derniers jours laisse {share} des réponses",
                share=model.tired,
            ),
        ]
    )
    rows.append(
        [
            t("Goal, untouched", "But, sans envoi"),
            t("{share} within {w}", "{share} en {w}", share=model.goal.alone, w=model.goal.within),
        ]
    )
    rows.append([t("Goal, after …", "But, après …"), " · ".join(f"{answer(c)} {a.share}" for c, a in model.goal.after.items())])
    return rows


def note() -> str:
    """What every picture of a simulation must say."""
    return t("The decisions are the engine's own; the answers are assumptions of a model, not a forecast anybody promised. Nothing was sent.",
             "Les décisions sont celles du moteur ; les réponses sont les hypothèses d'un modèle, pas une promesse. Rien n'est parti.")  # fmt: skip


def figure_name(name: str, word: Any) -> str:
    """A compared figure as people call it."""
    known = {
        "entered": t("entered", "entrés"), "touches.planned": t("touches planned", "envois prévus"), "touches.accepted": t("touches accepted", "envois acceptés"),
        "touches.delivered": t("delivered", "remis"), "touches.skipped": t("not sent", "écartés"), "touches.rejected": t("rejected", "refusés"),
        "goal.reached": t("goal reached", "but atteint"), "goal.rate": t("goal rate, treated", "taux du but, traités"), "cost": t("cost", "coût"),
        "cost.a_goal": t("cost a goal", "coût par but"), "pressure.median": t("touches a person (median)", "envois par personne (médiane)"),
        "pressure.most_in_a_week": t("most in 7 days", "maximum en 7 jours"),
    }  # fmt: skip
    if name.startswith("skipped."):
        return t("not sent: {r}", "écartés : {r}", r=word(name.removeprefix("skipped.")))
    return known.get(name, name)

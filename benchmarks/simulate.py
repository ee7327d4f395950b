"""A whole base lives 90 virtual days through a flow of 12 steps: 100,000 people are about 1.2 million steps, the store in memory."""

from __future__ import annotations

import os
from typing import Any

from benchmarks.ground import PROJECT, Helpers, Watch, peak_mb, project

#: Six touches and six waits, two of which listen; entered by signing up, over the first 55 days.
CAMPAIGN = """\
campaign: douze
title: Douze pas
goal: {when: purchase, within: 30 days}
holdout: 5 %
enter: {when: signup}
messages:
  offre:
    facts: {offer: 20 %, code: BIENVENUE20, link: https://www.maisonlune.example/bienvenue}
    say:
      fr: {subject: "{offer} pour vous", preheader: "Code {code}", headline: Bienvenue, body: "Profitez de {offer} avec {code}.", cta: Voir}
      en: {subject: "{offer} for you", preheader: "Code {code}", headline: Welcome, body: "Enjoy {offer} with {code}.", cta: See}
flow:
  - {send: offre, id: j0, by: email, at: next 10:00}
  - {wait: up to 3 days, id: reponse, for: {clicked: [], nothing: []}}
  - {send: offre, id: rappel, by: email}
  - {wait: 4 days, id: pause-1}
  - {send: offre, id: guide, by: email, at: next 10:00}
  - {wait: 5 days, id: pause-2}
  - {send: offre, id: avis, by: email, if: not clicked avis}
  - {wait: up to 7 days, id: ecoute, for: {clicked: [], nothing: []}}
  - {send: offre, id: retour, by: email}
  - {wait: 6 days, id: pause-3}
  - {send: offre, id: dernier, by: email}
  - {wait: 5 days, id: fin}
"""

#: Everybody can be reached, signs up, and nobody reaches the goal early: so that everybody takes every step.
MODEL = """\
arrivals: {share: 100 %, within: 55 days}
goal: {alone: 4 %, within: 30 days}
people: {reach: {email: {address: 100 %, consent: 100 %}}}
"""


def measure(contacts: int) -> dict[str, Any]:
    """`seconds` of wall time with as many processes as there are processors; `steps` are entries, touches
    and waits taken; `us_a_step` is the time of all processes together."""
    from omnicli import clock
    from omnicli.app import open_project
    from omnicli.campaigns.simulate.model import read_model
    from omnicli.campaigns.simulate.simulate import Task, simulate

    with project() as root:
        (root / "omni.yaml").write_text(PROJECT, "utf-8")
        (root / "campaigns" / "bench.yaml").unlink()
        (root / "campaigns" / "douze.yaml").write_text(CAMPAIGN, "utf-8")
        (root / "model.yaml").write_text(MODEL, "utf-8")
        loaded, model = open_project(root), read_model(root / "model.yaml")
        start = clock.read_instant("2027-01-04 08:00", "Europe/Paris")
        processes = os.cpu_count() or 1
        with Helpers() as helpers, Watch() as living:
            found = simulate(Task(loaded, "douze", model, "7", start, 90, contacts), None, processes=processes)
    counts = found.counts
    steps = sum(counts.entered.values()) + sum(counts.touches.values()) + sum(counts.reached.values())
    return {
        "goal": "≤ 60 s at 100,000", "contacts": contacts, "seconds": round(living.seconds, 1), "processes": processes,
        "steps": steps, "us_a_step": round(1e6 * living.seconds * processes / max(1, steps), 1), "decisions": counts.decisions,
        "instants": counts.instants, "peak_mb": peak_mb(), "peak_mb_of_a_part": helpers.peak_mb,
    }  # fmt: skip

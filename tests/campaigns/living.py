"""A stage on which campaigns live: start, run, plan, pause, resume and stop as the command line calls them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from delivering import OMNI, TEMPLATES, Delivery, Recorder, a_campaign, paris

from omnicli.campaigns import life
from omnicli.campaigns import run as running
from omnicli.campaigns.plan import Plan, plan
from omnicli.campaigns.run import RunReport

__all__ = ["OMNI", "TEMPLATES", "WELCOME", "Living", "Recorder", "a_campaign", "paris", "welcome"]

WELCOME = """
- {send: offre, by: email, else: [sms], id: j0, at: next 10:00}
- wait: up to 3 days
  id: reponse
  for:
    clicked: [{wait: 1 day, id: reflexion}]
    nothing: [{send: offre, by: sms, id: rappel, at: next 10:00}]
- {wait: 2 days, id: repos}
- {send: offre, by: email, id: adieu}
"""


def welcome(**options: Any) -> str:
    """The campaign `bienvenue`: an offer at 10:00, three days for an answer, a reminder, a farewell."""
    return a_campaign(WELCOME, **options)


class Living(Delivery):
    """Nothing is started by itself; `at` moves the clock, which begins on Monday at 11:00."""

    def __init__(self, folder: Path, *campaigns: str, **options: Any) -> None:
        super().__init__(folder, *campaigns, **{"at": "2027-01-04 11:00", **options})

    def start(self, name: str, at: str | None = None, **options: Any) -> life.Started | None:  # type: ignore[override]
        if not hasattr(self, "renderer"):
            return None  # the stage starts everything when it is built; here a person does
        self._clock(at)
        return life.start(self.store, self.loaded, name, now=self.now, **options)

    def run(self, at: str | None = None, *names: str, **options: Any) -> RunReport:  # type: ignore[override]
        self._clock(at)
        chosen = names or tuple(self.loaded.campaigns)
        return running.run(
            self.store, self.loaded, names=chosen, now=self.now, providers=self.providers, renderer=self.renderer, **options
        )

    def tick(self, at: str) -> RunReport:
        """What cron does: running and paused campaigns, applied versions only."""
        return self.run(at, tick=True)

    def plan(self, at: str | None = None, *names: str, until: str | None = None, **options: Any) -> Plan:
        self._clock(at)
        end = paris(until) if until else None
        return plan(self.store, self.loaded, names or tuple(self.loaded.campaigns), now=self.now, until=end, **options)

    def pause(self, at: str | None = None, name: str = "bienvenue", **options: Any) -> None:
        self._clock(at)
        life.pause(self.store, name, now=self.now, **options)

    def resume(self, at: str | None = None, name: str = "bienvenue", **options: Any) -> life.Resumed:
        self._clock(at)
        return life.resume(self.store, self.loaded, name, now=self.now, **options)

    def stop(self, at: str | None = None, name: str = "bienvenue", **options: Any) -> life.Stopped:
        self._clock(at)
        return life.stop(self.store, name, now=self.now, **options)

    def _clock(self, at: str | None) -> None:
        if at is not None:
            self.now = paris(at)

    # --- what is seen -----------------------------------------------------------------------------------------------
    def got(self) -> list[str]:
        """`who step` of everything that left, in order."""
        return self.provider.reached()

    def stands(self, who: str) -> str:
        return self.passes(who)[-1]

    def campaign_state(self, name: str = "bienvenue") -> str:
        return str(self.row("SELECT state FROM campaign WHERE name = :name", name=name)[0])

    def snapshot(self) -> list[Any]:
        """Everything that a run may write, to see that nothing was written."""
        tables = (
            "campaign",
            "campaign_version",
            "enrollment",
            "touch",
            "decision",
            "event",
            "attempt",
            "cap_slot",
            "setting",
            "inbox",
        )
        return [self.rows(f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables]

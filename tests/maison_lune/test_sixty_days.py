"""A campaign lives through sixty days on the real base of Maison Lune, and what must always hold is judged by plain Python.

`season.py` tells the story (four campaigns, answers by a seeded function of each touch beside those of the data, an edit, a
pause, a stop), `judge.py` is the oracle. Here a sample of the base lives; with OMNI_WHOLE_BASE set all 2,238 people do.
"""

from __future__ import annotations

import os
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from judge import Judge
from season import CONTACTS, Season, instants

from omnicli.campaigns.plan import plan
from omnicli.campaigns.replay import repeat

pytestmark = pytest.mark.skipif(not CONTACTS.exists(), reason="../shared/data/contacts is not here")

PEOPLE = 220
#: The shuffled store lives so long beside the first: through the pause and the edit.
SHUFFLED_DAYS = 25
#: Ticks before which a plan is made, and ticks that are run a second time.
PLANNED, AGAIN = (4, 9, 14, 42), (0, 4, 12, 31, 60, 99)


class Lived:
    """One season, and what was seen on the way."""

    def __init__(self, season: Season, *, days: int | None = None) -> None:
        self.season = season
        self.plans: list[tuple[set[Any], set[Any]]] = []
        self.repeats: list[str] = []
        self.portrait: dict[str, Any] = {}
        for n, at in enumerate(instants(days) if days else instants()):
            season.ready(at)
            planned = self._plan() if n in PLANNED else None
            before = season.portrait() if planned is not None else None
            season.run()
            if planned is not None and before is not None:
                self.plans.append((planned, self._done(before)))
            if n in AGAIN:
                self._again()
            if n + 1 == len(instants(SHUFFLED_DAYS)):
                self.portrait = season.portrait()

    def _plan(self) -> set[Any]:
        s = self.season
        made = plan(s.store, s.loaded, s.alive(), now=s.now)
        assert all(one.exact and one.at <= s.now for one in made.touches)
        states = {"send": "accepted"}
        return {
            (one.touch.upper(), states.get(one.state, one.state), one.reason, one.channel, one.step, one.cost)
            for one in made.touches
        }

    def _done(self, before: dict[str, Any]) -> set[Any]:
        ended = ("accepted", "skipped", "rejected", "held_out")
        known = {row[0] for row in before["touches"] if row[1] in ended}
        now = self.season.portrait()["touches"]
        return {(key, state, reason, channel, step, cost) for key, state, reason, _, _, _, step, channel, cost, *_ in now
                if state in ended and key not in known}  # fmt: skip

    def _again(self) -> None:
        s = self.season
        before, left = s.portrait(), len(s.wire.handed)
        report = s.run()
        if len(s.wire.handed) != left or report.happened:
            self.repeats.append(f"{s.now}: {len(s.wire.handed) - left} more left, {report}")
        self.repeats += [f"{s.now}: {name} changed" for name, rows in s.portrait().items() if rows != before[name]]


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    return Lived(Season(tmp_path_factory.mktemp("season") / "lived", people=PEOPLE, sandbox=True))


@pytest.fixture(scope="module")
def judge(lived: Lived) -> Judge:
    return Judge(lived.season)


SENTENCES = {
    "wire": "what left was accepted once, and the outbox lists it",
    "hours": "nobody is written to at night, on Sunday or on a holiday",
    "caps": "no cap is exceeded on any run of dates",
    "gaps": "the minimum gap lies between any two touches",
    "excuses": "every reason was true when it was given",
    "prompt": "whoever nothing holds gets it at the first tick",
    "consents": "nobody is written to without consent",
    "refusals": "nobody is written to after an opt-out, a STOP or a complaint",
    "holdout": "the held-out are those of the hash and get nothing",
    "dispositions": "every touch ends with a reason of the closed list, everybody inside waits for something",
    "paths": "every wait takes one branch at its time, every step waits for the one before",
    "goals": "a purchase ends the pass and converts it",
    "deeds": "pause, resume, stop and edit do what their table says",
    "passes_apart": "people come back by `again`, one pass at a time",
    "budget": "the budget is kept",
    "totals": "the totals of the reports are sums over rows",
}


@pytest.mark.parametrize("question", SENTENCES, ids=list(SENTENCES))
def test_sixty_days_keep_every_promise(judge: Judge, question: str) -> None:
    breaches = list(getattr(judge, question)())
    assert not breaches, f"{len(breaches)} times not: {SENTENCES[question]}\n" + "\n".join(breaches[:10])


def test_the_season_saw_everything_it_was_made_for(judge: Judge) -> None:
    channels = Counter(one.channel for _, one in judge.s.wire.handed)
    assert set(channels) >= {"email", "sms", "whatsapp", "letter", "push", "voice"}, channels
    reasons = {row["reason"] for row in judge.touches if row["send_state"] == "skipped"}
    assert reasons >= {"unreachable", "condition", "capped", "complaint_open", "budget", "expired"}, reasons
    ends = {row["reason"] for row in judge.passes}
    assert ends >= {"goal", "end", "said no", "stopped", "complained", "unsubscribed"}, ends
    assert {row["step"] for row in judge.touches} >= {
        "a-clic",
        "a-oui",
        "a-autre",
        "a-sms",
        "a-lettre",
        "a-muet",
        "a-appel",
        "a-fin",
        "a-adieu",
    }


def test_running_the_same_instant_twice_sends_nothing_more(lived: Lived) -> None:
    assert lived.repeats == []


def test_the_plan_is_the_run_touch_by_touch(lived: Lived) -> None:
    assert len(lived.plans) == len(PLANNED)
    assert sum(len(done) for _, done in lived.plans) > 50
    for planned, done in lived.plans:
        assert planned == done, (sorted(planned - done)[:3], sorted(done - planned)[:3])


def test_two_stores_of_another_order_are_equal(lived: Lived, tmp_path: Path) -> None:
    other = Lived(Season(tmp_path / "shuffled", people=PEOPLE, shuffle=7), days=SHUFFLED_DAYS)
    for name, rows in lived.portrait.items():
        mine, others = set(rows), set(other.portrait[name])
        assert len(rows) == len(other.portrait[name]), name
        assert mine == others, (name, sorted(mine - others, key=str)[:3], sorted(others - mine, key=str)[:3])


@pytest.mark.slow
@pytest.mark.skipif("OMNI_WHOLE_BASE" not in os.environ, reason="several minutes: set OMNI_WHOLE_BASE to let the whole base live")
def test_the_whole_base_lives_through_sixty_days(tmp_path: Path) -> None:
    season = Season(tmp_path / "whole")
    for at in instants():
        season.step(at)
    judge = Judge(season)
    breaches = {SENTENCES[question]: list(getattr(judge, question)())[:5] for question in SENTENCES}
    assert not {sentence: found for sentence, found in breaches.items() if found}
    assert judge.last - judge.ticks[0] > timedelta(days=58)


def test_every_decision_of_the_season_is_taken_again_with_the_same_answer(lived: Lived) -> None:
    """From the store alone, after edits of the campaign, a pause and a stop: the same engine on the same premises."""
    with lived.season.store.read() as connection:
        again = list(repeat(connection))
    assert len(again) > 500
    differ = [(one.then.at, one.then.step, one.then.lines, one.now, one.unknown) for one in again if not one.same]
    assert not differ, f"{len(differ)} of {len(again)}: {differ[0]}"

"""R15: ten minutes in which a provider answers 429 and 5xx, then recovers: nobody before his time, few calls too many, soon drained."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from bare_stage import Delivery, Recorder, a_campaign, paris
from sizes import SIZES

from omnicli.model.touch import Handed, Outcome

FLOW = "- {send: offre, by: email, id: j0}\n- {wait: 2 days, id: w}"
PEOPLE = 200
TICK, STORM, AFTER = timedelta(seconds=10), timedelta(minutes=10), timedelta(minutes=5)


@dataclass
class Stormy(Recorder):
    """Until `ends` it is too busy (and says for how long) or breaks down; it remembers what it told whom."""

    batch: int = 1
    ends: datetime | None = None
    dice: random.Random = field(default_factory=random.Random)
    told: dict[str, datetime] = field(default_factory=dict)
    early: list[str] = field(default_factory=list)
    per_minute: Counter[int] = field(default_factory=Counter)

    def send(self, handed: Sequence[Handed], *, now: datetime) -> list[Outcome]:
        assert self.ends is not None
        (one,) = handed
        self.calls += 1
        self.handed += handed
        self.per_minute[int((self.ends - now) / timedelta(minutes=1))] += 1
        if one.contact in self.told and now < self.told[one.contact]:
            self.early.append(one.contact)
        if now >= self.ends:
            return [Outcome("accepted", ref=one.touch)]
        if self.dice.random() < 0.5:
            self.told[one.contact] = now + timedelta(seconds=self.dice.choice((5, 20, 60)))
            return [Outcome("not_sent", code="429", http_status=429, retry_at=self.told[one.contact])]
        return [Outcome("unknown", code="503", http_status=503)]


@pytest.mark.guards("breaker")
@pytest.mark.parametrize("seed", range(SIZES["storms"]))
def test_after_a_storm_everybody_is_served_soon_and_nobody_was_bothered_meanwhile(tmp_path: Path, seed: int) -> None:
    stage = Delivery(tmp_path, a_campaign(FLOW), provider=Stormy(dice=random.Random(seed)))
    stage.sign_up(*(f"c{n:03}" for n in range(PEOPLE)))
    stage.now = paris("2027-01-04 10:00")
    stage.decide()
    stage.provider.ends = stage.now + STORM
    end = stage.provider.ends + AFTER
    while stage.now < end:
        stage.dispatch(live=True)
        stage.now += TICK
    provider = stage.provider
    assert provider.early == []
    assert provider.calls <= 1.1 * PEOPLE, f"seed {seed}: {provider.calls} calls"
    states = dict(stage.rows("SELECT send_state, count(*) FROM touch GROUP BY 1"))
    assert set(states) <= {"accepted", "parked"}, f"seed {seed}: {states}"
    assert states["accepted"] >= 0.9 * PEOPLE
    reached = Counter(one.contact for one in provider.handed if one.contact not in provider.told)
    assert max(reached.values()) == 1  # who was not told to come again was called once

"""A sender's reputation: what warns, what pauses marketing, and that one angry person does neither (rules.md DL-03)."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from stage import OMNI, Stage, a_campaign, paris

from omnicli.campaigns import quality
from omnicli.campaigns.quality import Quality, lower
from omnicli.campaigns.upkeep import upkeep
from omnicli.store import tables as tb

NOW = paris("2027-01-08 10:00")


def a_quality(**counts: int) -> Quality:
    return Quality("email", "maison.example", NOW, **{"accepted": 10_000, "delivered": 10_000, **counts})


@pytest.mark.parametrize(
    ("counts", "level"),
    [
        ({}, "fine"),
        ({"complaints": 1, "delivered": 200, "accepted": 200}, "fine"),
        ({"complaints": 900, "delivered": 999, "accepted": 999}, "fine"),
        ({"complaints": 12}, "fine"),
        ({"complaints": 20}, "warn"),
        ({"complaints": 33}, "warn"),
        ({"complaints": 45}, "pause"),
        ({"bounces": 210}, "fine"),
        ({"bounces": 240}, "warn"),
        ({"bounces": 600}, "pause"),
        ({"bounces": 60, "accepted": 199, "delivered": 139}, "fine"),
        ({"unsubscribes": 100}, "fine"),
        ({"unsubscribes": 130}, "warn"),
        ({"unsubscribes": 9000}, "warn"),
        ({"complaints": 45, "delivered": 0}, "pause"),
    ],
)
def test_the_level_of_a_channel(counts: dict[str, int], level: str) -> None:
    assert a_quality(**counts).level == level


@pytest.mark.parametrize(
    ("bad", "of", "end"), [(1, 200, 0.000883), (30, 10_000, 0.002102), (0, 50, 0.0), (50, 50, 0.928650), (3, 1000, 0.001021)]
)
def test_the_lower_end_is_wilson_s(bad: int, of: int, end: float) -> None:
    assert lower(bad, of) == pytest.approx(end, abs=2e-6)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    flow = "- {send: offre, id: j0, by: email}\n- {wait: 30 days, id: w}"
    texts = [a_campaign(flow, name="lettre"), a_campaign(flow, name="facture", extra="purpose: transactional"),
             a_campaign(flow.replace("by: email", "by: sms"), name="texto")]  # fmt: skip
    stage = Stage(
        tmp_path,
        *texts,
        omni=OMNI.replace("email: {provider: smtp,", "email: {provider: smtp, from: Maison <bonjour@maison.example>,"),
    )
    stage.person("lea", consent=("email", "sms"))
    stage.now = NOW
    return stage


def events(stage: Stage, name: str, many: int, *, days_ago: float = 1, payload: str | None = None) -> None:
    at = int((NOW - timedelta(days=days_ago)).timestamp() * 1000)
    with stage.store.write() as connection:
        connection.execute(
            sa.insert(tb.event),
            [
                {"contact_id": 1, "name": name, "at": at, "channel": "email", "received_at": at, "payload": payload}
                for _ in range(many)
            ],
        )


def states(stage: Stage) -> dict[str, str]:
    return dict(stage.rows("SELECT name, state FROM campaign"))


@pytest.mark.guards("quality")
def test_too_many_complaints_pause_the_marketing_of_that_channel_and_nothing_else(stage: Stage) -> None:
    events(stage, "delivered", 2000)
    events(stage, "complained", 20)
    lines = upkeep(stage.store, stage.loaded, now=NOW, heard=True)
    assert states(stage) == {"lettre": "paused", "facture": "running", "texto": "running"}
    assert lines == [
        "lettre is paused: email maison.example: 1.00% complaints in 7 days (limit 0.30%). Look at it, then: omni campaign resume lettre"
    ]
    assert stage.row("SELECT what, detail FROM audit ORDER BY id DESC LIMIT 1").what == "campaign pause lettre"


def test_whoever_resumes_is_not_paused_again_for_the_same_complaints(stage: Stage) -> None:
    events(stage, "delivered", 2000)
    events(stage, "complained", 20)
    upkeep(stage.store, stage.loaded, now=NOW, heard=True)
    stage.state("lettre", state="running")
    assert upkeep(stage.store, stage.loaded, now=NOW + timedelta(minutes=5), heard=True) == []
    assert states(stage)["lettre"] == "running"


def test_what_is_old_soft_or_blocked_does_not_count(stage: Stage) -> None:
    events(stage, "delivered", 2000, days_ago=1)
    events(stage, "complained", 20, days_ago=8)
    events(stage, "bounced", 900, payload='{"kind":"soft"}')
    events(stage, "bounced", 900, payload='{"kind":"block"}')
    with stage.store.read() as connection:
        assert quality.standings(connection, stage.loaded, now=NOW) == []


def test_a_warning_pauses_nobody(stage: Stage) -> None:
    events(stage, "delivered", 2000)
    events(stage, "unsubscribed", 40)
    assert upkeep(stage.store, stage.loaded, now=NOW, heard=True) == []
    with stage.store.read() as connection:
        said = [q.said for q in quality.standings(connection, stage.loaded, now=NOW)]
    assert said == ["email maison.example: 2.00% unsubscribes in 7 days (limit 1.00%)"]
    assert set(states(stage).values()) == {"running"}


def test_bodies_are_cleared_once_a_day(stage: Stage) -> None:
    stage.says("lea", "clicked", id="x")
    stage.fold()
    assert upkeep(stage.store, stage.loaded, now=NOW + timedelta(days=29), heard=False) == []
    assert stage.row("SELECT raw IS NULL FROM inbox") == (0,)
    upkeep(stage.store, stage.loaded, now=NOW + timedelta(days=31), heard=False)
    assert stage.row("SELECT raw IS NULL FROM inbox") == (1,)


def test_the_doctor_says_who_is_judged_and_what_we_had_missed(stage: Stage) -> None:
    from omnicli.service.doctor.reputation import reputation
    from omnicli.service.doctor.sign import Patient
    from omnicli.store import consents

    patient = Patient(stage.loaded, stage.folder, stage.store, NOW, live=True)
    assert list(reputation(patient, stage.store)) == []
    events(stage, "delivered", 2000)
    events(stage, "complained", 20)
    with stage.store.write() as connection:
        consents.suppress(connection, [consents.Bar("sms", b"m" * 16, "stop", NOW, source="mirror:twilio")], now=NOW)
    assert [(sign.name, sign.state) for sign in reputation(patient, stage.store)] == [("quality", "wrong"), ("sync", "note")]

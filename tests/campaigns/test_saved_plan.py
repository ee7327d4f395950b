"""A saved plan binds its exact touches and nothing else: unchanged they leave one by one, changed nothing leaves and the premise is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from living import Living, a_campaign, paris, welcome

from omnicli.campaigns.record import carry, make, written
from omnicli.campaigns.record.carry import Stale
from omnicli.campaigns.record.written import Record
from omnicli.campaigns.run import Nowhere, RunReport
from omnicli.errors import Exit, OmniError
from omnicli.render.renderer import Renderer
from omnicli.writing import write_whole

GOAL = "goal: {when: purchase}"


@pytest.fixture
def stage(tmp_path: Path) -> Living:
    """Thirty people, due on Tuesday at 10:00 by e-mail or SMS."""
    return crowd(Living(tmp_path, welcome(extra=GOAL)), 30)


def crowd(stage: Living, n: int) -> Living:
    stage.start("bienvenue")
    for i in range(n):
        stage.sign_up(f"p{i:03}", consent=("email", "sms") if i % 3 else ("sms",), addresses=("email", "sms"))
    stage.run("2027-01-04 11:30")
    return stage


def keep(stage: Living, file: Path | None = None, *, at: str = "2027-01-05 10:00", until: str | None = None) -> Record:
    """Plan, and read back what was written."""
    planned = stage.plan(at, until=until, binding=True)
    record = make.record(stage.store, stage.loaded, planned, renderer(stage), until=paris(until) if until else None)
    file = file or stage.folder / "x.plan"
    write_whole(file, written.text_of(record))
    return written.read(file)


def renderer(stage: Living) -> Renderer:
    return Renderer(stage.folder, stage.loaded.project, signing=stage.renderer.signing)


def carried(stage: Living, record: Record, at: str = "2027-01-05 10:05") -> RunReport:
    """`run --plan`: refused, or done."""
    stage._clock(at)
    own = renderer(stage)
    carry.fits(stage.store, stage.loaded, record, record.names, now=stage.now)
    carry.checked(stage.store, stage.loaded, record, own, now=stage.now)
    return carry.carry(stage.store, stage.loaded, record, own, now=stage.now, providers=stage.providers)


def refused(stage: Living, record: Record, at: str = "2027-01-05 10:05") -> str:
    """The refusal; nothing was sent and nothing written."""
    before = stage.snapshot()
    with pytest.raises(OmniError) as caught:
        carried(stage, record, at)
    assert caught.value.exit == Exit.REFUSED
    assert stage.snapshot() == before
    assert not stage.provider.handed
    return caught.value.message


# --- unchanged ------------------------------------------------------------------------------------------------------
def test_the_touches_sent_are_the_touches_planned_one_by_one(stage: Living) -> None:
    record = keep(stage)
    assert len(record.touches) == 30
    report = carried(stage, record)
    assert (report.exit, report.accepted) == (0, 30)
    assert sorted(one.touch for one in stage.provider.handed) == sorted(k.touch for k in record.touches)
    assert {one.touch: one.channel for one in stage.provider.handed} == {k.touch: k.channel for k in record.touches}


def test_given_twice_it_sends_nothing_more(stage: Living) -> None:
    record = keep(stage)
    carried(stage, record)
    again = carried(stage, record, "2027-01-05 10:30")
    assert (again.accepted, len(stage.provider.handed)) == (0, 30)


def test_who_came_later_is_left_to_the_next_run(stage: Living) -> None:
    record = keep(stage, at="2027-01-04 12:00", until="2027-01-05 12:00")
    stage.sign_up("late", consent=("email",))
    stage.run("2027-01-04 12:30")
    stage.sign_up("later", consent=("email",))
    assert carried(stage, record).accepted == 30
    assert "late j0" not in stage.got()
    stage.run("2027-01-05 10:10")
    assert "late j0" in stage.got()


def test_what_is_due_later_leaves_when_the_plan_is_given_again(tmp_path: Path) -> None:
    flow = "- {send: offre, by: email, id: j0}\n- {wait: 1 day, id: w}\n- {send: offre, by: email, id: j1}"
    stage = Living(tmp_path, a_campaign(flow))
    stage.start("bienvenue")
    stage.sign_up(*(f"p{n}" for n in range(20)))
    record = keep(stage, at="2027-01-04 12:00", until="2027-01-06 12:00")
    assert {(k.step, k.channel) for k in record.touches} == {("j0", "email"), ("j1", "email")}
    assert carried(stage, record, "2027-01-04 12:05").accepted == 20
    assert carried(stage, record, "2027-01-05 12:10").accepted == 20
    assert sorted(one.touch for one in stage.provider.handed) == sorted(k.touch for k in record.touches)
    with pytest.raises(OmniError, match="time is over"):
        carried(stage, record, "2027-01-06 12:01")


def test_forecasts_bind_nobody(stage: Living) -> None:
    record = keep(stage, at="2027-01-04 12:00", until="2027-01-11 09:00")
    assert {k.step for k in record.touches} == {"j0"}
    assert record.forecasts > 0


def test_a_run_that_is_stopped_and_given_again_sends_nothing_twice(stage: Living) -> None:
    record = keep(stage)

    stage.provider.batch = 5
    stage._clock("2027-01-05 10:05")
    report = carry.carry(stage.store, stage.loaded, record, renderer(stage), now=stage.now, providers=stage.providers,
                         stopping=lambda: len(stage.provider.handed) >= 10)  # fmt: skip
    assert report.exit == Exit.INTERRUPTED
    left = len(stage.provider.handed)
    assert 0 < left < 30
    for at in ("2027-01-05 10:10", "2027-01-05 10:20", "2027-01-05 10:40"):
        carried(stage, record, at)
    sent = [one.touch for one in stage.provider.handed]
    assert len(sent) == len(set(sent))
    assert set(sent) <= {k.touch for k in record.touches}


# --- changed --------------------------------------------------------------------------------------------------------
def template(stage: Living) -> None:
    (stage.folder / "templates" / "sms.txt.j2").write_text("{{ say.body }}!")


def campaign(stage: Living) -> None:
    stage.write(welcome(extra=GOAL).replace("wait: 2 days", "wait: 5 days"))
    stage.loaded = stage.load()


def price(stage: Living) -> None:
    file = stage.folder / "omni.yaml"
    text = file.read_text()
    assert "price: 0.05 EUR" in text
    file.write_text(text.replace("price: 0.05 EUR", "price: 0.06 EUR"))
    stage.loaded = stage.load()


def consent(stage: Living) -> None:
    stage.says("p001", "unsubscribed", channel="email")


def erased(stage: Living) -> None:
    with stage.store.write() as connection:
        connection.exec_driver_sql("UPDATE contact SET erased_at = 1 WHERE source_id = 'p002'")


def name(stage: Living) -> None:
    with stage.store.write() as connection:
        connection.exec_driver_sql("UPDATE contact SET a_first_name = 'Zoé' WHERE source_id = 'p004'")


def bought(stage: Living) -> None:
    stage.says("p005", "purchase")


CHANGES: dict[str, tuple[Callable[[Living], None], str]] = {
    "a template": (template, "template templates/sms.txt.j2 was changed"),
    "the campaign": (campaign, "campaign bienvenue was changed (flow.repos)"),
    "the price": (price, "omni.yaml channels.sms.price was changed"),
    "an erased contact": (erased, "1 erased"),
    "a name": (name, "what offre says to one person"),
    "a purchase": (bought, "one person has left (goal)"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_premise_that_changed_is_named_and_nothing_is_sent(stage: Living, what: str) -> None:
    record = keep(stage)
    change, said = CHANGES[what]
    change(stage)
    assert said in refused(stage, record)


def test_a_consent_that_was_withdrawn_is_named(stage: Living) -> None:
    record = keep(stage)
    consent(stage)
    assert "consent by email of one person" in refused(stage, record)


def test_a_plan_is_void_once_a_touch_of_it_has_expired(stage: Living) -> None:
    record = keep(stage)
    assert "expired" in refused(stage, record, "2027-01-09 10:00")


# --- the file -------------------------------------------------------------------------------------------------------
def test_the_file_holds_no_address_no_name_and_no_text(stage: Living) -> None:
    file = stage.folder / "x.plan"
    keep(stage, file)
    text = file.read_text("utf-8")
    for secret in ("@", "+33", "P001", "p001", "Bonjour"):
        assert secret not in text, secret


@pytest.mark.parametrize("spoil", ["cut", "edit", "not json", "empty", "other"])
def test_a_torn_or_edited_file_is_refused(stage: Living, spoil: str) -> None:
    file = stage.folder / "x.plan"
    keep(stage, file)
    text = file.read_text("utf-8")
    changed = {
        "cut": text[: len(text) // 2], "edit": text.replace('"cost": 1000', '"cost": 2', 1) if '"cost": 1000' in text else text.replace("j0", "j9", 1),
        "not json": "hello", "empty": "", "other": json.dumps({"kind": "omni plan", "format": 9}),
    }[spoil]  # fmt: skip
    file.write_text(changed, "utf-8")
    with pytest.raises(OmniError) as caught:
        written.read(file)
    assert caught.value.exit == Exit.REFUSED


def test_a_plan_of_another_project_environment_store_or_campaign_is_refused(stage: Living) -> None:
    record = keep(stage)
    for other in (
        replace(record, project="x"), replace(record, environment="live"), replace(record, store="x"),
        replace(record, campaigns=(replace(record.campaigns[0], name="y"),)),
    ):  # fmt: skip
        with pytest.raises(OmniError) as caught:
            carry.fits(stage.store, stage.loaded, other, ("bienvenue",), now=stage.now)
        assert caught.value.exit == Exit.REFUSED


def test_a_paused_campaign_is_named(stage: Living) -> None:
    record = keep(stage)
    stage.pause("2027-01-05 10:01")
    with pytest.raises(OmniError, match="'bienvenue' is paused"):
        carried(stage, record)
    assert not stage.provider.handed


def test_the_same_plan_is_the_same_file(stage: Living) -> None:
    a, b = stage.folder / "a.plan", stage.folder / "b.plan"
    keep(stage, a)
    keep(stage, b)
    assert a.read_bytes() == b.read_bytes()


# --- between the check and the sending ------------------------------------------------------------------------------
def test_words_that_change_behind_the_check_do_not_leave(stage: Living) -> None:
    record = keep(stage)
    stage._clock("2027-01-05 10:05")
    carry.checked(stage.store, stage.loaded, record, renderer(stage), now=stage.now)
    (stage.folder / "templates" / "sms.txt.j2").write_text("{{ say.body }}, and more")
    report = carry.carry(stage.store, stage.loaded, record, renderer(stage), now=stage.now, providers=stage.providers)
    assert (report.exit, report.accepted, report.strayed) == (Exit.REFUSED, 20, 10)
    assert {one.channel for one in stage.provider.handed} == {"email"}


# --- approvals ------------------------------------------------------------------------------------------------------
def test_in_live_the_plan_is_the_approval(tmp_path: Path) -> None:
    flow = "- {send: offre, by: email, id: j0, at: next 10:00}"
    stage = Living(tmp_path, a_campaign(flow, extra="guardrails: {approve_above: 10 sends}"))
    stage.start("bienvenue")
    stage.sign_up(*(f"p{n:02}" for n in range(30)))
    stage.run("2027-01-04 11:30")
    planned = stage.plan("2027-01-05 10:00", live=True)
    assert (len(planned.sends), len(planned.held)) == (10, 20)
    bound = stage.plan("2027-01-05 10:00", live=True, binding=True)
    assert (len(bound.sends), len(bound.held)) == (30, 0)


def test_nobody_is_carried_by_a_rehearsal(stage: Living) -> None:
    assert Nowhere(("email",)).name == "rehearsal"
    assert isinstance(Stale((), ("bienvenue",)), OmniError)

"""When free words may go to a person, which template stands in for them, and how many people a day WhatsApp allows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import sqlalchemy as sa
from delivering import OMNI, Delivery, a_campaign, paris

from omnicli.campaigns import windows
from omnicli.campaigns.windows import approved_for, variables
from omnicli.render.skeleton import Skeleton

FLOW = "- {send: offre, by: whatsapp, id: w0}\n- {wait: 1 day, id: w1}\n- {send: offre, by: whatsapp, id: w2}\n- {wait: 9 days, id: repos}"
TWO = OMNI.replace("whatsapp: {provider: twilio,", "whatsapp: {provider: twilio, daily_limit: 2,")
TOLD = 'Bonjour {first_name or "vous"}, {city or "ici"} vous attend, {first_name or "vous"} !'


def a_stage(folder: Path, *, omni: str = OMNI, told: str = "Bonjour") -> Delivery:
    campaign = a_campaign(FLOW).replace("fr: {body: Bonjour,", f"fr: {{body: '{told}',")
    return Delivery(folder, campaign, omni=omni)


def sign_up(stage: Delivery, *names: str, **values: object) -> None:
    stage.sign_up(*names, consent=("whatsapp",), **values)


def writes(stage: Delivery, who: str, at: str, channel: str = "whatsapp") -> None:
    stage.says(who, "replied", at=at, channel=channel, text="Oui")


# --- the window -----------------------------------------------------------------------------------------------------
def test_the_window_ends_a_minute_before_a_day_has_passed_since_the_person_wrote(tmp_path: Path) -> None:
    stage = a_stage(tmp_path)
    sign_up(stage, "lea", "paul", "zoe", first_name="Léa")
    writes(stage, "lea", "2027-01-03 12:00")
    writes(stage, "lea", "2027-01-03 11:00")
    writes(stage, "paul", "2027-01-03 12:00", channel="sms")
    writes(stage, "zoe", "2027-01-03 09:00")  # more than a day ago
    stage.send("2027-01-04 10:00")
    until = {one.contact: one.window_until for one in stage.provider.handed}
    assert until == {"lea": paris("2027-01-04 11:59"), "paul": None, "zoe": None}


def test_a_later_batch_keeps_the_windows_of_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from omnicli.campaigns import claiming as module

    monkeypatch.setattr(module, "CLAIM", 2)
    stage = a_stage(tmp_path)
    people = [f"p{n}" for n in range(7)]
    sign_up(stage, *people)
    for who in people:
        writes(stage, who, "2027-01-04 09:00")
    stage.send("2027-01-04 10:00")
    assert [one.window_until for one in stage.provider.handed] == [paris("2027-01-05 08:59")] * 7


def test_batches_without_whatsapp_ask_nothing_about_windows(tmp_path: Path) -> None:
    stage = Delivery(tmp_path, a_campaign("- {send: offre, by: email, id: j0}\n- {wait: 9 days, id: repos}"))
    stage.sign_up("lea", "paul")
    said: list[str] = []
    for engine in {stage.store.writer, stage.store.reader}:
        sa.event.listen(engine, "before_cursor_execute", lambda _c, _cursor, statement, *_rest: said.append(statement))
    stage.send("2027-01-04 10:00")
    assert len(stage.provider.handed) == 2
    assert not [s for s in said if "machine = 0 AND channel IN" in s or "channel = 'whatsapp'" in s]


# --- the template ---------------------------------------------------------------------------------------------------
def test_the_handed_message_names_its_template_and_its_values_in_order_of_first_appearance(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, told=TOLD)
    sign_up(stage, "lea", first_name="Léa", city="Lyon")
    stage.send("2027-01-04 10:00")
    (one,) = stage.provider.handed
    assert one.approved == "a"
    assert json.loads(one.extra["variables"]) == ["Léa", "Lyon"]


def test_another_person_with_a_city_like_a_name_has_as_many_values(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, told=TOLD)
    sign_up(stage, "lea", first_name="Rose", city="Rose")
    stage.send("2027-01-04 10:00")
    assert json.loads(stage.provider.handed[0].extra["variables"]) == ["Rose", "Rose"]


def test_other_channels_carry_no_template(tmp_path: Path) -> None:
    stage = Delivery(tmp_path, a_campaign("- {send: offre, by: sms, id: j0}\n- {wait: 9 days, id: repos}"))
    stage.sign_up("lea", consent=("sms",))
    stage.send("2027-01-04 10:00")
    assert stage.provider.handed[0].approved is None
    assert "variables" not in stage.provider.handed[0].extra


@pytest.mark.parametrize(
    ("register", "language", "found"),
    [("tu", "fr", "x_tu"), ("vous", "fr", "x"), (None, "fr", "x"), ("tu", "en", None), ("tu", "de", "y_tu")],
)
def test_the_register_comes_before_the_language(register: str | None, language: str, found: str | None) -> None:
    from types import SimpleNamespace

    message = SimpleNamespace(approved={"fr/tu": "x_tu", "fr": "x", "de/tu": "y_tu"})
    assert approved_for(message, language, register) == found  # type: ignore[arg-type]


def test_a_value_that_repeats_another_by_its_origin_counts_once() -> None:
    skeleton = Skeleton("h", "whatsapp", "", {"body": (1, " ", 0, " ", 2, " ", 1)}, b"", twins={2: (0, "=")})
    assert variables(skeleton, ("a", "b", "a")) == ["b", "a"]


# --- so many people a day (WA-03) -----------------------------------------------------------------------------------
@pytest.mark.guards("whatsapp_limit")
def test_whatsapp_reaches_so_many_people_a_day_and_the_others_wait(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, omni=TWO)
    sign_up(stage, "ann", "bea", "cleo", "dora")
    assert stage.send("2027-01-04 10:00").accepted == 2
    assert stage.rows("SELECT send_state, held_by, count(*) FROM touch GROUP BY 1, 2 ORDER BY 1") == [
        ("accepted", None, 2),
        ("planned", "rate", 2),
    ]
    assert stage.send("2027-01-04 18:00").accepted == 0
    stage.send("2027-01-05 10:01")  # a day has passed: two places came free, and the first two are due again
    reached = {one.contact for one in stage.provider.handed}
    assert len(stage.provider.handed) == 4
    assert len({(one.contact, one.step) for one in stage.provider.handed}) == 4
    assert len(reached) >= 2


def test_people_inside_their_window_are_not_counted(tmp_path: Path) -> None:
    stage = a_stage(tmp_path, omni=TWO)
    sign_up(stage, "ann", "bea", "cleo", "dora")
    for who in ("ann", "bea", "cleo"):
        writes(stage, who, "2027-01-04 09:00")
    assert stage.send("2027-01-04 10:00").accepted == 4
    sign_up(stage, "eve", "fay")
    assert stage.send("2027-01-04 11:00").accepted == 1


def test_a_person_who_was_counted_today_is_not_counted_twice(tmp_path: Path) -> None:
    flow = "- {send: offre, by: whatsapp, id: w0}\n- {wait: 2 hours, id: w1}\n- {send: autre, by: whatsapp, id: w2}\n- {wait: 9 days, id: repos}"
    more = "  autre:\n    say: {fr: {body: Encore, subject: Encore}, en: {body: Again, subject: Again}}\n    approved: {fr: a, en: a}\n"
    stage = Delivery(tmp_path, a_campaign(flow, messages=more), omni=TWO)
    sign_up(stage, "ann", "bea")
    assert stage.send("2027-01-04 10:00").accepted == 2
    assert stage.send("2027-01-04 12:30").accepted == 2


def test_the_limit_is_looked_at_person_by_person_only_when_it_can_be_met(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = a_stage(tmp_path)  # 250 a day
    sign_up(stage, "ann", "bea")

    def never(*_args: object, **_options: object) -> set[bytes]:
        raise AssertionError("nobody need be told apart")

    monkeypatch.setattr(windows.windows, "outside", never)
    assert stage.send("2027-01-04 10:00").accepted == 2


@pytest.mark.sqlite_only(reason="EXPLAIN QUERY PLAN")
def test_the_index_answers_who_was_written_to_lately(tmp_path: Path) -> None:
    stage = a_stage(tmp_path)
    plan = stage.rows(
        "EXPLAIN QUERY PLAN SELECT count(*) FROM (SELECT 1 FROM touch WHERE channel = 'whatsapp' AND send_state IN"
        " ('sending','accepted','unknown','parked') AND (settled_at > 5 OR settled_at IS NULL) LIMIT 9) AS few"
    )
    assert "touch_whatsapp" in str(plan)

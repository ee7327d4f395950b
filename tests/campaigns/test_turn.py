"""A turn on a real store: order, caps across campaigns, money, versions, pauses, and statements that never scan who waits."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from stage import OMNI, Stage, a_campaign, paris

from omnicli import clock
from omnicli.model.decision import Tally
from omnicli.store import turns

SEND = "- {send: offre, id: j0, by: email, else: [sms]}\n- {wait: 3 days, id: w}"
AT_NINE = "{at: 2027-01-04 09:00}"


def everybody(stage: Stage, names: str = "abcdefg", **values: Any) -> None:
    for name in names:
        stage.person(name, **{"consent": ("email", "sms"), **values})


def limits(**guardrails: str) -> str:
    """The project with these guardrails instead of the wide open ones."""
    head, _, _ = OMNI.partition("guardrails:")
    return head + "guardrails:\n" + "".join(f"  {key}: {value}\n" for key, value in guardrails.items())


# --- order, rounds, batches -------------------------------------------------------------------------------------------
def test_everybody_who_is_due_is_decided_whatever_the_size_of_a_batch(tmp_path: Path) -> None:
    for batch in (1, 3, 1000):
        stage = Stage(tmp_path / str(batch), a_campaign(SEND, enter=AT_NINE))
        everybody(stage)
        assert [line.split()[0] for line in stage.run("2027-01-04 09:00", batch=batch)] == list("abcdefg")


def test_running_the_same_instant_twice_sends_nothing_more(tmp_path: Path) -> None:
    stage = Stage(tmp_path, a_campaign(SEND, enter=AT_NINE))
    everybody(stage)
    assert len(stage.run("2027-01-04 09:00")) == 7
    before = stage.rows("SELECT key, step, due_at, wait_until FROM enrollment"), stage.rows("SELECT count(*) FROM decision")
    assert stage.run("2027-01-04 09:00") == []
    assert (
        stage.rows("SELECT key, step, due_at, wait_until FROM enrollment"),
        stage.rows("SELECT count(*) FROM decision"),
    ) == before


def test_when_a_cap_leaves_room_for_one_the_campaign_of_the_first_priority_goes(tmp_path: Path) -> None:
    first = a_campaign(SEND, name="urgent", enter=AT_NINE, extra="priority: 1")
    last = a_campaign(SEND, name="apres", enter="{at: 2027-01-04 08:30}", extra="priority: 9")
    stage = Stage(
        tmp_path, first, last, omni=limits(quiet_hours="[]", cap="{all: 1 per day}", at_cap="wait up to 2 days, else skip")
    )
    everybody(stage, "abc")
    report = {}
    stage.now = paris("2027-01-04 09:00")
    stage.enter()
    report = stage.turn(batch=2)
    assert (report.touches["planned", "email"], report.held["cap"]) == (3, 3)
    assert {row[0] for row in stage.rows("SELECT priority FROM touch")} == {1}
    stage.deliver()
    assert [line.split()[0] for line in stage.run("2027-01-05 00:00")] == list("abc")


def test_transactional_and_service_touches_go_before_all(tmp_path: Path) -> None:
    stage = Stage(tmp_path, a_campaign(SEND, enter=AT_NINE, extra="purpose: service\npriority: 9"))
    everybody(stage, "a", consent=(), addresses=("email",))
    assert stage.run("2027-01-04 09:00") == ["a j0 email accepted 2027-01-04 09:00"]
    assert stage.row("SELECT priority, purpose FROM touch") == (0, "service")
    assert stage.rows("SELECT * FROM cap_slot") == []


def test_a_touch_still_in_the_outbox_counts_towards_caps(tmp_path: Path) -> None:
    one, two = (
        a_campaign(SEND, name=name, enter=f"{{at: 2027-01-04 {hour}}}") for name, hour in (("un", "09:00"), ("deux", "10:00"))
    )
    stage = Stage(tmp_path, one, two, omni=limits(quiet_hours="[]", cap="{all: 1 per day}", at_cap="skip"))
    everybody(stage, "a")
    for hour in ("09:00", "10:00"):
        stage.now = paris(f"2027-01-04 {hour}")
        stage.enter()
        stage.turn()
    assert [line.split()[1:5] for line in stage.touches()] == [
        ["j0", "email", "planned", "2027-01-04"],
        ["j0", "email", "skipped:", "capped"],
    ]


def test_at_most_so_many_decisions_when_told(tmp_path: Path) -> None:
    stage = Stage(tmp_path, a_campaign(SEND, enter=AT_NINE))
    everybody(stage)
    stage.now = paris("2027-01-04 09:00")
    stage.enter()
    assert stage.turn(limit=3).decided == 3
    assert stage.turn().decided == 4


# --- money ------------------------------------------------------------------------------------------------------------
def test_the_budget_of_all_versions_together_holds_what_it_does_not_cover(tmp_path: Path) -> None:
    by_sms = SEND.replace("email, else: [sms]", "sms")
    stage = Stage(tmp_path, a_campaign(by_sms, enter=AT_NINE, extra="guardrails: {budget: 0.15 EUR}"))
    everybody(stage)
    assert len(stage.run("2027-01-04 09:00")) == 3
    assert Counter(line.split(" ", 2)[2] for line in stage.passes()) == {"at w": 3, "at j0 held budget": 4}
    assert stage.run("2027-01-04 10:00") == []
    stage.rewrite(a_campaign(by_sms, enter=AT_NINE, extra="guardrails: {budget: 0.25 EUR}"))
    assert len(stage.run("2027-01-04 11:00")) == 2
    assert stage.run("2027-01-07 09:30") == []
    assert Counter(row[0] for row in stage.rows("SELECT reason FROM touch WHERE reason IS NOT NULL")) == {"budget": 2}


def test_above_the_ceiling_nothing_of_the_excess_leaves_until_it_is_approved(tmp_path: Path) -> None:
    stage = Stage(tmp_path, a_campaign(SEND, enter=AT_NINE, extra="guardrails: {approve_above: 5 sends}"))
    everybody(stage)
    assert len(stage.run("2027-01-04 09:00", live=True, tally=Tally())) == 5
    assert Counter(line.split(" ", 2)[2] for line in stage.passes()) == {"at w": 5, "at j0 held approval": 2}
    assert len(stage.run("2027-01-04 09:10", live=True, tally=Tally(sends={"bienvenue": 5}))) == 0
    assert len(stage.run("2027-01-04 09:20", live=True, approved={"bienvenue"})) == 2


def test_in_the_sandbox_nothing_needs_an_approval(tmp_path: Path) -> None:
    stage = Stage(tmp_path, a_campaign(SEND, enter=AT_NINE, extra="guardrails: {approve_above: 5 sends}"))
    everybody(stage)
    assert len(stage.run("2027-01-04 09:00")) == 7


# --- steps --------------------------------------------------------------------------------------------------------------
def test_a_set_is_seen_by_what_follows_in_the_same_run_and_written_once(tmp_path: Path) -> None:
    flow = """
    - {set: {orders: +1, city: Orléans, basket: 12.50 EUR, source: google, renewal: 2027-05-01}}
    - choose:
        - {if: orders = 1 and city = orleans and basket > 12 EUR and source = google, do: [{set: {city: clear}}, {exit: vu}]}
    """
    stage = Stage(tmp_path, a_campaign(flow, enter=AT_NINE))
    everybody(stage, "ab")
    stage.run("2027-01-04 09:00")
    assert stage.passes() == ["a bienvenue vu", "b bienvenue vu"]
    assert set(stage.rows("SELECT a_orders, a_city, f_city, a_basket, a_source, a_renewal FROM contact")) == {
        (1.0, None, None, 1250, "google", "2027-05-01")
    }


def test_a_refusal_before_acceptance_goes_on_by_the_next_channel(tmp_path: Path) -> None:
    stage = Stage(tmp_path, a_campaign(SEND, enter=AT_NINE))
    everybody(stage, "a")
    stage.now = paris("2027-01-04 09:00")
    stage.enter()
    stage.turn()
    stage.deliver("rejected")
    stage.turn()
    stage.deliver()
    stage.turn()
    assert stage.touches() == ["a j0 email rejected: refused 2027-01-04 09:00", "a j0 sms accepted 2027-01-04 09:00"]
    assert stage.passes() == ["a bienvenue at w"]


def test_a_touch_of_unknown_fate_holds_the_pass(tmp_path: Path) -> None:
    stage = Stage(tmp_path, a_campaign(SEND, enter=AT_NINE))
    everybody(stage, "a")
    stage.now = paris("2027-01-04 09:00")
    stage.enter()
    stage.turn()
    stage.deliver("unknown")
    assert stage.run("2027-02-04 09:00") == []
    assert stage.passes() == ["a bienvenue at j0"]
    stage.says("a", "delivered", at="2027-02-04 10:00", channel="email")  # a guess which touch it answers proves nothing
    with stage.store.write() as connection:  # the attempt that the proof settles
        connection.exec_driver_sql(
            "INSERT INTO handover (id, provider, account, size, started_at, outcome) VALUES (1, 'p', 'a', 1, 0, 'unknown')"
        )
        connection.exec_driver_sql(
            "INSERT INTO attempt (touch_id, n, handover_id, fence, outcome, address_hash, body_sha256, started_at) "
            "SELECT id, 1, 1, 0, 'unknown', touch_key, touch_key, 0 FROM touch"
        )
    stage.run("2027-02-04 10:00")
    assert stage.row("SELECT send_state, delivery_state FROM touch") == ("unknown", "delivered")
    stage.says("a", "delivered", at="2027-02-04 11:00", touch=stage.row("SELECT lower(hex(touch_key)) FROM touch")[0])
    stage.run("2027-02-04 11:00")
    assert stage.row("SELECT send_state, delivery_state FROM touch") == ("accepted", "delivered")
    assert stage.passes() == ["a bienvenue at w"]


def test_an_exit_drops_the_touch_that_has_not_left(tmp_path: Path) -> None:
    stage = Stage(tmp_path, a_campaign(SEND, enter=AT_NINE, extra="goal: {when: purchase}"))
    everybody(stage, "a")
    stage.now = paris("2027-01-04 09:00")
    stage.enter()
    stage.turn()
    stage.now = paris("2027-01-04 09:01")
    stage.says("a", "purchase", value="5 EUR")
    stage.fold()
    stage.turn()
    assert stage.touches() == ["a j0 email skipped: ended 2027-01-04 09:01"]
    assert stage.passes() == ["a bienvenue goal"]


def test_a_wait_reached_after_its_answers_came_in_still_takes_the_earliest(tmp_path: Path) -> None:
    flow = """
    - {send: offre, id: j0, by: email}
    - wait: up to 2 days
      id: w
      for: {purchase: [{exit: acheté}], clicked: [{exit: clic}], nothing: []}
    """
    stage = Stage(tmp_path, a_campaign(flow, enter=AT_NINE))
    everybody(stage, "a")
    stage.now = paris("2027-01-04 09:00")
    stage.enter()
    stage.turn()
    stage.deliver()  # accepted, and the run dies before the next round
    stage.says("a", "purchase", at="2027-01-04 12:00", value="5 EUR")
    stage.says("a", "clicked", at="2027-01-04 11:00", channel="email")
    stage.run("2027-01-05 09:00")
    assert stage.passes() == ["a bienvenue clic"]


def test_a_call_waits_for_its_answer(tmp_path: Path) -> None:
    flow = "- {call: crm, id: appel, with: {ville: contact.city}, on_failure: exit}\n- {wait: 1 day, id: w}"
    stage = Stage(tmp_path, a_campaign(flow, enter=AT_NINE))
    everybody(stage, "a")
    stage.now = paris("2027-01-04 09:00")
    stage.enter()
    stage.turn()
    assert stage.row("SELECT channel, message, purpose, priority FROM touch") == ("webhook", "crm", "transactional", 0)
    stage.deliver("rejected")
    stage.turn()
    assert stage.passes() == ["a bienvenue call failed: crm"]


def test_best_hour_is_read_from_the_persons_own_answers(tmp_path: Path) -> None:
    stage = Stage(tmp_path, a_campaign("- {send: offre, id: j0, by: email, at: best hour}", enter="{at: 2027-01-20 09:00}"))
    everybody(stage, "ab")
    for n in range(5):
        stage.says("a", "clicked", at=f"2027-01-{10 + n} 18:30", channel="email")
        stage.says("b", "clicked", at=f"2027-01-{10 + n} 18:30", channel="email", machine=True)
    stage.run("2027-01-20 09:00")
    assert stage.rows("SELECT c.source_id, e.due_at FROM enrollment e JOIN contact c ON c.id = e.contact_id ORDER BY 1") == [
        ("a", clock.to_ms(paris("2027-01-20 18:00"))),
        ("b", clock.to_ms(paris("2027-01-20 10:00"))),
    ]


# --- life -----------------------------------------------------------------------------------------------------------------
def test_a_pass_finishes_by_the_version_it_entered_under_the_newest_guardrails(tmp_path: Path) -> None:
    old = "- {send: offre, id: j0, by: email}\n- {wait: 1 day, id: w}\n- {send: offre, id: vieux, by: email}"
    new = "- {send: offre, id: j0, by: email}\n- {wait: 1 day, id: w}\n- {send: offre, id: neuf, by: email}"
    stage = Stage(tmp_path, a_campaign(old))
    everybody(stage, "ab")
    stage.says("a", "signup")
    stage.run("2027-01-04 09:00")
    stage.rewrite(a_campaign(new, extra="guardrails: {quiet_hours: [tuesday]}"))
    stage.says("b", "signup", at="2027-01-04 10:00")
    stage.run("2027-01-04 10:00")
    assert stage.run("2027-01-05 11:00") == []  # Tuesday, for everybody
    assert sorted(line.split()[1] for line in stage.run("2027-01-06 00:30")) == ["neuf", "vieux"]


def test_while_paused_people_hold_still_but_exits_and_goals_act(tmp_path: Path) -> None:
    stage = Stage(tmp_path, a_campaign("- {wait: 1 day, id: calme}\n" + SEND, extra="goal: {when: purchase}"))
    everybody(stage, "ab")
    for name in "ab":
        stage.says(name, "signup")
    stage.run("2027-01-04 09:00")
    stage.state("bienvenue", state="paused", pause_people="hold")
    stage.says("a", "purchase", at="2027-01-04 12:00", value="5 EUR")
    assert stage.run("2027-01-05 12:00") == []
    assert stage.passes() == ["a bienvenue goal", "b bienvenue at calme"]
    stage.state("bienvenue", state="running", pause_people=None)
    assert stage.run("2027-01-05 13:00") == ["b j0 email accepted 2027-01-05 13:00"]


def test_paused_with_people_finish_those_inside_go_on(tmp_path: Path) -> None:
    stage = Stage(tmp_path, a_campaign(SEND))
    everybody(stage, "ab")
    stage.says("a", "signup")
    stage.now = paris("2027-01-04 09:00")
    stage.fold()
    stage.enter()
    stage.state("bienvenue", state="paused", pause_people="finish")
    stage.says("b", "signup")
    assert stage.run("2027-01-04 09:10") == ["a j0 email accepted 2027-01-04 09:10"]


def test_a_stopped_campaign_decides_nothing(tmp_path: Path) -> None:
    stage = Stage(tmp_path, a_campaign(SEND))
    everybody(stage, "a")
    stage.says("a", "signup")
    stage.fold()
    stage.enter()
    stage.state("bienvenue", state="stopped")
    assert stage.turn().decided == 0


def test_after_a_resume_the_overdue_leave_within_the_spread(tmp_path: Path) -> None:
    stage = Stage(tmp_path, a_campaign("- {send: offre, id: j0, by: email, at: next 10:00}", enter=AT_NINE))
    everybody(stage)
    stage.run("2027-01-04 09:00")
    with stage.store.write() as connection:
        connection.execute(sa.text("UPDATE enrollment SET spread = 1"))
    assert stage.run("2027-01-04 15:00") == []
    assert {line.split()[-1] for line in stage.passes()} == {"paused"}
    assert len(stage.run("2027-01-04 15:30")) == 7


# --- two stores, and what statements do ------------------------------------------------------------------------------------
def whole(stage: Stage) -> list[Any]:
    """Everything that a turn writes, without integer ids."""
    return [
        stage.rows(
            "SELECT key, step, since, wait_from, wait_until, due_at, held_by, state, reason, converted_at FROM enrollment ORDER BY key"
        ),
        stage.rows("SELECT touch_key, step, channel, send_state, reason, due_at, expires_at, cost FROM touch ORDER BY touch_key"),
        stage.rows(
            "SELECT e.key, d.at, d.step, d.kind, d.why FROM decision d JOIN enrollment e ON e.id = d.enrollment_id ORDER BY e.key, d.id"
        ),
    ]


def test_two_stores_filled_in_different_order_of_contacts_end_equal(tmp_path: Path) -> None:
    flow = """
    - {send: offre, id: j0, by: preferred, else: [sms], at: next 10:00}
    - {wait: up to 1 day, id: w, for: {clicked: [{exit: clic}], nothing: []}}
    - split: {a: {share: 50 %, do: [{send: offre, id: ra, by: sms}]}, b: {share: 50 %, do: [{wait: 1 day, id: wb}]}}
      id: s
    - {send: offre, id: fin, by: email}
    """
    campaign = a_campaign(flow, extra="holdout: 20 %\nguardrails: {budget: 0.5 EUR}", enter="{when: signup, limit: 12 per day}")
    stages = []
    for name, order in (("a", range(30)), ("b", list(reversed(range(30))))):
        stage = Stage(tmp_path / name, campaign, omni=limits(quiet_hours="[20:00-09:00]", cap="{all: 1 per 2 days}"))
        for n in order:
            stage.person(f"p{n}", consent=("email", "sms") if n % 3 else ("sms",), source="instagram" if n % 2 else "google")
        for n in order:
            stage.says(f"p{n}", "signup", id=f"s{n}")
        for n, hour in enumerate(range(8, 24 * 9, 5)):
            stage.now = paris("2027-01-04 00:00").replace(day=4 + hour // 24, hour=hour % 24)
            if n % 4 == 1:
                stage.says(f"p{n}", "clicked", id=f"c{n}")
            stage.run(batch=7)
        stages.append(stage)
    first, second = (whole(stage) for stage in stages)
    assert first == second
    assert len(first[1]) > 30


def watched(stage: Stage, deed: Any) -> list[tuple[str, Any]]:
    """Every statement that the deed sends, with its parameters."""
    seen: list[tuple[str, Any]] = []

    def note(_conn: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        seen.append((statement, parameters[0] if many else parameters))

    engines = {stage.store.writer, stage.store.reader}
    for engine in engines:
        sa.event.listen(engine, "before_cursor_execute", note)
    try:
        deed()
    finally:
        for engine in engines:
            sa.event.remove(engine, "before_cursor_execute", note)
    return seen


FULL = """
- {send: offre, id: j0, by: preferred, else: [email], at: next 10:00, if: orders = 0 and not clicked offre}
- {wait: up to 3 days, id: w, for: {clicked: [{set: {orders: +1}}], replied: [{exit: r}], nothing: []}}
- {send: offre, id: fin, by: email, at: best hour, if: count(purchase) = 0}
"""


def a_busy_stage(folder: Path, people: int) -> Stage:
    extra = (
        "goal: {when: purchase}\nexit: [{if: orders > 3}, {when: purchase where (value > 5 EUR)}]\nguardrails: {budget: 100 EUR}"
    )
    stage = Stage(folder, a_campaign(FULL, extra=extra, enter="{when: signup, if: orders = 0}"))
    for n in range(people):
        stage.person(f"p{n}", consent=("email", "sms"), orders=0)
        stage.says(f"p{n}", "signup")
    return stage


def a_life(stage: Stage) -> None:
    stage.run("2027-01-04 09:00")
    stage.run("2027-01-05 10:00")
    stage.says("p0", "clicked", at="2027-01-05 12:00", channel="email")
    stage.run("2027-01-05 12:00")
    stage.run("2027-01-08 10:00")
    stage.run("2027-01-09 10:00")


#: Statements by which the stage itself looks and delivers.
OF_THE_STAGE = ("source_id", "SELECT touch.id, touch.contact_id, touch.channel, touch.purpose")


@pytest.mark.sqlite_only(reason="EXPLAIN QUERY PLAN; test_postgres_plans.py asks PostgreSQL")
def test_no_statement_of_a_turn_a_fold_or_an_entry_scans_passes_people_events_or_touches(tmp_path: Path) -> None:
    stage = a_busy_stage(tmp_path, 5)
    statements = dict(watched(stage, lambda: a_life(stage)))
    assert len(statements) > 40
    scans = []
    with stage.store.read() as connection:
        for sql, parameters in statements.items():
            if sql.split()[0] in ("SELECT", "UPDATE", "INSERT", "DELETE") and not any(words in sql for words in OF_THE_STAGE):
                plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", parameters).all()
                scans += [
                    (sql, row[-1])
                    for row in plan
                    if row[-1].startswith("SCAN")
                    and any(t in row[-1].split() for t in ("enrollment", "e", "contact", "event", "e1", "touch", "t", "waiting"))
                ]
    assert scans == []


def test_the_number_of_statements_does_not_depend_on_the_number_of_people(tmp_path: Path) -> None:
    counts = []
    for people in (20, 45):  # rows go some fifty a statement
        stage = a_busy_stage(tmp_path / str(people), people)
        stage.run("2027-01-04 09:00")
        stage.now = paris("2027-01-05 10:00")
        counts.append(len(watched(stage, stage.turn)))
    assert counts[0] == counts[1]


@pytest.mark.sqlite_only(reason="EXPLAIN QUERY PLAN; test_postgres_plans.py asks PostgreSQL")
def test_due_ids_come_from_the_index_alone(tmp_path: Path) -> None:
    stage = a_busy_stage(tmp_path, 2)
    stage.run("2027-01-04 09:00")
    with stage.store.read() as connection:
        found = watched(stage, lambda: turns.due(connection, [1], now=stage.now, limit=10, after=(0, b"")))
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {found[-1][0]}", found[-1][1]).all()
    assert [row[-1] for row in plan] == ["SEARCH enrollment USING COVERING INDEX ix_enrollment_due (due_at>? AND due_at<?)"]


@pytest.mark.parametrize("waiting", [0, 400])
def test_an_empty_turn_asks_only_whether_somebody_is_due(tmp_path: Path, waiting: int) -> None:
    stage = Stage(tmp_path, a_campaign("- {wait: 30 days, id: w}", enter=AT_NINE))
    for n in range(waiting):
        stage.person(f"p{n}")
    stage.run("2027-01-04 09:00")
    stage.now = paris("2027-01-05 09:00")
    assert len([sql for sql, _ in watched(stage, stage.turn) if not sql.startswith(("BEGIN", "PRAGMA"))]) <= 4

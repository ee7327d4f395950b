"""Every other verb, and the order of an instant: exits, goal, guardrails, step (docs/language 4.2, 4.5, 8)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from houses import NOW, a_house, a_standing, after, answer, at, came, line

from omnicli.engine import chance
from omnicli.engine.questions import Questions, questions
from omnicli.model.contact import ChannelReach
from omnicli.model.ids import contact_uid
from omnicli.model.literals import Percent

WAIT = """
- wait: up to 3 days
  id: reponse
  for:
    clicked: [{wait: 1 day, id: reflexion}]
    replied: [{exit: a répondu}]
    nothing: [{send: offre, id: rappel, by: sms}]
- {wait: 2 days, id: fin}
"""


def waiting(*, clicked: str | None = None, replied: str | None = None, **changes: object):
    """Somebody in the wait `reponse`, open from 4 January 11:30 to 7 January 11:30."""
    firsts = {("wait", "clicked"): at(clicked) if clicked else None, ("wait", "replied"): at(replied) if replied else None}
    return a_standing("reponse", wait_from=at(NOW), wait_until=at("2027-01-07 11:30"), firsts=firsts, **changes)


# --- wait -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("wait", "until"),
    [
        ("3 days", "01-07 11:30"),
        ("2 hours", "01-04 13:30"),
        ("1 month", "02-04 11:30"),
        ("until next 10:00", "01-05 10:00"),
        ("until 5 days after enter", "01-09 11:30"),
        ("until contact.renewal at 08:00", "01-20 08:00"),
    ],
)
def test_a_wait_stands_until_its_end(wait: str, until: str) -> None:
    house = a_house(f"- {{wait: {wait}, id: w}}\n- {{exit: done}}")
    assert line(answer(house, a_standing(attributes={"renewal": "2027-01-20"}))) == f"wait at w until {until}"


def test_days_of_a_wait_are_calendar_days_when_the_clocks_change() -> None:
    house = a_house("- {wait: 1 day, id: w}")
    assert line(answer(house, a_standing(), "2027-03-27 10:00")) == "wait at w until 03-28 10:00"


def test_a_moment_that_is_past_or_missing_passes_the_wait_at_once() -> None:
    assert line(answer(a_house("- {wait: until 2027-01-02 10:00, id: w}"), a_standing())) == "ended end"
    assert line(answer(a_house("- {wait: until contact.renewal, id: w}"), a_standing())) == "ended end"


def test_a_step_is_reached_at_the_end_of_the_timer_that_led_to_it_so_a_late_tick_delays_nobody_twice() -> None:
    house = a_house("- {wait: 3 days, id: w}\n- {wait: 2 days, id: fin}")
    over = a_standing("w", wait_from=at(NOW), wait_until=at("2027-01-07 11:30"))
    assert line(answer(house, over, "2027-01-08 06:00")) == "wait at fin until 01-09 11:30"


def test_waits_that_were_slept_through_are_passed_one_after_another() -> None:
    house = a_house("- {wait: 3 days, id: w}\n- {wait: 2 days, id: fin}")
    over = a_standing("w", wait_from=at(NOW), wait_until=at("2027-01-07 11:30"))
    assert line(answer(house, over, "2027-03-01 06:00")) == "ended end"


def test_the_answer_takes_its_branch_the_step_is_reached_at_the_turn() -> None:
    house = a_house(WAIT)
    assert line(answer(house, waiting(clicked="2027-01-04 12:00"), "2027-01-05 08:00")) == "wait at reflexion until 01-06 08:00"
    assert line(answer(house, waiting(replied="2027-01-04 12:00"), "2027-01-05 08:00")) == "ended a répondu"


def test_the_earliest_answer_wins_and_ties_go_by_the_order_of_the_file() -> None:
    house = a_house(WAIT)
    assert (
        line(answer(house, waiting(clicked="2027-01-05 12:00", replied="2027-01-05 11:00"), "2027-01-06 08:00"))
        == "ended a répondu"
    )
    tie = waiting(clicked="2027-01-05 11:00", replied="2027-01-05 11:00")
    assert line(answer(house, tie, "2027-01-06 08:00")).startswith("wait at reflexion")


def test_a_late_answer_still_wins_while_the_wait_is_not_left() -> None:
    late = waiting(clicked="2027-01-07 11:29")
    assert line(answer(a_house(WAIT), late, "2027-01-08 09:00")).startswith("wait at reflexion")


def test_silence_until_the_end_takes_nothing_and_falls_through_afterwards() -> None:
    house = a_house(WAIT)
    decision = answer(house, waiting(), "2027-01-07 11:30")
    assert line(decision) == "rappel sms planned · send at rappel until touch"
    assert (
        line(answer(house, after("rappel", channel="sms", when="2027-01-07 11:30"), "2027-01-07 11:30"))
        == "wait at fin until 01-09 11:30"
    )


def test_an_answer_that_matches_no_branch_leaves_the_timer() -> None:
    decision = answer(a_house(WAIT), replace(waiting(), due_at=at("2027-01-05 09:00")), "2027-01-05 09:00")
    assert (decision.kind, line(decision)) == ("stay", "stay at reponse until 01-07 11:30")


def test_a_wait_whose_clock_started_before_asks_again_at_once_for_answers_in_its_window() -> None:
    house = a_house("- {send: offre, id: j0, by: email}\n" + WAIT.strip())
    decision = answer(house, after("j0", when="2027-01-04 09:00"))
    assert line(decision) == "again at reponse until 01-04 11:30 again"
    assert decision.stand is not None
    assert (decision.stand.wait_from, decision.stand.wait_until) == (at("2027-01-04 09:00"), at("2027-01-07 09:00"))


def test_the_clock_starts_at_acceptance_only_right_after_a_send() -> None:
    house = a_house("- {send: offre, id: j0, by: email}\n- {choose: [{else: []}]}\n- {wait: 1 day, id: w}")
    assert line(answer(house, after("j0", when="2027-01-04 09:00"))) == "wait at w until 01-05 11:30"


# --- choose, split, set, call, go, exit --------------------------------------------------------------------------------
CHOOSE = """
- choose:
    - {if: orders = 0, do: [{wait: 1 day, id: zero}]}
    - {if: orders > 5, do: [{wait: 2 days, id: many}]}
    - {else: [{wait: 3 days, id: few}]}
"""


@pytest.mark.parametrize(("truths", "step"), [((True, True), "zero"), ((False, True), "many"), ((False, False), "few")])
def test_the_first_true_branch_is_taken_else_the_else(truths: tuple[bool, bool], step: str) -> None:
    standing = a_standing(truths=dict(zip(("orders = 0", "orders > 5"), truths, strict=True)))
    assert line(answer(a_house(CHOOSE), standing)).startswith(f"wait at {step} ")


def test_none_true_and_no_else_falls_through() -> None:
    house = a_house("- {choose: [{if: orders = 0, do: [{exit: x}]}]}\n- {wait: 1 day, id: w}")
    assert line(answer(house, a_standing(truths={"orders = 0": False}))).startswith("wait at w")


def test_what_was_not_asked_yet_ends_the_round_there() -> None:
    house = a_house("- {send: offre, id: j0, by: email}\n- {choose: [{if: orders = 0, do: [{exit: x}]}]}")
    decision = answer(house, a_standing(consent=()))
    assert line(decision) == "j0 email skipped: unreachable · skip at flow.1 until 01-04 11:30 again"
    assert line(answer(house, a_standing("flow.1", truths={"orders = 0": True}))) == "ended x"


SPLIT = """
- split:
    a: {share: 45 %, do: [{exit: a}]}
    b: {share: 45 %, do: [{exit: b}]}
    temoin: {share: 10 %, do: []}
  id: test
"""


def test_the_arm_is_a_hash_of_names_and_an_empty_arm_falls_through() -> None:
    house = a_house(SPLIT)
    ends = {who: line(answer(house, a_standing(who=who))) for who in (f"c{n}" for n in range(400))}
    shares = {end: sum(1 for e in ends.values() if e == end) for end in set(ends.values())}
    assert shares.keys() == {"ended a", "ended b", "ended end"}
    assert 150 < shares["ended a"] < 210
    assert 20 < shares["ended end"] < 65
    assert line(answer(a_house(SPLIT, pins={"test": "b"}), a_standing())) == "ended b"


def test_arms_are_cut_in_file_order_and_a_share_of_zero_takes_nobody() -> None:
    shares = {"none": Percent.parse("0 %"), "all": Percent.parse("100 %")}
    names = ("p", "c", "s")
    assert {chance.arm(names, contact_uid("p", str(n)), 1, shares=shares) for n in range(50)} == {"all"}
    assert chance.arm(names, b"x" * 16, 1, shares={"a": Percent.parse("50 %"), "b": Percent.parse("50 %")}) in ("a", "b")


def test_a_smaller_holdout_is_part_of_a_larger_one() -> None:
    def out(share: str) -> set[int]:
        return {n for n in range(3000) if chance.held_out("p", "c", contact_uid("p", str(n)), share=Percent.parse(share))}

    assert out("5 %") < out("10 %")
    assert 220 < len(out("10 %")) < 380
    assert not any(chance.held_out("p", "c", contact_uid("p", str(n)), share=None) for n in range(10))


def test_a_set_ends_the_round_and_what_follows_sees_it() -> None:
    house = a_house("- {set: {orders: +1, city: Lyon}}\n- {choose: [{if: orders = 0, do: [{exit: x}]}]}")
    decision = answer(house, a_standing())
    assert [(w.attribute, w.kind, w.value) for w in decision.writes] == [("orders", "+", "1"), ("city", "=", "Lyon")]
    assert line(decision) == "set at flow.1 until 01-04 11:30 again"
    assert answer(a_house("- {set: {city: clear}}"), a_standing()).ended == "end"


def test_a_call_is_a_touch_of_the_webhook_channel() -> None:
    house = a_house("- {call: crm, id: appel, with: {c: contact.city}, on_failure: exit}\n- {wait: 1 day, id: w}")
    decision = answer(house, a_standing())
    assert line(decision) == "appel webhook planned · send at appel until touch"
    assert (decision.touches[0].purpose, decision.touches[0].message, decision.touches[0].slot) == ("transactional", "crm", None)
    done = replace(after("appel", channel="webhook"), wait_until=None)
    assert line(answer(house, done)) == "wait at w until 01-05 11:30"
    failed = replace(after("appel", "skipped", channel="webhook", reason="exhausted"), wait_until=None)
    assert line(answer(house, failed)) == "ended call failed: crm"
    assert line(answer(house, a_standing(held_out=True))) == "appel webhook held_out · held_out at w until 01-05 11:30"


def test_go_jumps_to_a_later_step_and_exit_ends_with_its_reason() -> None:
    assert line(answer(a_house("- {go: w}\n- {exit: jamais}\n- {wait: 1 day, id: w}"), a_standing())).startswith("wait at w")
    assert line(answer(a_house("- {exit: assez}\n- {wait: 1 day, id: w}"), a_standing())) == "ended assez"


def test_after_the_last_step_the_pass_ends() -> None:
    assert line(answer(a_house("- {send: offre, id: j0, by: email}"), after("j0"))) == "ended end"


# --- exits and goal ---------------------------------------------------------------------------------------------------
GOAL = "goal: {when: purchase, within: 30 days}\nexit:\n  - {if: orders > 0, as: already customer}\n  - {when: visit}"


def judged(*, goal: str | None = None, visit: str | None = None, orders: bool = False, **changes: object):
    firsts = {("enter", "purchase"): at(goal) if goal else None, ("enter", "visit"): at(visit) if visit else None}
    return came("j0", "2027-01-20 10:00", firsts=firsts, truths={"orders > 0": orders}, **changes)


GOING = "- {send: offre, id: j0, by: email, at: 2027-01-20 10:00}"


@pytest.mark.guards("exit_rules")
def test_exit_rules_end_the_pass_by_their_name_else_by_their_text() -> None:
    house = a_house(GOING, extra=GOAL)
    assert line(answer(house, judged(orders=True))) == "ended already customer"
    assert line(answer(house, judged(visit="2027-01-04 10:00"))) == "ended visit"
    assert answer(house, judged()).kind == "stay"


def test_the_goal_ends_the_pass_and_counts_even_when_an_exit_fires_at_the_same_instant() -> None:
    decision = answer(a_house(GOING, extra=GOAL), judged(goal="2027-01-04 11:29", orders=True))
    assert line(decision) == "ended goal"
    assert decision.converted_at == at("2027-01-04 11:29")


def test_a_goal_after_its_time_is_none() -> None:
    decision = answer(a_house(GOING, extra=GOAL), judged(goal="2027-02-10 10:00"), "2027-01-19 10:00")
    assert (decision.kind, decision.converted_at) == ("stay", None)


def test_a_goal_that_continues_is_recorded_once_and_the_pass_goes_on() -> None:
    house = a_house(GOING, extra="goal: {when: purchase, then: continue}")
    bought = judged(goal="2027-01-04 11:29")
    assert answer(house, bought).converted_at == at("2027-01-04 11:29")
    assert line(answer(house, bought)).startswith("stay at j0")
    assert answer(house, replace(bought, converted=True)).converted_at is None


def test_a_purchase_in_the_second_of_a_send_wins() -> None:
    decision = answer(a_house(GOING, extra=GOAL), judged(goal="2027-01-20 10:00"), "2027-01-20 10:00")
    assert line(decision) == "ended goal"
    assert decision.touches == ()


def test_the_held_out_convert_too() -> None:
    assert (
        line(answer(a_house(GOING, extra=GOAL), judged(goal="2027-01-05 10:00", held_out=True), "2027-01-06 10:00"))
        == "ended goal"
    )


def test_unsubscribing_from_the_last_channel_that_was_left_ends_marketing() -> None:
    house = a_house(GOING)
    gone = ChannelReach(True, True, bar="unsubscribed")
    assert line(answer(house, came("j0", "2027-01-20 10:00", reach={"email": gone}))) == "ended unsubscribed"
    left = {"email": gone, "sms": ChannelReach(True, True)}
    assert answer(house, came("j0", "2027-01-20 10:00", reach=left)).kind == "stay"
    never = {"email": ChannelReach(True, None)}
    assert answer(house, came("j0", "2027-01-20 10:00", reach=never)).kind == "stay"


def test_leaving_the_topic_on_the_last_channel_that_was_left_ends_its_campaigns_only() -> None:
    on, left = ChannelReach(True, True), ChannelReach(True, True, left=(("soldes", None),))
    gone = ChannelReach(True, True, bar="stop")

    def after_leaving(extra: str, **reach: ChannelReach) -> str:
        return line(answer(a_house(GOING, extra=extra), came("j0", "2027-01-20 10:00", reach=reach)))

    assert after_leaving("topic: soldes", email=left) == "ended unsubscribed"
    assert after_leaving("topic: soldes", email=left, sms=left) == "ended unsubscribed"
    assert after_leaving("topic: soldes", email=left, sms=gone) == "ended unsubscribed"
    stays = after_leaving("", email=on)
    assert after_leaving("topic: soldes", email=left, sms=on) == stays
    assert after_leaving("topic: nouveautes", email=left) == stays
    assert after_leaving("", email=left) == stays
    assert after_leaving("topic: soldes\npurpose: service", email=left) == stays


def test_a_topic_that_was_left_makes_its_channel_unreachable_and_the_next_is_taken() -> None:
    house = a_house("- {send: offre, id: j0, by: email, else: sms}", extra="topic: soldes")
    left = ChannelReach(True, True, left=(("soldes", None),))
    taken = answer(house, a_standing(reach={"email": left, "sms": ChannelReach(True, True)}))
    assert line(taken).startswith("j0 sms planned")
    assert {"email": "suppressed"}.items() <= dict(pair for why in taken.why for pair in why.values.items()).items()


@pytest.mark.guards("erasure")
def test_a_spam_complaint_and_an_erasure_end_the_pass() -> None:
    house = a_house(GOING)
    spam = {"email": ChannelReach(True, True, bar="complained"), "sms": ChannelReach(True, True)}
    assert line(answer(house, came("j0", "2027-01-20 10:00", reach=spam))) == "ended complained"
    assert line(answer(house, came("j0", "2027-01-20 10:00", erased=True))) == "ended erased"
    service = a_house(GOING, extra="purpose: service")
    assert answer(service, came("j0", "2027-01-20 10:00", reach=spam)).kind == "stay"


def test_while_paused_only_exits_and_the_goal_act() -> None:
    house = a_house(GOING, extra=GOAL, halted=True)
    due = replace(judged(), wait_until=at(NOW))
    decision = answer(house, due)
    assert (decision.kind, decision.touches) == ("stay", ())
    assert line(answer(house, judged(goal="2027-01-04 11:00"))) == "ended goal"
    assert line(answer(house, judged(orders=True))) == "ended already customer"


# --- what has to be asked ---------------------------------------------------------------------------------------------
LONG = """
- {send: offre, id: j0, by: email, at: best hour, if: orders = 0}
- wait: up to 3 days
  id: reponse
  for:
    clicked: [{choose: [{if: orders > 1, do: [{exit: x}]}]}]
    nothing: [{send: offre, id: r, by: sms, if: orders > 2}]
- {send: offre, id: fin, by: email, at: 2 days before contact.renewal, if: orders > 3}
- {choose: [{if: orders > 4, do: []}]}
"""


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (None, Questions(("orders = 0",), (), (), hours=True, sends=True)),
        ("j0", Questions(("orders = 0",), (), (), hours=True, sends=True)),
        ("reponse", Questions(("orders > 1", "orders > 3", "orders > 2"), (("wait", "clicked"),), ("renewal",), sends=True)),
        ("r", Questions(("orders > 2", "orders > 3"), (), ("renewal",), sends=True)),
        ("fin", Questions(("orders > 3", "orders > 4"), (), ("renewal",), sends=True)),
    ],
)
def test_everything_is_asked_until_people_must_stand_again(step: str | None, expected: Questions) -> None:
    assert questions(a_house(LONG), step) == expected


def test_exits_and_the_goal_are_always_asked_a_paused_house_asks_nothing_else() -> None:
    house = a_house(LONG, extra=GOAL, halted=True)
    assert questions(house, "reponse") == Questions(("orders > 0",), (("enter", "visit"), ("enter", "purchase")))


def test_a_date_fact_that_was_told_is_asked_for() -> None:
    house = a_house("- {wait: until 2 days before offre.deadline, id: w}")
    assert questions(house, None).told
    assert line(answer(house, a_standing(told={"offre": {"deadline": ["date", "2027-01-20"]}}))) == "wait at w until 01-18 10:00"

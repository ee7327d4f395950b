"""Every answer of a `send` (docs/language 7, 8.1): when, by which channel, held by what, skipped why."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from houses import NOW, a_house, a_standing, after, answer, at, came, line, reasons

from omnicli.engine.decide import TRIAL, Answers
from omnicli.model.contact import ChannelReach
from omnicli.model.decision import Tally
from omnicli.model.literals import Ceiling

ONE = "- {send: offre, id: j0, by: email, else: [whatsapp, sms]}\n- {wait: 3 days, id: w}"


def test_a_send_for_now_is_planned_and_the_pass_waits_for_its_touch() -> None:
    decision = answer(a_house(ONE), a_standing())
    assert line(decision) == "j0 email planned · send at j0 until touch"
    touch = decision.planned
    assert touch is not None
    assert (touch.message, touch.purpose, touch.priority, touch.due_at, touch.cost) == ("offre", "marketing", 5, at(NOW), 1000)
    assert touch.expires_at == at("2027-01-07 11:30")
    assert touch.slot == (at(NOW).date().toordinal(), "email")


@pytest.mark.parametrize(
    ("moment", "until"),
    [
        ("next 10:00", "01-05 10:00"),
        ("next 12:00", "01-04 12:00"),
        ("next tuesday", "01-05 10:00"),
        ("2027-01-20 08:15", "01-20 08:15"),
        ("best hour", "01-05 10:00"),
        ("2 days before offre.deadline at 10:00", "01-28 10:00"),
        ("deadline at 09:00", "01-30 09:00"),
        ("2 hours after enter", "01-04 13:30"),
    ],
)
def test_a_send_for_later_stands_until_its_moment(moment: str, until: str) -> None:
    house = a_house(f"- {{send: offre, id: j0, by: email, at: '{moment}'}}")
    assert line(answer(house, a_standing())) == f"wait at j0 until {until}"


def test_best_hour_is_the_hour_of_most_own_answers() -> None:
    house = a_house("- {send: offre, id: j0, by: email, at: best hour}")
    assert line(answer(house, a_standing(hours={18: 4, 9: 1}))) == "wait at j0 until 01-04 18:00"


def test_a_moment_already_past_means_now() -> None:
    house = a_house("- {send: offre, id: j0, by: email, at: 2027-01-02 10:00}")
    assert line(answer(house, a_standing())) == "j0 email planned · send at j0 until touch"


def test_what_was_told_dates_the_moment_not_what_the_file_says_now() -> None:
    house = a_house("- {send: offre, id: fin, by: email, at: 2 days before offre.deadline at 10:00}")
    told = {"offre": {"deadline": ["date", "2027-01-20"], "offer": ["percent", "20 %"]}}
    assert line(answer(house, a_standing(told=told))) == "wait at fin until 01-18 10:00"


def test_an_anchor_that_the_person_lacks_skips_no_date() -> None:
    house = a_house("- {send: offre, id: j0, by: email, at: 7 days before contact.renewal}\n- {wait: 1 day, id: w}")
    assert line(answer(house, a_standing())) == "j0 email skipped: no_date · skip at w until 01-05 11:30"
    assert line(answer(house, a_standing(attributes={"renewal": "2027-02-01"}))) == "wait at j0 until 01-25 10:00"


def test_when_the_moment_comes_the_touch_keeps_its_due_instant_though_the_tick_is_late() -> None:
    decision = answer(a_house(ONE), came("j0", "2027-01-05 10:00"), "2027-01-05 10:20")
    assert line(decision) == "j0 email planned · send at j0 until touch"
    assert decision.touches[0].due_at == at("2027-01-05 10:00")


def test_a_response_before_the_moment_leaves_the_timer_as_it_was() -> None:
    woken = replace(came("j0", "2027-01-05 10:00"), due_at=at(NOW))
    decision = answer(a_house(ONE), woken)
    assert (decision.kind, line(decision)) == ("stay", "stay at j0 until 01-05 10:00")


def test_an_open_touch_holds_the_pass() -> None:
    assert line(answer(a_house(ONE), came("j0", touch_open=True))) == "stay at j0 until touch"


# --- if -------------------------------------------------------------------------------------------------------------
def test_a_false_condition_at_the_due_moment_skips_and_the_wait_starts_there() -> None:
    house = a_house("- {send: offre, id: j0, by: email, if: orders = 0}\n- {wait: 1 day, id: w}")
    assert (
        line(answer(house, a_standing(truths={"orders = 0": False})))
        == "j0 email skipped: condition · skip at w until 01-05 11:30"
    )
    assert line(answer(house, a_standing(truths={"orders = 0": True}))).startswith("j0 email planned")


# --- channels -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("consent", "channel"),
    [(("email", "sms"), "email"), (("sms", "whatsapp"), "whatsapp"), (("sms",), "sms")],
)
def test_the_first_channel_by_which_the_person_can_be_reached_is_taken(consent: tuple[str, ...], channel: str) -> None:
    assert line(answer(a_house(ONE), a_standing(consent=consent))) == f"j0 {channel} planned · send at j0 until touch"


def test_nobody_to_reach_skips_unreachable_and_each_channel_says_why() -> None:
    reach = {
        "email": ChannelReach(True, True, bar="unsubscribed"),
        "whatsapp": ChannelReach(True, None),
        "sms": ChannelReach(True, True, bad="bounced"),
    }
    decision = answer(a_house(ONE), a_standing(reach={**reach, "letter": ChannelReach(True, True)}))
    assert line(decision) == "j0 email skipped: unreachable · skip at w until 01-07 11:30"
    assert reasons(decision) == {"email": "suppressed", "whatsapp": "no_consent", "sms": "bad_address"}


def test_without_words_anywhere_the_reason_is_no_words() -> None:
    mute = {("email", "fr"): "no_words", ("whatsapp", "fr"): "no template", ("sms", "fr"): "no_words"}
    assert line(answer(a_house(ONE, usable=mute), a_standing())).startswith("j0 email skipped: no_words")
    assert line(answer(a_house(ONE, usable={("email", "fr"): "no_words"}), a_standing())).startswith("j0 whatsapp planned")


def test_whatsapp_without_an_approved_template_takes_only_who_wrote_within_a_day() -> None:
    house = a_house("- {send: avis, id: j0, by: whatsapp, else: [sms]}", messages="avis:\n  say: {fr: {body: x}}")
    assert line(answer(house, a_standing())).startswith("j0 sms planned")
    wrote = a_standing(last_human_channel="whatsapp", last_human_at=at("2027-01-03 12:00"))
    assert line(answer(house, wrote)).startswith("j0 whatsapp planned")
    assert reasons(answer(house, a_standing())) == {"whatsapp": "no_approved_template"}


PREFERRED = "- {send: offre, id: j0, by: preferred, else: [letter]}"


@pytest.mark.parametrize(
    ("changes", "channel"),
    [
        ({"preferred_channel": "sms", "last_human_channel": "email", "persona": "camille"}, "sms"),
        ({"last_human_channel": "email", "persona": "camille"}, "email"),
        ({"persona": "camille"}, "whatsapp"),
        ({"persona": "default"}, "email"),
        ({"preferred_channel": "fax"}, "letter"),
        ({"preferred_channel": "sms", "consent": ("email", "letter"), "persona": "default"}, "email"),
    ],
)
def test_preferred_is_declared_else_last_answered_else_the_personas_order_else_else(changes: dict, channel: str) -> None:
    assert line(answer(a_house(PREFERRED), a_standing(**changes))).startswith(f"j0 {channel} planned")


def test_preferred_takes_only_channels_that_the_message_may_take() -> None:
    house = a_house(
        "- {send: avis, id: j0, by: preferred, else: [email]}", messages="avis:\n  say: {fr: {body: x}}\n  channels: [email]"
    )
    assert line(answer(house, a_standing(preferred_channel="sms"))).startswith("j0 email planned")


def test_after_a_refusal_before_acceptance_the_next_channel_is_tried() -> None:
    decision = answer(a_house(ONE), after("j0", "rejected", reason="refused"))
    assert line(decision) == "j0 whatsapp planned · send at j0 until touch"
    assert decision.stand is not None
    assert decision.stand.tried == ("email",)
    second = answer(a_house(ONE), after("j0", "rejected", channel="whatsapp", reason="refused", tried=("email",)))
    assert line(second).startswith("j0 sms planned")
    assert reasons(second) == {"email": "tried", "whatsapp": "tried"}


def test_when_all_were_refused_the_pass_goes_on_from_that_moment() -> None:
    ended = after("j0", "rejected", channel="sms", reason="refused", tried=("email", "whatsapp"), when="2027-01-04 11:00")
    assert line(answer(a_house(ONE), ended)) == "wait at w until 01-07 11:00"
    alone = after("j0", "rejected", reason="refused", consent=("email",))
    assert line(answer(a_house(ONE), alone)) == "wait at w until 01-07 11:30"


def test_a_channel_lost_at_the_claim_gives_way_to_the_next() -> None:
    assert line(answer(a_house(ONE), after("j0", "skipped", reason="unreachable"))).startswith("j0 whatsapp planned")
    assert line(answer(a_house(ONE), after("j0", "skipped", reason="expired"))) == "wait at w until 01-07 11:30"


def test_acceptance_passes_the_send_and_starts_the_clock_of_the_wait() -> None:
    assert line(answer(a_house(ONE), after("j0", when="2027-01-04 11:10"), NOW)) == "wait at w until 01-07 11:10"


def test_the_clock_of_a_letter_starts_when_it_is_received() -> None:
    house = a_house("- {send: offre, id: j0, by: letter}\n- {wait: 3 days, id: w}")
    assert line(answer(house, after("j0", channel="letter"))) == "wait at w until 01-11 11:30"
    silent = answer(house, a_standing(consent=("letter",), held_out=True))  # the held-out wait as long as those who get it
    assert line(silent) == "j0 letter held_out · held_out at w until 01-11 11:30"


# --- guards ---------------------------------------------------------------------------------------------------------
QUIET = "guardrails: {quiet_hours: [20:00-09:00, sunday]}"


def test_quiet_hours_hold_until_the_same_time_of_day() -> None:
    house = a_house("- {send: offre, id: j0, by: email, at: next 10:00}", guardrails=QUIET)
    decision = answer(house, came("j0", "2027-01-10 10:00"), "2027-01-10 10:00")
    assert line(decision) == "hold at j0 until 01-11 10:00 held quiet_hours"
    assert decision.stand is not None
    assert decision.stand.held_from == at("2027-01-10 10:00")


def test_quiet_hours_without_a_time_of_day_open_at_a_hashed_place_within_the_spread() -> None:
    house = a_house(ONE, guardrails=QUIET)
    places = {answer(house, a_standing(who=who, now="2027-01-04 21:00"), "2027-01-04 21:00").stand.due_at for who in "abcdefgh"}
    assert len(places) > 4
    assert all(at("2027-01-05 09:00") <= place <= at("2027-01-05 09:30") for place in places)


def test_a_held_touch_is_decided_again_and_leaves_when_nothing_objects() -> None:
    house = a_house(ONE, guardrails=QUIET)
    held = came("j0", "2027-01-05 09:12", held_by="quiet_hours", held_from=at("2027-01-04 21:00"))
    assert line(answer(house, held, "2027-01-05 09:12")) == "j0 email planned · send at j0 until touch"
    assert answer(house, held, "2027-01-05 09:12").touches[0].expires_at == at("2027-01-07 21:00")


def test_what_is_held_longer_than_max_delay_is_skipped_expired() -> None:
    house = a_house(ONE, guardrails="guardrails: {quiet_hours: [sunday, monday, tuesday], max_delay: 1 day}")
    decision = answer(house, a_standing(now="2027-01-10 10:00"), "2027-01-10 10:00")
    assert line(decision) == "hold at j0 until 01-11 10:00 held quiet_hours"
    held = came("j0", "2027-01-11 10:00", held_by="quiet_hours", held_from=at("2027-01-10 10:00"))
    assert line(answer(house, held, "2027-01-11 10:00")).startswith("j0 email skipped: expired")


@pytest.mark.guards("expiry")
def test_a_touch_found_later_than_max_delay_is_skipped_expired() -> None:
    assert line(answer(a_house(ONE), came("j0", "2027-01-01 10:00"), NOW)).startswith("j0 email skipped: expired")
    longer = a_house("- {send: offre, id: j0, by: email, max_delay: 5 days}")
    assert line(answer(longer, came("j0", "2027-01-01 10:00"), NOW)).startswith("j0 email planned")


def test_service_and_transactional_messages_leave_at_night_but_not_by_sms() -> None:
    avis = "avis:\n  purpose: service\n  say: {fr: {body: x}}\n  approved: {fr: a}"
    house = a_house("- {send: avis, id: j0, by: email}", messages=avis, guardrails=QUIET)
    decision = answer(
        house, a_standing(consent=(), reach={"email": ChannelReach(True, None)}, now="2027-01-04 22:00"), "2027-01-04 22:00"
    )
    assert line(decision).startswith("j0 email planned")
    assert (decision.touches[0].priority, decision.touches[0].slot) == (0, None)
    by_sms = a_house("- {send: avis, id: j0, by: sms}", messages=avis, guardrails=QUIET)
    assert "held" in line(answer(by_sms, a_standing(now="2027-01-04 22:00"), "2027-01-04 22:00"))


def test_marketing_sms_on_a_sunday_in_france_is_held_by_the_pack() -> None:
    house = a_house("- {send: offre, id: j0, by: sms, at: next 10:00}")
    assert line(answer(house, came("j0", "2027-01-10 10:00"), "2027-01-10 10:00")) == "hold at j0 until 01-11 10:00 held pack"


@pytest.mark.guards("complaint_open")
def test_an_open_complaint_holds_marketing_until_it_is_over_or_max_delay_passes() -> None:
    house = a_house(ONE)
    assert (
        line(answer(house, a_standing(complaint_until=at("2027-01-05 12:00"))))
        == "hold at j0 until 01-05 12:00 held complaint_open"
    )
    assert (
        line(answer(house, a_standing(complaint_until=at("2027-03-05 12:00"))))
        == "hold at j0 until 01-07 11:30 held complaint_open"
    )
    held = came("j0", "2027-01-07 11:30", held_by="complaint_open", held_from=at(NOW), complaint_until=at("2027-03-05 12:00"))
    assert line(answer(house, held, "2027-01-07 11:30")).startswith("j0 email skipped: complaint_open")


def slots(*days: int, channel: str = "email") -> dict:
    today = at(NOW).date().toordinal()
    return {"slots": tuple((today - day, channel) for day in days), "last_counted_at": at(NOW) - timedelta(days=min(days))}


def capped(rule: str, flow: str = ONE) -> object:
    return a_house(flow, guardrails=f"guardrails: {{cap: {{all: 2 per week}}, at_cap: '{rule}'}}")


def test_a_full_week_holds_until_the_first_date_with_room() -> None:
    house = capped("wait up to 4 days, else skip", "- {send: offre, id: j0, by: email, at: next 10:00}")
    decision = answer(house, came("j0", **slots(3, 5)))
    assert line(decision) == "hold at j0 until 01-06 10:00 held cap"
    assert line(answer(house, came("j0", **slots(7, 5)))).startswith("j0 email planned")


def test_a_cap_that_opens_too_late_skips_or_tries_the_next_channel() -> None:
    assert line(answer(capped("wait up to 2 days, else skip"), a_standing(**slots(0, 1)))).startswith("j0 email skipped: capped")
    assert line(answer(capped("skip"), a_standing(**slots(3, 5)))).startswith("j0 email skipped: capped")
    by_channel = a_house(ONE, guardrails="guardrails: {cap: {email: 1 per week}, at_cap: next channel}")
    decision = answer(by_channel, a_standing(**slots(1)))
    assert line(decision).startswith("j0 whatsapp planned")
    assert reasons(decision) == {"email": "capped"}


def test_when_every_channel_is_full_the_reason_is_capped() -> None:
    assert line(answer(capped("next channel"), a_standing(**slots(0, 1)))).startswith("j0 email skipped: capped")


def test_a_touch_skipped_capped_at_the_claim_tries_the_next_channel_only_where_at_cap_says_so() -> None:
    assert line(answer(capped("next channel"), after("j0", "skipped", reason="capped"))).startswith("j0 whatsapp planned")
    assert line(answer(capped("skip"), after("j0", "skipped", reason="capped"))).startswith("wait at w")


def test_what_this_turn_gave_already_counts_towards_the_cap() -> None:
    house = a_house(ONE, guardrails="guardrails: {cap: {all: 1 per day}, at_cap: skip}")
    tally = Tally()
    tally.add(7, "autre", cost=0, counted=(at(NOW).date().toordinal(), "sms", at(NOW)))
    assert line(answer(house, a_standing(), tally=tally)).startswith("j0 email skipped: capped")
    assert line(answer(house, a_standing(), tally=Tally())).startswith("j0 email planned")


def test_min_gap_holds_until_it_is_over() -> None:
    house = a_house(ONE, guardrails="guardrails: {min_gap: 16 hours}")
    near = a_standing(slots=((at(NOW).date().toordinal(), "sms"),), last_counted_at=at("2027-01-04 09:30"))
    assert line(answer(house, near)) == "hold at j0 until 01-05 01:30 held min_gap"
    assert line(answer(house, a_standing(last_counted_at=at("2027-01-03 10:00")))).startswith("j0 email planned")


def test_waiting_for_a_cap_is_not_held_against_max_delay() -> None:
    house = a_house(ONE, guardrails="guardrails: {cap: {all: 1 per week}, at_cap: 'wait up to 6 days, else skip'}")
    held = came("j0", "2027-01-09 00:00", held_by="cap", held_from=at(NOW))
    assert line(answer(house, held, "2027-01-09 00:00")).startswith("j0 email planned")


@pytest.mark.guards("budget")
def test_at_the_end_of_the_budget_touches_are_held_and_then_skipped() -> None:
    house = a_house(ONE, extra="guardrails: {budget: 10 EUR}")
    tally = Tally(spent={"bienvenue": 9_999_500})
    decision = answer(house, a_standing(), tally=tally)
    assert line(decision) == "hold at j0 until 01-04 12:30 held budget"
    held = came("j0", "2027-01-07 11:30", held_by="budget", held_from=at(NOW))
    assert line(answer(house, held, "2027-01-07 11:30", tally=tally)).startswith("j0 email skipped: budget")
    assert line(answer(house, a_standing(), tally=Tally(spent={"bienvenue": 9_999_000}))).startswith("j0 email planned")


@pytest.mark.guards("approval")
def test_above_the_ceiling_the_excess_waits_for_an_approval() -> None:
    house = a_house(ONE, ceiling=Ceiling(sends=2))
    decision = answer(house, a_standing(), tally=Tally(sends={"bienvenue": 2}))
    assert decision.stand is not None
    assert (decision.stand.held_by, decision.stand.due_at) == ("approval", at(NOW) + timedelta(milliseconds=1))
    assert line(answer(house, a_standing(), tally=Tally(sends={"bienvenue": 1}))).startswith("j0 email planned")


def test_what_waits_for_an_approval_is_not_let_go_by_the_next_tick() -> None:
    house = a_house(ONE, ceiling=Ceiling(sends=2))
    kept = came("j0", "2027-01-04 12:00", held_by="approval", held_from=at(NOW))
    assert "held approval" in line(answer(house, kept, "2027-01-04 12:00", tally=Tally()))
    assert line(answer(a_house(ONE), kept, "2027-01-04 12:00", tally=Tally())).startswith("j0 email planned")


def test_the_earlier_guard_names_the_reason() -> None:
    house = a_house(
        "- {send: offre, id: j0, by: email}", guardrails="guardrails: {quiet_hours: [monday], cap: {all: 1 per week}}"
    )
    full = a_standing(complaint_until=at("2027-01-05 12:00"), **slots(1))
    assert "held complaint_open" in line(answer(house, full))
    assert "skipped: capped" in line(answer(house, replace(full, complaint_until=None)))
    assert "held quiet_hours" in line(answer(house, a_standing()))


# --- held out, tasks --------------------------------------------------------------------------------------------------
def test_the_held_out_live_the_same_path_in_silence() -> None:
    decision = answer(a_house(ONE), a_standing(held_out=True))
    assert line(decision) == "j0 email held_out · held_out at w until 01-07 11:30"
    assert (decision.touches[0].cost, decision.touches[0].slot) == (0, None)
    night = a_standing(held_out=True, now="2027-01-04 21:00")
    assert "held quiet_hours" in line(answer(a_house(ONE, guardrails=QUIET), night, "2027-01-04 21:00"))


def test_a_task_has_its_team_its_kind_and_a_deadline_in_the_teams_hours() -> None:
    house = a_house("- {send: offre, id: j0, by: task, due: 4 hours, kind: visit, place: nearest}")
    touch = answer(house, a_standing(place="lyon"), "2027-01-04 16:00").planned
    assert touch is not None
    assert (touch.team, touch.task_kind, touch.place, touch.task_due) == ("conseil", "visit", "lyon", at("2027-01-05 11:00"))


def test_a_task_that_is_a_call_goes_by_the_rules_for_voice() -> None:
    house = a_house("- {send: offre, id: j0, by: task, kind: call}")
    assert line(answer(house, a_standing(consent=("email",)))).startswith("j0 task skipped: unreachable")
    assert "held pack" in line(answer(house, a_standing(now="2027-01-09 11:30"), "2027-01-09 11:30"))
    touch = answer(house, a_standing()).planned
    assert touch is not None
    assert touch.slot == (at(NOW).date().toordinal(), "voice")


def test_after_a_pause_what_is_overdue_leaves_within_the_spread() -> None:
    decision = answer(a_house(ONE), came("j0", "2027-01-04 09:00", spread=True), NOW)
    assert decision.stand is not None
    assert decision.stand.held_by == "paused"
    assert at(NOW) <= decision.stand.due_at <= at("2027-01-04 12:00")
    assert line(answer(a_house(ONE), came("j0", "2027-01-01 09:00", spread=True), NOW)).startswith("j0 email skipped: expired")


def test_after_a_touch_that_expired_the_next_wait_counts_from_the_day_it_was_given_up() -> None:
    house = a_house(ONE)  # the wait behind it takes three days
    long_ago = came("j0", "2027-01-20 10:00", held_by="quiet_hours", held_from=at(NOW))
    said = line(answer(house, long_ago, "2027-01-20 10:00"))
    assert "skipped: expired" in said
    assert said.endswith("at w until 01-23 10:00")


# --- answers that are kept ------------------------------------------------------------------------------------------
def test_people_of_whom_the_same_is_known_share_one_answer() -> None:
    remembering, one = Answers(a_house(ONE), at(NOW)), a_standing()
    first = remembering.decide(one, Tally())
    assert remembering.decide(replace(one, id=2, contact_id=2, contact_uid=b"b" * 16, key=b"k" * 16), Tally()) is first
    assert remembering.decide(replace(one, persona="other"), Tally()) is not first


def test_what_was_given_to_somebody_in_this_turn_is_asked_anew() -> None:
    remembering, tally, one = Answers(a_house(ONE), at(NOW)), Tally(), a_standing()
    first = remembering.decide(one, tally)
    tally.add(one.contact_id, "first", cost=0, counted=(at(NOW).date().toordinal(), "email", at(NOW)))
    assert remembering.decide(one, tally) is not first


def test_nothing_is_kept_where_nobody_resembles_another() -> None:
    remembering = Answers(a_house(ONE), at(NOW))
    for n in range(TRIAL):  # everybody came at an instant of their own
        remembering.decide(a_standing(entered_at=at(NOW) - timedelta(minutes=n)), Tally())
    assert not remembering.pays

"""Every phrase of `always`, and what nobody can switch off: a life that keeps it, and one that breaks it at a given moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from omnicli import clock
from omnicli.campaigns.scenario.always import breaches
from omnicli.campaigns.scenario.lived import FIRST, LATER, Heard, Leave, Life, Pass, Taken, Touch
from omnicli.model.promise import KINDS, Promise, parse_promise, spelled

PARIS = ZoneInfo("Europe/Paris")


def at(text: str) -> datetime:
    return clock.read_instant(text, "Europe/Paris")


def touch(when: str, channel: str = "email", **values: Any) -> Touch:
    """An accepted marketing touch of the campaign `b`, pass 1."""
    base = Touch(1, f"{when} {channel}", "b", 1, "j0", "offre", channel, "marketing", "accepted", None, at(when), True, 1_000, channel,
                 {"code": "A1"}, ("accepted",))  # fmt: skip
    return replace(base, **values)


def life(*touches: Touch, heard: Sequence[Heard] = (), leave: Sequence[Leave] = (), **values: Any) -> Life:
    """Somebody in Paris who consented to everything at the start, and entered on Monday at 11:00."""
    given = [Leave(channel, "given", (0, FIRST)) for channel in ("email", "sms", "whatsapp", "voice")]
    way = Pass("b", 1, at("2027-01-04 11:00"), at("2027-01-20 11:00"), "end", None, "fr", None, False)
    base = Life("lea", PARIS, "FR", None, at("2027-03-01 00:00"), tuple(touches), tuple(heard), (*given, *leave), (way,))
    return replace(base, **values)


def said(name: str, when: str, *, rank: int = FIRST, channel: str | None = None) -> Heard:
    return Heard(name, at(when), (clock.to_ms(at(when)), rank), channel)


def broken(one: Life, *phrases: str) -> list[tuple[str, str]]:
    return [(b.promise, f"{b.at.astimezone(PARIS):%Y-%m-%d %H:%M}") for b in breaches(one, [parse_promise(p) for p in phrases])]


MON, TUE, WED, SUN = "2027-01-04 12:00", "2027-01-05 12:00", "2027-01-06 12:00", "2027-01-10 12:00"
FOUR_DAYS = [touch("2027-01-04 23:59"), touch("2027-01-07 00:00")]

PHRASES: list[tuple[str, Life, Life, str]] = [
    ("at most 1 touch in any 3 days", life(*FOUR_DAYS), life(touch("2027-01-04 00:00"), touch("2027-01-06 23:59")), "2027-01-06 23:59"),
    ("at most 1 touch in any 24 hours", life(touch(MON), touch(TUE)), life(touch(MON), touch("2027-01-05 11:59")), "2027-01-05 11:59"),
    ("at most 1 touch by sms in any 7 days", life(touch(MON, "sms"), touch(TUE)), life(touch(MON, "sms"), touch(SUN, "sms")), SUN),
    ("no touch between 20:00 and 09:00", life(touch("2027-01-04 09:00"), touch("2027-01-04 19:59")), life(touch("2027-01-04 20:00")), "2027-01-04 20:00"),
    ("no touch by sms between 12:00 and 14:00", life(touch(MON)), life(touch(MON, "sms")), MON),
    ("no touch on sunday", life(touch("2027-01-09 23:59"), touch("2027-01-11 00:00")), life(touch(SUN)), SUN),
    ("no touch on holidays", life(touch(MON)), life(touch("2027-01-01 12:00")), "2027-01-01 12:00"),
    ("nothing after purchase", life(touch(MON), heard=[said("purchase", MON, rank=LATER)]), life(touch(TUE), heard=[said("purchase", TUE)]), TUE),
    ("nothing after unsubscribed", life(touch(TUE, "sms"), heard=[said("unsubscribed", MON, channel="email")]),
     life(touch(TUE, "sms"), leave=[Leave("sms", "given", (clock.to_ms(at(MON)), LATER))], heard=[said("unsubscribed", TUE, channel="sms")]), TUE),
    ("every pass ends within 16 days", life(), life(passes=(replace(life().passes[0], ended_at=None, step="j0"),)), "2027-01-20 11:00"),
    ("same facts on every channel", life(touch(MON), touch(TUE, "sms")), life(touch(MON), touch(TUE, "sms", told={"code": "B2"})), TUE),
    ("at least 24 hours between touches", life(touch(MON), touch(TUE)), life(touch(MON), touch("2027-01-05 11:59")), "2027-01-05 11:59"),
    ("never offre twice", life(touch(MON), touch(TUE, message="guide")), life(touch(MON), touch(TUE)), TUE),
    ("never sms", life(touch(MON)), life(touch(MON, "sms")), MON),
    ("cost at most 0.001 EUR", life(touch(MON)), life(touch(MON), touch(TUE)), TUE),
]  # fmt: skip


@pytest.mark.parametrize(("phrase", "kept", "broke", "when"), PHRASES, ids=[p[0] for p in PHRASES])
def test_a_phrase_is_kept_by_one_life_and_broken_by_another_at_that_moment(
    phrase: str, kept: Life, broke: Life, when: str
) -> None:
    promise = spelled(parse_promise(phrase))
    assert not [b for b in broken(kept, phrase) if b[0] == promise]
    assert (promise, when) in broken(broke, phrase)


def test_every_phrase_of_the_page_is_among_them() -> None:
    assert {type(parse_promise(phrase)) for phrase, *_ in PHRASES} == set(KINDS)


NOBODY = (Leave("email", "taken", (clock.to_ms(at(MON)), FIRST)),)
BARRED = (Leave("email", "barred", (clock.to_ms(at(MON)), FIRST), "all", None, "bounced"),)
BUILT_IN: list[tuple[str, Life, Life]] = [
    ("no touch without consent", life(touch(MON), leave=[replace(NOBODY[0], order=(clock.to_ms(at(MON)), LATER))]), life(touch(MON), leave=NOBODY)),
    ("no touch without consent", life(touch(MON, purpose="service"), leave=NOBODY), life(touch(TUE), leave=[Leave("*", "taken", (1, FIRST))])),
    ("no touch to a barred address", life(touch(MON, "sms"), leave=BARRED), life(touch(MON, purpose="service"), leave=BARRED)),
    ("no touch to a barred address", life(touch(TUE), leave=[*BARRED, Leave("email", "free", (clock.to_ms(at(MON)) + 1, FIRST), "all", None, "bounced")]), life(touch(TUE), leave=BARRED)),
    ("no touch twice", life(touch(MON), touch(TUE)), life(touch(MON, key="k"), touch(TUE, key="k"))),
    ("no touch twice", life(touch(MON, attempts=("unknown", "accepted"))), life(touch(MON, attempts=("accepted", "accepted")))),
    ("exactly one branch a wait", life(passes=(replace(life().passes[0], taken=(Taken("w", "clicked", at(MON)),)),)),
     life(passes=(replace(life().passes[0], taken=(Taken("w", "clicked", at(MON)), Taken("w", "nothing", at(TUE)))),))),
    ("no touch to the held-out", life(touch(MON, state="held_out", attempts=()), passes=(replace(life().passes[0], held_out=True),)),
     life(touch(MON), passes=(replace(life().passes[0], held_out=True),))),
    ("every touch is settled with one outcome", life(touch(MON, state="unknown")), life(touch(MON, state="claimed"))),
    ("every touch is settled with one outcome", life(touch(MON, state="rejected", attempts=("rejected",))), life(touch(MON, state="skipped"))),
]  # fmt: skip


@pytest.mark.parametrize(("promise", "kept", "broke"), BUILT_IN)
def test_what_nobody_can_switch_off(promise: str, kept: Life, broke: Life) -> None:
    assert promise not in dict(broken(kept))
    assert promise in dict(broken(broke))


@pytest.mark.parametrize("phrase", [p[0] for p in PHRASES])
def test_a_phrase_is_printed_as_it_was_written(phrase: str) -> None:
    promise: Promise = parse_promise(phrase)
    assert parse_promise(spelled(promise)) == promise


def test_a_day_of_a_cap_is_the_persons_own() -> None:
    far = life(touch("2027-01-04 11:30"), touch("2027-01-04 12:30"), zone=ZoneInfo("Pacific/Auckland"))
    assert not broken(far, "at most 1 touch in any 1 day"), "half past midnight in Auckland is another day"
    assert broken(life(*far.touches), "at most 1 touch in any 1 day")


def test_what_came_late_binds_from_when_it_was_known() -> None:
    late = Heard("purchase", at(MON), (clock.to_ms(at(WED)), FIRST))
    assert not broken(life(touch(TUE), heard=[late]), "nothing after purchase")
    assert broken(life(touch("2027-01-07 12:00"), heard=[late]), "nothing after purchase")


def test_a_pass_that_waits_for_a_person_to_say_what_became_of_a_touch_is_not_late() -> None:
    open_ = (replace(life().passes[0], ended_at=None, step="j0"),)
    assert broken(life(touch(MON), passes=open_), "every pass ends within 16 days")
    assert not broken(life(touch(MON, state="unknown"), passes=open_), "every pass ends within 16 days")


def test_machines_promise_nothing() -> None:
    assert not broken(life(touch(TUE), heard=[replace(said("purchase", MON), machine=True)]), "nothing after purchase")

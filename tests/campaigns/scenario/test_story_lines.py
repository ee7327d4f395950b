"""Every line of a story passes where life is so, and fails at its own line where it is not (docs/scenarios 2.2)."""

from __future__ import annotations

from pathlib import Path

import pytest
from telling import a_house, missed, passes, told

SIGNUP = "- event: signup\n"
FIRST = SIGNUP + "- expect: email offre\n"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_house(tmp_path_factory.mktemp("house"))


#: (lines that pass, options, the same with one line wrong, that line, what it says it got)
LINES = {
    "event": (FIRST, FIRST.replace("signup", "purchase"), "- expect: email offre", "entered no campaign"),
    "event with a payload": (
        FIRST + "- event: purchase\n  with: {value: 12 EUR}\n- expect: goal", FIRST + "- expect: goal", "- expect: goal", "the goal is not reached",
    ),
    "event of a message": (
        FIRST + "- event: clicked\n  of: offre\n- expect: step reflexion", FIRST + "- event: clicked\n  of: adieu\n- expect: step reflexion",
        "- expect: step reflexion", "step reponse",
    ),
    "after": (
        FIRST + "- after: 2 days\n- expect: step reponse", FIRST + "- event: clicked\n- after: 2 days\n- expect: step reflexion",
        "- expect: step reflexion", "step pause",
    ),
    "at": (
        FIRST + "- at: 2027-01-06 12:00\n- event: clicked\n- expect: step reflexion", FIRST + "- at: 2027-01-05 09:00\n- expect: nothing",
        "- at: 2027-01-05 09:00", "the clock does not go back: it stands at Tue 5 Jan 10:00",
    ),
    "change": (
        FIRST + "- change: {orders: 6}\n- event: clicked\n- expect: exit regular", FIRST + "- change: {orders: 5}\n- event: clicked\n- expect: exit regular",
        "- expect: exit regular", "step reflexion",
    ),
    "consent": (
        "- consent: {email: no}\n" + SIGNUP + "- expect: sms offre", "- consent: {email: yes}\n" + SIGNUP + "- expect: sms offre",
        "- expect: sms offre", "email offre   Tue 5 Jan 10:00   (step j0)",
    ),
    "expect at": (
        SIGNUP + "- expect: email offre at 2027-01-05 10:00", SIGNUP + "- expect: email offre at 2027-01-05 10:01",
        "- expect: email offre at 2027-01-05 10:01", "email offre   Tue 5 Jan 10:00",
    ),
    "expect another message": (
        FIRST, SIGNUP + "- expect: email adieu", "- expect: email adieu", "email offre   Tue 5 Jan 10:00   (step j0)",
    ),
    "says": (
        FIRST + '  says: [LUNE20, "39,92 €", "Léa, ta bougie"]', FIRST + "  says: [LUNE20, VENUS]", "says: [LUNE20, VENUS]", "LUNE20",
    ),
    "not_says": (
        FIRST + '  not_says: ["49,90"]', FIRST + "  not_says: [LUNE20]", "not_says: [LUNE20]", "LUNE20",
    ),
    "parts": (
        "- consent: {email: no}\n" + SIGNUP + "- expect: sms offre\n  parts: 1", "- consent: {email: no}\n" + SIGNUP + "- expect: sms offre\n  parts: 2",
        "parts: 2", "parts: 1",
    ),
    "step below a touch": (FIRST + "  step: j0", FIRST + "  step: rappel", "step: rappel", "step: j0"),
    "language": (FIRST + "  language: fr", FIRST + "  language: en", "language: en", "language: fr"),
    "link": (
        FIRST + "  link: https://maison.example/offre", FIRST + "  link: https://maison.example/autre", "link: https://maison.example/autre",
        "https://maison.example/offre",
    ),
    "expect nothing": (
        FIRST + "- expect: nothing", SIGNUP + "- at: 2027-01-05 12:00\n- expect: nothing", "- expect: nothing", "email offre   Tue 5 Jan 10:00   (step j0)",
    ),
    "expect nothing for": (
        FIRST + "- expect: nothing\n  for: 2 days", SIGNUP + "- expect: nothing\n  for: 2 days", "- expect: nothing", "email offre   Tue 5 Jan 10:00   (step j0)",
    ),
    "expect skipped": (
        "- consent: {email: no, sms: no}\n" + SIGNUP + "- expect: skipped unreachable", "- consent: {email: no, sms: no}\n" + SIGNUP + "- expect: skipped condition",
        "- expect: skipped condition", "skipped unreachable   Tue 5 Jan 10:00   (step j0)",
    ),
    "expect exit": (
        FIRST + "- event: purchase\n- expect: exit goal", FIRST + "- event: purchase\n- expect: exit end", "- expect: exit end", "exit goal",
    ),
    "expect goal": (FIRST + "- event: purchase\n- expect: goal", FIRST + "- expect: goal", "- expect: goal", "the goal is not reached"),
    "expect step": (FIRST + "- expect: step reponse", FIRST + "- expect: step adieu", "- expect: step adieu", "step reponse"),
    "expect persona": (
        SIGNUP + "- expect: persona default", SIGNUP + "- expect: persona camille", "- expect: persona camille", "persona default",
    ),
    "expect branch": (
        FIRST + "- event: clicked\n- expect: branch reponse clicked", FIRST + "- event: clicked\n- expect: branch reponse nothing",
        "- expect: branch reponse nothing", "branch reponse clicked",
    ),
    "expect branch of a choose": (
        FIRST + "- event: clicked\n- after: 1 day\n- expect: branch chemin else", FIRST + "- event: clicked\n- after: 1 day\n- expect: branch chemin source = instagram",
        "- expect: branch chemin source = instagram", "branch chemin else",
    ),
    "note": ("- note: rien ne se passe\n" + FIRST, "- note: rien ne se passe\n- expect: email offre", "- expect: email offre", "entered no campaign"),
}  # fmt: skip


@pytest.mark.parametrize("kind", LINES)
def test_a_line_passes_where_life_is_so(house: Path, kind: str) -> None:
    passes(house, LINES[kind][0])


@pytest.mark.parametrize("kind", LINES)
def test_a_line_fails_at_its_own_line(house: Path, kind: str) -> None:
    _, lines, line, got = LINES[kind]
    where, _, said = missed(house, lines)
    assert where == line
    assert got in said


def test_an_arm_is_pinned_and_told(house: Path) -> None:
    lines = FIRST + "- after: 3 days\n- expect: arm essai {arm}\n- expect: sms offre"
    passes(house, lines.format(arm="sms"), more="take: {essai: sms}")
    where, _, got = missed(house, lines.format(arm="temoin"), more="take: {essai: sms}")
    assert (where, got) == ("- expect: arm essai temoin", "arm essai sms")


def test_a_guard_that_holds_is_expected_by_name(house: Path) -> None:
    lines = "- at: 2027-01-09 11:30\n" + SIGNUP + "- expect: held {guard}\n- expect: email offre at 2027-01-11 10:00"
    passes(house, lines.format(guard="quiet_hours"))
    where, _, got = missed(house, lines.format(guard="cap"))
    assert (where, got) == ("- expect: held cap", "held quiet_hours")


def test_a_touch_is_waited_for_a_day_and_no_longer(house: Path) -> None:
    lines = FIRST + "- event: clicked\n- after: 1 day\n- expect: email adieu"
    where, _, got = missed(house, lines)
    assert where == "- expect: email adieu"
    assert "nothing until Thu 7 Jan 10:00" in got
    assert "(step pause until Sun 10 Jan 10:00)" in got
    passes(house, lines, more="patience: 6 days")
    passes(house, lines.replace("email adieu", "email adieu at 2027-01-11 10:00"))


def test_a_purchase_in_the_second_of_a_send_wins(house: Path) -> None:
    passes(house, SIGNUP + "- at: 2027-01-05 10:00\n- event: purchase\n- expect: exit goal\n- expect: nothing")
    passes(house, SIGNUP + "- at: 2027-01-05 10:00\n- expect: email offre\n- event: purchase\n- expect: exit goal")


def test_a_touch_that_nobody_expected_fails_the_next_expectation_of_one(house: Path) -> None:
    where, _, got = missed(house, SIGNUP + "- at: 2027-01-08 12:00\n- expect: sms offre", more="take: {essai: sms}")
    assert (where, got) == ("- expect: sms offre", "email offre   Tue 5 Jan 10:00   (step j0)")


def test_what_is_left_over_is_ignored_unless_the_end_is_quiet(house: Path) -> None:
    passes(house, SIGNUP + "- at: 2027-01-06 12:00")
    _, expected, got = missed(house, SIGNUP + "- at: 2027-01-06 12:00", more="end: quiet")
    assert (expected, got) == ("end: quiet", "email offre   Tue 5 Jan 10:00   (step j0)")


def test_a_split_that_nobody_pinned_is_an_error_at_the_line_that_reached_it(house: Path) -> None:
    where, expected, got = missed(house, FIRST + "- after: 4 days\n- note: later")
    assert where == "- after: 4 days"
    assert expected == "take: {essai: sms | temoin}"
    assert "its arm is chance" in got


def test_for_each_arm_lives_the_story_once_an_arm(house: Path) -> None:
    found = told(house, FIRST + "- after: 4 days\n- expect: step pause", more="for_each_arm: yes")
    assert [(one.name, one.status) for one in found] == [("told [essai: sms]", "passed"), ("told [essai: temoin]", "passed")]


def test_several_people_live_one_story_with_who(house: Path) -> None:
    lines = "- event: signup\n  who: {a}\n- expect: email offre\n  who: lea\n  language: fr\n- expect: nothing\n  who: paul"
    passes(house, lines.format(a="lea"), given="[lea, paul]")
    where, _, _ = missed(house, lines.format(a="paul"), given="[lea, paul]")
    assert where == "- expect: email offre"


def test_like_another_with_changes(house: Path) -> None:
    passes(house, SIGNUP + "- expect: sms offre\n  language: en", given="{like: paul, consent: [sms]}")


def test_who_is_held_out_lives_it_in_silence(house: Path) -> None:
    lines = SIGNUP + "- expect: nothing\n  for: 30 days\n- expect: exit end"
    passes(house, lines, more="take: {holdout: yes, essai: sms}")
    where, _, _ = missed(house, lines, more="take: {essai: sms}")
    assert where == "- expect: nothing"


def test_a_scenario_that_is_skipped_is_counted_and_not_lived(house: Path) -> None:
    (played,) = told(house, "- expect: email offre", more="skip: not yet written")
    assert (played.status, played.because, played.failure) == ("skipped", "not yet written", None)


# --- environment ----------------------------------------------------------------------------------------------------
def test_a_provider_that_refuses_gives_the_word_to_the_next_channel(house: Path) -> None:
    passes(house, SIGNUP + "- expect: sms offre\n  step: j0", more="environment: {provider: {email: refuse}}")
    where, _, got = missed(house, SIGNUP + "- expect: email offre", more="environment: {provider: {email: refuse, sms: refuse}}")
    assert where == "- expect: email offre"
    assert "refused by the provider" in got


def test_a_slow_provider_accepts_half_a_minute_later(house: Path) -> None:
    more = "environment: {provider: {email: slow}}"
    found = passes(
        house, SIGNUP + "- expect: email offre at 2027-01-05 10:00\n- at: 2027-01-05 10:00:30\n- expect: step reponse", more=more
    )
    assert found.lived[0].touches[0]["at"] == "2027-01-05T09:00:30Z"


def test_a_fate_that_nobody_knows_holds_the_pass(house: Path) -> None:
    where, _, got = missed(house, SIGNUP + "- expect: email offre", more="environment: {provider: {email: unknown}}")
    assert where == "- expect: email offre"
    assert "unknown" in got
    passes(house, SIGNUP + "- after: 20 days\n- expect: step j0", more="environment: {provider: {email: unknown}}")


def test_a_budget_that_is_spent_holds_what_costs(house: Path) -> None:
    passes(house, SIGNUP + "- expect: held budget", more="environment: {budget_left: 0 EUR}")
    passes(house, SIGNUP + "- expect: email offre", more="environment: {budget_left: 1 EUR}")


def test_a_paused_campaign_takes_nobody_in(house: Path) -> None:
    passes(house, SIGNUP + "- expect: nothing\n  for: 7 days", more="environment: {paused: yes}")


# --- rendering is real ----------------------------------------------------------------------------------------------
def test_a_message_that_cannot_be_made_fails_the_line_that_wanted_it(tmp_path: Path) -> None:
    folder = a_house(tmp_path)
    (folder / "templates" / "email.html.j2").write_text("<p>{{ say.headline }}</p>", "utf-8")
    (folder / "templates" / "email.txt.j2").unlink(missing_ok=True)
    where, _, got = missed(folder, SIGNUP + "- expect: email offre", given="{like: lea, consent: [email]}")
    assert where == "- expect: email offre"
    assert "skipped" in got

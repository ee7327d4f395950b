"""People move to another version as the file says: nobody without a place, nobody told twice, everybody's promise kept."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from living import Living, a_campaign, welcome

from omnicli.campaigns.migrate.intent import Intent, intend
from omnicli.campaigns.migrate.move import Moved, move
from omnicli.campaigns.why import why
from omnicli.errors import Exit, OmniError
from omnicli.model.flow import Flow

FLOW = """
- {send: offre, by: email, id: j0}
- {wait: 3 days, id: attente}
- {send: offre, by: sms, id: rappel}
- {wait: 2 days, id: repos}
- {send: offre, by: email, id: adieu}
"""


@pytest.fixture
def stage(tmp_path: Path) -> Living:
    """Six people wait in `attente` since Monday noon."""
    stage = Living(tmp_path, a_campaign(FLOW))
    stage.start("bienvenue")
    stage.sign_up(*(f"p{n}" for n in range(6)), consent=("email", "sms"), addresses=("email", "sms"))
    stage.run("2027-01-04 12:00")
    assert {step for (step,) in stage.rows("SELECT DISTINCT step FROM enrollment")} == {"attente"}
    return stage


def edited(stage: Living, flow: str, migrate: str = "{from: v1}", **options: Any) -> None:
    """Write another version, and apply it."""
    stage.write(a_campaign(flow, extra=f"migrate: {migrate}", **options))
    stage.loaded = stage.load()
    stage.start("bienvenue")


def moved(stage: Living, **options: Any) -> Moved:
    intent = intend(stage.store, stage.loaded, "bienvenue")
    return move(stage.store, stage.loaded, intent, now=stage.now, **options)


def places(stage: Living) -> dict[str, int]:
    found = stage.rows("SELECT coalesce(step, '') || ' ' || state, count(*) FROM enrollment GROUP BY 1")
    return dict(found)


def versions(stage: Living) -> list[int]:
    return [
        n for (n,) in stage.rows("SELECT v.number FROM enrollment e JOIN campaign_version v ON v.id = e.version_id ORDER BY e.id")
    ]


def refusal(stage: Living) -> OmniError:
    before = stage.snapshot()
    with pytest.raises(OmniError) as caught:
        moved(stage)
    assert stage.snapshot() == before
    return caught.value


# --- places ---------------------------------------------------------------------------------------------------------
def test_whoever_stands_at_a_step_that_is_still_there_stays_unchanged(stage: Living) -> None:
    before = stage.rows("SELECT step, since, wait_from, wait_until, due_at, told FROM enrollment ORDER BY id")
    edited(stage, FLOW.replace("by: sms", "by: email"))
    assert moved(stage).kinds == {"stay": 6}
    assert stage.rows("SELECT step, since, wait_from, wait_until, due_at, told FROM enrollment ORDER BY id") == before
    assert versions(stage) == [2] * 6
    stage.run("2027-01-07 12:00")
    assert {one.channel for one in stage.provider.handed if one.step == "rappel"} == {"email"}


def test_a_step_that_is_gone_names_itself_and_its_people_and_nobody_is_moved(stage: Living) -> None:
    edited(stage, FLOW.replace("- {wait: 3 days, id: attente}\n", ""))
    error = refusal(stage)
    assert (error.code, error.exit) == ("V002", Exit.FINDINGS)
    assert "step 'attente' is gone and 6 people stand there" in error.message


def test_a_step_that_changed_its_verb_is_another_step_and_its_people_go_there_only_when_the_file_says_so(stage: Living) -> None:
    flow = FLOW.replace("wait: 3 days, id: attente", "send: offre, by: sms, id: attente")
    edited(stage, flow)
    error = refusal(stage)
    assert (error.code, error.exit) == ("V002", Exit.FINDINGS)
    assert "step 'attente' does something else now and 6 people stand there" in error.message
    edited(stage, flow, "{from: v1, people: {attente: attente}}")
    assert moved(stage).kinds == {"anew": 6}
    stage.run("2027-01-04 12:10")
    assert stage.got().count("p0 j0") == 1
    assert stage.got().count("p0 attente") == 1


@pytest.mark.parametrize(("there", "expected"), [
    ("repos", {"repos open": 6}), ("next", {"rappel open": 6}), ("exit", {"attente ended": 6}),
])  # fmt: skip
def test_people_go_where_the_file_says(stage: Living, there: str, expected: dict[str, int]) -> None:
    edited(stage, FLOW.replace("- {wait: 3 days, id: attente}\n", ""), f"{{from: v1, people: {{attente: {there}}}}}")
    assert moved(stage).moved == 6
    assert places(stage) == expected


def test_next_is_the_first_step_behind_it_that_both_versions_have(stage: Living) -> None:
    flow = FLOW.replace("- {wait: 3 days, id: attente}\n- {send: offre, by: sms, id: rappel}\n", "")
    edited(stage, flow, "{from: v1, people: {attente: next}}")
    moved(stage)
    assert places(stage) == {"repos open": 6}


def test_an_unknown_version_and_an_unknown_step_are_refused(stage: Living) -> None:
    edited(stage, FLOW, "{from: 1234567}")
    assert refusal(stage).code == "V005"
    edited(stage, FLOW, "{from: v1, people: {attente: rapel}}")
    assert "Did you mean 'rappel'" in refusal(stage).message


def test_a_file_that_is_not_applied_moves_nobody(stage: Living) -> None:
    stage.write(a_campaign(FLOW.replace("3 days", "4 days"), extra="migrate: {from: v1}"))
    stage.loaded = stage.load()
    assert refusal(stage).code == "not-applied"


# --- timers, promises -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("what", "days"), [("keep", 3), ("shorten", 1)])
def test_timers_keep_or_take_the_earlier_end(stage: Living, what: str, days: int) -> None:
    edited(stage, FLOW.replace("3 days", "1 day"), f"{{from: v1, timers: {{attente: {what}}}}}")
    moved(stage)
    [(length,)] = stage.rows("SELECT DISTINCT (wait_until - wait_from) / 86400000 FROM enrollment")
    assert length == days
    stage.run("2027-01-05 12:00")
    assert ("p0 rappel" in stage.got()) == (what == "shorten")


def test_shortening_never_makes_a_timer_longer(stage: Living) -> None:
    edited(stage, FLOW.replace("3 days", "9 days"), "{from: v1, timers: {attente: shorten}}")
    assert moved(stage).timers == 0


def priced(price: str) -> str:
    said = (
        "offre:\n    facts: {price: "
        + price
        + "}\n    say: {fr: {body: 'A {price}', subject: S}, en: {body: 'At {price}', subject: S}}"
    )
    text = a_campaign(FLOW)
    return text.replace(text[text.index("offre:\n") : text.index("\n    approved")], said)


@pytest.mark.parametrize("what", ["keep", "new"])
def test_those_already_told_keep_what_they_were_told_unless_facts_are_new(tmp_path: Path, what: str) -> None:
    stage = Living(tmp_path, priced("20.00 EUR"))
    stage.start("bienvenue")
    stage.sign_up("lea", consent=("email", "sms"), addresses=("email", "sms"))
    stage.run("2027-01-04 12:00")
    stage.write(priced("25.00 EUR") + f"migrate: {{from: v1, facts: {{offre: {what}}}}}\n")
    stage.loaded = stage.load()
    stage.start("bienvenue")
    intent = intend(stage.store, stage.loaded, "bienvenue")
    assert [(p.old, p.new, p.people) for p in (intent.broken if what == "new" else intent.kept)] == [
        ("20.00 EUR", "25.00 EUR", 1)
    ]
    move(stage.store, stage.loaded, intent, now=stage.now)
    stage.run("2027-01-07 12:00")
    [told] = [str(dict(one.rendered.parts)) for one in stage.provider.handed if one.step == "rappel"]
    assert ("25" in told) == (what == "new")


# --- what left is not sent again ------------------------------------------------------------------------------------
def test_moved_back_to_what_they_got_they_pass_it_by_whatever_channel_is_open_now(stage: Living) -> None:
    edited(stage, FLOW.replace("- {wait: 3 days, id: attente}\n", "").replace("by: email, id: j0", "by: sms, id: j0"),
           "{from: v1, people: {attente: j0}}")  # fmt: skip
    moved(stage)
    stage.run("2027-01-04 12:10")
    assert [line for line in stage.got() if line == "p0 j0"] == ["p0 j0"]
    assert "p0 rappel" in stage.got()


def test_a_migration_that_was_cut_off_goes_on_and_ends(stage: Living) -> None:
    edited(stage, FLOW.replace("by: sms", "by: email"))

    class Cut(Exception):
        pass

    def cut(_count: int) -> None:
        raise Cut

    with pytest.raises(Cut):
        moved(stage, batch=2, progress=cut)
    assert sorted(versions(stage)) == [1, 1, 1, 1, 2, 2]
    assert moved(stage, batch=2).moved == 4
    assert versions(stage) == [2] * 6
    assert moved(stage).moved == 0


def test_what_waits_to_leave_leaves_once_in_the_words_of_the_new_version(tmp_path: Path) -> None:
    stage = Living(tmp_path, a_campaign(FLOW))
    stage.start("bienvenue")
    stage.sign_up("lea")
    stage.fold()
    stage.enter()
    stage.turn()
    assert stage.rows("SELECT send_state FROM touch") == [("planned",)]
    edited(stage, FLOW)
    stage.write(a_campaign(FLOW, extra="migrate: {from: v1}").replace("body: Bonjour", "body: Salut"))
    stage.loaded = stage.load()
    stage.start("bienvenue")
    moved(stage)
    stage.run("2027-01-04 12:00")
    [one] = stage.provider.handed
    assert "Salut" in str(dict(one.rendered.parts))


def test_the_ledger_says_that_somebody_was_moved(stage: Living) -> None:
    edited(stage, FLOW.replace("by: sms", "by: email"))
    moved(stage)
    said = [line.text for line in why(stage.store, stage.loaded, "p0").lines]
    assert any("entered bienvenue v1" in text for text in said)
    assert any(text.startswith("moved from v1") for text in said)


# --- any edit -------------------------------------------------------------------------------------------------------
STEPS = ["{{send: offre, by: {c}, id: {i}}}", "{{wait: {d} days, id: {i}}}"]


def anything(dice: random.Random, ids: list[str]) -> str:
    """Some of these ids in some order, as sends and waits."""
    chosen = dice.sample(ids, dice.randint(2, len(ids)))
    lines = [dice.choice(STEPS).format(c=dice.choice(("email", "sms")), d=dice.randint(1, 4), i=i) for i in chosen]
    return "\n".join(f"- {line}" for line in lines)


def mapping(dice: random.Random, old: Flow, new: list[str]) -> str:
    return ", ".join(f"{step}: {dice.choice([*new, 'next', 'exit'])}" for step in old.nodes)


@pytest.mark.parametrize("seed", range(8))
def test_after_any_edit_nothing_settled_is_sent_again_and_everybody_has_a_place(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    ids = [f"s{n}" for n in range(6)]
    stage = Living(tmp_path, a_campaign(anything(dice, ids)))
    stage.start("bienvenue")
    stage.sign_up(*(f"p{n}" for n in range(4)), consent=("email", "sms"), addresses=("email", "sms"))
    for day in range(4, 16, 2):
        stage.run(f"2027-01-{day:02} 12:00")
        old = Flow.of(stage.loaded.campaigns["bienvenue"])
        flow = anything(dice, ids)
        number = stage.row("SELECT max(number) FROM campaign_version")[0]
        edited(
            stage,
            flow,
            f"{{from: [{', '.join(f'v{n + 1}' for n in range(number))}], people: {{{mapping(dice, old, _names(flow))}}}}}",
        )
        moved(stage, batch=3)
        flow_now = Flow.of(stage.loaded.campaigns["bienvenue"])
        assert {s for (s,) in stage.rows("SELECT step FROM enrollment WHERE state = 'open' AND step IS NOT NULL")} <= set(
            flow_now.nodes
        )
    stage.run("2027-02-20 12:00")
    assert len(stage.got()) == len(set(stage.got())), stage.got()


def _names(flow: str) -> list[str]:
    return [part.partition("id: ")[2].rstrip("}") for part in flow.splitlines()]


def test_the_intent_counts_people(stage: Living) -> None:
    edited(stage, FLOW.replace("by: sms", "by: email"))
    found: Intent = intend(stage.store, stage.loaded, "bienvenue")
    assert (found.people, [v.number for v in found.leaving]) == (6, [1])


def test_a_file_without_a_migrate_block_is_refused(tmp_path: Path) -> None:
    stage = Living(tmp_path, welcome())
    stage.start("bienvenue")
    with pytest.raises(OmniError, match="no migrate: block"):
        intend(stage.store, stage.loaded, "bienvenue")

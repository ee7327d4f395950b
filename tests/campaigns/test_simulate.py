"""A simulated base: the engine's own decisions, the same bytes twice, figures that add up, and a model that says where it is wrong."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from omnicli import clock
from omnicli.campaignfile import load_project
from omnicli.campaigns.plan import plan
from omnicli.campaigns.run import build_renderer
from omnicli.campaigns.simulate.answering import Answered, Calendar, Waking
from omnicli.campaigns.simulate.base import Part, invented, lighten
from omnicli.campaigns.simulate.chances import Odds, delay, draw, draws
from omnicli.campaigns.simulate.life import Life
from omnicli.campaigns.simulate.model import Goal, Model, read_model
from omnicli.campaigns.simulate.outcome import differences, outcome
from omnicli.campaigns.simulate.page import page
from omnicli.campaigns.simulate.simulate import Task, simulate
from omnicli.errors import OmniError
from omnicli.model.literals import Percent

ROOT = Path(__file__).parents[2]
START = clock.read_instant("2027-01-04 08:00", "Europe/Paris")

OMNI = """\
project: maison
languages: [fr, en]
countries: [FR]
time_zone: Europe/Paris
brand: {name: Maison Lune, legal_name: Maison Lune SAS, address: "12 rue des Tisserands, 69004 Lyon", privacy: "https://www.maisonlune.example/vie-privee"}
tracking: {domain: "https://go.maisonlune.example"}
channels:
  email: {provider: smtp, from: "Maison Lune <bonjour@maisonlune.example>", price: 0.001 EUR}
  sms: {provider: twilio, from: LUNE, stop: 36180, price: 0.05 EUR}
contacts:
  attributes:
    first_name: {type: text, example: Camille}
    orders: {type: number, default: 0}
    source: [instagram, google]
events: {signup: {form: text}, purchase: {value: money EUR}}
personas:
  camille: {title: Camille, match: source = instagram, channels: [sms, email], tone: {address: tu}}
  default: {title: Autres, channels: [email, sms]}
guardrails: {quiet_hours: [20:00-09:00, sunday, holidays], cap: {all: 2 per week, sms: 1 per week}, min_gap: 16 hours, at_cap: "wait up to 2 days, else next channel"}
"""

CAMPAIGN = """\
campaign: essai
title: Essai
why: W
goal: {when: purchase, within: 30 days, value: value}
holdout: 20 %
enter: {ENTER}
messages:
  offre:
    facts: {offer: 20 %, code: LUNE20, deadline: 26 days after enter, link: "https://www.maisonlune.example/bienvenue"}
    say:
      fr: {subject: "{offer} pour vous", preheader: "Code {code}", headline: Bonjour, body: "{offer} avec {code} avant le {deadline}", short: "{offer} avec {code} avant le {deadline}", cta: Voir}
      en: {subject: "{offer} for you", preheader: "Code {code}", headline: Hello, body: "{offer} with {code} before {deadline}", short: "{offer} with {code} before {deadline}", cta: See}
flow:
  - {send: offre, id: j0, by: email, else: [sms], at: next 10:00}
  - {wait: up to 3 days, id: reponse, for: {clicked: [{wait: 1 day, id: reflexion}], nothing: []}}
  - split:
      court: {share: 50 %, do: [{send: offre, id: rappel-sms, by: sms, else: [email]}]}
      mail: {share: 40 %, do: [{send: offre, id: rappel-mail, by: preferred, else: [email, sms]}]}
      rien: {share: 10 %, do: []}
    id: test
  - {send: offre, id: aussi, by: email}
  - {wait: 2 days, id: pause}
  - choose:
      - {if: orders > 0, do: [{send: offre, id: fidele, by: email}]}
      - {else: [{set: {orders: +1}, id: compte}]}
    id: choix
  - {send: offre, id: fin, by: email, else: [sms], if: not clicked fin, at: 2 days before offre.deadline at 10:00}
"""

SILENT = Model(goal=Goal(alone=Percent.parse("0 %")), people=read_model().people)


@pytest.fixture
def project(tmp_path: Path):
    """A project with one campaign; `project(enter)` gives it read."""

    def made(enter: str = "{when: signup}", **changes: str):
        shutil.copytree(ROOT / "templates", tmp_path / "templates", dirs_exist_ok=True)
        (tmp_path / "campaigns").mkdir(exist_ok=True)
        (tmp_path / "omni.yaml").write_text(OMNI)
        text = CAMPAIGN.replace("{ENTER}", enter)
        for old, new in changes.items():
            text = text.replace(old, new)
        (tmp_path / "campaigns" / "essai.yaml").write_text(text)
        loaded = load_project(tmp_path)
        assert not [f for f in loaded.findings if f.severity == "error"], loaded.findings
        return loaded

    return made


def lived(loaded, people: int = 180, *, days: int = 50, model: Model | None = None, **more):
    return simulate(Task(loaded, "essai", model or read_model(), "7", START, days, people), None, **more)


# --- the decisions are the engine's ------------------------------------------------------------------------------------
def test_in_silence_a_simulation_makes_the_very_touches_that_a_plan_shows(project) -> None:
    loaded = project("{at: 2027-01-04 09:00}")
    store = invented(loaded, SILENT, 60, seed="7", now=START, part=Part())
    end = clock.read_instant("2027-02-10 08:00", "Europe/Paris")
    planned = plan(store, loaded, ["essai"], now=START, until=end)
    words = {"send": "delivered", "held_out": "held_out", "skipped": "skipped"}
    expected = Counter((p.contact, p.step, p.channel, words[p.state], p.reason or "") for p in planned.touches)

    lighten(store)
    life = Life(
        store,
        loaded,
        "essai",
        SILENT,
        seed="7",
        start=START,
        end=end,
        renderer=build_renderer(loaded, store, live=False),
        felt=False,
    )
    made: Counter[tuple[str, ...]] = Counter()
    when: dict[tuple[str, str], object] = {}

    def note(s, touch, what: str, reason: str) -> None:
        name = f"sim-{s.contact_id:07d}"
        made[name, touch.step, touch.channel, what, reason] += 1
        when[name, touch.step] = life.now

    life.on_touch = note
    life.live()
    assert sum(expected.values()) > 150
    assert len({key[3:] for key in expected}) >= 3  # delivered, held out, and some reason
    assert made == expected
    sent = {(p.contact, p.step): p.at for p in planned.sends}
    assert {key: when[key] for key in sent} == sent


def test_parts_of_a_base_add_up_to_the_whole(project) -> None:
    loaded = project()
    whole, parts = lived(loaded, 120, days=30), lived(loaded, 120, days=30, processes=2)
    assert outcome(whole, source="invented") == outcome(parts, source="invented")


def test_a_budget_is_felt_by_everybody_together_or_by_nobody(project) -> None:
    loaded = project(**{"holdout: 20 %": "holdout: 20 %\nguardrails: {budget: 1 EUR}"})
    found = outcome(lived(loaded, 200, days=30, processes=2), source="invented")
    assert found["cost"]["budget_felt"]
    assert found["cost"]["micro"] <= 1_050_000  # what was reserved for one part may cost two
    assert any(h["guard"] == "budget" for h in found["held"])
    rich = project(**{"holdout: 20 %": "holdout: 20 %\nguardrails: {budget: 2000 EUR}"})
    assert not outcome(lived(rich, 200, days=30), source="invented")["cost"]["budget_felt"]


# --- the figures add up ------------------------------------------------------------------------------------------------
def test_the_funnel_keeps_the_identities_of_measurement(project) -> None:
    found = outcome(lived(project()), source="invented")
    everything = [found["touches"], *(step["touches"] for step in found["funnel"] if "touches" in step)]
    for touches in everything:
        assert touches["planned"] == sum(touches["skipped_by_reason"].values()) + touches["held_out"] + touches["attempted"]
        assert touches["attempted"] == touches["accepted"] + touches["rejected"]
        assert touches["accepted"] == touches["delivered"] + touches["bounced"] + touches["lost"]
    for name in ("planned", "accepted", "held_out", "skipped"):
        assert found["touches"][name] == sum(step["touches"][name] for step in found["funnel"] if "touches" in step)
    assert found["entered"]["all"] == found["entered"]["treated"] + found["entered"]["held_out"]
    assert found["entered"]["all"] == sum(found["ended"].values()) + sum(found["inside"].values())
    assert sum(n * people for n, people in found["pressure"]["touches"]) == found["touches"]["accepted"]
    assert sum(n for *_, n in found["load"]) == found["touches"]["accepted"]
    assert sum(people for _, people in found["pressure"]["week"]) == found["entered"]["treated"]
    assert found["pressure"]["most_in_a_week"] <= 2  # the cap
    assert found["goal"]["reached"] == found["goal"]["treated"] + found["goal"]["held_out"] > 0
    assert found["cost"]["micro"] == sum(sum(row) for row in found["cost"]["by_week"].values())
    assert (
        found["experiment"]["difference"]["low"]
        <= found["experiment"]["difference"]["value"]
        <= found["experiment"]["difference"]["high"]
    )


def test_nothing_leaves_in_quiet_hours_and_whoever_left_gets_nothing_more(project) -> None:
    leaving = read_model().model_copy(update={"channels": {**read_model().channels}})
    found = outcome(lived(project(), model=leaving), source="invented")
    assert {weekday for weekday, *_ in found["load"]} <= set(range(6))
    assert all(9 <= hour < 20 for _, hour, _, _ in found["load"])


def test_another_seed_gives_other_answers_and_a_stronger_effect_more_goals(project, tmp_path: Path) -> None:
    loaded = project()
    (tmp_path / "strong.yaml").write_text("goal: {after: {accepted: 20 %}}\n")
    weak, strong = (
        outcome(lived(loaded, model=model), source="invented") for model in (None, read_model(tmp_path / "strong.yaml"))
    )
    assert strong["goal"]["treated"] > 2 * weak["goal"]["treated"]
    assert strong["goal"]["held_out"] == weak["goal"]["held_out"]  # nobody touched them
    changed = {one["figure"]: (one["now"], one["before"]) for one in differences(strong, weak) if one["now"] != one["before"]}
    assert "goal.reached" in changed
    assert "entered" not in changed


# --- the same bytes ----------------------------------------------------------------------------------------------------
SCRIPT = """
import json, sys
from pathlib import Path
from omnicli import clock, texts
from omnicli.campaignfile import load_project
from omnicli.campaigns.simulate.model import read_model
from omnicli.campaigns.simulate.outcome import outcome
from omnicli.campaigns.simulate.page import page
from omnicli.campaigns.simulate.simulate import Task, simulate
texts.use("en")
root, out, jobs = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
loaded = load_project(root)
start = clock.read_instant("2027-01-04 08:00", "Europe/Paris")
found = outcome(simulate(Task(loaded, "essai", read_model(), "7", start, 40, 150), None, processes=jobs), source="invented")
out.with_suffix(".json").write_text(json.dumps(found, ensure_ascii=False, indent=1))
out.with_suffix(".html").write_text(page(found, loaded.project.brand))
"""


@pytest.mark.slow
def test_two_processes_with_another_hash_seed_and_zone_write_equal_files(project, tmp_path: Path) -> None:
    project()
    for name, seed, zone, jobs in (
        ("a", "1", "UTC", "1"),
        ("b", "4242", "Asia/Kathmandu", "1"),
        ("c", "77", "America/Lima", "2"),
    ):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": zone}
        subprocess.run(
            [sys.executable, "-c", SCRIPT, str(tmp_path), str(tmp_path / name), jobs], check=True, env=environment, timeout=300
        )
    for kind in ("json", "html"):
        first, *others = ((tmp_path / f"{name}.{kind}").read_bytes() for name in "abc")
        assert all(other == first for other in others)
    assert json.loads((tmp_path / "a.json").read_text())["touches"]["accepted"] > 100


def test_a_draw_is_a_hash_of_names_for_good() -> None:
    assert draw("7", "léa", "j0") == draw("7", "léa", "j0") != draw("8", "léa", "j0")
    assert all(0 <= value < 1 for value in draw("7", "léa", "j0"))
    assert len(draws("7", "léa")) == 16
    assert len({one for n in range(50) for one in draws("7", str(n))}) == 800


def test_half_of_all_answer_within_the_half_time_and_nobody_after_twenty_of_them() -> None:
    late = [delay(60.0, draw("7", str(n))[1]) / 60_000 for n in range(4000)]
    assert 0.47 < sum(1 for minutes in late if minutes <= 60) / 4000 < 0.53
    assert max(late) <= 1200


def test_people_do_nothing_while_they_sleep() -> None:
    from zoneinfo import ZoneInfo

    waking = Waking(read_model().awake)
    for hour in range(24):
        at = clock.to_ms(clock.read_instant(f"2027-01-04 {hour:02d}:10", "Europe/Paris"))
        woken = clock.from_ms(waking.at(at, ZoneInfo("Europe/Paris"), 0.5)).astimezone(ZoneInfo("Europe/Paris"))
        assert 7 <= woken.hour < 23


def test_answers_are_heard_at_the_tick_after_they_came() -> None:
    calendar = Calendar(900_000, 10_000_000)
    calendar.add(Answered(1_000_000, 2, "clicked", 0, "", "", ""))
    calendar.add(Answered(950_000, 1, "clicked", 0, "", "", ""))
    assert calendar.next == 1_800_000
    assert [a.contact for a in calendar.due(1_800_000)] == [1, 2]
    assert calendar.next is None


# --- the model ---------------------------------------------------------------------------------------------------------
def test_a_model_says_every_mistake_at_its_place(tmp_path: Path) -> None:
    file = tmp_path / "model.yaml"
    file.write_text("channels:\n  emial:\n    answers: {cliked: 3 %, opened: 0.2}\ngaol: {}\ntired: 80\n")
    with pytest.raises(OmniError) as caught:
        read_model(file)
    assert caught.value.exit == 2
    lines = caught.value.message.splitlines()
    assert [line.split(" ")[0] for line in lines] == [
        "model.yaml:4:1:",
        "model.yaml:3:36:",
        "model.yaml:5:8:",
        "model.yaml:2:3:",
        "model.yaml:3:15:",
    ]
    assert "Did you mean 'goal'?" in lines[0]
    assert "Did you mean 'clicked'?" in lines[4]


def test_a_file_needs_to_say_only_what_it_knows_better(tmp_path: Path) -> None:
    file = tmp_path / "model.yaml"
    file.write_text(
        "channels: {email: {answers: {clicked: 9 %}}}\nsteps: {j0: {clicked: 12 %}}\npersonas: {camille: {email: 0.5}}\n"
    )
    odds, base = Odds(read_model(file)), Odds(read_model())

    def clicked(known: Odds, persona: str | None, step: str) -> float:
        return next(c.share for c in known.of("email", persona, step).answers if c.name == "clicked")

    assert clicked(odds, None, "fin") == pytest.approx(0.09)
    assert clicked(odds, None, "j0") == pytest.approx(0.12)
    assert clicked(odds, "camille", "fin") == pytest.approx(0.045)
    assert odds.of("sms", None, "j0").refused == base.of("sms", None, "j0").refused
    assert next(c.half for c in odds.of("email", None, "fin").answers if c.name == "clicked") == 360


# --- the page ----------------------------------------------------------------------------------------------------------
def test_the_page_is_one_file_without_network_or_script(project) -> None:
    loaded = project()
    found = outcome(lived(loaded, 150, days=40), source="invented")
    text = page(found, loaded.project.brand)
    assert len(text.encode()) < 400_000
    assert "<script" not in text
    assert "src=" not in text
    assert "http" not in text
    for words in ("The way through", "When they leave", "What it costs", "Pressure", "answers are assumptions"):
        assert words in text

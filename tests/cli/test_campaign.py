"""omni campaign, status and schedule through the front door: exit codes, JSON, a plain pipe, and the sandbox's clock."""

from __future__ import annotations

import json
import re
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import stores

from omnicli.app import open_project, open_store
from omnicli.cli.main import run as omni

SAMPLE = Path(__file__).parents[2]

OMNI = """
project: maison
languages: [fr]
countries: [FR]
time_zone: Europe/Paris
channels:
  email: {provider: smtp, price: 0.001 EUR}
  sms: {provider: twilio, price: 0.05 EUR}
contacts: {attributes: {first_name: text, orders: {type: number, default: 0}}}
events: {signup: {form: text}, purchase: {value: money EUR}}
guardrails: {quiet_hours: [], cap: {all: 9 per day}}
tracking: {domain: https://go.maison.example}
"""

WELCOME = """
campaign: bienvenue
title: Bienvenue
why: because
owner: ines
enter: {when: signup}
goal: {when: purchase}
messages:
  offre:
    say: {fr: {body: "Bonjour {first_name or \\"vous\\"}", subject: Bonjour, short: Bonjour, cta: Voir}}
flow:
  - {send: offre, id: j0, by: email, else: [sms], at: next 10:00}
  - {wait: 2 days, id: repos}
"""

PEOPLE = """id,first_name,email,phone,consent_email,consent_sms
1,Léa,lea@example.com,+33600000001,yes,yes
2,Max,max@example.com,+33600000002,yes,yes
3,Zoé,zoe@example.com,+33600000003,no,yes
"""

MAP = """
id: id
first_name: first_name
email: address.email
phone: address.sms
consent_email: consent.email
consent_sms: consent.sms
"""


class Said(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def result(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        assert found["format_version"] == "1.0"
        assert found["exit"] == self.code
        return dict(found.get("result") or found.get("error") or {})


class Shop:
    """A project of three people; `omni` is called as from a pipe."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root, self._capsys = root, capsys
        (root / "campaigns").mkdir()
        (root / "templates").mkdir()
        (root / "omni.yaml").write_text(OMNI)
        (root / "campaigns" / "bienvenue.yaml").write_text(WELCOME.lstrip())
        (root / "templates" / "email.html.j2").write_text("<html><body><p>{{ say.body }}</p></body></html>")
        (root / "templates" / "sms.txt.j2").write_text("{{ brand.name }} {{ say.short }} {{ stop }}")
        (root / "people.csv").write_text(PEOPLE)
        (root / "map.yaml").write_text(MAP)

    def __call__(self, *words: str) -> Said:
        self._capsys.readouterr()
        code = omni([*words, "-C", str(self.root), "--lang", "en"])
        out, err = self._capsys.readouterr()
        return Said(code, out, err)

    def edit(self, old: str, new: str) -> None:
        path = self.root / "campaigns" / "bienvenue.yaml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))


@pytest.fixture
def shop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shop:
    found = Shop(tmp_path, capsys)
    said = found(
        "contact", "import", str(tmp_path / "people.csv"), "--map", str(tmp_path / "map.yaml"), "--as-of", "2027-01-04 09:00"
    )
    assert said.code == 0, said
    return found


def signed_up(shop: Shop) -> Shop:
    """bienvenue runs since Monday 11:00; the three signed up at 11:10 and were let in at 11:30."""
    assert shop("campaign", "start", "bienvenue", "--as-of", "2027-01-04 11:00").code == 0
    for n in "123":
        assert shop("response", "add", n, "signup", "--at", "2027-01-04 11:10", "--as-of", "2027-01-04 11:15").code == 0
    assert shop("campaign", "run", "bienvenue", "--as-of", "2027-01-04 11:30").code == 0
    return shop


def test_the_first_day_from_list_to_outbox(shop: Shop) -> None:
    assert "draft" in shop("campaign", "list").out
    signed_up(shop)
    plan = shop("campaign", "plan", "bienvenue", "--as-of", "2027-01-05 10:00", "--json").result
    assert (plan["touches"], plan["exact"], plan["cost"]) == (3, 3, {"amount": "0.052", "currency": "EUR"})
    said = shop("campaign", "run", "bienvenue", "--as-of", "2027-01-05 10:00")
    assert said.code == 0
    assert said.out.splitlines()[-1] == (shop.root / "outbox" / "sandbox" / "index.html").as_uri()
    assert "Sent 3 for 0.05 EUR" in said.out
    again = shop("campaign", "run", "bienvenue", "--as-of", "2027-01-05 10:00", "--json").result
    assert (again["sent"], again["skipped"]) == (0, {})


def test_when_nothing_is_due_the_reason_and_a_remedy_are_said(shop: Shop) -> None:
    never = "bienvenue is entered by signup, which nobody has had yet:  omni response add ID signup"
    assert never in shop("campaign", "start", "bienvenue", "--as-of", "2027-01-04 11:00").out
    plan = shop("campaign", "plan", "bienvenue", "--as-of", "2027-01-04 11:05").out
    assert never in plan
    assert "Do it:" not in plan
    assert "Nothing was due.\n " + never in shop("campaign", "run", "bienvenue", "--as-of", "2027-01-04 11:05").out

    added = shop("response", "add", "1", "signup", "--at", "2027-01-03 10:00", "--as-of", "2027-01-04 11:10").out
    assert "omni campaign run bienvenue" in added
    early = "One person had that event before the start:  omni campaign start bienvenue --since"
    assert early in shop("campaign", "plan", "bienvenue").out
    why = shop("contact", "why", "1", "--campaign", "bienvenue")
    assert "signup at 2027-01-03 10:00: before the campaign was started (2027-01-04 11:00)" in why.out
    assert "The sandbox's clock stands at 2027-01-04 11:10." in why.err
    again = shop("campaign", "start", "bienvenue", "--since", "2027-01-01").out
    assert "is already running: events since 2027-01-01 let people in." in again
    assert "had that event" not in shop("campaign", "plan", "bienvenue").out

    shop("campaign", "pause", "bienvenue")
    assert "bienvenue is paused:  omni campaign resume bienvenue" in shop("campaign", "run", "bienvenue").out


def test_what_is_printed_into_a_pipe_has_no_escape_codes_and_no_trailing_spaces(shop: Shop) -> None:
    signed_up(shop)
    pages = [("campaign", "list"), ("campaign", "show", "bienvenue"), ("status",), ("schedule", "next"),
             ("campaign", "plan", "bienvenue", "--until", "2d", "--why"), ("campaign", "run", "bienvenue", "-n")]  # fmt: skip
    for words in pages:
        said = shop(*words)
        assert said.code == 0, (words, said)
        assert "\x1b" not in said.out
        assert not re.search(r"[ \t]+$", said.out, re.MULTILINE), words
        assert not re.search("[│┌┐┘─]{4}", said.out)


def test_a_plan_shows_when_which_step_how_many_and_why(shop: Shop) -> None:
    signed_up(shop)
    out = shop("campaign", "plan", "bienvenue", "--until", "2d").out
    assert re.search(r"Tue 05 Jan 10:00 +j0 +email +2 +0.002 EUR\n", out)
    assert re.search(r"sms +1 +0.05 EUR +else, email: no consent", out)
    assert re.search(r"Total +3 +0.05 EUR", out)
    assert "Do it:    omni campaign run bienvenue" in out
    for by in ("day", "hour", "channel", "persona"):
        assert "Total" in shop("campaign", "plan", "bienvenue", "--until", "2d", "--by", by).out
    assert shop("campaign", "plan", "bienvenue", "--by", "moon").code == 2


def test_plan_with_exit_code_is_10_when_something_is_due(shop: Shop) -> None:
    signed_up(shop)
    assert shop("campaign", "plan", "bienvenue", "--exit-code").code == 0
    assert shop("campaign", "plan", "bienvenue", "--exit-code", "--as-of", "2027-01-05 10:00").code == 10
    assert shop("status", "--exit-code", "--as-of", "2027-01-05 10:00").code == 10


def test_one_persons_next_thirty_days(shop: Shop) -> None:
    signed_up(shop)
    out = shop("campaign", "plan", "bienvenue", "--contact", "3").out
    assert re.search(r"Tue 05 Jan 10:00 +j0 +offre +sms", out)
    assert shop("campaign", "plan", "bienvenue", "--contact", "99").code == 2


def test_a_dry_run_says_what_would_leave_and_leaves_no_outbox(shop: Shop) -> None:
    signed_up(shop)
    said = shop("campaign", "run", "bienvenue", "-n", "--as-of", "2027-01-05 10:00")
    assert "Would send 3" in said.out
    assert not list((shop.root / "outbox").rglob("*.html")) if (shop.root / "outbox").exists() else True
    assert shop("campaign", "run", "bienvenue", "--as-of", "2027-01-04 12:00").code == 0, "the clock was not moved"


def test_the_sandboxs_clock_never_runs_backwards(shop: Shop) -> None:
    signed_up(shop)
    said = shop("campaign", "run", "bienvenue", "--as-of", "2027-01-03 10:00")
    assert said.code == 2
    assert "already lived" in said.err
    assert shop("campaign", "plan", "bienvenue", "--as-of", "2027-01-03 10:00").code == 0, "looking back is allowed"


def test_a_draft_and_a_changed_file_are_announced_in_the_sandbox(shop: Shop) -> None:
    first = shop("campaign", "run", "bienvenue", "--as-of", "2027-01-04 11:00")
    assert re.search(r"bienvenue v1 · [0-9a-f]{7} started", first.out)
    shop.edit("wait: 2 days", "wait: 3 days")
    assert "file changed" in shop("campaign", "list").out
    second = shop("campaign", "run", "bienvenue")
    assert re.search(r"bienvenue v2 · [0-9a-f]{7} applied", second.out)


def test_a_file_with_an_error_is_refused_with_its_findings(shop: Shop) -> None:
    shop.edit("by: email", "by: emial")
    said = shop("campaign", "run", "bienvenue")
    assert said.code == 1
    assert "campaigns/bienvenue.yaml:" in said.err
    assert "email" in said.err
    found = shop("campaign", "plan", "bienvenue", "--json")
    assert found.code == 1
    assert found.result["findings"]
    assert shop("campaign", "start", "bienvenue").code == 1


def test_pause_resume_and_stop_say_what_they_did(shop: Shop) -> None:
    signed_up(shop)
    assert "3 people inside hold still" in shop("campaign", "pause", "bienvenue", "--because", "wrong price").out
    assert "« wrong price »" in shop("campaign", "list").out
    assert "would run again" in shop("campaign", "resume", "bienvenue", "-n").out
    assert "is running again" in shop("campaign", "resume", "bienvenue", "--timers", "shift").out
    refused = shop("campaign", "stop", "bienvenue")
    assert refused.code == 4
    assert "3 people are inside" in refused.err
    assert shop("campaign", "stop", "bienvenue", "--confirm", "bienvenu").code == 4
    assert "3 people left" in shop("campaign", "stop", "bienvenue", "--confirm", "bienvenue").out
    assert shop("campaign", "run", "bienvenue").code == 4


def test_mistyped_names_are_answered_with_the_nearest(shop: Shop) -> None:
    signed_up(shop)
    for words in (("plan", "bienvenu"), ("run", "bienvenu"), ("show", "bienvenu"), ("pause", "bienvenu"), ("stop", "bienvenu")):
        said = shop("campaign", *words)
        assert (said.code, "bienvenue" in said.err) == (2, True), (words, said)
    assert "--only wants channel" in shop("campaign", "run", "bienvenue", "--only", "step=j0").err
    assert "'sms'" in shop("campaign", "run", "bienvenue", "--only", "channel=smss").err


def test_another_run_at_work_is_exit_5_and_a_tick_leaves_with_0(shop: Shop) -> None:
    """On PostgreSQL both go on: there the claim of each touch decides, for whoever runs may be on another machine."""
    from omnicli.campaigns.lock import project_lock

    signed_up(shop)
    with project_lock(shop.root, live=False):
        run, tick = shop("campaign", "run", "bienvenue"), shop("schedule", "tick", "--json")
    assert (run.code, tick.code, tick.result.get("without")) == ((0, 0, None) if stores.POSTGRESQL else (5, 0, "locked"))


def test_a_tick_prints_one_line_when_something_happened_and_nothing_otherwise(shop: Shop) -> None:
    signed_up(shop)
    said = shop("schedule", "tick", "--as-of", "2027-01-05 10:00")
    assert said.out.count("\n") == 1
    assert "3 sent" in said.out
    assert shop("schedule", "tick", "--as-of", "2027-01-05 10:01") == Said(0, "", "")


def test_show_and_status_count_people(shop: Shop) -> None:
    signed_up(shop)
    shop("campaign", "run", "bienvenue", "--as-of", "2027-01-05 10:00")
    out = shop("campaign", "show", "bienvenue").out
    assert re.search(r"├─ j0  send offre by email, else sms, at next 10:00  email 2 · sms 1", out)
    assert re.search(r"3 +└─ repos  wait 2 days", out)
    positions = shop("status", "--positions").result["positions"]
    assert [(p["step"], p["people"]) for p in positions[0]["at"]] == [("repos", 3)]
    assert shop("campaign", "show", "bienvenue", "--version", "v1", "--json").result["shown"]["number"] == 1
    assert shop("campaign", "show", "bienvenue", "--version", "v9").code == 2


def test_status_says_by_what_people_are_held_and_how_to_see_whom(shop: Shop) -> None:
    (shop.root / "omni.yaml").write_text(OMNI.replace("cap: {all: 9 per day}", "cap: {all: 1 per day}"))
    shop.edit("{wait: 2 days, id: repos}", "{wait: 1 hour, id: repos}\n  - {send: offre, id: j1, by: email, else: [sms]}")
    signed_up(shop)
    shop("campaign", "run", "bienvenue", "--as-of", "2027-01-05 10:00")
    assert "Held" not in shop("status", "--as-of", "2027-01-05 10:00").out
    shop("campaign", "run", "bienvenue", "--as-of", "2027-01-05 11:30")
    out = shop("status", "--as-of", "2027-01-05 11:30").out
    assert "Held: cap 2     who: omni campaign plan bienvenue --why" in out.splitlines()
    assert shop("campaign", "plan", "bienvenue", "--why", "--as-of", "2027-01-05 11:30").code == 0
    with closing(open_store(open_project(shop.root), live=False)) as store, store.write() as connection:
        connection.exec_driver_sql(
            "UPDATE enrollment SET state = 'open', held_by = 'quiet_hours' WHERE held_by IS NULL OR id = 1"
        )
    out = shop("status", "--as-of", "2027-01-05 11:30").out
    assert "Held: quiet hours 2 · cap 1     who: omni campaign plan bienvenue --why" in out.splitlines()
    assert list(shop("status", "--json").result["held_by"].items()) == [("quiet_hours", 2), ("cap", 1)]


def test_in_live_a_draft_is_refused_and_nothing_is_asked_of_a_pipe(shop: Shop) -> None:
    assert shop("db", "upgrade", "--live").code in (0, 4)
    said = shop("campaign", "run", "bienvenue", "--live", "--no-input")
    assert said.code == 4


def test_schedule_shows_what_it_would_install(shop: Shop) -> None:
    cron = shop("schedule", "install", "--cron").out
    assert "CRON_TZ=Europe/Paris" in cron
    assert re.search(rf"\*/15 \* \* \* \* \S.* schedule tick -C {re.escape(str(shop.root))} --no-input -q >>", cron)
    assert "ExecStart=" in shop("schedule", "install", "--systemd").out
    assert "cron: " in shop("schedule", "install", "--github").out
    assert shop("schedule", "install").code == 2
    assert "Nothing calls the tick" in shop("schedule", "list").out


def test_everything_is_said_in_french_too(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    signed_up(shop)
    capsys.readouterr()
    omni(["campaign", "plan", "bienvenue", "--until", "2d", "-C", str(shop.root), "--lang", "fr"])
    out = capsys.readouterr().out
    assert re.search(r"mar. 05 janv. 10:00 +j0 +email +2 +0,002 EUR", out)
    assert "Rien n'est parti" in out


@pytest.mark.parametrize(
    ("file", "text", "code"),
    [
        ("email.html.j2", "{{ nope.x }}", "J002"),
        ("email.html.j2", "{{ facts.nope }}", "J002"),
        ("sms.txt.j2", "", "J006"),
        ("sms.txt.j2", "a\0b", "J006"),
        ("email.html.j2", "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}", "J006"),
        ("email.bienvenue.html.j2", "{{ nope }}", "J002"),
    ],
)
def test_a_template_that_would_spoil_every_message_keeps_the_campaign_from_running(tmp_path, capsys, file, text, code):
    shutil.copy(SAMPLE / "omni.yaml", tmp_path)
    for folder in ("campaigns", "templates"):
        shutil.copytree(SAMPLE / folder, tmp_path / folder)
    (tmp_path / "templates" / file).write_text(text, "utf-8")
    for words in (("start", "bienvenue"), ("run", "bienvenue")):
        assert omni(["campaign", *words, "--json", "--no-input", "-C", str(tmp_path)]) == 1
        found = json.loads(capsys.readouterr().out)["result"]["findings"]
        assert {(f["code"], f["file"]) for f in found} == {(code, f"templates/{file}")}


def test_another_campaigns_own_template_keeps_nobody_else_from_running(tmp_path, capsys):
    shutil.copy(SAMPLE / "omni.yaml", tmp_path)
    for folder in ("campaigns", "templates"):
        shutil.copytree(SAMPLE / folder, tmp_path / folder)
    (tmp_path / "templates" / "email.reconquete.html.j2").write_text("{{ nope }}", "utf-8")
    assert omni(["campaign", "start", "bienvenue", "--no-input", "-q", "-C", str(tmp_path)]) == 0
    assert omni(["campaign", "start", "reconquete", "--no-input", "-q", "-C", str(tmp_path)]) == 1

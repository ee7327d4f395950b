"""Rules that need numbers speak with a store beside the project, at their place, and stay silent without one."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from test_cases import NOW, a_project, shown, spoil

from omnicli.app import open_project, open_store
from omnicli.campaignfile import load_project
from omnicli.campaigns.life import start
from omnicli.lint.census import census
from omnicli.lint.rule import catalogue
from omnicli.lint.run import lint
from omnicli.people.imports import import_contacts
from omnicli.people.mapping import read_map

MAP = (
    "id: id\nemail: address.email\nmobile: address.sms\ncountry: country\ntime_zone: time_zone\nlanguage: language\ncity: city\n"
    "orders: orders\nsource: source\nemail_consent: consent.email\nsms_consent: consent.sms\n"
)
COLUMNS = [
    "id",
    "email",
    "mobile",
    "country",
    "time_zone",
    "language",
    "city",
    "orders",
    "source",
    "email_consent",
    "sms_consent",
]


def a_base(root: Path, *, zones: bool = True) -> None:
    """Forty people: half from Instagram, a quarter without a city, half reachable by SMS."""
    with (root / "people.csv").open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(COLUMNS)
        for n in range(40):
            city = "" if n % 4 == 0 else "Brest"
            source = "instagram" if n % 2 else "google"
            zone = "Europe/Paris" if zones else ""
            writer.writerow(
                [
                    f"P{n}",
                    f"p{n}@example.com",
                    f"+336399800{n:02d}",
                    "FR",
                    zone,
                    "fr",
                    city,
                    n % 3,
                    source,
                    "yes",
                    "yes" if n % 2 else "no",
                ]
            )
    (root / "people.map.yaml").write_text(MAP)
    loaded = open_project(root)
    assert loaded.project is not None
    store = open_store(loaded, live=False)
    import_contacts(store, loaded, root / "people.csv", mapping=read_map(root / "people.map.yaml", loaded.project), now=NOW)
    store.close()


CASES = {
    "A004": {"file": "omni.yaml", "old": "  default:\n    title: Les autres", "new": "  brest:\n    title: Brest\n    match: city = Brest\n    channels: [email]\n    tone: {address: vous}\n  default:\n    title: Les autres"},
    "A005": {"file": "omni.yaml", "old": "  default:\n    title: Les autres\n    channels: [email, sms]\n    tone: {address: vous}\n", "new": ""},
    "A006": {"file": "omni.yaml", "old": "  nouveaux:", "new": "  lyonnais: city = Lyon\n  nouveaux:"},
    "A010": {"file": "campaigns/noel.yaml", "old": "if: city = Brest and (", "new": "if: city != Brest and ("},
    "A013": {"file": "campaigns/noel.yaml", "old": "if: city = Brest and (", "new": "if: count(purchase) > 1 and count(signup) > 1 and count(clicked) > 1 and count(replied) > 1 and count(scanned) > 1 and ("},
    "X001": {"file": "campaigns/noel.yaml", "old": "measure: purchase", "new": "measure: purchase"},
    "F012": {"file": "campaigns/noel.yaml", "old": "  if: segment nouveaux\n", "new": "", "with": [{"file": "campaigns/noel.yaml", "old": "    by: email\n    else: [sms]", "new": "    by: sms"}]},
}  # fmt: skip


@pytest.mark.parametrize(("code", "case"), CASES.items(), ids=list(CASES))
def test_with_a_store_the_rule_speaks_and_without_one_it_is_silent(code: str, case: dict[str, str], tmp_path: Path) -> None:
    root = a_project(tmp_path)
    a_base(root)
    spoil(root, case)  # type: ignore[arg-type]
    loaded = load_project(root)
    with census(root / ".omni" / "sandbox.db", now=NOW) as base:
        found = lint(loaded, now=NOW, profile="production", census=base)
    assert not found.bugs
    assert code in {f.code for f in found.findings}, shown(found.findings)
    assert code not in {f.code for f in lint(loaded, now=NOW, profile="production").findings}


def test_people_without_a_zone_are_counted(tmp_path: Path) -> None:
    root = a_project(tmp_path)
    a_base(root, zones=False)
    with census(root / ".omni" / "sandbox.db", now=NOW) as base:
        found = lint(load_project(root), now=NOW, census=base)
    assert ["100 %" in f.message for f in found.findings if f.code == "T014"] == [True]


def test_a_file_that_is_no_store_silences_the_numbers_and_nothing_else(tmp_path: Path) -> None:
    root = a_project(tmp_path)
    (root / ".omni").mkdir()
    (root / ".omni" / "sandbox.db").write_bytes(b"nothing that SQLite knows" * 50)
    with census(root / ".omni" / "sandbox.db", now=NOW) as base:
        assert base is None


def test_two_campaigns_that_share_their_people_are_told(tmp_path: Path) -> None:
    root = a_project(tmp_path)
    a_base(root)
    text = (root / "campaigns" / "noel.yaml").read_text("utf-8")
    (root / "campaigns" / "paques.yaml").write_text(text.replace("campaign: noel", "campaign: paques"), "utf-8")
    loaded = load_project(root)
    store = open_store(loaded, live=False)
    for name in ("noel", "paques"):
        start(store, loaded, name, now=NOW)
        with store.write() as connection:
            connection.exec_driver_sql(
                "INSERT INTO enrollment (key, contact_id, campaign_id, version_id, pass, entered_at, language, step, since, state) "
                f"SELECT randomblob(16), contact.id, campaign.id, version_id, 1, 0, 'fr', 'j0', 0, 'open' FROM contact, campaign WHERE name = '{name}'"
            )
    store.close()
    with census(root / ".omni" / "sandbox.db", now=NOW) as base:
        found = lint(loaded, now=NOW, census=base)
    said = sorted(f.message for f in found.findings if f.code == "F016")
    assert said == ["100 % of its people are in 'noel' at the same time", "100 % of its people are in 'paques' at the same time"]


def test_two_codes_for_one_person_on_one_day_are_told(tmp_path: Path) -> None:
    root = a_project(tmp_path)
    a_base(root)
    text = (root / "campaigns" / "noel.yaml").read_text("utf-8")
    other = text.replace("campaign: noel", "campaign: paques").replace("code: SEL20", "code: PAQUES20")
    (root / "campaigns" / "paques.yaml").write_text(other, "utf-8")
    loaded = load_project(root)
    store = open_store(loaded, live=False)
    due = int(NOW.timestamp() * 1000)
    for name in ("noel", "paques"):
        start(store, loaded, name, now=NOW)
        with store.write() as connection:
            connection.exec_driver_sql(
                "INSERT INTO enrollment (key, contact_id, campaign_id, version_id, pass, entered_at, language, step, since, state, due_at) "
                f"SELECT randomblob(16), contact.id, campaign.id, version_id, 1, 0, 'fr', 'j0', 0, 'open', {due} FROM contact, campaign WHERE name = '{name}'"
            )
    store.close()
    with census(root / ".omni" / "sandbox.db", now=NOW) as base:
        found = [f for f in lint(loaded, now=NOW, census=base, select=["M016"]).findings if f.code == "M016"]
    assert [f.message for f in found] == ["40 people would get SEL20 and PAQUES20 on one day"]
    assert (found[0].place.file, found[0].path) == ("campaigns/paques.yaml", "messages.offre.facts.code")


def test_arms_that_change_while_people_are_in_the_test_are_told(tmp_path: Path) -> None:
    root = a_project(tmp_path)
    a_base(root)
    loaded = load_project(root)
    store = open_store(loaded, live=False)
    start(store, loaded, "noel", now=NOW)
    with store.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO enrollment (key, contact_id, campaign_id, version_id, pass, entered_at, language, step, since, state) "
            "SELECT randomblob(16), contact.id, campaign.id, version_id, 1, 0, 'fr', 'essai', 0, 'open' FROM contact, campaign"
        )
    store.close()
    text = (root / "campaigns" / "noel.yaml").read_text("utf-8")
    for shares, said in (
        (("50 %", "50 %"), []),
        (("80 %", "20 %"), ["arms changed while 40 people are in the test"]),
    ):
        changed = text.replace("a: {share: 50 %", f"a: {{share: {shares[0]}").replace(
            "b: {share: 50 %", f"b: {{share: {shares[1]}"
        )
        (root / "campaigns" / "noel.yaml").write_text(changed, "utf-8")
        with census(root / ".omni" / "sandbox.db", now=NOW) as base:
            found = lint(load_project(root), now=NOW, profile="production", census=base)
        assert [f.message for f in found.findings if f.code == "X002"] == said


def test_enough_people_silence_the_rule_about_small_tests(tmp_path: Path) -> None:
    root = a_project(tmp_path)
    loaded = load_project(root)

    class Crowd:
        total = 1_000_000

        def __getattr__(self, name: str) -> object:
            return lambda *_: 400_000 if name == "count" else None

    found = lint(loaded, now=NOW, profile="production", census=Crowd())  # type: ignore[arg-type]
    assert "X001" not in {f.code for f in found.findings}


def test_every_rule_that_needs_a_store_is_here() -> None:
    needs = {code for code, rule in catalogue().items() if rule.needs == "n"}
    assert {code for code in needs - set(CASES) if code[0] != "V"} == {
        "T014",
        "F016",
        "X002",
        "M016",
    }  # these: tests of their own above

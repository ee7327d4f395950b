"""Loading: the worked example is clean, seventeen problems of one file come in one go, and nothing ever raises."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from worked_example import CAMPAIGN, PROJECT, campaign_with, changed, codes, findings, loaded, mended, project_with, the_one

from omnicli.campaignfile import load_project, read_source
from omnicli.campaignfile.validate import validate
from omnicli.errors import OmniError
from omnicli.model.campaign import Campaign
from omnicli.model.project import Project
from omnicli.model.written import UNKNOWN

DATA = Path(__file__).parents[2] / ".." / "shared" / "data" / "torture"

SEVENTEEN = """\
# yaml-language-server: $schema=../.omni/schema/campaign.json
campaign: bienvenue
titel: Bienvenue
languages: [FR]
purpose: marketting
priority: 12
holdout: 0.1
goal: {when: click, within: 30d, target: 12}
enter: {when: signup, again: afterwards, limit: 500 a day}
messages:
  offre:
    facts: {price: 29.90, deadline: 2027-02-30}
    say: {fr: {subject: [a]}}
flow:
  - {send: offre, bye: email}
  - {wait: 3 days, send: offre}
  - send: offre
    at: 10h30
    by: email
    max_delay: soon
"""


def test_the_worked_example_has_no_finding():
    found = loaded()
    assert found.findings == ()
    assert found.project.project == "maison-lune"
    assert found.project.channels["sms"].max_parts == 2
    assert [str(window) for window in found.project.guardrails.quiet_hours["all"]] == ["20:00-09:00", "sunday", "holidays"]
    assert found.campaigns["bienvenue"].messages["guide-senteurs"].facts["duration"].value == "3 minutes"


def test_the_problems_of_one_file_come_in_one_go():
    found = findings(SEVENTEEN)
    assert [(f.code, f.place.line) for f in found] == [
        ("S002", 3), ("S003", 4), ("S004", 5), ("S003", 6), ("S003", 7), ("S004", 8), ("S003", 8), ("S003", 8), ("S003", 9), ("S003", 9),
        ("S005", 12), ("S003", 12), ("S003", 13), ("S002", 15), ("S007", 16), ("S003", 18), ("S003", 20),
    ]  # fmt: skip
    assert len(found) == 17


def test_safe_fixes_lead_to_a_clean_place():
    text = changed(CAMPAIGN, "title: Bienvenue", "titel: Bienvenue").replace("again: after 180 days", "again: after 180days")
    text = text.replace("target: 12 %", "target: 12").replace("by: email\n    else: [wh", "bye: email\n    else: [wh")
    for _ in range(10):
        safe = [f for f in findings(text) if f.fix and f.fix.safe]
        if not safe:
            break
        text = mended(text, safe[0])
    assert [f.code for f in findings(text)] == ["S003"]  # `after 180days`: two spellings fit, so nothing is written


def test_a_typing_error_is_answered_with_the_right_word():
    found = the_one(campaign_with("mes" + "sages:", "mesages:"))
    assert found.code == "S002"
    assert "Did you mean 'messages'?" in found.message
    assert (found.place.column, found.place.end_column) == (1, 8)


def test_a_missing_key_says_what_it_is_for():
    found = the_one(campaign_with("title: Bienvenue chez Maison Lune\n", ""))
    assert found.code == "S001"
    assert found.message == "bienvenue.yaml needs 'title' (What people call it)"


def test_the_file_name_is_the_campaigns_name():
    found = [f for f in loaded(name="copie").findings if f.code == "Y005"]
    assert the_one(found).fix.edits[0].text == "copie"


def test_the_modeline_is_asked_for_and_written():
    text = CAMPAIGN.split("\n", 1)[1]
    found = the_one(findings(text))
    assert (found.code, found.severity) == ("Y006", "info")
    assert mended(text, found) == CAMPAIGN


def test_unknown_places_silence_what_depends_on_them():
    found = loaded(changed(CAMPAIGN, "wait: up to 3 days", "wait: up to 3 dyas"))
    assert [f.code for f in found.findings] == ["S003"]
    assert found.campaigns["bienvenue"].flow[1].wait is UNKNOWN
    assert found.errors("bienvenue") == found.findings
    assert found.errors("other") == ()


def test_a_reference_is_needed_only_where_a_type_is(monkeypatch):
    monkeypatch.delenv("OMNI_RATE", raising=False)
    text = changed(PROJECT, "rate: 10 per second", 'rate: "${OMNI_RATE}"')
    assert the_one(findings(project=text)).code == "S008"
    monkeypatch.setenv("OMNI_RATE", "7 per second")
    assert str(loaded(project=text).project.channels["email"].rate) == "7 per second"


@pytest.mark.parametrize(
    ("old", "new", "code", "path"),
    [
        ("price: 0.05 EUR", "price: 0.05 USD", "S009", "channels.sms.price"),
        (", price: 1.20 EUR", "", "S010", "channels.task"),
        ("{provider: file,   size: 3 cm", "{provider: smtp, size: 3 cm", "S004", "channels.qr.provider"),
        ("  qr:  ", "  qrr: ", "S004", "channels.qrr"),
        ("stop: 36180", "reply_to: x", "S002", "channels.sms.reply_to"),
        ("age: number", "age: numbre", "S004", "contacts.attributes.age"),
        ("age: number", "age: money", "S005", "contacts.attributes.age"),
        ("age: number", "segment: number", "S004", "contacts.attributes.segment"),
        ("  signup: {form: text}", "  before: {form: text}", "S004", "events.before"),
        ("default: 0}\n    store", "default: zero}\n    store", "S003", "contacts.attributes.orders.default"),
        ("    match: age >= 45 or store_visits > 0\n", "", "S001", "personas.monsieur-h"),
        ("  live: {", "  production: {", "S002", "environments.production"),
        ("languages: [fr, en] ", "languages: [fr, EN] ", "S003", "languages.1"),
        ("countries: [FR, BE]", "countries: [UK, BE]", "S003", "countries.0"),
        ("currency: EUR", "currency: Euros", "S003", "currency"),
        ("cap: {all: 3 per week,", "cap: {all: 3 a week,", "S003", "guardrails.cap.all"),
        ("quiet_hours: [20:00-09:00, sunday,", "quiet_hours: [20:00-9h, sunday,", "S003", "guardrails.quiet_hours.0"),
    ],
)
def test_what_omni_yaml_must_agree_on(old, new, code, path):
    found = [f for f in project_with(old, new) if f.code == code]
    assert the_one(found).path == path


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("  when: signup\n", "  when: signup\n  at: 2027-01-12 10:00\n", "S007"),
        ("{if: orders > 0, as: already customer}", "{if: orders > 0, as: goal}", "S004"),
        ("{if: orders > 0, as: already customer}", "{as: already customer}", "S001"),
        ("budget: 1500 EUR", "budget: 1500 USD", "S009"),
        ("      clicked:\n", "      click:\n", "S004"),
        ("wait: up to 3 days", "wait: 3 days", "S003"),
        ("{set: {store_visits: +1}}", "{set: {store_visits: many}}", "S003"),
        ("      - else:\n", "      - if: orders = 1\n        else:\n", "S007"),
        ("at: best hour", "at: best hour\n    team: conseil\n    due: 2 days", "S002"),
        ("- send: guide-senteurs\n", "- sned: guide-senteurs\n", "S002"),
    ],
)
def test_what_a_campaign_must_agree_on(old, new, code):
    if "team: conseil" in new:
        old, new = "by: email\n    at: 2 days", "by: email\n    team: conseil\n    at: 2 days"
    assert the_one(campaign_with(old, new)).code == code


def test_the_short_and_the_long_form_are_one():
    short = loaded().project
    long = loaded(
        project=changed(
            PROJECT, "nouveaux: signup within 7 days and orders = 0", "nouveaux: {match: signup within 7 days and orders = 0}"
        )
        .replace("age: number", "age: {type: number}")
        .replace("quiet_hours: [20:00-09:00, sunday, holidays]", "quiet_hours: {all: [20:00-09:00, sunday, holidays]}")
    ).project
    assert short == long


def test_positions_inside_a_value_follow_escapes_and_folds():
    source, _ = read_source("x.yaml", b'a: "x \\"q\\" bad"\nb: >-\n  one\n  two bad\nc: it\n  goes bad\n')
    for key, line, column in (("a", 1, 13), ("b", 4, 7), ("c", 6, 8)):
        value = source.scalar((key,))
        place = source.within((key,), value.index("bad"), 3)
        assert (place.line, place.column, place.end_column - place.column) == (line, column, 3), key


def test_comments_are_what_the_scanner_sees():
    source, _ = read_source("x.yaml", b'a: "no # comment" # omni: ignore[F005]\n# alone\nb: |\n  # text\n\n# end\nc: x#y\n')
    assert source.comments == ((1, 19, "# omni: ignore[F005]"), (2, 1, "# alone"), (6, 1, "# end"))


def test_a_folder_without_a_project_is_said():
    with pytest.raises(OmniError) as error:
        load_project(Path("/nowhere"))
    assert error.value.code == "no-project"


def test_no_document_of_the_yaml_suite_gives_a_traceback_and_the_false_ones_are_refused():
    if not DATA.is_dir():
        pytest.skip(f"{DATA} is absent")
    import re

    import yaml

    lenient = {
        "9C9N",
        "9JBA",
        "CVW2",
        "DK95",
        "G5U8",
        "MUS6",
        "QB6E",
        "S98Z",
        "SU5Z",
        "X4QW",
        "Y79Y",
        "YJV2",
    }  # libyaml reads these
    for file in sorted((DATA / "yaml" / "src").glob("*.yaml")):
        for case in yaml.safe_load(file.read_text("utf-8")):
            if "yaml" not in case:
                continue
            text = re.sub("—*»", "\t", case["yaml"].replace("␣", " ")).replace("⇔", "\ufeff").replace("←", "\r").replace("↵", "")
            text = text.removesuffix("∎\n")
            source, found = read_source(f"{file.stem}.yaml", text.encode())
            refused = any(f.severity == "error" for f in found)
            if source.root is not None:
                for model in (Campaign, Project):
                    _, wrong = validate(model, source)
                    assert wrong or refused, file.stem  # none of them is a campaign
            if case.get("fail"):
                assert refused or file.stem in lenient, file.stem


def test_naughty_documents_and_strings_never_give_a_traceback():
    if not DATA.is_dir():
        pytest.skip(f"{DATA} is absent")
    extra = json.loads((DATA / "omni-extra" / "inputs.json").read_text("utf-8"))
    naughty = [str(text) for text in (*extra["yaml_docs"], *extra["text_values"])]
    for text in naughty:
        raw = text.encode("utf-8", "surrogatepass")
        for bytes_ in (raw, b"title: " + raw, b'campaign: "' + raw + b'"\n'):
            source, _ = read_source("x.yaml", bytes_)
            if source.root is not None:
                validate(Campaign, source)


TOKENS = [
    "{",
    "}",
    "[",
    "]",
    ":",
    ": ",
    "- ",
    "\n",
    "  ",
    "\t",
    "'",
    '"',
    "#",
    " #",
    "&a ",
    "*a",
    "!t ",
    "|",
    ">",
    "%",
    "~",
    "\u202e",
    "0",
    ",",
    "---\n",
    "? ",
]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_mutated_files_give_findings_never_a_traceback(data):
    which = data.draw(st.booleans())
    text = CAMPAIGN if which else PROJECT
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text) - 1))
        cut = data.draw(st.integers(0, 12))
        text = text[:at] + data.draw(st.sampled_from(TOKENS)) + text[at + cut :]
    found = loaded(text) if which else loaded(project=text)
    for finding in found.findings:
        assert finding.place.line >= 1
        assert finding.place.column >= 1


def test_two_hundred_campaigns_are_read_in_a_second_and_three_thousand_lines_in_a_third():
    import yaml

    def spent(work) -> float:
        started = time.process_time()
        work()
        return time.process_time() - started

    files = {"omni.yaml": PROJECT.encode()}
    files |= {f"campaigns/c{n}.yaml": CAMPAIGN.replace("campaign: bienvenue", f"campaign: c{n}").encode() for n in range(50)}
    floor = min(spent(lambda: [yaml.compose(CAMPAIGN, yaml.CBaseLoader) for _ in range(50)]) for _ in range(2))
    taken = min(spent(lambda: load_project(Path("/nowhere"), overlay=files)) for _ in range(2))
    assert taken < max(0.25, 7 * floor)  # the floor is the C composer: about 1 ms a file on a quiet machine
    assert codes() == []


@pytest.mark.parametrize("text", ["", "\n\n", "# all of it commented out\n", "\ufeff"])
def test_an_emptied_file_is_a_finding_and_no_silence(tmp_path, text):
    (tmp_path / "omni.yaml").write_text(text)
    (tmp_path / "campaigns").mkdir()
    (tmp_path / "campaigns" / "bienvenue.yaml").write_text(text)
    loaded = load_project(tmp_path)
    assert loaded.project is None
    assert [(f.code, f.place.file, f.path) for f in loaded.errors()] == [
        ("S001", "omni.yaml", "project"),
        ("S001", "campaigns/bienvenue.yaml", "campaign"),
    ]

"""People come in: every value kept, repaired or refused by name; nothing half done; a second time changes nothing."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime

import pytest
import stores
from shop import NOW, PROJECT, SHARED, a_file, a_map, a_shop, brought, rows

from omnicli.errors import OmniError
from omnicli.people import consent as deeds
from omnicli.people.imports import import_contacts
from omnicli.store import consents

HEAD = "id,first_name,email,mobile,country,orders,email_consent,email_consent_on\n"
MAP = (
    "id: id\nfirst_name: first_name\nemail: address.email\nmobile: [address.sms, address.whatsapp]\ncountry: country\norders: orders\n"
    "email_consent: consent.email\nemail_consent_on: consent.email.on\n"
)


def told(report):
    return [(f.line, f.column, f.outcome, f.reason) for f in report.findings]


def test_people_come_in_with_addresses_consents_defaults_and_reach(tmp_path):
    store, loaded = a_shop(tmp_path)
    report = brought(store, loaded, a_file(tmp_path, HEAD + "7,Léa,lea@example.com,06 39 98 12 34,FR,,yes,2026-12-01\n"), MAP)
    assert (report.new, report.findings) == (1, ())
    assert rows(store, "SELECT source_id, a_first_name, f_first_name, country, a_orders, reach FROM contact") == [
        (
            "7",
            "Léa",
            "lea",
            "FR",
            0.0,
            '{"email":[1,1,null,null,null,null],"sms":[1,null,null,null,null,null],"whatsapp":[1,null,null,null,null,null]}',
        )
    ]
    assert rows(store, "SELECT channel, value, norm FROM address ORDER BY channel") == [
        ("email", "lea@example.com", "lea@example.com"), ("sms", "+33639981234", "+33639981234"), ("whatsapp", "+33639981234", "+33639981234"),
    ]  # fmt: skip
    (log,) = rows(store, "SELECT channel, state, at, recorded_at FROM consent_log")
    assert log[:2] == ("email", "granted")
    assert datetime.fromtimestamp(log[2] / 1000, UTC).isoformat() == "2026-11-30T23:00:00+00:00"  # midnight in Paris


def test_a_second_import_of_the_same_file_changes_nothing_at_all(tmp_path):
    store, loaded = a_shop(tmp_path)
    lines = "".join(f"{i},A{i},a{i}@example.com,,FR,{i},{'yes' if i % 2 else 'no'},2026-12-01\n" for i in range(50))
    file = a_file(tmp_path, HEAD + lines + "3,B,b@example.com,,FR,1,,\n")
    before = brought(store, loaded, file, MAP)
    state = rows(store, "SELECT * FROM contact"), rows(store, "SELECT * FROM address"), rows(store, "SELECT * FROM consent_log")
    for policy in ("keep", "replace"):
        again = brought(store, loaded, file, MAP, on_conflict=policy)
        assert (again.new, again.changed, again.same, again.refused) == (0, 0, 50, 1)
        assert told(again) == told(before)
        assert state == (
            rows(store, "SELECT * FROM contact"),
            rows(store, "SELECT * FROM address"),
            rows(store, "SELECT * FROM consent_log"),
        )


def test_the_same_person_twice_is_harmless_another_person_of_the_same_id_refused(tmp_path):
    store, loaded = a_shop(tmp_path)
    file = a_file(
        tmp_path, HEAD + "7,Léa,lea@example.com,,FR,1,,\n7,Léa,lea@example.com,,FR,1,,\n7,Paul,paul@example.com,,FR,1,,\n"
    )
    for size in (5000, 1):
        report = brought(store, loaded, file, MAP, rows_a_chunk=size)
        assert (report.rows, report.new + report.same, report.repeated, report.refused) == (3, 1, 1, 1)
        assert [(f.row, f.same_as_row, f.kind) for f in report.findings] == [(3, 1, "duplicate_id")]
    assert rows(store, "SELECT a_first_name FROM contact") == [("Léa",)]


@pytest.mark.parametrize(
    ("policy", "name", "city", "orders"), [("keep", "Léa", "Lyon", 4.0), ("replace", "Lea", "Lyon", 4.0)],
)  # fmt: skip
def test_conflicts_keep_or_replace_and_an_empty_cell_takes_nothing_away(tmp_path, policy, name, city, orders):
    store, loaded = a_shop(tmp_path)
    brought(
        store, loaded, a_file(tmp_path, "id,first_name,orders\n7,Léa,4\n"), "id: id\nfirst_name: first_name\norders: orders\n"
    )
    other = a_file(tmp_path, "id,first_name,city,orders\n7,Lea,Lyon,\n", "other.csv")
    report = brought(store, loaded, other, "id: id\nfirst_name: first_name\ncity: city\norders: orders\n", on_conflict=policy)
    assert (report.new, report.changed) == (0, 1)
    assert rows(store, "SELECT a_first_name, a_city, f_city, a_orders FROM contact") == [(name, city, "lyon", orders)]


def test_refuse_leaves_who_is_there_alone(tmp_path):
    store, loaded = a_shop(tmp_path)
    file = a_file(tmp_path, "id,first_name\n7,Léa\n")
    brought(store, loaded, file, "id: id\nfirst_name: first_name\n")
    report = brought(store, loaded, file, "id: id\nfirst_name: first_name\n", on_conflict="refuse")
    assert (report.refused, told(report)[0][3]) == (1, "already in the store")


def test_the_newest_word_on_consent_stands_and_the_log_keeps_both(tmp_path):
    store, loaded = a_shop(tmp_path)
    mapping = "id: id\nok: consent.email\non: consent.email.on\n"
    brought(store, loaded, a_file(tmp_path, "id,ok,on\n7,yes,2026-12-01\n8,yes,2026-12-01\n"), mapping)
    brought(store, loaded, a_file(tmp_path, "id,ok,on\n7,no,2026-12-05\n8,no,2026-11-01\n", "b.csv"), mapping)
    found = rows(store, "SELECT source_id, granted FROM consent JOIN contact ON contact.id = contact_id ORDER BY 1")
    assert found == [("7", 0), ("8", 1)]
    assert rows(store, "SELECT count(*) FROM consent_log") == [(4,)]
    assert rows(store, "SELECT reach FROM contact WHERE source_id = '7'") == [('{"email":[0,0,null,null,null,null]}',)]


def test_no_import_lifts_a_bar_and_a_bar_waits_for_who_comes_later(tmp_path):
    store, loaded = a_shop(tmp_path)
    deeds.suppress_address(store, loaded, "LEA@example.com", now=NOW, reason="asked by phone")
    report = brought(store, loaded, a_file(tmp_path, HEAD + "7,Léa,lea@example.com,,FR,1,yes,2026-12-01\n"), MAP)
    assert report.new == 1
    assert rows(store, "SELECT reach FROM contact") == [('{"email":[1,1,null,null,"asked by phone",null]}',)]
    brought(
        store,
        loaded,
        a_file(tmp_path, HEAD + "7,Léa,lea@example.com,,FR,1,yes,2027-01-02\n", "b.csv"),
        MAP,
        on_conflict="replace",
    )
    assert "asked by phone" in str(rows(store, "SELECT reach FROM contact"))


def test_a_topic_that_was_left_outlives_every_import_and_meets_newcomers(tmp_path):
    store, loaded = a_shop(tmp_path, PROJECT + "topics: {soldes: Les soldes}\n")
    line = "7,Léa,lea@example.com,,FR,1,yes,2027-01-02\n"
    deeds.suppress_address(store, loaded, "lea@example.com", now=NOW, topic="soldes")
    left = '{"email":[1,1,null,null,null,null,{"soldes":null}]}'
    brought(store, loaded, a_file(tmp_path, HEAD + line, "a.csv"), MAP)
    assert rows(store, "SELECT reach FROM contact") == [(left,)]
    brought(store, loaded, a_file(tmp_path, HEAD + line + line.replace("7,Léa", "8,Ana"), "b.csv"), MAP, on_conflict="replace")
    assert rows(store, "SELECT reach FROM contact") == [(left,), (left,)]
    brought(store, loaded, a_file(tmp_path, HEAD + line.replace("lea@", "autre@"), "c.csv"), MAP, on_conflict="replace")
    assert rows(store, "SELECT reach FROM contact WHERE source_id = '7'") == [('{"email":[1,1,null,null,null,null]}',)]


def test_who_was_erased_is_not_brought_back(tmp_path):
    store, loaded = a_shop(tmp_path)
    key = consents.pepper(store, "boutique")
    with store.write() as connection:
        bar = consents.Bar("email", consents.fingerprint(key, "email", "lea@example.com"), "erased", NOW, scope="all")
        consents.suppress(connection, [bar], now=NOW)
    report = brought(
        store, loaded, a_file(tmp_path, HEAD + "7,Léa,lea@example.com,,FR,1,,\n8,Ana,ana@example.com,,FR,1,,\n"), MAP
    )
    assert (report.new, report.refused, report.findings[0].kind) == (1, 1, "erased")


def test_two_people_with_one_address_are_both_kept_spelt_alike_and_said(tmp_path):
    store, loaded = a_shop(tmp_path)
    file = a_file(tmp_path, HEAD + "1,A,ann@example.com,,FR,1,,\n2,B,ANN@EXAMPLE.com,,FR,1,,\n")
    for size in (5000, 1):
        report = brought(store, loaded, file, MAP, rows_a_chunk=size)
        assert [(f.row, f.same_as_row, f.became, f.reason) for f in report.findings] == [
            (2, 1, "ann@example.com", "same address as an earlier row but for capitals: one message at most")
        ]
    assert rows(store, "SELECT value FROM address") == [("ann@example.com",)] * 2


def test_without_an_id_the_address_is_who_somebody_is(tmp_path):
    store, loaded = a_shop(tmp_path)
    mapping = "email: address.email\nfirst_name: first_name\n"
    report = brought(
        store, loaded, a_file(tmp_path, "email,first_name\nLea@example.com,Léa\nnobody,X\nlea@EXAMPLE.com,Paul\n"), mapping
    )
    assert (report.new, report.refused) == (1, 2)
    assert [f.kind for f in report.findings] == ["no_key", "duplicate_key"]
    assert rows(store, "SELECT source_id FROM contact") == [("lea@example.com",)]
    later = a_file(tmp_path, "email,first_name,city\nLEA@example.com,Léa,Lyon\n", "b.csv")
    assert brought(store, loaded, later, mapping + "city: city\n").changed == 1


def test_a_map_without_anybody_in_it_is_refused_before_a_row_is_read(tmp_path):
    store, loaded = a_shop(tmp_path)
    with pytest.raises(OmniError, match="nobody could be told"):
        brought(store, loaded, a_file(tmp_path, "city\nLyon\n"), "city: city\n")
    assert rows(store, "SELECT count(*) FROM import_job") == [(0,)]


@pytest.mark.parametrize(
    ("column", "cell", "stored", "outcome"),
    [
        ("orders", "12", 12.0, None), ("orders", "1 234,5", 1234.5, "repaired"), ("orders", "1,234", 0.0, "refused"), ("orders", "null", 0.0, "repaired"),
        ("orders", "many", 0.0, "refused"), ("orders", "9" * 30, 0.0, "refused"), ("spend", "39.92", 3992, None), ("spend", "39.92 EUR", 3992, None),
        ("spend", "1.234,50 €", 123450, "repaired"), ("spend", "39.92 USD", None, "refused"), ("spend", "39.999", None, "refused"),
        ("vip", "oui", 1, None), ("vip", "0", 0, None), ("vip", "maybe", None, "refused"), ("birth_date", "1990-02-28", "1990-02-28", None),
        ("birth_date", "1990-02-30", None, "refused"), ("birth_date", "28/02/1990", None, "refused"),
        ("birth_date", "1990-02-28T00:00:00", "1990-02-28", "repaired"), ("source", "Instagram", "instagram", None), ("source", "tiktok", None, "refused"),
        ("interests", "thé; Café|x;thé", '["thé","Café|x"]', None), ("city", "Lyon\x00", "Lyon", "repaired"),
    ],
)  # fmt: skip
def test_values_are_typed_by_their_declaration(tmp_path, column, cell, stored, outcome):
    store, loaded = a_shop(tmp_path)
    file = tmp_path / "people.csv"
    with file.open("w", newline="") as out:
        csv.writer(out).writerows([["id", column], ["7", cell]])
    report = brought(store, loaded, file, f"id: id\n{column}: {column}\n")
    assert report.new == 1
    assert rows(store, f"SELECT a_{column} FROM contact") == [(stored,)]
    assert [f.outcome for f in report.findings] == ([outcome] if outcome else [])


def test_forms_add_up_take_the_month_and_read_other_spellings_of_dates(tmp_path):
    store, loaded = a_shop(tmp_path)
    mapping = "id: id\nwine: {add_to: spend}\ncheese: {add_to: spend}\nborn: [{to: birth_date, written: dd/mm/yyyy}]\nsince: {month_of: birth_month}\n"
    file = a_file(tmp_path, "id,wine,cheese,born,since\n1,10,2.50,31.12.1990,2020-11-05\n2,,,,\n3,5,,1/2/2001,\n")
    brought(store, loaded, file, mapping)
    assert rows(store, "SELECT a_spend, a_birth_date, a_birth_month FROM contact") == [
        (1250, "1990-12-31", 11.0),
        (None, None, None),
        (500, "2001-02-01", None),
    ]


def test_a_letter_goes_where_street_and_city_are_known(tmp_path):
    store, loaded = a_shop(tmp_path)
    mapping = "id: id\nstreet: address.letter.street\npostcode: address.letter.postcode\ncity: [city, address.letter.city]\n"
    brought(store, loaded, a_file(tmp_path, "id,street,postcode,city\n1,12 rue X,69004,Lyon\n2,,69004,Lyon\n"), mapping)
    assert rows(store, "SELECT value FROM address") == [("12 rue X\n69004 Lyon",)]


def test_what_was_lost_is_in_a_file_that_can_be_mended_and_imported(tmp_path):
    store, loaded = a_shop(tmp_path)
    file = a_file(
        tmp_path, HEAD + "1,=1+1,bad,,FR,1,,\n2,Ana,ana@example.com,,FR,1,,\n,X,x@example.com,,FR,1,,\n4,a,b,c,d,e,f,g,h\n"
    )
    report = brought(store, loaded, file, MAP)
    assert report.refused == 2
    with report.refused_file.open(encoding="utf-8-sig", newline="") as kept:
        lines = list(csv.DictReader(kept))
    assert [(row["id"], row["first_name"], row["omni_line"]) for row in lines[:2]] == [("1", "'=1+1", "2"), ("", "X", "4")]
    assert oct(report.refused_file.stat().st_mode)[-3:] == "600"
    mended = a_file(tmp_path, report.refused_file.read_text().replace("bad", "good@example.com"), "mended.csv")
    assert brought(store, loaded, mended, MAP).changed == 1
    assert rows(store, "SELECT a_first_name FROM contact WHERE source_id = '1'") == [("=1+1",)]


def test_a_dry_run_tells_everything_and_stores_nothing(tmp_path):
    store, loaded = a_shop(tmp_path)
    file = a_file(tmp_path, HEAD + "1,A,bad,,FR,1,,\n2,B,b@example.com,,FR,1,,\n")
    report = brought(store, loaded, file, MAP, dry_run=True)
    assert (report.new, len(report.findings), report.refused_file) == (2, 1, None)
    assert rows(store, "SELECT (SELECT count(*) FROM contact), (SELECT count(*) FROM import_job)") == [(0, 0)]


def test_two_files_of_the_same_people_in_another_order_make_equal_contacts(tmp_path):
    lines = [f"{i},A{i},a{i}@example.com,,FR,{i},yes,2026-12-01\n" for i in range(20)]
    found = []
    for place, order in enumerate((lines, lines[::-1])):
        store, loaded = a_shop(tmp_path / str(place))
        brought(store, loaded, a_file(tmp_path / str(place), HEAD + "".join(order)), MAP)
        found.append(rows(store, "SELECT uid, source_id, reach, a_orders, created_at FROM contact ORDER BY uid"))
    assert found[0] == found[1]


def test_folded_reach_is_what_refolding_gives(tmp_path):
    store, loaded = a_shop(tmp_path)
    lines = "".join(f"{i},A,{'' if i % 3 else f'a{i}@example.com'},,FR,1,{('yes', 'no', '')[i % 3]},\n" for i in range(30))
    brought(store, loaded, a_file(tmp_path, HEAD + lines), MAP)
    with store.write() as connection:
        assert consents.refold_reach(connection, range(1, 31), now=NOW) == 0


def test_json_lines_come_in_too_with_lists_and_half_characters_refused(tmp_path):
    store, loaded = a_shop(tmp_path)
    lines = [{"id": 1, "first_name": "Léa", "interests": ["thé", "café"]}, {"id": 2, "first_name": "a\ud800"}]
    file = a_file(tmp_path, "\n".join(json.dumps(line) for line in lines), "people.jsonl")
    report = brought(store, loaded, file, "id: id\nfirst_name: first_name\ninterests: interests\n")
    assert (report.new, report.findings[0].kind) == (2, "half_character")
    assert rows(store, "SELECT f_interests FROM contact WHERE source_id = '1'") == [("\x1fthe\x1fcafe\x1f",)]


@pytest.mark.skipif(not (SHARED / "torture" / "blns" / "blns.json").exists(), reason="../shared/data/torture is not there")
def test_naughty_strings_in_every_column_are_kept_or_refused_never_a_crash(tmp_path):
    store, loaded = a_shop(tmp_path)
    strings = json.loads((SHARED / "torture" / "blns" / "blns.json").read_text())
    strings += [
        s
        for s in json.loads((SHARED / "torture" / "omni-extra" / "inputs.json").read_text())["text_values"]
        if isinstance(s, str) and len(s) < 60_000
    ]
    columns = [
        "first_name",
        "email",
        "mobile",
        "country",
        "orders",
        "spend",
        "vip",
        "birth_date",
        "source",
        "interests",
        "zone",
        "ok",
        "on",
    ]
    lines = [json.dumps({"id": str(n), **dict.fromkeys(columns, text)}) for n, text in enumerate(strings)]
    mapping = (
        "id: id\nfirst_name: first_name\nemail: address.email\nmobile: address.sms\ncountry: country\norders: orders\nspend: spend\nvip: vip\n"
        "birth_date: birth_date\nsource: source\ninterests: interests\nzone: time_zone\nok: consent.email\non: consent.email.on\n"
    )
    report = brought(store, loaded, a_file(tmp_path, "\n".join(lines), "naughty.jsonl"), mapping)
    assert report.new == len(strings)
    assert stores.POSTGRESQL or rows(store, "PRAGMA integrity_check") == [("ok",)]


# --- killed ---------------------------------------------------------------------------------------------------------
KILLED = """
import sys
from datetime import UTC, datetime
from pathlib import Path
sys.path.insert(0, {tests!r})
from shop import NOW, a_map
from omnicli.campaignfile import load_project
from omnicli.people.imports import import_contacts
from omnicli.people.mapping import read_map
from omnicli.app import place
root = Path({root!r})
loaded = load_project(root)
store = place(loaded, live=False).open()
mapping = read_map(root / "the.map.yaml", loaded.project)
import_contacts(store, loaded, root / "people.csv", mapping=mapping, now=NOW, rows_a_chunk=100)
"""


def test_a_kill_in_mid_file_is_taken_up_where_it_stood(tmp_path):
    whole, loaded = a_shop(tmp_path / "whole")
    killed, same = a_shop(tmp_path / "killed")
    lines = [f"{i},A{i},{'bad' if i % 7 == 0 else f'a{i}@example.com'},,FR,{i},yes,2026-12-01\n" for i in range(450)]
    lines[310] = "5,Somebody else,A9@EXAMPLE.com,,FR,1,,\n"  # the same id as a row before the kill
    lines[320] = "x320,Twin,A9@EXAMPLE.com,,FR,1,,\n"  # the same address as a row before the kill
    for root in (tmp_path / "whole", tmp_path / "killed"):
        a_file(root, HEAD + "".join(lines))
    expected = brought(whole, loaded, tmp_path / "whole" / "people.csv", MAP, rows_a_chunk=100)
    a_map(same, MAP)
    script = KILLED.format(tests=os.path.dirname(__file__), root=str(tmp_path / "killed"))
    died = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **stores.address_in(tmp_path / "killed" / ".omni"), "OMNI_TEST": "1", "OMNI_CRASH_AT": "F17"},
        check=False,
    )
    assert died.returncode == -signal.SIGKILL
    assert rows(killed, "SELECT rows_done, finished_at FROM import_job") == [(100, None)]

    report = import_contacts(
        killed, same, tmp_path / "killed" / "people.csv", mapping=a_map(same, MAP), now=NOW, rows_a_chunk=100
    )
    assert report.resumed_at == 100
    assert (report.new, report.refused, report.rows) == (expected.new, expected.refused, expected.rows)
    assert [(f.row, f.kind, f.same_as_row) for f in report.findings] == [
        (f.row, f.kind, f.same_as_row) for f in expected.findings
    ]
    assert report.refused_file.read_text() == expected.refused_file.read_text()
    query = "SELECT uid, source_id, reach, a_orders FROM contact ORDER BY source_id"
    assert rows(killed, query) == rows(whole, query)


def test_another_person_twice_is_held_against_the_first_wherever_chunks_end(tmp_path):
    lines = "7,Léa,lea@example.com,,FR,1,,\n8,Hugo,hugo@example.com,,FR,1,,\n" + 2 * "7,Paul,paul@example.com,,FR,1,,\n"
    for size in (5000, 2, 1):
        store, loaded = a_shop(tmp_path / str(size))
        report = brought(store, loaded, a_file(tmp_path / str(size), HEAD + lines), MAP, rows_a_chunk=size)
        assert (report.new, report.repeated, report.refused) == (2, 0, 2), size
        assert [(f.row, f.same_as_row, f.kind) for f in report.findings] == [(3, 1, "duplicate_id"), (4, 1, "duplicate_id")], size


def test_two_addresses_that_claim_one_id_leave_it_to_the_first(tmp_path):
    store, loaded = a_shop(tmp_path)
    lines = HEAD + "7,Léa,lea@example.com,,,,,\n7,Zoé,zoe@example.com,,,,,\n8,Hugo,hugo@example.com,,,,,\n"
    report = brought(store, loaded, a_file(tmp_path, lines), MAP, key="email")
    assert (report.new, report.refused) == (2, 1)
    assert [(f.row, f.column, f.value, f.kind, f.same_as_row) for f in report.findings] == [(2, "id", "7", "duplicate_id", 1)]
    assert rows(store, "SELECT source_id, a_first_name FROM contact ORDER BY 1") == [("7", "Léa"), ("8", "Hugo")]

"""The people's commands as they are typed: what they print, what they leave with."""

from __future__ import annotations

import json

import pytest
from shop import NOW, PROJECT, a_file, a_shop, rows
from stores import POSTGRESQL, open_store

from omnicli.cli.main import run
from omnicli.store import keeping


@pytest.fixture
def shop(tmp_path):
    store, _ = a_shop(tmp_path)
    store.close()
    a_file(
        tmp_path,
        "id;prénom;email;ville;email_consent\n7;Léa;lea.martin@example.com;Lyon;yes\n8;Ana;bad;Nîmes;no\n".encode("cp1252"),
        "clients.csv",
    )
    return tmp_path


def said(capsys, shop, *words, exit=0):
    """The JSON object of one command."""
    assert run([*words, "--json", "--lang", "en", "--no-input", "-C", str(shop)]) == exit
    return json.loads(capsys.readouterr().out)


def printed(capsys, shop, *words, exit=0, lang="en"):
    assert run([*words, "--lang", lang, "--no-input", "-C", str(shop)]) == exit
    return capsys.readouterr()


def test_a_guess_is_written_beside_the_file_and_used_again(shop, capsys):
    out = printed(capsys, shop, "contact", "import", str(shop / "clients.csv"), "--map", "guess")
    assert "clients.map.yaml" in out.err
    assert "2 rows: 2 new, 0 changed, 0 as they were, 0 refused." in out.out
    assert "email: address.email\n" in (shop / "clients.map.yaml").read_text()
    again = said(capsys, shop, "contact", "import", str(shop / "clients.csv"))["result"]
    assert (again["new"], again["same"], again["findings"][0]["column"]) == (0, 2, "email")


def test_lists_are_masked_and_showing_more_is_audited(shop, capsys):
    said(capsys, shop, "contact", "import", str(shop / "clients.csv"))
    out = printed(capsys, shop, "contact", "list").out
    assert "lea.martin@example.com" not in out
    assert "l…n@example.com" in out
    assert "lea.martin@example.com" in printed(capsys, shop, "contact", "show", "7", "--show-personal").out
    assert rows(open_store(shop / ".omni"), "SELECT what, detail FROM audit") == [("show-personal", "contact show 7")]


def test_people_are_listed_by_segment_page_by_page(shop, capsys):
    said(capsys, shop, "contact", "import", str(shop / "clients.csv"))
    first = said(capsys, shop, "contact", "list", "--limit", "1")["result"]
    assert ([c["id"] for c in first["contacts"]], first["after"]) == (["7"], "7")
    assert [c["id"] for c in said(capsys, shop, "contact", "list", "--after", "7")["result"]["contacts"]] == ["8"]
    assert [c["id"] for c in said(capsys, shop, "contact", "list", "--segment", "consent.email")["result"]["contacts"]] == ["7"]


@pytest.mark.parametrize(
    ("words", "exit", "message"),
    [
        (("contact", "show", "77"), 2, "no contact '77'."),
        (("contact", "import", "nothing.csv"), 2, "cannot read"),
        (("contact", "import", "clients.csv", "--map", "nothing.yaml"), 2, "cannot read"),
        (("contact", "import", "clients.csv", "--on-conflict", "merge"), 2, "--on-conflict is one of"),
        (("contact", "consent", "7", "grnt", "email"), 2, "did you mean 'grant'?"),
        (("contact", "consent", "7", "grant", "fax"), 2, "not set up"),
        (("contact", "suppress", "nonsense"), 2, "which channel"),
        (("segment", "count", "ordres = 0"), 2, "R005"),
        (("response", "add", "7", "purchse"), 2, "no event called 'purchse'"),
        (("response", "import", "clients.csv"), 2, "no 'at' column"),
        (("db", "reset"), 4, "Take away"),
    ],
)
def test_what_cannot_be_done_is_one_line_with_its_exit_code(shop, capsys, monkeypatch, words, exit, message):
    monkeypatch.chdir(shop)
    said(capsys, shop, "contact", "import", "clients.csv")
    error = said(capsys, shop, *words, exit=exit)["error"]
    assert message in (error["message"] + " " + error["hint"]).replace("Did", "did")


def test_a_response_is_recorded_once_and_listed_with_what_it_is_worth(shop, capsys):
    said(capsys, shop, "contact", "import", str(shop / "clients.csv"))
    words = ("response", "add", "7", "purchase", "--value", "39.92 EUR", "--id", "order-1", "--at", "2026-11-01 10:00")
    assert said(capsys, shop, *words)["result"]["new"] is True
    assert said(capsys, shop, *words)["result"]["new"] is False
    found = said(capsys, shop, "response", "list")["result"]
    assert found["ledger"] == {"purchase": {"count": 1, "value": {"amount": "39.92", "currency": "EUR"}}}
    assert said(capsys, shop, "segment", "count", "acheteurs")["result"]["count"] == 1
    assert "purchase" in printed(capsys, shop, "contact", "show", "7").out


def test_yes_no_and_never_again_by_hand(shop, capsys):
    said(capsys, shop, "contact", "import", str(shop / "clients.csv"))
    assert said(capsys, shop, "contact", "consent", "7", "withdraw", "email")["result"]["consents"][0]["granted"] is False
    assert said(capsys, shop, "contact", "consent", "7", "grant", "email", "--source", "till")["result"]["changed"] is True
    hit = said(capsys, shop, "contact", "suppress", "LEA.martin@example.com", "--until", "2030-01-01")["result"]
    assert (hit["address"], hit["channels"]) == ("L…n@example.com", [{"channel": "email", "contacts": 1}])
    assert said(capsys, shop, "segment", "count", "reachable.email")["result"]["count"] == 0


def test_topics_are_left_by_hand_and_shown_with_the_contact(shop, capsys):
    (shop / "omni.yaml").write_text(PROJECT + "topics: {soldes: Les soldes, nouveautes: Nouveautés}\n", encoding="utf-8")
    said(capsys, shop, "contact", "import", str(shop / "clients.csv"))
    said(capsys, shop, "response", "add", "7", "unsubscribed", "--topic", "soldes", "--channel", "email")
    hit = said(capsys, shop, "contact", "suppress", "lea.martin@example.com", "--topic", "nouveautes", "--until", "2030-01-01")[
        "result"
    ]
    assert (hit["topic"], hit["channels"]) == ("nouveautes", [{"channel": "email", "contacts": 1}])
    shown = said(capsys, shop, "contact", "show", "7")["result"]
    assert (shown["left"], shown["channels"]["email"]) == ({"email": ["nouveautes", "soldes"]}, "yes")
    assert "left: nouveautes, soldes" in printed(capsys, shop, "contact", "show", "7").out
    error = said(capsys, shop, "response", "add", "7", "unsubscribed", "--topic", "solde", exit=2)["error"]
    assert "soldes" in json.dumps(error)
    assert said(capsys, shop, "contact", "suppress", "a@example.com", "--topic", "x", exit=2)["error"]["code"] == "no-topic"
    said(capsys, shop, "response", "add", "7", "clicked", "--topic", "soldes", exit=2)
    said(capsys, shop, "response", "add", "7", "unsubscribed", "--topic", "everything")
    assert said(capsys, shop, "contact", "show", "7")["result"]["channels"]["email"] == "barred: unsubscribed"


def test_a_segment_explains_itself(shop, capsys):
    said(capsys, shop, "contact", "import", str(shop / "clients.csv"))
    found = said(capsys, shop, "segment", "explain", "city = nimes and not consent.email", "--sql")["result"]
    assert [(c["matches"], c["excludes"]) for c in found["clauses"]] == [(1, 1), (1, 1)]
    assert "SELECT" in found["sql"]["statement"]
    assert "everybody" in printed(capsys, shop, "segment", "explain", "city = nimes").out
    assert said(capsys, shop, "segment", "list")["result"]["segments"][0]["count"] == 0
    assert "tout le monde" in printed(capsys, shop, "segment", "explain", "city = nimes", lang="fr").out


def test_the_store_is_checked_copied_and_begun_again(shop, capsys):
    said(capsys, shop, "contact", "import", str(shop / "clients.csv"))
    assert said(capsys, shop, "db", "check")["result"]["ok"] is True
    copy = said(capsys, shop, "db", "backup", "--output", str(shop / "copy.db"))["result"]
    assert copy["file"] == str(shop / "copy.db")
    assert said(capsys, shop, "db", "upgrade")["result"]["done"] == (["the queue of the workers"] if POSTGRESQL else [])
    assert said(capsys, shop, "db", "upgrade")["result"]["done"] == []
    with open_store(shop / ".omni").write() as connection:
        connection.exec_driver_sql("UPDATE contact SET reach = '{}'")
    assert said(capsys, shop, "db", "check", exit=1)["result"]["ok"] is False
    said(capsys, shop, "db", "reset", "--yes")
    assert not (shop / ".omni" / "sandbox.db").exists()
    assert keeping.reset(shop / ".omni" / "sandbox.db", shop / "outbox") == []


def test_the_live_store_is_made_by_the_first_command_that_writes_and_has_its_own_keys(shop, capsys):
    said(capsys, shop, "contact", "import", str(shop / "clients.csv"), "--live")
    assert POSTGRESQL or (shop / ".omni" / "live.db").exists()
    assert oct((shop / ".omni" / "keys").stat().st_mode)[-3:] == "600"
    said(capsys, shop, "db", "reset", "--yes", "--live", exit=4)
    assert PROJECT
    assert NOW


def test_a_consent_file_is_read_beside_the_people(shop, capsys):
    said(capsys, shop, "contact", "import", str(shop / "clients.csv"))
    a_file(
        shop,
        "id,channel,consent,on,from,proof\n7,sms,yes,2026-12-01,till,p-17\n7,fax,yes,,,\n9,email,yes,,,\n8,email,perhaps,,,\n",
        "consents.csv",
    )
    found = said(capsys, shop, "contact", "import", str(shop / "clients.csv"), "--consent", str(shop / "consents.csv"))["result"][
        "consents"
    ]
    assert (found["statements"], found["changed"]) == (1, 1)
    assert [(f["line"], f["column"]) for f in found["findings"]] == [(3, "channel"), (4, "id"), (5, "consent")]
    assert said(capsys, shop, "contact", "consent", "7")["result"]["consents"][-1]["source"] == "till"


@pytest.mark.parametrize(
    ("option", "word", "said_of_it"),
    [
        ("--channel", "emial", "no channel called 'emial'. Did you mean 'email'?"),
        ("--campaign", "nope", "no campaign called 'nope'."),
        ("--at", "0001-01-01 00:00", "the year is not between 1900 and 2199"),
        ("--at", "2027-13-01", "'2027-13-01': month must be in 1..12"),
    ],
)
def test_a_response_with_a_wrong_word_or_an_absurd_date_is_refused_by_name(shop, capsys, option, word, said_of_it):
    said(capsys, shop, "contact", "import", str(shop / "clients.csv"))
    error = said(capsys, shop, "response", "add", "7", "clicked", option, word, exit=2)["error"]
    assert said_of_it in error["message"]


@pytest.mark.parametrize("noun", ["contact", "response", "touch", "task"])
@pytest.mark.parametrize("limit", ["0", "-5"])
def test_a_list_of_nothing_is_wrong_usage(shop, capsys, noun, limit):
    assert "--limit" in said(capsys, shop, noun, "list", "--limit", limit, exit=2)["error"]["message"]


def test_a_touch_list_since_no_date_is_wrong_usage(shop, capsys):
    assert "is not a date and time" in said(capsys, shop, "touch", "list", "--since", "x", exit=2)["error"]["message"]


@pytest.mark.sqlite_only(reason="the file of a backup")
def test_a_backup_goes_where_the_short_option_says(shop, capsys, tmp_path):
    said(capsys, shop, "contact", "import", str(shop / "clients.csv"))
    assert said(capsys, shop, "db", "backup", "-o", str(tmp_path / "copy.db"))["result"]["file"] == str(tmp_path / "copy.db")
    assert (tmp_path / "copy.db.json").exists()


def test_lint_is_a_verb_of_campaign_too(shop, capsys):
    both = [said(capsys, shop, *words, exit=1)["result"]["findings"] for words in (["lint"], ["campaign", "lint"])]
    assert both[0] == both[1]

"""What came back is stored once by id, typed by its event, kept when nobody knows whose it is."""

from __future__ import annotations

import json

import pytest
from shop import NOW, a_file, a_shop, brought, rows

from omnicli import clock
from omnicli.errors import OmniError
from omnicli.people.responses import import_responses, list_kinds, typed_response
from omnicli.store import inbox


def a_line(id: str = "r1", **changes: object) -> dict[str, object]:
    return {
        "id": id,
        "at": "2026-12-01T10:00:00Z",
        "contact": "7",
        "kind": "purchase",
        "value": 67.44,
        "currency": "EUR",
        "place": "web",
        **changes,
    }


def sent(tmp_path, *lines: dict[str, object]):
    return a_file(tmp_path, "\n".join(json.dumps(line) for line in lines), "responses.jsonl")


def stored(store):
    with store.read() as connection:
        return {a.response.id: a.response for a in inbox.unfolded(connection)}


def test_a_repeat_is_one_response_within_a_file_and_across_files(tmp_path):
    store, loaded = a_shop(tmp_path)
    report = import_responses(store, loaded, sent(tmp_path, a_line(), a_line(), a_line("r2")), now=NOW)
    assert (report.lines, report.new, report.repeated) == (3, 2, 1)
    assert report.kinds["purchase"].sums == {"value": {"EUR": 13488}}
    again = import_responses(store, loaded, sent(tmp_path, a_line("r2"), a_line()), now=NOW)
    assert (again.new, again.repeated) == (0, 2)


def test_money_is_typed_by_its_event_and_other_fields_are_kept(tmp_path):
    store, loaded = a_shop(tmp_path)
    import_responses(store, loaded, sent(tmp_path, a_line(campaign="noel", channel="email", extra="x")), now=NOW)
    (response,) = stored(store).values()
    assert response.payload == {"value": "67.44 EUR", "place": "web", "extra": "x"}
    assert (response.campaign, response.channel, response.contact) == ("noel", "email", "7")


@pytest.mark.parametrize(
    ("changes", "column", "reason"),
    [
        ({"kind": "purchse"}, "kind", "no event called 'purchse'. did you mean 'purchase'?"), ({"kind": "converted"}, "kind", "no event called"),
        ({"value": "a lot"}, "value", "wants money such as 39.92 EUR"), ({"currency": "USD"}, "value", "wants money such as 39.92 EUR"),
        ({"at": "yesterday"}, "at", "not a date and time"), ({"contact": ""}, "contact", "no contact"), ({"items": "two"}, "items", "wants a number"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_refused_with_its_column_and_the_others_go_in(tmp_path, changes, column, reason):
    store, loaded = a_shop(tmp_path)
    report = import_responses(store, loaded, sent(tmp_path, a_line("bad", **changes), a_line("good")), now=NOW)
    assert (report.new, report.refused) == (1, 1)
    assert (report.turned[0].line, report.turned[0].column) == (1, column)
    assert report.turned[0].reason.startswith(reason)


def test_csv_with_other_names_and_without_ids_is_harmless_to_repeat(tmp_path):
    store, loaded = a_shop(tmp_path)
    file = a_file(
        tmp_path,
        "date;customer_id;event;place\n2026-12-01 10:00;7;visite;web\n2026-12-01 10:00;7;visite;web\n1796119200;8;visite;store\n",
        "v.csv",
    )
    kinds = list_kinds(["visite=visit"])
    assert import_responses(store, loaded, file, now=NOW, kinds=kinds).new == 3
    assert import_responses(store, loaded, file, now=NOW, kinds=kinds).new == 0
    assert {clock.iso(r.at) for r in stored(store).values()} == {"2026-12-01T09:00:00Z", "2026-12-01T10:00:00Z"}


def test_a_file_without_a_needed_column_is_refused(tmp_path):
    store, loaded = a_shop(tmp_path)
    with pytest.raises(OmniError, match="no 'contact' column"):
        import_responses(store, loaded, a_file(tmp_path, "id,at,kind\n1,2026-12-01,visit\n"), now=NOW)


def test_a_dry_run_stores_nothing(tmp_path):
    store, loaded = a_shop(tmp_path)
    assert import_responses(store, loaded, sent(tmp_path, a_line()), now=NOW, dry_run=True).new == 1
    assert stored(store) == {}


def test_what_is_typed_is_checked_and_the_same_words_are_one(tmp_path):
    _, loaded = a_shop(tmp_path)
    one = typed_response(loaded.project, "7", "purchase", at=NOW, value="39.92 EUR")
    assert one == typed_response(loaded.project, "7", "purchase", at=NOW, value="39.92 EUR")
    assert one.id != typed_response(loaded.project, "7", "purchase", at=NOW, value="39.93 EUR").id
    assert typed_response(loaded.project, "7", "clicked", at=NOW, message="bienvenue/offre").campaign == "bienvenue"
    with pytest.raises(OmniError, match=r"purchase\.value"):
        typed_response(loaded.project, "7", "purchase", at=NOW, value="39,92")
    with pytest.raises(OmniError) as error:
        typed_response(loaded.project, "7", "purchase", at=NOW, fields={"plaec": "web"})
    assert "place" in error.value.hint


def test_responses_of_people_who_come_later_are_folded_when_they_come(tmp_path):
    from omnicli.campaigns.respond import fold

    store, loaded = a_shop(tmp_path)
    import_responses(store, loaded, sent(tmp_path, a_line()), now=NOW)
    assert fold(store, loaded, now=NOW).unmatched == 1
    report = brought(store, loaded, a_file(tmp_path, "id,first_name\n7,Léa\n"), "id: id\nfirst_name: first_name\n")
    assert report.woken == 1
    assert fold(store, loaded, now=NOW).events == 1
    assert rows(store, "SELECT name, p_value, p_place FROM event") == [("purchase", 6744, "web")]

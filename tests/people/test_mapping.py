"""Which column is what: written, guessed, and every way of getting it wrong."""

from __future__ import annotations

import pytest
from shop import a_file, a_map, a_shop

from omnicli.errors import OmniError
from omnicli.people.mapping import check_map, guess_mapping, read_map, write_map, written_dates


def test_a_map_may_name_lists_and_forms(tmp_path):
    _, loaded = a_shop(tmp_path)
    mapping = a_map(
        loaded,
        "ref: id\nmobile: [address.sms, address.whatsapp]\nborn: [{to: birth_date, written: dd/mm/yyyy}, {month_of: birth_month}]\n"
        "wine: {add_to: spend}\ncheese: {add_to: spend}\nok: consent.email\nwhen: consent.email.on\nwho: consent.email.from\nrest: ignore\n",
    )
    assert {column: " ".join(map(str, targets)) for column, targets in mapping.columns.items()} == {
        "ref": "id", "mobile": "address.sms address.whatsapp", "born": "{to: birth_date, written: dd/mm/yyyy} {month_of: birth_month}",
        "wine": "{add_to: spend}", "cheese": "{add_to: spend}", "ok": "consent.email", "when": "consent.email.on", "who": "consent.email.from",
        "rest": "ignore",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("a: frist_name\n", "no attribute called 'frist_name'", "did you mean 'first_name'?"),
        ("a: id\nb: adress.email\n", "the.map.yaml:2:4: no attribute called 'adress.email'", "address.email"),
        ("a: consent.emial\n", "channel 'emial' is not set up", "consent.email"),
        ("a: consent.email.onn\n", "no 'consent.email.onn'", "consent.email.on"),
        ("a: address.letter.steet\n", "no 'address.letter.steet'", "address.letter.street"),
        ("a: {ad_to: spend}\n", "unknown form 'ad_to'", "did you mean 'add_to'?"),
        ("a: {add_to: city}\n", "'city' is a text; add_to wants a number", ""),
        ("a: {to: birth_date, written: 31/12/99}\n", "no date is written", "dd/mm/yyyy"),
        ("a:\n", "wants a name", ""),
        ("- a\n", "is no map", ""),
        ("a: id\na: city\n", "the.map.yaml:2:1", ""),
    ],
)
def test_a_wrong_map_is_answered_with_its_place_and_the_right_word(tmp_path, text, message, hint):
    _, loaded = a_shop(tmp_path)
    with pytest.raises(OmniError) as error:
        a_map(loaded, text)
    assert message in error.value.message
    assert hint in error.value.hint


def test_a_column_that_the_file_lacks_is_an_error_and_one_the_map_lacks_is_said(tmp_path):
    _, loaded = a_shop(tmp_path)
    mapping = a_map(loaded, "emial: address.email\n")
    with pytest.raises(OmniError) as error:
        check_map(mapping, ("email", "city"), loaded.project)
    assert error.value.hint == "did you mean 'email'?"
    assert check_map(a_map(loaded, "email: address.email\n"), ("email", "city"), loaded.project) == [
        "not in the map, so not imported: city"
    ]


def test_two_columns_may_not_fill_one_attribute_unless_they_are_summed(tmp_path):
    _, loaded = a_shop(tmp_path)
    with pytest.raises(OmniError, match="both fill 'city'"):
        check_map(a_map(loaded, "a: city\nb: city\n"), ("a", "b"), loaded.project)
    assert check_map(a_map(loaded, "a: {add_to: spend}\nb: {add_to: spend}\n"), ("a", "b"), loaded.project) == []
    assert check_map(a_map(loaded, "a: address.sms\nb: address.sms\n"), ("a", "b"), loaded.project) == []


def test_a_guess_reads_headers_in_both_languages_and_can_be_read_back(tmp_path):
    _, loaded = a_shop(tmp_path)
    header = (
        "Identifiant",
        "Adresse e-mail",
        "Téléphone",
        "First Name",
        "Ville",
        "Code postal",
        "email_consent",
        "Langue",
        "Note interne",
        "yes",
    )
    guessed = guess_mapping(header, loaded.project)
    assert [" ".join(map(str, targets)) for targets in guessed.columns.values()] == [
        "id", "address.email", "address.sms address.whatsapp", "first_name", "city address.letter.city", "address.letter.postcode", "consent.email",
        "language", "ignore", "ignore",
    ]  # fmt: skip
    path = tmp_path / "guessed.map.yaml"
    write_map(guessed, path, "people.csv")
    assert read_map(path, loaded.project).columns == guessed.columns
    with pytest.raises(FileExistsError):
        write_map(guessed, path, "people.csv")


def test_a_small_shops_french_headers_are_guessed_with_its_consents_and_its_way_of_writing_dates(tmp_path):
    _, loaded = a_shop(tmp_path)
    header = ("Réf", "Prénom", "E-mail", "Portable", "Accepte e-mail", "Accepte SMS", "Date d'inscription")
    rows = [["1", "Léa", "", "", "oui", "non", "03/11/2026"], ["2", "Éva", "", "", "", "", "15/11/2026"]]
    guessed = guess_mapping(header, loaded.project, rows)
    assert [" ".join(map(str, targets)) for targets in guessed.columns.values()] == [
        "id", "first_name", "address.email", "address.sms address.whatsapp", "consent.email", "consent.sms",
        "{to: created, written: dd/mm/yyyy}",
    ]  # fmt: skip
    path = tmp_path / "guessed.map.yaml"
    write_map(guessed, path, "clients.csv")
    assert read_map(path, loaded.project).columns == guessed.columns


@pytest.mark.parametrize(
    ("values", "written"),
    [
        (["03/11/2026", "15.11.2026", ""], "dd/mm/yyyy"), (["11-30-2026", "11-03-2026"], "mm/dd/yyyy"), (["03/04/2026"], "dd/mm/yyyy"),
        (["2026-11-03"], ""), (["03/11/2026", "hier"], ""), (["", " "], ""),
    ],
)  # fmt: skip
def test_how_dates_are_written_is_seen_from_the_days_above_twelve(tmp_path, values, written):
    _, loaded = a_shop(tmp_path)
    assert written_dates(values, loaded.project) == written


def test_the_sample_map_of_the_repository_can_be_read(tmp_path):
    from pathlib import Path

    from omnicli.campaignfile import load_project

    root = Path(__file__).parents[2]
    project = load_project(root).project
    assert project is not None
    assert read_map(root / "samples" / "people.map.yaml", project).targets("id")
    a_file(tmp_path, "")

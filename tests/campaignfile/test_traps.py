"""Every row of the trap table of the language page (section 2): what omni answers, and where."""

from __future__ import annotations

import pytest
from worked_example import CAMPAIGN, PROJECT, campaign_with, changed, codes, findings, loaded, mended, project_with, the_one

from omnicli.campaignfile import read_source

TITLE = "title: Bienvenue chez Maison Lune"


def test_a_time_stays_a_time():
    found = loaded(changed(CAMPAIGN, "at: next 10:00", "at: 20:30"))
    assert found.findings == ()
    assert str(found.campaigns["bienvenue"].flow[0].at) == "next 20:30"


def test_no_is_a_word_wherever_no_yes_or_no_is_wanted():
    found = loaded(changed(CAMPAIGN, "owner: ines", "owner: no"), changed(PROJECT, "countries: [FR, BE]", "countries: [NO, BE]"))
    assert found.findings == ()
    assert found.campaigns["bienvenue"].owner == "no"
    assert found.project.countries == ("NO", "BE")


def test_a_phone_number_keeps_its_plus_and_codes_stay_to_the_letter():
    facts = "      phone: +33639980012\n      zip: '01000'\n      ref: 1E10\n      hex: 0x1F\n      code: BIENVENUE20"
    found = loaded(changed(CAMPAIGN, "      code: BIENVENUE20", facts))
    assert found.findings == ()
    written = found.campaigns["bienvenue"].messages["offre-bienvenue"].facts
    assert (written["phone"].type, written["phone"].value) == ("phone", "+33639980012")
    assert (written["ref"].type, written["ref"].value) == ("code", "1E10")
    assert written["hex"].value == "0x1F"


def test_a_price_without_currency_is_asked_for_it():
    found = the_one(campaign_with("price: 39.92 EUR", "price: 29.90"))
    assert (found.code, found.place.line, found.place.column) == ("S005", 30, 14)
    assert "29.90 EUR" in found.message
    assert not found.fix.safe


def test_a_price_keeps_its_decimals():
    found = loaded(changed(CAMPAIGN, "price: 39.92 EUR", "price: 29.90 EUR"))
    assert str(found.campaigns["bienvenue"].messages["offre-bienvenue"].facts["price"].value) == "29.90 EUR"


@pytest.mark.parametrize("text", [".5", "inf", "nan", "1e3", "1_000", "1 500", "1,5"])
def test_numbers_are_digits_with_an_optional_point(text):
    found = the_one(project_with("orders: {type: number, default: 0}", f'orders: {{type: number, default: "{text}"}}'))
    assert found.code == "S003"


def test_a_day_that_does_not_exist_is_refused():
    found = the_one(campaign_with("deadline: 26 days after enter", "deadline: 2027-02-30"))
    assert (found.code, found.path) == ("S003", "messages.offre-bienvenue.facts.deadline")


def test_nothing_behind_a_key_that_needs_a_value():
    found = the_one(campaign_with(TITLE, "title:"))
    assert (found.code, found.place.line) == ("S001", 3)
    assert the_one(campaign_with("owner: ines", "owner:")).code == "S001"


@pytest.mark.parametrize("null", ["~", "null"])
def test_null_is_no_value(null):
    found = the_one(campaign_with("owner: ines", f"owner: {null}"))
    assert (found.code, found.place.column) == ("S003", 8)
    assert f"'{null}' is not a value" in found.message


def test_the_same_key_twice_names_both_lines():
    found = the_one(campaign_with("owner: ines", "owner: ines\ntitle: again"))
    assert (found.code, found.place.line) == ("Y003", 6)
    assert "line 3" in found.message


def test_a_tab_is_found_at_the_tab_and_mended():
    text = CAMPAIGN.replace("  when: signup", "\twhen: signup").replace("  if: segment", "\tif: segmend")
    found = findings(text)
    assert [f.code for f in found][:1] == ["Y002"]
    assert (found[0].place.line, found[0].place.column) == (12, 1)
    assert codes(mended(text, found[0])) == []


def test_an_alias_bomb_is_stopped():
    bomb = "x: &a [1,2,3,4,5,6,7,8,9,0]\ny: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nz: [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
    assert "Y004" in codes(CAMPAIGN + bomb)
    assert "Y004" in codes(CAMPAIGN + "x: &a [*a]\n")


def test_an_alias_within_the_limit_is_read():
    text = changed(CAMPAIGN, "again: after 180 days", "again: &often after 180 days")
    text = changed(text, "within: 30 days", "within: 30 days")
    text = changed(text, "why: Turn a new sign-up", "why: &why Turn a new sign-up").replace("owner: ines", "owner: *why")
    assert codes(text) == []


def test_merge_keys_are_refused():
    found = the_one(campaign_with("  offre-bienvenue:\n", "  offre-bienvenue:\n    <<: *base\n"))
    assert (found.code, found.place.line) == ("Y004", 26)


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.system [id]", "!important", "!!str x"])
def test_tags_are_refused(tag):
    found = the_one(campaign_with("owner: ines", f"owner: {tag}"))
    assert (found.code, found.place.line) == ("Y007", 5)


def test_a_second_document_is_named_and_its_keys_are_read():
    found = the_one(campaign_with("flow:", "---\nflow:"))
    assert (found.code, found.place.line) == ("Y008", 81)


def test_a_comma_inside_braces_ends_the_value():
    text = changed(PROJECT, "guardrails:\n", "guardrails: {at_cap: wait up to 2 days, else skip}\nx_guardrails:\n")
    lost, other = findings(project=text)
    assert (lost.code, other.code) == ("S002", "S002")
    assert "quote this: inside { } a comma ends the value" in lost.message
    assert lost.fix.edits[0].text == '"wait up to 2 days, else skip"'


def test_a_condition_with_a_comma_inside_braces():
    found = the_one(
        campaign_with("- {if: orders > 0, as: already customer}", "- {if: count(purchase, 90 days) >= 2, as: regular}")
    )
    assert found.code == "S002"
    assert found.fix.edits[0].text == '"count(purchase, 90 days) >= 2"'


def test_a_text_that_begins_with_a_brace_must_be_quoted():
    for text in ("short: {offer} off", "short: {offer}"):
        found = the_one(campaign_with('short: "Ton guide des senteurs, {duration}"', text))
        assert found.code == ("Y001" if text.endswith("off") else "S003")
        assert (found.place.line, found.place.column) == (68, 16)
        assert "a text that begins with '{' must be quoted" in found.message


def test_a_hash_behind_a_blank_starts_a_comment():
    found = the_one(campaign_with("    if: not clicked offre-bienvenue", '    if: city = "a #b"'))
    assert (found.code, found.place.line, found.place.column) == ("A001", 139, 19)
    assert "quote the whole condition" in found.message


def test_a_colon_inside_a_text_must_be_quoted():
    found = the_one(campaign_with(TITLE, "title: Offre: 20 %"))
    assert (found.code, found.place.line, found.place.column) == ("Y001", 3, 8)
    assert "quote the text" in found.message


def test_what_stands_behind_a_syntax_error_is_read_too():
    text = (
        changed(CAMPAIGN, TITLE, "title: Offre: 20 %").replace("wait: 4 days", "wait: 4 dyas").replace("why: Turn", "why: @Turn")
    )
    assert codes(text) == ["Y001", "Y001", "S003", "S003"]


@pytest.mark.parametrize("written", ['"a\\u202eb"', "a\u202eb", "a\u200bb", "a\x07b", "a\ue000b", '"a\\0b"', "a\U000e0041b"])
def test_invisible_characters_have_their_column(written):
    found = the_one(campaign_with(TITLE, f"title: {written}"))
    assert (found.code, found.place.line) == ("Y009", 3)
    assert found.place.column == (10 if written.startswith('"') else 9)
    text = changed(CAMPAIGN, TITLE, f"title: {written}")
    assert codes(mended(text, found)) == []


def test_joiners_of_emoji_and_marks_of_right_to_left_text_are_the_authors():
    for words in ("👩\u200d🚀 go", "مرحبا\u200f!", "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"):
        assert campaign_with("cta: J'en profite", f'cta: "{words}"') == []
    assert the_one(campaign_with("cta: J'en profite", 'cta: "a\u200db"')).code == "Y009"


def test_big_deep_and_wide_files_are_refused_before_they_cost():
    assert codes("#" * (1 << 20) + "\n") == ["Y010"]
    assert codes("a: " + "[" * 400_000) == ["Y010"]
    assert codes("a: [" + "b," * 100_001 + "]") == ["Y010"]


def test_a_mark_carriage_returns_and_no_final_newline_change_nothing():
    text = "\ufeff" + CAMPAIGN.replace("\n", "\r\n").rstrip()
    assert codes(text) == []
    found = the_one(findings(text.replace("title: Bienvenue", "titel: Bienvenue")))
    assert (found.code, found.place.line, found.place.column) == ("S002", 3, 1)


def test_another_encoding_is_named_by_its_byte():
    found = the_one(findings(CAMPAIGN.encode("cp1252", "replace")))
    assert (found.code, found.place.line, found.place.column) == ("Y001", 40, 68)
    assert "0xE8" in found.message
    assert codes(CAMPAIGN.encode("utf-16")) == ["Y001"]


def test_columns_are_counted_in_code_points():
    source, _ = read_source("x.yaml", "a: 😀é b\nc: {d: é, e: x}\n".encode())
    assert (source.place(("c", "e")).line, source.place(("c", "e")).column) == (2, 14)


def test_every_finding_speaks_french_too():
    from omnicli import texts

    texts.use("fr")
    try:
        found = campaign_with(TITLE, "titel: x\nwith: 3 dyas")
        assert any("clé inconnue" in f.message for f in found)
        assert "guillemets" in the_one(campaign_with(TITLE, "title: Offre: 20 %")).message
    finally:
        texts.use("en")

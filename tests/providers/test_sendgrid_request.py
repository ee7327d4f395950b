"""What stands in one request: everybody's message, byte for byte, once SendGrid has filled it in; and nobody who does not fit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sendgrid_values import PIECES, a_letter, wishes

from omnicli.model.touch import Handed, Outcome
from omnicli.providers.sendgrid.request import Overfull, build
from omnicli.providers.sendgrid.request import _quoted as quoted
from omnicli.providers.sendgrid.sift import alone, sift
from omnicli.providers.sendgrid.wishes import Wishes


def written(handed: Sequence[Handed], asked: Wishes | None = None) -> tuple[dict[str, Any], dict[int, Outcome]]:
    asked = asked or wishes()
    group, settled = sift(handed, asked)
    assert group is not None
    return json.loads(build(group, asked)), settled


def filled(mail: Mapping[str, Any]) -> list[dict[str, str]]:
    """What each person reads: SendGrid replaces every tag in subject and contents, and escapes nothing."""
    found = []
    contents = {part["type"].removeprefix("text/").replace("plain", "text"): part["value"] for part in mail["content"]}
    for person in mail["personalizations"]:
        texts = {"subject": person.get("subject", mail.get("subject")), **contents}
        for tag, value in person.get("substitutions", {}).items():
            texts = {name: text.replace(tag, value) for name, text in texts.items()}
        found.append(texts)
    return found


# --- the message ----------------------------------------------------------------------------------------------------------
def test_everybody_reads_their_own_message() -> None:
    handed = [a_letter(n) for n in range(5)]
    mail, settled = written(handed)
    assert not settled
    assert filled(mail) == [dict(one.rendered.parts) for one in handed if one.rendered]
    assert [person["to"] for person in mail["personalizations"]] == [[{"email": f"p{n}@example.com"}] for n in range(5)]
    assert [person["custom_args"] for person in mail["personalizations"]] == [{"omni": one.mark} for one in handed]


WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="=\u2028\u2029"), max_size=12)
TRICKY = st.sampled_from(
    ["-", "--", "-a", "a-", ".h.0-", "-h.", "&amp;", "{{x}}", "%name%", "-name-", "\\", '"', "é", "\u00a0", "0", ""]
)
VALUE = st.one_of(WORDS, TRICKY, st.lists(TRICKY, max_size=4).map("".join))
PIECE = st.one_of(VALUE, st.integers(0, 3))


@settings(max_examples=120, deadline=None)
@given(
    text=st.lists(PIECE, min_size=1, max_size=8), html=st.lists(PIECE, max_size=8), subject=st.lists(PIECE, max_size=3),
    people=st.lists(st.tuples(VALUE, VALUE, VALUE, VALUE), min_size=1, max_size=6),
)  # fmt: skip
def test_the_filled_request_equals_the_message_rendered_whole(
    text: list[str | int], html: list[str | int], subject: list[str | int], people: list[tuple[str, ...]]
) -> None:
    pieces = {"subject": ("To: ", *subject), "text": ("Hi ", *text), "html": ("<p>", *html)}
    handed = [a_letter(n, pieces=pieces, values=values) for n, values in enumerate(people)]
    mail, settled = written(handed)
    assert not settled
    assert filled(mail) == [dict(one.rendered.parts) for one in handed if one.rendered]


@pytest.mark.guards("tags_by_part")
def test_tags_are_ascii_of_one_width_and_none_begins_another() -> None:
    pieces = {"subject": ("s",), "text": tuple(range(30)), "html": ("<p>", *range(30))}
    mail, _ = written([a_letter(n, pieces=pieces, values=[f"{n}-{k}" for k in range(30)]) for n in range(3)])
    tags = list(mail["personalizations"][0]["substitutions"])
    assert len(tags) == 60  # apart for text and HTML: the provider replaces the same tag in all parts
    assert len({len(tag) for tag in tags}) == 1
    assert all(tag.isascii() and tag.startswith("-") and tag.endswith("-") for tag in tags)
    assert not any(a != b and b.startswith(a) for a in tags for b in tags)


@pytest.mark.guards("tags_by_part")
def test_a_value_is_escaped_in_html_and_only_there() -> None:
    pieces = {"subject": ("s",), "text": ("Hi ", 0), "html": ("<p>", 0)}
    handed = [a_letter(n, pieces=pieces, values=[f"<b>{n}", "", "", ""]) for n in range(2)]
    mail, _ = written(handed)
    assert filled(mail) == [dict(one.rendered.parts) for one in handed if one.rendered]


@pytest.mark.guards("tag_nonce")
def test_the_nonce_is_derived_anew_until_it_occurs_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = written([a_letter(0), a_letter(1)])
    nonce = next(iter(first["personalizations"][0]["substitutions"]))[1:11]
    again, _ = written([a_letter(0), a_letter(1)])
    assert again == first  # a function of the request
    values = ("Zoé", f"a value with {nonce}", "l", "b", f"a value with {nonce}", "l", "r")
    handed = [a_letter(0, values=values), a_letter(1)]
    mail, _ = written(handed)
    assert nonce not in next(iter(mail["personalizations"][0]["substitutions"]))
    assert filled(mail)[0]["text"] == dict(handed[0].rendered.parts)["text"]  # type: ignore[union-attr]


def test_what_is_the_same_for_everybody_needs_no_tag() -> None:
    mail, _ = written([a_letter(n) for n in range(3)])
    assert len(mail["personalizations"][0]["substitutions"]) == 4  # name and link, in text and in HTML; not "bye", not "read"
    assert "bye" in mail["content"][0]["value"]


def test_one_person_alone_gets_the_message_whole() -> None:
    one = a_letter(3)
    mail, _ = written([one])
    assert "substitutions" not in mail["personalizations"][0]
    assert filled(mail)[0] == dict(one.rendered.parts)  # type: ignore[union-attr]


def test_plain_text_comes_first_and_a_missing_part_is_left_out() -> None:
    assert [part["type"] for part in written([a_letter(1), a_letter(2)])[0]["content"]] == ["text/plain", "text/html"]
    assert [part["type"] for part in written([a_letter(1, parts=("html",))])[0]["content"]] == ["text/html"]


def test_half_a_surrogate_pair_becomes_a_question_mark_and_no_exception() -> None:
    handed = [a_letter(n, values=("Zoé", f"\ud800{n}", "l", "b", "x", "l", "r")) for n in range(2)]
    assert filled(written(handed)[0])[1]["text"].startswith("Hello ?1")


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.one_of(st.text(max_size=8), st.sampled_from(["a", "a\nb", '"', "\\", "\x7f", "é", "", "\n"])), min_size=1, max_size=5
    )
)
def test_a_column_is_quoted_as_json_quotes_each_text(texts: list[str]) -> None:
    assert quoted(texts) == [json.dumps(text) for text in texts]


# --- the envelope ---------------------------------------------------------------------------------------------------------
def test_each_person_unsubscribes_by_a_token_of_their_own() -> None:
    mail, _ = written([a_letter(1), a_letter(2)])
    headers = mail["personalizations"][1]["headers"]
    assert (
        headers["List-Unsubscribe"] == f"<https://omni.example/u/00000002>, <mailto:unsubscribe+{a_letter(2).mark}@example.com>"
    )
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert headers["List-Id"] == "<news.example.com>"


def test_without_https_there_is_no_one_click_and_the_mail_comes_back_to_the_domain_of_the_settings() -> None:
    one = a_letter(1, extra={"unsubscribe": "", "list_id": "Léa <news.example.com>"})
    headers = written([one], wishes(inbound_domain="parse.example.com"))[0]["personalizations"][0]["headers"]
    assert headers["List-Unsubscribe"] == f"<mailto:unsubscribe+{one.mark}@parse.example.com>"
    assert "List-Unsubscribe-Post" not in headers
    assert headers["List-Id"].isascii()
    assert headers["List-Id"].endswith(" <news.example.com>")


def test_a_receipt_of_an_order_says_nothing_of_lists() -> None:
    one = replace(a_letter(1), purpose="transactional", topic="news")
    mail, _ = written([one], wishes(asm_groups={"news": 12}, bypass_unsubscribe="yes"))
    assert "headers" not in mail["personalizations"][0]
    assert "asm" not in mail
    assert mail["mail_settings"]["bypass_unsubscribe_management"] == {"enable": True}
    assert "bypass_list_management" not in mail["mail_settings"]


def test_marketing_never_passes_unsubscribes_by() -> None:
    mail, _ = written([a_letter(1)], wishes(bypass_unsubscribe="yes"))
    assert "bypass_unsubscribe_management" not in mail["mail_settings"]


def test_the_group_follows_the_topic() -> None:
    mail, _ = written([a_letter(n, topic="news") for n in range(2)], wishes(asm_groups={"news": 12345}))
    assert mail["asm"] == {"group_id": 12345}
    assert "asm" not in written([a_letter(1, topic="other")], wishes(asm_groups={"news": 12345}))[0]


@pytest.mark.parametrize(("tracking", "on"), [("own", False), ("provider", True)])
def test_every_tracking_setting_is_sent(tracking: str, on: bool) -> None:
    said = written([a_letter(1)], wishes(tracking=tracking))[0]["tracking_settings"]
    assert said["click_tracking"] == {"enable": on, "enable_text": on}
    assert said["open_tracking"] == {"enable": on}
    assert said["subscription_tracking"] == said["ganalytics"] == {"enable": False}


def test_categories_are_campaign_and_message() -> None:
    assert written([a_letter(1)])[0]["categories"] == ["spring", "spring/offer"]
    assert written([a_letter(1), replace(a_letter(2), message="other")])[0]["categories"] == ["spring"]


# --- who does not fit -----------------------------------------------------------------------------------------------------
def test_an_address_stands_in_a_request_once_whatever_its_capitals() -> None:
    handed = [a_letter(1), a_letter(2, address="P1@Example.com"), a_letter(3)]
    mail, settled = written(handed)
    assert [person["to"][0]["email"] for person in mail["personalizations"]] == ["p1@example.com", "p3@example.com"]
    assert (settled[1].outcome, settled[1].free) == ("not_sent", True)


@pytest.mark.parametrize("changes", [{"sender": "Other <o@example.com>"}, {"topic": "x"}, {"campaign": "summer"}, {"purpose": "service"},
                                     {"reply_to": "r@example.com"}, {"extra": {"list_id": "<other.example>"}}])  # fmt: skip
def test_one_request_has_one_sender_purpose_topic_and_list(changes: dict[str, Any]) -> None:
    strange = replace(a_letter(2), **changes)
    mail, settled = written([a_letter(1), strange, a_letter(3)])
    assert len(mail["personalizations"]) == 2
    assert (settled[1].outcome, settled[1].free, settled[1].halve) == ("not_sent", True, False)


def test_another_skeleton_waits_for_the_next_request() -> None:
    other = a_letter(2, pieces={**PIECES, "text": ("Good evening ", 1)})
    mail, settled = written([a_letter(1), other])
    assert len(mail["personalizations"]) == 1
    assert settled[1].free


def test_service_messages_go_one_by_one() -> None:
    handed = [replace(a_letter(n), purpose="service") for n in range(3)]
    mail, settled = written(handed)
    assert len(mail["personalizations"]) == 1
    assert sorted(settled) == [1, 2]


@pytest.mark.parametrize("address", ["", "a@b@example.com", "two@example.com, three@example.com", "Name <a@example.com>", "é@example.com",
                                     "a@example.com\r\nBcc: b@example.com", "a b@example.com"])  # fmt: skip
def test_whoever_has_not_one_plain_address_is_refused_alone(address: str) -> None:
    mail, settled = written([a_letter(1), a_letter(2, address=address), a_letter(3)])
    assert len(mail["personalizations"]) == 2
    assert (settled[1].outcome, settled[1].bad_address) == ("rejected", True)


def test_a_domain_of_other_letters_is_written_as_dns_has_it() -> None:
    assert written([a_letter(1, address="a@bücher.example")])[0]["personalizations"][0]["to"] == [
        {"email": "a@xn--bcher-kva.example"}
    ]


@pytest.mark.guards("header_values")
@pytest.mark.parametrize("value", ["a\r\nBcc: x@example.com", "a\nb", "a\u2028b", "a\x00b", "=?utf-8?q?Bcc?=", "a\x85b"])
def test_a_value_that_would_begin_another_header_ends_its_touch_alone(value: str) -> None:
    wrong = a_letter(2, values=(value, "x", "l", "b", "x", "l", "r"))
    mail, settled = written([a_letter(1), wrong, a_letter(3)])
    assert len(mail["personalizations"]) == 2
    assert (settled[1].outcome, settled[1].code) == ("rejected", "header")


@pytest.mark.parametrize("name", ["To", "bcc", "DKIM-Signature", "x-sg-eid", "Content-Type", "Bad Name", "é"])
def test_forbidden_headers_are_refused(name: str) -> None:
    assert sift([a_letter(1, headers={name: "x"})], wishes())[1][0].code == "header"


@pytest.mark.parametrize(("changes", "code"), [({"subject": ("  ",)}, "subject"), ({"mark": "m" * 61}, "custom_args"),
                                               ({"pieces": {"subject": ("s",), "text": (), "html": ()}}, "content")])  # fmt: skip
def test_what_sendgrid_would_refuse_is_refused_before(changes: dict[str, Any], code: str) -> None:
    group, settled = sift([a_letter(1, **changes)], wishes())
    assert group is None
    assert (settled[0].outcome, settled[0].code) == ("rejected", code)


@pytest.mark.parametrize("sender", [None, "", "nobody", "é@example.com", "A <a@example.com>\r\nBcc: b@example.com"])
def test_a_channel_without_a_sender_is_halted_and_nobody_is_lost(sender: str | None) -> None:
    settled = sift([a_letter(n, sender=sender) for n in range(2)], wishes())[1]
    assert {(outcome.outcome, outcome.halt, outcome.halts) for outcome in settled.values()} == {("not_sent", True, "channel")}


def test_at_most_a_thousand_stand_in_a_request() -> None:
    mail, settled = written([a_letter(n) for n in range(1003)])
    assert len(mail["personalizations"]) == 1000
    assert sorted(settled) == [1000, 1001, 1002]


# --- too much -------------------------------------------------------------------------------------------------------------
def heavy(n: int, letters: int = 12_000) -> Handed:
    return a_letter(n, values=(f"Z{n}", f"{n}" + "é" * (letters // 2), "l", "b", "x", "l", "r"))


def test_values_beyond_the_limit_make_a_request_of_their_own() -> None:
    assert alone(heavy(1))
    assert not alone(a_letter(1))
    assert not alone(heavy(1, 2_000))
    assert alone(replace(a_letter(1), purpose="transactional"))
    assert alone(replace(a_letter(1), pieces=None))


def test_a_request_with_somebody_too_heavy_names_them() -> None:
    group, _ = sift([a_letter(1), heavy(2), a_letter(3)], wishes())
    assert group is not None
    with pytest.raises(Overfull) as told:
        build(group, wishes())
    assert told.value.places == {1}
    lighter, _ = sift([a_letter(1), heavy(2, 9_000)], wishes())
    assert lighter is not None
    assert build(lighter, wishes())


def test_without_pieces_the_message_goes_whole() -> None:
    one = replace(a_letter(1), pieces=None, fills=())
    mail, settled = written([one, a_letter(2)])
    assert filled(mail)[0] == dict(one.rendered.parts)  # type: ignore[union-attr]
    assert list(settled) == [1]

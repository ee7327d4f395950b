"""Every code of the table, as an answer and as a callback, against what the design says of it."""

from __future__ import annotations

import json
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from twilio_values import NOW

from omnicli.providers.twilio import codes
from omnicli.providers.twilio.codes import Answer

GOOD = {"sid": "SM" + "0a" * 16, "status": "queued"}


def answer(status: int, body: Any, **headers: str) -> Answer:
    text = body if isinstance(body, str) else json.dumps(body)
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, text)


def refusal(code: int, status: int = 400) -> Answer:
    return answer(status, {"code": code, "message": "no", "status": status})


#: docs/delivery 9 and docs/providers 3.1: code → outcome, what it halts, marks the address, bar, minutes to wait at least.
ANSWERS: dict[int, tuple[str, str | None, bool, str | None, int]] = {
    20003: ("not_sent", "account", False, None, 0), 20005: ("not_sent", "account", False, None, 0), 20404: ("rejected", None, False, None, 0),
    20429: ("not_sent", None, False, None, 0), 30002: ("not_sent", "account", False, None, 0),
    21201: ("rejected", None, True, None, 0), 21211: ("rejected", None, True, None, 0), 21214: ("rejected", None, True, None, 0),
    21217: ("rejected", None, True, None, 0), 21614: ("rejected", None, True, None, 0), 21610: ("rejected", None, False, "stop", 0),
    21408: ("rejected", None, False, None, 0), 21215: ("rejected", None, False, None, 0), 21216: ("rejected", None, False, None, 0),
    21603: ("not_sent", "channel", False, None, 0), 21606: ("not_sent", "channel", False, None, 0), 21612: ("not_sent", "channel", False, None, 0),
    21712: ("not_sent", "channel", False, None, 0), 21210: ("not_sent", "channel", False, None, 0), 21212: ("not_sent", "channel", False, None, 0),
    63007: ("not_sent", "channel", False, None, 0), 21611: ("not_sent", None, False, None, 5), 30001: ("not_sent", None, False, None, 5),
    21602: ("rejected", None, False, None, 0), 21617: ("rejected", None, False, None, 0), 21619: ("rejected", None, False, None, 0),
    21655: ("not_sent", "campaign", False, None, 0), 21656: ("rejected", "campaign", False, None, 0),
    63016: ("rejected", None, False, None, 0), 63021: ("rejected", "campaign", False, None, 0), 63028: ("rejected", "campaign", False, None, 0),
    63039: ("not_sent", None, False, None, 0), 63018: ("not_sent", None, False, None, 0), 130429: ("not_sent", None, False, None, 0),
}  # fmt: skip

#: The same for callbacks: event, kind, bar.
CALLBACKS: dict[int, tuple[str, str | None, str | None]] = {
    30001: ("failed", None, None), 30002: ("failed", None, None), 30003: ("failed", None, None), 30004: ("failed", "block", None),
    30005: ("bounced", "hard", None), 30006: ("bounced", "hard", None), 30007: ("failed", "block", None), 30008: ("failed", None, None),
    30036: ("failed", None, None), 21211: ("bounced", "hard", None), 21614: ("bounced", "hard", None), 21610: ("failed", None, "stop"),
    21408: ("failed", None, None), 63007: ("failed", None, None), 63016: ("failed", None, None), 63021: ("failed", None, None),
    63028: ("failed", None, None), 63039: ("failed", None, None), 63018: ("failed", None, None), 130429: ("failed", None, None),
    131026: ("failed", None, None), 131047: ("failed", None, None), 131049: ("failed", None, None),
}  # fmt: skip


def test_this_page_knows_every_code_of_the_table() -> None:
    assert {number for number, code in codes.table().items() if code.answer} == set(ANSWERS)
    assert {number for number, code in codes.table().items() if code.callback} == set(CALLBACKS)
    assert all(code.answer or code.callback for code in codes.table().values())


@pytest.mark.parametrize("code", ANSWERS)
def test_an_answer_with_a_code_means_what_the_design_says(code: int) -> None:
    outcome, halts, bad, suppress, minutes = ANSWERS[code]
    found = codes.classify(refusal(code), now=NOW)
    assert (found.outcome, found.code, found.bad_address, found.suppress) == (outcome, str(code), bad, suppress)
    assert (found.halts if found.halt else None) == halts
    assert found.retry_at == (NOW + timedelta(minutes=minutes) if minutes else None)
    assert found.http_status == 400


@pytest.mark.parametrize("code", CALLBACKS)
def test_a_callback_with_a_code_means_what_the_design_says(code: int) -> None:
    found = codes.called_back(str(code))
    assert found is not None
    assert (found.event, found.kind, found.suppress) == CALLBACKS[code]


@pytest.mark.parametrize("status", [500, 502, 503, 504, 599, 408, 100])
@pytest.mark.parametrize("code", [21211, 21610, 20429, 99999])
def test_an_unclear_status_stays_unclear_whatever_its_body_says(status: int, code: int) -> None:
    assert codes.classify(refusal(code, status), now=NOW).outcome == "unknown"


@pytest.mark.parametrize(
    ("status", "outcome", "halt"),
    [(400, "rejected", False), (404, "rejected", False), (405, "rejected", False), (409, "rejected", False), (413, "rejected", False),
     (422, "rejected", False), (401, "not_sent", True), (403, "not_sent", True), (429, "not_sent", False), (301, "not_sent", True),
     (307, "not_sent", True), (304, "not_sent", True)],
)  # fmt: skip
@pytest.mark.parametrize(
    "body", ["", "<html>", "[]", "null", '{"code": null}', '{"code": "x"}', '{"code": true}', '{"code": 54321, "message": "new"}']
)
def test_a_code_that_nobody_knows_goes_by_the_class_of_its_status(status: int, outcome: str, halt: bool, body: str) -> None:
    found = codes.classify(answer(status, body), now=NOW)
    assert (found.outcome, found.halt) == (outcome, halt)
    assert found.code == ("54321" if "54321" in body else str(status))


@pytest.mark.parametrize(
    "body",
    ["", "{", "[]", '{"sid": null}', '{"sid": 7}', '{"sid": "SM1"}', '{"sid": "MG' + "0" * 32 + '"}', '{"status": "queued"}'],
)
@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_taken_without_a_usable_id_is_unknown(status: int, body: str) -> None:
    assert codes.classify(answer(status, body), now=NOW).outcome == "unknown"


def test_taken_with_an_id_is_accepted() -> None:
    found = codes.classify(answer(201, GOOD), now=NOW)
    assert (found.outcome, found.ref) == ("accepted", GOOD["sid"])


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("30", 30),
        (format_datetime(NOW + timedelta(seconds=90)), 90),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("9" * 400, 86_400),
    ],
)
def test_another_try_waits_as_long_as_it_is_told(header: str, seconds: int | None) -> None:
    found = codes.classify(answer(429, {"code": 20429}, retry_after=header), now=NOW)
    assert found.retry_at == (None if seconds is None else NOW + timedelta(seconds=seconds))


def test_problem_details_are_read_as_well() -> None:
    body = {"type": "https://…", "title": "Bad", "status": 400, "code": 21610, "detail": "opted out"}
    assert codes.classify(answer(400, body), now=NOW).suppress == "stop"


def test_a_detail_keeps_no_number_of_anybody() -> None:
    found = codes.classify(answer(400, {"code": 21211, "message": "The 'To' number +33 6 39 98 00 01 is not valid"}), now=NOW)
    assert found.detail == "The 'To' number … is not valid"


def test_codes_that_nobody_knows_are_listed_once() -> None:
    assert codes.unlisted(["30999", "21211", None, "lost", "400", "30999", "63999"]) == ["30999", "63999"]


@pytest.mark.parametrize("text", [None, "", "tomorrow", "Mon, 99 Jan 2027 09:30:00 +0000", "2027-01-04T09:30:00Z"])
def test_what_is_no_date_is_none(text: str | None) -> None:
    assert codes.read_date(text) is None


def test_dates_are_read_as_twilio_writes_them() -> None:
    assert codes.read_date("Mon, 04 Jan 2027 10:30:00 +0100") == NOW
    assert codes.read_date("Mon, 04 Jan 2027 09:30:00 -0000") == NOW

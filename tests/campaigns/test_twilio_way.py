"""A message goes out by Twilio and comes back: delivered, stopped, refused by a key, found in a list after it was lost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
import sqlalchemy as sa
from delivering import OMNI, Delivery, a_campaign
from fake_twilio import ACCOUNT, TOKEN, FakeTwilio

from omnicli.campaigns.hear import Taken, hear
from omnicli.campaigns.reconcile import reconcile
from omnicli.campaigns.sync import sync
from omnicli.model.response import Heard, Incoming
from omnicli.providers.twilio import open_hearing, open_twilio
from omnicli.store import consents, keys
from omnicli.store import tables as tb

PUBLIC = "https://omni.example.org"
HOUSE = OMNI.replace("sms: {provider: twilio,", 'sms: {provider: twilio, from: "+15555550100",').replace(
    "voice: {provider: task, team: conseil}", 'voice: {provider: twilio, from: "+15555550100", voice: Polly.Lea}'
) + f"\nbrand: {{name: Maison Lune}}\npublic_url: {PUBLIC}\n"  # fmt: skip


class Way(Delivery):
    """A stage whose provider is Twilio's stand-in, and which hears what that posts."""

    def __init__(self, folder: Path, fake: FakeTwilio, *, by: str = "sms") -> None:
        super().__init__(folder, a_campaign(f"- {{send: offre, by: {by}, id: j0}}\n- {{wait: 20 days, id: repos}}"), omni=HOUSE)
        self.fake, self.by = fake, by
        fake.clock = lambda: self.now.timestamp()
        self.settings: dict[str, Any] = {"account_sid": ACCOUNT, "auth_token": TOKEN, "connect_timeout": "2 seconds", "read_timeout": "2 seconds",
                                         "in_flight": "2", "base_url": dict.fromkeys(("api", "messaging", "content", "voice"), fake.url)}  # fmt: skip
        self.provider = open_twilio(self.loaded.project, self.settings, folder, live=False)
        signing = keys.of_store(self.store, "maison").signing
        self.hearing = open_hearing(self.loaded.project, self.settings, signing, live=False)

    def phone(self, name: str, number: str) -> None:
        self.sign_up(name, consent=(self.by,))
        pepper = consents.pepper(self.store, "maison")
        with self.store.write() as connection:
            a = tb.address.c
            connection.execute(
                sa.update(tb.address).where(a.norm == f"{name}@{self.by}").values(value=number, norm=number, hmac=consents.fingerprint(pepper, self.by, number))
            )  # fmt: skip

    def told(self, url: str, form: dict[str, str]) -> tuple[Heard, Taken]:
        """What Twilio posts to that address, signed."""
        bare = url.partition("#")[0]
        headers = {name.lower(): value for name, value in self.fake.signed(bare, form).items()}
        path = urlsplit(bare).path
        heard = self.hearing.hear(path, Incoming("POST", bare, headers, urlencode(form).encode()), now=self.now)
        assert heard.status == 200
        return heard, hear(self.store, self.loaded, heard.receipts, now=self.now)

    def status(self, sid: str, status: str, **more: Any) -> Taken:
        row = self.fake.messages.get(sid) or self.fake.calls[sid]
        return self.told(row["_form"]["StatusCallback"], self.fake.status_form(sid, status, **more))[1]

    def writes(self, number: str, body: str, **more: str) -> Heard:
        sid = self.fake._sid("SM")
        form = {
            "MessageSid": sid,
            "SmsSid": sid,
            "AccountSid": ACCOUNT,
            "From": number,
            "To": "+15555550100",
            "Body": body,
            "NumMedia": "0",
            **more,
        }
        return self.told(f"{PUBLIC}/webhooks/twilio/inbound", form)[0]


@pytest.fixture
def fake() -> Iterator[FakeTwilio]:
    with FakeTwilio() as running:
        yield running


@pytest.fixture
def way(tmp_path: Path, fake: FakeTwilio) -> Iterator[Way]:
    stage = Way(tmp_path, fake)
    yield stage
    stage.provider.close()


LEA, PAUL = "+33639980001", "+33639980002"


def test_a_message_is_sent_once_and_its_statuses_come_back_in_any_order(way: Way, fake: FakeTwilio) -> None:
    way.phone("lea", LEA)
    assert way.send("2027-01-04 10:00").accepted == 1
    (sid,) = fake.messages
    assert way.rows("SELECT provider_ref FROM attempt") == [(sid,)]
    assert way.status(sid, "delivered").new == 1
    assert way.status(sid, "sent").new == 1
    assert way.status(sid, "delivered").repeated == 1
    way.fold()
    assert way.rows("SELECT send_state, delivery_state FROM touch") == [("accepted", "delivered")]
    assert fake.log.doubles() == {}


def test_a_stop_bars_at_once_and_the_next_message_does_not_start(way: Way, fake: FakeTwilio) -> None:
    way.phone("lea", LEA)
    way.phone("paul", PAUL)
    way.decide()
    way.writes(LEA, "STOP", OptOutType="STOP")
    report = way.send("2027-01-04 10:00")
    assert (report.accepted, [row["to"] for row in fake.messages.values()]) == (1, [PAUL])


def test_a_bar_that_twilio_holds_is_mirrored(way: Way, fake: FakeTwilio) -> None:
    way.phone("lea", LEA)
    fake.codes[LEA] = 21610
    assert way.send("2027-01-04 10:00").rejected == 1
    assert way.rows("SELECT channel, reason FROM suppression") == [("sms", "stop")]


def test_a_dead_number_in_a_callback_is_a_dead_address(way: Way, fake: FakeTwilio) -> None:
    way.phone("lea", LEA)
    way.send("2027-01-04 10:00")
    (sid,) = fake.messages
    way.status(sid, "undelivered", code=30005)
    way.fold()
    assert way.rows("SELECT delivery_state FROM touch") == [("bounced",)]
    assert way.row("SELECT count(*) FROM suppression WHERE channel = 'sms'") == (1,)


def test_a_lost_answer_is_unknown_until_the_list_shows_the_message(way: Way, fake: FakeTwilio) -> None:
    way.phone("lea", LEA)
    fake.behave("lose", times=1)
    assert way.send("2027-01-04 10:00").unknown == 1
    way.now += timedelta(minutes=3)
    at = way.row("SELECT started_at FROM attempt")[0]
    fake_at = at / 1000
    for row in fake.messages.values():  # the intent's time is the machine's, not the stage's
        row["_at"] = fake_at
        row["date_created"] = _rfc2822(fake_at)
    reconcile(way.store, way.loaded, way.providers, now=way.now)
    assert way.rows("SELECT send_state FROM touch") == [("accepted",)]
    assert len(fake.log.recipients()) == 1


def test_its_own_callback_settles_a_lost_answer(way: Way, fake: FakeTwilio) -> None:
    way.phone("lea", LEA)
    fake.behave("lose", times=1)
    assert way.send("2027-01-04 10:00").unknown == 1
    (sid,) = fake.messages
    way.status(sid, "sent")
    way.fold()
    assert way.rows("SELECT send_state FROM touch") == [("accepted",)]


def test_a_key_in_a_call_bars_calls_for_good(tmp_path: Path, fake: FakeTwilio) -> None:
    way = Way(tmp_path, fake, by="voice")
    way.phone("lea", LEA)
    assert way.send("2027-01-04 10:30").accepted == 1
    (sid,) = fake.calls
    url = fake.calls[sid]["_form"]["StatusCallback"].replace("/status?", "/inbound?")
    heard, taken = way.told(url, {**fake.status_form(sid, "in-progress"), "Digits": "9"})
    assert b"Hangup" in heard.body
    assert taken.opted_out == 1
    way.fold()
    assert way.rows("SELECT DISTINCT channel FROM suppression") == [("voice",)]
    way.provider.close()


def _rfc2822(seconds: float) -> str:
    from email.utils import formatdate

    return formatdate(seconds).replace("-0000", "+0000")


def test_what_was_told_while_nobody_listened_is_asked_for(way: Way, fake: FakeTwilio) -> None:
    for n in range(3):
        way.phone(f"p{n}", f"+3363998000{n}")
    assert way.send("2027-01-04 10:00").accepted == 3
    first, second, third = fake.messages
    fake.messages[first]["status"] = "delivered"
    fake.messages[second] |= {"status": "undelivered", "error_code": 30005}
    way.now += timedelta(minutes=11)
    (found,) = sync(way.store, way.loaded, {"sms": way.provider}, now=way.now)
    assert (found.listed, found.new) == (3, 3)
    assert way.rows("SELECT delivery_state, count(*) FROM touch GROUP BY 1 ORDER BY 1") == [
        ("bounced", 1),
        ("delivered", 1),
        ("queued", 1),
    ]
    assert way.status(first, "delivered").repeated == 1  # the callback that came after all
    fake.messages[third]["status"] = "delivered"
    (found,) = sync(way.store, way.loaded, {"sms": way.provider}, now=way.now)
    assert (found.listed, found.new) == (1, 1)


def test_many_are_asked_for_by_their_days(way: Way, fake: FakeTwilio, monkeypatch: pytest.MonkeyPatch) -> None:
    from omnicli.providers.twilio import fates

    monkeypatch.setattr(fates, "FEW", 1)
    for n in range(3):
        way.phone(f"p{n}", f"+3363998000{n}")
    way.send("2027-01-04 10:00")
    started = way.row("SELECT min(started_at) FROM attempt")[0] / 1000
    for row in fake.messages.values():
        row |= {"status": "delivered", "_at": started}
    before = len(fake.requests)
    way.now += timedelta(minutes=11)
    sync(way.store, way.loaded, {"sms": way.provider}, now=way.now)
    assert way.rows("SELECT DISTINCT delivery_state FROM touch") == [("delivered",)]
    assert len(fake.requests) == before + 1


@pytest.mark.parametrize("what", ["lose", "garbage", "refuse"])
def test_a_provider_that_cannot_be_asked_leaves_things_as_they_are(way: Way, fake: FakeTwilio, what: str) -> None:
    way.phone("lea", LEA)
    way.send("2027-01-04 10:00")
    fake.behave(what, on="any", **({"status": 500} if what == "refuse" else {}))
    way.now += timedelta(minutes=11)
    (found,) = sync(way.store, way.loaded, {"sms": way.provider}, now=way.now)
    assert found.new == 0


def test_a_handset_that_is_off_three_times_in_a_row_is_left_in_peace(way: Way, fake: FakeTwilio) -> None:
    """SU-02: 30003 says nothing about the number, but three in a row within 30 days do."""
    way.phone("lea", LEA)
    way.send("2027-01-04 10:00")
    (sid,) = fake.messages
    url, form = fake.messages[sid]["_form"]["StatusCallback"], fake.status_form(sid, "undelivered", code=30003)
    for n in range(3):
        assert way.rows("SELECT reason FROM suppression") == []
        way.now += timedelta(days=n)
        other = f"SM{n:032x}"
        way.told(url, form | {"MessageSid": other, "SmsSid": other})
        way.fold()
    assert way.rows("SELECT channel, reason FROM suppression") == [("sms", "out_of_reach")]

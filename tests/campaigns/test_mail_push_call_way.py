"""There and back by mail, push and call: what the outbox sends over real wires, and what comes back settles, bars and wakes."""

from __future__ import annotations

from datetime import timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest
import sqlalchemy as sa
from delivering import OMNI, TEMPLATES, Delivery, a_campaign
from fake_push import FakePush
from fake_receiver import FakeReceiver
from fake_smtp import ACCEPT_CUT, FakeSmtp

from omnicli.campaigns.listen import Listened, listen
from omnicli.providers.push import Push
from omnicli.providers.smtp import Address, Smtp
from omnicli.providers.webhook import Target, Webhooks
from omnicli.store import accounts

MAILS = Path(__file__).parent.parent / "providers" / "mails"
LIVE = OMNI.replace("email: {provider: smtp,", "email: {provider: smtp, from: Maison <bonjour@maison.example>,") + (
    "providers: {smtp: {host: 127.0.0.1, bounces: mail}}\n"
)
ONE = "- {send: offre, by: email, id: j0}\n- {wait: 3 days, id: repos}"


def mailed(folder: Path, fake: FakeSmtp, **options: object) -> Delivery:
    stage = Delivery(folder, a_campaign(ONE), omni=LIVE, provider=Smtp(Address("127.0.0.1", fake.port, "none", read_timeout=1)))
    stage.store.live = True
    for box in ("new", "cur", "tmp"):
        (folder / "mail" / box).mkdir(parents=True)
    stage.sign_up("lea")
    with stage.store.write() as connection:
        connection.exec_driver_sql("UPDATE address SET value = 'lea@example.org'")
    stage.send("2027-01-04 10:00")
    stage.provider.close()
    return stage


def comes_back(stage: Delivery, fake: FakeSmtp, sample: str) -> Listened:
    """The notice that a server would write about the mail that the fake took."""
    sent = message_from_bytes(fake.accepted[0], policy=default)
    marked = sent["X-Omni-Id"]
    touch = sent["Message-ID"].strip("<>").partition(".")[0]
    raw = (MAILS / sample).read_bytes().replace(b"{mark}", marked.encode()).replace(b"{touch}", touch.encode())
    (stage.folder / "mail" / "new" / sample).write_bytes(raw)
    stage.now += timedelta(minutes=5)
    found = listen(stage.store, stage.loaded, now=stage.now)
    stage.fold()
    return found


def test_a_mail_that_bounces_hard_bars_its_address(tmp_path: Path) -> None:
    with FakeSmtp() as fake:
        stage = mailed(tmp_path, fake)
        assert len(fake.accepted) == 1
        assert comes_back(stage, fake, "postfix_unknown.eml").new == 1
    assert stage.row("SELECT delivery_state FROM touch") == ("bounced",)
    assert stage.rows("SELECT reason FROM suppression") == [("bounced",)]
    assert stage.rows("SELECT name FROM event WHERE name = 'bounced'") == [("bounced",)]


def test_who_writes_to_the_unsubscribe_address_gets_no_more(tmp_path: Path) -> None:
    with FakeSmtp() as fake:
        stage = mailed(tmp_path, fake)
        assert comes_back(stage, fake, "unsubscribe.eml").opted_out == 1
        stage.says("lea", "signup", at="2027-01-06 09:00")
        stage.send("2027-01-06 10:00")
        assert len(fake.accepted) == 1


@pytest.mark.guards("own_event_settles")
def test_a_bounce_proves_that_an_unknown_mail_was_taken(tmp_path: Path) -> None:
    """The answer to the dot was lost; a notice about the mail says that it had been accepted (docs/delivery 11)."""
    with FakeSmtp() as fake:
        fake.behave("dot", ACCEPT_CUT)
        stage = mailed(tmp_path, fake)
        assert stage.row("SELECT send_state FROM touch")[0] in ("unknown", "parked")
        comes_back(stage, fake, "postfix_delayed.eml")
    assert stage.row("SELECT send_state, delivery_state FROM touch") == ("accepted", "deferred")
    assert len(fake.accepted) == 1


def test_a_delay_is_no_bounce_and_a_delivery_is_seen(tmp_path: Path) -> None:
    with FakeSmtp() as fake:
        stage = mailed(tmp_path, fake)
        comes_back(stage, fake, "postfix_delayed.eml")
        assert stage.row("SELECT delivery_state FROM touch") == ("deferred",)
        comes_back(stage, fake, "delivered.eml")
    assert stage.row("SELECT delivery_state FROM touch") == ("delivered",)
    assert stage.rows("SELECT reason FROM suppression") == []


# --- push -----------------------------------------------------------------------------------------------------------
PUSHED = OMNI.replace("channels:\n", "channels:\n  push: {provider: push, price: 0 EUR}\n")


def pushed(folder: Path, fake: FakePush) -> Delivery:
    vapid = pytest.importorskip("py_vapid")
    key = vapid.Vapid02()
    key.generate_keys()
    provider = Push(key, "mailto:a@maison.example", insecure=True, answer_timeout=1)
    templates = {
        **TEMPLATES,
        "push.txt.j2": "{% block title %}Maison{% endblock %}\n\n{% block body %}{{ say.body }}{% endblock %}\n",
    }
    campaign = a_campaign("- {send: offre, by: push, id: j0}\n- {wait: 3 days, id: repos}")
    stage = Delivery(folder, campaign, omni=PUSHED, templates=templates, provider=provider)
    stage.sign_up("lea", consent=("push",))
    with stage.store.write() as connection:
        connection.execute(sa.text("UPDATE address SET value = :value"), {"value": fake.subscription("lea")})
    return stage


def test_a_push_reaches_the_device(tmp_path: Path) -> None:
    with FakePush() as fake:
        stage = pushed(tmp_path, fake)
        stage.send("2027-01-04 10:00")
        assert [shown.told["body"] for shown in fake.notified] == ["Bonjour"]
    assert stage.row("SELECT send_state FROM touch") == ("accepted",)


def test_a_device_that_is_gone_is_written_to_no_more(tmp_path: Path) -> None:
    with FakePush() as fake:
        stage = pushed(tmp_path, fake)
        fake.devices.clear()
        stage.send("2027-01-04 10:00")
        assert stage.row("SELECT send_state FROM touch") == ("rejected",)
        assert stage.row("SELECT bad FROM address") == ("bounced",)


def test_a_push_of_which_nobody_knows_is_dropped(tmp_path: Path) -> None:
    with FakePush() as fake:
        stage = pushed(tmp_path, fake)
        fake.behave("lose")
        stage.send("2027-01-04 10:00")
        stage.send("2027-01-05 12:00")
        assert stage.row("SELECT send_state, reason FROM touch") == ("skipped", "dropped")
        assert len(fake.notified) == 1


# --- calls ------------------------------------------------------------------------------------------------------------
def calling(folder: Path, fake: FakeReceiver, *, idempotent: bool) -> Delivery:
    omni = OMNI.replace(
        "{url: https://crm.example/hook}", f"{{url: https://crm.example/hook, idempotent: {'yes' if idempotent else 'no'}}}"
    )
    provider = Webhooks({"crm": Target(f"{fake.url}/hook", None, 1.0, idempotent)})
    stage = Delivery(
        folder,
        a_campaign("- {call: crm, id: appel, with: {first: first_name}}\n- {wait: 3 days, id: repos}"),
        omni=omni,
        provider=provider,
    )
    stage.sign_up("lea")
    fake.idempotent = idempotent
    fake.behave("lose", times=1)
    stage.send("2027-01-04 10:00")
    stage.send("2027-01-04 12:00")
    return stage


def test_an_unknown_call_is_made_again_with_the_same_key_where_the_receiver_knows_keys(tmp_path: Path) -> None:
    with FakeReceiver() as fake:
        stage = calling(tmp_path, fake, idempotent=True)
        keys = [request.headers["idempotency-key"] for request in fake.requests]
        assert len(keys) == 2
        assert len(set(keys)) == 1
        assert len(fake.log) == 1
    assert stage.row("SELECT send_state FROM touch") == ("accepted",)


def test_an_unknown_call_to_any_other_receiver_waits_for_a_person(tmp_path: Path) -> None:
    with FakeReceiver() as fake:
        stage = calling(tmp_path, fake, idempotent=False)
        assert len(fake.requests) == 1
    assert stage.row("SELECT send_state FROM touch") == ("parked",)


def test_a_receiver_that_does_not_know_us_keeps_no_other_one_waiting(tmp_path: Path) -> None:
    with FakeReceiver() as good, FakeReceiver() as bad:
        bad.behave("refuse", status=401)
        omni = OMNI.replace("https://crm.example/hook}", "https://crm.example/hook}\n  stock: {url: https://stock.example/hook}")
        provider = Webhooks(
            {"crm": Target(f"{bad.url}/hook", None, 1.0, False), "stock": Target(f"{good.url}/hook", None, 1.0, False)}
        )
        flow = "- {call: crm, id: appel}\n- {wait: 3 days, id: repos}"
        other = a_campaign(flow.replace("crm", "stock"), name="autre")
        stage = Delivery(tmp_path, a_campaign(flow), other, omni=omni, provider=provider)
        stage.sign_up(*(f"c{n}" for n in range(12)))
        stage.send("2027-01-04 10:00")
        assert len(good.log.touches()) == 12
        assert len(bad.requests) <= 8  # as many as are in flight at once
    with stage.store.read() as connection:
        found = {account: row.state for _, account, row in accounts.standing(connection)}
    assert found == {"crm": "open", "stock": "closed"}

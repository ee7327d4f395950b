"""What omni sends to Twilio, against Twilio's own descriptions: by Prism over HTTP, and by openapi-core in this process.

Each kind of request is good for both judges; each documented mistake is refused by one, so they are known to look. Prism does not
notice unknown form fields, so the fields are compared with the description as well. Our stand-in's answers are held to it too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from fake_twilio import ACCOUNT, FakeTwilio
from official import Twin
from twilio_values import LEA, NOW, TOUCH, US, a_call, a_provider, a_whatsapp, an_sms, close_all, elsewhere

from omnicli.model.touch import Doubtful, Handed
from omnicli.providers.twilio.carrier import Twilio

CORE, CONTENT, MESSAGING = "twilio_core.patched.json", "twilio_content_v1.json", "twilio_messaging_v1.patched.json"
SERVICE = "MG" + "1f" * 16
OPEN = {"window_until": NOW + timedelta(hours=1)}
MESSAGES, CALLS = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json", f"/2010-04-01/Accounts/{ACCOUNT}/Calls.json"


def kinds() -> dict[str, tuple[Handed, dict[str, Any]]]:
    """Every shape of request that omni makes to hand something over: (who, settings)."""
    return {
        "a text message": (an_sms(), {}),
        "by a service": (an_sms(sender=None), {"messaging_service": SERVICE}),
        "every option": (an_sms(), {"messaging_service": SERVICE, "smart_encoded": "yes", "shorten_urls": "yes"}),
        "whatsapp in words": (a_whatsapp(**OPEN), {}),
        "whatsapp by a template": (a_whatsapp(approved="HX" + "b" * 32), {}),
        "messenger": (a_whatsapp(channel="messenger", address="7711", sender="4242", **OPEN), {}),
        "a call": (a_call(), {}),
    }  # fmt: skip


class Seen:
    """The requests of one kind, as they went over the wire to the stand-in."""

    def __init__(self, one: Handed, settings: Mapping[str, Any]) -> None:
        with FakeTwilio() as fake:
            provider = a_provider(fake.url, **settings)
            self.outcome = provider.send([one], now=NOW)[0]
            self.requests = list(fake.requests)
            close_all()
        self.sent = self.requests[-1]

    @property
    def path(self) -> str:
        return urlsplit(self.sent.path).path


def refusals(
    twin: Twin, method: str, path: str, form: Mapping[str, Any] | None, headers: Mapping[str, str] | None = None
) -> list[str]:
    body = urlencode(form, doseq=True).encode() if form is not None else None
    kind = {"Content-Type": "application/x-www-form-urlencoded"} if form is not None else {}
    return twin.refusals(method, path, {**kind, "Authorization": "Basic QUM6dA==", **(headers or {})}, body)


def fields(twin: Twin, path: str) -> set[str]:
    """The form fields that the description knows of this path."""
    template = path.replace(ACCOUNT, "{AccountSid}")
    content = twin.spec["paths"][template]["post"]["requestBody"]["content"]["application/x-www-form-urlencoded"]
    return set(content["schema"]["properties"])


@pytest.mark.parametrize("kind", list(kinds()))
def test_every_kind_of_request_is_one_that_the_description_allows(kind: str, twin: Callable[[str], Twin]) -> None:
    seen = Seen(*kinds()[kind])
    assert seen.outcome.outcome == "accepted"
    assert set(seen.sent.form) <= fields(twin(CORE), seen.path)
    assert refusals(twin(CORE), "POST", seen.path, seen.sent.form) == []


@pytest.fixture
def at_prism(prism: Callable[[str], str]) -> Iterator[Callable[..., Twilio]]:
    """A provider whose hosts are a Prism each."""

    def opened(**settings: Any) -> Twilio:
        base = {"api": prism(CORE), "messaging": prism(MESSAGING), "content": prism(CONTENT), "voice": prism(CORE)}
        return a_provider(prism(CORE), seconds=20, **{"base_url": base, **settings})

    yield opened
    close_all()


@pytest.mark.parametrize("kind", list(kinds()))
def test_prism_takes_every_kind_of_request(kind: str, at_prism: Callable[..., Twilio]) -> None:
    one, settings = kinds()[kind]
    provider = at_prism(**settings)
    outcome = provider.send([one], now=NOW)[0]
    answer = provider.wire.answer
    assert answer is not None
    assert outcome.outcome in ("accepted", "unknown"), answer.headers.get("sl-violations")  # its example has no sid of our shape
    assert answer.status == 201, answer.headers.get("sl-violations")


BAD: dict[str, tuple[str, dict[str, Any]]] = {
    "nobody": (MESSAGES, {"From": US, "Body": "x"}),
    "a callback that is no address": (MESSAGES, {"To": LEA, "From": US, "Body": "x", "StatusCallback": "not an address", "Attempt": "soon"}),
    "a validity that is no number": (MESSAGES, {"To": LEA, "From": US, "Body": "x", "ValidityPeriod": "soon"}),
    "a service that is none": (MESSAGES, {"To": LEA, "MessagingServiceSid": "MG1", "Body": "x"}),
    "a template that is none": (MESSAGES, {"To": LEA, "From": US, "ContentSid": "offre"}),
    "an unknown field": (MESSAGES, {"To": LEA, "From": US, "Body": "x", "StatusCalback": "https://x.example"}),
    "a call from nobody": (CALLS, {"To": LEA, "Twiml": "<Response/>"}),
    "a call with an unknown field": (CALLS, {"To": LEA, "From": US, "Twiml": "<Response/>", "MachineDetect": "Enable"}),
}  # fmt: skip


@pytest.mark.parametrize("name", list(BAD))
def test_each_documented_mistake_is_refused_by_a_judge(name: str, twin: Callable[[str], Twin]) -> None:
    path, form = BAD[name]
    assert refusals(twin(CORE), "POST", path, form) or set(form) - fields(twin(CORE), path), name


@pytest.mark.parametrize(
    "name", ["nobody", "a validity that is no number", "a service that is none", "a template that is none", "a call from nobody"]
)
def test_prism_refuses_the_mistakes_that_it_can_see(name: str, at_prism: Callable[..., Twilio]) -> None:
    path, form = BAD[name]
    provider = at_prism()
    provider.wire.request("POST", f"https://api.twilio.com{path}", data=dict(form), headers={"Content-Type": "application/x-www-form-urlencoded"},
                          auth=(ACCOUNT, "token"))  # fmt: skip
    assert provider.wire.answer is not None
    assert provider.wire.answer.status == 400


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(400, "rejected"), (401, "not_sent"), (404, "rejected"), (429, "not_sent"), (500, "unknown"), (503, "unknown")],
)
def test_each_documented_refusal_has_its_meaning(status: int, outcome: str, at_prism: Callable[..., Twilio]) -> None:
    from omnicli.providers.twilio import codes

    provider = at_prism()
    provider.wire.request("POST", f"https://api.twilio.com{MESSAGES}", data={"To": LEA, "From": US, "Body": "x"}, auth=(ACCOUNT, "token"),
                          headers={"Content-Type": "application/x-www-form-urlencoded", "Prefer": f"code={status}"})  # fmt: skip
    answer = provider.wire.answer
    assert answer is not None
    assert answer.status == status
    bare = codes.Answer(status, answer.headers, json.dumps({"message": "of the class alone"}))
    assert codes.classify(bare, now=NOW).outcome == outcome
    if status >= 500:
        assert codes.classify(answer, now=NOW).outcome == "unknown"


# --- asking ---------------------------------------------------------------------------------------------------------
def asked(twin: Callable[[str], Twin], *, service: bool) -> list[tuple[str, list[str]]]:
    """Everything that omni asks for besides handing over, with what the descriptions have against it."""
    found: list[tuple[str, list[str]]] = []
    with FakeTwilio() as fake:
        fake.services[SERVICE] = {"sid": SERVICE, "account_sid": ACCOUNT, "friendly_name": "Lune", "inbound_request_url": None}
        provider = a_provider(fake.url, **({"messaging_service": SERVICE} if service else {}))
        provider.expect({})
        provider.reconcile(
            [Doubtful(TOUCH, 1, "sms", NOW, LEA, US, parts={"body": "x"}), Doubtful(TOUCH, 1, "voice", NOW, LEA, US)], now=NOW
        )
        provider.templates.all(now=NOW)
        provider.check(online=True)
        requests = list(fake.requests)
        close_all()
    for request in requests:
        name = (
            CONTENT if request.path.startswith("/v1/Content") else MESSAGING if request.path.startswith("/v1/Services") else CORE
        )
        query = urlencode(request.query, doseq=True)
        found.append(
            (f"{request.path}?{query}", refusals(twin(name), request.method, f"{request.path}?{query}", None, request.headers))
        )
    return found


@pytest.mark.parametrize("service", [False, True])
def test_every_question_is_one_that_the_descriptions_know(service: bool, twin: Callable[[str], Twin]) -> None:
    wrong = {path: refused for path, refused in asked(twin, service=service) if refused}
    assert set(wrong) <= {f"/2010-04-01/Accounts/{ACCOUNT}.json?"}  # the account itself was cut out of the description
    assert any("Messages.json" in path for path, _ in asked(twin, service=service))


def test_prism_answers_every_question(at_prism: Callable[..., Twilio]) -> None:
    provider = at_prism(messaging_service=SERVICE)
    assert provider.client.messages.list(to=LEA, from_=US, date_sent=NOW, limit=1)
    assert provider.client.calls.list(to=LEA, start_time_after=NOW, limit=1)
    assert provider.client.messaging.v1.services(SERVICE).fetch().sid
    assert provider.client.messages("SM" + "0" * 32).fetch().sid
    assert provider.client.content.v1.content_and_approvals.page(page_size=1)
    assert provider.client.content.v1.contents("HX" + "0" * 32).fetch().sid
    assert provider.client.content.v1.contents("HX" + "0" * 32).approval_fetch().fetch().sid
    assert provider.client.incoming_phone_numbers.list(limit=1)


# --- the stand-in ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["a text message", "by a service", "whatsapp in words", "a call"])
def test_the_stand_in_answers_as_the_description_says(kind: str, twin: Callable[[str], Twin]) -> None:
    one, settings = kinds()[kind]
    with FakeTwilio() as fake:
        provider = a_provider(fake.url, **{**elsewhere(fake.url), **settings})
        provider.send([one], now=NOW)
        answer = provider.wire.answer
        close_all()
        path = fake.requests[-1].path
    assert answer is not None
    assert twin(CORE).wrong_answer("POST", path, answer.status, answer.headers, answer.text.encode()) == []

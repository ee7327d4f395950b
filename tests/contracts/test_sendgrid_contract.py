"""What omni sends to SendGrid, against SendGrid's own description: by Prism over HTTP, and by openapi-core in this process.

Each kind of request is good for both judges; each documented mistake is refused by them, so they are known to look.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from fake_sendgrid import FakeSendGrid
from official import Twin
from sendgrid_values import NOW, a_letter, a_provider, wishes

from omnicli.model.touch import Handed
from omnicli.providers.sendgrid.classify import Answer, classify
from omnicli.providers.sendgrid.provider import SendGrid
from omnicli.providers.sendgrid.request import build, mail_for_nobody
from omnicli.providers.sendgrid.sift import sift

FILE = "sendgrid_v3.strict.json"


def kinds() -> dict[str, tuple[list[Handed], dict[str, Any]]]:
    """Every shape of request that omni makes: (who, settings)."""
    news = [a_letter(n) for n in range(4)]
    order = replace(a_letter(1), purpose="transactional")
    return {
        "a batch": (news, {}),
        "one person": (news[:1], {}),
        "one subject for all": ([a_letter(n, subject=("The same",)) for n in range(3)], {}),
        "a group of unsubscribes": ([replace(one, topic="news") for one in news], {"asm_groups": {"news": 12345}}),
        "transactional past unsubscribes": ([order], {"bypass_unsubscribe": "yes"}),
        "tracking by the provider": (news, {"tracking": "provider"}),
        "sandbox mode": (news, {"sandbox": "yes"}),
        "a pool of addresses": (news, {"ip_pool": "marketing"}),
        "an answer elsewhere": ([replace(one, reply_to="Ann <ann@example.com>") for one in news], {}),
        "text alone": ([a_letter(n, parts=("text",)) for n in range(2)], {}),
        "a thousand": ([a_letter(n) for n in range(1000)], {"batch": 1000}),
    }  # fmt: skip


def message(handed: list[Handed], settings: dict[str, Any]) -> dict[str, Any]:
    asked = wishes(**settings)
    group, settled = sift(handed, asked)
    assert group is not None
    assert not settled
    mail: dict[str, Any] = json.loads(build(group, asked))
    return mail


@pytest.fixture
def judge(twin: Callable[[str], Twin]) -> Callable[[Any], list[str]]:
    """The body of a mail/send → what openapi-core has against it."""
    headers = {"Content-Type": "application/json", "Authorization": "Bearer SG.key"}
    return lambda mail: twin(FILE).refusals("POST", "/v3/mail/send", headers, json.dumps(mail).encode())


@pytest.fixture
def at_prism(prism: Callable[[str], str]) -> Iterator[SendGrid]:
    provider = a_provider(prism(FILE))
    yield provider
    provider.close()


@pytest.mark.parametrize("kind", list(kinds()))
def test_every_kind_of_request_is_one_that_the_description_allows(kind: str, judge: Callable[[Any], list[str]]) -> None:
    assert judge(message(*kinds()[kind])) == []


@pytest.mark.parametrize("kind", [kind for kind in kinds() if kind != "sandbox mode"])
def test_prism_takes_every_kind_of_request(kind: str, prism: Callable[[str], str]) -> None:
    handed, settings = kinds()[kind]
    provider = a_provider(prism(FILE), **settings)
    response = provider.api().post_mail(json.dumps(message(handed, settings)).encode())
    assert response.status_code == 202, response.headers.get("sl-violations")
    assert {outcome.outcome for outcome in provider.send(handed, now=NOW)} == {"accepted"}


def test_the_question_of_doctor_is_a_good_request(judge: Callable[[Any], list[str]], at_prism: SendGrid) -> None:
    mail = mail_for_nobody(("", "a@example.com"))
    assert judge(json.loads(mail)) == []
    assert at_prism.api().post_mail(mail).status_code == 202  # an example: the true one answers 200


def bad() -> dict[str, Callable[[dict[str, Any]], object]]:
    """Each mistake that the description knows, done to a good request."""
    return {
        "nobody": lambda m: m.update(personalizations=[]),
        "more than a thousand": lambda m: m.update(personalizations=m["personalizations"] * 501),
        "no recipient": lambda m: m["personalizations"][0].pop("to"),
        "an empty list of recipients": lambda m: m["personalizations"][0].update(to=[]),
        "no sender": lambda m: m.pop("from"),
        "a sender without address": lambda m: m["from"].pop("email"),
        "no content": lambda m: m.pop("content"),
        "an empty content": lambda m: m["content"][0].update(value=""),
        "a key that does not exist": lambda m: m.update(custom_arg={}),
        "a key that does not exist in a person": lambda m: m["personalizations"][0].update(substitution={}),
        "an argument that is no text": lambda m: m["personalizations"][0].update(custom_args={"omni": 1}),
        "a header that is no text": lambda m: m["personalizations"][0].update(headers={"X-A": 1}),
        "a substitution that is no text": lambda m: m["personalizations"][0].update(substitutions={"-a-": None}),
        "the same category twice": lambda m: m.update(categories=["a", "a"]),
        "eleven categories": lambda m: m.update(categories=[str(n) for n in range(11)]),
        "a category without end": lambda m: m.update(categories=["a" * 256]),
        "a group without number": lambda m: m.update(asm={"groups_to_display": [1]}),
        "a pool of one letter": lambda m: m.update(ip_pool_name="a"),
        "two kinds of answer address": lambda m: m.update(reply_to={"email": "a@example.com"}, reply_to_list=[{"email": "b@example.com"}]),
        "an instant that is a text": lambda m: m.update(send_at="tomorrow"),
    }  # fmt: skip


@pytest.mark.parametrize("mistake", list(bad()))
def test_both_judges_refuse_each_documented_mistake(mistake: str, judge: Callable[[Any], list[str]], at_prism: SendGrid) -> None:
    mail = copy.deepcopy(message(*kinds()["a batch"]))
    bad()[mistake](mail)
    assert judge(mail)
    response = at_prism.api().post_mail(json.dumps(mail).encode())
    assert response.status_code in (400, 422)
    outcomes = classify(Answer.of(response), 4, now=NOW)
    assert not {outcome.outcome for outcome in outcomes} & {"accepted", "unknown"}


@pytest.mark.parametrize(("status", "outcome"), [("401", "not_sent"), ("403", "not_sent"), ("404", "not_sent"), ("405", "not_sent"),
                                                 ("413", "not_sent"), ("429", "not_sent"), ("500", "unknown"), ("503", "unknown")])  # fmt: skip
def test_each_answer_that_the_description_declares_has_a_class(status: str, outcome: str, at_prism: SendGrid) -> None:
    at_prism.api().client.request_headers["Prefer"] = f"code={status}"
    handed = [a_letter(n) for n in range(3)]
    outcomes = at_prism.send(handed, now=NOW)
    assert {(o.outcome, o.http_status) for o in outcomes} == {(outcome, int(status))}


def test_questions_about_the_account_are_ones_that_the_description_knows(twin: Callable[[str], Twin], at_prism: SendGrid) -> None:
    with FakeSendGrid() as fake:
        provider = a_provider(fake.url, asm_groups={"news": 7})
        list(provider.lists())
        provider.check(online=True)
        asked = [request for request in fake.requests if request.path != "/v3/mail/send"]
    assert len(asked) >= 6
    for request in asked:
        query = "&".join(f"{name}={values[0]}" for name, values in request.query.items())
        assert twin(FILE).refusals(request.method, f"{request.path}?{query}", request.headers) == []
    assert all(receipt.response is not None for receipt in at_prism.lists())

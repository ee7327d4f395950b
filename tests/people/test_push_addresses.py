"""What a browser gives is one address, however it is spaced; what is none is refused by name."""

from __future__ import annotations

import json

import pytest

from omnicli.channels.addresses import normalise
from omnicli.channels.clean import Refused

SUBSCRIPTION = {
    "endpoint": "https://fcm.googleapis.com/fcm/send/abc:def",
    "expirationTime": None,
    "keys": {"p256dh": "B" * 87, "auth": "a" * 22},
}


def test_two_spellings_of_a_subscription_are_one_address() -> None:
    tight, wide = json.dumps(SUBSCRIPTION, separators=(",", ":")), json.dumps(SUBSCRIPTION, indent=2)
    assert normalise("push", tight) == normalise("push", wide)
    value, norm = normalise("push", wide)
    assert norm == SUBSCRIPTION["endpoint"]
    assert json.loads(value)["keys"] == SUBSCRIPTION["keys"]
    assert " " not in value


def test_a_token_of_another_kind_is_kept_as_it_is() -> None:
    assert normalise("push", "fcm-token_1:APA91b") == ("fcm-token_1:APA91b", "fcm-token_1:APA91b")


@pytest.mark.parametrize(
    "text",
    ["{}", "{", '{"endpoint": "https://x.example/1"}', '{"endpoint": "ftp://x.example", "keys": {"p256dh": "a", "auth": "b"}}',
     '{"endpoint": "https://x.example/a b", "keys": {"p256dh": "a", "auth": "b"}}', '{"endpoint": null, "keys": {"p256dh": "a", "auth": "b"}}',
     '{"endpoint": "https://x.example/1", "keys": ["a"]}', '{"endpoint": "https://x.example/' + "a" * 5000 + '", "keys": {"p256dh": "a", "auth": "b"}}'],
)  # fmt: skip
def test_what_is_no_subscription_is_refused_by_name(text: str) -> None:
    with pytest.raises(Refused) as refused:
        normalise("push", text)
    assert refused.value.problem.kind == "no_subscription"

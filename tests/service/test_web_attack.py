"""What befalls the service from outside: its file replaced under it, a name that is not this machine's, a form that is a bomb."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from web_stage import Shop, Signed, a_shop, serving

from omnicli.errors import OmniError
from omnicli.service.web import metrics


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return a_shop(tmp_path)


def taken_away(path: Path) -> None:
    for end in ("", "-wal", "-shm"):
        if (found := path.with_name(path.name + end)).exists():
            found.rename(f"{found}.gone")


@pytest.mark.sqlite_only(reason="the file of the store")
def test_nothing_is_acknowledged_once_the_file_is_another(shop: Shop) -> None:
    """Somebody puts a backup back and forgets the service: what it wrote then would be on no disk."""
    with serving(shop, Signed()) as (client, _site):
        body = b'[{"id": "a"}]'
        assert client.post("/webhooks/sendgrid", content=body, headers=dict(Signed().sign(body))).status_code == 200
        assert client.get("/health").status_code == 200
        taken_away(shop.store.path or Path())
        (shop.store.path or Path()).touch()
        body = b'[{"id": "b"}]'
        assert client.post("/webhooks/sendgrid", content=body, headers=dict(Signed().sign(body))).status_code == 503
        assert client.post(shop.path("unsubscribe")).status_code == 503
        assert client.get("/health").status_code == 503


@pytest.mark.sqlite_only(reason="the file of the store")
def test_nobody_writes_into_a_file_that_was_taken_away(shop: Shop) -> None:
    taken_away(shop.store.path or Path())
    assert not shop.store.there()
    with pytest.raises(OmniError) as refused, shop.store.write():
        pass
    assert refused.value.code == "replaced"


def test_metrics_are_not_told_to_whoever_calls_this_machine_by_another_name(shop: Shop) -> None:
    with serving(shop) as (client, _site):
        told = [client.get("/metrics", headers={"host": name}).status_code for name in ("localhost:8080", "127.0.0.1", "omni.maisonlune.example", "evil.example")]  # fmt: skip
    assert told == [200, 200, 404, 404]
    assert metrics.TOKEN not in os.environ


def test_whoever_leaves_is_heard_although_the_disk_is_nearly_full(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The floor keeps room for exactly this: no mail program asks a second time."""
    with serving(shop, Signed()) as (client, site):
        monkeypatch.setattr(site, "full", lambda: "the disk is nearly full")
        assert client.post(shop.path("unsubscribe"), data={"List-Unsubscribe": "One-Click"}).status_code == 200
        assert client.post(shop.path("preferences", "emma"), data={"do": "everything"}).status_code == 200
        assert client.post("/webhooks/sendgrid", content=b"[]x", headers=dict(Signed().sign(b"[]x"))).status_code == 503
    assert ("email", "topic:offres", "unsubscribed") in shop.bars()

"""The page about mail, push and calls says what is so: its settings are read, and its receiver knows our signature."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from omnicli.campaignfile import load_project
from omnicli.providers import build
from omnicli.providers.smtp import Smtp
from omnicli.providers.webhook import Webhooks, signature

PAGE = (Path(__file__).parent.parent.parent / "docs" / "mail-push-calls.md").read_text("utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.M | re.S)


def opened(folder: Path, block: str) -> dict[str, Any]:
    head = "project: maison\nlanguages: [fr]\ntime_zone: Europe/Paris\n"
    channels = "" if "channels:" in block else "channels: {task: {provider: task}}\n"
    (folder / "omni.yaml").write_text(head + channels + block)
    loaded = load_project(folder)
    assert loaded.project is not None, loaded.findings
    assert not [f for f in loaded.findings if f.severity == "error"], loaded.findings
    return dict(build(loaded, live=True))


def test_the_settings_of_the_page_open_each_provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vapid = pytest.importorskip("py_vapid")
    key = vapid.Vapid02()
    key.generate_keys()
    for name, value in {"SMTP_PASSWORD": "a", "VAPID_PRIVATE_KEY": key.private_pem().decode(), "CRM_SECRET": "b"}.items():
        monkeypatch.setenv(name, value)
    for name in ("OMNI_SMTP_HOST", "OMNI_SMTP_PORT"):
        monkeypatch.delenv(name, raising=False)
    mail, push, call = blocks("yaml")
    smtp = opened(tmp_path, mail)["email"]
    assert isinstance(smtp, Smtp)
    assert (smtp.batch, smtp.in_flight, smtp.bounce_domain) == (4, 4, "retours.maisonlune.example")
    assert smtp.bounces == tmp_path / "mail" / "bounces"
    assert "push.example" in opened(tmp_path, push)["push"].hosts
    hooks = opened(tmp_path, call)["webhook"]
    assert isinstance(hooks, Webhooks)
    assert hooks.idempotent("crm")


def test_the_receiver_of_the_page_knows_a_genuine_call() -> None:
    space: dict[str, Any] = {}
    exec(blocks("python")[0], space)
    header = signature("hunter2", b'{"a": 1}', at=1_800_000_000)
    assert space["genuine"](header, b'{"a": 1}', "hunter2")
    assert not space["genuine"](header, b'{"a": 2}', "hunter2")
    assert not space["genuine"](header, b'{"a": 1}', "hunter3")
    assert not space["genuine"]("", b"", "hunter2")

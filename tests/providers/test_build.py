"""Who carries which channel: what is unknown, impossible, unset or not built yet is said, with what to do."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from omnicli import providers
from omnicli.campaignfile import load_project
from omnicli.errors import Exit, OmniError
from omnicli.model.touch import Handed, Rendered
from omnicli.providers import webhook

NOW = datetime(2027, 1, 4, 9, 30, tzinfo=UTC)
OMNI = """
project: maison
languages: [fr]
time_zone: Europe/Paris
channels:
{channels}
{more}
"""


def loaded(folder: Path, *channels: str, more: str = "") -> Any:
    (folder / "omni.yaml").write_text(OMNI.format(channels="\n".join(f"  {c}" for c in channels), more=more))
    return load_project(folder)


def test_the_sandbox_carries_everything_whatever_the_file_says(tmp_path: Path) -> None:
    found = providers.build(loaded(tmp_path, "email: {provider: smtp}", "sms: {provider: twilio}"), live=False)
    assert {p.name for p in found.values()} == {"sandbox"}
    assert set(found) == {"email", "sms", "webhook"}


@pytest.mark.parametrize(
    ("channel", "code", "said"),
    [
        ("sms: {provider: smtp}", "S004", "smtp cannot carry sms"),
        ("sms: {provider: twilo}", "S004", "Did you mean 'twilio'"),
        ("sms: {provider: twilio}", "S003", "providers.twilio.account_sid is AC and 32 digits"),
        ("email: {provider: sendgrid}", "S008", "sendgrid has no API key"),
        ("email: {provider: smtp, from: a@example.org}", "S008", "smtp has no server"),
    ],
)
def test_a_live_run_says_what_is_in_its_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, channel: str, code: str, said: str
) -> None:
    monkeypatch.delenv("OMNI_SMTP_HOST", raising=False)
    with pytest.raises(OmniError) as refused:
        providers.build(loaded(tmp_path, channel), live=True)
    assert refused.value.code == code
    assert said in refused.value.message
    if code in ("provider", "S008"):
        assert refused.value.exit == Exit.REFUSED


def test_an_unset_credential_names_its_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MAIL_PASSWORD", raising=False)
    project = loaded(
        tmp_path,
        "email: {provider: smtp, from: a@example.org}",
        more='providers: {smtp: {host: h, user: u, password: "${MAIL_PASSWORD}"}, twilio: {auth_token: "${PHONE_TOKEN}"}}',
    )
    with pytest.raises(OmniError, match="MAIL_PASSWORD") as refused:
        providers.build(project, live=True)
    assert refused.value.exit == Exit.REFUSED
    assert refused.value.hint == "export MAIL_PASSWORD=… PHONE_TOKEN=… and try again"  # all of them at once
    monkeypatch.setenv("MAIL_PASSWORD", "hunter2")
    found = providers.build(project, live=True)
    assert "hunter2" not in repr(found["email"])


def test_the_live_environment_may_name_another_provider(tmp_path: Path) -> None:
    project = loaded(tmp_path, "letter: {provider: sandbox}", more="environments: {live: {channels: {letter: {provider: file}}}}")
    assert providers.build(project, live=True)["letter"].name == "file"


def test_a_relay_elsewhere_that_the_environment_names_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = loaded(tmp_path, "email: {provider: smtp}")
    monkeypatch.setenv("OMNI_SMTP_HOST", "127.0.0.1")
    assert providers.overrides(project, live=True) == ()
    monkeypatch.setenv("OMNI_SMTP_HOST", "mail.example.org")
    assert "mail.example.org" in providers.overrides(project, live=True)[0]
    assert providers.overrides(project, live=False) == ()


def test_letters_are_files_with_names_that_never_change(tmp_path: Path) -> None:
    carried = providers.build(loaded(tmp_path, "letter: {provider: file}"), live=True)["letter"]
    one = Handed(
        "7c" * 16, 1, "letter", "bienvenue", "j0", "offre", "C1", "Léa", rendered=Rendered("letter", {"html": "<p>Chère Léa</p>"})
    )
    for _ in range(2):
        (outcome,) = carried.send([one], now=NOW)
    path = tmp_path / "outbox/live" / str(outcome.ref)
    assert path.read_text() == "<p>Chère Léa</p>"
    assert [p.name for p in path.parent.iterdir()] == [path.name]


# --- outgoing webhooks ----------------------------------------------------------------------------------------------
class Receiver(BaseHTTPRequestHandler):
    status = 200
    seen: ClassVar[list[tuple[dict[str, str], bytes]]] = []

    def do_POST(self) -> None:
        Receiver.seen.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(Receiver.status)
        self.send_header("Content-Length", "0")
        if Receiver.status == 302:
            self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *_args: Any) -> None:
        """Silent."""


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, "accepted"),
        (204, "accepted"),
        (302, "not_sent"),
        (401, "not_sent"),
        (404, "rejected"),
        (429, "not_sent"),
        (408, "unknown"),
        (503, "unknown"),
    ],
)
def test_a_call_is_one_signed_post_and_its_answer_is_classified(status: int, outcome: str) -> None:
    import hashlib
    import hmac

    Receiver.status, Receiver.seen = status, []
    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        target = webhook.Target(f"http://127.0.0.1:{server.server_port}/hook", "secret", 2.0, False)
        one = Handed(
            "7c" * 16,
            2,
            "webhook",
            "bienvenue",
            "h",
            "crm",
            "C1",
            "",
            rendered=Rendered("webhook", {"body": '{"a":1}'}),
            extra={"webhook": "crm"},
        )
        (found,) = webhook.Webhooks({"crm": target}).send([one], now=NOW)
        server.shutdown()
        thread.join()
    assert found.outcome == outcome
    ((headers, body),) = Receiver.seen  # exactly one request, redirects not followed
    stamp, mark = (part.partition("=")[2] for part in headers["Omni-Signature"].split(","))
    assert mark == hmac.new(b"secret", f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    assert (headers["Idempotency-Key"], json.loads(body)) == (f"{'7c' * 16}.2", {"a": 1})


def test_a_receiver_that_is_not_there_was_not_called() -> None:
    target = webhook.Target("http://127.0.0.1:1/hook", None, 1.0, False)
    assert webhook.post(target, b"{}", key="k", now=NOW).outcome == "not_sent"

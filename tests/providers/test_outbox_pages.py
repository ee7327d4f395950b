"""The sandbox's outbox: one page a message, an index by hour and by person, the first thousand of a run, never a socket."""

from __future__ import annotations

import re
import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from omnicli import texts
from omnicli.model.touch import Handed, Rendered
from omnicli.providers import pages
from omnicli.providers.sandbox import Sandbox

NOW = datetime(2027, 1, 5, 9, 0, tzinfo=UTC)
HOUSE = pages.House(
    "Maison Lune", "Europe/Paris", senders=(("email", "Maison Lune <bonjour@maisonlune.example>"), ("sms", "LUNE"))
)
PARTS: dict[str, dict[str, str]] = {
    "email": {"subject": "20 % sur votre bougie", "html": "<html><body><div style='display:none'>Jusqu'à samedi.</div><p>Bonjour</p></body></html>", "text": "Bonjour"},
    "sms": {"body": "Maison Lune: -20 % https://go.example/c/abc STOP 36180"}, "whatsapp": {"body": "*Bonjour* _vous_"}, "messenger": {"body": "Bonjour"},
    "push": {"title": "Bonjour", "body": "20 %"}, "voice": {"script": "Bonjour,\n\nc'est Maison Lune."}, "letter": {"html": "<p>Chère Léa</p>"},
    "qr": {"card": "<p>Scannez</p>"}, "task": {"task": "# Appeler Léa\n\n- **Avant**: vendredi\n\n| Code | `B20` |"}, "webhook": {"body": '{"a": 1}'},
}  # fmt: skip


@pytest.fixture(autouse=True)
def _english() -> Any:
    texts.use("en")
    yield
    texts.use("en")


def a_message(number: int = 1, channel: str = "email", **changes: Any) -> Handed:
    handed = Handed(
        f"{number:032x}", 1, channel, "bienvenue", "j0", "offre", f"C{number:04d}", f"Léa Martin {number}", "fr", "lea@example.org",
        Rendered(channel, PARTS[channel], "s", ()), NOW,
    )  # fmt: skip
    return replace(handed, **changes)


def a_sandbox(folder: Path, **changes: Any) -> Sandbox:
    folder.mkdir(parents=True, exist_ok=True)
    return Sandbox(folder, HOUSE, **changes)


def messages(folder: Path) -> list[Path]:
    return sorted(folder.glob("bienvenue/**/*.html"))


class Closed(HTMLParser):
    """Every tag that is opened is closed, in order."""

    VOID = frozenset({"meta", "link", "input", "br", "path", "use"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def well_formed(text: str) -> bool:
    parser = Closed()
    parser.feed(text)
    return parser.open == []


def test_every_channel_has_a_page_that_shows_its_message(tmp_path: Path) -> None:
    sandbox = a_sandbox(tmp_path)
    handed = [a_message(n, channel) for n, channel in enumerate(PARTS)]
    outcomes = sandbox.send(handed, now=NOW)
    sandbox.close()
    for one, outcome in zip(handed, outcomes, strict=True):
        text = (tmp_path / str(outcome.ref)).read_text()
        assert well_formed(text), one.channel
        assert one.contact in text
    email = (tmp_path / str(outcomes[0].ref)).read_text()
    assert "20 % sur votre bougie" in email
    assert "srcdoc=" in email
    assert 'sandbox="allow-same-origin"' in email
    sms = (tmp_path / str(outcomes[1].ref)).read_text()
    assert "<u>https://go.example/c/abc</u>" in sms
    assert "1 part · GSM-7" in sms
    assert "<b>Bonjour</b> <i>vous</i>" in (tmp_path / str(outcomes[2].ref)).read_text()
    task = (tmp_path / str(outcomes[8].ref)).read_text()
    assert "<h2>Appeler Léa</h2><ul><li><b>Avant</b>: vendredi</li></ul>" in task


def test_the_index_lists_by_hour_and_by_person(tmp_path: Path) -> None:
    sandbox = a_sandbox(tmp_path)
    sandbox.send([a_message(1), a_message(2, "sms"), a_message(3, contact="C0001", contact_name="Léa Martin 1")], now=NOW)
    sandbox.close()
    text = (tmp_path / "index.html").read_text()
    assert well_formed(text)
    assert text.count('<section class="hour"><h3>10:00') == 1  # in the project's zone
    assert text.count('<details class="person">') == 2
    assert "Tuesday, 5 January 2027" in text or "Tuesday 5 January 2027" in text
    assert "<strong>3 messages</strong>" in text
    assert "Jusqu&#x27;à samedi." in text  # what an inbox shows behind the subject
    for link in set(re.findall(r'class="desk" target="reader" href="([^"]+)"', text)):
        assert (tmp_path / link).exists()


def test_only_the_first_of_a_run_are_written_and_the_index_says_so(tmp_path: Path) -> None:
    sandbox = a_sandbox(tmp_path, most=5)
    for start in range(0, 12, 3):
        outcomes = sandbox.send([a_message(n) for n in range(start, start + 3)], now=NOW)
        assert [o.outcome for o in outcomes] == ["accepted"] * 3
    assert sandbox.whole() == 0
    sandbox.close()
    assert len(messages(tmp_path)) == 5
    text = (tmp_path / "index.html").read_text()
    assert "<strong>12 messages</strong>" in text
    assert "The first 5 stand here" in text
    assert "omni touch show" in text
    assert sandbox.whole() == 5  # the next run begins anew


def test_doing_it_again_writes_the_same_file_and_lists_it_once(tmp_path: Path) -> None:
    for _ in range(2):
        sandbox = a_sandbox(tmp_path)
        sandbox.send([a_message(1)], now=NOW)
        sandbox.close()
    assert len(messages(tmp_path)) == 1
    assert (tmp_path / "index.html").read_text().count('class="person"') == 1


def test_runs_add_up_and_days_lead_to_their_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "INDEX_MOST", 4)
    for day in range(3):
        sandbox = a_sandbox(tmp_path)
        sandbox.send([a_message(10 * day + n) for n in range(3)], now=NOW + timedelta(days=day))
        sandbox.close()
    text = (tmp_path / "index.html").read_text()
    assert 'href="#d2027-01-07"' in text
    assert 'href="days/2027-01-05.html"' in text
    older = (tmp_path / "days/2027-01-05.html").read_text()
    assert well_formed(older)
    assert older.count('<details class="person">') == 3
    assert 'href="../bienvenue/j0/' in older


def test_a_ledger_torn_by_a_crash_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    sandbox = a_sandbox(tmp_path)
    sandbox.send([a_message(1)], now=NOW)
    with open(tmp_path / ".messages.jsonl", "a") as ledger:
        ledger.write('{"touch": "ab')
    sandbox.close()
    assert (tmp_path / "index.html").read_text().count('class="person"') == 1


def test_what_people_are_called_is_text_and_never_mark_up(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>\"'><img src=x onerror=y>"
    sandbox = a_sandbox(tmp_path)
    message = a_message(
        1,
        contact="../../etc/passwd",
        contact_name=evil,
        rendered=Rendered("email", {"subject": evil, "html": f"<p>{evil}</p>", "text": evil}, "s"),
    )
    (outcome,) = sandbox.send([message], now=NOW)
    sandbox.close()
    assert ".." not in str(outcome.ref)
    for path in [*messages(tmp_path), tmp_path / "index.html"]:
        text = path.read_text()
        assert well_formed(text)
        assert "<script>alert" not in text
        assert "<img" not in text
    assert list(tmp_path.parent.glob("etc*")) == []


def test_it_speaks_french(tmp_path: Path) -> None:
    texts.use("fr")
    sandbox = a_sandbox(tmp_path)
    sandbox.send([a_message(1)], now=NOW)
    sandbox.close()
    text = (tmp_path / "index.html").read_text()
    assert "Rien n’a été envoyé à personne." in text
    assert "Mardi 5 janvier 2027" in text
    assert "Par personne" in text


def test_it_never_opens_a_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_socket(*_args: object, **_kwargs: object) -> None:
        raise AssertionError("a socket")

    monkeypatch.setattr(socket, "socket", no_socket)
    sandbox = a_sandbox(tmp_path)
    sandbox.send([a_message(n, channel) for n, channel in enumerate(PARTS)], now=NOW)
    sandbox.close()

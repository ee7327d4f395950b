"""A filled frame reads as the same message built whole by the email package, whatever the values."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP, default

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnicli.providers import mime

NOW = datetime(2027, 1, 4, 9, 30, tzinfo=UTC)
TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp"), exclude_characters="\ufeff"), max_size=120)
BODY = st.text(st.characters(exclude_categories=("Cs", "Cc"), include_characters="\n."), max_size=300)


def read(raw: bytes) -> tuple[str, list[str]]:
    message = message_from_bytes(raw, policy=default)
    return message["Subject"], [part.get_content().replace("\r\n", "\n").rstrip("\n") for part in message.iter_parts()]


def whole(subject: str, text: str, html: str) -> bytes:
    message = EmailMessage(policy=SMTP)
    message["Subject"] = subject
    message.set_content(text)
    message.add_alternative(html, subtype="html")
    return message.as_bytes()


@settings(max_examples=60, deadline=None)
@given(TEXT, BODY, BODY, TEXT)
def test_a_filled_frame_reads_as_the_message_built_whole(name: str, before: str, after: str, value: str) -> None:
    if "=?" in name:
        name = name.replace("=?", "")
    pieces = {"subject": ("Pour ", 0), "text": (before, 0, after, 1), "html": (before, 1, "<b>", 0, "</b>", after)}
    values = (name, value)
    said = {part: "".join(values[p] if isinstance(p, int) else p for p in many) for part, many in pieces.items()}
    raw = mime.build_frame(pieces, sender="Maison Lune <a@example.org>", reply_to=None, seed="s").fill(
        mime.Person("b@example.org", "<1@x>", NOW, "1"), values
    )
    subject, parts = read(raw)
    assert parts == [said["text"].rstrip("\n"), said["html"].rstrip("\n")] == read(whole("x", said["text"], said["html"]))[1]
    assert subject.split() == said["subject"].split()
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    body = raw.partition(b"\r\n\r\n")[2]
    assert max(map(len, body.split(b"\r\n"))) <= 78


def test_the_self_test_passes_and_would_notice(monkeypatch: pytest.MonkeyPatch) -> None:
    mime.self_test()
    monkeypatch.setattr(mime, "quoted", lambda text: text.encode())
    with pytest.raises(RuntimeError):
        mime.self_test()


def test_one_part_stands_alone() -> None:
    frame = mime.build_frame(
        {"subject": ("Bonjour",), "text": ("À demain, ", 0)}, sender="a@example.org", reply_to="b@example.org", seed="s"
    )
    message = message_from_bytes(frame.fill(mime.Person("c@example.org", "<1@x>", NOW, "1"), ("Zoé",)), policy=default)
    assert (message.get_content_type(), message.get_content().strip(), message["Reply-To"]) == (
        "text/plain",
        "À demain, Zoé",
        "b@example.org",
    )


@pytest.mark.parametrize("sender", ["", "Maison Lune", "a@b@c", "Maison <a b@c>", "x\r\nBcc: y <a@b>"])
def test_a_sender_that_is_none_is_refused(sender: str) -> None:
    with pytest.raises(ValueError):
        mime.build_frame({"subject": ("x",), "text": ("y",)}, sender=sender, reply_to=None, seed="s")

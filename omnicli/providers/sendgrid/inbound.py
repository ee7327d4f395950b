"""E-mail that people write back, as SendGrid's Inbound Parse posts it: a form of parts, each in a charset of its own.

What comes out is one Receipt a mail: an answer with the words of the writer alone (quotes and signature taken off), an unsubscribe
by its signed address, or nothing to act on (auto-replies by RFC 3834, reports of mail servers), which is kept with its reason.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import datetime
from email.header import decode_header
from email.message import Message
from typing import Any

from omnicli.model.response import Heard, Incoming, Receipt, Response
from omnicli.model.signed import Marked, read_mark
from omnicli.providers.sendgrid import events
from omnicli.providers.strangers import address, decode, open_headers, open_mail, words_of

#: Characters of an answer that are kept, that are read at all, and of its recipients; parts a form may have.
LONGEST, READ, RECIPIENTS, PARTS = 20_000, 100_000, 10_000, 200
#: Bytes of a field that are decoded, and of a post that is kept unread.
FIELD, KEPT = 4 * READ, 100_000
_MARKED = re.compile(r"(?i)\b(unsubscribe|reply|bounce)\+([0-9a-f]{32}\.[0-9]{1,2}\.[0-9a-f]{14})@")
_UNSUBSCRIBE = re.compile(r"(?i)\bunsubscribe\+[^@\s]*@")
_WROTE = re.compile(
    r"(?im)^[ \t]*(?:"
    r"(?P<wrote>(?:On|Le|Am|El|Il) .{1,300}(?:\n.{0,200})?(?:wrote|a écrit|schrieb|escribió|ha scritto)[ \t\u00a0\u202f]*:[ \t]*$)"
    r"|-{2,}[ \t]*(?:Original Message|Message d'origine|Forwarded message|Message transféré)[ \t]*-{2,}.*$"
    r"|_{10,}[ \t]*$"
    r"|(?:From|De)[ \t\u00a0]*: .+\n(?:[ \t]*\n)?(?:.*\n)?(?:Sent|Date|Envoyé|To|À)[ \t\u00a0]*:.*$)"
)
_SIGNATURE = re.compile(r"(?m)^-- ?$")
_QUOTED = re.compile(r"(?m)^[ \t]*>.*$\n?")
_ANSWERED = re.compile(r"(?i)(?:re|ré|rép|tr|fw|fwd|aw|wg|sv)\s*(?:\[\d+\])?\s*:")
_BLANK = re.compile(r"\n{3,}")
#: The fields of a form that are read.
_READ = ("headers", "from", "text", "html", "dkim", "DKIM")
_SIGNED_BY = re.compile(r"@([a-z0-9-]+(?:\.[a-z0-9-]+)+)\s*:\s*pass")


def read(incoming: Incoming, *, keys: Mapping[int, bytes], now: datetime) -> Heard:
    """What a verified post says. Never raises for what may stand in it: what cannot be read is kept, for posting it again cannot mend it."""
    try:
        return _read(incoming, keys, now)
    except Exception as defect:  # the standard library's reader has been known to raise on odd mails
        note = f"not readable: {type(defect).__name__}"
        return Heard(200, [events.unreadable(incoming.body[:KEPT], note)], why=note)


def _read(incoming: Incoming, keys: Mapping[int, bytes], now: datetime) -> Heard:
    fields = form(incoming.headers.get("content-type", ""), incoming.body)
    if fields is None:
        return Heard(200, [events.unreadable(incoming.body[:KEPT], "not a form of parts")], why="not a form of parts")
    mail = Mail.of(fields)
    found = _receipt(mail, incoming.body, keys, now)
    return Heard(200, [found], why=found.note or "")


class Mail:
    """One mail, whether it came as fields or raw (`email`)."""

    def __init__(self, head: Message, text: str, sender: str, envelope: Mapping[str, Any], dkim: str = "") -> None:
        self.head, self.text, self.sender, self.dkim = head, text, sender, dkim
        written = (*_list(envelope.get("to")), head.get("To") or "", head.get("Delivered-To") or "")
        self.to = " ".join(map(str, written))[:RECIPIENTS]
        self.returns_to = str(envelope.get("from") or "")

    @classmethod
    def of(cls, fields: Mapping[str, bytes]) -> Mail:
        charsets = _object(fields.get("charsets", b""))
        said = {name: decode(fields[name][:FIELD], charsets.get(name)) for name in _READ if name in fields}
        envelope = _object(fields.get("envelope", b""))
        if "email" in fields:
            head: Message = open_mail(fields["email"])
            text = body_of(head)
        else:
            head = open_headers(said.get("headers", "").strip("\n") + "\n\n")
            text = said.get("text", "").strip() or words_of(said.get("html", "")[: 10 * LONGEST])
        sender = address(said.get("from", "")) or address(str(head.get("From") or "")) or str(envelope.get("from") or "")[:1000]
        return cls(head, text, sender, envelope, said.get("dkim", "") or said.get("DKIM", ""))

    @property
    def id(self) -> str | None:
        written = str(self.head.get("Message-ID") or "").strip()
        return written[:200] or None

    @property
    def proved(self) -> bool:
        """Whether the domain of From signed it (`{@example.com : pass}`, as SendGrid says): anybody can write any From."""
        domain = self.sender.rpartition("@")[2].lower()
        return any(domain == signer or domain.endswith(f".{signer}") for signer in _SIGNED_BY.findall(self.dkim[:2000].lower()))

    def automatic(self) -> str | None:
        """Why nobody wrote this, or None (RFC 3834, and what was common before it)."""
        head = self.head
        if str(head.get("Auto-Submitted") or "no").strip().lower().partition(";")[0].strip() != "no":
            return "auto-submitted"
        if str(head.get("Precedence") or "").strip().lower() in ("bulk", "junk", "auto_reply", "list"):
            return "bulk"
        if any(
            head.get(name) is not None
            for name in ("X-Autoreply", "X-Autorespond", "X-Auto-Response-Suppress", "X-Autorespond-Subject")
        ):
            return "auto-reply"
        if head.get_content_type() in ("multipart/report", "message/delivery-status"):
            return "a report"
        if (
            self.sender.lower().startswith(("mailer-daemon@", "postmaster@", "no-reply@", "noreply@"))
            or self.returns_to.strip() == "<>"
        ):
            return "a mail server's own"
        return None


def _receipt(mail: Mail, body: bytes, keys: Mapping[int, bytes], now: datetime) -> Receipt:
    marked, leaves = _whose(mail, keys)
    words = own_words(mail.text[:READ])[:LONGEST]
    raw = json.dumps({"from": mail.sender, "to": mail.to.strip(), "id": mail.id, "text": words}).encode()
    key = _key(mail, body)
    if marked is None and leaves:
        return Receipt(events.NAME, key, raw, event_id=mail.id, note="an unsubscribe address that omni did not sign")
    if leaves:
        return _said("unsubscribed", {}, mail, marked, key, raw, now)
    if (why := mail.automatic()) is not None:
        return Receipt(events.NAME, key, raw, event_id=mail.id, note=f"nobody wrote this: {why}")
    if not mail.sender and marked is None:
        return Receipt(events.NAME, key, raw, event_id=mail.id, note="a mail without a sender")
    return _said("replied", {"text": words or _subject(mail)}, mail, marked, key, raw, now)


def _said(
    name: str, payload: dict[str, Any], mail: Mail, marked: Marked | None, key: bytes, raw: bytes, now: datetime
) -> Receipt:
    if marked is None and not mail.proved:
        payload["unproved"] = True  # whoever wrote it may bar that address, and undo nothing
    whose = mail.sender if marked is None or mail.proved else None  # our mark says whom it is about; a From could name another
    response = Response(
        mail.id or key.hex(), "", name, now, events.NAME, events.CHANNEL, payload=payload, address=whose or None,
        touch=marked.touch if marked else None, attempt=marked.attempt if marked else None,
    )  # fmt: skip
    return Receipt(events.NAME, key, raw, response, mail.id)


def _whose(mail: Mail, keys: Mapping[int, bytes]) -> tuple[Marked | None, bool]:
    """The touch that an address of ours in To names, and whether it is the address that unsubscribes."""
    for kind, mark in _MARKED.findall(mail.to):
        if (marked := read_mark(keys, mark)) is not None:
            return marked, kind.lower() == "unsubscribe"
    return None, _UNSUBSCRIBE.search(mail.to) is not None


def _key(mail: Mail, body: bytes) -> bytes:
    said = mail.id.encode("utf-8", "replace") + b"\x1f" + mail.sender.encode("utf-8", "replace") if mail.id else body
    return hashlib.blake2b(said, digest_size=16, person=b"sendgrid mail").digest()


# --- the words ----------------------------------------------------------------------------------------------------------
def own_words(text: str) -> str:
    """The answer without what it answers: what stands before "… wrote:" (or behind it, between quoted lines, for those who answer
    below), without quoted lines and signature. A mail that only quotes says nothing."""
    whole = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")
    found = _WROTE.search(whole)
    if found is None:
        return _bare(whole)
    before, after = _bare(whole[: found.start()]), whole[found.end() :]
    if before or not found["wrote"]:
        return before
    return _bare(after) if _QUOTED.search(after) else "" if after.strip() else whole.strip()


def _bare(text: str) -> str:
    rest = _QUOTED.sub("", text)
    signature = _SIGNATURE.search(rest)
    return _BLANK.sub("\n\n", rest[: signature.start()] if signature else rest).strip()


def _subject(mail: Mail) -> str:
    """A subject that the writer chose; "Re: …" is ours."""
    try:
        pieces = decode_header(str(mail.head.get("Subject") or "")[:1000])
    except ValueError:
        return ""
    found = "".join(decode(piece, charset) if isinstance(piece, bytes) else piece for piece, charset in pieces)[:300].strip()
    return "" if _ANSWERED.match(found) else found


def body_of(message: Message) -> str:
    """The plain text of a raw mail, else the words of its HTML."""
    for kind in ("text/plain", "text/html"):
        for part in message.walk():
            if part.get_content_type() == kind and part.get_content_disposition() != "attachment":
                payload = part.get_payload(decode=True)
                text = decode(payload[:FIELD] if isinstance(payload, bytes) else b"", part.get_content_charset())
                if text.strip():
                    return text if kind == "text/plain" else words_of(text[: 10 * LONGEST])
    return ""


# --- the form -----------------------------------------------------------------------------------------------------------
def form(content_type: str, body: bytes) -> dict[str, bytes] | None:
    """Field → bytes of the form; files are left out, of a repeated field the first counts. None when it is no form."""
    from python_multipart.exceptions import FormParserError
    from python_multipart.multipart import MultipartParser, parse_options_header

    try:
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary", b"")
        if kind != b"multipart/form-data" or not boundary:
            return None
        parts = _Parts()
        parser = MultipartParser(boundary, parts.callbacks(), max_size=max(len(body), 1))  # type: ignore[arg-type]
        parser.write(body)
        parser.finalize()
    except (FormParserError, ValueError, LookupError):
        return None
    return parts.fields if parts.ended else None


class _Parts:
    """Gathers the fields of a form as its parser reads it."""

    def __init__(self) -> None:
        self.fields: dict[str, bytes] = {}
        self.ended = False
        self._name, self._value, self._disposition = b"", bytearray(), b""
        self._data = bytearray()
        self._count = 0

    def callbacks(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("on_part_begin", "on_part_data", "on_part_end", "on_header_field", "on_header_value",
                                                       "on_header_end", "on_end")}  # fmt: skip

    def on_part_begin(self) -> None:
        self._count += 1
        if self._count > PARTS:
            raise ValueError("too many parts")
        self._disposition, self._data = b"", bytearray()

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        if self._name.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._name, self._value = b"", bytearray()

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._data += data[start:end]

    def on_part_end(self) -> None:
        from python_multipart.multipart import parse_options_header

        _, options = parse_options_header(self._disposition)
        name = options.get(b"name", b"").decode("utf-8", "replace")
        if name and b"filename" not in options:
            self.fields.setdefault(name, bytes(self._data))

    def on_end(self) -> None:
        self.ended = True


def _object(value: bytes) -> dict[str, Any]:
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] if isinstance(value, str) else []

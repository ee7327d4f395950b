"""An e-mail as bytes on the wire: a MIME frame built once a skeleton, filled for each person, never split by a value.

Quoted-printable of a constant text is computed once; a value is encoded alone between soft line breaks, so no line is longer
than 76 and the filled frame reads back exactly as the same message built whole by the `email` package (docs/delivery S06,
S08; a self-test says so at start). Values that go into a header are refused when they could begin another one.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from binascii import b2a_qp
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage, Message
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from functools import lru_cache
from itertools import groupby

from omnicli import guards
from omnicli.texts import t

CRLF = b"\r\n"
_SOFT = b"=\r\n"
#: What may not stand in a header value: controls (tabs and line ends too), the odd line separators, encoded-words.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]|=\\?[^?]*\\?[^?]*\\?[^?]*\\?=")
_ADDRESS = re.compile(
    r"[^\s@<>()\[\]\\,;:\"\x00-\x20\x7f-\x9f\u2028\u2029]{1,64}@[^\s@<>()\[\]\\,;:\"\x00-\x20\x7f-\x9f\u2028\u2029]{1,255}"
)
_LINE_ENDS = re.compile("\r\n|\r|\n")
_LONG = re.compile(rb"[^\r\n]{77,}")
_ENCODED_LINE = 45  # bytes of UTF-8 in one encoded-word: 60 characters of base64, with its frame below 75


class HeaderRefused(ValueError):
    """A value that could split or disguise a header; `field` is the header's name."""

    def __init__(self, field: str) -> None:
        super().__init__(
            t(
                "{field}: a control character or an encoded-word in a header value",
                "{field} : un caractère de contrôle ou un mot encodé dans un en-tête",
                field=field,
            )
        )
        self.field = field


def guard_header(field: str, text: str) -> str:
    """The text, when it is safe as the value of a header; else HeaderRefused."""
    if _UNSAFE.search(text) and guards.on("header_values"):
        raise HeaderRefused(field)
    return text


def one_address(text: str) -> str | None:
    """The address when it is exactly one plain address, the domain in ASCII; else None (docs/delivery S07)."""
    if (len(text) > 254 or not _ADDRESS.fullmatch(text)) and guards.on("plain_address"):
        return None
    local, _, domain = text.rpartition("@")
    if not domain.isascii():
        try:
            domain = domain.encode("idna").decode("ascii")
        except UnicodeError:
            return None
    return f"{local}@{domain}"


def header_line(name: str, text: str) -> bytes:
    """One header, folded: ASCII as it is, anything else as encoded-words of UTF-8 that split between characters."""
    guard_header(name, text)
    if text.isascii():
        return _folded(f"{name}: {text}").encode("ascii") + CRLF
    phrase, angle, rest = text.partition(" <") if text.endswith(">") else (text, "", "")
    words = "\r\n ".join(_words(phrase, _ENCODED_LINE - len(name)))
    return f"{name}: {words}".encode("ascii") + (f"\r\n <{rest}".encode("ascii") if angle else b"") + CRLF


def _words(text: str, room: int) -> list[str]:
    """Encoded-words of at most 75 characters (the first one leaves room for the header's name), cut between characters."""
    data, words, at = text.encode("utf-8"), [], 0
    while len(data) - at > room:
        end = at + room
        while data[end] & 0xC0 == 0x80:
            end -= 1
        words.append(_word(data[at:end]))
        at, room = end, _ENCODED_LINE
    return [*words, _word(data[at:])]


def _word(part: bytes) -> str:
    return f"=?utf-8?b?{b64encode(part).decode('ascii')}?="


def _folded(line: str) -> str:
    """Broken before spaces so that lines keep to 78 where they can; unfolding gives the same text again."""
    if len(line) <= 78:
        return line
    lines: list[str] = []
    rest = line
    while len(rest) > 78:
        cut = rest.rfind(" ", 1, 78)
        if cut <= 0 or not rest[:cut].strip() or (not lines and cut <= rest.index(":") + 1):
            cut = rest.find(" ", 78)
        if cut <= 0 or not rest[cut:].strip():
            break
        lines.append(rest[:cut])
        rest = rest[cut:]
    return "\r\n".join((*lines, rest))


def quoted(text: str) -> bytes:
    """Quoted-printable, line ends CRLF; a piece of a line stands alone between soft breaks."""
    data = (
        _LINE_ENDS.sub("\r\n", text).encode("utf-8", "replace")
        if "\n" in text or "\r" in text
        else text.encode("utf-8", "replace")
    )
    encoded = b2a_qp(data, istext=True)
    if CRLF not in data:
        encoded = encoded.replace(b"=\n", _SOFT)  # it breaks lines as the text's first line ends
    if len(encoded) > 76:
        encoded = _LONG.sub(_shortened, encoded)
    return encoded


def _shortened(line: re.Match[bytes]) -> bytes:
    """CPython lets some lines run to 79: cut again, never inside `=C3`."""
    text = line[0]
    at = 73
    while b"=" in text[at - 2 : at]:
        at -= 1
    return text[:at] + _SOFT + text[at:]


@dataclass(frozen=True, slots=True)
class Person:
    """What differs from mail to mail: its envelope's headers. `list_headers` are ready pairs."""

    to: str = field(repr=False)
    message_id: str
    date: datetime
    touch: str
    list_headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Frame:
    """The constant bytes of one skeleton. `subject` and `bodies` are pieces: text (or bytes encoded already) and indexes of
    values."""

    fixed: bytes
    subject: tuple[str | int, ...] = field(repr=False)
    subject_line: bytes | None
    bodies: tuple[bytes | int, ...] = field(repr=False)

    def fill(self, person: Person, values: Sequence[str]) -> bytes:
        """The whole message, CRLF only, not yet dot-stuffed; HeaderRefused names the header that a value would break."""
        lines: list[bytes] = [
            b"Date: ",
            _date(person.date),
            b"\r\nMessage-ID: ",
            person.message_id.encode("ascii"),
            b"\r\n",
        ]
        lines.append(_to(person.to))
        lines.append(
            self.subject_line or header_line("Subject", "".join(values[p] if isinstance(p, int) else p for p in self.subject))
        )
        for name, text in person.list_headers:
            lines.append(header_line(name, text))
        lines += (b"X-Omni-Id: ", person.touch.encode("ascii"), CRLF, self.fixed)
        for piece in self.bodies:
            lines.append(piece if isinstance(piece, bytes) else _SOFT + quoted(values[piece]) + _SOFT)
        return b"".join(lines)


@lru_cache(maxsize=64)
def _date(at: datetime) -> bytes:
    return format_datetime(at).encode("ascii")


def _to(address: str) -> bytes:
    guard_header("To", address)
    if address.isascii():
        return b"To: " + address.encode("ascii") + CRLF
    return b"To: " + address.encode("utf-8") + CRLF  # only where SMTPUTF8 was offered


def build_frame(parts: Mapping[str, Sequence[str | int]], *, sender: str, reply_to: str | None, seed: str) -> Frame:
    """The frame of a message: text first, then HTML, as multipart/alternative (one part alone stands by itself).

    `parts` are the pieces of `subject`, `text` and `html`; `seed` names the boundary, which occurs in no constant piece.
    """
    head = EmailMessage(policy=SMTP)
    head["From"] = _mailbox("From", sender)
    if reply_to:
        head["Reply-To"] = _mailbox("Reply-To", reply_to)
    subject = tuple(parts.get("subject", ()))
    constant = all(isinstance(piece, str) for piece in subject)
    present = [(kind, tuple(parts[name])) for name, kind in (("text", "plain"), ("html", "html")) if name in parts]
    fixed = head.as_bytes().removesuffix(CRLF) + b"MIME-Version: 1.0\r\n"
    bodies: list[bytes | int] = []
    if len(present) == 1:
        fixed += _part_head(present[0][0])
        _body(bodies, present[0][1])
    else:
        boundary = _boundary(seed, present)
        fixed += f'Content-Type: multipart/alternative; boundary="{boundary}"\r\n\r\n'.encode()
        for kind, pieces in present:
            bodies.append(f"--{boundary}\r\n".encode() + _part_head(kind))
            _body(bodies, pieces)
            bodies.append(CRLF)
        bodies.append(f"--{boundary}--\r\n".encode())
    subject_line = header_line("Subject", "".join(str(piece) for piece in subject)) if constant else None
    return Frame(fixed, subject, subject_line, _merged(bodies))


def _part_head(kind: str) -> bytes:
    return f'Content-Type: text/{kind}; charset="utf-8"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n'.encode()


def _body(bodies: list[bytes | int], pieces: Sequence[str | int]) -> None:
    for constant, group in groupby(pieces, key=lambda piece: isinstance(piece, str)):
        here = list(group)
        bodies += [quoted("".join(map(str, here)))] if constant else [piece for piece in here if isinstance(piece, int)]
    if not pieces or not (isinstance(pieces[-1], str) and pieces[-1].endswith("\n")):
        bodies.append(CRLF)


def _merged(bodies: Sequence[bytes | int]) -> tuple[bytes | int, ...]:
    """Neighbouring constants as one."""
    found: list[bytes | int] = []
    for piece in bodies:
        if found and isinstance(piece, bytes) and isinstance(found[-1], bytes):
            found[-1] += piece
        else:
            found.append(piece)
    return tuple(found)


def _boundary(seed: str, present: Sequence[tuple[str, Sequence[str | int]]]) -> str:
    """Derived from the skeleton, and derived anew until no constant contains it; no encoded value can (`=_` never arises
    in quoted-printable)."""
    for n in range(100):
        found = f"=_omni_{hashlib.sha256(f'{seed}{n}'.encode()).hexdigest()[:24]}"
        if not any(found in piece for _, pieces in present for piece in pieces if isinstance(piece, str)):
            return found
    raise AssertionError("no boundary")


def _mailbox(field: str, written: str) -> Address:
    """`Maison Lune <bonjour@…>` as the address of a header; ValueError when it is none."""
    guard_header(field, written)
    name, address = parseaddr(written)
    plain = one_address(address)
    if plain is None:
        raise ValueError(
            t(
                "{field}: '{written}' is not an address",
                "{field} : « {written} » n'est pas une adresse",
                field=field,
                written=written,
            )
        )
    return Address(display_name=name, addr_spec=plain)


@lru_cache(maxsize=256)
def domain_of(written: str) -> str:
    """The domain of a From such as `Maison Lune <bonjour@maisonlune.example>`."""
    return parseaddr(written)[1].rpartition("@")[2]


def stuffed(message: bytes) -> bytes:
    """Dot-stuffed for the wire, ending in CRLF (RFC 5321 4.5.2)."""
    data = message.replace(b"\r\n.", b"\r\n..")
    if data.startswith(b"."):
        data = b"." + data
    return data if data.endswith(CRLF) else data + CRLF


def _texts(message: Message) -> list[str]:
    return [part.get_content().replace("\r\n", "\n").rstrip("\n") for part in message.iter_parts()]  # type: ignore[attr-defined]


def self_test() -> None:
    """Refuses to send when a filled frame does not read as the same message built whole (docs/delivery 19, start-up)."""
    from datetime import UTC
    from email import message_from_bytes
    from email.policy import default

    values = ("Zoé «é» & Cº, très longue " + "x" * 90, ".", "https://example.org/?a=1&b=2")
    parts: dict[str, tuple[str | int, ...]] = {
        "subject": (0, ", deux mots pour vous"), "text": ("Bonjour ", 0, ",\n", 1, "\n.\nfin = 100 % ", 2),
        "html": ("<p>Bonjour ", 0, "</p>\n.\n<a href='", 2, "'>", 1, "</a>"),
    }  # fmt: skip
    frame = build_frame(parts, sender="Maison Lune à Lyon <bonjour@example.org>", reply_to=None, seed="self-test")
    when = datetime(2027, 1, 4, 10, 30, tzinfo=UTC)
    raw = frame.fill(
        Person("zoe@example.org", "<1.1@example.org>", when, "1", (("List-Id", "Nouveautés <news.example.org>"),)), values
    )
    read = message_from_bytes(raw, policy=default)
    whole = EmailMessage(policy=SMTP)
    said = {name: "".join(values[p] if isinstance(p, int) else p for p in pieces) for name, pieces in parts.items()}
    whole["Subject"] = said["subject"]
    whole.set_content(said["text"])
    whole.add_alternative(said["html"], subtype="html")
    again = message_from_bytes(whole.as_bytes(), policy=default)
    same = read["Subject"] == again["Subject"] == said["subject"] and _texts(read) == _texts(again)
    if not same or any(len(line) > 998 for line in raw.split(CRLF)) or b"\n" in raw.replace(CRLF, b""):
        raise RuntimeError("the filled MIME frame differs from the message built whole")
    try:
        frame.fill(Person("zoe@example.org", "<1.1@example.org>", when, "1"), ("a\r\nBcc: x@example.org", "", ""))
    except HeaderRefused:
        return
    raise RuntimeError("a header value with a line end was let through")

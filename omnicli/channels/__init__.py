"""One frozen value a medium: what it carries, how it prints facts, and what its readers and carriers allow, with sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

PartKind = Literal["html", "text", "line"]


@dataclass(frozen=True, slots=True)
class Part:
    """One text of a message. `ext` names its template (`email` + `html` → `email.html.j2`); `block` a block of the
    channel's main template; `slot` a slot of `say` that is the part by itself. A `line` is one line, safe in a header."""

    name: str
    kind: PartKind
    ext: str | None = None
    block: str | None = None
    slot: str | None = None
    required: bool = True


@dataclass(frozen=True, slots=True)
class Budget:
    """How much of a part is carried or shown: `limit` in characters (or `unit`), and who says so."""

    part: str
    limit: int
    unit: Literal["characters", "parts", "bytes", "seconds", "lines", "micrometres"]
    source: str


@dataclass(frozen=True, slots=True)
class Medium:
    """A channel as omni knows it. `forms` are the forms of facts that differ from the first of their type; `plain_spaces`:
    every kind of space becomes U+0020; `tracked`: links carry a token; `utm` the medium's word in addresses."""

    name: str
    parts: tuple[Part, ...]
    has_address: bool
    consent: str | None
    utm: str
    forms: Mapping[str, str] = field(default_factory=dict)
    budgets: tuple[Budget, ...] = ()
    plain_spaces: bool = False
    tracked: bool = True
    spoken: bool = False


_NARROW = MappingProxyType({"date": "short", "money": "short"})
_SHORT_DATE = MappingProxyType({"date": "short"})
_MEDIUM_DATE = MappingProxyType({"date": "medium"})
_BODY = (Part("body", "text", ext="txt"),)

MEDIA: Mapping[str, Medium] = MappingProxyType({
    medium.name: medium
    for medium in (
        Medium(
            "email", (Part("subject", "line", slot="subject"), Part("html", "html", ext="html"), Part("text", "text", ext="txt", required=False)),
            has_address=True, consent="email", utm="email",
            budgets=(
                Budget("subject", 60, "characters", "own: about 40 are shown on phones (rules CT-04)"),
                Budget("preheader", 90, "characters", "own: 40 to 90 are shown beside the subject (rules CT-04)"),
                Budget("html", 102_000, "bytes", "Gmail cuts near 102 kB, not documented by Google (rules CT-07)"),
            ),
        ),
        Medium(
            "sms", _BODY, has_address=True, consent="sms", utm="sms", forms=_NARROW, plain_spaces=True,
            budgets=(Budget("body", 2, "parts", "GSM 03.38 and 3GPP TS 23.040: 160/153 GSM-7, 70/67 UCS-2 a part; own limit (rules SM-01)"),),
        ),
        Medium(
            "whatsapp", _BODY, has_address=True, consent="whatsapp", utm="whatsapp", forms=_MEDIUM_DATE,
            budgets=(Budget("body", 1024, "characters", "WhatsApp Business Platform, message templates (rules WA-04)"),),
        ),
        Medium("messenger", _BODY, has_address=True, consent="messenger", utm="messenger", forms=_MEDIUM_DATE,
               budgets=(Budget("body", 2000, "characters", "Messenger Platform, Send API text"),)),
        Medium(
            "push", (Part("title", "line", block="title", required=False), Part("body", "text", ext="txt", block="body")),
            has_address=True, consent="push", utm="push", forms=_NARROW,
            budgets=(
                Budget("title", 50, "characters", "own: what lock screens show"),
                Budget("body", 120, "characters", "own: what lock screens show"),
                Budget("payload", 4096, "bytes", "FCM and APNs (rules PS-01)"),
            ),
        ),
        Medium("voice", (Part("script", "text", ext="txt"),), has_address=True, consent="voice", utm="voice", tracked=False, spoken=True,
               budgets=(Budget("script", 60, "seconds", "own: at 150 words a minute"),)),
        Medium("letter", (Part("html", "html", ext="html"),), has_address=True, consent="letter", utm="print",
               budgets=(Budget("address", 6, "lines", "NF Z10-011: 6 lines of 38 characters (rules LE-01)"),
                        Budget("address_line", 38, "characters", "NF Z10-011: 6 lines of 38 characters (rules LE-01)"))),
        Medium("qr", (Part("card", "html", ext="html"),), has_address=False, consent=None, utm="qr", forms=_SHORT_DATE,
               budgets=(Budget("link", 62, "bytes", "ISO/IEC 18004 version 4-M: modules stay ≥ 0.4 mm at 2 cm (rules QR-01)"),
                        Budget("module", 400, "micrometres", "ISO/IEC 18004 and usual printing: 0.4 mm a module (rules QR-01)"))),
        Medium("task", (Part("task", "text", ext="md"),), has_address=False, consent=None, utm="instore", forms=_MEDIUM_DATE, tracked=False),
    )
})  # fmt: skip


def medium(channel: str) -> Medium | None:
    """The built-in medium of that name, or None (`webhook` carries no message; a plug-in's medium comes from its plug-in)."""
    return MEDIA.get(channel)

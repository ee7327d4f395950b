"""Who of those handed over may stand in one request, who must wait for the next, and who cannot be sent at all.

What the official description does not check is checked here, before anything is written: one plain address each, no address
twice, header values that cannot begin another header, values within the provider's limits (docs/providers 2.1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.header import Header
from email.utils import parseaddr

from omnicli.model.touch import Handed, Outcome
from omnicli.providers import mime
from omnicli.providers.sendgrid.wishes import MOST, Wishes
from omnicli.texts import t

#: Bytes of substitutions (names and values) and of arguments in one personalization.
SUBSTITUTIONS, ARGUMENTS = 10_000, 10_000
_TAG = 20  # bytes of the longest tag, rounded up
FORBIDDEN = frozenset({"x-sg-id", "x-sg-eid", "received", "dkim-signature", "content-type", "content-transfer-encoding", "to", "from",
                       "subject", "reply-to", "cc", "bcc"})  # fmt: skip
_PARTS = ("text", "html")


@dataclass(frozen=True, slots=True)
class Fit:
    """One person of a request. `sender` and `reply_to` are (name, address)."""

    one: Handed
    address: str = field(repr=False)
    subject: str = field(repr=False)
    mark: str
    sender: tuple[str, str]
    reply_to: tuple[str, str] | None
    headers: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sifted:
    """`going` leave now, in one request; `settled` maps the place of each other one to what became of it."""

    going: Mapping[int, Fit]
    settled: Mapping[int, Outcome]


def alone(one: Handed) -> bool:
    """Whether this message must be a request of its own: without pieces, not marketing, or with values beyond the limit."""
    if one.pieces is None or one.purpose != "marketing":
        return True
    if 8 * sum(map(len, one.fills)) + 2 * _TAG * len(one.fills) <= SUBSTITUTIONS:  # at most 4 bytes each, in two parts
        return False
    weight = 0
    for part in _PARTS:
        for n in {piece for piece in one.pieces.get(part, ()) if isinstance(piece, int)}:
            weight += len(one.fills[n].encode("utf-8", "replace")) + _TAG
    return weight > SUBSTITUTIONS


def sift(handed: Sequence[Handed], wishes: Wishes) -> Sifted:
    """Whoever fits with the first that can be sent goes with it; the others are `not_sent`, free: nothing was wrong with them."""
    going: dict[int, Fit] = {}
    settled: dict[int, Outcome] = {}
    together: tuple[object, ...] | None = None
    taken: set[str] = set()
    senders: dict[tuple[str | None, str | None], _Senders | Outcome] = {}
    for n, one in enumerate(handed):
        shape = (one.rendered.skeleton if one.rendered else "", one.sender, one.reply_to, one.purpose, one.topic, one.campaign)
        if together is not None and (shape != together or len(going) >= MOST or alone(one)):
            settled[n] = _later()
            continue
        whose = senders.get((one.sender, one.reply_to))
        if whose is None:
            whose = senders[one.sender, one.reply_to] = _senders(one)
        fit = whose if isinstance(whose, Outcome) else _fit(one, whose, wishes)
        if isinstance(fit, Outcome):
            settled[n] = fit
        elif (folded := fit.address.casefold()) in taken:
            settled[n] = _later()
        else:
            going[n] = fit
            taken.add(folded)
            together = (object(),) if alone(one) else shape
    return Sifted(going, settled)


def _later() -> Outcome:
    return Outcome("not_sent", code="alone", free=True, detail=t("goes in another request", "part dans une autre requête"))


@dataclass(frozen=True, slots=True)
class _Senders:
    sender: tuple[str, str]
    reply_to: tuple[str, str] | None


def _senders(one: Handed) -> _Senders | Outcome:
    """From and Reply-To as (name, address), or that the channel has none that can be used."""
    try:
        return _Senders(mailbox("From", one.sender or ""), mailbox("Reply-To", one.reply_to) if one.reply_to else None)
    except ValueError as error:
        return Outcome("not_sent", code="sender", detail=str(error), halt=True, halts="channel")


def mailbox(header: str, written: str) -> tuple[str, str]:
    """`Maison Lune <bonjour@…>` as (name, address); ValueError when it is none, or not one that SendGrid takes (ASCII)."""
    mime.guard_header(header, written)
    name, address = parseaddr(written)
    plain = mime.one_address(address)
    if plain is None or not plain.isascii():
        raise ValueError(t("{field}: '{written}' is not an address", "{field} : « {written} » n'est pas une adresse",
                           field=header, written=written))  # fmt: skip
    return name, plain


def _fit(one: Handed, whose: _Senders, wishes: Wishes) -> Fit | Outcome:
    address = mime.one_address(one.address or "")
    if address is None or not address.isascii():
        return _rejected("address", t("not one plain address in ASCII", "pas une simple adresse en ASCII"), bad_address=True)
    subject = _subject(one)
    mark = one.mark or f"{one.touch}.{one.attempt}"
    try:
        mime.guard_header("Subject", subject)
        headers = _headers(one, mark, whose, wishes)
    except mime.HeaderRefused as refused:
        return _rejected("header", str(refused))
    if not subject.strip():
        return _rejected("subject", t("a subject without words", "un objet sans mots"))
    if not _has_words(one):
        return _rejected("content", t("a message without words", "un message sans mots"))
    if len(mark.encode("utf-8", "replace")) + 4 > ARGUMENTS:
        return _rejected("custom_args", t("an id that is too long", "un identifiant trop long"))
    return Fit(one, address, subject, mark, whose.sender, whose.reply_to, headers)


def _rejected(code: str, detail: str, *, bad_address: bool = False) -> Outcome:
    return Outcome("rejected", code=code, detail=detail, bad_address=bad_address)


def _subject(one: Handed) -> str:
    if one.pieces is not None:
        fills = one.fills
        return "".join([fills[piece] if isinstance(piece, int) else piece for piece in one.pieces.get("subject", ())])
    return one.rendered.parts.get("subject", "") if one.rendered else ""


def _has_words(one: Handed) -> bool:
    if one.pieces is not None:
        return any(isinstance(piece, str) or one.fills[piece] for part in _PARTS for piece in one.pieces.get(part, ()))
    return one.rendered is not None and any(one.rendered.parts.get(part) for part in _PARTS)


def _headers(one: Handed, mark: str, whose: _Senders, wishes: Wishes) -> dict[str, str]:
    """RFC 2369 and 8058, both from this touch's token (rules.md EM-01); and what the touch brought itself."""
    found: dict[str, str] = {}
    if one.purpose == "marketing":
        mailto = f"<mailto:unsubscribe+{mark}@{wishes.mailto or whose.sender[1].rpartition('@')[2]}>"
        https = one.extra.get("unsubscribe", "")
        if https.startswith("https://"):
            found["List-Unsubscribe"] = f"<{https}>, {mailto}"
            found["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        else:
            found["List-Unsubscribe"] = mailto
        if one.extra.get("list_id"):
            found["List-Id"] = _ascii(mime.guard_header("List-Id", one.extra["list_id"]))
        mime.guard_header("List-Unsubscribe", found["List-Unsubscribe"])
    for name, text in one.headers.items():
        if name.lower() in FORBIDDEN or not name.isascii():
            raise mime.HeaderRefused(name)
        found[name] = _ascii(mime.guard_header(name, text))
    return found


def _ascii(text: str) -> str:
    """A header value as mail programs read it: the phrase before an address encoded (RFC 2047) where it is not ASCII."""
    if text.isascii():
        return text
    phrase, angle, rest = text.partition(" <") if text.endswith(">") else (text, "", "")
    return Header(phrase, "utf-8", maxlinelen=10_000).encode() + (f" <{rest}" if angle else "")

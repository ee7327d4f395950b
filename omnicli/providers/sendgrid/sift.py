"""Who of those handed over may stand in one request, who must wait for the next, and who cannot be sent at all.

What the official description does not check is checked here, before anything is written: one plain address each, no address
twice, header values that cannot begin another header, ids within their limit (docs/providers 2.1). Looked at column by column, so
that a batch without surprises costs a few microseconds a person; whoever surprises is looked at alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.header import Header
from email.utils import parseaddr
from itertools import repeat

from omnicli.model.touch import Handed, Outcome
from omnicli.providers import mime
from omnicli.providers.sendgrid.wishes import MOST, Wishes
from omnicli.texts import t

#: Bytes of substitutions (names and values) in one personalization; characters of our id (docs/providers 2.1).
SUBSTITUTIONS, LONGEST_ID = 10_000, 60
_TAG = 24  # bytes of the longest tag, rounded up
FORBIDDEN = frozenset({"x-sg-id", "x-sg-eid", "received", "dkim-signature", "content-type", "content-transfer-encoding", "to", "from",
                       "subject", "reply-to", "cc", "bcc"})  # fmt: skip
PARTS = ("text", "html")
#: Addresses that nobody doubts, one a line; any other is looked at by `mime.one_address`.
_USUAL = re.compile(r"(?:[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,60}(?:\.[A-Za-z0-9-]{1,60}){1,3}\n)*")


@dataclass(frozen=True, slots=True)
class Group:
    """Those who leave in one request; the lists run side by side. `places` say where each stood among those handed over;
    `sender` and `reply_to` are (name, address); `headers` are what all share."""

    ones: Sequence[Handed]
    places: Sequence[int]
    addresses: Sequence[str] = field(repr=False)
    subjects: Sequence[str] = field(repr=False)
    marks: Sequence[str]
    unsubscribes: Sequence[str] = field(repr=False)
    sender: tuple[str, str]
    reply_to: tuple[str, str] | None
    headers: Mapping[str, str] = field(repr=False)

    def without(self, gone: set[int]) -> Group:
        """The group without those at these places of its lists."""
        kept = [n for n in range(len(self.ones)) if n not in gone]
        ones, places = [self.ones[n] for n in kept], [self.places[n] for n in kept]
        texts = [[column[n] for n in kept] for column in (self.addresses, self.subjects, self.marks, self.unsubscribes)]
        return Group(ones, places, *texts, self.sender, self.reply_to, self.headers)  # type: ignore[call-arg,arg-type]


def alone(one: Handed) -> bool:
    """Whether this message must be a request of its own: without pieces, not marketing, or with values beyond the limit."""
    if one.pieces is None or one.purpose != "marketing":
        return True
    if 8 * sum(map(len, one.fills)) + 2 * _TAG * len(one.fills) <= SUBSTITUTIONS:  # at most 4 bytes each, in two parts
        return False
    weight = 0
    for part in PARTS:
        for n in {piece for piece in one.pieces.get(part, ()) if isinstance(piece, int)}:
            weight += len(one.fills[n].encode("utf-8", "replace")) + _TAG
    return weight > SUBSTITUTIONS


def sift(handed: Sequence[Handed], wishes: Wishes) -> tuple[Group | None, dict[int, Outcome]]:
    """The group that leaves now, and what became of each other one, by place. Whoever fits with the first that can be sent goes with
    it; the others are `not_sent`, free: nothing was wrong with them."""
    settled: dict[int, Outcome] = {}
    left = list(range(len(handed)))
    while left:
        places = _alike(handed, left)
        group = _group(handed, places, wishes, settled)
        if group is not None:
            for n in set(left).difference(group.places, settled):
                settled[n] = later()
            return group, settled
        left = [n for n in left if n not in settled]
    return None, settled


def later() -> Outcome:
    """For whom this request had no place."""
    return Outcome("not_sent", code="alone", free=True, detail=t("goes in another request", "part dans une autre requête"))


def _rejected(code: str, detail: str, *, bad_address: bool = False) -> Outcome:
    return Outcome("rejected", code=code, detail=detail, bad_address=bad_address)


def _alike(handed: Sequence[Handed], left: Sequence[int]) -> list[int]:
    """The first of those left, and who shares with it whatever a request has once."""
    first = handed[left[0]]
    if first.pieces is None or first.purpose != "marketing":
        return [left[0]]
    pieces, sender, reply_to, topic, campaign = first.pieces, first.sender, first.reply_to, first.topic, first.campaign
    listed, headers = first.extra.get("list_id"), first.headers
    return [
        n for n in left
        if ((one := handed[n]).pieces is pieces or one.pieces == pieces) and one.sender == sender and one.reply_to == reply_to
        and one.purpose == "marketing" and one.topic == topic and one.campaign == campaign and one.extra.get("list_id") == listed
        and one.headers == headers
    ][:MOST]  # fmt: skip


def _group(handed: Sequence[Handed], places: Sequence[int], wishes: Wishes, settled: dict[int, Outcome]) -> Group | None:
    """The group of those at these places; who cannot be in it is settled. None when nobody can."""
    ones = [handed[n] for n in places]
    first = ones[0]
    try:
        sender = mailbox("From", first.sender or "")
        reply_to = mailbox("Reply-To", first.reply_to) if first.reply_to else None
    except ValueError as error:
        settled.update(dict.fromkeys(places, Outcome("not_sent", code="sender", detail=str(error), halt=True, halts="channel")))
        return None
    try:
        headers = _headers(first)
    except mime.HeaderRefused as refused:
        settled.update(dict.fromkeys(places, _rejected("header", str(refused))))
        return None
    marks = [one.mark or f"{one.touch}.{one.attempt}" for one in ones]
    domain = wishes.mailto or sender[1].rpartition("@")[2]
    group = Group(
        ones, places, _addresses(ones), _subjects(ones), marks, _unsubscribes(ones, marks, domain), sender, reply_to, headers
    )
    gone = _unfit(group)
    settled.update({places[n]: outcome for n, outcome in gone.items()})
    return None if len(gone) == len(ones) else group.without(set(gone)) if gone else group


# --- the columns ----------------------------------------------------------------------------------------------------------
def _addresses(ones: Sequence[Handed]) -> list[str]:
    """Each address as it is written to; "" where it is not one plain address in ASCII."""
    given = [one.address or "" for one in ones]
    if _USUAL.fullmatch("\n".join(given) + "\n") and "" not in given:
        return given
    return [found if (found := mime.one_address(address)) is not None and found.isascii() else "" for address in given]


def _subjects(ones: Sequence[Handed]) -> list[str]:
    first = ones[0]
    if first.pieces is None:
        return [one.rendered.parts.get("subject", "") if one.rendered else "" for one in ones]
    pieces = first.pieces.get("subject", ())
    columns = [[one.fills[piece] for one in ones] if isinstance(piece, int) else repeat(piece, len(ones)) for piece in pieces]
    return ["".join(row) for row in zip(*columns, strict=True)] or [""] * len(ones)


def _unsubscribes(ones: Sequence[Handed], marks: Sequence[str], domain: str) -> list[str]:
    """RFC 2369: https and mailto, both from this touch's token (rules.md EM-01)."""
    if ones[0].purpose != "marketing":
        return [""] * len(ones)
    mailto = [f"<mailto:unsubscribe+{mark}@{domain}>" for mark in marks]
    https = [one.extra.get("unsubscribe", "") for one in ones]
    if not any(https):
        return mailto
    return [f"<{web}>, {mail}" if web.startswith("https://") else mail for web, mail in zip(https, mailto, strict=True)]


def _headers(one: Handed) -> dict[str, str]:
    """What all of a group share: the list, and what the touches brought themselves."""
    found: dict[str, str] = {}
    if one.purpose == "marketing" and one.extra.get("list_id"):
        found["List-Id"] = _ascii(mime.guard_header("List-Id", one.extra["list_id"]))
    for name, text in one.headers.items():
        if name.lower() in FORBIDDEN or not name.isascii() or not name.replace("-", "").isalnum():
            raise mime.HeaderRefused(name)
        found[name] = _ascii(mime.guard_header(name, text))
    return found


def _ascii(text: str) -> str:
    """A header value as mail programs read it: the phrase before an address encoded (RFC 2047) where it is not ASCII."""
    if text.isascii():
        return text
    phrase, angle, rest = text.partition(" <") if text.endswith(">") else (text, "", "")
    return Header(phrase, "utf-8", maxlinelen=10_000).encode() + (f" <{rest}" if angle else "")


def mailbox(header: str, written: str) -> tuple[str, str]:
    """`Maison Lune <bonjour@…>` as (name, address); ValueError when it is none, or not one that SendGrid takes (ASCII)."""
    mime.guard_header(header, written)
    name, address = parseaddr(written)
    plain = mime.one_address(address)
    if plain is None or not plain.isascii():
        raise ValueError(t("{field}: '{written}' is not an address", "{field} : « {written} » n'est pas une adresse",
                           field=header, written=written))  # fmt: skip
    return name, plain


# --- who does not fit -----------------------------------------------------------------------------------------------------
def _unfit(group: Group) -> dict[int, Outcome]:
    """Place in the group → why not in this request. Whole columns first; one by one only when something was seen."""
    if _clean(group):
        return {}
    found: dict[int, Outcome] = {}
    taken: set[str] = set()
    for n, one in enumerate(group.ones):
        why = _refusal(group, n, one)
        address = group.addresses[n].casefold()
        if why is not None:
            found[n] = why
        elif address in taken:
            found[n] = later()
        else:
            taken.add(address)
    return found


def _clean(group: Group) -> bool:
    size = len(group.ones)
    if len(set(map(str.casefold, group.addresses))) < size or "" in group.addresses or max(map(len, group.marks)) > LONGEST_ID:
        return False
    if not all(map(str.strip, group.subjects)) or not all(
        _worded(one) for one in (group.ones if group.ones[0].pieces is None else group.ones[:1])
    ):
        return False
    return _harmless(" ".join(group.subjects)) and _harmless(" ".join(group.unsubscribes))


def _harmless(text: str) -> bool:
    """Whether `mime.guard_header` surely finds nothing in it: printable, and no beginning of an encoded-word. Spaces that French
    sets before signs count as printable here."""
    return "=?" not in text and text.replace("\u00a0", " ").replace("\u202f", " ").isprintable()


def _refusal(group: Group, n: int, one: Handed) -> Outcome | None:
    if not group.addresses[n]:
        return _rejected("address", t("not one plain address in ASCII", "pas une simple adresse en ASCII"), bad_address=True)
    if not group.subjects[n].strip():
        return _rejected("subject", t("a subject without words", "un objet sans mots"))
    if not (_worded(one) or _filled(one)):
        return _rejected("content", t("a message without words", "un message sans mots"))
    if len(group.marks[n]) > LONGEST_ID:
        return _rejected("custom_args", t("an id that is too long", "un identifiant trop long"))
    try:
        mime.guard_header("Subject", group.subjects[n])
        mime.guard_header("List-Unsubscribe", group.unsubscribes[n])
    except mime.HeaderRefused as refused:
        return _rejected("header", str(refused))
    return None


def _worded(one: Handed) -> bool:
    """Whether it has words of its own, whoever reads it."""
    if one.pieces is not None:
        return any(isinstance(piece, str) for part in PARTS for piece in one.pieces.get(part, ()))
    return one.rendered is not None and any(one.rendered.parts.get(part) for part in PARTS)


def _filled(one: Handed) -> bool:
    """Whether its values are words."""
    return one.pieces is not None and any(one.fills[p] for part in PARTS for p in one.pieces.get(part, ()) if isinstance(p, int))

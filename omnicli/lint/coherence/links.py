"""The addresses of a reading, and when two of them are one: tracking, default ports and a last slash aside (docs/consistency 3)."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from urllib.parse import quote, unquote, urlsplit

from omnicli.lint.coherence.grid import Reading, once
from omnicli.lint.coherence.visible import Seen
from omnicli.render.trace import Piece

_TRACKING = re.compile(r"(?:utm_[a-z]+|oc|gclid|fbclid|mc_[a-z]+)$", re.IGNORECASE)
_PORTS = {"http": 80, "https": 443}
_AROUND = re.compile(r"[^\s<>\"«»“”|*`()\[\]]*")
_TRAILING = ".,;:!?'’…"


@dataclass(frozen=True, slots=True)
class Target:
    """Where one link leads. `fact` is the address fact that it is made of, or None; `whole`: nothing was written around it;
    `typed` the first piece that an author typed; `label` its text, `labels` the pieces of that, `label_at` its span in the visible text."""

    address: str
    fact: str | None
    whole: bool
    piece: Piece
    inner: int
    width: int
    part: str
    at: int
    label: str = ""
    labels: tuple[Piece, ...] = ()
    label_at: tuple[int, int] = (0, 0)


def normalised(address: str) -> str:
    """The address with what does not change where it leads taken away; `http` and `https` stay apart."""
    try:
        parts = urlsplit(address.strip())
        port = parts.port
    except ValueError:
        return address.strip()
    scheme, host = parts.scheme.lower(), (parts.hostname or "").lower()
    netloc = host if port is None or port == _PORTS.get(scheme) else f"{host}:{port}"
    pairs = [pair for pair in parts.query.split("&") if pair and not _TRACKING.match(pair.partition("=")[0])]
    path = quote(unquote(parts.path), safe="/:@!$&'()*+,;=~-._").rstrip("/")
    query = "&".join(quote(unquote(pair), safe="=/:@!$'()*+,;~-._") for pair in pairs)
    fragment = f"#{parts.fragment}" if parts.fragment else ""
    return f"{scheme}://{netloc}{path}{'?' + query if query else ''}{fragment}"


@once
def targets(reading: Reading, seen: Seen) -> tuple[Target, ...]:
    """Every link of a part that leads a reader somewhere; not those to unsubscribe, to the house's own pages, or to a mailbox."""
    return tuple(_targets(reading, seen))


def _targets(reading: Reading, seen: Seen) -> Iterator[Target]:
    for anchor in seen.anchors:
        numbers = seen.of_part(anchor.start, anchor.end)
        inside = [(seen.pieces[n], _cut(seen, n, anchor.start, anchor.end)) for n in numbers]
        labels = tuple(seen.pieces[n] for n in seen.within(*anchor.label)) if anchor.label[1] > anchor.label[0] else ()
        made = _target(reading, seen, inside, anchor.start, page=True)
        if made is not None:
            yield replace(made, label=seen.text[slice(*anchor.label)].strip(), labels=labels, label_at=anchor.label)
    if not seen.anchors and isinstance(seen.offsets, range):
        yield from _printed(reading, seen)


def _cut(seen: Seen, n: int, start: int, end: int) -> tuple[int, str]:
    """The part of a piece that stands in the span: where it begins in the piece, and its text."""
    begin = max(0, start - seen.starts[n])
    return begin, seen.pieces[n].text[begin : end - seen.starts[n]]


def _printed(reading: Reading, seen: Seen) -> Iterator[Target]:
    """The links that plain text prints, with whatever was written right against them."""
    for n, piece in enumerate(seen.pieces):
        if not _is_link(reading, piece):
            continue
        start, end = seen.starts[n], seen.starts[n] + len(piece.text)
        before = _AROUND.match(seen.text[:start][::-1])
        after = _AROUND.match(seen.text, end)
        start -= len(before[0]) if before and before[0].isascii() and ":" in before[0] and "/" in before[0] else 0
        end += len(after[0].rstrip(_TRAILING)) if after else 0
        numbers = seen.of_part(start, end)
        made = _target(reading, seen, [(seen.pieces[m], _cut(seen, m, start, end)) for m in numbers], start, page=False)
        if made is not None:
            yield made


def _is_link(reading: Reading, piece: Piece) -> bool:
    origin = piece.origin or ("",)
    if origin[0] == "link":
        return True
    return origin[0] == "fact" and reading.facts.get(origin[1], ("",))[0] == "url" and "://" in piece.text


def _target(reading: Reading, seen: Seen, inside: list[tuple[Piece, tuple[int, str]]], at: int, *, page: bool) -> Target | None:
    address, fact = "", None
    typed: tuple[Piece, int, int] | None = None
    for piece, (begin, text) in inside:
        origin = piece.origin or ("template",)
        match origin:
            case ("address" | "brand", *_):
                return None
            case ("link", int(number)):
                address += reading.draft.links[number].address
                fact = reading.draft.links[number].fact or fact
                if reading.draft.links[number].fact is None:
                    typed = typed or (piece, begin, len(text))
            case ("fact", str(name), *_):
                address += html.unescape(text) if page else text
                fact = name
            case _:
                address += html.unescape(text) if page else text
                if origin[0] == "derived":
                    fact = str(origin[2])
                if text.strip():
                    typed = typed or (piece, begin, len(text))
    if not inside or not address.strip() or address.lower().startswith(("mailto:", "tel:", "sms:", "#", "cid:")):
        return None
    piece, begin, width = typed or (inside[0][0], inside[0][1][0], len(inside[0][1][1]))
    return Target(address.strip(), fact, typed is None, piece, begin, width, seen.part, at)

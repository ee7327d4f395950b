"""A rendering is a skeleton and its values: text with numbered marks that is the same for many people, and what is theirs.

Filled in, the two are the message again, byte for byte. While a template runs, the `Recorder` takes every printed value
and leaves `U+E000 n U+E001` in its place; the compiled template yields its constant chunks as the same objects each
time, so the tuple of chunks identifies the skeleton (docs/recipes 2).
"""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import compress
from operator import ne
from typing import Any

from omnicli.texts import t

OPEN, CLOSE, CAPTURED = "\ue000", "\ue001", "\ue002"
MARK = re.compile("\ue000([0-9]+)\ue001")
MARKS = tuple(f"{OPEN}{n}{CLOSE}" for n in range(2048))
#: Where a value comes from: `("fact", name, form)`, `("contact", name, form)`, `("link", n)` …; None when it is not known.
Origin = tuple[Any, ...] | None
_ODD = re.compile("[&<>'\"]")
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "'": "&#39;", '"': "&#34;"})
SEPARATOR, AS_JSON = "\x1f", "\x1e"


def escape(text: str) -> str:
    """The five characters that mean something in HTML, written as MarkupSafe writes them."""
    return text.translate(_ESCAPES) if _ODD.search(text) else text


def unescape(text: str) -> str:
    """The text that `escape` was given."""
    if "&" not in text:
        return text
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&#39;", "'").replace("&#34;", '"').replace("&amp;", "&")


#: How a value repeats an earlier one: as it is, escaped for HTML, or the text behind the escapes.
SAME, ESCAPED, RAW = "=", "<", ">"
AGAIN: Mapping[str, Callable[[str], str]] = {SAME: str, ESCAPED: escape, RAW: unescape}


@lru_cache(maxsize=4096)
def head(differs: bytes) -> str:
    """Which values follow, as a hexadecimal number behind a leading one."""
    return f"{int('1' + ''.join(map(str, differs)), 2):x}{SEPARATOR}"


def squeezed(text: str) -> bytes:
    """Packed values as bytes, compressed where that pays."""
    packed = text.encode("utf-8", "surrogatepass")
    return zlib.compress(packed, 6) if len(packed) > 400 else packed


class TooManyValues(Exception):
    """A rendering with more values than any message has."""


class Recorder:
    """Takes the values of one rendering at a time. `origins` is a list only while a new skeleton is looked at."""

    __slots__ = ("html", "line", "marking", "origins", "person", "target_names", "targets", "values")

    def __init__(self) -> None:
        self.values: list[str] = []
        self.targets: list[str] = []
        self.target_names: list[str] = []
        self.origins: list[Origin] | None = None
        self.marking = True
        self.html = False
        self.line = False
        self.person: Any = None

    def begin(self, person: Any, *, marking: bool, tracing: bool = False) -> None:
        self.values, self.targets, self.target_names = [], [], []
        self.origins = [] if tracing else None
        self.marking, self.person = marking, person

    def put(self, text: str, origin: Origin = None) -> str:
        """A value as it stands in the text (escaped already): its mark, or the text itself when nothing is marked."""
        if not self.marking:
            return text
        values = self.values
        n = len(values)
        values.append(text)
        if self.origins is not None:
            self.origins.append(origin)
        if n >= len(MARKS):
            raise TooManyValues(t("a message with more than 2,048 values", "un message de plus de 2 048 valeurs"))
        return MARKS[n]


@dataclass(frozen=True, slots=True)
class Skeleton:
    """A finished skeleton. `parts` maps a part to its pieces, each a constant text or the index of a value;
    `blob` is what the store keeps, `hash` its SHA-256, `weight` the length of the constants and how often a value stands at most. `kept` are the values that are stored, `sample` what they are for
    most people, `twins` the values that repeat another one (index, how), `tokens` those that carry a touch's token,
    `links` the targets behind the tracked addresses in order of their number."""

    hash: str
    channel: str
    template: str
    parts: Mapping[str, tuple[str | int, ...]] = field(repr=False)
    blob: bytes = field(repr=False)
    size: int = 0
    weight: tuple[int, int] = (0, 1)
    kept: tuple[int, ...] = ()
    sample: tuple[str, ...] = field(default=(), repr=False)
    twins: Mapping[int, tuple[int, str]] = field(default_factory=dict)
    tokens: tuple[int, ...] = ()
    links: tuple[str, ...] = ()
    origins: tuple[Origin, ...] = field(default=(), repr=False)
    html: tuple[bool, ...] = field(default=(), repr=False)

    def pack(self, values: Sequence[str]) -> bytes:
        """The values as the store keeps them: which differ from the sample, and those."""
        kept = [values[n] for n in self.kept]
        differs = bytes(map(ne, kept, self.sample))
        rest = list(compress(kept, differs))
        text = SEPARATOR.join(rest)
        if text.count(SEPARATOR) != max(0, len(rest) - 1) or text.startswith(AS_JSON):
            text = AS_JSON + json.dumps(rest, ensure_ascii=False)
        return squeezed(head(differs) + text)

    def unpack(self, blob: bytes) -> tuple[str, ...]:
        """All values again, twins included."""
        packed = zlib.decompress(blob) if blob[:1] == b"\x78" else blob
        flags, _, text = packed.decode("utf-8", "surrogatepass").partition(SEPARATOR)
        rest = iter(json.loads(text[1:]) if text.startswith(AS_JSON) else text.split(SEPARATOR))
        values: list[str] = [""] * self.size
        for n, digit, usual in zip(self.kept, f"{int(flags, 16):b}"[1:], self.sample, strict=True):
            values[n] = next(rest) if digit == "1" else usual
        for n, (first, how) in self.twins.items():
            values[n] = AGAIN[how](values[first])
        return tuple(values)

    def complete(self, values: Sequence[str]) -> tuple[str, ...]:
        """The recorded values and behind them those that a made part repeats unescaped."""
        if len(values) == self.size:
            return tuple(values)
        more = [AGAIN[how](values[first]) for first, how in (self.twins[n] for n in range(len(values), self.size))]
        return (*values, *more)


class Parts(Mapping[str, str]):
    """The parts of one message, put together only when they are read."""

    __slots__ = ("_skeleton", "_values")

    def __init__(self, skeleton: Skeleton, values: Sequence[str]) -> None:
        self._skeleton, self._values = skeleton, values

    def __getitem__(self, part: str) -> str:
        values = self._values
        return "".join([values[piece] if type(piece) is int else piece for piece in self._skeleton.parts[part]])  # type: ignore[misc]

    def __iter__(self) -> Iterator[str]:
        return iter(self._skeleton.parts)

    def __len__(self) -> int:
        return len(self._skeleton.parts)

    def __repr__(self) -> str:
        return f"Parts({', '.join(self._skeleton.parts)})"


def cut(text: str) -> tuple[str | int, ...]:
    """Text with marks as pieces: constants and indexes of values."""
    pieces: list[str | int] = []
    for n, piece in enumerate(MARK.split(text)):
        if n % 2:
            pieces.append(int(piece))
        elif piece:
            pieces.append(piece)
    return tuple(pieces)


def _twins(origins: Sequence[Origin], html: Sequence[bool]) -> dict[int, tuple[int, str]]:
    """Values that are another one again, by where they come from: the same fact in subject, page and plain text."""
    first: dict[Origin, int] = {}
    twins: dict[int, tuple[int, str]] = {}
    for n, (origin, escaped) in enumerate(zip(origins, html, strict=True)):
        if origin is None:
            continue
        twin = first.setdefault(origin, n)
        if twin != n:
            twins[n] = (twin, SAME if html[twin] == escaped else ESCAPED if escaped else RAW)
    return twins


def build(
    channel: str, template: str, parts: Mapping[str, str], *, origins: Sequence[Origin], html: Sequence[bool],
    made: Mapping[int, int], usual: Mapping[tuple[Origin, bool], str], links: Sequence[str],
) -> Skeleton:  # fmt: skip
    """The finished skeleton of texts with marks. `html` says which values are escaped; `made` maps the values of a made
    part to the escaped ones they repeat; `usual` gives what a value is for everybody who was not told otherwise."""
    recorded = len(origins)
    twins = _twins(origins, html)
    for n, first in made.items():
        target, how = twins.get(first, (first, SAME))
        twins[n] = (target, SAME if how == ESCAPED else RAW)
    size = recorded + len(made)
    kept = tuple(n for n in range(recorded) if n not in twins)
    sample = tuple(usual.get((origins[n], html[n]), "") for n in kept)
    tokens = tuple(n for n in range(recorded) if (origins[n] or ("",))[0] in ("link", "address"))
    tokens += tuple(n for n in sorted(made) if made[n] in tokens)
    pieces = {name: cut(text) for name, text in parts.items()}
    written = json.dumps(
        {"format": 1, "channel": channel, "template": template, "parts": dict(parts), "size": size, "kept": kept, "sample": sample,
         "twins": {str(n): [first, how] for n, (first, how) in sorted(twins.items())}, "tokens": tokens, "links": list(links)},
        ensure_ascii=False, separators=(",", ":"),
    ).encode("utf-8", "surrogatepass")  # fmt: skip
    constants = sum(len(piece) for part in pieces.values() for piece in part if isinstance(piece, str))
    often = Counter(piece for part in pieces.values() for piece in part if isinstance(piece, int))
    return Skeleton(
        weight=(constants, max(often.values(), default=1)), hash=hashlib.sha256(written).hexdigest(), channel=channel, template=template, parts=pieces, blob=zlib.compress(written, 9),
        size=size, kept=kept, sample=sample, twins=twins, tokens=tokens, links=tuple(links), origins=tuple(origins), html=tuple(html),
    )  # fmt: skip


def read(blob: bytes) -> Skeleton:
    """The skeleton that the store kept."""
    raw = zlib.decompress(blob)
    kept = json.loads(raw.decode("utf-8", "surrogatepass"))
    return Skeleton(
        hash=hashlib.sha256(raw).hexdigest(), channel=kept["channel"], template=kept["template"],
        parts={name: cut(text) for name, text in kept["parts"].items()}, blob=blob, size=kept["size"], kept=tuple(kept["kept"]),
        sample=tuple(kept["sample"]), twins={int(n): (first, how) for n, (first, how) in kept["twins"].items()},
        tokens=tuple(kept["tokens"]), links=tuple(kept["links"]),
    )  # fmt: skip


def restore(parts_blob: bytes, values_blob: bytes) -> Mapping[str, str]:
    """The exact message again from what the store kept of it: part name → text."""
    skeleton = read(parts_blob)
    return dict(Parts(skeleton, skeleton.unpack(values_blob)))


def targets(parts_blob: bytes, values_blob: bytes) -> tuple[str, ...]:
    """Where the tracked addresses of that message lead, in order of their link number (from 0)."""
    skeleton = read(parts_blob)
    values = skeleton.unpack(values_blob)
    return tuple("".join(values[piece] if isinstance(piece, int) else piece for piece in cut(link)) for link in skeleton.links)

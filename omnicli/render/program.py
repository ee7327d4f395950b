"""Makes the values of a straight message without running its template, and of people who share their facts only what is their own.

A message is straight when all its readers have one skeleton. Where everybody is told the same, a reader's archive differs from
the next one's in a name and a few tokens: the rest of packed values and hashed words is written once, with places left open.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from omnicli.channels.sms import count_sms
from omnicli.render.finished import check_address, weighed
from omnicli.render.reader import Reader
from omnicli.render.said import Said, Written, hashed
from omnicli.render.skeleton import AGAIN, AS_JSON, SAME, SEPARATOR, Skeleton, head, squeezed
from omnicli.render.views import FAILURES, Fill

#: So many ways to share facts are kept of one message; and so many counts of SMS parts.
_KEPT = 512
_COUNTED = 4096
#: So many messages of namesakes are kept.
_ALIKE = 4096
#: Said of people whose facts are their own, but for those that are the same for everybody.
FIXED = object()


@dataclass(frozen=True, slots=True)
class Program:
    """`fills` make the kept values, `again` their escaped or plain repetitions (place among the fills, how); `places` says for
    each value which of all these it is. `addresses` are values that must be addresses. `shared` are the fills that facts decide,
    `fixed` those that are the same for all of a persona and language; `kept` are messages of namesakes, by who shares their facts."""

    said: Said
    fills: tuple[tuple[Fill, bool], ...]
    again: tuple[tuple[int, Callable[[str], str]], ...]
    places: tuple[int, ...]
    addresses: tuple[int, ...]
    shared: frozenset[int]
    fixed: frozenset[int]
    kept: dict[tuple[Any, ...], Written] = field(default_factory=dict, repr=False)
    _bound: dict[int, tuple[object, Bound | None]] = field(default_factory=dict, repr=False)

    @property
    def skeleton(self) -> Skeleton:
        return self.said.skeleton

    def values(self) -> tuple[str, ...]:
        """All values for the person that the reader is turned to."""
        return self.laid([fill(html) for fill, html in self.fills])

    def laid(self, made: list[str]) -> tuple[str, ...]:
        """Kept values with their repetitions in the places where they stand."""
        made += [again(made[n]) for n, again in self.again]
        weighed(self.skeleton, sum(map(len, made)))
        values = tuple([made[n] for n in self.places])
        for n in self.addresses:
            check_address(values[n])
        return values

    def write(self, common: object) -> Written:
        """The message of the person that the reader is turned to. `common`: the very facts that many share, or `FIXED` for facts of
        one's own beside those that are the same for all, or None for somebody who was told otherwise."""
        bound = self._for(common) if common is not None else None
        return bound.write() if bound is not None else self.said.written(self.values())

    def _for(self, common: object) -> Bound | None:
        found = self._bound.get(id(common))
        if found is None or found[0] is not common:
            if len(self._bound) >= _KEPT:
                self._bound.clear()
                self.kept.clear()
            found = self._bound[id(common)] = common, self._bind(self.fixed if common is FIXED else self.shared)
        return found[1]

    def _bind(self, shared: frozenset[int]) -> Bound | None:
        try:
            return Bound.of(self, {n: self.fills[n][0](self.fills[n][1]) for n in sorted(shared)})
        except FAILURES:  # somebody lacks a fact: each who is written to is told which
            return None


@dataclass(slots=True)
class Bound:
    """A program of which some values are `known`. The open places of its texts are filled by `%`; `own` are the fills that are
    left, `again` the repetitions of theirs. `alike`: no value is a token, so namesakes get the same message, which is kept."""

    program: Program
    known: Mapping[int, str]
    own: tuple[tuple[Fill, bool], ...]
    again: tuple[tuple[int, Callable[[str], str]], ...]
    length: int
    addresses: tuple[int, ...]
    packed: _Form
    separators: int
    said: _Form
    sms: _Form | None
    told: Callable[[Sequence[str]], Any]
    alike: bool
    counts: dict[Any, int] = field(default_factory=dict)

    @classmethod
    def of(cls, program: Program, known: Mapping[int, str]) -> Bound:
        skeleton, fills = program.skeleton, program.fills
        left = [n for n in range(len(fills)) if n not in known]
        texts: list[str | int] = [known[n] if n in known else left.index(n) for n in range(len(fills))]
        again: list[tuple[int, Callable[[str], str]]] = []
        for n, repeat in program.again:
            source = texts[n]
            if isinstance(source, str):
                texts.append(repeat(source))
            else:
                texts.append(len(left) + len(again))
                again.append((source, repeat))
        value = [texts[place] for place in program.places]
        for n in program.addresses:
            if isinstance(text := value[n], str):
                check_address(text)
        differs = [isinstance(text, int) or text != usual for text, usual in zip(texts, skeleton.sample, strict=False)]
        rest = [text for text, differ in zip(texts, differs, strict=False) if differ]
        tokens = {n for n in skeleton.tokens if isinstance(value[n], int)}
        body = skeleton.parts.get("body", ()) if skeleton.channel == "sms" else None
        return cls(
            program, known, tuple(fills[n] for n in left), tuple(again),
            length=sum(len(text) for text in texts if isinstance(text, str)),
            addresses=tuple(text for n in program.addresses if isinstance(text := value[n], int)),
            packed=_Form.joined([head(bytes(differs))], _between(rest)), separators=max(1, len(rest)),
            said=_Form.joined([program.said.digest], [SEPARATOR, *_between(value[n] for n in program.said.words)]),
            sms=_Form.joined([], [value[piece] if isinstance(piece, int) else piece for piece in body]) if body is not None else None,
            told=_picking([text for n, text in enumerate(value) if isinstance(text, int) and n not in tokens]), alike=not tokens,
        )  # fmt: skip

    def write(self) -> Written:
        """The message of the person that the reader is turned to."""
        made = [fill(html) for fill, html in self.own]
        if not self.alike:
            return self._written(made)
        kept = self.program.kept
        found = kept.get(key := (id(self), *made))
        if found is None:
            if len(kept) >= _ALIKE:
                kept.clear()
            found = kept[key] = self._written(made)
        return found

    def _written(self, made: list[str]) -> Written:
        for n, again in self.again:
            made.append(again(made[n]))
        program = self.program
        weighed(program.skeleton, self.length + sum(map(len, made)))
        for n in self.addresses:
            check_address(made[n])
        packed = self.packed.fill(made)
        if "" in made or packed.count(SEPARATOR) != self.separators or AS_JSON in packed:
            return self._by_hand(made)
        parts = 1 if self.sms is None else self._counted(made, self.sms)
        return Written(program.skeleton.hash, squeezed(packed), hashed(self.said.fill(made)), parts)

    def _by_hand(self, made: Sequence[str]) -> Written:
        """A value that is as usual, or that could pass for two."""
        own = iter(made)
        whole = [self.known[n] if n in self.known else next(own) for n in range(len(self.program.fills))]
        return self.program.said.written(self.program.laid(whole))

    def _counted(self, made: Sequence[str], body: _Form) -> int:
        """Parts of the SMS: tokens all weigh alike, so the words decide."""
        words = self.told(made)
        found = self.counts.get(words)
        if found is None:
            if len(self.counts) >= _COUNTED:
                self.counts.clear()
            found = self.counts[words] = count_sms(body.fill(made)).parts
        return found


@dataclass(frozen=True, slots=True)
class _Form:
    """A text with open places, and which values go there."""

    text: str
    pick: Callable[[Sequence[str]], Any]

    @classmethod
    def joined(cls, before: Sequence[str], pieces: Sequence[str | int]) -> _Form:
        found: list[str] = [text.replace("%", "%%") for text in before]
        found += ["%s" if isinstance(piece, int) else piece.replace("%", "%%") for piece in pieces]
        return cls("".join(found), _picking([piece for piece in pieces if isinstance(piece, int)]))

    def fill(self, values: Sequence[str]) -> str:
        filled: str = self.text % self.pick(values)
        return filled


def _between(pieces: Any) -> list[str | int]:
    """Pieces with separators between them."""
    out: list[str | int] = []
    for piece in pieces:
        out += [SEPARATOR, piece] if out else [piece]
    return out


def _picking(places: Sequence[int]) -> Callable[[Sequence[str]], Any]:
    return itemgetter(*places) if places else lambda _: ()


def program_of(reader: Reader, said: Said, addresses: tuple[int, ...], fixed: Collection[str]) -> Program | None:
    """How to make the values of a straight message; None when one of them takes its template. `fixed`: facts that are the same for
    everybody."""
    skeleton = said.skeleton
    fills: list[tuple[Fill, bool]] = []
    for n in skeleton.kept:
        fill = reader.filler(skeleton.origins[n])
        if fill is None:
            return None
        fills.append((fill, skeleton.html[n]))
    place = {n: at for at, n in enumerate(skeleton.kept)}
    again: dict[tuple[int, str], int] = {}
    for n, (first, how) in skeleton.twins.items():
        key = (place[first], how)
        place[n] = key[0] if how == SAME else again.setdefault(key, len(fills) + len(again))
    told = {at: fact for at, n in enumerate(skeleton.kept) if (fact := reader.fact_behind(skeleton.origins[n])) is not None}
    repeated = tuple((n, AGAIN[how]) for n, how in again)
    return Program(
        said, tuple(fills), repeated, tuple(place[n] for n in range(skeleton.size)), addresses,
        shared=frozenset(told), fixed=frozenset(at for at, fact in told.items() if fact in fixed),
    )  # fmt: skip

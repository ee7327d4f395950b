"""Every answer is a hash of names: the same seed, person, pass, step and channel give the same answer, in any order, in any process."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b, sha256

from omnicli.campaigns.simulate.model import ANSWERS, Model, minutes
from omnicli.model.ids import SEPARATOR
from omnicli.model.literals import Duration, Percent

MINUTE = 60_000
DAY = 86_400_000
_SCALE = float(1 << 64)
#: The scale of `draws`.
WHOLE = 1 << 32
#: Nobody answers later than so many half-lives.
LATEST = 20


def draw(*names: str) -> tuple[float, float]:
    """Two numbers of [0, 1): whether, and when. The first and second 8 bytes of SHA-256 over the names joined by U+001F."""
    digest = sha256(SEPARATOR.join(names).encode()).digest()
    return int.from_bytes(digest[:8], "big") / _SCALE, int.from_bytes(digest[8:16], "big") / _SCALE


#: What is drawn of each touch, in this order, for good: a new word goes to the end, so that no other draw changes.
DRAWN = ("carried", "bounced", "lost", "goal", *ANSWERS)
PLACE = {name: n for n, name in enumerate(DRAWN)}
_WORDS = struct.Struct(">16I")


def draws(*names: str) -> tuple[int, ...]:
    """A number of 32 bits for each word of `DRAWN`: BLAKE2b over the names joined by U+001F, four bytes a word."""
    return _WORDS.unpack(blake2b(SEPARATOR.join(names).encode()).digest())


def delay(half: float, when: float) -> int:
    """Milliseconds until it happens: half of all within `half` minutes, the rest with an exponential tail, whole minutes."""
    return max(1, round(half * min(-math.log2(1.0 - when), LATEST))) * MINUTE


@dataclass(frozen=True, slots=True)
class Chance:
    """One thing that may happen: its share as a fraction, its half-life in minutes."""

    name: str
    share: float
    half: float

    @property
    def place(self) -> int:
        """Where its number stands among the draws of a touch."""
        return PLACE[self.name]


@dataclass(frozen=True, slots=True)
class Prospects:
    """What may become of one touch: `refused` before acceptance, `bounced` and `lost` after it, else the answers."""

    refused: float
    bounced: float
    lost: float
    answers: tuple[Chance, ...]


class Odds:
    """The model as numbers, by (channel, persona, step); compiled when first asked for."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.tired = float(model.tired.share)
        self.alone = fraction(model.goal.alone)
        self.within = minutes(model.goal.within)
        self.follows: Mapping[str, Chance] = {
            name: Chance(name, fraction(answer.share), minutes(answer.half)) for name, answer in model.goal.after.items()
        }
        self._known: dict[tuple[str, str | None, str], Prospects] = {}

    def of(self, channel: str, persona: str | None, step: str) -> Prospects:
        key = channel, persona, step
        if key not in self._known:
            self._known[key] = self._compiled(*key)
        return self._known[key]

    def _compiled(self, channel: str, persona: str | None, step: str) -> Prospects:
        carrying = self.model.channels.get(channel)
        if carrying is None:
            return Prospects(0.0, 0.0, 0.0, ())
        factors = self.model.personas.get(persona or "", {})
        factor = float(factors.get(channel, factors.get("all", 1)))
        own: Mapping[str, Percent] = self.model.steps.get(step, {})
        answers = tuple(
            Chance(name, min(1.0, fraction(own.get(name, answer.share)) * factor), minutes(answer.half))
            for name, answer in carrying.answers.items()
        )
        more = tuple(
            Chance(name, min(1.0, fraction(share) * factor), minutes(Duration(6, "hour")))
            for name, share in own.items()
            if name not in carrying.answers
        )
        return Prospects(fraction(carrying.refused), fraction(carrying.bounced), fraction(carrying.lost), (*answers, *more))


def fraction(share: Percent) -> float:
    return float(share.share)

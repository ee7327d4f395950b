"""What a message says, in 16 bytes that two bodies share when they differ in nothing but the tokens of their links."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import NamedTuple

from omnicli.channels.sms import count_sms
from omnicli.render.skeleton import SEPARATOR, Parts, Skeleton


class Written(NamedTuple):
    """A message as the archive and the gate need it: the hash of its skeleton, its packed values, the hash of what it says."""

    skeleton: str
    values: bytes
    body_hash: bytes
    sms_parts: int = 1


@dataclass(frozen=True, slots=True)
class Said:
    """One skeleton as it speaks: `digest` of its constant text, whatever campaign it belongs to, and which values are `words`."""

    skeleton: Skeleton
    digest: str
    words: tuple[int, ...]
    _pick: Callable[[Sequence[str]], Sequence[str]] = field(repr=False)

    @classmethod
    def of(cls, skeleton: Skeleton) -> Said:
        tokens = frozenset(skeleton.tokens)
        parts = {name: list(pieces) for name, pieces in sorted(skeleton.parts.items())}
        digest = hashlib.sha256(json.dumps(parts).encode("utf-8", "surrogatepass")).hexdigest()
        words = tuple(n for n in range(skeleton.size) if n not in tokens)
        pick: Callable[[Sequence[str]], Sequence[str]] = (
            itemgetter(*words) if len(words) > 1 else lambda values: [values[n] for n in words]
        )
        return cls(skeleton, digest, words, pick)

    def hash(self, values: Sequence[str]) -> bytes:
        """What these values say in this skeleton."""
        return hashed(self.digest + SEPARATOR + SEPARATOR.join(self._pick(values)))

    def written(self, values: Sequence[str]) -> Written:
        """The message of these values."""
        parts = count_sms(Parts(self.skeleton, values)["body"]).parts if self.skeleton.channel == "sms" else 1
        return Written(self.skeleton.hash, self.skeleton.pack(values), self.hash(values), parts)


def hashed(text: str) -> bytes:
    """16 bytes of SHA-256."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16]

"""What a saved plan binds a run to: whose passes it may decide, which touches may leave, and what each of them says.

A seal is a keyed hash: it tells two texts, addresses or values apart, and nobody learns from it what they are.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field

#: Bytes of a seal: among a million touches two differ by chance in one of 10^13 plans.
SEAL = 8


@dataclass(frozen=True, slots=True)
class Bound:
    """`touches` maps touch keys to the seal of what they say to which address (None: whatever it is); `passes` are enrollment
    keys. `strayed` collects the touches that would have said something else: they wait."""

    touches: Mapping[bytes, bytes | None]
    passes: frozenset[bytes]
    strayed: set[bytes] = field(default_factory=set)

    def lets(self, touch: bytes, said: bytes) -> bool:
        """Whether this touch may leave with these words."""
        wanted = self.touches.get(touch)
        if touch in self.touches and wanted in (None, said):
            return True
        self.strayed.add(touch)
        return False


def seal(pepper: bytes, *parts: bytes) -> bytes:
    """The keyed hash of these parts, in this order."""
    made = hmac.new(pepper, digestmod=hashlib.sha256)
    for part in parts:
        made.update(len(part).to_bytes(4, "big") + part)
    return made.digest()[:SEAL]

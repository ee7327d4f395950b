"""Hashes of names: the ids that plan, run, test and replay agree on, whatever the order of filling a store."""

from __future__ import annotations

import hashlib

SEPARATOR = "\x1f"


def digest(*names: str) -> bytes:
    """SHA-256 of the names joined by U+001F."""
    return hashlib.sha256(SEPARATOR.join(names).encode()).digest()


def contact_uid(project: str, contact: str) -> bytes:
    """16 bytes that stand for the contact in every hash; `contact` is the source's own id."""
    return digest(project, "contact", contact)[:16]


def enrollment_key(project: str, campaign: str, uid: bytes, number: int) -> bytes:
    return digest(project, campaign, uid.hex(), str(number))[:16]


def touch_key(project: str, campaign: str, uid: bytes, number: int, step: str, channel: str) -> bytes:
    """Not of the version, not of positions: editing a file never sends again (docs/delivery 7)."""
    return digest(project, campaign, uid.hex(), str(number), step, channel)[:16]


def draw(scale: int, *names: str) -> int:
    """Chance that is no chance: the first 8 bytes of the digest, modulo the scale (docs/language 8.3)."""
    return int.from_bytes(digest(*names)[:8], "big") % scale

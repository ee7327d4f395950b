"""Hashes of names: the ids that plan, run, test and replay agree on, whatever the order of filling a store."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable

SEPARATOR = "\x1f"


def digest(*names: str) -> bytes:
    """SHA-256 of the names joined by U+001F."""
    return hashlib.sha256(SEPARATOR.join(names).encode()).digest()


def contact_uid(project: str, contact: str) -> bytes:
    """16 bytes that stand for the contact in every hash; `contact` is the source's own id."""
    return digest(project, "contact", contact)[:16]


def contact_uids(project: str, contacts: Iterable[str]) -> list[bytes]:
    """The same of many contacts."""
    head, sha256 = f"{project}{SEPARATOR}contact{SEPARATOR}", hashlib.sha256
    return [sha256(f"{head}{contact}".encode()).digest()[:16] for contact in contacts]


def enrollment_key(project: str, campaign: str, uid: bytes, number: int) -> bytes:
    return digest(project, campaign, uid.hex(), str(number))[:16]


def touch_key(project: str, campaign: str, uid: bytes, number: int, step: str, channel: str) -> bytes:
    """Not of the version, not of positions: editing a file never sends again (docs/delivery 7)."""
    return digest(project, campaign, uid.hex(), str(number), step, channel)[:16]


def touch_keys(project: str, campaign: str, step: str, channel: str) -> Callable[[bytes, int], bytes]:
    """`touch_key` of many people at one step: (uid, number) → key."""
    before, behind = f"{project}{SEPARATOR}{campaign}{SEPARATOR}".encode(), f"{SEPARATOR}{step}{SEPARATOR}{channel}".encode()

    def key(uid: bytes, number: int) -> bytes:
        return hashlib.sha256(b"%s%s\x1f%d%s" % (before, uid.hex().encode(), number, behind)).digest()[:16]

    return key


def draw(scale: int, *names: str) -> int:
    """Chance that is no chance: the first 8 bytes of the digest, modulo the scale (docs/language 8.3)."""
    return int.from_bytes(digest(*names)[:8], "big") % scale

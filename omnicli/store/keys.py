"""The keys of a project: the pepper of fingerprints, which never rotates, and the signing keys of tokens and marks, which may.

The live store's stand in `OMNI_KEYS` (JSON) or in `keys` beside the store (0600), made by the first command that needs them;
`db backup` leaves them out. The sandbox derives its own from the project's name, so that its bytes repeat (docs/delivery 16).
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnicli.errors import Exit, OmniError
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.store.connection import Store

#: Key numbers fit into three bits of a token.
MOST = 8


@dataclass(frozen=True, slots=True)
class Keys:
    """`signing` maps a key's number (0 to 7) to its 32 bytes; `current` is the one that signs, all of them verify."""

    pepper: bytes = field(repr=False)
    signing: Mapping[int, bytes] = field(repr=False)
    current: int = 0

    @property
    def key(self) -> bytes:
        return self.signing[self.current]


def of_store(store: Store, project: str) -> Keys:
    """The keys of this store; OmniError (exit 4) when the live store's are unusable."""
    return keys_of(project, store.path, live=store.live)


@lru_cache(maxsize=16)
def keys_of(project: str, path: Path | None, *, live: bool) -> Keys:
    """The keys of the project: `path` is the store's file."""
    if not live or path is None:
        return Keys(
            hashlib.sha256(f"{project}\x1fsandbox\x1fpepper".encode()).digest(),
            {0: hashlib.sha256(f"omni sandbox links {project}".encode()).digest()},
        )
    given = os.environ.get("OMNI_KEYS")
    return _read(json.loads(given) if given else _kept(path.with_name("keys")))


def _read(found: Mapping[str, Any]) -> Keys:
    try:
        signing = {int(number): bytes.fromhex(text) for number, text in found["signing"].items()}
        keys = Keys(bytes.fromhex(found["pepper"]), signing, int(found.get("current", 0)))
        if keys.current in signing and all(0 <= number < MOST and len(key) >= 16 for number, key in signing.items()):
            return keys
    except (KeyError, ValueError, TypeError, AttributeError):
        pass
    raise OmniError(
        t("the keys of the live store are not whole", "les clés du magasin réel ne sont pas entières"),
        hint=t("restore .omni/keys from where you keep it", "remettez .omni/keys depuis votre sauvegarde"), code="keys", exit=Exit.REFUSED,
    ) from None  # fmt: skip


def _kept(path: Path) -> dict[str, Any]:
    """What the file says; what it lacks is made and written: whole, synced, and for its owner only."""
    try:
        found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    except ValueError:
        return {}
    missing = {"pepper": secrets.token_hex(32), "signing": {"0": secrets.token_hex(32)}, "current": 0}
    if missing.keys() <= found.keys():
        return found
    found = {**missing, **found}
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(found, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, path)
    return found

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
from omnicli.store import setting
from omnicli.texts import t
from omnicli.writing import write_whole

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


#: The setting that names the keys a live store has used: number (or `pepper`) → the beginning of its hash.
USED = "keys"


def of_store(store: Store, project: str) -> Keys:
    """The keys of this store; OmniError (exit 4) when the live store's are unusable, or others than it has used."""
    if (gone := lost(store, project)) is not None:
        raise OmniError(
            t("the keys that this store has used are not there: {gone}", "les clés dont cette base s'est servie ne sont plus là : {gone}", gone=gone),
            hint=t("put .omni/keys (or OMNI_KEYS) back from where you keep it: links, unsubscribes and bars depend on it",
                   "remettez .omni/keys (ou OMNI_KEYS) depuis leur copie à part : liens, désabonnements et exclusions en dépendent"),
            code="keys_lost", exit=Exit.REFUSED,
        )  # fmt: skip
    return keys_of(project, store.beside, live=store.live)


def lost(store: Store, project: str) -> str | None:
    """The keys that a live store has used and that are not there any more, or None. Makes nothing."""
    used = _used(store)
    if not used:
        return None
    assert store.beside is not None
    if not os.environ.get("OMNI_KEYS") and not store.beside.with_name("keys").exists():
        return ", ".join(sorted(used))
    held = _prints(keys_of(project, store.beside, live=True))
    return ", ".join(sorted(name for name, mark in used.items() if held.get(name) != mark)) or None


def witness(store: Store, project: str) -> None:
    """Let a live store remember the keys that it uses from now on; does nothing while some that it used are lost."""
    if not store.live or store.rehearsed or store.beside is None or lost(store, project) is not None:
        return
    used, held = _used(store), _prints(keys_of(project, store.beside, live=True))
    if {**used, **held} != used:
        with store.write() as connection:
            setting.put(connection, USED, json.dumps({**used, **held}))


def _used(store: Store) -> dict[str, str]:
    if not store.live or store.beside is None:
        return {}
    with store.read() as connection:
        found: dict[str, str] = json.loads(setting.get(connection, USED) or "{}")
    return found


def _prints(keys: Keys) -> dict[str, str]:
    """What can be shown of keys: enough to know them again, too little to guess them."""
    named = {"pepper": keys.pepper, **{str(number): key for number, key in keys.signing.items()}}
    return {name: hashlib.sha256(b"omni key print" + key).hexdigest()[:16] for name, key in named.items()}


@lru_cache(maxsize=16)
def keys_of(project: str, path: Path | None, *, live: bool) -> Keys:
    """The keys of the project: `path` is the store's file."""
    if not live or path is None:
        return Keys(
            hashlib.sha256(f"{project}\x1fsandbox\x1fpepper".encode()).digest(),
            {0: hashlib.sha256(f"omni sandbox links {project}".encode()).digest()},
        )
    given = os.environ.get("OMNI_KEYS")
    return _given(given) if given else _read(_kept(path.with_name("keys")))


def _given(text: str) -> Keys:
    """What `OMNI_KEYS` holds: the JSON itself. A path in it, or half of it, is the usual slip."""
    try:
        found = json.loads(text)
    except ValueError:
        raise OmniError(
            t("OMNI_KEYS holds no JSON", "OMNI_KEYS ne contient pas de JSON"),
            hint=t('it holds what .omni/keys holds, not its path:  export OMNI_KEYS="$(cat FILE)"',
                   'elle contient ce que contient .omni/keys, non son chemin :  export OMNI_KEYS="$(cat FICHIER)"'),
            code="keys", exit=Exit.REFUSED,
        ) from None  # fmt: skip
    return _read(found, where="OMNI_KEYS")


def _read(found: Mapping[str, Any], *, where: str = ".omni/keys") -> Keys:
    try:
        signing = {int(number): bytes.fromhex(text) for number, text in found["signing"].items()}
        keys = Keys(bytes.fromhex(found["pepper"]), signing, int(found.get("current", 0)))
        if keys.current in signing and all(0 <= number < MOST and len(key) >= 16 for number, key in signing.items()):
            return keys
    except (KeyError, ValueError, TypeError, AttributeError):
        pass
    raise OmniError(
        t("the keys of the live store are not whole", "les clés de la base réelle ne sont pas intactes"),
        hint=t("{where} holds pepper, signing and current: restore it from where you keep it",
               "{where} contient pepper, signing et current : remettez-le depuis sa copie à part", where=where),
        code="keys", exit=Exit.REFUSED,
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
    write_whole(path, json.dumps(found), mode=0o600, sync=True)
    return found

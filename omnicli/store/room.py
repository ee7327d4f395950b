"""Room on the disk of the store: below 200 MB or 5 % free nothing new is claimed, and webhooks are asked to come again."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from omnicli import guards
from omnicli.errors import Exit, OmniError
from omnicli.texts import t

LEAST, SHARE = 200 * 1000 * 1000, 0.05

#: What tells (total, used, free) bytes of the disk under a folder; tests put their own here.
usage: Callable[[Path], tuple[int, int, int]] = shutil.disk_usage


def room(path: Path | None) -> str | None:
    """Why there is no room beside `path` (the store's file), or None when there is, or when there is no file at all."""
    if path is None or not guards.on("disk_floor"):
        return None
    total, _, free = usage(path.parent)
    if free >= LEAST and free >= total * SHARE:
        return None
    return t("the disk is nearly full: {free} MB free", "le disque est presque plein : {free} Mo libres", free=free // 1_000_000)


def wanted(folder: Path, size: int) -> None:
    """Refuse (exit 4) a copy of so many bytes into a folder whose disk would have no room left."""
    free = usage(folder)[2]
    if free < size + LEAST:
        raise OmniError(
            t("no room for a copy of {size} MB: {free} MB free", "pas la place d'une copie de {size} Mo : {free} Mo libres",
              size=size // 1_000_000, free=free // 1_000_000),
            hint=t("-o names another disk", "-o désigne un autre disque"), code="room", exit=Exit.REFUSED,
        )  # fmt: skip

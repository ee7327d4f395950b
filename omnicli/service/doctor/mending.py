"""What the doctor may mend by itself: who can read what lies in `.omni`."""

from __future__ import annotations

import stat
from pathlib import Path


def loose(folder: Path) -> list[Path]:
    """The folder and the files in it that others of this machine may read or write: those of ours that carry people or keys."""
    if not folder.is_dir():
        return []
    ours = [folder, *sorted(p for p in folder.rglob("*") if not p.is_symlink() and _ours(p.relative_to(folder)))]
    return [p for p in ours if stat.S_IMODE(p.lstat().st_mode) & 0o077 and not (p != folder and p.is_dir())]


def _ours(path: Path) -> bool:
    """Stores, their logs, backups, keys, marks; schemas for editors may be read by anybody."""
    return path.parts[0] not in ("schema", "cache") and not path.name.startswith("rehearsal-")


def tighten(folder: Path) -> list[Path]:
    """Close what is loose: folders 0700, files 0600. Gives what was changed."""
    changed = loose(folder)
    for path in changed:
        path.chmod(0o700 if path.is_dir() else 0o600)
    return changed

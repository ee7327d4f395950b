"""Whether a file of a project has changed: a fingerprint of names, times and sizes of all that a page is made of."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

#: What a preview is made of; the store and the outbox are not.
WATCHED = ("omni.yaml", "campaigns/**/*.yaml", "templates/**/*.j2", "packs/**/*.yaml")


def fingerprint(root: Path) -> str:
    """Differs as soon as a file is written, comes or goes."""
    return hashlib.sha256("\n".join(sorted(_stamps(root))).encode()).hexdigest()[:16]


def _stamps(root: Path) -> Iterator[str]:
    for pattern in WATCHED:
        for path in root.glob(pattern):
            try:
                found = path.stat()
            except OSError:  # gone between two looks: the next one sees it
                continue
            yield f"{path}\x1f{found.st_mtime_ns}\x1f{found.st_size}"

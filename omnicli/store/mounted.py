"""What kind of disk a store lies on: a network file system keeps neither SQLite's locks nor its syncs, so a store there is refused."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

#: Kinds of file systems that are somebody else's machine, as Linux names them; `fuse.` ones by what stands behind.
NETWORK = frozenset(
    {
        "nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "ncpfs", "afs", "9p", "ceph", "lustre", "gpfs", "beegfs", "glusterfs",
        "fuse.sshfs", "fuse.s3fs", "fuse.glusterfs", "fuse.davfs", "fuse.davfs2", "davfs", "fuse.rclone", "fuse.ceph", "fuse.gcsfuse",
        "fuse.smbnetfs", "fuse.curlftpfs",
    }
)  # fmt: skip


def network(path: Path, mounts: Iterable[str] | None = None) -> str | None:
    """The kind of network file system that holds `path`, or None: a disk of this machine, or one that cannot be told.

    `mounts` are lines as in `/proc/self/mountinfo` (tests give their own).
    """
    kind = kind_of(path, mounts)
    return kind if kind in NETWORK else None


def kind_of(path: Path, mounts: Iterable[str] | None = None) -> str | None:
    """The kind of the file system that holds `path`: the last mount at the longest place above it."""
    lines = _mounts() if mounts is None else mounts
    real = path.resolve()
    best, kind = -1, None
    for line in lines:
        place, found = _read(line)
        if found and (real == place or place in real.parents) and len(place.parts) >= best:
            best, kind = len(place.parts), found
    return kind


def _mounts() -> list[str]:
    try:
        return Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _read(line: str) -> tuple[Path, str]:
    """(place, kind) of a line `36 35 98:0 /root /place options … - kind source options`; spaces in places are `\\040`."""
    before, _, after = line.partition(" - ")
    words, kind = before.split(), after.split()
    if len(words) < 5 or not kind:
        return Path("/"), ""
    place = words[4].replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
    return Path(place), kind[0]

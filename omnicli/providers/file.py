"""Letters and cards as files, ready to print: unique names, atomic renames, in `outbox/live/` or the folder of the settings.

The effect can be looked up and a repeat writes the same file again, so a touch of it is never unknown (docs/delivery 9).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from omnicli.model.touch import Handed, Outcome
from omnicli.text import system_said
from omnicli.writing import write_whole

_ODD = re.compile(r"[^A-Za-z0-9._-]+")


def make(folder: Path) -> None:
    """The folder and what it stands in: whatever is made here is for its owner only, for letters name people. A folder that stands
    already keeps the rights that somebody gave it."""
    if not folder.is_dir():
        make(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def name_of(one: Handed, ending: str) -> str:
    """`bienvenue/j0/C0042-email-7c1e9a02b3d4.html`: the same touch has the same name for ever; contacts' ids are tamed."""
    who = _ODD.sub("-", one.contact).strip("-.")[:40] or "contact"
    return f"{_ODD.sub('-', one.campaign)}/{_ODD.sub('-', one.step)}/{who}-{one.channel}-{one.touch[:12]}.{ending}"


@dataclass(frozen=True)
class FileProvider:
    """One file a touch: `.html` of a letter or card, `.txt` of anything else."""

    folder: Path
    name: str = "file"
    channels: tuple[str, ...] = ("letter", "qr")
    batch: int = 200
    repeatable: bool = True
    account: str = "file"

    def send(self, handed: Sequence[Handed], *, now: datetime) -> list[Outcome]:
        return [self._one(one) for one in handed]

    def _one(self, one: Handed) -> Outcome:
        parts = dict(one.rendered.parts) if one.rendered else {}
        ending, text = ("html", parts["html"]) if "html" in parts else ("txt", "\n\n".join(parts.values()))
        name = name_of(one, ending)
        path = self.folder / name
        try:
            make(path.parent)
            write_whole(path, text, mode=0o644)
        except OSError as error:
            return Outcome("not_sent", code="file", detail=system_said(error), halt=True)
        return Outcome("accepted", ref=name)

    def close(self) -> None:
        """Nothing is open."""


def open_files(_project: Any, settings: Mapping[str, Any], root: Path, *, live: bool) -> FileProvider:
    return FileProvider(root / str(settings.get("folder", "outbox/live" if live else "outbox/files")))

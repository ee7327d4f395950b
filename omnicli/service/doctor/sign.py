"""One thing that the doctor looked at: well, wrong, or worth a word; and what mends it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.errors import OmniError
    from omnicli.store.connection import Store

State = Literal["well", "wrong", "note"]
WELL: State = "well"
WRONG: State = "wrong"
NOTE: State = "note"


@dataclass(frozen=True, slots=True)
class Sign:
    """`name` stays the same in every language; `fix` is a command or a setting; `figures` what a program reads of it."""

    name: str
    state: State
    text: str
    fix: str = ""
    figures: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Patient:
    """What is looked at. `store` is None when there is none yet, or when it cannot be read; `path` is where it is, or would be, and
    on PostgreSQL (`server`) what its side files are named after; `refused` why it cannot be opened."""

    loaded: Loaded
    path: Path
    store: Store | None
    now: datetime
    live: bool
    server: str | None = None
    refused: OmniError | None = None

    @property
    def flag(self) -> str:
        return " --live" if self.live else ""


Signs = Iterator[Sign]

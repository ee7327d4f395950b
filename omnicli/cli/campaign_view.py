"""How campaigns look in a list, in a terminal and in JSON: state, version, people, what is due and what is doubtful."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from omnicli.cli import rows
from omnicli.cli.rows import Cell, number
from omnicli.texts import t

if TYPE_CHECKING:
    import sqlalchemy as sa
    from rich.console import Console

    from omnicli.campaignfile import Loaded
    from omnicli.store.campaigns import Passage, Standing, Version
    from omnicli.store.connection import Store

STATE_STYLE = {"running": "bold green", "paused": "bold yellow", "stopped": "red", "finished": "blue", "draft": "dim"}


@dataclass(frozen=True, slots=True)
class Overview:
    """One campaign in a list. `errors` counts error-level findings of its file; `changed`: the file says something else."""

    name: str
    title: str
    state: str
    version: Version | None
    passage: Passage
    due: Mapping[str, int]
    doubtful: int
    doubtful_since: datetime | None
    changed: bool
    errors: int
    because: str | None = None
    paused_at: datetime | None = None


def overview(store: Store, loaded: Loaded, now: datetime) -> list[Overview]:
    """Every campaign of the files and of the store, by name."""
    from omnicli.store import campaigns

    with store.read() as connection:
        known = {row.name: row for row in campaigns.known(connection)}
        doubts = campaigns.doubtful(connection)
        names = sorted({*known, *loaded.campaigns})
        return [overview_of(connection, loaded, name, known.get(name), doubts, now) for name in names]


def overview_of(
    connection: sa.Connection, loaded: Loaded, name: str, row: Standing | None, doubts: Mapping[int, tuple[int, datetime]], now: datetime
) -> Overview:  # fmt: skip
    from omnicli.campaigns import versions
    from omnicli.store import campaigns
    from omnicli.store.campaigns import Passage

    file = loaded.campaigns.get(name)
    errors = len(loaded.errors(name))
    title = file.title if file is not None else t("(no file)", "(pas de fichier)")
    if row is None:
        return Overview(name, title, "draft", None, Passage(), {}, 0, None, False, errors)
    version = campaigns.version(connection, row.version_id) if row.version_id is not None else None
    changed = not errors and file is not None and versions.changed(connection, loaded, row)
    doubt = doubts.get(row.id, (0, None))
    return Overview(name, title, row.state, version, campaigns.passage(connection, row.id), campaigns.due(connection, row.id, now),
                    doubt[0], doubt[1], changed, errors, row.because, row.paused_at)  # fmt: skip


def as_json(o: Overview) -> dict[str, Any]:
    """One entry of `campaign list --json` and `status --json`."""
    return {
        "name": o.name, "title": o.title, "state": o.state, "version": version_json(o.version), "entered": o.passage.entered,
        "in_flight": o.passage.open, "held_out": o.passage.held_out, "converted": o.passage.converted, "due": dict(o.due),
        "unknown": o.doubtful, "changed": o.changed, "errors": o.errors, "because": o.because,
    }  # fmt: skip


def version_json(version: Version | None) -> dict[str, Any] | None:
    return None if version is None else {"number": version.number, "hash": version.hash, "applied_at": version.applied_at}


def notes(o: Overview) -> str:
    """What a person should know about it, in a few words."""
    found = []
    if o.errors:
        found.append(t("{n} errors in the file", "{n} erreurs dans le fichier", n=o.errors))
    if o.changed:
        found.append(t("file changed", "fichier modifié"))
    if o.doubtful:
        found.append(t("{n} unknown or parked", "{n} inconnus ou garés", n=o.doubtful))
    if o.because and o.state in ("paused", "stopped"):
        found.append(f"« {o.because} »")
    return " · ".join(found)


def show_list(console: Console, found: list[Overview], now: datetime) -> None:
    """The table of `campaign list`."""
    from omnicli.campaigns import life

    if not found:
        console.print(t("No campaign yet: campaigns/ is empty.", "Pas encore de campagne : campaigns/ est vide."))
        return
    head: list[Cell] = [(word, "dim") for word in (
        t("Campaign", "Campagne"), t("State", "État"), "Version", t("Entered", "Entrées"), t("Inside", "Dedans"), t("Due", "Dus"), "")]  # fmt: skip
    body: list[list[Cell]] = [
        [
            (o.name, "bold"), (life.state_word(o.state), STATE_STYLE[o.state]), o.version.label if o.version else "–",
            number(o.passage.entered), number(o.passage.open), number(o.due.get("people", 0) + o.due.get("touches", 0)),
            (notes(o) or o.title, "yellow" if notes(o) else "dim"),
        ]
        for o in found
    ]  # fmt: skip
    rows.lay(console, [head, *body], right=(3, 4, 5), shrink=6)


def zone_of(loaded: Loaded) -> ZoneInfo:
    assert loaded.project is not None
    return ZoneInfo(loaded.project.time_zone)

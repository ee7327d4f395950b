"""What a migration would do, before it does it: who leaves which versions, what refuses it, whose promise it breaks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from omnicli.campaignfile import resolve
from omnicli.campaigns import life, versions
from omnicli.errors import Exit, OmniError
from omnicli.lint import passages
from omnicli.lint.passages import Promise
from omnicli.model.campaign import Campaign, Migrate
from omnicli.model.flow import Flow
from omnicli.store import campaigns, positions
from omnicli.store.campaigns import Version
from omnicli.store.positions import Group
from omnicli.text import did_you_mean
from omnicli.texts import several, t

if TYPE_CHECKING:
    import sqlalchemy as sa

    from omnicli.campaignfile import Loaded
    from omnicli.store.connection import Store


@dataclass(frozen=True, slots=True)
class Intent:
    """A migration that may be carried out. `groups` are the people who move, `broken` the promises that `facts: new` takes
    back; `target` is None as long as the file is not applied (then only `-n` may ask)."""

    name: str
    campaign: Campaign
    migrate: Migrate
    campaign_id: int
    target: Version | None
    leaving: tuple[Version, ...]
    trees: Mapping[str, Campaign]
    groups: tuple[Group, ...]
    broken: tuple[Promise, ...]
    kept: tuple[Promise, ...]

    @property
    def people(self) -> int:
        return sum(g.people for g in self.groups)


def intend(store: Store, loaded: Loaded, name: str) -> Intent:
    """Read the file's `migrate:` against the store. OmniError: no such block, V005 (a version that the store does not know), V002
    (people who would have no place), a step that is nowhere (exit 1). Moves nobody."""
    campaign = life.authored(loaded, name)
    assert loaded.project is not None
    with store.read() as connection:
        row = life.known(connection, name, among=tuple(loaded.campaigns))
        migrate = _written(campaign)
        known = campaigns.versions(connection, row.id)
        found = resolve(campaign, loaded.project)
        applied = campaigns.version(connection, row.version_id) if row.version_id is not None else None
        target = applied if applied is not None and applied.hash == found.hash else None
        trees = {v.hash: versions.standing_tree(connection, v.id) for v in known}
        everybody = positions.groups(connection, row.id)
    groups, unknown = passages.leaving(everybody, {v.hash: f"v{v.number}" for v in known}, migrate)
    if unknown:
        raise _unknown(unknown, known)
    groups = [g for g in groups if g.version != found.hash]
    _places(campaign, migrate)
    if gone := passages.stranded(groups, trees, campaign, migrate.people):
        raise _stranded(gone, campaign)
    told = passages.promises(groups, trees, campaign)
    anew = {message for message, what in migrate.facts.items() if what == "new"}
    leaving = tuple(v for v in known if v.hash in {g.version for g in groups})
    return Intent(name, campaign, migrate, row.id, target, leaving, trees, tuple(groups),
                  tuple(p for p in told if p.message in anew), tuple(p for p in told if p.message not in anew))  # fmt: skip


def _written(campaign: Campaign) -> Migrate:
    if campaign.migrate is None:
        raise OmniError(
            t("the file of '{name}' has no migrate: block", "le fichier de « {name} » n'a pas de bloc migrate:", name=campaign.campaign),
            hint=t("write migrate: {{from: v1}} with the version that people leave (omni campaign show {name})",
                   "écrivez migrate: {{from: v1}} avec la version que les gens quittent (omni campaign show {name})", name=campaign.campaign),
            code="no-migrate",
        )  # fmt: skip
    return campaign.migrate


def _unknown(names: list[str], known: tuple[Version, ...]) -> OmniError:
    there = ", ".join(v.label for v in known)
    return OmniError(
        t("V005 the store knows no version '{v}'", "V005 la base ne connaît pas de version « {v} »", v=", ".join(names)),
        hint=t("there are: {there}", "il y a : {there}", there=there), code="V005", exit=Exit.FINDINGS,
    )  # fmt: skip


def _places(campaign: Campaign, migrate: Migrate) -> None:
    """Every name on the right of `people`, and every message and step that is named, must be there."""
    steps = Flow.of(campaign).nodes
    wrong = [(there, steps) for there in migrate.people.values() if there not in ("next", "exit") and there not in steps]
    wrong += [(step, steps) for step in migrate.timers if step not in steps]
    unknown = [(message, campaign.messages) for message in migrate.facts if message not in campaign.messages]
    for name, among in (*wrong, *unknown):
        said = t(
            "migrate: there is no '{name}' in this version.",
            "migrate : il n'y a pas de « {name} » dans cette version.",
            name=name,
        )
        raise OmniError(
            said + did_you_mean(name, among), hint=t("nobody was moved", "personne n'a bougé"), code="migrate", exit=Exit.FINDINGS
        )


def _stranded(gone: Mapping[str, int], new: Campaign) -> OmniError:
    said = " · ".join(
        several(n, ("step '{s}' {lost} and {n} person stands there", "step '{s}' {lost} and {n} people stand there"),
                ("l'étape « {s} » {lost} et {n} personne s'y trouve", "l'étape « {s} » {lost} et {n} personnes s'y trouvent"), s=step, lost=passages.lost(new, step))
        for step, n in gone.items()
    )  # fmt: skip
    first = next(iter(gone))
    return OmniError(
        f"V002 {said}" + t("; nobody was moved", " ; personne n'a bougé"),
        hint=t("add migrate.people: {{{s}: a step, next or exit}}", "ajoutez migrate.people: {{{s}: une étape, next ou exit}}", s=first),
        code="V002", exit=Exit.FINDINGS,
    )  # fmt: skip


def broken(promises: tuple[Promise, ...]) -> str:
    """V004 in words: how many were told what, and would read what."""
    listed = " · ".join(
        several(p.people, ("{n} person was told {f} = {old} and would read {new}", "{n} people were told {f} = {old} and would read {new}"),
                ("{n} personne a lu {f} = {old} et lirait {new}", "{n} personnes ont lu {f} = {old} et liraient {new}"),
                f=f"{p.message}.{p.fact}", old=p.old, new=p.new)
        for p in promises
    )  # fmt: skip
    return f"V004 {listed}"


def still_here(connection: sa.Connection, intent: Intent) -> bool:
    """Whether the version that people move to is still the applied one."""
    row = campaigns.find(connection, intent.name)
    return row is not None and intent.target is not None and row.version_id == intent.target.id

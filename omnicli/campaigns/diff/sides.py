"""The two sides of a diff: versions of the store by number or hash, the applied one, the file; or, without a store, a positions file.

A positions file (`omni status --positions`) holds the trees of versions and counts of people, no ids: what a pull request needs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnicli.campaignfile import resolve, revive
from omnicli.campaigns import life
from omnicli.errors import OmniError
from omnicli.model.campaign import Campaign
from omnicli.store import campaigns, positions
from omnicli.store.positions import Group
from omnicli.texts import t

if TYPE_CHECKING:
    import sqlalchemy as sa

    from omnicli.campaignfile import Loaded
    from omnicli.store.connection import Store

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Known:
    """One version: its number (None: only a file), hash and tree, and how many ever entered it."""

    number: int | None
    hash: str
    tree: str
    entered: int = 0

    @property
    def label(self) -> str:
        name = t("file", "fichier") if self.number is None else f"v{self.number}"
        return f"{name} · {self.hash[:7]}"

    @property
    def campaign(self) -> Campaign:
        return revive(self.tree)


@dataclass(frozen=True, slots=True)
class Base:
    """What is known of one campaign's people: its versions, the hash of the applied one, and where everybody stands."""

    versions: tuple[Known, ...]
    applied: str | None
    groups: tuple[Group, ...]


@dataclass(frozen=True, slots=True)
class Sides:
    name: str
    before: Known
    after: Known
    base: Base

    @property
    def groups(self) -> tuple[Group, ...]:
        """People of the version on the left."""
        return tuple(g for g in self.base.groups if g.version == self.before.hash)


# --- where they come from -------------------------------------------------------------------------------------------
def of_store(store: Store, name: str) -> Base:
    with store.read() as connection:
        row = campaigns.find(connection, name)
        if row is None:
            return Base((), None, ())
        return _base(connection, row.id, row.version_id)


def _base(connection: sa.Connection, campaign_id: int, version_id: int | None) -> Base:
    counts = positions.entered(connection, campaign_id)
    known = tuple(
        Known(v.number, v.hash, campaigns.tree(connection, v.id), counts.get(v.hash, 0))
        for v in campaigns.versions(connection, campaign_id)
    )
    applied = campaigns.version(connection, version_id).hash if version_id is not None else None
    return Base(known, applied, positions.groups(connection, campaign_id))


def of_file(file: Path, name: str) -> Base:
    """The same from a positions file; OmniError (exit 2) when it is none."""
    try:
        data = json.loads(file.read_text("utf-8"))
        data = data.get("result", data)
        if data["positions_format"] != FORMAT:
            raise ValueError(t("another format", "un autre format"))
        one = data["campaigns"].get(name)
        return Base((), None, ()) if one is None else _read(one)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        why = getattr(error, "strerror", None) or t("it holds no positions", "il ne contient pas de positions")
        raise OmniError(
            t("cannot read {file}: {why}", "impossible de lire {file} : {why}", file=file, why=why),
            hint="omni status --positions > positions.json", code="positions",
        ) from None  # fmt: skip


def _read(one: Mapping[str, Any]) -> Base:
    known = tuple(Known(v["number"], v["hash"], json.dumps(v["tree"], ensure_ascii=False, separators=(",", ":")), v["entered"])
                  for v in one["versions"])  # fmt: skip
    groups = tuple(
        Group(g["version"], g["step"], g["persona"], g["language"], g["told"], g["people"], g["timer"]) for g in one["people"]
    )
    return Base(known, one["applied"], groups)


def written(store: Store) -> dict[str, Any]:
    """What `omni status --positions` prints: trees and counts of every campaign. Of what was told only values that the file fixes are
    kept: what is told of a person (`from: contact.…`) stays in the store."""
    with store.read() as connection:
        found = {row.name: _base(connection, row.id, row.version_id) for row in campaigns.known(connection)}
    return {"positions_format": FORMAT, "campaigns": {name: _as_json(base) for name, base in found.items()}}


def _as_json(base: Base) -> dict[str, Any]:
    trees = {v.hash: v.campaign for v in base.versions}
    merged: dict[str, dict[str, Any]] = {}
    for g in base.groups:
        one = {
            "version": g.version,
            "step": g.step,
            "persona": g.persona,
            "language": g.language,
            "told": _public(g, trees[g.version]),
        }
        key = json.dumps(one, sort_keys=True)
        before = merged.get(key, {"people": 0, "timer": 0})
        merged[key] = {**one, "people": before["people"] + g.people, "timer": before["timer"] + g.timer}
    versions = [{"number": v.number, "hash": v.hash, "entered": v.entered, "tree": json.loads(v.tree)} for v in base.versions]
    return {"applied": base.applied, "versions": versions, "people": [merged[key] for key in sorted(merged)]}


def _public(g: Group, tree: Campaign) -> dict[str, dict[str, Any]]:
    from omnicli.render.facts import fixed_facts

    found: dict[str, dict[str, Any]] = {}
    for message, told in g.told.items():
        fixed = fixed_facts(tree.messages[message], g.persona, g.language) if message in tree.messages else {}
        found[message] = {name: value if name in fixed else [value[0], None] for name, value in told.items()}
    return found


# --- which two ------------------------------------------------------------------------------------------------------
def choose(loaded: Loaded, base: Base, name: str, a: str | None, b: str | None) -> Sides:
    """`v3`, a hash, `applied` or `file`; without any, what is applied against the file."""
    return Sides(name, _pick(loaded, base, name, a or "applied"), _pick(loaded, base, name, b or "file"), base)


def _pick(loaded: Loaded, base: Base, name: str, written: str) -> Known:
    if written == "file":
        assert loaded.project is not None
        found = resolve(life.authored(loaded, name), loaded.project)
        return Known(None, found.hash, found.tree)
    if written == "applied":
        if base.applied is None:
            if not base.versions and name not in loaded.campaigns:
                life.authored(loaded, name)  # says that there is none, and which is near
            raise OmniError(
                t("'{name}' was never applied: there is nothing to compare with", "« {name} » n'a jamais été appliquée : rien à quoi comparer", name=name),
                hint=f"omni campaign start {name}", code="not-started",
            )  # fmt: skip
        return next(v for v in base.versions if v.hash == base.applied)
    for v in base.versions:
        if written in (f"v{v.number}", str(v.number)) or (len(written) >= 4 and v.hash.startswith(written)):
            return v
    there = ", ".join(v.label for v in base.versions) or t("none", "aucune")
    raise OmniError(t("no version '{v}'", "pas de version « {v} »", v=written),
                    hint=t("there are: {there}; also file, applied", "il y a : {there} ; aussi file, applied", there=there), code="V005")  # fmt: skip

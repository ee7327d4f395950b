"""Family V: what applying this file, or carrying out its `migrate:`, means to the people in flight; speaks with a store beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from omnicli.campaignfile import resolve, revive
from omnicli.lint import passages
from omnicli.lint.ground import Chapter, Ground
from omnicli.lint.rule import rule
from omnicli.model.campaign import Campaign, Migrate
from omnicli.model.finding import Finding
from omnicli.store.positions import Group
from omnicli.texts import several, t


@dataclass(frozen=True, slots=True)
class _Moving:
    """One campaign whose file has a `migrate:`, and the people whom it moves."""

    chapter: Chapter
    migrate: Migrate
    new: Campaign
    trees: dict[str, Campaign]
    groups: tuple[Group, ...]
    unknown: tuple[str, ...]


def _chapters(ground: Ground) -> Iterator[Chapter]:
    """Campaigns without an error that is told already."""
    for chapter in ground.chapters:
        if not ground.loaded.errors(chapter.name):
            yield chapter


@lru_cache(maxsize=8)
def _moving(ground: Ground) -> tuple[_Moving, ...]:
    if ground.census is None:
        return ()
    found = []
    for chapter in _chapters(ground):
        migrate = chapter.campaign.migrate
        known = ground.census.versions(chapter.name)
        if migrate is None:
            continue
        now = resolve(chapter.campaign, ground.project)
        groups, unknown = passages.leaving(ground.census.groups(chapter.name), {v.hash: f"v{v.number}" for v in known}, migrate)
        trees = {v.hash: revive(v.tree) for v in known}
        mine = tuple(g for g in groups if g.version != now.hash)
        found.append(_Moving(chapter, migrate, revive(now.tree), trees, mine, tuple(unknown)))
    return tuple(found)


@rule("V001")
def not_applied(ground: Ground) -> Iterator[Finding]:
    for chapter in _chapters(ground) if ground.census is not None else ():
        assert ground.census is not None
        applied = ground.census.in_force(chapter.name)
        if applied is not None and applied != resolve(chapter.campaign, ground.project).hash:
            said = t("differs from the applied version {v}; omni campaign diff {name}", "diffère de la version appliquée {v} ; omni campaign diff {name}",
                     v=applied[:7], name=chapter.name)  # fmt: skip
            yield ground.finding("V001", ground.place(chapter.file, ("campaign",), key=True), said, path=("campaign",))


@rule("V002")
def stranded(ground: Ground) -> Iterator[Finding]:
    for m in _moving(ground):
        for step, n in passages.stranded(m.groups, m.trees, m.new, m.migrate.people).items():
            said = several(n, ("step '{s}' {lost} and {n} person stands there; add migrate.people", "step '{s}' {lost} and {n} people stand there; add migrate.people"),
                           ("l'étape « {s} » {lost} et {n} personne s'y trouve ; ajoutez migrate.people", "l'étape « {s} » {lost} et {n} personnes s'y trouvent ; ajoutez migrate.people"), s=step, lost=passages.lost(m.new, step))  # fmt: skip
            path = ("migrate", "people") if m.migrate.people else ("migrate",)
            yield ground.finding("V002", ground.place(m.chapter.file, path, key=True), said, path=path)


@rule("V003")
def wait_shortened(ground: Ground) -> Iterator[Finding]:
    for m in _moving(ground):
        for step, n in passages.shortened(m.groups, m.trees, m.new, m.migrate.timers).items():
            said = several(n, ("{n} person keeps the old timer of '{s}'", "{n} people keep the old timer of '{s}'"),
                           ("{n} personne garde l'ancien minuteur de « {s} »", "{n} personnes gardent l'ancien minuteur de « {s} »"), s=step)  # fmt: skip
            yield ground.finding("V003", ground.place(m.chapter.file, ("migrate",), key=True), said, path=("migrate",))


@rule("V004")
def promise_changed(ground: Ground) -> Iterator[Finding]:
    for m in _moving(ground):
        anew = {message for message, what in m.migrate.facts.items() if what == "new"}
        for p in passages.promises(m.groups, m.trees, m.new):
            if p.message in anew:
                said = several(p.people, ("{n} person was told {k} = {old}; the next touch would say {new}", "{n} people were told {k} = {old}; the next touch would say {new}"),
                               ("{n} personne a lu {k} = {old} ; le prochain envoi dirait {new}", "{n} personnes ont lu {k} = {old} ; le prochain envoi dirait {new}"),
                               k=p.fact, old=p.old, new=p.new)  # fmt: skip
                path = ("migrate", "facts", p.message)
                yield ground.finding("V004", ground.place(m.chapter.file, path), said, path=path)


@rule("V005")
def unknown_version(ground: Ground) -> Iterator[Finding]:
    for m in _moving(ground):
        for name in m.unknown:
            said = t("the store knows no version '{x}'", "la base ne connaît pas de version « {x} »", x=name)
            yield ground.finding("V005", ground.place(m.chapter.file, ("migrate", "from")), said, path=("migrate", "from"))

"""omni campaign test --replay: those who are under way, and what the file's version would have made of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnicli.errors import Exit, OmniError
from omnicli.texts import several, t

if TYPE_CHECKING:
    from rich.console import Console

    from omnicli.campaigns.underway import Difference, Replayed
    from omnicli.cli.frame import Session
    from omnicli.store.connection import Store


def replay(s: Session, names: Sequence[str], *, journal: Path | None = None, keep: Path | None = None) -> None:
    """Take every decision about people in flight again (of these campaigns, else of all), and leave with exit 1 where one differs.
    The people are the store's, or those of a `journal` that names nobody; `keep` writes such a file."""
    from omnicli.campaigns import unnamed
    from omnicli.campaigns.life import unknown
    from omnicli.campaigns.underway import replay as again

    if journal is not None and keep is not None:
        raise OmniError(t("--keep writes what --journal reads: give one of them", "--keep écrit ce que --journal lit : donnez l'un des deux"), code="usage")  # fmt: skip
    loaded = s.loaded()
    store = unnamed.read(journal) if journal is not None else s.store(create=False)
    for name in names:
        if name not in loaded.campaigns:
            raise unknown(name, loaded.campaigns)
    with s.progress(t("decisions", "décisions")) as step:
        found = again(store, loaded, tuple(names or loaded.campaigns), progress=step, drawn=journal is not None)
    written = _keep(s, store, tuple(names or loaded.campaigns), keep) if keep is not None else {}
    code = Exit.FINDINGS if any(one.fails for one in found) else Exit.FINE
    s.finish({"replay": [_as_json(one) for one in found], **written}, exit=code, show=lambda console: _show(console, found))


def _keep(s: Session, store: Store, names: tuple[str, ...], file: Path) -> dict[str, Any]:
    """Write the people under way into the file, without who they are."""
    from omnicli.campaigns import unnamed
    from omnicli.store.consents import pepper
    from omnicli.writing import write

    loaded = s.loaded()
    assert loaded.project is not None
    project = loaded.project.project
    text, kept = unnamed.keep(store, names, project=project, pepper=pepper(store, project))
    write(file, text)
    s.talk(t("Kept {n} and {d} in {file}: no name, address, text or id of anybody.", "{n} et {d} gardées dans {file} : ni nom, ni adresse, ni texte, ni identifiant de personne.",
             n=_people(kept.people), d=_decisions(kept.decisions), file=file))  # fmt: skip
    return {"kept": {"file": str(file), "people": kept.people, "decisions": kept.decisions, "left_out": kept.left_out}}


def _as_json(one: Replayed) -> dict[str, Any]:
    return {
        "campaign": one.campaign, "applied": one.applied, "file": one.version, "people": one.people, "decisions": one.decisions, "untold": one.untold,
        "defects": [_difference(d) for d in one.defects], "otherwise": [_difference(d) for d in one.otherwise], "unasked": dict(one.unasked),
        "stranded": dict(one.stranded),
        "promises": [{"message": p.message, "fact": p.fact, "told": p.old, "would_say": p.new, "people": p.people} for p in one.promises],
    }  # fmt: skip


def _difference(one: Difference) -> dict[str, Any]:
    return {"step": one.step, "then": one.then, "now": one.now, "people": len(one.people), "first": one.first, "at": one.at}


def _show(console: Console, found: Sequence[Replayed]) -> None:
    if not found:
        console.print(
            t("Nobody is under way: no campaign was started.", "Personne n'est en cours : aucune campagne n'a été lancée.")
        )
    for one in found:
        console.print(f"{one.campaign}  {_people(one.people)} · {_decisions(one.decisions)}", style="bold", soft_wrap=True)
        _version(console, t("{v} as applied", "{v} telle qu'appliquée", v=one.applied), one.defects,
                 t("a defect of omni: please report it", "un défaut d'omni : merci de le signaler"))  # fmt: skip
        if one.version is not None:
            _version(console, t("the file, {hash}", "le fichier, {hash}", hash=one.version[:7]), one.otherwise, "")
        if one.untold:
            console.print(t(" ! {n} more under way: the ledger keeps nothing on which their decisions could be taken again",
                            " ! {n} de plus en cours : le registre ne garde rien sur quoi reprendre leurs décisions", n=_people(one.untold)),
                          style="yellow", soft_wrap=True)  # fmt: skip
        for what, count in sorted(one.unasked.items()):
            console.print(t(" ! {n} depend on '{what}', which nobody asked then", " ! {n} dépendent de « {what} », que personne ne demandait alors",
                            n=_decisions(count), what=what), style="yellow", soft_wrap=True)  # fmt: skip
        for step, count in one.stranded.items():
            console.print(t(" ✘ {n} at '{step}', which the file does not have: migrate.people", " ✘ {n} à « {step} », que le fichier n'a pas : migrate.people",
                            n=_people(count), step=step), style="red", soft_wrap=True)  # fmt: skip
        for p in one.promises:
            console.print(t(" ✘ {n} were told {fact} = {old} by {message}; the file says {new}", " ✘ {n} ont lu {fact} = {old} dans {message} ; le fichier dit {new}",
                            n=_people(p.people), fact=p.fact, old=p.old, new=p.new, message=p.message), style="red", soft_wrap=True)  # fmt: skip


def _version(console: Console, name: str, differences: Sequence[Difference], hint: str) -> None:
    """Whether every decision comes out the same under one version, and the first of each kind that does not."""
    if not differences:
        console.print(
            t(" ✔ {name}: every decision comes out as it did", " ✔ {name} : chaque décision redonne la même", name=name),
            style="green",
        )
        return
    people = len(set().union(*(one.people for one in differences)))
    told = t(
        " ✘ {name}: {n} would have been decided otherwise",
        " ✘ {name} : {n} auraient connu une autre décision",
        name=name,
        n=_people(people),
    )
    console.print(f"{told} ({hint})" if hint else told, style="red", soft_wrap=True)
    for one in differences:
        console.print(t("     {step}: {then} then, {now} now   {n}, first {who}", "     {step} : {then} alors, {now} maintenant   {n}, d'abord {who}",
                        step=one.step, then=one.then, now=one.now, n=_people(len(one.people)), who=one.first), soft_wrap=True)  # fmt: skip


def _people(count: int) -> str:
    return several(count, ("{n} person", "{n} people"), ("{n} personne", "{n} personnes"))


def _decisions(count: int) -> str:
    return several(count, ("{n} decision", "{n} decisions"), ("{n} décision", "{n} décisions"))

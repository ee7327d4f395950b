"""What `omni campaign test` adds to stories: generated lives (`--fuzz`), what was not lived (`--coverage`), stories written (`--update`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from omnicli.cli.options import opt
from omnicli.texts import t

if TYPE_CHECKING:
    from rich.console import Console

    from omnicli.campaignfile import Loaded
    from omnicli.campaigns.scenario.coverage import Coverage
    from omnicli.campaigns.scenario.fuzz import FuzzReport
    from omnicli.campaigns.scenario.played import FilePlayed
    from omnicli.campaigns.scenario.update import Edit
    from omnicli.cli.frame import Session
    from omnicli.model.story import StoryFile

Fuzz = Annotated[int, opt("--fuzz", "so many generated lives a campaign", "autant de vies tirées par campagne", metavar="N", least=0, most=1_000_000)]  # fmt: skip
Seed = Annotated[
    int, opt("--seed", "the same seed, the same lives", "la même graine, les mêmes vies", metavar="S", least=0, most=2**53)
]
Covering = Annotated[
    bool, opt("--coverage", "what no scenario lived, as lines to write", "ce qu'aucun scénario n'a vécu, en lignes à écrire")
]
Least = Annotated[int | None, opt("--min", "fail below this percentage of steps and branches", "échouer sous ce pourcentage d'étapes et de branches", metavar="N", least=0, most=100)]  # fmt: skip
Update = Annotated[
    bool, opt("--update", "write observed stories and touches into the files", "écrire dans les fichiers les histoires observées")
]
Yes = Annotated[bool, opt("--yes", "answer yes", "répondre oui")]


# --- lives ----------------------------------------------------------------------------------------------------------
def generated(s: Session, loaded: Loaded, files: Sequence[StoryFile], lives: int, seed: int) -> list[FuzzReport]:
    """The lives of each file's campaign, judged by its `always`."""
    if not lives:
        return []
    from zoneinfo import ZoneInfo

    from omnicli.campaigns.scenario.expect import at_wall
    from omnicli.campaigns.scenario.fuzz import fuzz

    assert loaded.project is not None
    zone = ZoneInfo(loaded.project.time_zone)
    with s.progress(t("lives", "vies"), total=lives * len(files)) as step:
        return [
            fuzz(loaded, file.campaign, lives=lives, seed=seed, start=at_wall(file.start, zone), beside=file.campaigns[1:],
                 promises=[one.promise for one in file.always], progress=step)
            for file in files
        ]  # fmt: skip


def tell_lives(console: Console, reports: Sequence[FuzzReport]) -> None:
    """Each broken promise with its scenario to paste, else how many lives kept them all."""
    for report in reports:
        figures = t("{n} generated lives of {days} days", "{n} vies tirées de {days} jours", n=report.lives, days=report.days)
        if not report.found:
            kept = t("keep {m} promises", "tiennent {m} promesses", m=len(report.promises) + 6)
            console.print(f" ✔ {_whose(report)}: {figures} {kept} · {t('seed', 'graine')} {report.seed}")
        for one in report.found:
            shrunk = t("shrunk from {a} lines to {b}", "réduite de {a} lignes à {b}", a=one.lines, b=len(one.story))
            alone = shrunk if one.alone else t("only together with others", "seulement avec d'autres")
            console.print(f" ✘ {_whose(report)} always: {one.breach.promise}", style="bold")
            console.print(
                f"   {t('seed', 'graine')} {one.seed}, {t('life', 'vie')} {one.life}, {alone} · {t('{n} lives', '{n} vies', n=one.times)}"
            )
            console.print(f"   {one.breach.what}", soft_wrap=True)
            for line in one.scenario:
                console.print(f"   {line}", soft_wrap=True, markup=False, highlight=False)


def _whose(report: FuzzReport) -> str:
    """The campaign, and those that lived beside it: two files may ask about one campaign."""
    beside = ", ".join(report.beside)
    return report.campaign + (t(" beside {others}", " à côté de {others}", others=beside) if beside else "")


# --- coverage -------------------------------------------------------------------------------------------------------
def covered(loaded: Loaded, played: Sequence[FilePlayed]) -> list[Coverage]:
    """Of each campaign, over all its files."""
    from omnicli.campaigns.scenario.coverage import coverage

    names = dict.fromkeys(file.campaign for file in played)
    return [coverage(loaded, name, [one for file in played if file.campaign == name for one in file.scenarios]) for name in names]


def figures(found: Sequence[Coverage]) -> list[str]:
    """`steps 8 of 10`, `branches 5 of 8`, over all campaigns."""
    words = (("step", t("steps", "étapes")), ("branch", t("branches", "branches")))
    counts = {kind: [one.count(kind) for one in found] for kind, _ in words}
    return [t("{word} {n} of {all}", "{word} {n} sur {all}", word=word, n=sum(n for n, _ in counts[kind]), all=sum(m for _, m in counts[kind]))
            for kind, word in words]  # fmt: skip


def tell_coverage(console: Console, found: Sequence[Coverage], *, lines: bool) -> None:
    """Branches and steps nobody lived; with `lines` everything that is missing, as it would be written."""
    for one in found:
        if one.uncovered:
            name = f"{one.campaign}: " if len(found) > 1 else ""
            console.print(f"{t('not covered:', 'non couvert :')} {name}{one.uncovered}", soft_wrap=not console.is_terminal)
        if lines and one.missing:
            console.print(f"# campaigns/{one.campaign}.test.yaml", style="dim")
            for line in one.lines():
                console.print(f"  {line}", soft_wrap=True, markup=False, highlight=False)


# --- update ---------------------------------------------------------------------------------------------------------
def rewrite(s: Session, loaded: Loaded, files: Sequence[StoryFile], played: Sequence[FilePlayed], *, yes: bool) -> list[Edit]:
    """Show what would be written, and write it after a yes; what was written."""
    from omnicli.campaigns.scenario.update import edits, write

    def read(name: str) -> str:
        return (loaded.root / name).read_bytes().decode("utf-8")

    by_name = {file.file: file for file in files}
    found = [edit for one in played for edit in edits(loaded, by_name[one.file], one, read(one.file))]
    for edit in found:
        s.talk(f"{edit.file}:{edit.first}  {edit.scenario}")
        for sign, lines in (("-", edit.before), ("+", edit.lines)):
            for line in lines:
                s.talk(f"  {sign} {line.strip()}")
    if found:
        s.confirm_yes(t("write {n} changes into the files?", "écrire {n} changements dans les fichiers ?", n=len(found)), yes=yes)
    for name in dict.fromkeys(edit.file for edit in found):
        text = write(read(name), [edit for edit in found if edit.file == name])
        (loaded.root / name).write_bytes(text.encode("utf-8"))
    return found

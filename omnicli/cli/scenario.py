"""omni campaign test: live through the scenarios of the project on a virtual clock, and say where life differs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from omnicli.cli.campaign import app
from omnicli.cli.frame import session
from omnicli.cli.fuzzing import Covering, Fuzz, Least, Seed, Update, Yes
from omnicli.cli.options import one_of, opt, page
from omnicli.errors import Exit, OmniError
from omnicli.text import did_you_mean
from omnicli.texts import t
from omnicli.writing import write

if TYPE_CHECKING:
    from rich.console import Console

    from omnicli.campaignfile import Loaded
    from omnicli.campaignfile.stories import Stories
    from omnicli.cli.frame import Session
    from omnicli.model.story import StoryFile

FORMATS = ("term", "github")

Paths = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="PATH…",
        help=t("test files, or names of campaigns", "fichiers de tests, ou noms de campagnes"),
        show_default=False,
    ),
]
Named = Annotated[
    str | None,
    opt("-k", "only scenarios with this in their name", "seulement les scénarios dont le nom contient ceci", metavar="NAME"),
]
Traced = Annotated[
    str | None,
    opt(
        "--trace",
        "every decision of one scenario, with its premises",
        "chaque décision d'un scénario, avec ses prémisses",
        metavar="NAME",
    ),
]
Junit = Annotated[Path | None, opt("--junit", "write a JUnit file", "écrire un fichier JUnit", metavar="F")]
Format = Annotated[
    str, opt("--format", "github: annotations at their lines", "github : annotations à leur ligne", metavar="term|github")
]
Replay = Annotated[
    bool,
    opt("--replay", "the decisions about people under way, taken again", "les décisions sur les personnes en cours, reprises"),
]
Journal = Annotated[
    Path | None,
    opt("--journal", "replay the people of this file (--keep), not of the store", "reprendre les personnes de ce fichier (--keep), pas de la base",
        metavar="FILE"),
]  # fmt: skip
Keep = Annotated[
    Path | None,
    opt("--keep", "keep those replayed, without personal data", "garder les personnes reprises, sans donnée personnelle", metavar="FILE"),
]  # fmt: skip
Jobs = Annotated[int, opt("-j", "so many processes", "autant de processus", metavar="N", least=1, most=64)]


@app.command(
    "test",
    help=page(
        "omni campaign test",
        "Live through stories on a virtual clock, with the engine of run, and say where life differs.",
        "Vivre les histoires sur une horloge virtuelle, avec le moteur de run, et dire où la vie diffère.",
    ),
)
def live_through(
    paths: Paths = None, k: Named = None, trace: Traced = None, junit: Junit = None, format: Format = "term", j: Jobs = 1, replay: Replay = False,
    journal: Journal = None, keep: Keep = None,
    fuzz: Fuzz = 0, seed: Seed = 7, coverage: Covering = False, min: Least = None, update: Update = False, yes: Yes = False,
) -> None:  # fmt: skip
    import time

    from omnicli.campaigns.scenario import show
    from omnicli.campaigns.scenario.suite import chosen, suite
    from omnicli.cli import fuzzing

    s = session()
    if replay:
        from omnicli.cli.replaying import replay as again

        again(s, [path.rsplit("/", 1)[-1].split(".")[0] for path in paths or ()], journal=journal, keep=keep)
    if journal is not None or keep is not None:
        raise OmniError(t("--journal and --keep go with --replay", "--journal et --keep vont avec --replay"),
                        hint="omni campaign test --replay", code="usage")  # fmt: skip
    if s.live:
        raise OmniError(t("tests never touch the live environment", "les tests ne touchent jamais à l'environnement réel"),
                        hint="omni campaign test", code="usage")  # fmt: skip
    one_of("--format", format, FORMATS)
    loaded = s.loaded()
    stories = read(s, loaded, paths or ())
    files = stories.files
    if trace is not None:
        _trace(s, loaded, files, trace)
    if k is not None and not chosen(files, k):
        _no_scenario(files, k)
    began = time.perf_counter()
    with s.progress(t("scenarios", "scénarios"), total=len(chosen(files, k))) as step:
        played = suite(loaded, files, name=k, jobs=j, progress=step)
    seconds = time.perf_counter() - began
    if junit is not None:
        write(junit, show.junit(played))
    reports = fuzzing.generated(s, loaded, files, fuzz, seed)
    covered = fuzzing.covered(loaded, played)
    short = min is not None and any(one.percent < min for one in covered)
    failed = any(one.wrong for one in played) or short or any(one.found for one in reports)
    written = fuzzing.rewrite(s, loaded, files, played, yes=yes) if update else []

    def tell(console: Console) -> None:
        if format == "github":
            for line in show.github(played):
                console.print(line)
        show.show(console, played, tail=fuzzing.figures(covered), seconds=seconds if console.is_terminal else None)
        fuzzing.tell_coverage(console, covered, lines=coverage)
        fuzzing.tell_lives(console, reports)

    result = {**show.as_json(played), "coverage": {one.campaign: one.json() for one in covered}, "fuzz": [one.json() for one in reports],
              "written": len(written)}  # fmt: skip
    s.finish(result, exit=Exit.FINDINGS if failed else Exit.FINE, show=tell)


def read(s: Session, loaded: Loaded, paths: Sequence[str]) -> Stories:
    """The scenario files asked for (all without a path). OmniError (exit 2) when there is none, or one cannot be read; its findings
    are shown in place before."""
    from omnicli.campaignfile.stories import load_stories, story_files

    files = [one for path in paths for one in _named(s, loaded, path)] if paths else list(story_files(loaded.root))
    if not files:
        raise OmniError(t("there are no scenarios yet", "il n'y a pas encore de scénarios"),
                        hint=t("write campaigns/<name>.test.yaml, beside its campaign", "écrivez campaigns/<nom>.test.yaml, à côté de sa campagne"),
                        code="no-scenarios")  # fmt: skip
    stories = load_stories(loaded, files=dict.fromkeys(files))
    wrong = stories.errors()
    if not wrong:
        wanted = {campaign for one in stories.files for campaign in one.campaigns}
        wrong = tuple(f for name in sorted(wanted) for f in loaded.errors(name))
    if wrong:
        first = wrong[0]
        for one in wrong[1:] if not s.json else ():
            s.talk(f"{one.place.file}:{one.place.line}:{one.place.column}: {one.code} {one.message}")
        raise OmniError(f"{first.place.file}:{first.place.line}:{first.place.column}: {first.code} {first.message}",
                        hint="omni lint", code="unreadable-scenarios")  # fmt: skip
    return stories


def _named(s: Session, loaded: Loaded, path: str) -> list[str]:
    """The scenario files that a path or a campaign's name means."""
    from omnicli.campaignfile.stories import SUFFIX, campaign_of, story_files

    known = story_files(loaded.root)
    asked = path.rsplit("/", 1)[-1]
    name = asked.removesuffix(SUFFIX).removesuffix(".yaml")
    found = [
        file
        for file in known
        if file == path or file.endswith(f"/{name}{SUFFIX}") or (path == name and campaign_of(file) == name)
    ]
    if found:
        return found
    if name in loaded.campaigns and not asked.endswith(SUFFIX):
        raise OmniError(
            t("'{n}' has no scenarios", "« {n} » n'a pas de scénarios", n=name),
            hint=f"campaigns/{name}{SUFFIX}",
            code="no-scenarios",
        )
    names = [campaign_of(file) for file in known]
    raise OmniError(t("no scenario file '{p}'.", "pas de fichier de scénarios « {p} ».", p=path) + did_you_mean(name, names),
                    hint=", ".join(known), code="no-scenarios")  # fmt: skip


def _no_scenario(files: Sequence[StoryFile], name: str) -> None:
    names = [scenario.name for file in files for scenario in file.scenarios]
    raise OmniError(t("no scenario is called like '{n}'.", "aucun scénario ne s'appelle comme « {n} ».", n=name) + did_you_mean(name, names),
                    hint=" · ".join(names[:5]), code="no-scenarios")  # fmt: skip


def _trace(s: Session, loaded: Loaded, files: Sequence[StoryFile], name: str) -> None:
    """Print every decision of the one scenario of that name, as `omni contact why` does."""
    from omnicli.campaigns.scenario.suite import chosen, trace
    from omnicli.cli import why

    found = chosen(files, name)
    exact = [one for one in found if one[1].name == name] or found
    if not exact:
        _no_scenario(files, name)
    file, scenario = exact[0]
    explained = trace(loaded, file, scenario)
    result = {"file": file.file, "scenario": scenario.name, "people": [why.why_json(one) for one in explained]}

    def tell(console: Console) -> None:
        console.print(f"{file.file}:{scenario.line}  {scenario.name}", style="bold")
        for one in explained:
            why.show_why(console, one, None)

    s.finish(result, show=tell)

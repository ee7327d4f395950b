"""Scenario files: `campaigns/<name>.test.yaml` read into stories, with whatever is wrong in them. Never raises for bad files.

They stand beside what `load_project` reads: a mistake in a test keeps no campaign from being planned or run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from omnicli.campaignfile.load import Loaded
from omnicli.campaignfile.reader import raw, read_source
from omnicli.campaignfile.reading import Reading
from omnicli.campaignfile.source import KeyPath, Source
from omnicli.campaignfile.story_lines import Lines, Names
from omnicli.campaignfile.story_people import read_given, read_people
from omnicli.model import literals as lit
from omnicli.model.finding import Finding
from omnicli.model.promise import PHRASES, named, parse_promise
from omnicli.model.story import MANNERS, PATIENCE, Always, Environment, Manner, Person, Scenario, StoryFile, Wall
from omnicli.texts import t

SUFFIX = ".test.yaml"
KEYS = ("start", "campaign", "contacts", "with", "patience", "scenarios", "always")
SCENARIO_KEYS = ("name", "given", "start", "patience", "take", "for_each_arm", "environment", "story", "end", "skip")


@dataclass(frozen=True)
class Stories:
    """The scenario files of a project: those that could be read, in the order of their names, and what is wrong."""

    files: tuple[StoryFile, ...]
    findings: tuple[Finding, ...]
    sources: Mapping[str, Source]

    def errors(self, file: str | None = None) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if f.severity == "error" and (file is None or f.place.file == file))

    def of(self, campaign: str) -> tuple[StoryFile, ...]:
        """The files that test a campaign."""
        return tuple(one for one in self.files if one.campaign == campaign)


def story_files(root: Path) -> tuple[str, ...]:
    """The names of the scenario files of a project, relative to it."""
    folder = root / "campaigns"
    found = (
        sorted(path.name for path in folder.glob(f"*{SUFFIX}") if path.is_file() and not path.name.startswith("."))
        if folder.is_dir()
        else ()
    )
    return tuple(f"campaigns/{name}" for name in found)


def campaign_of(file: str) -> str:
    """The campaign that a file of that name belongs to, where it does not say another (`bienvenue.fetes.test.yaml`: bienvenue)."""
    return file.rsplit("/", 1)[-1].removesuffix(SUFFIX).split(".")[0]


def load_stories(loaded: Loaded, *, files: Iterable[str] | None = None, overlay: Mapping[str, bytes] | None = None) -> Stories:
    """Read the scenario files (all, or those named relative to the project). `overlay` (file → bytes) wins over the disk."""
    wanted = (
        tuple(files)
        if files is not None
        else tuple(sorted({*story_files(loaded.root), *(f for f in overlay or () if f.endswith(SUFFIX))}))
    )
    read: list[StoryFile] = []
    findings: list[Finding] = []
    sources: dict[str, Source] = {}
    for file in wanted:
        source, found = read_source(file, overlay[file] if overlay and file in overlay else raw(loaded.root, file))
        sources[file] = source
        findings.extend(found)
        if source.root is None or loaded.project is None:
            if not any(one.severity == "error" for one in found) and source.root is None:
                Reading(source, findings).say(
                    "S001",
                    (),
                    t("{file} is empty: it needs 'start' first", "{file} est vide : il lui faut d'abord « start »", file=file),
                )
            continue
        work = _File(Reading(source, findings), loaded)
        before = sum(one.severity == "error" for one in findings)
        story = work.read()
        if story is not None and sum(one.severity == "error" for one in findings) == before:
            read.append(story)
    findings.sort(key=lambda f: (f.place.file, f.place.line, f.place.column, f.code))
    return Stories(tuple(read), tuple(findings), MappingProxyType(sources))


class _File:
    """One file being read."""

    def __init__(self, reading: Reading, loaded: Loaded) -> None:
        assert loaded.project is not None
        self.reading, self.loaded, self.project = reading, loaded, loaded.project

    def read(self) -> StoryFile | None:
        """The file as a value; None when something that all stories need is missing."""
        r = self.reading
        meant = {"start": t("where the clock stands", "où se trouve l'horloge"), "scenarios": t("the stories", "les histoires")}
        if r.mapping((), KEYS, needs=meant) is None:
            return None
        campaigns = self._campaigns()
        self.start = r.wall(("start",)) if r.has(("start",)) else None
        self.patience = self._duration(("patience",)) or PATIENCE
        self.people = read_people(r, self.project)
        if not campaigns:
            return None
        self.names = Names(self.project, tuple(self.loaded.campaigns[name] for name in campaigns))
        scenarios = self._scenarios()
        always = self._always()
        if self.start is None:
            return None
        return StoryFile(r.source.file, campaigns, self.start, scenarios, always, MappingProxyType(self.people), self.patience)

    def _campaigns(self) -> tuple[str, ...]:
        """The campaign of the file, and those beside it; empty when there is no such campaign."""
        r, known = self.reading, tuple(self.loaded.campaigns)
        if r.has(("campaign",)):
            own = r.word(("campaign",), known)
        else:
            own = campaign_of(r.source.file)
            if own not in known:
                r.say("Y005", (), t("no campaign called '{n}': name the file after its campaign, or write 'campaign:'",
                                    "pas de campagne nommée « {n} » : donnez au fichier le nom de sa campagne, ou écrivez « campaign: »", n=own), key=True)  # fmt: skip
                return ()
        beside: list[str] = []
        if r.has(("with",)) and r.mapping(("with",), ("campaigns",)) is not None:
            words = (r.word(path, known) for path in r.sequence(("with", "campaigns")))
            beside = [word for word in words if word is not None and word != own]
        return (own, *dict.fromkeys(beside)) if own else ()

    def _duration(self, path: KeyPath) -> lit.Duration | None:
        return self.reading.literal(path, lit.Duration.parse) if self.reading.has(path) else None

    # --- scenarios --------------------------------------------------------------------------------------------------
    def _scenarios(self) -> tuple[Scenario, ...]:
        found: list[Scenario] = []
        names: dict[str, int] = {}
        for path in self.reading.sequence(("scenarios",)):
            scenario = self._scenario(path)
            if scenario is None:
                continue
            if scenario.name in names:
                message = t(
                    "the name '{n}' stands in line {l} already",
                    "le nom « {n} » figure déjà ligne {l}",
                    n=scenario.name,
                    l=names[scenario.name],
                )
                self.reading.say("S003", (*path, "name"), message)
            names.setdefault(scenario.name, self.reading.line((*path, "name"))[0])
            found.append(scenario)
        return tuple(found)

    def _scenario(self, path: KeyPath) -> Scenario | None:
        r = self.reading
        meant = {
            "name": t("what it tells", "ce qu'elle raconte"),
            "given": t("who lives it", "qui la vit"),
            "story": t("its lines", "ses lignes"),
        }
        here = r.mapping(path, SCENARIO_KEYS, needs=meant)
        if here is None:
            return None
        name = r.text((*path, "name")) if "name" in here else None
        given: tuple[Person, ...] = read_given(r, self.project, (*path, "given"), self.people) if "given" in here else ()
        start = r.wall((*path, "start")) if r.has((*path, "start")) else self.start
        take, holdout = self._take((*path, "take"))
        each = r.yes((*path, "for_each_arm")) if "for_each_arm" in here else False
        end = r.word((*path, "end"), ("open", "quiet")) if "end" in here else "open"
        skip = r.text((*path, "skip")) if "skip" in here else None
        environment = self._environment((*path, "environment"))
        story = Lines(r, self.names, given, start).read((*path, "story")) if r.has((*path, "story")) else ()
        if name is None or start is None or not given:
            return None
        return Scenario(
            name, r.line((*path, "name"))[0], given, story, start, self._duration((*path, "patience")) or self.patience, take, holdout,
            bool(each), environment, end == "quiet", skip,
        )  # fmt: skip

    def _take(self, path: KeyPath) -> tuple[dict[str, str], bool]:
        """Arms by split id, and whether the person is held out."""
        r, splits, found, holdout = self.reading, self.names.splits, {}, False
        if not r.has(path):
            return {}, False
        for key in r.mapping(path, (*splits, "holdout"), where="'take'") or ():
            if key == "holdout":
                holdout = bool(r.yes((*path, key)))
            elif key in splits and (arm := r.word((*path, key), splits[key])) is not None:
                found[key] = arm
        return found, holdout

    def _environment(self, path: KeyPath) -> Environment:
        r = self.reading
        if not r.has(path) or r.mapping(path, ("provider", "budget_left", "paused"), where="'environment'") is None:
            return Environment()
        provider: dict[str, Manner] = {}
        if r.has((*path, "provider")):
            for channel in r.mapping((*path, "provider"), self.project.channels) or ():
                if channel in self.project.channels and (manner := r.word((*path, "provider", channel), MANNERS)) is not None:
                    provider[channel] = manner
        left = r.literal((*path, "budget_left"), lit.Money.parse) if r.has((*path, "budget_left")) else None
        r.money((*path, "budget_left"), left, self.project)
        paused = r.yes((*path, "paused")) if r.has((*path, "paused")) else False
        return Environment(provider, left, bool(paused))

    # --- always -----------------------------------------------------------------------------------------------------
    def _always(self) -> tuple[Always, ...]:
        r, found = self.reading, []
        for path in r.sequence(("always",)) if r.has(("always",)) else ():
            text = r.text(path)
            promise = r.parsed(path, text, parse_promise) if text is not None else None
            if promise is None or text is None:
                continue
            if all(self._named(path, text, kind, name) for kind, name in named(promise)):
                found.append(Always(text, promise, *r.line(path)))
        return tuple(found)

    def _named(self, path: KeyPath, text: str, kind: str, name: str) -> bool:
        known: Mapping[str, Sequence[str]] = {
            "channel": tuple(self.project.channels), "event": self.names.events, "message": self.names.messages,
        }  # fmt: skip
        return self.reading.among(path, name, known[kind], start=max(text.rfind(name), 0))


__all__ = ["PHRASES", "Stories", "Wall", "campaign_of", "load_stories", "story_files"]

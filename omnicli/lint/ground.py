"""What a rule stands on: the files as read, the names in force, and the making of findings at a place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnicli.lint.rule import catalogue
from omnicli.model.campaign import Campaign
from omnicli.model.finding import Edit, Finding, Fix, Place
from omnicli.model.flow import Flow
from omnicli.model.project import Project
from omnicli.model.vocabulary import Vocabulary, vocabulary

if TYPE_CHECKING:
    from datetime import datetime

    from omnicli.campaignfile import Loaded
    from omnicli.lint.census import Census
    from omnicli.lint.coherence.grid import Grid, OneReader, Reading

Path_ = tuple[str | int, ...]


@dataclass(frozen=True, eq=False)
class Chapter:
    """One campaign of the project with its file, its flow and the names that its conditions may use."""

    name: str
    file: str
    campaign: Campaign
    flow: Flow
    names: Vocabulary


class Ground:
    """The project as lint sees it. `now` dates the rules that compare with today; `census` answers those that need numbers,
    where a store stands beside the project; `templates` (file → text) win over those on the disk, as an editor or a mutation
    has them. `only` (campaign, message) narrows the renderings, `reader` cuts them to one person of the store; `online`: pages
    behind links may be asked for."""

    def __init__(
        self, loaded: Loaded, *, now: datetime, census: Census | None = None, templates: Mapping[str, str] | None = None
    ) -> None:
        assert loaded.project is not None
        self.loaded = loaded
        self.project: Project = loaded.project
        self.now = now
        self.census = census
        self.root: Path = loaded.root
        self.overlay: Mapping[str, str] = templates or {}
        self.only: tuple[str, str] | None = None
        self.reader: OneReader | None = None
        self.online = False
        #: Campaigns whose renderings are known to be without a finding, and how many they are: nobody needs to look again.
        self.clean: Mapping[str, int] = {}
        self._compared = 0

    @cached_property
    def chapters(self) -> tuple[Chapter, ...]:
        """The campaigns that could be read, by name."""
        found = []
        for name, campaign in sorted(self.loaded.campaigns.items()):
            names = vocabulary(self.project, campaign, self.loaded.campaigns)
            found.append(Chapter(name, self.loaded.file_of(name), campaign, Flow.of(campaign), names))
        return tuple(found)

    @cached_property
    def names(self) -> Vocabulary:
        """The names that conditions of `omni.yaml` may use."""
        return vocabulary(self.project, None, self.loaded.campaigns)

    @cached_property
    def templates(self) -> Mapping[str, str]:
        """Relative path of each template → its text, sorted."""
        folder = self.root / "templates"
        files = sorted(folder.glob("*.j2")) if folder.is_dir() else []
        found = {f"templates/{path.name}": path for path in files}
        read = {file: path.read_text("utf-8", errors="replace") for file, path in found.items() if file not in self.overlay}
        return dict(sorted({**read, **self.overlay}.items()))

    @cached_property
    def grid(self) -> Grid:
        """The renderings of this lint, made when they are asked for."""
        from omnicli.lint.coherence.grid import Grid

        return Grid(self)

    @property
    def compared(self) -> int:
        """How many renderings were looked at so far, or when what is known of them was found."""
        return (
            self.grid.count + sum(self.clean.values()) if "grid" in self.__dict__ else self._compared + sum(self.clean.values())
        )

    @compared.setter
    def compared(self, count: int) -> None:
        self._compared = count

    def renderings(self, campaign: str | None = None, message: str | None = None) -> Iterator[Reading]:
        """What people read of each message that the campaigns send, of one campaign or message when it is named."""
        from omnicli.lint.coherence.grid import zone_known

        if not zone_known(self.project.time_zone):  # T005 says so; no day could be reckoned
            return
        named = message is not None or self.only is not None
        for chapter, name, sent in self.messages:
            wanted = self.only is None or self.only == (chapter.name, name)
            if (
                wanted
                and (named or sent)
                and campaign in (None, chapter.name)
                and message in (None, name)
                and chapter.name not in self.clean
            ):
                yield from self.grid.of(chapter, name)

    @cached_property
    def messages(self) -> tuple[tuple[Chapter, str, bool], ...]:
        """Every message that can be read, and whether a step sends it."""
        from omnicli.lint.coherence.grid import readable

        found = []
        for chapter in self.chapters:
            sent = {getattr(node.step, "send", None) for node in chapter.flow.sends}
            found += [(chapter, name, name in sent) for name, said in chapter.campaign.messages.items() if readable(said)]
        return tuple(found)

    @cached_property
    def languages(self) -> tuple[str, ...]:
        """The project's languages, but those that could not be read."""
        return tuple(language for language in self.project.languages if isinstance(language, str))

    def place(self, file: str, path: Path_, *, key: bool = False) -> Place:
        return self.loaded.locate(file, path, key=key)

    def finding(
        self, code: str, place: Place, message: str, *, path: Path_ = (), help: str = "", fix: Fix | None = None,
        where: Mapping[str, Any] | None = None,
    ) -> Finding:  # fmt: skip
        """A finding of the rule `code` at the place."""
        row = catalogue()[code]
        return Finding(code, row.name, row.severity, place, message, ".".join(str(p) for p in path), help, fix, dict(where or {}))


def within(place: Place, column: int, width: int) -> Place:
    """The span of `width` characters at 1-based `column` of a plain scalar that stands on one line at `place`."""
    if place.end_line != place.line:
        return place
    start = place.column + column - 1
    return replace(place, column=start, end_column=start + max(1, width))


def rename(place: Place, text: str, *, title: str, safe: bool = True) -> Fix:
    """The fix that writes `text` over the span."""
    return Fix(title, (Edit(place, text),), safe)


def walk(value: Any, path: Path_ = ()) -> Iterator[tuple[Path_, Any]]:
    """Every value of nested mappings and lists with its path."""
    yield path, value
    if isinstance(value, str):
        return
    if isinstance(value, dict) or isinstance(value, Mapping):  # noqa: SIM101 - nearly all are dicts, and asking for Mapping is slow
        for key, inner in value.items():
            yield from walk(inner, (*path, key))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from walk(inner, (*path, index))

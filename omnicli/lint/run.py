"""Run the rules over a project: the loader's findings, then every check of every family, minus what is silenced.

A bug in a rule is a finding of its own (`bug`), told after the other rules have run.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from omnicli.lint.rule import CHECKS, catalogue
from omnicli.lint.shares import Said, Which
from omnicli.model.finding import Finding, Place, Severity

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.campaignfile.stories import Stories
    from omnicli.lint.census import Census
    from omnicli.lint.ground import Ground

FAMILIES = (
    "references", "flow", "conditions", "templates", "languages", "times", "experiments", "goals", "keys", "personas", "media", "mails", "messages", "typed", "offers", "addresses",
)  # fmt: skip
RANK = {"error": 0, "warning": 1, "info": 2}
DRAFT = frozenset("YSRJ")
QUIET_IN_TEAM = frozenset("XPC")
#: Rules that weigh more in a profile than their row says (docs/lint 2: G003 is a warning in production).
HEAVIER: dict[str, dict[str, Severity]] = {"production": {"G003": "warning"}}


@dataclass(frozen=True)
class Report:
    """What lint found, sorted by file, line, column, code. `files` are those that were looked at; `unreadable`: there was no
    making sense of `omni.yaml`, so that no rule could be asked; `compared`: how many renderings the rules looked at."""

    findings: tuple[Finding, ...]
    files: tuple[str, ...]
    profile: str
    silenced: tuple[Finding, ...] = ()
    bugs: tuple[str, ...] = ()
    seconds: float = 0.0
    sources: dict[str, Sequence[str]] = field(default_factory=dict, repr=False)
    unreadable: bool = False
    compared: int = 0

    def worst(self, fail_on: str | None = None) -> bool:
        """True when a finding is at or above what fails: `fail_on`, else the profile's own level."""
        level = fail_on or ("warning" if self.profile == "production" else "error")
        return bool(self.bugs) or any(RANK[f.severity] <= RANK[level] for f in self.findings)


@dataclass(frozen=True, slots=True)
class Found:
    """What all rules said of a project, before it is cut to what was asked for; `files` and `lines` are of all files."""

    findings: Sequence[Finding]
    silenced: Sequence[Finding]
    bugs: Sequence[str]
    files: Sequence[str]
    lines: Mapping[str, Sequence[str]]
    profile: str
    compared: int
    unreadable: bool = False

    def report(
        self, *, files: Iterable[str] = (), select: Iterable[str] = (), ignore: Iterable[str] = (), began: float
    ) -> Report:
        """The findings in these files and of these rules; `began` is what `time.perf_counter` said at the start."""
        wanted, chosen, ignored = set(files), set(select), set(ignore)
        kept = [
            f
            for f in self.findings
            if _in_profile(f, self.profile) and _chosen(f, chosen, ignored) and (not wanted or f.place.file in wanted)
        ]
        return Report(
            _in_order(set_once(kept)), tuple(file for file in self.files if not wanted or file in wanted), self.profile, _in_order(self.silenced),
            tuple(self.bugs), time.perf_counter() - began, dict(self.lines), self.unreadable, self.compared,
        )  # fmt: skip


def _in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda f: (f.place.file, f.place.line, f.place.column, f.code, f.message)))


def lint(
    loaded: Loaded, *, now: datetime, profile: str | None = None, files: Iterable[str] = (), select: Iterable[str] = (),
    ignore: Iterable[str] = (), census: Census | None = None, stories: Stories | None = None, ground: Ground | None = None,
) -> Report:  # fmt: skip
    """Every finding of the project, cut to `files` (relative paths; none means all) and to the selected families.

    `stories`: the scenario files that were read beside the project; what is wrong in them is told too.
    `census`: what the store beside the project knows; without one the rules that need numbers stay silent.
    `select` and `ignore` hold codes, families or names (`M`, `C005`, `sms-encoding`). `ground`: one that was prepared, narrowed to
    one message or one reader.
    """
    began = time.perf_counter()
    found = find(loaded, now=now, profile=profile, select=select, census=census, stories=stories, ground=ground)
    return found.report(files=files, select=select, ignore=ignore, began=began)


def find(
    loaded: Loaded, *, now: datetime, profile: str | None = None, select: Iterable[str] = (), census: Census | None = None,
    stories: Stories | None = None, ground: Ground | None = None, processes: int = 1,
) -> Found:  # fmt: skip
    """Everything that the rules of the profile say of the whole project (`lint` without its cuts). `processes`: how many may look at
    renderings where there are many."""
    findings = list(loaded.findings)
    silenced: list[Finding] = []
    bugs: list[str] = []
    chosen = profile or (loaded.project.lint.profile if loaded.project else "team")
    sources = {**loaded.sources, **(stories.sources if stories is not None else {})}
    findings += stories.findings if stories is not None else ()
    looked = sorted(sources)
    lines: dict[str, Sequence[str]] = {file: source.lines for file, source in sources.items()}
    if loaded.project is not None:
        from omnicli.lint.ground import Ground
        from omnicli.lint.suppress import silence

        ground = ground or Ground(loaded, now=now, census=census)
        looked += list(ground.templates)
        lines.update({file: text.splitlines() for file, text in ground.templates.items()})
        broken = _all_rules(ground, findings, chosen, set(select), processes)
        bugs += broken
        findings, silenced = silence(findings, ground, today=now.date())
    findings = [replace(f, severity=heavier) if (heavier := HEAVIER.get(chosen, {}).get(f.code)) else f for f in findings]
    compared = ground.compared if loaded.project is not None and ground else 0
    return Found(findings, silenced, bugs, looked, lines, chosen, compared, loaded.project is None)


def _all_rules(ground: Ground, findings: list[Finding], profile: str, select: set[str], processes: int) -> list[str]:
    """Ask every rule; what those about renderings said is kept for the next time. Gives the rules that broke."""
    from omnicli.lint import kept, shares

    whole = not select and profile != "draft"
    key = kept.key_of(ground) if whole else None
    known = kept.read(ground.root, key) if key is not None else None
    families = FAMILIES if ground.census is None else (*FAMILIES, "counts", "versions")
    families = (*families, "pages") if ground.online else families
    rendered = {f"omnicli.lint.rules.{family}" for family in kept.FAMILIES}
    for family in families:
        if known is None or family not in kept.FAMILIES:
            importlib.import_module(f"omnicli.lint.rules.{family}")
    keys = kept.chapter_keys(ground) if key is not None and known is None else {}
    told = kept.chapters(ground.root, keys)
    ground.clean = {name: compared for name, (_, compared) in told.items()}
    ask = partial(_ask, ground, profile, select, rendered)
    said = shares.ask(ground, processes if whole else 1, ask) if known is None else ask("others")
    of_renderings = _of_renderings(ground, said.found, told, rendered)
    if known is not None:
        ground.compared = known[1]
        of_renderings = known[0]
    elif key is not None and not said.broken:
        kept.write(ground.root, key, of_renderings, ground.compared)
        kept.write_chapters(ground, keys, of_renderings)
    findings += [*of_renderings, *(one for module, one in said.found if module not in rendered)]
    return said.broken


def _of_renderings(
    ground: Ground, said: list[tuple[str, Finding]], told: Mapping[str, tuple[list[Finding], int]], rendered: set[str]
) -> list[Finding]:
    """What was said now, and what is kept of campaigns that were not rendered: all that is said of their files."""
    files = {chapter.file for chapter in ground.chapters if chapter.name in told}
    fresh = [one for module, one in said if module in rendered and one.place.file not in files]
    return [*fresh, *(one for found, _ in told.values() for one in found)]


def _ask(ground: Ground, profile: str, select: set[str], rendered: set[str], which: Which) -> Said:
    """What each rule says: all of them, those about renderings (`rendered` are their modules), or the others."""
    said = Said()
    for code, check in CHECKS.items():
        of_renderings = check.__module__ in rendered
        if not _asked(code, profile, select) or (which == "others" if of_renderings else which == "rendered"):
            continue
        try:
            said.found += [(check.__module__, one) for one in check(ground)]
        except Exception as error:
            if _silenced(error):
                said.stumbled |= of_renderings
            else:
                said.broken.append(f"{code}: {type(error).__name__}: {error}")
    return said


def _asked(code: str, profile: str, select: set[str]) -> bool:
    """False for a rule that nobody would hear: its family is outside the profile or the selection."""
    family = code.rstrip("0123456789")
    if select and not {code, catalogue()[code].name, family} & select:
        return "Z" in select or any(word.startswith("Z") for word in select)
    return profile != "draft" or family in DRAFT or family == "L"


def _silenced(error: Exception) -> bool:
    """True when a rule stumbled over the unknown value that stands where a finding is told already: it stays silent then."""
    return "UNKNOWN" in str(error) or "Unknown'" in str(error) or str(error).endswith("Unknown")


def set_once(findings: Iterable[Finding]) -> list[Finding]:
    """The findings without repeats of the same code, place and message."""
    seen: dict[tuple[str, Place, str], Finding] = {}
    for finding in findings:
        seen.setdefault((finding.code, finding.place, finding.message), finding)
    return list(seen.values())


def _in_profile(finding: Finding, profile: str) -> bool:
    family = finding.code.rstrip("0123456789")
    if profile == "draft":
        return family in DRAFT or (family == "L" and finding.severity == "error")
    return not (profile == "team" and finding.severity == "info" and family in QUIET_IN_TEAM)


def _chosen(finding: Finding, select: set[str], ignore: set[str]) -> bool:
    names = {finding.code, finding.name, finding.code.rstrip("0123456789")}
    return (not select or bool(names & select)) and not names & ignore


def relative(root: Path, path: Path) -> str:
    """The path as findings write it: relative to the project, with forward slashes."""
    resolved = path.resolve()
    try:
        return resolved.relative_to(root.resolve()).as_posix()
    except ValueError:
        return path.as_posix()


def known_words() -> list[str]:
    """Codes, names and families, for suggestions."""
    rules = catalogue()
    return [*rules, *(rule.name for rule in rules.values()), *sorted({rule.family for rule in rules.values()})]

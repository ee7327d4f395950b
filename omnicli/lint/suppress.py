"""Suppressions: comments beside the line, on the file, and `lint.ignore` of the project; each wants its reason.

`# omni: ignore[F005] because: two channels, one moment` at the end of the line or alone on the line above;
`# omni: ignore-file[C005] because: …` in the first ten lines; `{# omni: ignore[M002] because: … #}` in templates.
Families and codes that protect people are not silenced in a file (docs/lint 3).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatch
from typing import TYPE_CHECKING

from omnicli.lint.rule import catalogue
from omnicli.model.finding import Edit, Finding, Fix, Place
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.lint.ground import Ground

_COMMENT = re.compile(r"omni:\s*ignore(?P<file>-file)?\[(?P<codes>[^\]]*)\](?:\s*because:\s*(?P<because>.*?))?\s*(?:#\}|$)")
_TEMPLATE = re.compile(r"\{#.*?#\}", re.S)
ONLY_IN_PROJECT = frozenset({"K001", "K002", "V002", "V004", "M015"})
NOWHERE = frozenset({"L002", "L012"})


@dataclass(frozen=True, slots=True)
class Suppression:
    """One comment: the codes or names it silences, from `first` to `last` line of its file (0 to 0: the whole file)."""

    place: Place
    codes: tuple[str, ...]
    because: str
    first: int
    last: int

    def covers(self, finding: Finding) -> bool:
        if finding.place.file != self.place.file or not {finding.code, finding.name} & set(self.codes):
            return False
        return self.first == 0 or self.first <= finding.place.line <= self.last


def comments(ground: Ground) -> list[Suppression]:
    """Every suppression comment of the campaign files, of `omni.yaml` and of the templates."""
    found: list[Suppression] = []
    for file, source in ground.loaded.sources.items():
        for line, column, text in source.comments:
            found += _read(file, line, column, text, alone=not source.lines[line - 1][: column - 1].strip())
    for file, text in ground.templates.items():
        for match in _TEMPLATE.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            column = match.start() - text.rfind("\n", 0, match.start())
            alone = not text.splitlines()[line - 1].replace(match[0], "").strip()
            found += _read(file, line, column, match[0], alone=alone)
    return found


def _read(file: str, line: int, column: int, text: str, *, alone: bool) -> list[Suppression]:
    match = _COMMENT.search(text)
    if not match or (match["file"] and line > 10):
        return []
    codes = tuple(code.strip() for code in match["codes"].split(",") if code.strip())
    first, last = (0, 0) if match["file"] else (line, line + 1 if alone else line)
    return [Suppression(Place.at(file, line, column, len(text)), codes, (match["because"] or "").strip(), first, last)]


def silence(findings: Iterable[Finding], ground: Ground, *, today: date) -> tuple[list[Finding], list[Finding]]:
    """(findings that stay, with those about suppressions themselves; findings that were silenced)."""
    notes = comments(ground)
    used: set[int] = set()
    kept: list[Finding] = []
    silenced: list[Finding] = []
    for finding in findings:
        index = next((i for i, note in enumerate(notes) if note.covers(finding) and _may(finding)), None)
        if index is not None:
            used.add(index)
            silenced.append(finding)
        elif _ignored_by_project(finding, ground, today):
            silenced.append(finding)
        else:
            kept.append(finding)
    for index, note in enumerate(notes):
        kept += _judge(note, ground, used=index in used)
    return kept, silenced


def _may(finding: Finding) -> bool:
    return not finding.code.startswith("L") and finding.code not in ONLY_IN_PROJECT


def _judge(note: Suppression, ground: Ground, *, used: bool) -> list[Finding]:
    known: Mapping[str, object] = {**catalogue(), **{rule.name: rule for rule in catalogue().values()}}
    if not used and all(code in known for code in note.codes):
        fix = Fix(t("take it out", "l'enlever"), (Edit(note.place, ""),))
        return [ground.finding("Z001", note.place, t("nothing to ignore here", "rien à ignorer ici"), fix=fix)]
    if used and not note.because:
        return [ground.finding("Z002", note.place, t("add 'because: …'", "ajoutez « because: … »"))]
    return []


def _ignored_by_project(finding: Finding, ground: Ground, today: date) -> bool:
    for entry in ground.project.lint.ignore:
        if entry.rule not in (finding.code, finding.name) or finding.code in NOWHERE:
            continue
        if entry.path and not fnmatch(finding.place.file, entry.path):
            continue
        if entry.until and str(entry.until) < today.isoformat():
            continue
        return True
    return False

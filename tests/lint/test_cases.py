"""Every rule has a bad case that yields exactly that code at exactly that span, and the good project yields nothing.

A case stands in `cases/<family>.yaml`: `file`, `old` (once in the good file) and `new`, in which «…» marks where the
finding must stand; `with` are further replacements; `also` are codes that the same mistake honestly yields too.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from omnicli import clock
from omnicli.campaignfile import load_project
from omnicli.lint import mend
from omnicli.lint.rule import catalogue
from omnicli.lint.run import Report, lint
from omnicli.model.finding import Finding

HERE = Path(__file__).parent
NOW = clock.read_instant("2026-12-01 10:00", "UTC")


def cases() -> list[tuple[str, dict[str, Any]]]:
    found = []
    for path in sorted((HERE / "cases").glob("*.yaml")):
        for name, case in yaml.safe_load(path.read_text("utf-8")).items():
            found.append((name, case))
    return found


def a_project(folder: Path) -> Path:
    shutil.copytree(HERE / "project", folder / "project")
    return folder / "project"


_SAID: dict[tuple[tuple[str, bytes], ...], Report] = {}


def report_of(root: Path) -> Report:
    """What lint says of the project; files that were looked at once in this run are not looked at again."""
    files = tuple(sorted((path.relative_to(root).as_posix(), path.read_bytes()) for path in root.rglob("*") if path.is_file()))
    if files not in _SAID:
        _SAID[files] = lint(load_project(root), now=NOW, profile="production")
    return _SAID[files]


def spoil(root: Path, case: dict[str, Any]) -> tuple[str, int, int, int, int] | None:
    """Make the case's mistake; gives the marked span (file, line, column, end line, end column) when one is marked."""
    span = None
    for change in [case, *case.get("with", [])]:
        path = root / change["file"]
        if change.get("remove"):
            path.unlink()
            continue
        text = path.read_text("utf-8") if path.exists() else ""
        old, new = change.get("old", ""), change["new"]
        if old:
            assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {change['file']}"
        bare = new.replace("«", "").replace("»", "")
        if "«" in new:
            start = (text.index(old) if old else 0) + new.index("«")
            end = (text.index(old) if old else 0) + new.index("»") - 1
            after = text.replace(old, bare) if old else bare
            span = (change["file"], *position(after, start), *position(after, end))
        path.write_text(text.replace(old, bare) if old else bare, "utf-8")
    return span


def position(text: str, offset: int) -> tuple[int, int]:
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def shown(findings: tuple[Finding, ...]) -> str:
    return "\n".join(
        f"{f.place.file}:{f.place.line}:{f.place.column}-{f.place.end_column} {f.code} {f.message}" for f in findings
    )


def test_the_good_project_yields_nothing(tmp_path: Path) -> None:
    found = report_of(a_project(tmp_path))
    assert not found.findings, shown(found.findings)
    assert not found.bugs


@pytest.mark.parametrize(("name", "case"), cases(), ids=[name for name, _ in cases()])
def test_the_bad_case_yields_its_code_at_its_place(name: str, case: dict[str, Any], tmp_path: Path) -> None:
    code = name.split(" ")[0]
    root = a_project(tmp_path)
    span = spoil(root, case)
    found = report_of(root)
    assert not found.bugs
    mine = [f for f in found.findings if f.code == code]
    assert mine, f"no {code}:\n{shown(found.findings)}"
    others = {f.code for f in found.findings} - {code, *case.get("also", [])}
    assert not others, shown(found.findings)
    if span is not None:
        spans = [(f.place.file, f.place.line, f.place.column, f.place.end_line, f.place.end_column) for f in mine]
        assert span in spans, f"expected {span}:\n{shown(found.findings)}"
    for words in case.get("says", []):
        assert any(words in f.message + f.help for f in mine), shown(found.findings)


@pytest.mark.parametrize(
    ("name", "case"),
    [(n, c) for n, c in cases() if catalogue()[n.split(" ")[0]].fix],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_fix_mends_its_finding_and_nothing_else_and_once_is_enough(name: str, case: dict[str, Any], tmp_path: Path) -> None:
    code = name.split(" ")[0]
    root = a_project(tmp_path)
    spoil(root, case)
    fixable = [f for f in report_of(root).findings if f.code == code and f.fix]
    if not fixable:
        pytest.skip("this mistake has no single meaning to mend it to")
    mend.mend(root, lambda: tuple(f for f in report_of(root).findings if f.code == code), unsafe=True, write=True)
    after = report_of(root)
    assert not [f for f in after.findings if f.code == code and f.fix], shown(after.findings)
    assert not {f.code for f in after.findings} - {code, *case.get("also", [])}, shown(after.findings)


def test_every_rule_has_a_case() -> None:
    covered = {name.split(" ")[0] for name, _ in cases()}
    elsewhere = {
        "S006",  # this language has no earlier version yet; the mechanism: tests/campaignfile
        "C003",  # a mail of 102 kB: tests/lint/test_weights.py
        "S008",  # an unset ${NAME} is told when it is first needed: tests/test_settings.py
    }
    with_a_store = {code for code, rule in catalogue().items() if rule.needs == "n"}  # tests/lint/test_counts.py
    online = {code for code, rule in catalogue().items() if rule.needs == "o"}  # tests/lint/test_pages.py
    assert set(catalogue()) - covered - elsewhere - with_a_store - online == set()


def test_every_page_is_complete_in_both_languages() -> None:
    for rule in catalogue().values():
        for texts in (rule.what, rule.why, rule.configure):
            assert texts["en"]
            assert texts["fr"]
            assert texts["en"] != texts["fr"]
        assert rule.bad != rule.good

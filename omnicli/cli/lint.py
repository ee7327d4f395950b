"""`omni lint`: what is wrong in the project's files, where, why it matters and how to mend it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from omnicli import clock, writing
from omnicli.cli.frame import Session, session
from omnicli.cli.options import one_of
from omnicli.errors import Exit, OmniError
from omnicli.text import did_you_mean
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.lint.run import Found, Report

app = typer.Typer(add_completion=False)

_HELP = t(
    "omni lint campaigns/bienvenue.yaml\n\nSay what is wrong in the project's files, where, why it matters, and how to mend it. "
    "Needs no store, no network and no account. What it says about law is not legal advice.",
    "omni lint campaigns/bienvenue.yaml\n\nDire ce qui ne va pas dans les fichiers du projet, où, pourquoi, et comment le réparer. "
    "Sans base, sans réseau, sans compte. Ce qui touche au droit n'est pas un conseil juridique.",
)


@app.command(help=_HELP)
def lint(
    paths: Annotated[list[Path] | None, typer.Argument(help=t("files or folders; none means all", "fichiers ou dossiers ; aucun : tous"), metavar="PATH…")] = None,
    fix: Annotated[bool, typer.Option("--fix", help=t("apply safe fixes", "appliquer les réparations sûres"))] = False,
    unsafe_fixes: Annotated[bool, typer.Option("--unsafe-fixes", help=t("with --fix: the unsafe ones too", "avec --fix : aussi celles à vérifier"))] = False,
    show_diff: Annotated[bool, typer.Option("--diff", help=t("print what --fix would change, write nothing", "montrer ce que --fix changerait"))] = False,
    select: Annotated[str, typer.Option("--select", metavar="CODES", help=t("only these rules or families: R,F005", "ces règles ou familles seulement : R,F005"))] = "",
    ignore: Annotated[str, typer.Option("--ignore", metavar="CODES", help=t("all but these: C005", "toutes sauf celles-ci : C005"))] = "",
    profile: Annotated[str | None, typer.Option("--profile", metavar="draft|team|production", help=t("how strict", "avec quelle sévérité"))] = None,
    format: Annotated[list[str] | None, typer.Option("--format", metavar="full|concise|json|jsonl|github|markdown", help=t("how findings are shown", "la forme des constats"))] = None,
    output: Annotated[list[Path] | None, typer.Option("-o", "--output", metavar="FILE", help=t("a file for the format before it", "un fichier pour le format qui précède"))] = None,
    fail_on: Annotated[str | None, typer.Option("--fail-on", metavar="error|warning|info", help=t("exit 1 from this severity on", "code 1 à partir de cette gravité"))] = None,
    changed_since: Annotated[str | None, typer.Option("--changed-since", metavar="REF", help=t("only files that git says changed", "seulement les fichiers changés selon git"))] = None,
    baseline: Annotated[Path | None, typer.Option("--baseline", metavar="FILE", help=t("findings that are known already", "les constats déjà connus"))] = None,
    write_baseline: Annotated[Path | None, typer.Option("--write-baseline", metavar="FILE", help=t("keep today's findings as known", "garder les constats d'aujourd'hui"))] = None,
    watch: Annotated[bool, typer.Option("--watch", help=t("lint again on a change", "recommencer à chaque changement"))] = False,
    exit_zero: Annotated[bool, typer.Option("--exit-zero", help=t("exit 0 whatever is found", "sortie 0 quoi qu'il arrive"))] = False,
    as_of: Annotated[str | None, typer.Option("--as-of", metavar="T", help=t("the day that dates are compared with", "le jour auquel comparer les dates"))] = None,
) -> None:  # fmt: skip
    s = session()
    formats = _formats(s, format or [])
    one_of("--profile", profile, ("draft", "team", "production"))
    one_of("--fail-on", fail_on, ("error", "warning", "info"))
    root = _root(s, paths)
    now = _now(as_of)
    chosen = {"select": _codes(select, "--select"), "ignore": _codes(ignore, "--ignore"), "profile": profile}

    def find() -> Report:
        return _lint(root, now, _files(root, paths, changed_since), chosen)

    if fix or show_diff:
        _mend(s, root, find, unsafe=unsafe_fixes, write=fix and not show_diff, only_diff=show_diff)
    report = _without(find(), baseline, write_baseline)
    _show(s, report, formats, output or [])
    while watch:
        _wait_for_change(root)
        _show(s, find(), formats, [])
    code = Exit.FINDINGS if report.worst(fail_on) and not exit_zero else Exit.FINE
    if report.unreadable:
        code = Exit.USAGE
    if s.json:
        from omnicli.lint.report import result

        s.finish(result(report), exit=code)
    raise typer.Exit(code)


def _lint(root: Path, now: datetime, files: list[str], chosen: dict[str, Any]) -> Report:
    """The report of the project, told again where nothing has changed since it was kept."""
    from omnicli.lint import unchanged

    began = time.perf_counter()
    what = {"profile": chosen["profile"], "select": chosen["select"]}
    key = unchanged.key_of(root, **what)
    if key is not None and (known := unchanged.again(root, key, now=now, files=files, ignore=chosen["ignore"], began=began)):
        return known
    found, zone = _find(root, now, what)
    if key is not None and key == unchanged.key_of(root, **what):
        unchanged.keep(root, key, found, now=now, zone=zone)
    return found.report(files=files, select=chosen["select"], ignore=chosen["ignore"], began=began)


def _find(root: Path, now: datetime, what: dict[str, Any]) -> tuple[Found, str]:
    """All that the rules say of the project, and its time zone."""
    from omnicli.campaignfile import load_project
    from omnicli.campaignfile.stories import load_stories
    from omnicli.lint.run import find

    loaded = load_project(root)
    what = {**what, "now": now, "stories": load_stories(loaded), "processes": os.cpu_count() or 1}
    zone = str(loaded.project.time_zone) if loaded.project is not None else ""
    from omnicli.app import standing

    store = standing(loaded) if loaded.project is not None else None
    if store is None:
        return find(loaded, **what), zone
    from omnicli.lint.census import census

    with census(store, now=now) as base:
        return find(loaded, census=base, **what), zone


def _now(as_of: str | None) -> datetime:
    if as_of is None:
        return clock.now()
    try:
        return clock.read_instant(as_of, "UTC")
    except ValueError as error:
        raise OmniError(str(error), code="usage") from None


def _root(s: Session, paths: list[Path] | None) -> Path:
    """The project of the first path given, else the one that `-C` or the folder says."""
    from omnicli.app import find_root

    for path in paths or ():
        if not path.exists():
            near = did_you_mean(path.name, [p.name for p in path.parent.iterdir()]) if path.parent.is_dir() else ""
            raise OmniError(t("there is no {path}", "il n'y a pas de {path}", path=path) + "." + near, code="usage")
        if s.options.project is None:
            start = path.resolve()
            for folder in (start, *start.parents):
                if (folder / "omni.yaml").is_file():
                    return folder
    return find_root(s.options.project)


def _files(root: Path, paths: list[Path] | None, changed_since: str | None) -> list[str]:
    from omnicli.lint.run import relative

    found: list[str] = []
    for path in paths or ():
        if path.resolve() == root.resolve():
            return []
        if path.is_dir():
            inside = [*path.rglob("*.yaml"), *path.rglob("*.j2")]
            found += [relative(root, p) for p in inside]
        else:
            found.append(relative(root, path))
    if changed_since:
        found += _changed(root, changed_since)
        return found or [""]
    return found


def _changed(root: Path, reference: str) -> list[str]:
    asked = subprocess.run(
        ["git", "diff", "--name-only", "--relative", reference, "--"], cwd=root, capture_output=True, text=True, check=False
    )
    if asked.returncode:
        raise OmniError(f"git: {asked.stderr.strip().splitlines()[0] if asked.stderr else reference}", code="usage")
    return [name for name in asked.stdout.splitlines() if name]


def _codes(text: str, option: str) -> list[str]:
    from omnicli.lint.run import known_words

    codes = [code.strip() for code in text.split(",") if code.strip()]
    known = known_words() if codes else []
    for code in codes:
        if code not in known:
            raise OmniError(t("{option}: no rule or family '{code}'.", "{option} : ni règle ni famille « {code} ».", option=option, code=code)
                            + did_you_mean(code, known), hint="omni rules", code="usage")  # fmt: skip
    return codes


def _formats(s: Session, given: list[str]) -> list[str]:
    from omnicli.lint.report import FORMATS

    for name in given:
        one_of("--format", name, FORMATS)
    if given:
        if "json" in given:
            s.options.json = True
        return given
    if os.environ.get("GITHUB_ACTIONS") == "true":
        return ["github"]
    return ["full" if sys.stdout.isatty() else "concise"]


def _show(s: Session, report: Report, formats: list[str], outputs: list[Path]) -> None:
    from omnicli.lint import report as reports

    for index, name in enumerate(formats):
        if name == "json" or (s.json and index >= len(outputs)):
            continue
        if name == "full" and index >= len(outputs):
            reports.show_full(report, s.console())
            continue
        text = reports.TEXT["concise" if name == "full" else name](report)
        if index < len(outputs):
            writing.write(outputs[index], text + "\n")
        elif text:
            print(text)
    if os.environ.get("GITHUB_STEP_SUMMARY") and "github" in formats:
        with Path(os.environ["GITHUB_STEP_SUMMARY"]).open("a", encoding="utf-8") as handle:
            handle.write(reports.markdown(report)[: 2**20 - 1024] + "\n")
    for bug in report.bugs:
        s.warn(t("a rule broke (a bug in omni): {bug}", "une règle a cassé (un défaut d'omni) : {bug}", bug=bug))
    if not s.json:
        for line in reports.summary(report):
            s.talk(line)


def _mend(s: Session, root: Path, find: Any, *, unsafe: bool, write: bool, only_diff: bool) -> None:
    from omnicli.lint import mend

    changes, made = mend.mend(root, lambda: find().findings, unsafe=unsafe, write=write)
    if only_diff:
        text = mend.diff(changes)
        if text:
            print(text)
        raise typer.Exit(Exit.FINDINGS if changes else Exit.FINE)
    s.talk(t("Mended {n} places in {files} files.", "{n} endroits réparés dans {files} fichiers.", n=made, files=len(changes)))


def _without(report: Report, baseline: Path | None, write: Path | None) -> Report:
    """The report without the findings that the baseline knows; `write` keeps today's as known."""
    import json
    from dataclasses import replace

    if write is not None:
        writing.write(write, json.dumps(sorted({f.fingerprint for f in report.findings}), indent=1) + "\n")
    if baseline is None:
        return report
    try:
        known = set(json.loads(baseline.read_text("utf-8")))
    except (OSError, ValueError):
        raise OmniError(
            t("{path} is no baseline", "{path} n'est pas une liste de constats connus", path=baseline),
            hint="omni lint --write-baseline FILE",
            code="usage",
        ) from None
    return replace(report, findings=tuple(f for f in report.findings if f.fingerprint not in known))


def _wait_for_change(root: Path) -> None:
    def stamp() -> tuple[tuple[str, int], ...]:
        files = [root / "omni.yaml", *sorted((root / "campaigns").glob("*.yaml")), *sorted((root / "templates").glob("*.j2"))]
        return tuple((str(file), file.stat().st_mtime_ns) for file in files if file.exists())

    before = stamp()
    while stamp() == before:
        time.sleep(0.3)

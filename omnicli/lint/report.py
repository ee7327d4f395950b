"""Findings as people and programs read them: full, concise, json, jsonl, github, markdown. Pure text from a Report."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from omnicli.lint.run import RANK, Report
from omnicli.model.finding import Finding
from omnicli.text import printable, width
from omnicli.texts import several, t

if TYPE_CHECKING:
    from rich.console import Console

LETTER = {"error": "E", "warning": "W", "info": "I"}
STYLE = {"error": "bold red", "warning": "bold yellow", "info": "bold cyan"}
FORMATS = ("full", "concise", "json", "jsonl", "github", "markdown")


def severity_word(severity: str) -> str:
    return {"error": t("error", "erreur"), "warning": t("warning", "avertissement"), "info": t("info", "information")}[severity]


def show_full(report: Report, console: Console) -> None:
    """Position, code, message, source line, caret under the token, fix and help; then the summary."""
    from rich.padding import Padding
    from rich.text import Text

    for finding in report.findings:
        head = Text(f"{place_of(finding)}: ")
        head.append(severity_word(finding.severity), style=STYLE[finding.severity])
        head.append(f" {finding.code}", style="bold").append(f" {finding.name}", style="dim")
        console.print(head)
        console.print(Padding(Text(printable(finding.message)), (0, 0, 0, 4), expand=False))
        if seen := _where(finding):
            console.print(Padding(Text(printable(seen), style="dim"), (0, 0, 0, 4), expand=False))
        line = _source_line(report, finding)
        if line is not None:
            number = str(finding.place.line)
            shown, caret = crop(*caret_line(line, finding), columns=max(40, console.width - len(number) - 4))
            console.print(Text(" " * len(number) + " |", style="dim"))
            console.print(Text(f"{number} | ", style="dim").append(shown, style="not dim"))
            console.print(Text(" " * len(number) + " | ", style="dim").append(caret, style=STYLE[finding.severity]))
        if finding.fix:
            unsafe = "" if finding.fix.safe else t(" (unsafe)", " (à vérifier)")
            command = "omni lint --fix" if finding.fix.safe else "omni lint --fix --unsafe-fixes"
            console.print(
                Text("    = fix  ", style="green")
                .append(f"{printable(finding.fix.title)}{unsafe}", style="default")
                .append(f"    {command}", style="dim")
            )
        if finding.help:
            console.print(Text("    = help ", style="green").append(printable(finding.help), style="default"))
        console.print()


def _where(finding: Finding) -> str:
    """`in offre × sms × fr   (12 renderings)`."""
    count = finding.where.get("renderings")
    if not count:
        return ""
    grid = " × ".join(
        str(finding.where[key]) for key in ("message", "channel", "persona", "language", "contact") if key in finding.where
    )
    words = several(count, ("{n} rendering", "{n} renderings"), ("{n} rendu", "{n} rendus"))
    return t("in {grid}   ({n})", "dans {grid}   ({n})", grid=grid, n=words)


def place_of(finding: Finding) -> str:
    return f"{finding.place.file}:{finding.place.line}:{finding.place.column}"


def _source_line(report: Report, finding: Finding) -> str | None:
    lines = report.sources.get(finding.place.file)
    if lines is None or not 1 <= finding.place.line <= len(lines):
        return None
    return lines[finding.place.line - 1].rstrip("\n")


def caret_line(line: str, finding: Finding) -> tuple[str, str]:
    """The source line with tabs expanded and invisible characters dropped, and the caret line below it (display width)."""
    start = finding.place.column - 1
    end = finding.place.end_column - 1 if finding.place.end_line == finding.place.line else len(line)
    before, token = line[:start], line[start : max(end, start + 1)]
    shown = printable(line.expandtabs(4))
    pad = width(printable(before.expandtabs(4)))
    return shown, " " * pad + "^" * max(1, min(width(printable(token)), 100))


def crop(line: str, caret: str, *, columns: int) -> tuple[str, str]:
    """Both lines cut to the screen's width, with the caret in sight; an ellipsis stands where something was cut."""
    if width(line) <= columns:
        return line, caret
    start = len(caret) - len(caret.lstrip())
    first = max(0, min(start - columns // 3, len(line) - columns + 1))
    shown = ("…" if first else "") + line[first + bool(first) :]
    shown = shown[: columns - 1] + "…" if len(shown) > columns else shown
    return shown, caret[first:][:columns]


def concise(report: Report) -> str:
    """`file:line:col: E R001 message`, one line each."""
    return "\n".join(f"{place_of(f)}: {LETTER[f.severity]} {f.code} {printable(f.message)}" for f in report.findings)


def as_json(finding: Finding) -> dict[str, Any]:
    """The fields of one finding (docs/consistency 5)."""
    place = finding.place
    return {
        "code": finding.code, "name": finding.name, "severity": finding.severity, "file": place.file, "line": place.line,
        "column": place.column, "end_line": place.end_line, "end_column": place.end_column, "path": finding.path,
        "message": finding.message, "help": finding.help,
        "fix": {"title": finding.fix.title, "safe": finding.fix.safe} if finding.fix else None,
        "where": finding.where, "renderings": finding.where.get("renderings", 0), "fingerprint": finding.fingerprint,
    }  # fmt: skip


def counts(findings: Sequence[Finding]) -> dict[str, int]:
    return {f"{severity}s": sum(f.severity == severity for f in findings) for severity in RANK}


def result(report: Report) -> dict[str, Any]:
    """What stands under `result` of the JSON object."""
    summary = {**counts(report.findings), "silenced": len(report.silenced), "profile": report.profile,
               "fixable_safe": sum(bool(f.fix and f.fix.safe) for f in report.findings),
               "fixable_unsafe": sum(bool(f.fix and not f.fix.safe) for f in report.findings)}  # fmt: skip
    return {
        "findings": [as_json(f) for f in report.findings],
        "summary": summary,
        "files": list(report.files),
        "bugs": list(report.bugs),
    }


def jsonl(report: Report) -> str:
    rows = [json.dumps(as_json(f), ensure_ascii=False) for f in report.findings]
    return "\n".join([*rows, json.dumps({"summary": result(report)["summary"]}, ensure_ascii=False)])


def github(report: Report, prefix: str = "") -> str:
    """Workflow commands, errors first; data and properties escaped so that no text can inject a command."""
    level = {"error": "error", "warning": "warning", "info": "notice"}
    rows = []
    for f in sorted(report.findings, key=lambda f: RANK[f.severity]):
        p = f.place
        properties = (
            f"file={_property(prefix + p.file)},line={p.line},col={p.column},endLine={p.end_line},endColumn={p.end_column},"
            f"title={_property(f'omni ({f.code})')}"
        )
        fix = f"\n= fix {f.fix.title}" if f.fix else ""
        rows.append(f"::{level[f.severity]} {properties}::{_data(f.message + fix)}")
    return "\n".join(rows)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def markdown(report: Report) -> str:
    """A table by file, for comments and job summaries."""
    if not report.findings:
        return t("No findings.", "Rien à signaler.")
    rows = ["| | code | place | message |", "|---|---|---|---|"]
    for f in report.findings:
        message = f.message.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")
        rows.append(f"| {severity_word(f.severity)} | {f.code} | `{place_of(f)}` | {message} |")
    return "\n".join(rows)


def _seconds(report: Report) -> str:
    return f"{report.seconds:.1f}".replace(".", t(".", ","))


def _compared(report: Report) -> str:
    """` · 72 renderings compared`."""
    if not report.compared:
        return ""
    return several(
        report.compared,
        (" · {n} rendering compared", " · {n} renderings compared"),
        (" · {n} rendu comparé", " · {n} rendus comparés"),
    )


def summary(report: Report) -> list[str]:
    """The closing lines: how many findings in how many files, what can be fixed."""
    number = counts(report.findings)
    files = len({f.place.file for f in report.findings})
    if not report.findings:
        return [
            t(
                "0 findings in {n} files{compared} · {s} s",
                "0 constat dans {n} fichiers{compared} · {s} s",
                n=len(report.files),
                compared=_compared(report),
                s=_seconds(report),
            )
        ]
    parts = [several(number[key], *words) for key, words in {
        "errors": (("{n} error", "{n} errors"), ("{n} erreur", "{n} erreurs")),
        "warnings": (("{n} warning", "{n} warnings"), ("{n} avertissement", "{n} avertissements")),
        "infos": (("{n} note", "{n} notes"), ("{n} note", "{n} notes")),
    }.items() if number[key]]  # fmt: skip
    lines = [t("{n} findings ({parts}) in {f} of {files} files{compared} · {s} s", "{n} constats ({parts}) dans {f} fichiers sur {files}{compared} · {s} s",
               compared=_compared(report), n=len(report.findings), parts=", ".join(parts), f=files, files=len(report.files), s=_seconds(report))]  # fmt: skip
    safe = sum(bool(f.fix and f.fix.safe) for f in report.findings)
    unsafe = sum(bool(f.fix and not f.fix.safe) for f in report.findings)
    explain = t("Any code: omni explain {code}", "Un code : omni explain {code}", code=report.findings[0].code)
    if safe or unsafe:
        lines.append(t("{n} can be fixed: {safe} safe, {unsafe} unsafe.   {explain}", "{n} peuvent être réparés : {safe} sûrs, {unsafe} à vérifier.   {explain}",
                       n=safe + unsafe, safe=safe, unsafe=unsafe, explain=explain))  # fmt: skip
    else:
        lines.append(explain)
    return lines


TEXT: dict[str, Callable[[Report], str]] = {"concise": concise, "jsonl": jsonl, "github": github, "markdown": markdown}

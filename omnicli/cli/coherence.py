"""omni message check without --mutate: the findings about what messages promise, in the renderings where they are seen."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from omnicli.cli.frame import session
from omnicli.errors import Exit, OmniError
from omnicli.texts import several, t

if TYPE_CHECKING:
    from datetime import datetime

    from rich.console import Console

    from omnicli.campaignfile import Loaded
    from omnicli.cli.frame import Session
    from omnicli.lint.coherence.grid import OneReader
    from omnicli.lint.ground import Ground
    from omnicli.lint.run import Report

#: What a check asks: promises, personas, channels, languages; not style that only production minds.
FAMILIES = ("M", "P", "C", "I")


def compare(name: str | None, *, contact: str | None, online: bool, profile: str | None, as_of: str | None) -> None:
    """Carry out the command; exit 1 when there is an error."""
    from omnicli.lint.ground import Ground
    from omnicli.lint.run import lint

    s = session()
    loaded = s.loaded()
    if errors := loaded.errors():
        from omnicli.model.finding import foremost

        raise OmniError(
            several(len(errors), ("a file cannot be read: its messages cannot be rendered", "{n} errors in the files: the messages cannot be rendered"),
                    ("un fichier ne peut être lu : ses messages ne peuvent être rendus", "{n} erreurs dans les fichiers : les messages ne peuvent être rendus")),
            hint=foremost(errors), code="findings", exit=Exit.FINDINGS,
        )  # fmt: skip
    now = s.now(as_of)
    ground = Ground(loaded, now=now)
    ground.online = online
    ground.only = _only(loaded, name)
    life = _one_reader(s, loaded, ground, contact, now) if contact else []
    report = lint(loaded, now=now, profile=profile, select=FAMILIES, ground=ground)
    report = _of(report, ground)
    _finish(s, report, ground, life, contact)


def _only(loaded: Loaded, name: str | None) -> tuple[str, str] | None:
    from omnicli.cli.message import _the_message

    if name is None:
        return None
    campaign, message = _the_message(loaded, name)
    return campaign.campaign, message


def _of(report: Report, ground: Ground) -> Report:
    """The report without what is about other messages."""
    from dataclasses import replace

    if ground.only is None:
        return report
    campaign, message = ground.only
    file = ground.loaded.file_of(campaign)
    kept = [
        f
        for f in report.findings
        if (f.place.file == file and f.path.startswith(f"messages.{message}."))
        or f.path == f"messages.{message}"
        or message in str(f.where.get("message", "")).split(", ")
    ]
    return replace(report, findings=tuple(kept))


def _one_reader(s: Session, loaded: Loaded, ground: Ground, contact: str, now: datetime) -> list[dict[str, Any]]:
    """Cut the renderings to one person of the store, who keeps what they were told; gives the touches they had of the message."""
    from omnicli.store import sent

    if ground.only is None:
        raise OmniError(
            t("--contact wants the name of a message", "--contact veut le nom d'un message"),
            hint="omni message list",
            code="usage",
        )
    campaign, message = ground.only
    ground.reader = _reader(s, loaded, campaign, contact, now)
    with s.store(create=False).read() as connection:
        listed, _ = sent.touches(connection, campaign=campaign, contact=ground.reader.sample.name, limit=500)
    return [
        {"touch": one.touch, "at": one.at.isoformat(), "channel": one.channel, "step": one.step, "state": one.state}
        for one in reversed(listed)
        if one.message == message
    ]


def _reader(s: Session, loaded: Loaded, campaign: str, contact: str, now: datetime) -> OneReader:
    import sqlalchemy as sa

    from omnicli import clock
    from omnicli.cli.reader import person_of
    from omnicli.lint.coherence.grid import OneReader
    from omnicli.store import tables as tb

    person = person_of(s.store(create=False), loaded, loaded.campaigns[campaign], contact, now=now)
    e, c, k = tb.enrollment.c, tb.contact.c, tb.campaign.c
    query = (
        sa.select(e.told, e.entered_at).join(tb.contact, c.id == e.contact_id).join(tb.campaign, k.id == e.campaign_id)
        .where(c.source_id == person.name, k.name == campaign).order_by(e["pass"].desc()).limit(1)
    )  # fmt: skip
    with s.store(create=False).read() as connection:
        row = connection.execute(query).first()
    told = json.loads(row.told) if row is not None and row.told else {}
    return OneReader(person, told, clock.from_ms(row.entered_at) if row is not None else None)


def _finish(s: Session, report: Report, ground: Ground, life: list[dict[str, Any]], contact: str | None) -> None:
    from omnicli.lint.report import result

    found = result(report)
    failures = _failures(ground)
    found["summary"] |= {"renderings": ground.grid.count, "skeletons": ground.grid.skeletons, "messages": ground.grid.messages}
    shown = {**found, "failures": failures, **({"contact": contact, "touches": life} if contact else {})}
    code = Exit.FINDINGS if report.worst("error") else Exit.FINE
    s.finish(shown, show=lambda console: _draw(console, report, ground, failures, life), exit=code)


def _failures(ground: Ground) -> list[dict[str, str]]:
    """Renderings that could not be made, each cause once."""
    from omnicli.lint.coherence.grid import compressed

    by_cause: dict[tuple[str, str], list[Any]] = {}
    for one in ground.grid.failures:
        by_cause.setdefault((one.reason, one.detail), []).append(one.cell)
    return [{**compressed(cells), "reason": reason, "detail": detail} for (reason, detail), cells in by_cause.items()]


def _draw(console: Console, report: Report, ground: Ground, failures: list[dict[str, str]], life: list[dict[str, Any]]) -> None:
    from rich.text import Text

    from omnicli.lint.report import show_full
    from omnicli.text import printable

    for one in life:
        console.print(Text(f"{one['at'][:16]}  {one['channel']:<9} {one['state']:<9} {one['step']}", style="dim"))
    show_full(report, console)
    for one in failures:
        where = " × ".join(one[key] for key in ("message", "channel", "persona", "language", "contact") if key in one)
        console.print(
            Text(
                printable(t("not rendered: {where}: {why}", "pas rendu : {where} : {why}", where=where, why=one["detail"])),
                style="yellow",
            )
        )
    console.print(Text(_closing(report, ground)))


def _closing(report: Report, ground: Ground) -> str:
    """`2 errors in 120 renderings of 1 message · 40 skeletons · 0.3 s`."""
    from omnicli.lint.report import counts

    number = counts(report.findings)
    words = [
        several(number["errors"], ("{n} error", "{n} errors"), ("{n} erreur", "{n} erreurs")),
        *(
            [several(number["warnings"], ("{n} warning", "{n} warnings"), ("{n} avertissement", "{n} avertissements"))]
            if number["warnings"]
            else []
        ),
        *([several(number["infos"], ("{n} note", "{n} notes"), ("{n} note", "{n} notes"))] if number["infos"] else []),
    ]
    renderings = several(ground.grid.count, ("{n} rendering", "{n} renderings"), ("{n} rendu", "{n} rendus"))
    messages = several(ground.grid.messages, ("{n} message", "{n} messages"), ("{n} message", "{n} messages"))
    skeletons = several(ground.grid.skeletons, ("{n} skeleton", "{n} skeletons"), ("{n} squelette", "{n} squelettes"))
    seconds = f"{report.seconds:.1f}".replace(".", t(".", ","))
    return t("{found} in {renderings} of {messages} · {skeletons} · {s} s", "{found} dans {renderings} de {messages} · {skeletons} · {s} s",
             found=", ".join(words), renderings=renderings, messages=messages, skeletons=skeletons, s=seconds)  # fmt: skip

"""`campaign plan --out` and `campaign run --plan`: a plan is kept as a file, and a run is bound by it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from omnicli.errors import OmniError
from omnicli.texts import several, t
from omnicli.writing import unwritable, write

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.campaigns.plan import Plan
    from omnicli.campaigns.record.check import Verdict
    from omnicli.campaigns.record.written import Record
    from omnicli.cli.frame import Session
    from omnicli.store.connection import Store


def keep(store: Store, loaded: Loaded, plan: Plan, file: Path, *, until: datetime | None) -> Record:
    """Write the plan to the file."""
    from omnicli.campaigns.record import make, written
    from omnicli.campaigns.run import build_renderer

    record = make.record(store, loaded, plan, build_renderer(loaded, store, live=store.live), until=until)
    write(file, written.text_of(record), sync=True)
    return record


def fit_to_keep(file: Path, *, contact: str | None) -> None:
    """Refuse before the work what could not be kept after it."""
    if contact is not None:
        raise OmniError(t("a saved plan is of everybody: --out goes without --contact", "un plan enregistré vaut pour tous : --out va sans --contact"),
                        code="usage")  # fmt: skip
    if file.is_dir() or not file.absolute().parent.is_dir():
        raise unwritable(file, t("there is no such folder", "il n'y a pas de tel dossier"))


def kept_json(record: Record, file: Path) -> dict[str, Any]:
    return {
        "file": str(file),
        "binds": len(record.touches),
        "forecasts": record.forecasts,
        "by": record.by,
        "until": record.until,
    }


def kept_line(record: Record, file: Path) -> str:
    """What was kept, in a line."""
    n = len(record.touches)
    bound = several(n, ("it binds {n} touch", "it binds {n} touches"), ("il lie {n} envoi", "il lie {n} envois"))
    loose = several(record.forecasts, ("{n} forecast binds nobody", "{n} forecasts bind nobody"),
                    ("{n} prévision ne lie personne", "{n} prévisions ne lient personne"))  # fmt: skip
    return t("Kept in {file}: ", "Enregistré dans {file} : ", file=file) + bound + (f", {loose}" if record.forecasts else "")


# --- run --plan -----------------------------------------------------------------------------------------------------
def run(
    s: Session, store: Store, loaded: Loaded, names: Sequence[str], file: Path, *, now: datetime, dry_run: bool, max: int | None,
    only: dict[str, str] | None, confirm: Sequence[str], yes: bool,
) -> NoReturn:  # fmt: skip
    """Carry the saved plan out, or say why not (exit 4, nothing sent)."""
    from omnicli.campaigns.leading import run_lock
    from omnicli.campaigns.record import carry, written
    from omnicli.campaigns.run import build_renderer
    from omnicli.cli import run_view as view
    from omnicli.cli.campaign import interruptible

    assert loaded.project is not None
    zone = loaded.project.time_zone
    record = written.read(file)
    carry.fits(store, loaded, record, tuple(names), now=now)
    began = time.monotonic()
    with run_lock(store, loaded.root, live=s.live):
        renderer = build_renderer(loaded, store, live=s.live)
        verdict = carry.checked(store, loaded, record, renderer, now=now)
        if dry_run:
            s.finish(
                {**_json(record, verdict), "dry_run": True},
                show=lambda console: console.print(_said(record, verdict, zone), soft_wrap=True),
            )
        s.talk(_said(record, verdict, zone))
        if s.live and verdict.due:
            _agree(s, record, verdict, confirm)
        with interruptible(s) as stopping, s.progress(t("sending", "envoi")) as step:
            report = carry.carry(store, loaded, record, renderer, now=now, apply=yes or not s.live, max=max, only=only, progress=step,
                                 stopping=stopping)  # fmt: skip
    if report.strayed:
        s.warn(t("{n} touches would have said something else than planned: they wait", "{n} envois auraient dit autre chose que prévu : ils attendent",
                 n=report.strayed))  # fmt: skip
    for problem in report.problems:
        s.warn(problem)
    with store.read() as connection:
        ahead = view.ahead(connection, names)
    result = {**view.as_json(report, loaded, dry_run=False, live=s.live), **_json(record, verdict)}
    s.finish(result, exit=report.exit, show=lambda console: view.show(
        console, report, loaded, ahead=ahead, dry_run=False, live=s.live, seconds=time.monotonic() - began))  # fmt: skip


def _agree(s: Session, record: Record, verdict: Verdict, confirm: Sequence[str]) -> None:
    """In live the name is typed: the saved plan is the approval, and says whose."""
    from omnicli.cli.rows import cash, number

    for name in record.names:
        question = t(
            "{name}: {n} touches due by the plan of {by}, {cost}. Type the campaign's name to send",
            "{name} : {n} envois dus selon le plan de {by}, {cost}. Recopiez le nom de la campagne pour envoyer",
            name=name, n=number(verdict.due), by=record.by, cost=cash(verdict.cost, record.currency),
        )  # fmt: skip
        s.confirm_name(name, confirm=name if name in confirm else None, question=question)


def _json(record: Record, verdict: Verdict) -> dict[str, Any]:
    plan = {"by": record.by, "made": record.made, "until": record.until, "binds": len(record.touches), "left_before": verdict.gone,
            "due": verdict.due, "waiting": dict(verdict.waiting), "later": verdict.later}  # fmt: skip
    return {"plan": plan}


def _said(record: Record, verdict: Verdict, zone: str) -> str:
    """`Plan of ines, made 2027-01-04 11:30: it holds, 1,152 touches · 1,152 due now`, by the project's clock."""
    from zoneinfo import ZoneInfo

    from omnicli.cli.rows import number
    from omnicli.cli.run_view import reason_word

    words = [
        several(len(record.touches), ("Plan of {by}, made {at}: it holds, {n} touch", "Plan of {by}, made {at}: it holds, {n} touches"),
                ("Plan de {by}, fait le {at} : il tient, {n} envoi", "Plan de {by}, fait le {at} : il tient, {n} envois"), by=record.by,
                at=f"{record.made.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}", n=number(len(record.touches))),
        several(verdict.due, ("{n} due now", "{n} due now"), ("{n} dû maintenant", "{n} dus maintenant"), n=number(verdict.due)),
    ]  # fmt: skip
    words += [t("{n} left before", "{n} déjà partis", n=number(verdict.gone))] if verdict.gone else []
    words += [
        t("{n} wait ({x})", "{n} attendent ({x})", n=number(n), x=reason_word(guard)) for guard, n in verdict.waiting.items()
    ]
    words += [t("{n} later", "{n} plus tard", n=number(verdict.later))] if verdict.later else []
    return " · ".join(words)

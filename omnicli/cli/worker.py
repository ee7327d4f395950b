"""omni worker: decides and sends with others on one PostgreSQL store, until stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from omnicli.cli.frame import session
from omnicli.cli.options import opt, page
from omnicli.errors import OmniError
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.campaigns.run import RunReport
    from omnicli.cli.frame import Session

app = typer.Typer(add_completion=False)

Threads = Annotated[int, opt("--threads", "jobs at once", "tâches à la fois", metavar="1", least=1, most=64)]
Queues = Annotated[str, opt("--queues", "which calls it answers", "les appels auxquels il répond", metavar="turn,dispatch")]
Every = Annotated[str, opt("--every", "between two beats: 10s, 1m", "entre deux battements : 10s, 1m", metavar="10s")]
Once = Annotated[bool, opt("--once", "leave when nothing is due", "partir quand plus rien n'est dû")]


@app.command(
    help=page(
        "omni worker --live --threads 2",
        "Decide and send with others on one PostgreSQL store, until stopped; any number, on any number of machines.",
        "Décider et envoyer à plusieurs sur une base PostgreSQL, jusqu'à l'arrêt ; autant qu'il en faut, sur autant de machines.",
    )
)
def worker(threads: Threads = 1, queues: Queues = "turn,dispatch", every: Every = "10s", once: Once = False) -> None:
    import sys

    from omnicli.cli.rows import length
    from omnicli.service.workers import Crew, not_shared

    s = session()
    wanted, pause = _queues(queues), length(every)
    if s.store().dialect != "postgresql":
        raise not_shared()
    root = s.root()
    from omnicli.providers import overrides

    moved = overrides(s.loaded(), live=s.live)
    s.close()

    def begun() -> None:
        s.talk(t("At work for {root} ({env}). Ctrl-C or SIGTERM ends it after the calls in hand.",
                 "Au travail pour {root} ({env}). Ctrl-C ou SIGTERM : fin après les appels en cours.", root=root, env=s.environment))  # fmt: skip
        for line in moved:
            s.warn(line)

    def alarm(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    crew = Crew(root, s.live, threads, wanted, pause, lambda what, campaign, report: _tell(s, what, campaign, report), alarm, begun,
                once=once)  # fmt: skip
    code = crew.run()
    s.talk(t("Stopped. {n} jobs.", "Arrêté. {n} tâches.", n=crew.done))
    raise typer.Exit(code)


def _queues(text: str) -> tuple[str, ...]:
    from omnicli.service.workers import QUEUES

    wanted = tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    strange = [word for word in wanted if word not in QUEUES]
    if strange or not wanted:
        raise OmniError(
            t("'{q}' is no queue", "« {q} » n'est pas une file", q=(strange or [text])[0]), hint=",".join(QUEUES), code="usage"
        )
    return wanted


def _tell(s: Session, what: str, campaign: str, report: RunReport) -> None:
    """One line for a job that did something; with --json one object a line."""
    import json

    from omnicli import clock
    from omnicli.service.scheduler import Ticked

    if not report.happened and not (s.json and what != "plan"):
        return
    if s.json:
        counts: dict[str, Any] = {
            name: getattr(report, name)
            for name in ("folded", "decided", "accepted", "rejected", "skipped", "unknown", "retried", "held")
        }
        print(
            json.dumps(
                {"at": clock.iso(report.now), "job": what, "campaign": campaign or None, "entered": report.entered, **counts}
            ),
            flush=True,
        )
    elif not s.options.quiet:
        print(f"{what:<8}  {Ticked(report.now, report, live=s.live).line}", flush=True)

"""omni message check --mutate: how many seeded faults the checker finds, by kind, and what it missed as diffs."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from omnicli.cli.frame import session
from omnicli.errors import Exit, OmniError
from omnicli.texts import several, t

if TYPE_CHECKING:
    from rich.console import Console

    from omnicli.campaigns.mutate.run import Tally
    from omnicli.cli.frame import Session

_SHOWN = 20


def mutate(name: str | None, *, count: int, seed: str, jobs: int | None, as_of: str | None) -> None:
    """Carry out the command; exit 1 below the bars."""
    from omnicli.campaigns.mutate.field import Field
    from omnicli.campaigns.mutate.run import Wanted
    from omnicli.campaigns.mutate.run import mutate as sow

    s = session()
    loaded = s.loaded()
    if errors := loaded.errors():
        from omnicli.model.finding import foremost

        raise OmniError(
            several(len(errors), ("the project has {n} error: a fault would not be seen beside it", "the project has {n} errors: a fault would not be seen among them"),
                    ("le projet a {n} erreur : une faute ne s'y verrait pas", "le projet a {n} erreurs : une faute ne s'y verrait pas")),
            hint=foremost(errors), code="errors",
        )  # fmt: skip
    wanted = Wanted(count=count, seed=seed, messages=_messages(s, name))
    began = time.perf_counter()
    with s.progress(t("seeding faults", "fautes semées"), total=count) as step:
        tally = sow(Field(loaded, now=s.now(as_of)), wanted, jobs=jobs or _cores(), step=step)
    seconds = time.perf_counter() - began
    s.finish(
        result(tally, seed), show=lambda console: draw(console, tally, seconds), exit=Exit.FINE if tally.fine else Exit.FINDINGS
    )


def _messages(s: Session, name: str | None) -> tuple[str, ...]:
    from omnicli.cli.message import _the_message

    if name is None:
        return ()
    campaign, message = _the_message(s.loaded(), name)
    return (f"{campaign.campaign}/{message}",)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def result(tally: Tally, seed: str) -> dict[str, Any]:
    """The JSON result: `mutations` counted, `caught`, and the same by kind; every survivor with its diff."""
    from omnicli.campaigns.mutate.kinds import KINDS
    from omnicli.campaigns.mutate.run import BAR, KIND_BAR

    return {
        "mutations": tally.counted(), "caught": len(tally.of(verdict="caught")), "share": round(tally.share(), 4),
        "equivalent": len(tally.of(verdict="equivalent")), "broken": len(tally.of(verdict="broken")), "seed": seed,
        "bars": {"all": BAR, "kind": KIND_BAR}, "messages": list(tally.messages),
        "kinds": [{"kind": kind, "seeded_in": KINDS[kind].where, "expected": list(KINDS[kind].codes), "mutations": tally.counted(kind),
                   "caught": len(tally.of(kind, "caught")), "share": round(tally.share(kind), 4),
                   "equivalent": len(tally.of(kind, "equivalent"))} for kind in tally.kinds],
        "survivors": [{"kind": one.kind, "mutant": one.name, "expected": list(one.codes), "diff": one.diff, "seen": list(one.seen)}
                      for one in tally.of(verdict="survived")],
        "unclean": [f"{f.place.file}:{f.place.line}:{f.place.column} {f.code} {f.message}" for f in tally.unclean],
    }  # fmt: skip


def draw(console: Console, tally: Tally, seconds: float) -> None:
    """The survivors, then the table by kind, then one line that sums up."""
    _draw_survivors(console, tally)
    _draw_table(console, tally)
    for finding in tally.unclean:
        console.print(t("left out, not clean: {file}:{line} {code} {message}", "laissé de côté, pas propre : {file}:{line} {code} {message}",
                        file=finding.place.file, line=finding.place.line, code=finding.code, message=finding.message))  # fmt: skip
    console.print(
        t("{caught} of {n} mutants of {messages} messages caught ({share}); {equivalent} equivalent ones not counted · {seconds} s",
          "{caught} mutants sur {n}, de {messages} messages, attrapés ({share}) ; {equivalent} équivalents, non comptés · {seconds} s",
          caught=len(tally.of(verdict="caught")), n=tally.counted(), messages=len(tally.messages), share=percent(tally.share()),
          equivalent=len(tally.of(verdict="equivalent")), seconds=f"{seconds:.0f}")
    )  # fmt: skip


def _draw_table(console: Console, tally: Tally) -> None:
    from omnicli.campaigns.mutate.kinds import KINDS
    from omnicli.campaigns.mutate.run import KIND_BAR
    from omnicli.cli.rows import Cell, lay

    rows: list[list[Cell]] = [
        [t("kind", "genre"), t("seeded in", "semé dans"), t("expected", "attendu"), t("mutants", "mutants"), t("caught", "attrapés"), "%", t("equivalent", "équivalents")]
    ]  # fmt: skip
    for kind in tally.kinds:
        low = tally.counted(kind) > 0 and tally.share(kind) < KIND_BAR
        share = percent(tally.share(kind)) if tally.counted(kind) else "–"
        rows.append([kind, KINDS[kind].where, ", ".join(KINDS[kind].codes), str(tally.counted(kind)), str(len(tally.of(kind, "caught"))),
                     (share, "bold red") if low else share, str(len(tally.of(kind, "equivalent")))])  # fmt: skip
    lay(console, rows, right=(3, 4, 5, 6), shrink=2)
    console.print()


def _draw_survivors(console: Console, tally: Tally) -> None:
    from rich.text import Text

    from omnicli.text import printable

    survivors = tally.of(verdict="survived")
    for one in survivors[:_SHOWN]:
        console.print(Text(t("{kind} survived: {name}", "{kind} a survécu : {name}", kind=one.kind, name=one.name), style="bold"))
        console.print(Text("\n".join(printable(line) for line in one.diff.splitlines())))
        console.print(Text(t("  expected {codes}; seen: {seen}", "  attendu {codes} ; vu : {seen}",
                             codes=t(" or ", " ou ").join(one.codes), seen="; ".join(one.seen[:3]) or "–"), style="dim"))  # fmt: skip
        console.print()
    if len(survivors) > _SHOWN:
        console.print(
            t("… and {n} more: --json lists them all", "… et {n} autres : --json les donne tous", n=len(survivors) - _SHOWN)
        )
        console.print()


def percent(share: float) -> str:
    """One decimal, never rounded up to what was not reached."""
    return f"{int(share * 1000) / 10:g} %"

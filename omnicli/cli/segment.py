"""omni segment: how many, who, and what each part of a condition leaves out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from omnicli.cli.frame import session
from omnicli.cli.options import AsOf, opt, page
from omnicli.texts import t

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer(
    help=page(
        "omni segment count 'orders = 0 and reachable.email'",
        "How many. Questions about the whole base.",
        "Combien. Questions sur toute la base.",
    ),
    no_args_is_help=True,
)

Expr = Annotated[
    str,
    typer.Argument(
        metavar="EXPR", help=t("a condition, or a segment's name", "une condition, ou le nom d'un segment"), show_default=False
    ),
]
Sample = Annotated[int, opt("--sample", "so many people", "tant de personnes", metavar="N", least=1)]
After = Annotated[str | None, opt("--after", "go on behind this one", "continuer après celui-ci", metavar="CURSOR")]
Sql = Annotated[bool, opt("--sql", "the statement that is asked", "la requête posée")]
Personal = Annotated[bool, opt("--show-personal", "addresses in full; audited", "adresses en clair ; journalisé")]


@app.command(
    "list",
    help=page(
        "omni segment list",
        "The project's segments, with how many fulfil each now.",
        "Les segments du projet, et combien de personnes y répondent.",
    ),
)
def list_(as_of: AsOf = None) -> None:
    from omnicli.people import segments

    s = session()
    loaded, store = s.loaded(), s.store(create=False)
    rows = segments.counts(store, loaded, now=s.now(as_of))
    result = {
        "segments": [
            {"name": n, "title": title, "match": match, "count": count, "error": why or None}
            for n, title, match, count, why in rows
        ]
    }

    def draw(console: Console) -> None:
        from omnicli.cli.rows import lay, number

        lay(console, [[n, number(c) if c is not None else "?", title or match if c is not None else why] for n, title, match, c, why in rows]
            or [[t("no segments in omni.yaml", "aucun segment dans omni.yaml")]], right=(1,), shrink=2)  # fmt: skip

    s.finish(result, show=draw)


@app.command(
    help=page(
        "omni segment count 'signup within 7 days and orders = 0'",
        "How many people fulfil it.",
        "Combien de personnes y répondent.",
    )
)
def count(expr: Expr, as_of: AsOf = None) -> None:
    from omnicli.people import segments

    s = session()
    loaded, store = s.loaded(), s.store(create=False)
    found, of = segments.count(store, loaded, expr, now=s.now(as_of))

    def draw(console: Console) -> None:
        from omnicli.cli.rows import number, share

        console.print(
            t(
                "{found} of {of} ({share})",
                "{found} sur {of} ({share})",
                found=number(found),
                of=number(of),
                share=share(found, of) or "0 %",
            )
        )

    s.finish({"condition": expr, "count": found, "of": of}, show=draw)


@app.command(help=page("omni segment show 'segment fideles' --sample 10", "Who they are, masked.", "Qui elles sont, masquées."))
def show(expr: Expr, sample: Sample = 10, after: After = None, show_personal: Personal = False, as_of: AsOf = None) -> None:
    from omnicli.cli.contact import _audited, person_json, show_people
    from omnicli.people import segments

    s = session()
    loaded, store = s.loaded(), s.store(create=False)
    now = s.now(as_of)
    found, of = segments.count(store, loaded, expr, now=now)
    people = segments.show(store, loaded, expr, now=now, limit=sample, after=after)
    _audited(s, show_personal, "segment show", now)
    result = {"condition": expr, "count": found, "of": of, "contacts": [person_json(p, show_personal, now) for p in people],
              "after": people[-1].id if len(people) == sample else None}  # fmt: skip

    def draw(console: Console) -> None:
        show_people(console, people, show_personal, now)
        if found > len(people):
            console.print(t("{n} of {found}", "{n} sur {found}", n=len(people), found=found))

    s.finish(result, show=draw)


@app.command(
    help=page(
        "omni segment explain 'clicked and orders = 0'",
        "Each part with what it leaves out, defaults written out.",
        "Chaque partie avec ce qu'elle écarte, valeurs par défaut comprises.",
    )
)
def explain(expr: Expr, sql: Sql = False, as_of: AsOf = None) -> None:
    from omnicli.people import segments

    s = session()
    loaded, store = s.loaded(), s.store(create=False)
    now = s.now(as_of)
    found, of, clauses = segments.explain(store, loaded, expr, now=now)
    result: dict[str, Any] = {
        "condition": expr, "count": found, "of": of,
        "clauses": [{"text": c.text, "full": c.full, "matches": c.matches, "excludes": c.excludes, "excludes_alone": c.only,
                     "names": dict(c.names)} for c in clauses],
    }  # fmt: skip
    statement = ""
    if sql:
        statement, values = segments.sql(loaded, expr, now=now)
        result["sql"] = {"statement": statement, "parameters": {k: str(v) for k, v in values.items()}}

    def draw(console: Console) -> None:
        from omnicli.cli.rows import lay, number

        rows: list[list[Any]] = [[t("everybody", "tout le monde"), number(of), ""]]
        for c in clauses:
            rows.append([c.full, number(c.matches), t("leaves out {n}, {only} of them alone", "en écarte {n}, dont {only} à elle seule",
                                                      n=number(c.excludes), only=number(c.only))])  # fmt: skip
            rows += [[f"  {name} = {text}", "", ""] for name, text in c.names]
        rows.append([(t("all of it", "l'ensemble"), "bold"), (number(found), "bold"), ""])
        lay(console, rows, right=(1,), shrink=0)
        if statement:
            console.print(f"\n{statement}")

    s.finish(result, show=draw)

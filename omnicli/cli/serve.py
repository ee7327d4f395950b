"""omni serve: receives webhooks, clicks, scans and unsubscribes until stopped; 2xx means the event is on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from omnicli.cli.frame import session
from omnicli.cli.options import opt, page
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.cli.frame import Session
    from omnicli.service.web.site import Site

app = typer.Typer(add_completion=False)

Host = Annotated[str, opt("--host", "the address to listen on", "l'adresse d'écoute", metavar="127.0.0.1")]
Port = Annotated[
    int,
    opt(
        "--port",
        "the port; 0 takes any that is free",
        "le port ; 0 prend n'importe lequel de libre",
        metavar="8080",
        least=0,
        most=65535,
    ),
]


@app.command(
    help=page(
        "omni serve --live --port 8080",
        "Receive webhooks, clicks, scans and unsubscribes until stopped; 2xx means the event is on disk.",
        "Recevoir webhooks, clics, scans et désabonnements jusqu'à l'arrêt ; 2xx veut dire : l'événement est sur le disque.",
    )
)
def serve(host: Host = "127.0.0.1", port: Port = 8080) -> None:
    s = session()
    loaded, store = s.loaded(), s.store()
    from omnicli.service.web.app import application
    from omnicli.service.web.listening import bind, listen
    from omnicli.service.web.site import open_site

    site = open_site(store, loaded, live=s.live)
    listening = bind(host, port)
    where = listening.getsockname()
    address = f"[{where[0]}]:{where[1]}" if ":" in where[0] else f"{where[0]}:{where[1]}"
    listen(application(site), listening, begun=lambda: _begun(s, site, address))
    done = site.intake.counts
    s.talk(t("Stopped. {new} new, {repeated} repeated, {away} turned away.", "Arrêté. {new} nouveaux, {repeated} répétés, {away} renvoyés.",
             new=done.new, repeated=done.repeated, away=done.refused + done.failed))  # fmt: skip
    s.finish({"address": address, "new": done.new, "repeated": done.repeated, "opted_out": done.opted_out,
              "unreadable": done.unreadable, "turned_away": done.refused + done.failed})  # fmt: skip


def _begun(s: Session, site: Site, address: str) -> None:
    """Where it listens, what it is reached by, and which webhooks it takes."""
    s.talk(t("Listening on http://{address} ({env}). Ctrl-C or SIGTERM ends it after the requests in hand.",
             "À l'écoute sur http://{address} ({env}). Ctrl-C ou SIGTERM : fin après les requêtes en cours.", address=address, env=s.environment))  # fmt: skip
    if site.own is None:
        s.talk(t("  no public_url in omni.yaml: messages carry no link to here, webhooks are answered 503",
                 "  pas de public_url dans omni.yaml : les messages ne mènent pas ici, les webhooks reçoivent 503"))  # fmt: skip
    else:
        s.talk(t("  people come by {own}, providers by {url}", "  les gens passent par {own}, les prestataires par {url}",
                 own=site.own, url=site.public_url or "–"))  # fmt: skip
    for path in sorted(site.hearings):
        s.talk(f"  {site.hearings[path].name:<10} {site.public_url or ''}{path}")
    if not site.hearings:
        s.talk(t("  no webhook: no provider of this environment posts any", "  aucun webhook : aucun prestataire de cet environnement n'en envoie"))  # fmt: skip

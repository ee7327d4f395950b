"""omni campaign preview: one page of channels × personas × languages, written to a file or served while you edit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from omnicli.cli.campaign import app
from omnicli.cli.frame import session
from omnicli.cli.options import AsOf, opt, page
from omnicli.texts import t

Name = Annotated[str | None, typer.Argument(metavar="[NAME]", help=t("the campaign; without it, all of them", "la campagne ; sans nom, toutes"), show_default=False)]  # fmt: skip
Message = Annotated[str | None, opt("--message", "only this message", "ce message seulement", metavar="M")]
Contact = Annotated[str | None, opt("--contact", "as this person reads it: an id, or typical, longest, empty, foreign", "telle que cette personne la lit : un id, ou typical, longest, empty, foreign", metavar="ID")]  # fmt: skip
Persona = Annotated[str | None, opt("--persona", "only this persona", "ce persona seulement", metavar="P")]
Channel = Annotated[str | None, opt("--channel", "only this channel", "ce canal seulement", metavar="C")]
Language = Annotated[str | None, opt("--language", "only this language", "cette langue seulement", metavar="L")]
Output = Annotated[Path | None, opt("--output/-o", "the file to write", "le fichier à écrire", metavar="F")]
Open = Annotated[bool, opt("--open", "open it in the browser", "l'ouvrir dans le navigateur")]
Serve = Annotated[
    bool,
    opt("--serve", "serve it here, and show every change of a file", "la servir ici, et montrer chaque changement d'un fichier"),
]


@app.command(
    help=page(
        "omni campaign preview bienvenue --open",
        "One page: every message as every channel, persona, language and kind of reader would meet it.",
        "Une page : chaque message tel que chaque canal, persona, langue et sorte de lecteur le verrait.",
    )
)
def preview(
    name: Name = None, message: Message = None, contact: Contact = None, persona: Persona = None, channel: Channel = None,
    language: Language = None, output: Output = None, open: Open = False, serve: Serve = False, as_of: AsOf = None,
) -> None:  # fmt: skip
    from omnicli.campaigns.preview.make import Asked, make
    from omnicli.campaigns.preview.page import page as drawn
    from omnicli.campaigns.preview.readings import Wish

    s = session()
    now = s.now(as_of)
    asked = Asked(Wish(name, message, channel, language, persona), contact)
    made = make(s.loaded(), asked, now=now, live=s.live)
    file = output or s.root() / "preview.html"
    file.write_text(drawn(made), encoding="utf-8")
    s.finish({"file": str(file), "bytes": file.stat().st_size}, show=lambda console: console.print(str(file)))

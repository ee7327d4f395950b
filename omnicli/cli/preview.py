"""omni campaign preview: one page of channels × personas × languages, written to a file or served while you edit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from omnicli.cli.campaign import app
from omnicli.cli.frame import session
from omnicli.cli.options import AsOf, opt, page
from omnicli.errors import OmniError
from omnicli.texts import t
from omnicli.writing import write

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from omnicli.campaignfile import Loaded
    from omnicli.campaigns.preview.make import Asked
    from omnicli.campaigns.preview.page import Preview
    from omnicli.cli.frame import Session
    from omnicli.model.campaign import Campaign
    from omnicli.render.samples import Sample

Name = Annotated[
    str | None,
    typer.Argument(metavar="NAME", help=t("the campaign; all without it", "la campagne ; toutes sans nom"), show_default=False),
]
Message = Annotated[str | None, opt("--message", "only this message", "ce message seulement", metavar="M")]
Contact = Annotated[
    str | None,
    opt("--contact", "a contact's id, or typical, longest, empty, foreign", "l'id d'un contact, ou typical, longest, empty, foreign", metavar="ID"),
]  # fmt: skip
Persona = Annotated[str | None, opt("--persona", "only this persona", "ce persona seulement", metavar="P")]
Channel = Annotated[str | None, opt("--channel", "only this channel", "ce canal seulement", metavar="C")]
Language = Annotated[str | None, opt("--language", "only this language", "cette langue seulement", metavar="L")]
Output = Annotated[
    Path | None, opt("--output/-o", "the file (outbox/preview.html)", "le fichier (outbox/preview.html)", metavar="F")
]
Open = Annotated[bool, opt("--open", "open it in the browser", "l'ouvrir dans le navigateur")]
Serve = Annotated[bool, opt("--serve", "show every change of a file at once", "montrer aussitôt chaque changement d'un fichier")]
Port = Annotated[
    int,
    opt("--port", "with --serve; 0: any that is free", "avec --serve ; 0 : le premier libre", metavar="N", least=0, most=65535),
]


@app.command(
    help=page(
        "omni campaign preview bienvenue --open",
        "One page: every message as each channel, persona, language and kind of reader meets it.",
        "Une page : chaque message tel que chaque canal, persona, langue et lecteur le rencontre.",
    )
)
def preview(
    name: Name = None, message: Message = None, contact: Contact = None, persona: Persona = None, channel: Channel = None,
    language: Language = None, output: Output = None, open: Open = False, serve: Serve = False, port: Port = 8765, as_of: AsOf = None,
) -> None:  # fmt: skip
    from omnicli.campaigns.preview.make import Asked
    from omnicli.campaigns.preview.page import page as drawn
    from omnicli.campaigns.preview.readings import Wish

    s = session()
    asked = Asked(Wish(name, message, channel, language, persona), contact)
    if serve:
        _serve(s, asked, port=port, open=open, as_of=as_of)
    loaded = s.loaded()
    _refuse_errors(loaded, name)
    made = _made(s, loaded, asked, s.now(as_of))
    file = output.resolve() if output else _in_outbox(s.root())
    write(file, drawn(made))
    if open:
        _show_in_browser(file.as_uri())
    result = _result(made, file)
    s.finish(result, show=lambda console: console.print(_said(result), soft_wrap=True))


def _refuse_errors(loaded: Loaded, name: str | None) -> None:
    """A campaign with an error has no page: its messages cannot be told. Others do not stand in the way of it."""
    from omnicli.campaigns.life import authored

    if name is not None:
        authored(loaded, name)
    elif errors := loaded.errors():
        first = errors[0]
        raise OmniError(f"{first.place.file}:{first.place.line}:{first.place.column}: {first.code} {first.message}",
                        hint=t("omni lint shows all; --serve shows the rest meanwhile", "omni lint montre tout ; --serve montre le reste en attendant"),
                        code="findings", exit=1)  # fmt: skip


def _made(s: Session, loaded: Loaded, asked: Asked, now: datetime) -> Preview:
    from omnicli.campaigns.preview.make import make

    return make(loaded, asked, now=now, live=s.live, person=_person(s, asked.contact, now))


def _person(s: Session, contact: str | None, now: datetime) -> Callable[[Campaign], Sample] | None:
    """How a campaign sees the contact of the store that is asked for; None for the sample people."""
    from omnicli.cli.reader import person_of
    from omnicli.render.samples import SAMPLES

    if contact is None or contact in SAMPLES:
        return None
    store, loaded = s.store(create=False), s.loaded()
    return lambda campaign: person_of(store, loaded, campaign, contact, now=now)


def _result(made: Preview, file: Path) -> dict[str, Any]:
    """What the command answers: the file, and for each message whether it is all right."""
    from omnicli.campaigns.preview.gallery import verdict

    messages = [
        {"campaign": one.campaign.campaign, "message": one.name, "channels": list(one.channels), "languages": list(one.languages),
         "personas": list(one.personas), "renderings": sum(len(cell.readings) for cell in one.cells),
         "missing": [{"channel": cell.channel, "language": cell.language, "persona": cell.persona, "facts": list(cell.lacks)} for cell in one.cells if cell.lacks],
         "findings": [f.code for f in one.findings], "verdict": verdict(one)[0]}
        for one in made.messages
    ]  # fmt: skip
    return {"file": str(file), "bytes": file.stat().st_size, "readers": list(made.readers), "messages": messages}


def _said(result: dict[str, Any]) -> str:
    marks = {"good": "✔", "fair": "!", "bad": "✘"}
    lines = [
        f" {marks[one['verdict']]} {one['campaign']}/{one['message']}  {' '.join(one['channels'])}" + _why(one)
        for one in result["messages"]
    ]
    return "\n".join([*lines, result["file"]])


def _why(one: dict[str, Any]) -> str:
    lost = sorted({f"{fact} ({cell['channel']})" for cell in one["missing"] for fact in cell["facts"]})
    codes = sorted(set(one["findings"]))
    return (t("  missing: {facts}", "  manque : {facts}", facts=", ".join(lost)) if lost else "") + (
        f"  {' '.join(codes)}" if codes else ""
    )


def _in_outbox(root: Path) -> Path:
    """Where the page stands unless told otherwise: beside the outbox, which is no part of the project and its owner's alone."""
    from omnicli.providers.file import make

    make(root / "outbox")
    return root / "outbox" / "preview.html"


def _show_in_browser(address: str) -> None:
    """Ask the desk's browser; where there is none, the address stands in the output."""
    import webbrowser

    webbrowser.open(address)


def _serve(s: Session, asked: Asked, *, port: int, open: bool, as_of: str | None) -> None:
    """Serve the page on this machine until told to stop; errors in the files stand on the page."""
    from omnicli.app import open_project
    from omnicli.service.preview import application
    from omnicli.service.web.listening import bind, listen

    root = s.root()
    now = _instant(s, as_of)

    def draw() -> Preview:
        s._loaded = None
        s._loaded = open_project(root)
        return _made(s, s.loaded(), asked, now())

    listening = bind("127.0.0.1", port)
    address = f"http://127.0.0.1:{listening.getsockname()[1]}/"

    def begun() -> None:
        s.talk(
            t(
                "{address} shows every change of a file. Ctrl-C ends it.",
                "{address} montre chaque changement d'un fichier. Ctrl-C pour finir.",
                address=address,
            )
        )
        if open:
            _show_in_browser(address)

    listen(application(root, draw), listening, begun=begun)
    s.finish({"address": address})


def _instant(s: Session, as_of: str | None) -> Callable[[], datetime]:
    """The instant of each drawing."""
    return lambda: s.now(as_of)

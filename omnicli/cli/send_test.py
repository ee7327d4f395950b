"""omni message send-test: one message to a colleague, as a person would get it, marked [TEST]."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from omnicli.cli.frame import session
from omnicli.cli.options import opt
from omnicli.errors import Exit, OmniError
from omnicli.texts import several, t

if TYPE_CHECKING:
    from rich.console import Console

    from omnicli.campaigns.sendtest import Tested

To = Annotated[
    str, opt("--to", "a member of a team, by name or address", "un membre d'une équipe, par nom ou adresse", metavar="ADDRESS")
]
OneChannel = Annotated[str, opt("--channel", "by this channel", "par ce canal", metavar="C")]
Dry = Annotated[
    bool,
    opt("--dry-run/-n", "nothing leaves; SendGrid only looks at it", "rien ne part ; SendGrid ne fait que regarder"),
]  # fmt: skip


def send_test(name: str, *, to: str, channel: str, contact: str, language: str | None, dry: bool) -> None:
    """Carry out the command."""
    from omnicli.campaigns.run import build_renderer
    from omnicli.campaigns.sendtest import send_test as send
    from omnicli.cli import message
    from omnicli.cli.reader import person_of
    from omnicli.providers import overrides
    from omnicli.render.views import CannotRender

    s = session()
    loaded, store = s.loaded(), s.store()
    project = message._project(loaded)
    campaign, which = message._the_message(loaded, name)
    if errors := loaded.errors(campaign.campaign):
        from omnicli.model.finding import foremost

        raise OmniError(
            several(len(errors), ("{file} has {n} error: nothing can be rendered", "{file} has {n} errors: nothing can be rendered"),
                    ("{file} a {n} erreur : rien ne peut être rendu", "{file} a {n} erreurs : rien ne peut être rendu"),
                    file=loaded.file_of(campaign.campaign)),
            hint=foremost(errors), code="findings", exit=1,
        )  # fmt: skip
    now = s.now()
    known = contact in ("typical", "longest", "empty", "foreign")
    person = message._sample(project, contact, now) if known else person_of(store, loaded, campaign, contact, now=now)
    job = message._jobs(project, campaign, which, person, now, channel=channel, language=language, persona=None)[0]
    for line in overrides(loaded, live=s.live):
        s.warn(line)
    try:
        done = send(store, loaded, build_renderer(loaded, store, live=s.live), job, to=to, contact=contact, now=now, dry=dry)
    except CannotRender as error:
        raise OmniError(
            f"{error.reason}: {error.detail}", hint=f"omni message render {name}", code=error.reason, exit=1
        ) from None
    result = {"campaign": campaign.campaign, "message": which, "to": done.to, "channel": done.channel, "language": job.language,
              "contact": contact, "provider": done.provider, "outcome": done.outcome.outcome, "code": done.outcome.code,
              "ref": done.outcome.ref, "dry_run": dry}  # fmt: skip
    code = Exit.FINE if done.fine else Exit.SOME_FAILED
    s.finish(result, exit=code, show=lambda console: _show(console, done, live=s.live))


def _show(console: Console, done: Tested, *, live: bool) -> None:
    outcome = done.outcome
    if not done.fine:
        why = outcome.detail or outcome.code or outcome.outcome
        said = t("{provider} did not take it: {why}", "{provider} ne l'a pas pris : {why}", provider=done.provider, why=why)
        said += f"\n  → omni doctor --live --provider {done.provider}" if live else ""
    elif done.dry:
        said = t(
            "Nothing left. {provider} would have carried it to {to}.",
            "Rien n'est parti. {provider} l'aurait porté à {to}.",
            provider=done.provider,
            to=done.to,
        )
        if outcome.code == "sandbox":
            said += " " + t("It looked at it and found nothing wrong.", "Il l'a regardé et n'a rien trouvé à redire.")
    elif live:
        said = t("[TEST] sent to {to} by {provider}.", "[TEST] envoyé à {to} par {provider}.", to=done.to, provider=done.provider)
    else:
        said = t(
            "[TEST] for {to}: outbox/sandbox/{file}", "[TEST] pour {to} : outbox/sandbox/{file}", to=done.to, file=outcome.ref
        )
    console.print(said, soft_wrap=True)

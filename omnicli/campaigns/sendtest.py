"""A message to a colleague, as a person would get it, marked [TEST]: by the real provider in live, into the outbox in the sandbox.

Only members of `teams` can be written to. Its touch is nobody's: links in it open nothing, what providers tell of it belongs to no
touch of the store, and it counts in no cap. Each one is a line of the audit log.
"""

from __future__ import annotations

import getpass
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from email.utils import parseaddr
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from omnicli import clock
from omnicli.campaigns import startup
from omnicli.errors import Exit, OmniError
from omnicli.model.touch import Handed, Outcome, Rendered
from omnicli.providers import build, channels_of, close, trial
from omnicli.store import tables as tb
from omnicli.text import did_you_mean
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.model.project import Project
    from omnicli.render.renderer import Renderer, RenderJob
    from omnicli.store.connection import Store

MARK = "[TEST]"
#: Where the mark stands, by channel: before the first of these parts that the message has.
MARKED = ("subject", "title", "body", "script", "card", "html", "text")


@dataclass(frozen=True, slots=True)
class Tested:
    """What became of it. `dry`: nothing left, at most the provider looked at it."""

    to: str
    channel: str
    provider: str
    outcome: Outcome
    dry: bool = False

    @property
    def fine(self) -> bool:
        return self.outcome.outcome == "accepted" or (self.dry and self.outcome.code in ("sandbox", "shown"))


def colleague(project: Project, to: str, *, channel: str) -> str:
    """The address of the team member that `to` names by name or address; OmniError (exit 4) for anybody else."""
    known = dict(_members(project))
    wanted = to.strip().casefold()
    for name, address in known.items():
        if wanted in (name.casefold(), address.casefold()):
            return _fitting(address, channel)
    raise OmniError(
        t("'{to}' is no member of a team: tests go to colleagues only.", "« {to} » n'est dans aucune équipe : les essais ne vont qu'aux collègues.", to=to)
        + did_you_mean(to, [*known, *known.values()]),
        hint=t("teams.NAME.members: [ines <ines@example.com>] in omni.yaml", "teams.NOM.members: [ines <ines@example.com>] dans omni.yaml"),
        code="not-a-colleague", exit=Exit.REFUSED,
    )  # fmt: skip


def _members(project: Project) -> list[tuple[str, str]]:
    """(name, address) of everybody whose address is written: `ines <ines@example.com>`, or a number."""
    found = []
    for team in project.teams.values():
        for member in team.members:
            name, _, rest = member.partition("<")
            address = rest.rstrip("> ").strip() if rest else ""
            if address:
                found.append((name.strip(), address))
    return found


def _fitting(address: str, channel: str) -> str:
    if (channel == "email") == ("@" in address) and (channel != "email" or parseaddr(address)[1] == address):
        return address
    raise OmniError(
        t("{address} is no address for {channel}", "{address} n'est pas une adresse pour {channel}", address=address, channel=channel),
        hint=t("--channel, or another member", "--channel, ou un autre membre"), code="usage",
    )  # fmt: skip


def send_test(
    store: Store, loaded: Loaded, renderer: Renderer, job: RenderJob, *, to: str, contact: str, now: datetime, dry: bool = False
) -> Tested:
    """Render `job` and hand it to whoever carries its channel, addressed to the colleague `to`; `dry` lets the provider look at
    it at most. OmniError (exit 4) when `to` is nobody of ours, or the store is not fit to send."""
    project = loaded.project
    assert project is not None
    address = colleague(project, to, channel=job.channel)
    startup.refuse(store, loaded)
    handed = _handed(project, renderer, job, address, now, live=store.live)
    providers = build(loaded, live=store.live, root=loaded.root)
    try:
        provider = trial(loaded, providers[job.channel]) if dry and store.live else providers[job.channel]
        shown = Outcome("not_sent", code="shown")
        outcome = shown if provider is None or (dry and not store.live) else provider.send([handed], now=now)[0]
        name = providers[job.channel].name
    finally:
        close(providers)
    if not dry:
        _note(store, job, address, contact, outcome, now)
    return Tested(address, job.channel, name, outcome, dry)


def _handed(project: Project, renderer: Renderer, job: RenderJob, address: str, now: datetime, *, live: bool) -> Handed:
    """The touch of nobody: its key is made of this test alone, so that no link in it is a person's."""
    key = hashlib.sha256(f"omni test {address} {clock.to_ms(now)} {job.message} {job.channel}".encode()).hexdigest()[:32]
    rendered = renderer.render(replace(job, touch=key))
    declared = channels_of(project, live=live)[job.channel]
    return Handed(
        key, 1, job.channel, job.campaign.campaign, job.step, job.message, "test", MARK, job.language, address,
        replace(rendered, parts=marked(rendered), values=(), skeleton=""), now, job.purpose, sender=declared.from_, reply_to=declared.reply_to,
    )  # fmt: skip


def marked(rendered: Rendered) -> Mapping[str, str]:
    """The parts, the first that people read beginning with [TEST]."""
    parts: dict[str, Any] = dict(rendered.parts)
    for name in MARKED:
        if name in parts:
            parts[name] = f"{MARK} {parts[name]}"
            return parts
    return parts


def _note(store: Store, job: RenderJob, address: str, contact: str, outcome: Outcome, now: datetime) -> None:
    try:
        who = getpass.getuser()
    except (KeyError, OSError):
        who = "?"
    detail = f"{job.campaign.campaign}/{job.message} {job.channel} {job.language} as {contact} to {address}: {outcome.outcome}"
    with store.write() as connection:
        connection.execute(sa.insert(tb.audit).values(at=clock.to_ms(now), who=who, what="send-test", detail=detail))

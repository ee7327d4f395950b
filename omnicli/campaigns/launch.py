"""What a live start asks before it asks the person: is the store fit to send, can every channel be carried, does anything come back.

A refusal is exit 4 and names the setting; what only makes the campaign poorer is a warning (docs/cli 4.3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from omnicli.campaigns import startup
from omnicli.errors import Exit, OmniError
from omnicli.model import spoken
from omnicli.providers import HEARINGS, build, channels_of, close, overrides, ready
from omnicli.texts import t

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.model.touch import Ready
    from omnicli.store.connection import Store


#: What a provider lacks that only keeps us from hearing back: a warning, not a refusal.
POORER = ("callbacks", "webhook", "signature")


@dataclass(frozen=True, slots=True)
class Launch:
    """`carried` maps channels to providers; `moved` are lines about addresses that are not the providers' own."""

    carried: dict[str, str]
    moved: tuple[str, ...]
    warnings: tuple[str, ...]


def launch(store: Store, loaded: Loaded) -> Launch:
    """Look at everything that can be looked at without the network; OmniError (exit 4) when something is in the way."""
    assert loaded.project is not None
    startup.refuse(store, loaded)
    try:
        providers = build(loaded, live=True, root=loaded.root)
    except OmniError as error:
        raise OmniError(error.message, hint=error.hint, code=error.code, exit=Exit.REFUSED) from None
    try:
        said = ready(providers, online=False)
        carried = {channel: providers[channel].name for channel in loaded.project.channels}
    finally:
        close(providers)
    for name, one in said:
        if one.ok is False and one.name not in POORER:
            raise _not_ready(name, one)
    poorer = tuple(spoken.both(f"{name} {one.name}", one.seen) for name, one in said if one.ok is False)
    return Launch(carried, overrides(loaded, live=True), _warnings(loaded) or poorer)


def _not_ready(name: str, one: Ready) -> OmniError:
    return OmniError(
        spoken.both(f"{name} {one.name}", one.seen.removeprefix(f"{one.name}: ")),
        hint=one.fix or f"omni doctor --live --provider {name}",
        code="provider",
        exit=Exit.REFUSED,
    )


def _warnings(loaded: Loaded) -> tuple[str, ...]:
    """What will be missing: receipts, clicks and unsubscribes need an address at which `omni serve` is reached."""
    project = loaded.project
    assert project is not None
    telling = sorted(
        {c.provider for c in channels_of(project, live=True).values() if c.provider in HEARINGS and c.provider != "smtp"}
    )
    if project.public_url is not None or not telling:
        return ()
    return (
        t("no public_url: nobody learns from {names} what became of a message, and nobody can unsubscribe by a link (omni serve)",
          "pas de public_url : on ne saura pas par {names} ce que devient un message, et personne ne se désabonne par un lien (omni serve)",
          names=", ".join(telling)),
    )  # fmt: skip

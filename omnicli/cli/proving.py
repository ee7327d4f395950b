"""What a live start asks before it opens doors: that every scenario of the campaign passes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from omnicli.errors import Exit, OmniError
from omnicli.texts import several, t

if TYPE_CHECKING:
    from omnicli.campaignfile import Loaded
    from omnicli.cli.frame import Session


def proved(s: Session, loaded: Loaded, name: str) -> str:
    """`tests ✔ (8 scenarios)`. Scenarios that fail are shown, and the start is refused (exit 1); so are files that cannot be read."""
    from omnicli.campaignfile.stories import load_stories
    from omnicli.campaigns.scenario import show
    from omnicli.campaigns.scenario.suite import suite

    stories = load_stories(loaded)
    unread = [f for f in stories.errors() if _belongs(f.place.file, name)]
    if unread:
        first = unread[0]
        raise OmniError(f"{first.place.file}:{first.place.line}:{first.place.column}: {first.code} {first.message}",
                        hint="omni lint", code="unreadable-scenarios", exit=Exit.FINDINGS)  # fmt: skip
    played = suite(loaded, stories.of(name))
    count = sum(one.status != "skipped" for file in played for one in file.scenarios)
    if any(file.wrong for file in played):
        if not s.json:
            show.show(s.console(stderr=True), played)
        failed = sum(file.failed for file in played) + sum(bool(file.broken) for file in played)
        raise OmniError(several(failed, ("{name}: {n} scenario fails; nothing was started", "{name}: {n} scenarios fail; nothing was started"),
                                ("{name} : {n} scénario échoue ; rien n'est lancé", "{name} : {n} scénarios échouent ; rien n'est lancé"), name=name),
                        hint=f"omni campaign test {name}", code="scenarios", exit=Exit.FINDINGS)  # fmt: skip
    if not count:
        return t("tests – (no scenarios)", "tests – (aucun scénario)")
    return several(
        count, ("tests ✔ ({n} scenario)", "tests ✔ ({n} scenarios)"), ("tests ✔ ({n} scénario)", "tests ✔ ({n} scénarios)")
    )


def _belongs(file: str, name: str) -> bool:
    from omnicli.campaignfile.stories import campaign_of

    return campaign_of(file) == name

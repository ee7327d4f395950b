"""What a plan rests on that can be named: the campaign's parts, the templates, the settings; each with the hash of what it says.

Names are paths as people write them: `messages.offre.facts.offer`, `templates/sms.txt.j2`, `channels.sms.price`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from omnicli.channels import MEDIA
from omnicli.model.campaign import Campaign
from omnicli.model.flow import Flow
from omnicli.model.project import Project

if TYPE_CHECKING:
    from omnicli.render.renderer import Renderer

#: Parts of omni.yaml that change what is sent, to whom, when or at what price; segments and personas are in the version.
SETTINGS = (
    "brand",
    "countries",
    "currency",
    "guardrails",
    "languages",
    "places",
    "send_time",
    "time_zone",
    "tracking",
    "holdout",
)


def digest(value: Any) -> str:
    """The hash of a JSON value, or of a text."""
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def parts(tree: str, campaign: Campaign) -> dict[str, str]:
    """Every part of a campaign's canonical tree that has a name, with its hash; steps go by their ids."""
    found = {name: digest(value) for name, value in _named(json.loads(tree))}
    return found | {f"flow.{node.id}".replace("flow.flow.", "flow."): digest(str(node.step)) for node in Flow.of(campaign)}


def _named(tree: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if key == "messages":
            for message, written in value.items():
                yield from _message(f"messages.{message}", written)
        elif key != "flow":
            yield key, value


def _message(path: str, written: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in written.items():
        if key in ("facts", "say") and isinstance(value, Mapping):
            yield from ((f"{path}.{key}.{name}", one) for name, one in value.items())
        else:
            yield f"{path}.{key}", value


def templates(renderer: Renderer, used: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The templates that these (campaign, channel) pairs are made of, with what they include: file → hash."""
    wanted: set[str] = set()
    for campaign, channel in used:
        medium = MEDIA.get(channel)
        for part in medium.parts if medium is not None else ():
            name = renderer.template(channel, part.ext, campaign) if part.ext is not None else None
            if name is not None:
                _reach(renderer, name, wanted)
    return {f"templates/{name}": digest(renderer.sources[name]) for name in sorted(wanted)}


def _reach(renderer: Renderer, name: str, found: set[str]) -> None:
    """The template and everything that it includes; one that names its pieces at run time may include any."""
    from jinja2 import meta

    if name in found or name not in renderer.sources:
        return
    found.add(name)
    for other in meta.find_referenced_templates(renderer.tree(name)):
        for piece in [other] if other is not None else list(renderer.sources):
            _reach(renderer, piece, found)


def settings(project: Project, channels: Iterable[str], *, live: bool) -> dict[str, str]:
    """The parts of omni.yaml that matter to touches of these channels: path → hash."""
    wanted = {*SETTINGS, "channels", "environments"}
    whole: dict[str, Any] = project.model_dump(mode="json", by_alias=True, exclude_none=True, include=wanted)
    found = {name: digest(whole[name]) for name in SETTINGS if name in whole}
    own = whole.get("environments", {}).get("live", {}).get("channels", {}) if live else {}
    for channel in sorted(set(channels) & whole["channels"].keys()):
        merged = {**whole["channels"][channel], **own.get(channel, {})}
        found |= {f"channels.{channel}.{key}": digest(value) for key, value in merged.items() if key not in ("rate", "workers")}
    return found


def changed(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Names whose hashes differ, or that stand on one side only."""
    return sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
